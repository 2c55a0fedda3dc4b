"""What a model sees of a project's comparisons, as rows of a file that is mapped: a million are gone through in seconds,
and hardly any of them is in memory at a time.

It is kept under DATA_DIR for each project and layout, which names the version of the features: another version begins
another table. It may be deleted at any time, and is made anew of the feature cache.
"""

import fcntl
import os
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from django.conf import settings

from annotate.models import Project

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float32]
_KEY = np.dtype([("comparison", "<i8"), ("criterion", "<i8")])
_MAGIC = 0x5645_4E52_4F57_0001  # of the first key, whose criterion is the rows' width


def folder_of(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "pools" / str(project_id)


def layouts(project_id: int) -> list[str]:
    """Those of which there is a table."""
    folder = folder_of(project_id)
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def remove_strangers() -> None:
    """Remove the tables of projects that are gone."""
    folder = folder_of(0).parent
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    there = set(Project.objects.filter(pk__in=[int(name) for name in names]).values_list("pk", flat=True))
    for name in names - {str(pk) for pk in there}:
        shutil.rmtree(folder / name, ignore_errors=True)


class FeatureTable:
    """The rows of one layout. Two files that are only ever appended to: `keys` (comparison, and the criterion as which it
    was described) and `rows`, 32-bit floats. Rows are on the disk before their keys are: a row whose key is missing, as of
    somebody killed, is written over by the next one."""

    def __init__(self, project_id: int, layout: str) -> None:
        self._folder = folder_of(project_id) / layout
        self._keys, self._rows = self._folder / "keys", self._folder / "rows"
        self.width = 0

    def places(self, comparisons: Ints, criteria: Ints) -> Ints:
        """Where the row of each comparison under its criterion is, shape (n,); -1 where there is none."""
        keys = self._read()
        found = np.full(len(comparisons), -1, dtype=np.int64)
        if not len(keys):
            return found
        # Stable: of what was written twice the last one counts.
        order = np.argsort(keys["comparison"], kind="stable")
        at = np.searchsorted(keys["comparison"][order], comparisons, side="right") - 1
        place = order[np.maximum(at, 0)]
        there = (keys["comparison"][place] == comparisons) & (keys["criterion"][place] == criteria)
        found[there] = place[there]
        return found

    def blocks(self, places: Ints, size: int) -> list[Ints]:
        """Which of `places` lie in the same so many rows of the file, block after block as they lie there."""
        order = np.argsort(places, kind="stable")
        order = order[np.searchsorted(places[order], 0) :]
        edges = np.flatnonzero(np.diff(places[order] // size, prepend=-1))
        return np.split(order, edges[1:]) if len(order) else []

    def rows(self, places: Ints) -> Rows:
        """The rows there, shape (n, width); `places` rise. They are mapped as long as somebody holds them."""
        first, count = int(places[0]), int(places[-1] - places[0]) + 1
        mapped = np.memmap(
            self._rows, "<f4", mode="r", offset=first * self.width * 4, shape=(count, self.width)
        )
        return mapped if count == len(places) else mapped[places - first]

    def append(self, comparisons: Ints, criteria: Ints, rows: Rows) -> None:
        """Add rows, shape (n, width). Any number of processes of a machine may."""
        width, count = rows.shape[1], len(rows)
        keys = np.empty(count, dtype=_KEY)
        keys["comparison"], keys["criterion"] = comparisons, criteria
        self._folder.mkdir(parents=True, exist_ok=True)
        with open(self._keys, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go with the file, or with the process
            known = len(self._read())
            if not known:
                file.truncate(0)
                file.write(np.array([(_MAGIC, width)], dtype=_KEY).tobytes())
            elif self.width != width:
                raise ValueError(f"{self._folder} holds rows of {self.width} numbers, not of {width}.")
            file.truncate((known + 1) * _KEY.itemsize)
            with open(os.open(self._rows, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as numbers:
                numbers.seek(known * width * 4)
                numbers.write(np.ascontiguousarray(rows, dtype="<f4").data)
                numbers.truncate()
                numbers.flush()
                os.fsync(numbers.fileno())
            file.write(keys.tobytes())

    def _read(self) -> npt.NDArray[np.void]:
        """The keys whose rows are there. None where the files are not those of a table: it begins anew."""
        none = np.zeros(0, dtype=_KEY)
        try:
            size, room = self._keys.stat().st_size, self._rows.stat().st_size
        except FileNotFoundError:
            return none
        keys = np.fromfile(self._keys, dtype=_KEY, count=size // _KEY.itemsize)
        if not len(keys) or keys[0]["comparison"] != _MAGIC or keys[0]["criterion"] < 1:
            return none
        self.width = int(keys[0]["criterion"])
        return keys[1 : 1 + room // (self.width * 4)]
