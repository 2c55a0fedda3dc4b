"""Tables for spreadsheets: CSV in which nothing that people wrote is run as a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    def write(self, line: str) -> str:
        return line


def lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Each row as a line, as it is read."""
    return _lines(rows, _FORMULA)


def reversible_lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """As `lines`, but text that begins with an apostrophe gets another, so that `unquoted` gives back every cell."""
    return _lines(rows, (*_FORMULA, "'"))


def unquoted(cell: str) -> str:
    """A cell of `reversible_lines` as it was."""
    return cell.removeprefix("'")


def _lines(rows: Iterable[Iterable[Any]], quoted: tuple[str, ...]) -> Iterator[str]:
    writer = csv.writer(_Line())
    for row in rows:
        yield writer.writerow([_cell(value, quoted) for value in row])


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return "".join(lines([header, *rows]))


def _cell(value: Any, quoted: tuple[str, ...]) -> Any:
    """The value; text that a spreadsheet would run, quoted."""
    return f"'{value}" if isinstance(value, str) and value.startswith(quoted) else value
