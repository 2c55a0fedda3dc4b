"""Comparisons by what was said of them: a million of them show a few hundred patterns of verdicts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from annotate.stats.estimates import Ints


class Patterns(NamedTuple):
    """`counts` (patterns, values): how many annotators gave each value; `times` (patterns,): to how many comparisons."""

    counts: Ints
    times: Ints

    @property
    def totals(self) -> Ints:
        """(patterns,) verdicts that each comparison of a pattern has."""
        return self.counts.sum(axis=1)

    def pairable(self) -> "Patterns":
        """Those with two verdicts or more: only these tell agreement."""
        kept = (self.totals > 1) & (self.times > 0)
        return Patterns(self.counts[kept], self.times[kept])

    def merged(self, into: ArrayLike, values: int) -> "Patterns":
        """Values put together: column v goes to column into[v] of so many."""
        target = np.asarray(into)
        counts = np.zeros((len(self.counts), values), dtype=np.int64)
        np.add.at(counts.T, target, self.counts.T)
        return gathered(counts, self.times)


def gathered(counts: ArrayLike, times: ArrayLike | None = None) -> Patterns:
    """Equal rows of counts (comparisons, values) put together; `times` of each if they are patterns already."""
    rows = np.asarray(counts, dtype=np.int64)
    of = np.ones(len(rows), dtype=np.int64) if times is None else np.asarray(times, dtype=np.int64)
    if not len(rows):
        return Patterns(rows, of)
    base = int(rows.max()) + 1
    if base ** rows.shape[1] >= 2**62:
        unique, place = np.unique(rows, axis=0, return_inverse=True)
        return Patterns(unique, np.bincount(place.ravel(), weights=of).astype(np.int64))
    # As one number each they are sorted far sooner than as rows.
    digits = base ** np.arange(rows.shape[1], dtype=np.int64)
    _, first, place = np.unique(rows @ digits, return_index=True, return_inverse=True)
    return Patterns(rows[first], np.bincount(place, weights=of).astype(np.int64))


def counted(units: Ints, values: Ints, n_units: int, n_values: int) -> Ints:
    """(units, values) how often each value was given to each unit, from one row a verdict."""
    flat = np.bincount(units * n_values + values, minlength=n_units * n_values)
    return flat.reshape(n_units, n_values)
