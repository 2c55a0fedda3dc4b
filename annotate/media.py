"""Media files in storage: random keys, written once, read back for viewing and for releases."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from tempfile import TemporaryFile
from typing import BinaryIO

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from annotate.modalities import Kind
from annotate.modalities.metadata import strip_metadata
from annotate.modalities.sandbox import MediaSandbox
from annotate.models import Asset, Modality

FOLDER = "assets"
_PIECE = 1024 * 1024


def new_folder() -> str:
    """A fresh random folder for files that are stored together and, if their rows never come, removed together."""
    return f"{FOLDER}/{secrets.token_hex(8)}"


def store(folder: str, content: bytes | File) -> str:
    """Write a file under a random key in `folder` and return the key. Nothing can be read from a key."""
    key = f"{folder}/{secrets.token_hex(16)}"
    stored = default_storage.save(key, ContentFile(content) if isinstance(content, bytes) else content)
    if stored != key:
        raise OSError(f"The storage wrote {stored} where {key} was asked for.")
    return key


@contextmanager
def local_copy(key: str) -> Iterator[BinaryIO]:
    """A stored file at its beginning, with a descriptor for a child process: itself, or a copy of an object."""
    with default_storage.open(key) as stored:
        if isinstance(stored.file, BufferedReader):
            yield stored.file
        else:
            with TemporaryFile() as copy:
                for chunk in stored.chunks(_PIECE):
                    copy.write(chunk)
                copy.seek(0)
                yield copy


def remove(keys: Iterable[str]) -> None:
    """Delete files; one that is not there is none."""
    for key in keys:
        default_storage.delete(key)


def remove_folder(folder: str) -> None:
    """Delete a folder of `new_folder` with all its files."""
    try:
        _, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    remove(f"{folder}/{name}" for name in names)
    try:
        default_storage.delete(folder)
    except OSError:
        return  # an object store has no folders


def write_released(asset: Asset, target: BinaryIO, sandbox: MediaSandbox) -> None:
    """Write the original coded data, its metadata removed, into an empty file: what a release may carry.

    Raises:
        MediaError: the file is not whole.
        FileNotFoundError: it is not in storage.
    """
    kind = Kind(Modality(asset.modality), asset.media_type, asset.extension)
    with local_copy(asset.key) as source:
        strip_metadata(source, kind, target, sandbox)
