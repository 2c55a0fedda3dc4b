"""What a layout needs to know besides the row."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from annotate.imports.record import FileError
from annotate.models import TaskType

# Asked of rows that say which response is better, but not by what.
OVERALL = "Which response is better overall?"
# The one annotator of files that carry a single label a row without saying whose it is.
PUBLISHED = "published label"

_SHARD = re.compile(r"([-_.]?\d{5}-of-\d{5}(-[0-9a-f]{8,})?)$")


@dataclass(frozen=True)
class Context:
    """`file`: the file's path as given. `salt`: the project's secret, for choices that must not be guessed."""

    file: str
    salt: str
    project_task_type: str
    source: str = ""
    criterion: str = ""
    task_type: str = ""
    k: int | None = None
    labels: bool = True
    mapping: dict[str, Any] | None = None

    @property
    def stem(self) -> str:
        """The file's name without extension and shard number: the source of rows that name none."""
        stem = PurePath(self.file).stem
        return _SHARD.sub("", stem)[:200] or stem[:200]

    @property
    def pair_task_type(self) -> str:
        return self.task_type or self.project_task_type

    def secret_order(self, *parts: str) -> bytes:
        """A value that orders things by chance, the same at every import into this project."""
        return hmac.digest(self.salt.encode(), "\0".join(("order", *parts)).encode(), hashlib.sha256)


def task_type(value: str) -> str:
    """
    Raises:
        FileError: no such task type.
    """
    if value not in TaskType.values:
        raise FileError(f"there is no task type {value!r}. There are: {', '.join(TaskType.values)}.")
    return value


def is_general(criterion: str) -> bool:
    """It asks which response is better, and not by what."""
    return " ".join(criterion.split()).casefold() == OVERALL.casefold()
