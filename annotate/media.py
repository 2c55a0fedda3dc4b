"""Media files in storage: random keys, written once, read back for viewing and for releases."""

import secrets
from collections.abc import Iterable

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from annotate.modalities.metadata import strip_metadata
from annotate.models import Asset

FOLDER = "assets"


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


def original_bytes(asset: Asset) -> bytes:
    """The file exactly as it was given."""
    with default_storage.open(asset.key) as file:
        data: bytes = file.read()
    return data


def released_bytes(asset: Asset) -> bytes:
    """The original coded data with metadata removed: what a release may carry.

    Raises:
        MediaError: the file is not whole, or of a type whose metadata cannot be removed.
    """
    return strip_metadata(original_bytes(asset), asset.media_type)
