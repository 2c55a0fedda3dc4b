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
class PairingSpec:
    """How tables of answers become pairs (see pairing.Design). `models`: the columns of a wide table."""

    design: str
    per_prompt: int | None = None
    anchors: tuple[str, ...] = ()
    seed: int = 0
    models: tuple[str, ...] = ()


def names_in(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


@dataclass(frozen=True)
class ImportSpec:
    """`k`: labels wanted a comparison where the file does not say. `labels`: take the file's judgments.

    `pairing`: the files are tables of answers, and not of pairs.
    """

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
    pairing: PairingSpec | None = None

    def to_json(self) -> dict[str, Any]:
        made = asdict(self) | {"files": [asdict(file) for file in self.files]}
        if self.pairing is None:
            del made["pairing"]  # an import that was begun before there was any is known again
        return made

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        files = tuple(FileSpec(**file) for file in stored["files"])
        media = FileSpec(**stored["media"]) if stored["media"] else None
        given = stored.get("pairing")
        pairing = None
        if given:
            lists = {name: tuple(given[name]) for name in ("anchors", "models")}
            pairing = PairingSpec(**{**given, **lists})
        return cls(**{**stored, "files": files, "media": media, "pairing": pairing})
