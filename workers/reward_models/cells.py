"""Which comparisons are nearly the same to a model: those in one cell of a random grid over what it sees of them.

A cell depends on the comparison alone, so a million are told in one pass, batch after batch, and the same comparison has
the same cell whatever else is in the pool. Near-duplicates share one nearly always, others nearly never (locality-sensitive
hashing by random projections, Datar et al., 2004). Sides exchanged are the same: rows are mirrored before they are laid on
the grid.
"""

import numpy as np
import numpy.typing as npt

# Directions that the grid is laid along, and the width of its meshes where each column has a spread of 1.
_DIRECTIONS = 8
_MESH = 1.0
_SEED = 20_260_101  # of the directions: the same grid everywhere and always


def cells(looks: npt.NDArray[np.floating], codes: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """The cell of each of n comparisons: `looks` (n, d), odd in the sides, what differs between them; `codes` (n,) what
    else must be equal, as the criterion. Columns should have a spread of about 1."""
    rng = np.random.default_rng([_SEED, looks.shape[1]])
    directions = rng.normal(size=(looks.shape[1], _DIRECTIONS)) / np.sqrt(max(looks.shape[1], 1))
    along = looks @ directions.astype(looks.dtype)
    # Mirrored so that the direction that says most says it in the positive.
    largest = np.abs(along).argmax(axis=1) if len(along) else np.zeros(0, dtype=np.intp)
    along = along * np.where(along[np.arange(len(along)), largest] < 0, -1, 1)[:, None]
    grid = np.floor(along / _MESH + 0.5).astype(np.int64)
    return _hashed(np.column_stack([codes.astype(np.int64), grid]))


def _hashed(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """One number a row: a chain of multiplications modulo 2**64 (FNV-1a over words, with its top bits mixed in)."""
    found = np.full(len(rows), 0xCBF29CE484222325, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in rows.T.astype(np.uint64):
            found = (found ^ column) * np.uint64(0x100000001B3)
            found ^= found >> np.uint64(29)
    return found.astype(np.int64)
