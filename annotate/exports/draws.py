"""Where in its epoch each draw by chance stood: with its probability all that an estimate by LURE is made of.

Epochs are written whole and never change, so that the same draws are told the same whenever a release is written.
"""

from collections.abc import Sequence

import numpy as np

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

    def of(self, draws: Sequence[int | None]) -> list[tuple[int | None, int | None]]:
        """Of each draw its place among those by chance of its epoch, from 1, and the pool at the first of them; of one
        that chance had no part in: nothing."""
        wanted = np.array([draw or 0 for draw in draws], dtype=np.int64)
        at = np.minimum(np.searchsorted(self._ids, wanted), max(len(self._ids) - 1, 0))
        if not len(self._ids):
            return [(None, None)] * len(wanted)
        return [
            (int(self._place[n]), int(self._pool[n])) if self._ids[n] == draw else (None, None)
            for n, draw in zip(at.tolist(), wanted.tolist(), strict=True)
        ]
