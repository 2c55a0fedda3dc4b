"""What an import of a file would come to, told from its first rows: nothing is stored, no database is asked."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

from annotate.actions.jobs import Refused
from annotate.imports.files import parquet, reader_of
from annotate.imports.record import FileError, MediaRef, PairRow, Place, RawRow, RowError, Side
from annotate.imports.responses import AnswerTable, design_of
from annotate.imports.schemas import Schema, detect, schema_for
from annotate.imports.schemas.context import Context
from annotate.imports.schemas.nested import MAX_PATHS, places_in
from annotate.imports.spec import PairingSpec

ROWS = 200  # read and checked
ROWS_SHOWN = 10
PAIRS_SHOWN = 5
ERRORS_SHOWN = 50
MAX_SAMPLE = 2 * 1024 * 1024  # bytes of a file's beginning
MAX_WHOLE = 64 * 1024 * 1024  # of a file that cannot be read from its beginning alone
MAX_ROW_GROUP = 256 * 1024 * 1024  # unpacked, in the web server
_CELL = 300  # characters shown
_TEXT = 4000
_VALUES = 12  # different values of a column, where they are few


@dataclass
class Preview:
    """`layout`: as recognised, "" if none is. `nested`: paths within columns. `values`: of what holds few different ones."""

    layout: str = ""
    problem: str = ""
    columns: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    rows_read: int = 0
    pairs_found: int = 0
    errors_found: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def preview(
    sample: BinaryIO,
    name: str,
    *,
    whole: bool,
    layout: str,
    context: Context,
    pairing: PairingSpec | None = None,
) -> Preview:
    """The first rows as they stand, and the pairs and errors that they come to.

    `whole`: the sample is the whole file, and not only its beginning. `pairing`: its rows are answers.
    """
    told = Preview()
    raws: list[RawRow] = []
    try:
        for raw in islice(_raws(sample, name), ROWS):
            raws.append(raw)
    except FileError as error:
        # Where the beginning ends is no fault of the file's.
        if whole or not raws:
            told.problem = str(error) if whole else f"No row could be read of the file's beginning: {error}"
    else:
        if not whole and len(raws) < ROWS and raws and raws[-1].problem:
            raws.pop()
    told.rows_read = len(raws)
    _tell_rows(told, raws)
    first = next((raw for raw in raws if raw.problem is None), None)
    if first is None:
        return told
    if pairing:
        told.layout = "answers"
        _tell_answers(told, raws, name, pairing, context)
        return told
    try:
        told.layout = detect(set(first.values), context) if layout == "auto" else layout
        schema = schema_for(told.layout, set(first.values), context)
    except FileError as error:
        told.problem = told.problem or str(error)
        return told
    _tell_pairs(told, raws, schema)
    return told


def _raws(sample: BinaryIO, name: str) -> Iterator[RawRow]:
    reader = reader_of(name)
    if reader is parquet.read:
        reader = partial(parquet.read, max_row_group=MAX_ROW_GROUP)
    return reader(sample)


def _tell_rows(told: Preview, raws: list[RawRow]) -> None:
    columns: dict[str, set[str] | None] = {}
    nested: dict[str, set[str] | None] = {}
    for raw in raws:
        for column, value in raw.values.items():
            _note(columns, str(column), value)
            for path, inside in places_in(str(column), value):
                if path in nested or len(nested) < MAX_PATHS:
                    _note(nested, path, inside)
    told.columns = list(columns)
    told.nested = [path for path in nested if path not in columns]
    told.values = {
        column: sorted(value for value in values if value)
        for column, values in (nested | columns).items()
        if values
    }
    told.rows = [
        {
            "row": raw.number,
            "cells": {str(column): _cell(value) for column, value in raw.values.items()},
        }
        for raw in raws[:ROWS_SHOWN]
    ]


def _note(columns: dict[str, set[str] | None], column: str, value: Any) -> None:
    """The different values of a column, as long as they are few."""
    values = columns.setdefault(column, set())
    if values is None:
        return
    shown = _cell(value)
    values.add(shown)
    if len(values) > _VALUES or len(shown) > 60:
        columns[column] = None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False, default=lambda one: f"{len(one):,} bytes"
                           if isinstance(one, bytes) else str(one))  # fmt: skip
    return _cut(str(value), _CELL)


def _cut(text: str, limit: int) -> str:
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _tell_error(told: Preview, number: int, error: RowError) -> None:
    told.errors_found += 1
    if len(told.errors) < ERRORS_SHOWN:
        told.errors.append(
            {"row": number, "field": _cut(error.field, _CELL), "problem": _cut(error.problem, _CELL * 2)}
        )


def _tell_answers(
    told: Preview, raws: list[RawRow], name: str, pairing: PairingSpec, context: Context
) -> None:
    """Pairs of the answers in these rows alone: of the whole table the design may choose others."""
    with AnswerTable() as table:
        for raw in raws:
            try:
                table.take(raw, name, pairing.models)
            except RowError as error:
                _tell_error(told, raw.number, error)
        try:
            schema = schema_for("evenhand", set(), context)
            for row in table.pairs(design_of(pairing)):
                told.pairs_found += 1
                if len(told.pairs) < PAIRS_SHOWN:
                    told.pairs.append(_pair(schema(row, Place(0, told.pairs_found))[0]))
        except (Refused, RowError) as error:
            told.problem = str(error)


def _tell_pairs(told: Preview, raws: list[RawRow], schema: Schema) -> None:
    for raw in raws:
        try:
            if raw.problem:
                raise raw.problem
            pairs = schema(raw.values, Place(0, raw.number))
        except RowError as error:
            _tell_error(told, raw.number, error)
            continue
        told.pairs_found += len(pairs)
        told.pairs += [_pair(pair) for pair in pairs[: PAIRS_SHOWN - len(told.pairs)]]


def _pair(pair: PairRow) -> dict[str, Any]:
    return {
        "row": pair.place.row,
        "id": pair.external_id,
        "source": pair.source,
        "task_type": pair.task_type,
        "turns": [{"role": role, "text": _cut(text, _TEXT)} for role, text in pair.turns[-10:]],
        "media": [_medium(ref) for ref in pair.media],
        "responses": [_side(side) for side in (pair.response1, pair.response2)],
        "criteria": [
            {
                "text": one.text,
                "k": one.k,
                "labels": [
                    {
                        "annotator": label.annotator,
                        "verdict": label.verdict,
                        "strength": label.strength,
                        "rationale": _cut(label.rationale, _CELL),
                    }
                    for label in one.labels
                ],
            }
            for one in pair.criteria
        ],
        "group": pair.group,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "text": _cut(side.text, _TEXT),
        "model": side.model,
        "media": _medium(side.media) if side.media else "",
    }


def _medium(ref: MediaRef) -> str:
    return _cut(ref.path or f"{len(ref.data or b''):,} bytes", _CELL)
