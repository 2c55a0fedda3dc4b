"""Rows into a table by COPY, in blocks of PostgreSQL's text format.

psycopg's `write_row` talks to the connection once a row, which costs more than all the rest of it.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection

_BLOCK = 256 * 1024  # characters, about


def _text(value: Any) -> str:
    """A text with what the format gives a meaning escaped; of anything else, what it is written as."""
    text = str(value)
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text:
        text = text.replace("\n", "\\n")
    if "\t" in text:
        text = text.replace("\t", "\\t")
    if "\r" in text:
        text = text.replace("\r", "\\r")
    return text


_WRITTEN: dict[type, Callable[[Any], str]] = {
    str: _text,
    int: int.__repr__,
    bool: lambda value: "t" if value else "f",
    type(None): lambda value: "\\N",
    bytes: lambda value: "\\\\x" + value.hex(),
    datetime: datetime.isoformat,
}


def _line(row: Iterable[Any]) -> str:
    """One row in the text format: texts, numbers, truth values, bytes, times with their zone, and None for NULL."""
    return "\t".join([_WRITTEN.get(type(value), _text)(value) for value in row])


def copy(
    table: str, columns: str, rows: Iterable[tuple[Any, ...]], same: Mapping[str, Any] | None = None
) -> None:
    """Append the rows to the table. `same`: further columns, with the value that they have in every row.

    The names of table and columns are ours, never anybody's input.
    """
    if same:
        columns = f"{columns}, {', '.join(same)}"
    end = "\t".join(["", *map(_line, zip(same.values(), strict=True))]) + "\n" if same else "\n"
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as into:
        lines: list[str] = []
        size = 0
        for row in rows:
            written = _line(row)
            lines.append(written)
            size += len(written)
            if size >= _BLOCK:
                into.write(end.join(lines) + end)
                lines, size = [], 0
        if lines:
            into.write(end.join(lines) + end)
