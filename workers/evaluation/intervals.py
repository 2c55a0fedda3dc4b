"""Bootstrap intervals and tests in which a prompt's rows stay together: comparisons of one prompt are not independent.

Prompt groups are drawn anew within each task, so that every resample has every task; a task's figure is the mean over
the rows drawn, macro the mean of the tasks' figures, micro the mean over all rows drawn. One seed draws the same
groups for every figure of the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from workers.evaluation.protocols import Floats

ROUNDS = 2000
FLIPS = 10_000
_AT_ONCE = 2_000_000  # numbers of one matrix of rounds x groups


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean with its 95 % interval over `n` rows of `groups` prompt groups."""

    value: float
    low: float
    high: float
    n: int
    groups: int

    def as_json(self) -> dict[str, float | int]:
        return {
            "value": round(self.value, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "n": self.n,
            "groups": self.groups,
        }


@dataclass(frozen=True)
class Figures:
    """By task, and over tasks; None where nothing was counted. `macro`'s n counts tasks' rows, as micro's does."""

    tasks: dict[str, Figure]
    macro: Figure | None
    micro: Figure | None


@dataclass(frozen=True)
class _Task:
    """A task's rows gathered by group: sums of what is averaged, and how many rows."""

    sums: Floats
    counts: Floats


def _gathered(values: Floats, tasks: Sequence[str], groups: Sequence[str]) -> dict[str, _Task]:
    """NaN is no row."""
    rows: dict[str, list[int]] = {}
    for place, (task, value) in enumerate(zip(tasks, values, strict=True)):
        if not np.isnan(value):
            rows.setdefault(task, []).append(place)
    found = {}
    for task, places in rows.items():
        number = {name: n for n, name in enumerate(dict.fromkeys(groups[place] for place in places))}
        at = np.array([number[groups[place]] for place in places])
        found[task] = _Task(
            np.bincount(at, weights=values[places]).astype(np.float64), np.bincount(at).astype(np.float64)
        )
    return found


def figures(
    values: Floats, tasks: Sequence[str], groups: Sequence[str], *, rounds: int = ROUNDS, seed: int = 0
) -> Figures:
    """Means of `values` (NaN: not counted) with percentile bootstrap intervals, which the means lie in."""
    gathered = _gathered(values, tasks, groups)
    if not gathered:
        return Figures({}, None, None)
    drawn = {task: _drawn(one, rounds, [seed, crc32(task.encode())]) for task, one in gathered.items()}
    found = {
        task: _figure(one.sums.sum() / one.counts.sum(), drawn[task][0] / drawn[task][1], [one])
        for task, one in gathered.items()
    }
    every = list(gathered.values())
    means = np.mean([sums / counts for sums, counts in drawn.values()], axis=0)
    whole = np.sum([sums for sums, _ in drawn.values()], axis=0) / np.sum(
        [counts for _, counts in drawn.values()], axis=0
    )
    return Figures(
        found,
        _figure(float(np.mean([figure.value for figure in found.values()])), means, every),
        _figure(sum(one.sums.sum() for one in every) / sum(one.counts.sum() for one in every), whole, every),
    )


def _drawn(task: _Task, rounds: int, seed: list[int]) -> tuple[Floats, Floats]:
    """Sums and counts of each resample, shape (rounds,) each."""
    size = len(task.sums)
    rng = np.random.default_rng(seed)
    sums, counts = np.empty(rounds), np.empty(rounds)
    step = max(1, _AT_ONCE // size)
    for start in range(0, rounds, step):
        places = rng.integers(size, size=(min(step, rounds - start), size))
        sums[start : start + step] = task.sums[places].sum(axis=1)
        counts[start : start + step] = task.counts[places].sum(axis=1)
    return sums, counts


def _figure(value: float, resampled: Floats, of: Sequence[_Task]) -> Figure:
    low, high = np.quantile(resampled, (0.025, 0.975))
    n = int(sum(one.counts.sum() for one in of))
    return Figure(
        float(value), min(float(low), value), max(float(high), value), n, sum(len(one.sums) for one in of)
    )


@dataclass(frozen=True)
class Paired:
    """By how much one judge is right more often than another on the same rows, and how likely that is by chance.

    `p` is two-sided: in how many of the ways to exchange the two judges, prompt group by prompt group, the difference
    would be as large or larger.
    """

    differences: Figures
    p_macro: float | None
    p_micro: float | None


def paired(
    hits: Floats,
    others: Floats,
    tasks: Sequence[str],
    groups: Sequence[str],
    *,
    rounds: int = ROUNDS,
    flips: int = FLIPS,
    seed: int = 0,
) -> Paired:
    """Compare two judges on the rows that both were asked (NaN of either: not counted)."""
    differences = hits - others
    found = figures(differences, tasks, groups, rounds=rounds, seed=seed)
    gathered = _gathered(differences, tasks, groups)
    if not gathered:
        return Paired(found, None, None)
    of_tasks = len(gathered)
    macro = np.concatenate([one.sums / (one.counts.sum() * of_tasks) for one in gathered.values()])
    micro = np.concatenate([one.sums for one in gathered.values()])
    return Paired(found, _by_chance(macro, flips, seed), _by_chance(micro, flips, seed))


def _by_chance(parts: Floats, flips: int, seed: int) -> float:
    """The share of sign flips whose sum is at least as far from 0 as that of `parts`, the unflipped one included."""
    parts = parts[parts != 0]
    seen = abs(parts.sum())
    if not len(parts):
        return 1.0
    rng = np.random.default_rng(seed)
    as_far = 0
    step = max(1, _AT_ONCE // len(parts))
    for start in range(0, flips, step):
        signs = rng.integers(2, size=(min(step, flips - start), len(parts)), dtype=np.int8) * 2 - 1
        # Sums of equal parts in another order differ in their last digits.
        as_far += int((np.abs(signs @ parts) >= seen * (1 - 1e-12)).sum())
    return (as_far + 1) / (flips + 1)
