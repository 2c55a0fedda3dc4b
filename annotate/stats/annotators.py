"""One annotator beside the others: how often they agree, which side they lean to, whether they repeat themselves."""

import numpy as np
from numpy.typing import NDArray

from annotate.stats.estimates import Estimate, Floats, Ints, bootstrapped
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


def same_again(
    units: Ints, raters: Ints, values: Ints, again: NDArray[np.bool_]
) -> tuple[Ints, NDArray[np.bool_]]:
    """Who was asked again, and whether they said the same: (asked again,) raters, and same or not.

    Args:
        again: (verdicts,) which rows are repeats; the first answer of the same rater on the same unit is another row.
    """
    key = units * (int(raters.max(initial=0)) + 1) + raters
    order = np.argsort(key[~again], kind="stable")
    first_keys, first_values = key[~again][order], values[~again][order]
    place = np.searchsorted(first_keys, key[again])
    known = place < len(first_keys)
    known[known] = first_keys[place[known]] == key[again][known]
    same = first_values[place[known]] == values[again][known]
    return raters[again][known], same
