"""Products whose rows do not depend on each other, to the last bit.

A matrix product of BLAS may add a row's terms in another order when the row stands elsewhere in the batch. Here each
row is added in the same order always: then exchanged sides give exactly negated margins, in any batch.
"""

import numpy as np
import numpy.typing as npt

# Rows at a time: what is added up stays within a processor's cache.
_ROWS = 1024


def rowwise(x: npt.NDArray[np.floating], matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """x @ matrix, shapes (n, k) and (k, d)."""
    result = np.empty((len(x), matrix.shape[1]))
    for start in range(0, len(x), _ROWS):
        columns = np.ascontiguousarray(x[start : start + _ROWS].T, dtype=np.float64)
        sums = np.zeros((matrix.shape[1], columns.shape[1]))
        for column, line in zip(columns, matrix, strict=True):
            sums += line[:, None] * column
        result[start : start + _ROWS] = sums.T
    return result
