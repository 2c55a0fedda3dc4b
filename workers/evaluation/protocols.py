"""How often a judge is right: the protocols of reward benchmarks as arithmetic on arrays, one entry a row.

Labels are 1 (response 1 is better), -1 (response 2) and 0 (tie). A judge's verdict is one of these or FAILED: it was
asked and gave none that could be read. UNSUPPORTED rows are of a modality that it cannot see: they are no mistakes,
and a task that holds one is not a task that the judge supports.

Two protocols are published with OmniRewardBench (arXiv 2510.23451). *Without ties*: rows whose label is a tie are
left out. *With ties*: all rows, and a verdict must name the winner or the tie. A failure is wrong in both.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Verdicts = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]

FAILED, UNSUPPORTED = 2, 3


def with_ties(verdicts: Verdicts, labels: Verdicts) -> Floats:
    """1.0 where the verdict is the label."""
    return (verdicts == labels).astype(np.float64)


def without_ties(verdicts: Verdicts, labels: Verdicts) -> Floats:
    """1.0 where the verdict is the label, of rows that are decided; NaN where the label is a tie.

    Who calls a decided row a tie has not been made to choose: half right, as if a coin had chosen.
    """
    hits = np.where(verdicts == 0, 0.5, (verdicts == labels).astype(np.float64))
    return np.where(labels == 0, np.nan, hits)


def by_sign(margins: Floats) -> Verdicts:
    """The verdicts of margins that know no tie; a margin of exactly 0 does not choose."""
    return np.sign(margins).astype(np.int8)


def by_threshold(margins: Floats, threshold: npt.ArrayLike) -> Verdicts:
    """A tie where |margin| <= threshold, else the margin's sign. One threshold for all, or one a row."""
    return np.where(np.abs(margins) <= threshold, 0, np.sign(margins)).astype(np.int8)


def halves(groups: Sequence[str]) -> Flags:
    """A half of the groups, the same in every run and for every judge: True for rows of the first half.

    Groups are taken in turn, in the order of a hash of their name, so that halves differ by one group at most.
    """
    order = sorted(set(groups), key=lambda group: hashlib.sha256(group.encode()).digest())
    first = set(order[::2])
    return np.array([group in first for group in groups], dtype=np.bool_)


@dataclass(frozen=True)
class BothOrders:
    """What the two orders say together, row by row; NaN of rows that were not answered in both.

    `consistent`: the same response, or a tie, in both. `both_correct`: right in both. `leaning`: 1 where the reply
    chose what was shown first, -1 where second, 0 for a tie, averaged over the two orders: its mean is the position
    bias, from -1 to 1, and 0 of a judge who sees no order.
    """

    consistent: Floats
    both_correct: Floats
    leaning: Floats


def both_orders(forward: Verdicts, backward: Verdicts, labels: Verdicts) -> BothOrders:
    """Compare two verdicts a row: asked with response 1 first (forward) and with response 2 first (backward).

    Both name responses, not places: whoever asked has turned the second round.
    """
    answered = (np.abs(forward) <= 1) & (np.abs(backward) <= 1)
    asked = (forward != UNSUPPORTED) & (backward != UNSUPPORTED)

    def of(values: npt.NDArray[np.generic], rows: Flags) -> Floats:
        return np.where(rows, values.astype(np.float64), np.nan)

    return BothOrders(
        consistent=of(forward == backward, answered),
        both_correct=of((forward == labels) & (backward == labels), asked),
        leaning=of((forward.astype(np.float64) - backward) / 2, answered),
    )


def joined(forward: Verdicts, backward: Verdicts) -> Verdicts:
    """One verdict of two orders: what both say; a tie where they disagree. One failure leaves the other's verdict."""
    agreed = np.where(forward == backward, forward, 0)
    one = np.where(np.abs(forward) <= 1, forward, backward)
    both = (np.abs(forward) <= 1) & (np.abs(backward) <= 1)
    return np.where(both, agreed, one).astype(np.int8)


def supported_tasks(tasks: Sequence[str], verdicts: Verdicts) -> list[str]:
    """The tasks of which the judge can see every row, in the order in which they first stand there."""
    unseen = {task for task, verdict in zip(tasks, verdicts, strict=True) if verdict == UNSUPPORTED}
    return [task for task in dict.fromkeys(tasks) if task not in unseen]


def macro(by_task: Sequence[float | None]) -> float | None:
    """The unweighted mean of those tasks that have an accuracy: OmniRewardBench's "overall". None of none."""
    known = [value for value in by_task if value is not None]
    return sum(known) / len(known) if known else None
