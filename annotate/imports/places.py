"""Where files of pairs lie: a file, a folder, a zip or an S3 prefix; found when an import begins, opened when it runs."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from django.core.files.storage import default_storage

from annotate.actions.jobs import Refused
from annotate.imports import buckets
from annotate.imports.files import READERS
from annotate.imports.media_source import FolderMedia, MediaSource, NoMedia, ZipMedia
from annotate.imports.record import FileError, RowError
from annotate.imports.spec import FileSpec

ZIP = ".zip"
MAX_FILES = 10_000  # of one folder, zip or prefix
MAX_UNPACKED = 64 * 1024**3  # bytes of one file in a zip
MAX_RATIO = 300  # unpacked bytes for each packed one, of a large file: text packs 3 to 20 times
_LARGE = 256 * 1024**2
_PIECE = 1024 * 1024
# What stands beside data and is none.
_NOT_DATA = {"dataset_info.json", "dataset_infos.json", "manifest.json", "package.json"}


def local_file(path: Path) -> FileSpec:
    """A file or folder of this machine, to be read where it lies.

    Raises:
        Refused: it is not there.
    """
    try:
        found = path.resolve().stat()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}.") from None
    if path.is_dir():
        return FileSpec(name=path.name, path=str(path.resolve()))
    return FileSpec(path.name, str(path.resolve()), size=found.st_size, modified=found.st_mtime_ns)


def files_at(place: str) -> tuple[list[FileSpec], FileSpec | None]:
    """The files of pairs at a place, in the order of their names, and the place itself where media may lie beside them.

    Raises:
        Refused: there are none, or what is there must not be followed.
    """
    if place.startswith(buckets.SCHEME):
        found = buckets.listed(place, _is_data)
        if len(found) == 1 and found[0].path == place:
            return found, None
        return _data(found, place), FileSpec(place, place)
    here = local_file(Path(place))
    if Path(here.path).is_dir():
        return _data(_walked(Path(here.path)), place), here
    if here.name.lower().endswith(ZIP):
        return members_of(here), here
    return [here], None


def media_at(place: str) -> FileSpec:
    """A folder, zip or S3 prefix of media.

    Raises:
        Refused: there is none.
    """
    if place.startswith(buckets.SCHEME):
        buckets.split(place)
        return FileSpec(place, place)
    return local_file(Path(place))


def members_of(file: FileSpec) -> list[FileSpec]:
    """The files of pairs in a zip.

    Raises:
        Refused: it cannot be read, holds none, or one that leads elsewhere.
    """
    with opened(file) as archive:
        source = ZipMedia(archive, file.name)
        try:
            names = [name for name in source.names() if _is_data(name)]
            for name in names:
                _checked(source, name, file.name)
        finally:
            source.close()
    return _data([replace(file, name=f"{file.name}/{name}", member=name) for name in names], file.name)


def _is_data(name: str) -> bool:
    parts = PurePosixPath(name)
    hidden = any(part.startswith((".", "__")) and part != ".." for part in parts.parts)
    return parts.suffix.lower() in READERS and not hidden and parts.name.lower() not in _NOT_DATA


def _data(files: list[FileSpec], place: str) -> list[FileSpec]:
    data = sorted((file for file in files if _is_data(file.member or file.name)), key=lambda file: file.name)
    if not data:
        raise Refused(f"{place} holds no file of pairs: {', '.join(READERS)}.")
    if len(data) > MAX_FILES:
        raise Refused(f"{place} holds {len(data):,} files of pairs; at most {MAX_FILES:,} are read at once.")
    return data


def _walked(root: Path) -> list[FileSpec]:
    found = []
    for folder, _, names in os.walk(root):  # which follows no links to folders
        for name in names:
            path = Path(folder, name)
            inside = path.relative_to(root).as_posix()
            if not _is_data(inside):
                continue
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                raise Refused(f"{path} is a link, or no file: put the file itself there, or name it.")
            found.append(FileSpec(inside, str(path), size=about.st_size, modified=about.st_mtime_ns))
    return found


def _checked(source: ZipMedia, member: str, archive: str) -> int:
    """The size of a file in a zip, if it may be unpacked.

    Raises:
        FileError: it leads elsewhere, is a link, is encrypted, or unpacks to far more than it takes.
    """
    try:
        size, packed = source.sizes(member, "")
    except RowError as error:
        raise FileError(f"{archive}: {error.problem}") from None
    if size > MAX_UNPACKED or (size > _LARGE and size > packed * MAX_RATIO):
        raise FileError(
            f"{archive}: {member[:200]} unpacks to {size:,} bytes from {packed:,}: refused as a decompression bomb."
        )
    return size


@contextmanager
def opened(file: FileSpec) -> Iterator[BinaryIO]:
    """The file for reading, with seeking, wherever it lies.

    Raises:
        Refused: it is gone, or is not what it was when the import began.
    """
    if file.member:
        with opened(replace(file, member="")) as archive, _unpacked(archive, file) as local:
            yield local
        return
    if file.path.startswith(buckets.SCHEME):
        with buckets.opened(file) as found:
            yield found
        return
    if not file.path:
        try:
            stored = default_storage.open(file.key)
        except FileNotFoundError:
            raise Refused(f"{file.name} is no longer kept: upload it again, as a new import.") from None
        with stored, NamedTemporaryFile() as local:
            for chunk in stored.chunks():
                local.write(chunk)
            local.seek(0)
            yield local  # type: ignore[misc]
        return
    try:
        plain = open(file.path, "rb")  # noqa: SIM115
    except OSError as error:
        raise Refused(f"{file.path}: {error.strerror}.") from None
    with plain:
        now = Path(file.path).stat()
        if (now.st_size, now.st_mtime_ns) != (file.size, file.modified):
            raise Refused(f"{file.path} has changed since this import began: start it anew.")
        yield plain


@contextmanager
def _unpacked(archive: BinaryIO, file: FileSpec) -> Iterator[BinaryIO]:
    """A file of a zip, unpacked to disk, no further than its archive says."""
    source = ZipMedia(archive, file.name)
    try:
        left = _checked(source, file.member, file.name)
        with NamedTemporaryFile() as local:
            try:
                with source.open(file.member, "") as (packed, _):
                    while piece := packed.read(_PIECE):
                        left -= len(piece)
                        if left < 0:
                            raise FileError(f"{file.name} is longer than its archive says.")
                        local.write(piece)
            except RowError as error:
                raise FileError(f"{file.name}: {error.problem}") from None
            local.seek(0)
            yield local  # type: ignore[misc]
    finally:
        source.close()


@contextmanager
def media_source(spec: FileSpec | None) -> Iterator[MediaSource]:
    """Where the media lie that rows name."""
    source: MediaSource
    with ExitStack() as stack:
        if spec is None:
            source = NoMedia()
        elif spec.path.startswith(buckets.SCHEME):
            source = buckets.BucketMedia(spec.path)
        elif spec.path and Path(spec.path).is_dir():
            source = FolderMedia(Path(spec.path))
        else:
            source = ZipMedia(stack.enter_context(opened(spec)), spec.name)
        stack.callback(source.close)
        yield source
