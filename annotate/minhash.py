"""Texts that are nearly the same, among many: MinHash over runs of eight bytes, candidates by bands, each of them checked.

Broder, On the resemblance and containment of documents (1997); the banding of Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, 3.4: with 10 bands of 3 rows, two texts of resemblance s are compared with probability 1 - (1 - s^3)^10,
which is 0.985 at 0.7 and 0.9992 at 0.8.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

RUN = 8  # bytes
BANDS, ROWS = 10, 3
LIKE = 0.7  # the share of runs in common from which two texts are nearly the same
_MOST = 20_000  # bytes of a text that are looked at
_RUNS_AT_ONCE = 100_000

_CHANCE = np.random.default_rng(8_128)  # any fixed seed: the same texts have the same signature everywhere
_FACTORS = _CHANCE.integers(1, 2**63, BANDS * ROWS, dtype=np.uint64) | np.uint64(1)
_ADDENDS = _CHANCE.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)
_MIX = np.uint64(0x9E3779B97F4A7C15)


def text_of(turns: Sequence[dict[str, str]]) -> str:
    """What is compared of a prompt: the words of all its turns."""
    return "\n".join(turn["text"] for turn in turns)


def turns_text(stored: str) -> str:
    """As text_of, of turns as PostgreSQL gives their JSON."""
    return text_of(json.loads(stored))


def folded(text: str) -> bytes:
    """The text without what makes no difference: case and kinds of white space."""
    return " ".join(text.casefold().split()).encode(errors="replace")[:_MOST].ljust(RUN)


def bands_of(texts: Sequence[str]) -> NDArray[np.uint64]:
    """(texts, BANDS): texts that share a number in one column are worth comparing."""
    made = np.empty((len(texts), BANDS), dtype=np.uint64)
    begin = 0
    while begin < len(texts):
        some: list[bytes] = []
        size, end = 0, begin
        while end < len(texts) and (not some or size < _RUNS_AT_ONCE):
            some.append(folded(texts[end]))
            size += len(some[-1])
            end += 1
        made[begin:end] = _bands(some)
        begin = end
    return made


def _bands(some: list[bytes]) -> NDArray[np.uint64]:
    whole = np.frombuffer(b"".join(some), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(whole, RUN)
    runs = np.ascontiguousarray(windows).view("<u8")[:, 0].astype(np.uint64)
    lengths = np.array([len(one) for one in some])
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    # Runs that reach from one text into the next are left out.
    inside = np.ones(len(whole), dtype=bool)
    for back in range(1, RUN):
        inside[starts + lengths - back] = False
    runs = runs[inside[: len(runs)]]
    counts = lengths - RUN + 1
    firsts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    runs ^= runs >> np.uint64(31)
    runs *= _MIX
    runs ^= runs >> np.uint64(29)
    bands = np.empty((len(some), BANDS), dtype=np.uint64)
    for band in range(BANDS):
        mixed = np.zeros(len(some), dtype=np.uint64)
        for row in range(band * ROWS, (band + 1) * ROWS):
            # Of multiply-shift hashing, the upper half is the good one.
            least = np.minimum.reduceat((runs * _FACTORS[row] + _ADDENDS[row]) >> np.uint64(32), firsts)
            mixed = (mixed ^ least) * _MIX
            mixed ^= mixed >> np.uint64(32)
        bands[:, band] = mixed
    return bands


def resemblance(one: str, other: str) -> float:
    """The share of the runs of both that both have (Jaccard's)."""
    first, second = _runs(folded(one)), _runs(folded(other))
    return len(first & second) / len(first | second)


def _runs(text: bytes) -> set[int]:
    """Each as the number that its bytes make: a set of these is made in a third of the time."""
    return set(np.ndarray((len(text) - RUN + 1,), "<u8", text, strides=(1,)).tolist())


def candidates(bands: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of rows that share a band, each with the earliest that does: linear however many are alike."""
    found: set[int] = set()  # a pair as one number: tuples take three times the memory
    for band in range(bands.shape[1]):
        column = bands[:, band]
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        new = (
            np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, dtype=bool)
        )
        leaders = (
            order[np.maximum.accumulate(np.where(new, np.arange(len(ordered)), 0))] if len(ordered) else order
        )
        for leader, follower in zip(leaders[~new].tolist(), order[~new].tolist(), strict=True):
            pair = (min(leader, follower), max(leader, follower))
            if (number := pair[0] * len(bands) + pair[1]) not in found:
                found.add(number)
                yield pair


_BUCKET = 64


def close_candidates(bands: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of rows that share a band: all of them where up to 64 share one, so that none is missed
    because the earliest is like neither. Of more, each with the 64 before it and with the earliest.
    """
    found: set[tuple[int, int]] = set()
    for band in range(bands.shape[1]):
        order = np.argsort(bands[:, band], kind="stable")
        ordered = bands[order, band]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        ends = np.append(starts[1:], len(ordered))
        shared = ends - starts > 1
        for start, end in zip(starts[shared].tolist(), ends[shared].tolist(), strict=True):
            rows = order[start:end].tolist()
            for at, later in enumerate(rows):
                for earlier in {rows[0], *rows[max(at - _BUCKET, 0) : at]} - {later}:
                    if (earlier, later) not in found:
                        found.add((earlier, later))
                        yield earlier, later


def groups(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """What hangs together, each group and the groups in ascending order."""
    parent: dict[int, int] = {}

    def root(one: int) -> int:
        parent.setdefault(one, one)
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    together: dict[int, list[int]] = {}
    for one in sorted(parent):
        together.setdefault(root(one), []).append(one)
    return sorted(together.values())
