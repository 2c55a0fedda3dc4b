"""Kept evaluations as boards: of each benchmark the judges, by each protocol, task by task."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotate.models import Evaluation, Project

PROTOCOLS = {"without_ties": "Without ties", "with_ties": "With ties"}
_SHOWN = 200  # evaluations


@dataclass(frozen=True)
class Cell:
    """An accuracy with its 95 % interval; `value` None: the judge does not support the task."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One judge under one protocol. `way`: how its verdicts were called; `missing`: verdicts that it did not give."""

    evaluation: Evaluation
    way: str
    macro: Cell
    micro: Cell
    tasks: list[Cell]
    missing: int


@dataclass(frozen=True)
class Board:
    """One benchmark under one protocol: who supports more tasks first, and of these who is right more often."""

    bench: str
    digest: str
    protocol: str
    tasks: list[str]
    lines: list[Line]

    @property
    def title(self) -> str:
        return PROTOCOLS[self.protocol]


def boards(project: Project) -> list[list[Board]]:
    """By benchmark, the one judged last first, a board for each protocol. Of one judge's revision the newest counts."""
    newest: dict[tuple[str, str, str], Evaluation] = {}
    for evaluation in Evaluation.objects.filter(project=project).order_by("-judged_at", "-pk")[:_SHOWN]:
        newest.setdefault((evaluation.digest, evaluation.judge, evaluation.revision), evaluation)
    by_bench: dict[str, list[Evaluation]] = {}
    for evaluation in newest.values():
        by_bench.setdefault(evaluation.digest, []).append(evaluation)
    return [[_board(protocol, together) for protocol in PROTOCOLS] for together in by_bench.values()]


def _board(protocol: str, evaluations: list[Evaluation]) -> Board:
    tasks = evaluations[0].content["tasks"]
    lines = [line for one in evaluations if (line := _line(one, protocol, tasks))]
    # A mean over fewer tasks is a mean over other tasks: it does not rank among the others.
    lines.sort(
        key=lambda line: (-sum(cell.value is not None for cell in line.tasks), -(line.macro.value or 0))
    )
    return Board(evaluations[0].bench, evaluations[0].digest, protocol, tasks, lines)


def _line(evaluation: Evaluation, protocol: str, tasks: list[str]) -> Line | None:
    found = evaluation.content["accuracy"].get(protocol) or {}
    way = found.get("headline")
    if not way:
        return None
    figures, counts = found["ways"][way], evaluation.content["counts"]["all"]
    return Line(
        evaluation,
        way,
        _cell(figures["macro"]),
        _cell(figures["micro"]),
        [_cell(figures["tasks"].get(task)) for task in tasks],
        counts["unreadable"] + counts["error"],
    )


def _cell(figure: dict[str, Any] | None) -> Cell:
    return Cell(figure["value"], figure["low"], figure["high"]) if figure else Cell()


HEADER = [
    "benchmark",
    "digest",
    "judge",
    "revision",
    "judged at",
    "protocol",
    "verdicts by",
    "task",
    "accuracy",
    "low",
    "high",
]


def rows(project: Project) -> Iterator[list[Any]]:
    """Every cell of every board, for a spreadsheet; an empty accuracy is of a task that is not supported."""
    for board in (board for together in boards(project) for board in together):
        for line in board.lines:
            one = line.evaluation
            for task, cell in (
                ("macro", line.macro),
                ("micro", line.micro),
                *zip(board.tasks, line.tasks, strict=True),
            ):
                yield [
                    board.bench,
                    board.digest,
                    one.judge,
                    one.revision,
                    one.judged_at.isoformat(),
                    board.title,
                    line.way,
                    task,
                    cell.value,
                    cell.low,
                    cell.high,
                ]
