"""What an import reads and how: stored with it, so that it can be resumed and the same one recognised."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

OnError = Literal["abort", "skip"]


@dataclass(frozen=True)
class FileSpec:
    """One file: at `path` (of this machine, or s3://), or under `key` in storage; `member`: which, of a zip.

    Size and time, or the ETag, tell whether it changed.
    """

    name: str
    path: str = ""
    key: str = ""
    size: int = 0
    modified: int = 0  # nanoseconds; 0 for storage, whose keys are never written twice
    member: str = ""
    etag: str = ""


@dataclass(frozen=True)
class ImportSpec:
    """`k`: labels wanted a comparison where the file does not say. `labels`: take the file's judgments."""

    files: tuple[FileSpec, ...]
    media: FileSpec | None = None
    layout: str = "auto"  # or one of schemas.LAYOUTS
    mapping: dict[str, Any] | None = None
    on_error: OnError = "abort"
    source: str = ""
    criterion: str = ""
    task_type: str = ""
    k: int | None = None
    labels: bool = True

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"files": [asdict(file) for file in self.files]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        files = tuple(FileSpec(**file) for file in stored["files"])
        media = FileSpec(**stored["media"]) if stored["media"] else None
        return cls(**{**stored, "files": files, "media": media})
