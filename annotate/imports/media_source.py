"""Where the media that rows name are found: a folder or a zip. A name never leads out of it."""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from annotate.imports.record import FileError, RowError
from annotate.imports.schemas.omni import MEDIA_FOLDER

MAX_ZIP_ENTRIES = 500_000
MAX_ZIP_DIRECTORY = 256 * 1024 * 1024  # bytes of the list of files at its end


MediaFile = AbstractContextManager[tuple[BinaryIO, int]]


class MediaSource(Protocol):
    def open(self, path: str, field: str) -> MediaFile:
        """The file of a reference, and its size.

        Raises:
            RowError: there is none, or the reference is one that must not be followed.
        """
        ...

    def close(self) -> None: ...


def safe_parts(path: str, field: str) -> list[str]:
    """The reference's folders and name.

    Raises:
        RowError: absolute, with "..", a drive or a backslash: it could lead out of the media root.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or "\\" in path or ".." in parts or (parts and parts[0][1:2] == ":"):
        raise RowError(field, f"{path!r:.120} leads out of the media folder: write the path below it.")
    if not parts or any(len(part.encode()) > 255 for part in parts):
        raise RowError(field, f"{path!r:.120} is no path of a file.")
    return parts


def candidates(path: str) -> list[str]:
    """The reference, and with or without OmniRewardBench's outermost folder."""
    return [path, path.removeprefix(MEDIA_FOLDER) if path.startswith(MEDIA_FOLDER) else MEDIA_FOLDER + path]


class NoMedia:
    """Of an import that was given no media."""

    def open(self, path: str, field: str) -> MediaFile:
        raise RowError(field, f"names {path!r:.120}, but no media were given: say where with --media.")

    def close(self) -> None:
        """Nothing is open."""


class FolderMedia:
    """A folder. Symbolic links are not followed, wherever in the path they stand."""

    def __init__(self, root: Path) -> None:
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise FileError(f"--media {root}: {error.strerror}.") from None

    def close(self) -> None:
        os.close(self._root)

    @contextmanager
    def open(self, path: str, field: str) -> Iterator[tuple[BinaryIO, int]]:
        for candidate in candidates(path):
            try:
                descriptor = self._descend(safe_parts(candidate, field), path, field)
                break
            except FileNotFoundError:
                continue
        else:
            raise RowError(field, f"names {path!r:.120}, which is not in the media folder.")
        with os.fdopen(descriptor, "rb") as file:
            yield file, os.fstat(descriptor).st_size

    def _descend(self, parts: list[str], path: str, field: str) -> int:
        """Open one folder after the other, so that no link can be put in between."""
        at = os.dup(self._root)
        try:
            for part in parts[:-1]:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = below
            # Not blocking: a named pipe would keep us waiting for ever.
            found = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        except FileNotFoundError:
            raise
        except OSError as error:
            problem = error.strerror
            if self._is_link(at, parts):
                problem = "it is a symbolic link; put the file itself there"
            raise RowError(field, f"{path!r:.120} cannot be opened: {problem}.") from None
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(found).st_mode):
            os.close(found)
            raise RowError(field, f"{path!r:.120} is no file.")
        return found

    @staticmethod
    def _is_link(folder: int, parts: list[str]) -> bool:
        for part in parts:
            try:
                if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                    return True
            except OSError:
                continue
        return False


class ZipMedia:
    """A zip, read in place. Only what rows name is unpacked, and no further than its limits."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        try:
            _check_directory(file)
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, struct.error, ValueError) as error:
            raise FileError(f"{name}: no zip that can be read ({error}).") from None
        self._entries: dict[str, zipfile.ZipInfo | None] = {}
        for info in self._zip.infolist():
            # Of two entries of one name, readers disagree which one counts.
            self._entries[info.filename] = None if info.filename in self._entries else info

    def close(self) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Of all files in it, as they stand there."""
        return [name for name in self._entries if not name.endswith("/")]

    def sizes(self, path: str, field: str) -> tuple[int, int]:
        """(unpacked, packed) bytes of a file, as the zip says.

        Raises:
            RowError: as `open`.
        """
        info = self._allowed(path, field)
        return info.file_size, info.compress_size

    @contextmanager
    def open(self, path: str, field: str) -> Iterator[tuple[BinaryIO, int]]:
        info = self._allowed(path, field)
        try:
            with self._zip.open(info) as file:
                yield file, info.file_size  # type: ignore[misc]
        except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
            raise RowError(field, f"{path!r:.120} cannot be unpacked: {error}.") from None

    def _allowed(self, path: str, field: str) -> zipfile.ZipInfo:
        info = self._find(path, field)
        if stat.S_ISLNK(info.external_attr >> 16):
            raise RowError(field, f"{path!r:.120} is a symbolic link in the zip: put the file itself there.")
        if info.flag_bits & 1:
            raise RowError(field, f"{path!r:.120} is encrypted in the zip.")
        return info

    def _find(self, path: str, field: str) -> zipfile.ZipInfo:
        for candidate in candidates(path):
            name = "/".join(safe_parts(candidate, field))
            if name in self._entries:
                info = self._entries[name]
                if info is None:
                    raise RowError(field, f"{path!r:.120} stands twice in the zip.")
                return info
        raise RowError(field, f"names {path!r:.120}, which is not in the media zip.")


def _check_directory(file: BinaryIO) -> None:
    """Refuse a zip whose list of files would fill the memory, before it is read."""
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise ValueError("it has no list of files")
    entries, length = struct.unpack_from("<HI", tail, at + 10)
    locator = tail.rfind(b"PK\x06\x07", 0, at)
    if locator >= 0:
        file.seek(struct.unpack_from("<Q", tail, locator + 8)[0])
        record = file.read(56)
        if record[:4] == b"PK\x06\x06":
            entries, length = struct.unpack_from("<QQ", record, 32)
    file.seek(0)
    if entries > MAX_ZIP_ENTRIES or length > MAX_ZIP_DIRECTORY:
        raise ValueError(f"it lists {entries:,} files; at most {MAX_ZIP_ENTRIES:,} are taken")
