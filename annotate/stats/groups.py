"""Do groups of annotators judge differently? How often two of different groups disagree, beside two of the same group.

On each unit (a comparison) there are pairs of annotators of different groups, `between` of them, and of the same group,
`within`; so many of them disagree. A unit has the weight between * within / (between + within), as in Mantel and
Haenszel's (1959) risk difference, and the effect is the weighted mean of

    share of the pairs between that disagree - share of the pairs within that disagree.

Stratified so, it compares pairs on one and the same unit: units that are harder for everybody do not count as a
difference of groups, and units without both kinds of pairs tell nothing.

The test asks whether the groups might as well have been dealt out among the annotators by chance: its statistic is the
effect's numerator, its distribution that under all ways (or many drawn ones) to deal the same groups out among the same
annotators. It permutes annotators, not verdicts: that one of them has a taste of their own is no difference of groups.
On a single unit with two equally large groups and two values it is Fisher's exact test.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from annotate.stats.estimates import Estimate, Floats, Ints, bootstrapped, undefined
from annotate.stats.patterns import gathered

EXACT = 20_000  # ways to deal the groups out up to which all of them are looked at
ROUNDS = 1_999  # that are drawn else,
MORE_ROUNDS = 19_999  # and where it may be a matter of thousandths
_CLOSE = 0.01
_SAME = 1e-9  # two sums that differ by rounding alone are the same
_CELLS = 4_000_000  # of labels that are held at once


@dataclass(frozen=True, slots=True)
class Difference:
    """`p`: the probability of a numerator as large as this under chance; `exact`: of all ways, not of drawn ones."""

    effect: Estimate
    p: float | None
    exact: bool
    why: str = ""


def homogeneity(units: Ints, raters: Ints, values: Ints, group_of: Ints, *, seed: int = 0) -> Difference:
    """Test whether groups of annotators judge alike, and say by how much they do not.

    Args:
        units, raters, values: (verdicts,) a rater has one verdict on a unit at most.
        group_of: (raters,) the group of each, counted from 0.

    The same verdicts give the same result: the seed is fixed.
    """
    if len(np.unique(group_of)) < 2:
        return Difference(
            undefined("There are no two groups to compare."), None, False, "There are no two groups."
        )
    first, second, differ, unit, weight = _pairs(units, raters, values)
    effect = _effect(unit, differ, group_of[first] != group_of[second])
    if effect.value is None:
        return Difference(effect, None, False, effect.why)
    matrix = _excess(first, second, differ, weight, len(group_of))
    p, exact = _p_value(matrix, group_of, seed)
    return Difference(effect, p, exact)


def _pairs(units: Ints, raters: Ints, values: Ints) -> tuple[Ints, Ints, Ints, Ints, Floats]:
    """Every two verdicts on one unit: their raters, whether they differ, the unit (numbered from 0), and the share of
    that unit's pairs that differ."""
    order = np.argsort(units, kind="stable")
    unit, rater, value = np.unique(units[order], return_inverse=True)[1], raters[order], values[order]
    most = int(np.bincount(unit).max()) if len(unit) else 0
    lows = []
    for step in range(1, most):  # the one after, the one after that ...
        low = np.flatnonzero(unit[:-step] == unit[step:])
        lows.append(np.stack([low, low + step]))
    low, high = np.concatenate(lows, axis=1) if lows else np.empty((2, 0), dtype=np.int64)
    differ = (value[low] != value[high]).astype(np.int64)
    of = unit[low]
    n = int(unit.max(initial=-1)) + 1
    share = np.bincount(of, weights=differ, minlength=n) / np.maximum(np.bincount(of, minlength=n), 1)
    return rater[low], rater[high], differ, of, share[of]


def _effect(unit: Ints, differ: Ints, between: Ints) -> Estimate:
    """The Mantel-Haenszel difference with its bootstrap interval over units."""
    n = int(unit.max(initial=-1)) + 1
    cells = np.bincount(unit * 4 + between * 2 + differ, minlength=4 * n).reshape(n, 4)
    rows, times = gathered(cells)
    within, apart = rows[:, 0] + rows[:, 1], rows[:, 2] + rows[:, 3]
    tells = (within > 0) & (apart > 0)
    why = "No comparison was judged by two of one group and by one of another."
    if not tells.any():
        return undefined(why)
    rows, times, within, apart = rows[tells], times[tells], within[tells], apart[tells]
    weight = within * apart / (within + apart)
    difference = rows[:, 3] / apart - rows[:, 1] / within

    def mean(weights: Floats) -> Floats:
        found: Floats = (weights @ (weight * difference)) / (weights @ weight)
        return found

    return bootstrapped(times, mean, why=why)


def _excess(first: Ints, second: Ints, differ: Ints, share: Floats, raters: int) -> Floats:
    """(raters, raters) by how much every two disagree more often than is usual on the units they share."""
    flat = np.bincount(first * raters + second, weights=differ - share, minlength=raters**2)
    matrix = flat.reshape(raters, raters)
    return np.asarray(matrix + matrix.T, dtype=np.float64)


def _numerators(matrix: Floats, labels: Ints, groups: int) -> Floats:
    """(rounds,) the effect's numerator for each row of labels (rounds, raters).

    On each unit the excess over all pairs is 0, so that between groups is what within them is, with the other sign.
    """
    inside = np.zeros(len(labels))
    for group in range(groups):
        member = (labels == group).astype(np.float64)
        inside += ((member @ matrix) * member).sum(axis=1)
    return -inside / 2


def _p_value(matrix: Floats, group_of: Ints, seed: int) -> tuple[float, bool]:
    groups = int(group_of.max()) + 1
    seen = float(_numerators(matrix, group_of[None, :], groups)[0]) - _SAME * max(
        1.0, float(np.abs(matrix).sum())
    )
    sizes = tuple(np.bincount(group_of, minlength=groups).tolist())
    if _ways(sizes) <= EXACT:
        return float((_numerators(matrix, deals(sizes), groups) >= seen).mean()), True
    p = _drawn(matrix, group_of, groups, seen, ROUNDS, seed)
    if p <= _CLOSE:
        p = _drawn(matrix, group_of, groups, seen, MORE_ROUNDS, seed)
    return p, False


def _drawn(matrix: Floats, group_of: Ints, groups: int, seen: float, rounds: int, seed: int) -> float:
    """That it stands among the drawn ones itself keeps it from being 0 (Phipson and Smyth, 2010)."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // max(len(group_of), 1))
    as_large, left = 0, rounds
    while left:
        some = min(left, at_once)
        labels = rng.permuted(np.tile(group_of, (some, 1)), axis=1)
        as_large += int((_numerators(matrix, labels, groups) >= seen).sum())
        left -= some
    return (as_large + 1) / (rounds + 1)


def _ways(sizes: tuple[int, ...]) -> float:
    """How many ways there are to deal groups of these sizes out."""
    ways, left = 1.0, sum(sizes)
    for size in sizes:
        for n in range(size):
            ways *= (left - n) / (n + 1)
        left -= size
    return round(ways) if ways < 2**53 else ways


@cache
def deals(sizes: tuple[int, ...]) -> Ints:
    """(ways, annotators) every way to deal groups of these sizes out."""
    n = sum(sizes)
    rows = [np.full(n, len(sizes) - 1, dtype=np.int64)]
    for group, size in enumerate(sizes[:-1]):
        dealt = []
        for row in rows:
            free = np.flatnonzero(row == len(sizes) - 1)
            for chosen in combinations(free.tolist(), size):
                fresh = row.copy()
                fresh[list(chosen)] = group
                dealt.append(fresh)
        rows = dealt
    return np.array(rows)


@cache
def table_p(table: tuple[tuple[int, ...], ...]) -> float | None:
    """The test on a single unit, from how many of each group (rows) gave each value (columns).

    None where it cannot tell: no two groups, or no two of one group.
    """
    counts = np.array(table)
    counts = counts[counts.sum(axis=1) > 0]
    group_of = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
    values = (
        np.concatenate([np.repeat(np.arange(counts.shape[1]), row) for row in counts])
        if len(counts)
        else counts
    )
    found = homogeneity(np.zeros(len(values), dtype=np.int64), np.arange(len(values)), values, group_of)
    return found.p


def adjusted(p: Floats) -> Floats:
    """Benjamini and Hochberg's (1995) adjusted p values: those up to q are a set of which q are expected to be false."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty_like(p)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return found
