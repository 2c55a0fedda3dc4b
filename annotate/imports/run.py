"""The work of an import: read, write batch by batch, publish. Killed anywhere, it goes on where it stopped."""

import gc
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from typing import Any, BinaryIO

from django.db import transaction
from django.utils import timezone

from annotate.actions.jobs import Cancelled, Lease, Refused
from annotate.imports import near_duplicates
from annotate.imports.ahead import ahead
from annotate.imports.assets import MediaDesk
from annotate.imports.drafts import Draft, Drafts
from annotate.imports.files import reader_of
from annotate.imports.places import media_source, opened
from annotate.imports.publish import discard, only_import_of, publish, remove_folders, renew_plans
from annotate.imports.record import FileError, PairRow, Place, RawRow, RowError
from annotate.imports.responses import pairs_file
from annotate.imports.schemas import Schema, schema_for
from annotate.imports.schemas.context import Context
from annotate.imports.spec import FileSpec, ImportSpec
from annotate.imports.uploads import remove_uploads
from annotate.imports.write import write_batch
from annotate.modalities.sandbox import MediaSandbox
from annotate.models import DataImport

BATCH_ROWS = 8000
BATCH_CHARACTERS = 16 * 1024 * 1024
BATCH_MEDIA = 128
BATCH_MEDIA_BYTES = 64 * 1024 * 1024
MAX_REFUSED = 10_000  # more than that is a misread file, not some bad rows
_TOLD = 5  # refused rows in the message of an abort; the others are in the report


def run(lease: Lease) -> None:
    """Run an import's job to its end.

    Raises:
        Refused: a file or, where bad rows abort, a row cannot be taken; nothing of the import is left.
        Cancelled: likewise nothing is left.
    """
    data_import = DataImport.objects.select_related("project", "job__by").get(job=lease.job)
    if data_import.visible:
        remove_uploads(data_import)
        near_duplicates.note(data_import)  # where that was killed
        return
    with only_import_of(data_import.project_id), _rare_collections():
        _discard_others(data_import)
        try:
            _Import(data_import, lease).run()
        except (Refused, Cancelled):
            discard(data_import)
            raise
    remove_uploads(data_import)
    # All is seen by now, and nothing cancels it any more; this is told as soon as it is known.
    near_duplicates.note(data_import)


def _discard_others(data_import: DataImport) -> None:
    """Remove what imports that failed left in the project: no row may lean on one that never became visible.

    None of them is at work, as we hold the place. If one is tried again, it starts over.
    """
    others = DataImport.objects.filter(project_id=data_import.project_id, visible=False)
    for other in others.exclude(pk=data_import.pk).exclude(position={}):
        discard(other)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Rows hold no cycles: looking for some among thousands of them over and over costs a third of the reading."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Batch:
    """Rows that are written together, and how much they hold."""

    def __init__(self) -> None:
        self.rows: list[PairRow] = []
        self.drafts: list[Draft | None] = []  # made while the database writes; None of a row with media
        self.refused: list[tuple[Place, str, RowError]] = []
        self.last: Place | None = None
        self.read_to = 0  # bytes of the file
        self._characters = self._media = self._bytes = 0

    def add(self, row: PairRow, draft: Draft | None) -> None:
        self.rows.append(row)
        self.drafts.append(draft)
        self._characters += len(row.response1.text) + len(row.response2.text)
        for _, text in row.turns:
            self._characters += len(text)
        if draft is None:
            for ref in row.media_refs():
                self._media += 1
                self._bytes += len(ref.data or b"")

    @property
    def full(self) -> bool:
        return (
            len(self.rows) + len(self.refused) >= BATCH_ROWS
            or self._characters >= BATCH_CHARACTERS
            or self._media >= BATCH_MEDIA
            or self._bytes >= BATCH_MEDIA_BYTES
        )


class _Import:
    def __init__(self, data_import: DataImport, lease: Lease) -> None:
        self._import = data_import
        self._project = data_import.project
        self._lease = lease
        self._spec = ImportSpec.from_json(data_import.spec)
        self._files = self._spec.files
        self._drafts = Drafts(data_import.project)

    def run(self) -> None:
        remove_folders(self._import)  # of a batch that was killed before its rows were written
        with ExitStack() as stack:
            source = stack.enter_context(media_source(self._spec.media))
            sandbox = stack.enter_context(MediaSandbox())
            desk = MediaDesk(self._project.pk, source, sandbox, self._announce)
            made: BinaryIO | None = None
            if self._spec.pairing:
                self._lease.beat(step="making pairs of answers")
                pairs = pairs_file(self._files, self._spec.pairing, self._lease.beat)
                file, made = stack.enter_context(pairs)
                self._files = (file,)
            sizes = [file.size for file in self._files]
            self._lease.beat(total=sum(sizes), step="reading")
            for index, file in enumerate(self._files):
                if index >= self._import.position.get("file", 0):
                    with nullcontext(made) if made else opened(file) as local:
                        self._read_file(index, local, desk, sum(sizes[:index]))
        self._lease.beat(step="publishing")
        publish(self._import, send_follow_up=not self._lease.by_hand)
        renew_plans()

    @property
    def _layout(self) -> str:
        return "evenhand" if self._spec.pairing else self._spec.layout

    def _announce(self, folder: str) -> None:
        """Note where files are about to be stored, before they are."""
        self._import.position["folder"] = folder
        self._import.save(update_fields=["position"])

    def _read_file(self, index: int, opened: BinaryIO, desk: MediaDesk, before: int) -> None:
        with ahead(self._batches(index, opened)) as batches:
            for batch in batches:
                self._write(batch, desk, before + batch.read_to)

    def _batches(self, index: int, opened: BinaryIO) -> Generator[_Batch, None, None]:
        """The rows of a file that come after what was written already. Touches no database."""
        file = self._files[index]
        position = self._import.position
        done = position.get("row", 0) if index == position.get("file", 0) else 0
        schema: Schema | None = None
        batch = _Batch()
        try:
            for raw in reader_of(file.name)(opened):
                if schema is None and raw.problem is None:
                    schema = schema_for(self._layout, set(raw.values), self._context(file))
                if raw.number <= done:
                    continue
                self._take(batch, schema, raw, index)
                if batch.full:
                    batch.read_to = min(opened.tell(), file.size)  # unpacked, a zip's file is larger
                    yield batch
                    batch = _Batch()
        except FileError as error:
            raise FileError(f"{file.name}: {error}") from None
        if batch.last is not None:
            batch.read_to = file.size
            yield batch

    def _context(self, file: FileSpec) -> Context:
        spec = self._spec
        return Context(
            file=file.member or file.path or file.name,
            salt=self._project.salt,
            project_task_type=self._project.task_type,
            source=spec.source,
            criterion=spec.criterion,
            task_type=spec.task_type,
            k=spec.k,
            labels=spec.labels,
            mapping=spec.mapping,
        )

    def _take(self, batch: _Batch, schema: Schema | None, raw: RawRow, file: int) -> None:
        place = batch.last = Place(file, raw.number)
        try:
            if raw.problem:
                raise raw.problem
            assert schema
            for row in schema(raw.values, place):
                batch.add(row, self._drafts.of_text(row))
        except RowError as error:
            given = raw.values.get("id")
            batch.refused.append((place, str(given)[:200] if isinstance(given, (str, int)) else "", error))

    def _write(self, batch: _Batch, desk: MediaDesk, bytes_done: int) -> None:
        """Write a batch with the place it reached, all in one transaction."""
        assert batch.last
        file = self._files[batch.last.file]
        self._lease.beat()  # ends here, before the work, if cancelled meanwhile
        found = desk.resolve(batch.rows)
        refused = batch.refused + [
            (batch.rows[n].place, batch.rows[n].external_id, error) for n, error in found.refused
        ]
        data_import = self._import
        with transaction.atomic():
            written = write_batch(
                self._project, data_import, batch.rows, found, timezone.now(), self._drafts, batch.drafts
            )
            refused += [
                (batch.rows[n].place, batch.rows[n].external_id, error) for n, error in written.refused
            ]
            report = [self._refusal(*one) for one in sorted(refused, key=lambda one: one[0].row)]
            if report and self._spec.on_error == "abort":
                transaction.set_rollback(True)
            else:
                data_import.position = asdict(batch.last)
                data_import.pairs_new += written.pairs_new
                data_import.pairs_same += written.pairs_same
                data_import.judgments_new += written.judgments_new
                data_import.rows_refused += len(report)
                data_import.report = data_import.report + report
                data_import.save()
                self._lease.beat(done=bytes_done, step=f"{file.name[:50]}, row {batch.last.row:,}")
        if report and self._spec.on_error == "abort":
            self._abort(report)
        if data_import.rows_refused > MAX_REFUSED:
            raise Refused(
                f"More than {MAX_REFUSED:,} rows cannot be taken, the first of them {_sentence(data_import.report[0])}"
                " Is this the right layout or mapping?"
            )

    def _refusal(self, place: Place, external_id: str, error: RowError) -> dict[str, Any]:
        return {
            "file": self._files[place.file].name,
            "row": place.row,
            "id": _printable(external_id),
            "field": _printable(error.field),
            "problem": _printable(error.problem),
        }

    def _abort(self, report: list[dict[str, Any]]) -> None:
        self._import.report = report
        self._import.rows_refused = len(report)
        self._import.save(update_fields=["report", "rows_refused"])
        told = [_sentence(one) for one in report[:_TOLD]]
        if len(report) > _TOLD:
            told.append(f"... and {len(report) - _TOLD:,} more like these.")
        raise Refused(
            "\n".join([*told, "Nothing was imported. Mend the rows, or leave them out with on-error skip."])
        )


def _printable(text: str) -> str:
    """What a hostile row says of itself, as the database can hold it."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _sentence(refusal: dict[str, Any]) -> str:
    field = f", {refusal['field']}" if refusal["field"] else ""
    return f"{refusal['file']}, row {refusal['row']}{field}: {refusal['problem']}"
