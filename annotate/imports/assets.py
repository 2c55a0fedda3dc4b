"""The media of a batch: found, told apart by their bytes, examined and stored. Their rows come with the batch's."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from django.core.files.base import File

from annotate import media
from annotate.imports.media_source import MediaSource
from annotate.imports.record import MediaRef, PairRow, RowError
from annotate.modalities import HEAD_BYTES, MAX_BYTES, Kind, MediaError, image, sniff
from annotate.modalities.sandbox import Examined, MediaSandbox, Request
from annotate.models import Asset, Modality

_PIECE = 1024 * 1024
_FILES_AT_ONCE = 16
_BYTES_AT_ONCE = 512 * 1024**2
# All else a job makes later: of other media, and the tiles of large images.
MADE_AT_IMPORT = {Modality.IMAGE: image.AT_IMPORT}
_REMEMBERED = 50_000  # paths whose bytes were read before in this import


@dataclass(frozen=True, slots=True)
class Seen:
    """What the bytes of one file are."""

    sha256: bytes
    kind: Kind
    size: int


@dataclass(frozen=True, slots=True)
class NewDerivative:
    kind: str
    media_type: str
    size: int
    key: str
    probe: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewAsset:
    """A file that is stored but has no row yet."""

    seen: Seen
    key: str
    probe: dict[str, Any]
    derivatives: tuple[NewDerivative, ...]

    @property
    def prepared(self) -> bool:
        return self.seen.kind.modality in MADE_AT_IMPORT and not self.probe.get("tiled")


@dataclass
class BatchMedia:
    """Of one batch: each row's files in the order of `PairRow.media_refs`, and what must be inserted."""

    of_row: dict[int, list[Seen]] = field(default_factory=dict)  # by the row's index in the batch
    ids: dict[bytes, int] = field(default_factory=dict)  # assets that the project has
    prepared: set[bytes] = field(
        default_factory=set
    )  # of those and of the new ones: nothing is still to be made
    new: dict[bytes, NewAsset] = field(default_factory=dict)
    refused: list[tuple[int, RowError]] = field(default_factory=list)


class MediaDesk:
    """Media of one import. `announce` is told of a storage folder before the first file is put there."""

    def __init__(
        self, project_id: int, source: MediaSource, sandbox: MediaSandbox, announce: Callable[[str], None]
    ) -> None:
        self._project_id = project_id
        self._source = source
        self._sandbox = sandbox
        self._announce = announce
        self._by_path: OrderedDict[str, Seen] = OrderedDict()

    def resolve(self, rows: list[PairRow]) -> BatchMedia:
        """Look at every file that the rows name; store those that the project does not have yet."""
        batch = BatchMedia()
        wanted: dict[bytes, tuple[MediaRef, Seen]] = {}
        for index, row in enumerate(rows):
            try:
                found = [(ref, self._look(ref)) for ref in row.media_refs()]
            except RowError as error:
                batch.refused.append((index, error))
                continue
            batch.of_row[index] = [seen for _, seen in found]
            wanted |= {seen.sha256: (ref, seen) for ref, seen in found}
        if not wanted:
            return batch
        for sha256, pk, prepared in Asset.objects.filter(
            project_id=self._project_id, sha256__in=list(wanted)
        ).values_list("sha256", "pk", "prepared"):
            batch.ids[bytes(sha256)] = pk
            if prepared:
                batch.prepared.add(bytes(sha256))
        missing = [item for sha256, item in wanted.items() if sha256 not in batch.ids]
        if missing:
            folder = media.new_folder()
            self._announce(folder)
            problems = self._store_all(missing, folder, batch)
            self._refuse_rows(rows, batch, problems)
        return batch

    def _look(self, ref: MediaRef) -> Seen:
        seen = self._by_path.get(ref.path) if ref.data is None else None
        if seen is None:
            try:
                if ref.data is not None:
                    kind = sniff(ref.data[:HEAD_BYTES], len(ref.data))
                    seen = Seen(hashlib.sha256(ref.data).digest(), kind, len(ref.data))
                else:
                    with self._source.open(ref.path, ref.field) as (file, size):
                        seen = _read_through(file, size)
                    self._by_path[ref.path] = seen
                    if len(self._by_path) > _REMEMBERED:
                        self._by_path.popitem(last=False)
            except MediaError as error:
                raise RowError(ref.field, f"{_shown(ref)} {error}") from None
        if ref.expects is not None and seen.kind.modality != ref.expects:
            raise RowError(ref.field, f"{_shown(ref)} is {seen.kind.media_type}; here belongs {ref.expects}.")
        return seen

    def _store_all(
        self, missing: list[tuple[MediaRef, Seen]], folder: str, batch: BatchMedia
    ) -> dict[bytes, RowError]:
        problems: dict[bytes, RowError] = {}
        for some in _groups(missing):
            with ExitStack() as stack:
                files = [stack.enter_context(self._local(ref)) for ref, _ in some]
                results = self._sandbox.examine_many(
                    Request(file, seen.kind, MADE_AT_IMPORT.get(seen.kind.modality, ()))
                    for file, (_, seen) in zip(files, some, strict=True)
                )
                for (ref, seen), file, result in zip(some, files, results, strict=True):
                    if isinstance(result, MediaError):
                        problems[seen.sha256] = RowError(ref.field, f"{_shown(ref)} {result}")
                    else:
                        new = _store(folder, seen, file, result)
                        batch.new[seen.sha256] = new
                        if new.prepared:
                            batch.prepared.add(seen.sha256)
        return problems

    @contextmanager
    def _local(self, ref: MediaRef) -> Iterator[BinaryIO]:
        """The file with a descriptor that a child process can be handed."""
        if ref.data is not None:
            with TemporaryFile() as local:
                local.write(ref.data)
                local.flush()
                yield local
            return
        with self._source.open(ref.path, ref.field) as (file, _):
            if isinstance(file, BufferedReader):
                yield file
            else:  # in a zip
                with TemporaryFile() as local:
                    copyfileobj(file, local, _PIECE)
                    local.flush()
                    yield local

    @staticmethod
    def _refuse_rows(rows: list[PairRow], batch: BatchMedia, problems: dict[bytes, RowError]) -> None:
        for index in [index for index, files in batch.of_row.items() if files]:
            files = batch.of_row[index]
            bad = next((number for number, seen in enumerate(files) if seen.sha256 in problems), None)
            if bad is not None:
                told = problems[files[bad].sha256]
                batch.refused.append((index, RowError(rows[index].media_refs()[bad].field, told.problem)))
                del batch.of_row[index]


def _groups(missing: list[tuple[MediaRef, Seen]]) -> Iterator[list[tuple[MediaRef, Seen]]]:
    """Files that are unpacked and waiting for the sandbox together."""
    some: list[tuple[MediaRef, Seen]] = []
    size = 0
    for item in missing:
        if some and (len(some) == _FILES_AT_ONCE or size + item[1].size > _BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(item)
        size += item[1].size
    if some:
        yield some


def _read_through(file: BinaryIO, size: int) -> Seen:
    """
    Raises:
        MediaError: nothing that is taken, too large, or longer than its archive says.
    """
    head = file.read(HEAD_BYTES)
    kind = sniff(head, size)
    digest = hashlib.sha256(head)
    count = len(head)
    while piece := file.read(_PIECE):
        digest.update(piece)
        count += len(piece)
        if count > min(size, MAX_BYTES):
            raise MediaError("is longer than its size says.")
    if count != size:
        raise MediaError("is shorter than its size says.")
    return Seen(digest.digest(), kind, size)


def _store(folder: str, seen: Seen, file: BinaryIO, examined: Examined) -> NewAsset:
    derivatives = []
    for made in examined.renditions:
        with made.file:
            key = media.store(folder, File(made.file))
        derivatives.append(NewDerivative(made.kind, made.media_type, made.size, key, made.probe))
    return NewAsset(seen, media.store(folder, File(file)), examined.probe, tuple(derivatives))


def _shown(ref: MediaRef) -> str:
    return repr(ref.path)[:120] if ref.path else "The embedded file"
