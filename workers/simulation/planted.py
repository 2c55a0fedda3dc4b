"""Pairs whose right answers are known, since they were planted: scenes told in words, as the demo has them, in any number."""

import json
from pathlib import Path
from typing import Any

from annotate.demo.plan import PlannedPair, scenes
from annotate.demo.rules import Asked, chance

# One label in so many is wrong, as people's are.
_WRONG = 20
_ANNOTATOR = "planted"
_OPPOSITE = {"response1": "response2", "response2": "response1"}


def write_rows(to: Path, count: int) -> None:
    """Write `to`, a row of Evenhand's own layout for each of so many pairs, with what is right under each criterion. A file
    that says so already stays as it is: what was played of it can be gone on with."""
    text = "".join(json.dumps(_row(pair), ensure_ascii=False) + "\n" for pair in scenes(count))
    to.parent.mkdir(parents=True, exist_ok=True)
    if not to.exists() or to.read_text() != text:
        to.write_text(text)


def _row(pair: PlannedPair) -> dict[str, Any]:
    criteria = [
        {"text": asked.text, "judgments": [{"annotator": _ANNOTATOR, "verdict": _verdict(pair, asked)}]}
        for asked in pair.asked
    ]
    return pair.row() | {"criteria": criteria}


def _verdict(pair: PlannedPair, asked: Asked) -> str:
    """Whichever has more of what is asked for; a tie where neither has."""
    first, second = (asked.score(answer.traits) for answer in pair.answers)
    if first == second:
        return "tie"
    better = "response1" if first > second else "response2"
    wrong = chance("planted", pair.name, asked.text).randrange(_WRONG) == 0
    return _OPPOSITE[better] if wrong else better
