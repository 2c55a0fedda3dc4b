"""A JSON file that is one list of rows. Read in pieces: the list is never in memory as a whole."""

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from annotate.imports.files import json_lines
from annotate.imports.files.strict_json import MAX_ROW, StrictDecoder, refuse_utf16
from annotate.imports.record import FileError, RawRow, RowError

_PIECE = 1024 * 1024
_SPACE = " \t\r\n"


class _Window:
    """The part of the file that is being read, as text."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self.text = ""
        self.at = 0
        self.ended = False

    def more(self) -> bool:
        """Read on, as much again as is waiting, so that one long row is not decoded over and over."""
        if self.ended:
            return False
        waiting = self.text[self.at :]
        piece = self._file.read(max(_PIECE, len(waiting)))
        self.ended = not piece
        self.text = waiting + self._decode.decode(piece, final=self.ended)
        self.at = 0
        return True

    def peek(self) -> str:
        """The next character that is not white space, "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""


def read(file: BinaryIO) -> Iterator[RawRow]:
    """Rows are numbered from 1. A file that begins with an object instead is read as JSON lines.

    Raises:
        FileError: the list is broken; what comes after that place cannot be told apart.
    """
    head = file.read(4)
    file.seek(0)
    try:
        refuse_utf16(head)
    except RowError as error:
        raise FileError(f"the file {error.problem}") from None
    if head.startswith(codecs.BOM_UTF8):
        file.seek(len(codecs.BOM_UTF8))
    window = _Window(file)
    number = 0
    try:
        first = window.peek()
        if first == "{":
            file.seek(0)
            yield from json_lines.read(file)
            return
        if first != "[":
            raise FileError("the file must be a list of rows: [ {...}, {...} ].")
        window.at += 1
        if window.peek() == "]":
            window.at += 1
        else:
            decoder = StrictDecoder()
            while True:
                number += 1
                yield _row(number, _value(window, decoder, number), decoder.problem)
                after = window.peek()
                window.at += 1
                if after == "]":
                    break
                if after != ",":
                    what = f"{after!r} follows it" if after else "the file ends"
                    raise FileError(f"row {number}: expected a comma or the end of the list, but {what}.")
                window.peek()
        if window.peek():
            raise FileError(f"row {number}: something follows the end of the list. One list a file.")
    except UnicodeDecodeError as error:
        raise FileError(f"row {number + 1}: not UTF-8 ({error.reason}). Save the file as UTF-8.") from None


def _value(window: _Window, decoder: StrictDecoder, number: int) -> Any:
    while True:
        try:
            value, end = decoder.decode(window.text, window.at)
        except json.JSONDecodeError as error:
            if len(window.text) - window.at > MAX_ROW:
                raise FileError(
                    f"row {number} is larger than {MAX_ROW // 2**20} MB, or never ends."
                ) from None
            if window.more():
                continue
            raise FileError(f"row {number} is not JSON: {error.msg}.") from None
        except RowError as error:
            raise FileError(f"row {number} {error.problem}") from None
        # A number at the edge of the window may go on beyond it.
        if end == len(window.text) and not isinstance(value, (dict, list, str)) and window.more():
            continue
        window.at = end
        return value


def _row(number: int, value: Any, problem: RowError | None) -> RawRow:
    if not isinstance(value, dict):
        return RawRow(number, {}, problem or RowError("", "must be an object: { ... }."))
    return RawRow(number, value, problem)
