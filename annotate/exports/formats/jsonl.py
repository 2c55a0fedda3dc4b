"""Plain rows, one a line: a labelled comparison with everything that a release knows of it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from annotate.exports.formats.base import SPLITS, Format, Kind, Output, Writing, write_lines
from annotate.exports.media import FOLDER, MediaFolder
from annotate.exports.records import Medium, Record
from annotate.models import Partition


class JSONLines(Format):
    says = "plain rows as JSON lines, every task type alike: prompt, responses, criterion, label and what it rests on."

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield Output(f"{kind.stem}.jsonl", kind.parts, _write)


def row(record: Record, media: MediaFolder) -> dict[str, Any]:
    """The columns of plain rows. Media by their path below the format's folder; a mesh is itself, its sheet beside it."""

    def path_of(medium: Medium | None) -> str | None:
        if medium is None:
            return None
        media.put_picture(medium)
        return f"{FOLDER}/{medium.name}"

    return {
        "id": record.id,
        "source": record.source,
        "pair": record.external_id,
        "task_type": record.task_type,
        "split": SPLITS[Partition(record.partition)],
        "language": record.language or None,
        "prompt": record.turns,
        "media": [path_of(medium) for medium in record.media],
        "response1": record.response1.text,
        "response2": record.response2.text,
        "media1": path_of(record.response1.medium),
        "media2": path_of(record.response2.medium),
        "model1": record.response1.model,
        "model2": record.response2.model,
        "criterion": record.criterion,
        "label": str(record.label),
        **record.told(),
    }


def _write(path: Path, records: Iterable[Record], writing: Writing) -> None:
    rows = (row(record, writing.media) for record in records)
    write_lines(path, (json.dumps(cells, ensure_ascii=False) + "\n" for cells in rows))


FORMAT = JSONLines()
