"""Vectors that are near each other, among many: every pair is compared, block by block, so that none is missed.

n vectors of width d cost n^2 d / 2 products and memory for two blocks and one number a row, however many are near.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4096  # rows: 64 MiB of cosines at a time


def near_groups(
    vectors: NDArray[np.floating], least: float, tell: Callable[[int], None] = lambda rows: None
) -> NDArray[np.int64]:
    """(rows,): by what chain of cosines of `least` or more each row hangs together, named by its first row.

    Args:
        vectors: (rows, width), of length 1; may lie on disk. Zero vectors are near nothing.
        tell: is given how many rows were compared with all before them.
    """
    root = np.arange(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        rows = np.asarray(vectors[start : start + _BLOCK], dtype=np.float32)
        for before in range(0, start + 1, _BLOCK):
            others = np.asarray(vectors[before : before + _BLOCK], dtype=np.float32)
            one, other = np.nonzero(rows @ others.T >= least)
            one, other = one + start, other + before
            later = other < one
            _join(root, one[later], other[later])
        tell(start + len(rows))
    return root


def _join(root: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
    """Put together what these pairs name, in place: the smaller root takes the larger, until no pair has two."""
    while len(one):
        first, second = root[one], root[other]
        apart = first != second
        one, other, first, second = one[apart], other[apart], first[apart], second[apart]
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while (root[root] != root).any():
            root[:] = root[root]
