"""JSON without what Python lets through: NaN, infinities, duplicate keys. A row that has them is still told apart."""

import json
import math
from typing import Any

from annotate.imports.record import RowError

MAX_DIGITS = 1000
MAX_ROW = 64 * 1024 * 1024  # bytes of one row


class StrictDecoder:
    """Decodes one value at a time; `problem` is the first thing wrong with the value decoded last."""

    def __init__(self) -> None:
        self.problem: RowError | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_float=self._float,
            parse_int=self._int,
        )

    def decode(self, text: str, start: int = 0) -> tuple[Any, int]:
        """The value that begins at `start` and the index after it.

        Raises:
            json.JSONDecodeError: not JSON, or not complete.
            RowError: nested too deep.
        """
        self.problem = None
        try:
            return self._decoder.raw_decode(text, start)
        except RecursionError:
            raise RowError("", "is nested too deep: flatten it.") from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            self._note(RowError(str(twice)[:200], "stands twice in one object: keep one of them."))
        return made

    def _constant(self, name: str) -> None:
        self._note(RowError("", f"holds {name}, which is not JSON: write null or a number."))

    def _float(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self._note(RowError("", f"holds the number {digits[:40]}, which is too large."))
            return 0.0
        return number

    def _int(self, digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            self._note(
                RowError("", f"holds a number of {len(digits):,} digits; at most {MAX_DIGITS} are taken.")
            )
            return 0
        return int(digits)

    def _note(self, problem: RowError) -> None:
        self.problem = self.problem or problem


def refuse_utf16(head: bytes) -> None:
    """
    Raises:
        RowError: the file begins as UTF-16 or UTF-32 does.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[:4] == b"\0\0\xfe\xff":
        raise RowError("", "is UTF-16 or UTF-32: save the file as UTF-8.")
    return None
