"""Files as rows: each reader yields RawRow in order, holding no more than a few rows in memory."""

from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import BinaryIO

from annotate.imports.files import comma_separated, json_lines, json_list, parquet
from annotate.imports.record import FileError, RawRow

Reader = Callable[[BinaryIO], Iterator[RawRow]]

READERS: dict[str, Reader] = {
    ".json": json_list.read,
    ".jsonl": json_lines.read,
    ".ndjson": json_lines.read,
    ".csv": comma_separated.read,
    ".tsv": comma_separated.read,
    ".parquet": parquet.read,
}


def reader_of(name: str) -> Reader:
    """
    Raises:
        FileError: no reader for a file of this name.
    """
    reader = READERS.get(PurePath(name).suffix.lower())
    if reader is None:
        raise FileError(f"{name}: what kind of file is this? Rename it to end in {', '.join(READERS)}.")
    return reader
