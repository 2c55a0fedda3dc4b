"""JSON lines: one object a line. A line that is broken does not spoil the others."""

import codecs
import json
from collections.abc import Iterator
from typing import BinaryIO

from annotate.imports.files.strict_json import MAX_ROW, StrictDecoder, refuse_utf16
from annotate.imports.record import FileError, RawRow, RowError


def read(file: BinaryIO) -> Iterator[RawRow]:
    """Rows are numbered by line, from 1; blank lines are passed over.

    Raises:
        FileError: a line without end, or a file in UTF-16.
    """
    decoder = StrictDecoder()
    number = 0
    while line := file.readline(MAX_ROW + 1):
        number += 1
        if number == 1:
            try:
                refuse_utf16(line)
            except RowError as error:
                raise FileError(f"the file {error.problem}") from None
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) > MAX_ROW:
            raise FileError(
                f"line {number}: longer than {MAX_ROW // 2**20} MB. Is this a file of JSON lines?"
            )
        if line.strip():
            yield _row(decoder, number, line)


def _row(decoder: StrictDecoder, number: int, line: bytes) -> RawRow:
    try:
        text = line.decode().strip()
        value, end = decoder.decode(text)
        if text[end:].strip():
            return RawRow(number, {}, RowError("", "holds more than one object: one a line."))
    except UnicodeDecodeError as error:
        return RawRow(number, {}, RowError("", f"is not UTF-8 at byte {error.start + 1}: save it as UTF-8."))
    except json.JSONDecodeError as error:
        return RawRow(number, {}, RowError("", f"is not JSON at character {error.pos + 1}: {error.msg}."))
    except RowError as error:
        return RawRow(number, {}, error)
    if not isinstance(value, dict):
        return RawRow(number, {}, decoder.problem or RowError("", "must be an object: { ... }."))
    return RawRow(number, value, decoder.problem)
