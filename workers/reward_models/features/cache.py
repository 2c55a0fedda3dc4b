"""Features kept by content: what was computed once for a text or a file is never computed again."""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

# 16 bits are more than a feature is worth, and every cache gives back exactly what was put.
Rows = npt.NDArray[np.float16]
KEY_BYTES = 32  # a SHA-256
_AT_ONCE = 4096  # rows computed before they are put


class FeatureCache(Protocol):
    """Rows of features by (feature version, SHA-256 of the content). A version fixes its rows' width."""

    def get(self, version: str, keys: Sequence[bytes]) -> dict[bytes, Rows]:
        """The rows that are known, each of shape (width,)."""
        ...

    def put(self, version: str, rows: Mapping[bytes, Rows]) -> None:
        """Keep rows; a key that is known already may be given again."""
        ...


def remembered(
    cache: FeatureCache,
    version: str,
    keys: Sequence[bytes],
    compute: Callable[[list[int]], npt.NDArray[np.floating]],
) -> Rows:
    """The rows of `keys`, shape (n, width): those that `cache` lacks are computed, each distinct key once.

    `compute` gets the positions in `keys` to compute, and answers with one row for each.
    """
    known = cache.get(version, keys)
    missing: dict[bytes, int] = {}
    for place, key in enumerate(keys):
        if key not in known:
            missing.setdefault(key, place)
    lacking = list(missing.items())
    for start in range(0, len(lacking), _AT_ONCE):  # whoever is killed has kept what was done
        some = dict(lacking[start : start + _AT_ONCE])
        fresh = dict(zip(some, compute(list(some.values())).astype(np.float16), strict=True))
        cache.put(version, fresh)
        known |= fresh
    return np.stack([known[key] for key in keys])


class MemoryCache:
    """Kept as long as the object lives."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, bytes], Rows] = {}

    def get(self, version: str, keys: Sequence[bytes]) -> dict[bytes, Rows]:
        return {key: self._rows[version, key] for key in keys if (version, key) in self._rows}

    def put(self, version: str, rows: Mapping[bytes, Rows]) -> None:
        for key, row in rows.items():
            self._rows[version, key] = row


class DirectoryCache:
    """Kept in one append-only file a version, shared by any number of processes of a machine.

    A file is records of one length: the key, then the row as 16-bit floats. Whoever is killed while writing leaves a
    torn record at its end, which the next writer cuts off. It may be deleted at any time: it is only a cache.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, _RecordFile] = {}

    def get(self, version: str, keys: Sequence[bytes]) -> dict[bytes, Rows]:
        return self._file(version).get(keys)

    def put(self, version: str, rows: Mapping[bytes, Rows]) -> None:
        if rows:
            self._file(version).put(rows)

    def _file(self, version: str) -> "_RecordFile":
        if version not in self._files:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._files[version] = _RecordFile(self._directory / f"{version}.rows")
        return self._files[version]


class _RecordFile:
    """The file of one version: an 8-byte header with the row's width, then records."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._width = 0
        self._places: dict[bytes, int] = {}
        self._records: npt.NDArray[np.void] | None = None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Rows]:
        if any(key not in self._places for key in keys):
            self._refresh()
        if self._records is None:
            return {}
        places = [(key, self._places[key]) for key in keys if key in self._places]
        rows = self._records["row"][[place for _, place in places]]
        return {key: row for (key, _), row in zip(places, rows, strict=True)}

    def put(self, rows: Mapping[bytes, Rows]) -> None:
        width = len(next(iter(rows.values())))
        records = np.empty(len(rows), dtype=_record(width))
        records["key"] = np.frombuffer(b"".join(rows), dtype=f"V{KEY_BYTES}")
        records["row"] = np.stack(list(rows.values()))
        with open(self._path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go with the file, or with the process
            size = os.fstat(file.fileno()).st_size
            if size < 8:
                file.truncate(0)
                file.write(width.to_bytes(8, "little"))
            else:
                file.truncate(size - (size - 8) % records.itemsize)
            file.write(records.tobytes())

    def _refresh(self) -> None:
        """Look at what other processes have written since."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if not self._width:
            if size < 8:
                return
            with open(self._path, "rb") as file:
                self._width = int.from_bytes(file.read(8), "little")
        kind = _record(self._width)
        known, count = len(self._records) if self._records is not None else 0, (size - 8) // kind.itemsize
        if count <= known:
            return
        self._records = np.memmap(self._path, dtype=kind, mode="r", offset=8, shape=(count,))
        for place, key in enumerate(self._records["key"][known:].tolist(), start=known):
            self._places[key] = place


def _record(width: int) -> np.dtype[np.void]:
    return np.dtype([("key", f"V{KEY_BYTES}"), ("row", "<f2", (width,))])
