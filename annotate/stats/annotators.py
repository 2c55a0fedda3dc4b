"""One annotator beside the others: how often they agree, which side they lean to, whether they repeat themselves."""

import numpy as np

from annotate.stats.estimates import Estimate, Floats, Ints, bootstrapped, share, undefined
from annotate.stats.patterns import gathered


def agreement_with_others(said: Ints, of: Ints, *, rounds: int = 400) -> Estimate:
    """The mean share of others who gave the same verdict on the same comparison.

    Args:
        said: (verdicts,) how many of a comparison's verdicts are the annotator's, their own among them.
        of: (verdicts,) how many verdicts it has.
    """
    shared = of > 1
    rows, times = gathered(np.stack([said[shared] - 1, of[shared] - 1], axis=1))
    shares = rows[:, 0] / np.maximum(rows[:, 1], 1)

    def mean(weights: Floats) -> Floats:
        found: Floats = (weights @ shares) / weights.sum(axis=1)
        return found

    return bootstrapped(times, mean, why="Nobody else judged the same.", rounds=rounds)


def pair_tables(
    units: Ints, raters: Ints, values: Ints, chosen: list[int], n_values: int
) -> dict[tuple[int, int], Ints]:
    """For each two of the chosen raters, (values, values) how often the first said the row and the second the column.

    A unit has one verdict of a rater at most. Pairs that judged nothing in common are left out.
    """
    last = int(units.max()) + 1 if len(units) else 0
    said = np.full((len(chosen), last), -1, dtype=np.int8)
    for place, rater in enumerate(chosen):
        mine = raters == rater
        said[place, units[mine]] = values[mine]
    tables: dict[tuple[int, int], Ints] = {}
    for i in range(len(chosen)):
        for j in range(i + 1, len(chosen)):
            both = (said[i] >= 0) & (said[j] >= 0)
            if both.any():
                cells = said[i, both].astype(np.int64) * n_values + said[j, both]
                table = np.bincount(cells, minlength=n_values**2).reshape(n_values, n_values)
                tables[chosen[i], chosen[j]] = table
    return tables


ENOUGH = 5  # answers of a kind, below which a share tells nothing of anybody


def enough(n: int, what: str) -> str:
    """Why a figure of `n` such answers is not told; empty where there are enough."""
    if n >= ENOUGH:
        return ""
    return f"Fewer than {ENOUGH} {what} ({n})." if n else "None yet."


def same_again(first: Ints, again: Ints) -> Estimate:
    """The share of repeats that were answered as the first time, with Wilson's interval.

    Args:
        first, again: (repeats,) places in USABLE of what one annotator said at first, and of the same comparison again.
    """
    if why := enough(len(first), "answers to what was asked again"):
        return undefined(why)
    return share(int((first == again).sum()), len(first))


def left_again(first: Ints, again: Ints, flip: Ints) -> Estimate:
    """The share of preferences for what stood left, over repeats that were answered by a preference both times.

    Each comparison was seen from both sides, so that without a habit the share is a half whatever the responses are:
    who always says left has 1, always right 0, always the same response one half. Wilson's interval over repeats, of
    which one with two different answers counts as a half: it is a little too wide for those, never too narrow.

    Args:
        flip: (repeats,) 1 where response 2 stood left at first; it stood right then when asked again.
    """
    both = (first < 2) & (again < 2)
    if why := enough(int(both.sum()), "repeats answered by a preference both times"):
        return undefined(why)
    left = (first == flip).astype(np.int64) + (again == 1 - flip)
    return share(float(left[both].sum() / 2), int(both.sum()))


def accuracy(right: Ints) -> Estimate:
    """The share of answers that are the known ones, with Wilson's interval.

    Args:
        right: (answers,) 1 where the verdict is the known one. Verdicts that are no opinion are not among them.
    """
    if why := enough(len(right), "verdicts on what has a known answer"):
        return undefined(why)
    return share(int(right.sum()), len(right))
