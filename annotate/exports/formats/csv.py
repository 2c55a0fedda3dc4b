"""Plain rows as a table that is safe to open in a spreadsheet, and from which every cell can be had back as it was."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from annotate import sheets
from annotate.exports.formats.base import Format, Kind, Output, Writing, write_lines
from annotate.exports.formats.jsonl import row
from annotate.exports.formats.turns import prompt_text
from annotate.exports.media import MediaFolder
from annotate.exports.records import TOLD, Record

_COLUMNS = (
    *"id source pair task_type split language prompt media response1 response2 media1 media2".split(),
    *"model1 model2 criterion label".split(),
    *TOLD,
)


class CommaSeparated(Format):
    says = (
        "the same plain rows as CSV (UTF-8, RFC 4180; `media` is a JSON list). A cell that begins with = + - @, a tab, a"
        " carriage return or an apostrophe has an apostrophe put before it, so that no spreadsheet runs it: who reads the"
        " table otherwise takes one apostrophe off every cell that begins with one."
    )

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield Output(f"{kind.stem}.csv", kind.parts, _write)


def _write(path: Path, records: Iterable[Record], writing: Writing) -> None:
    rows = (_cells(record, writing.media) for record in records)

    def lines() -> Iterator[str]:
        yield from sheets.reversible_lines([_COLUMNS])
        yield from sheets.reversible_lines(rows)

    write_lines(path, lines())


def _cells(record: Record, media: MediaFolder) -> Iterable[Any]:
    told = row(record, media)
    told["prompt"] = prompt_text(record.turns)
    told["media"] = json.dumps(told["media"])
    return [told[name] for name in _COLUMNS]


FORMAT = CommaSeparated()
