"""Splits without leaks: rows that share anything stand on one side, and each side has its share of every stratum.

What rows share is given as links: two arrays of the same length, the number of a row and the number of something that
it holds (its prompt, a medium, a group of near-duplicates). Rows that hold the same thing belong together.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def behind(rank: Numbers, row: Numbers, part: Numbers) -> NDArray[np.bool_]:
    """(rows,): whether a row holds something that a row of a lower rank holds too.

    Args:
        rank: (rows,) of the side that each row stands on already: 0 is never taken from.
        row, part: the links.
    """
    found = np.zeros(len(rank), dtype=bool)
    if len(row):
        _, of = np.unique(part, return_inverse=True)
        first = np.full(of.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(first, of, rank[row])
        found[row[first[of] < rank[row]]] = True
    return found


def components(rows: int, row: Numbers, part: Numbers) -> Numbers:
    """(rows,): what each row hangs together with through any chain of links, named by its first row."""
    root = np.arange(rows)
    if not len(row):
        return root
    _, of = np.unique(part, return_inverse=True)
    while True:
        least = np.full(of.max() + 1, rows)
        np.minimum.at(least, of, root[row])
        new = root.copy()
        np.minimum.at(new, row, least[of])
        # A whole component takes over what one of its rows has learned, and chains of names are cut short.
        np.minimum.at(new, root, new)
        new = new[new]
        if (new == root).all():
            return root
        root = new


def assign(
    component: Numbers,
    key: NDArray[np.uint64],
    weights: Numbers,
    shares: NDArray[np.float64],
    first: NDArray[np.bool_] | None = None,
) -> Numbers:
    """(rows,): the side of each row, whole components together.

    The largest components go first, each to the side that lacks most of what it holds: iterative stratification
    (Sechidis, Tsoumakas and Vlahavas, On the stratification of multi-label data, 2011) over components instead of
    examples. Where components are single rows of one stratum, every side has its share to within one row.

    Args:
        component: (rows,) as `components` gives it.
        key: (rows,) a number made from each row's name: with it the order of the rows plays no part.
        weights: (rows, strata) how much of each stratum a row holds.
        shares: (sides,) that add up to 1.
        first: (rows,) rows whose component must stand on side 0.
    """
    _, of = np.unique(component, return_inverse=True)
    count = int(of.max()) + 1 if len(of) else 0
    held = np.zeros((count, weights.shape[1]), dtype=np.int64)
    np.add.at(held, of, weights)
    name = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(name, of, key)
    fixed = np.zeros(count, dtype=bool)
    if first is not None:
        fixed[of[first]] = True
    lacking = shares[:, None] * held.sum(axis=0)[None, :]
    lacking[0] -= held[fixed].sum(axis=0)
    side = np.zeros(count, dtype=np.int64)
    for one in np.lexsort((name, -held.sum(axis=1))).tolist():
        if not fixed[one]:
            # What holds nothing lacks nowhere: it goes to the last side.
            wanted = lacking @ held[one]
            side[one] = int(np.argmax(wanted)) if held[one].any() else len(shares) - 1
            lacking[side[one]] -= held[one]
    return side[of]
