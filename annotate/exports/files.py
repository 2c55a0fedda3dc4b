"""A release's directory: files that appear whole or not at all, and a mark while it is unfinished."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from annotate.actions.jobs import Refused

MANIFEST = "MANIFEST.json"
_MARK = ".unfinished.json"
_TMP = ".tmp"


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name only once it is complete and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(f"{path.name}.{os.getpid()}{_TMP}")  # several processes may be at one medium
    with tmp.open("w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(tmp, path)
    _sync(path.parent)


def write_json(path: Path, content: Any) -> None:
    with new_file(path) as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n")


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def release_in(directory: Path) -> UUID | None:
    """The release that `directory` holds, finished or not; None if it is empty or not there.

    Raises:
        Refused: it holds something else.
    """
    for name in (_MARK, MANIFEST):
        try:
            return UUID(json.loads((directory / name).read_bytes())["release"])
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            raise Refused(f"{directory} is a file. Give a directory.") from None
        except (ValueError, KeyError, TypeError):
            raise Refused(f"{directory / name} is no release of ours. Give an empty directory.") from None
    # Killed before the very first mark was complete, it holds nothing but that mark's beginning.
    if directory.is_dir() and not all(_is_begun_mark(entry.name) for entry in directory.iterdir()):
        raise Refused(f"{directory} holds other files. Give an empty directory.")
    return None


def _is_begun_mark(name: str) -> bool:
    return name.startswith(_MARK) and name.endswith(_TMP)


def mark(directory: Path, release: UUID) -> None:
    """Begin a release in an empty directory."""
    write_json(directory / _MARK, {"release": str(release)})


def manifest_in(directory: Path) -> dict[str, Any]:
    """The manifest of a finished release."""
    found: dict[str, Any] = json.loads((directory / MANIFEST).read_bytes())
    return found


def is_finished(directory: Path) -> bool:
    return (directory / MANIFEST).exists() and not (directory / _MARK).exists()


def finish(directory: Path) -> None:
    """Take the mark away once the manifest is there, and before it what killed processes left."""
    for path in directory.rglob(f"*{_TMP}"):
        path.unlink()
    (directory / _MARK).unlink()
    _sync(directory)


@contextmanager
def sole_writer(directory: Path) -> Iterator[None]:
    """Hold the unfinished directory alone.

    Raises:
        Refused: another process writes there.
    """
    with (directory / _MARK).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"Another process is writing to {directory}.") from None
        yield


def files_in(directory: Path) -> list[Path]:
    """Every file of a release but the manifest, relative, in the order of their names."""
    found = [path.relative_to(directory) for path in directory.rglob("*") if path.is_file()]
    return sorted(path for path in found if path.name not in (MANIFEST, _MARK) and path.suffix != _TMP)
