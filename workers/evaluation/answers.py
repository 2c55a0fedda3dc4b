"""What a judge said of each row of a benchmark, whoever it is, and files of verdicts and scores as answers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotate.imports.files import json_lines
from annotate.imports.record import FileError
from workers.evaluation.protocols import FAILED, UNSUPPORTED
from workers.reward_models.base import Opinion, Without

LABELS = {"response1": 1, "response2": -1, "tie": 0}


class AnswersError(Exception):
    """A file of answers that does not fit the benchmark. The message names line and row."""


@dataclass(frozen=True, slots=True)
class Said:
    """One verdict on one row, naming responses (1, -1, 0), or why there is none."""

    verdict: int | None = None
    without: Without | None = None
    detail: str = ""
    rationale: str = ""

    @property
    def code(self) -> int:
        """The verdict as protocols.py counts it: an error is a failure, too."""
        if self.verdict is not None:
            return self.verdict
        return UNSUPPORTED if self.without == Without.UNSUPPORTED else FAILED

    @classmethod
    def of(cls, opinion: Opinion, *, turned: bool) -> "Said":
        """`turned`: it was shown response 2 first."""
        verdict = opinion.verdict if opinion.verdict is None or not turned else -opinion.verdict
        return cls(verdict, opinion.without, opinion.detail, opinion.rationale)


@dataclass(frozen=True, slots=True)
class Answer:
    """All that was said of one row.

    `with_ties` and `without_ties`: what a judge in words said that could call a tie, and that had to choose, by
    orders: response 1 first, then response 2 first. `margin`: a score's log-odds, or difference, that response 1 is
    better; `p_tie` where the judge gives one. Of each, what was not asked is empty.
    """

    with_ties: tuple[Said, ...] = ()
    without_ties: tuple[Said, ...] = ()
    margin: float | None = None
    p_tie: float | None = None
    without: Without | None = None
    detail: str = ""

    def problem(self) -> tuple[Without, str] | None:
        """Why something that was asked has no verdict, the gravest first; None where all has."""
        found = [
            (said.without, said.detail) for said in (*self.with_ties, *self.without_ties) if said.without
        ]
        if self.without:
            found.append((self.without, self.detail))
        order = (Without.UNSUPPORTED, Without.ERROR, Without.UNREADABLE)
        return min(found, key=lambda one: order.index(one[0])) if found else None


@dataclass(frozen=True)
class Answers:
    """A judge's answers to a whole benchmark, in its order; of one kind all.

    `kind`: "verdicts" (of a judge in words) or "scores". `about`: what is told of the judge in results. `tokens`:
    counted over all replies, and those paid for now.
    """

    kind: str
    title: str
    about: dict[str, Any]
    rows: list[Answer]
    tokens: dict[str, int] = field(default_factory=dict)
    cost: float | None = None
    spent: float | None = None


def verdicts_from(path: Path, labels: Mapping[str, int]) -> Answers:
    """A file of JSON lines: id and verdict (response1, response2, tie; null: none could be read; "unsupported").

    `labels`: of the benchmark's rows by id. Optional beside the verdict: `swapped`, what was said with response 2 shown first, naming responses all the same;
    `without_ties` and `without_ties_swapped`, what was said where no tie was offered; `rationale`.

    Raises:
        AnswersError: naming the line.
    """
    columns = ("verdict", "swapped", "without_ties", "without_ties_swapped")
    asked: set[str] = set()

    def read(values: Mapping[str, Any]) -> Answer:
        _known(values, {"id", "rationale", "detail", *columns})
        if "verdict" not in values and "without_ties" not in values:
            raise ValueError("has neither verdict nor without_ties")
        said = {name: _said(name, values) for name in columns if name in values}
        asked.update(said)
        for first, second in (columns[:2], columns[2:]):
            if second in said and first not in said:
                raise ValueError(f"has {second} without {first}")
        return Answer(
            tuple(said[name] for name in columns[:2] if name in said),
            tuple(said[name] for name in columns[2:] if name in said),
        )

    lines = _lines(path, labels, read)
    for row_id, (number, answer) in lines.items():
        given = len(answer.with_ties), len(answer.without_ties)
        has = (given[0] > 0, given[0] > 1, given[1] > 0, given[1] > 1)
        for name, there in zip(columns, has, strict=True):
            # Where no tie is offered, a row whose label is a tie need not be asked.
            if name in asked and not there and (labels[row_id] or not name.startswith("without")):
                raise AnswersError(
                    f"{path}, line {number} ({row_id!r:.120}): has no {name}, which other lines have."
                )
    return Answers("verdicts", path.stem, {"file": path.name}, [answer for _, answer in lines.values()])


def scores_from(path: Path, labels: Mapping[str, int]) -> Answers:
    """A file of JSON lines: id and margin (log-odds that response 1 is better), or score1 and score2.

    Optional beside a margin: `p_tie`, the probability of a tie. A margin of null: none was given; "unsupported": true.

    Raises:
        AnswersError: naming the line.
    """

    def read(values: Mapping[str, Any]) -> Answer:
        _known(values, {"id", "margin", "score1", "score2", "p_tie", "unsupported"})
        if values.get("unsupported") is True:
            return Answer(without=Without.UNSUPPORTED, detail="said by the file")
        if ("margin" in values) == ("score1" in values or "score2" in values):
            raise ValueError("must have either margin or score1 and score2")
        if "margin" in values and values["margin"] is None:
            return Answer(without=Without.UNREADABLE, detail="the file has no margin")
        if "margin" in values:
            margin = _number(values, "margin")
        else:
            margin = _number(values, "score1") - _number(values, "score2")
        p_tie = _number(values, "p_tie") if values.get("p_tie") is not None else None
        if p_tie is not None and not 0 <= p_tie <= 1:
            raise ValueError(f"p_tie is {p_tie:g}; must be from 0 to 1")
        return Answer(margin=margin, p_tie=p_tie)

    lines = _lines(path, labels, read)
    if len({answer.p_tie is None for _, answer in lines.values() if answer.margin is not None}) > 1:
        number = next(n for n, answer in lines.values() if answer.margin is not None and answer.p_tie is None)
        raise AnswersError(f"{path}, line {number}: has no p_tie, which other lines have.")
    return Answers("scores", path.stem, {"file": path.name}, [answer for _, answer in lines.values()])


def _lines(
    path: Path, labels: Mapping[str, int], read: Callable[[Mapping[str, Any]], Answer]
) -> dict[str, tuple[int, Answer]]:
    """(line, answer) of every row of the benchmark, in its order."""
    found: dict[str, tuple[int, Answer]] = {}
    try:
        with path.open("rb") as file:
            for raw in json_lines.read(file):
                where = f"{path}, line {raw.number}"
                if raw.problem:
                    raise AnswersError(f"{where}: {raw.problem}")
                row_id = raw.values.get("id")
                if not isinstance(row_id, str):
                    raise AnswersError(f"{where}: has no id: the id of a row of the benchmark, as text.")
                if row_id not in labels:
                    raise AnswersError(f"{where}: the benchmark has no row {row_id!r:.120}.")
                if row_id in found:
                    raise AnswersError(
                        f"{where}: row {row_id!r:.120} stands there twice, first in line {found[row_id][0]}."
                    )
                try:
                    found[row_id] = raw.number, read(raw.values)
                except ValueError as error:
                    raise AnswersError(f"{where} ({row_id!r:.120}): {error}.") from None
    except OSError as error:
        raise AnswersError(f"{path} cannot be read: {error.strerror}.") from None
    except FileError as error:
        raise AnswersError(f"{path}: {error}") from None
    if missing := [row_id for row_id in labels if row_id not in found]:
        raise AnswersError(
            f"{path} says nothing of {len(missing):,} of {len(labels):,} rows; the first is {missing[0]!r:.120}."
            " Where a judge gave nothing, say so with a verdict or margin of null."
        )
    return {row_id: found[row_id] for row_id in labels}


def _known(values: Mapping[str, Any], names: set[str]) -> None:
    if strange := sorted(values.keys() - names):
        raise ValueError(f"has {strange[0]!r:.60}, which is not known here: {', '.join(sorted(names))}")


def _said(name: str, values: Mapping[str, Any]) -> Said:
    value = values[name]
    rationale = values.get("rationale") or ""
    if value is None:
        return Said(None, Without.UNREADABLE, "the file has no verdict", str(rationale))
    if value == "unsupported":
        return Said(None, Without.UNSUPPORTED, "said by the file")
    if value not in LABELS or (value == "tie" and name.startswith("without")):
        offered = "response1 or response2" if name.startswith("without") else "response1, response2 or tie"
        raise ValueError(f"{name} is {value!r:.60}; must be {offered}, null or unsupported")
    return Said(LABELS[value], rationale=str(rationale))


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r:.60}; must be a finite number")
    return float(value)
