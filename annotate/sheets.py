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
    writer = csv.writer(_Line())
    for row in rows:
        yield writer.writerow([_cell(value) for value in row])


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return "".join(lines([header, *rows]))


def _cell(value: Any) -> Any:
    """The value; text that a spreadsheet would run, quoted."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
