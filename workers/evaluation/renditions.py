"""The media of a benchmark as judges get them: what our own sandbox makes of each file, kept by its content.

The same renditions as those of an imported project: no decoder of this process ever opens what a benchmark brought.
"""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import copyfileobj
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import BinaryIO, cast

from annotate.imports.media_source import MediaSource
from annotate.imports.record import MediaRef
from annotate.modalities import HEAD_BYTES, Kind, MediaError, sniff
from annotate.modalities.sandbox import MediaSandbox, Request
from annotate.models import Modality
from workers.reward_models.base import MediumRef

# What judges may ask for of each modality; made when it is first asked for.
_KINDS = {
    Modality.IMAGE: ("web",),
    Modality.VIDEO: ("web",),
    Modality.AUDIO: ("web",),
    Modality.MESH: ("web", "sheet"),
}
_LOCKS = 64


class Renditions:
    """Renditions in `folder`, which may be shared and may be deleted: it is only a cache."""

    def __init__(self, folder: Path, sandbox: MediaSandbox) -> None:
        self._folder, self._sandbox = folder, sandbox
        # Of two threads that want the same file, one makes it.
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        # By path: the criteria of a pair name the same files.
        self._known: dict[str, tuple[bytes, Kind]] = {}

    def medium(self, ref: MediaRef, source: MediaSource) -> MediumRef:
        """A medium by its content. Its file is read once, to know its digest; a benchmark has one source of files.

        Raises:
            RowError: it is not there.
            MediaError: it is no media file, or of another modality than its column says.
        """
        digest, kind = self._known.get(ref.path if ref.data is None else "") or self._read(ref, source)
        if ref.data is None:
            self._known[ref.path] = digest, kind
        if ref.expects and kind.modality != ref.expects:
            raise MediaError(f"is {kind.modality}, where {ref.expects} is asked for.")
        files: dict[str, Callable[[], BinaryIO]] = {
            name: partial(self._open, name, digest, kind, ref, source) for name in _KINDS[kind.modality]
        }
        return MediumRef(digest, kind.modality.value, files)

    def _read(self, ref: MediaRef, source: MediaSource) -> tuple[bytes, Kind]:
        with self._opened(ref, source) as file:
            digest = hashlib.file_digest(cast(io.BytesIO, file), "sha256").digest()
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            return digest, sniff(file.read(HEAD_BYTES), size)

    def _open(self, name: str, digest: bytes, kind: Kind, ref: MediaRef, source: MediaSource) -> BinaryIO:
        path = self._path(digest, name)
        with self._locks[digest[0] % _LOCKS]:
            if not path.exists():
                self._make(digest, kind, ref, source)
        return path.open("rb")

    def _make(self, digest: bytes, kind: Kind, ref: MediaRef, source: MediaSource) -> None:
        with self._opened(ref, source) as file:
            made = self._sandbox.examine(Request(file, kind, _KINDS[kind.modality]))
        for rendition in made.renditions:
            path = self._path(digest, rendition.kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            with rendition.file as content, NamedTemporaryFile(dir=path.parent, delete=False) as written:
                copyfileobj(content, written)
            os.replace(written.name, path)

    @contextmanager
    def _opened(self, ref: MediaRef, source: MediaSource) -> Iterator[BinaryIO]:
        """A copy with a descriptor of its own, for the child that opens it."""
        with TemporaryFile() as copy:
            if ref.data is not None:
                copy.write(ref.data)
            else:
                with source.open(ref.path, ref.field) as (file, _):
                    copyfileobj(file, copy)
            copy.seek(0)
            yield cast(BinaryIO, copy)

    def _path(self, digest: bytes, name: str) -> Path:
        return self._folder / digest.hex()[:2] / f"{digest.hex()}.{name}"
