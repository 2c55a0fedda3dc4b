"""CSV and TSV with a header line. Every cell is text; what begins with = + - @ is text like any other."""

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from annotate.imports.checks import MAX_TEXT
from annotate.imports.files.strict_json import refuse_utf16
from annotate.imports.record import FileError, RawRow, RowError

MAX_COLUMNS = 1000
_HEADER_LIMIT = 1_000_000


def read(file: BinaryIO) -> Iterator[RawRow]:
    """Rows are numbered as a spreadsheet does: the header is row 1, the first data row 2.

    The separator is the comma, semicolon or tab that the header holds most of.

    Raises:
        FileError: no header, a column named twice, a quote that is never closed, not UTF-8.
    """
    head = file.read(4)
    file.seek(0)
    try:
        refuse_utf16(head)
    except RowError as error:
        raise FileError(f"the file {error.problem}") from None
    # The limit is the module's own: a row of ours is refused with its name before it is reached.
    csv.field_size_limit(4 * MAX_TEXT)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield from _rows(text)
    finally:
        text.detach()


def _rows(text: io.TextIOWrapper) -> Iterator[RawRow]:
    number = 1
    try:
        first = text.readline(_HEADER_LIMIT)
        text.seek(0)
        delimiter = max(",;\t", key=first.count)
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        header = [name.strip() for name in _next(rows, number) or []]
        _check_header(header)
        while (cells := _next(rows, number + 1)) is not None:
            number += 1
            if not cells:
                continue
            if len(cells) != len(header):
                problem = f"has {len(cells)} cells, the header has {len(header)}: quote cells that hold {delimiter!r}."
                yield RawRow(number, {}, RowError("", problem))
            else:
                yield RawRow(number, dict(zip(header, cells, strict=True)))
    except UnicodeDecodeError as error:
        raise FileError(f"row {number}: not UTF-8 ({error.reason}). Save the file as UTF-8.") from None


def _next(rows: Any, number: int) -> list[str] | None:
    begins = rows.line_num + 1
    try:
        return next(rows, None)
    except csv.Error as error:
        problem = f"{error} (line {rows.line_num})"
        if "unexpected end" in str(error) or "field limit" in str(error):
            problem = f"a quote that opens at or after line {begins} is never closed"
        raise FileError(f'row {number}: {problem}. Inside quotes, write " as "".') from None


def _check_header(header: list[str]) -> None:
    if not any(header):
        raise FileError("the file is empty: the first line must name the columns.")
    if len(header) > MAX_COLUMNS:
        raise FileError(f"the header has {len(header):,} columns; at most {MAX_COLUMNS:,} are taken.")
    for name in header:
        if not name:
            raise FileError("row 1: a column has no name.")
        if header.count(name) > 1:
            raise FileError(f"row 1: the column {name[:100]!r} stands twice.")
