"""Rows into a table by COPY, in blocks of PostgreSQL's text format.

psycopg's `write_row` talks to the connection once a row, which costs more than all the rest of it.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection

_BLOCK = 256 * 1024  # characters, about


def escaped(value: Any) -> str:
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
    str: escaped,
    int: int.__repr__,
    bool: lambda value: "t" if value else "f",
    type(None): lambda value: "\\N",
    bytes: lambda value: "\\\\x" + value.hex(),
    datetime: datetime.isoformat,
}


def line(row: Iterable[Any]) -> str:
    """One row in the text format: texts, numbers, truth values, bytes, times with their zone, and None for NULL."""
    return "\t".join([_WRITTEN.get(type(value), escaped)(value) for value in row])


def copy(
    table: str, columns: str, rows: Iterable[tuple[Any, ...]], same: Mapping[str, Any] | None = None
) -> None:
    """Append the rows to the table. `same`: further columns, with the value that they have in every row.

    The names of table and columns are ours, never anybody's input.
    """
    copy_lines(table, columns, map(line, rows), same)


def copy_lines(table: str, columns: str, given: Iterable[str], same: Mapping[str, Any] | None = None) -> None:
    """As `copy`, of rows that are lines of the text format already."""
    if same:
        columns = f"{columns}, {', '.join(same)}"
    end = "\t".join(["", *map(line, zip(same.values(), strict=True))]) + "\n" if same else "\n"
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as into:
        lines: list[str] = []
        size = 0
        for written in given:
            lines.append(written)
            size += len(written)
            if size >= _BLOCK:
                into.write(end.join(lines) + end)
                lines, size = [], 0
        if lines:
            into.write(end.join(lines) + end)


def array_of_numbers(given: Iterable[int]) -> str:
    """An array of numbers as PostgreSQL writes it: psycopg looks at each element of a list, which takes longer."""
    return "{" + ",".join(map(str, given)) + "}"


def array_of_bytes(given: Iterable[bytes]) -> str:
    """Likewise of bytea."""
    return "{" + ",".join(['"\\\\x' + one.hex() + '"' for one in given]) + "}"


def array_of_texts(given: Iterable[str]) -> str:
    """Likewise of texts."""
    return "{" + ",".join(map(_quoted, given)) + "}"


def _quoted(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return f'"{text}"'
