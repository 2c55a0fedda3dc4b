"""Where in its epoch each draw by chance stood: with its probability all that an estimate by LURE is made of.

Epochs are written whole and never change, so that the same draws are told the same whenever a release is written.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from annotate.models import Project
from annotate.packing import packed

_DRAWS = "{packed} FROM annotate_draw WHERE project_id = %(project)s AND q IS NOT NULL GROUP BY id %% {parts}"
_COLUMNS = {
    "id": (">i8", "int8send(id)"),
    "epoch": (">i4", "int4send(epoch)"),
    "pos": (">i4", "int4send(pos)"),
    "pool": (">i4", "int4send(pool_size)"),
}


class DrawPlaces:
    """The draws by chance of a project."""

    def __init__(self, project: Project) -> None:
        rows = packed(_DRAWS, {"project": project.pk}, _COLUMNS)
        rows = rows[np.lexsort((rows["pos"], rows["epoch"]))]
        _, first, epoch = np.unique(rows["epoch"], return_index=True, return_inverse=True)
        place = np.arange(len(rows)) - first[epoch] + 1
        pool = np.maximum.reduceat(rows["pool"], first)[epoch] if len(rows) else rows["pool"]
        by_id = np.argsort(rows["id"])
        self._ids = rows["id"][by_id].astype(np.int64)
        self._place, self._pool = place[by_id], pool[by_id]

    def of(self, draws: NDArray[np.int64]) -> tuple[pa.Array, pa.Array]:
        """Of each draw its place among those by chance of its epoch, from 1, and the pool at the first of them; of one
        that chance had no part in, or none (0): nothing."""
        if not len(self._ids):
            return pa.nulls(len(draws), pa.int64()), pa.nulls(len(draws), pa.int64())
        at = np.minimum(np.searchsorted(self._ids, draws), len(self._ids) - 1)
        absent = self._ids[at] != draws
        return (
            pa.array(self._place[at].astype(np.int64), mask=absent),
            pa.array(self._pool[at].astype(np.int64), mask=absent),
        )
