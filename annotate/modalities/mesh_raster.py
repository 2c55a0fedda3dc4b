"""Which surface each sample of a picture sees: triangles and dots, in numpy.

Plain additions, products and comparisons in a fixed order, no linear algebra library, no threads: the same mesh gives
the same picture on every machine. (Tried beside it: embreex, mitsuba; larger to install, missing for Arm on Linux, and
not the same in every bit.)
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]
Keys = npt.NDArray[np.int64]
Depths = npt.NDArray[np.int32]

NOTHING = np.iinfo(np.int64).max
_FAR = np.iinfo(np.int32).max
_NUMBER_BITS = 25  # up to 33 million triangles or dots; the bits above tell depth
_DEPTH_STEPS = 2.0**36
_COARSE_STEPS = 2.0**30  # where depth alone is kept
_FACES_AT_ONCE = 200_000
_SAMPLES_AT_ONCE = 1_000_000


def number_of(keys: Keys) -> Indices:
    """Which triangle or dot a sample sees."""
    return keys & ((1 << _NUMBER_BITS) - 1)


def depth_of(keys: Keys) -> Floats:
    return (keys >> _NUMBER_BITS) / _DEPTH_STEPS


def draw_triangles(keys: Keys, side: int, place: Floats, faces: Indices, behind: Keys | None = None) -> None:
    """
    Args:
        keys: (side * side,) depth and number of what each sample sees so far, NOTHING where that is nothing.
        place: (3, V) x to the right and y downwards in samples, depth from 0 (near) to 1.
        behind: only what lies deeper than these is seen.
    """
    for at, number, depth in _samples_of(side, place, faces):
        _put(keys, at, number, depth, behind)


def nothing_deep(side: int) -> Depths:
    """(side * side,) for `draw_depths`: nothing is seen yet."""
    return np.full(side * side, _FAR, np.int32)


def draw_depths(depths: Depths, side: int, place: Floats, faces: Indices) -> None:
    """As draw_triangles, where it matters how deep the surface lies and not which it is."""
    for at, _, depth in _samples_of(side, place, faces):
        np.minimum.at(depths, at, (depth * _COARSE_STEPS).astype(np.int32))


def depths_seen(depths: Depths) -> Floats:
    """0 to 1, infinite where nothing is seen."""
    return np.where(depths == _FAR, np.float32(np.inf), depths.astype(np.float32) / np.float32(_COARSE_STEPS))


def _samples_of(side: int, place: Floats, faces: Indices) -> Iterator[tuple[Indices, Indices, Floats]]:
    """(sample, triangle, depth) of all samples whose middle lies in a triangle, some at a time."""
    column, row = np.ceil(np.clip(place[:2], -2.0, side + 2.0) - 0.5).astype(np.int32)
    for start in range(0, len(faces), _FACES_AT_ONCE):
        some = faces[start : start + _FACES_AT_ONCE]
        # Of a dense mesh most faces lie between the samples.
        (large,) = np.nonzero(_differ(column, some) & _differ(row, some))
        yield from _samples(place[:, some[large].T], large + start, side)


def _differ(cell: Indices, faces: Indices) -> npt.NDArray[np.bool_]:
    """Whether the corners of a face are not all in one."""
    a, b, c = (cell[faces[:, corner]] for corner in range(3))
    return (a != b) | (a != c)


def draw_dots(
    keys: Keys, side: int, place: Floats, radius: Floats, bulge: Floats, behind: Keys | None, first: int
) -> None:
    """Balls seen as discs.

    Args:
        place: (3, P) as of triangles.
        radius: (P,) in samples.
        bulge: (P,) by how much depth the middle of a ball is nearer than its rim.
    """
    reach = int(np.ceil(radius.max())) if len(radius) else 0
    for step in range(0, place.shape[1], _FACES_AT_ONCE):
        some = slice(step, step + _FACES_AT_ONCE)
        x, y, depth = place[:, some]
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                column, row = left + right, top + down
                far = ((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2) / radius[some] ** 2
                middle = (right == 0) & (down == 0)
                hit = (middle | (far <= 1.0)) & (column >= 0) & (column < side) & (row >= 0) & (row < side)
                near = np.clip(depth - bulge[some] * np.sqrt(np.maximum(0.0, 1.0 - far)), 0.0, 1.0)
                (number,) = np.nonzero(hit)
                _put(keys, (row * side + column)[hit], number + (step + first), near[hit], behind)


def draw_grains(depths: Depths, side: int, x: Floats, y: Floats, depth: Floats) -> None:
    """Points of one sample each, all within the picture, as draw_depths draws surfaces."""
    at = y.astype(np.int64) * side + x.astype(np.int64)
    np.minimum.at(depths, at, (depth * depth.dtype.type(_COARSE_STEPS)).astype(np.int32))


def _put(keys: Keys, at: Indices, number: Indices | np.int64, depth: Floats, behind: Keys | None) -> None:
    key = (depth * _DEPTH_STEPS).astype(np.int64) << _NUMBER_BITS | number
    if behind is not None:
        deeper = key > behind[at]
        at, key = at[deeper], key[deeper]
    np.minimum.at(keys, at, key)


def _samples(corners: Floats, numbers: Indices, side: int) -> Iterator[tuple[Indices, Indices, Floats]]:
    """As _samples_of.

    A row of samples is entered and left where it crosses two of the edges. Neighbours compute the crossing of the
    edge that they share from the same numbers in the same order, so that no gap is between them.

    Args:
        corners: (3, 3, F) x, y and depth of each corner of each triangle.
        numbers: (F,) of the triangles.
    """
    kind = corners.dtype.type
    half = kind(0.5)
    low = np.minimum(np.minimum(corners[:, 0], corners[:, 1]), corners[:, 2])
    high = np.maximum(np.maximum(corners[:, 0], corners[:, 1]), corners[:, 2])
    top = np.clip(np.ceil(low[1] - half), 0, side).astype(np.int64)
    rows = np.clip(np.ceil(high[1] - half), 0, side).astype(np.int64) - top
    (kept,) = np.nonzero((rows > 0) & (np.ceil(low[0] - half) < np.ceil(high[0] - half)))
    corners, numbers, top, rows, nearest, farthest = (
        corners[:, :, kept],
        numbers[kept],
        top[kept],
        rows[kept],
        low[2, kept],
        high[2, kept],
    )
    x, y, z = corners[:, 0]
    ux, uy, uz = corners[:, 1] - corners[:, 0]
    vx, vy, vz = corners[:, 2] - corners[:, 0]
    area = ux * vy - vx * uy
    flat = area == 0
    area[flat] = 1
    by_x, by_y = (uz * vy - vz * uy) / area, (vz * ux - uz * vx) / area
    by_x[flat], by_y[flat] = 0, 0
    edges = [_edge(corners[:2, one], corners[:2, other]) for one, other in ((0, 1), (1, 2), (2, 0))]
    for some in _pieces(rows):
        face = np.repeat(np.arange(some.start, some.stop), rows[some])
        row = _counting(rows[some]) + top[face]
        middle = row.astype(kind) + half
        left, right = np.full(len(face), np.inf, kind), np.full(len(face), -np.inf, kind)
        for edge in edges:
            from_x, from_y, to_y, slope = edge[:, face]
            crosses = (from_y <= middle) & (middle < to_y)
            crossing = from_x + (middle - from_y) * slope
            left = np.minimum(left, np.where(crosses, crossing, kind(np.inf)))
            right = np.maximum(right, np.where(crosses, crossing, kind(-np.inf)))
        start = np.clip(np.ceil(left - half), 0, side).astype(np.int64)
        stop = np.clip(np.ceil(right - half), 0, side).astype(np.int64)
        (held,) = np.nonzero(stop > start)
        face, start, wide, middle = face[held], start[held], (stop - start)[held], middle[held]
        # Depth goes evenly from one end of a row to the other; at neither may a sliver's run out of its corners.
        more = (wide - 1).astype(kind)
        across, low_z, high_z = by_x[face], nearest[face], farthest[face]
        begin = z[face] + (start.astype(kind) + half - x[face]) * across + (middle - y[face]) * by_y[face]
        end = np.clip(begin + more * across, low_z, high_z)
        begin = np.clip(begin, low_z, high_z)
        step = (end - begin) / np.maximum(more, 1)
        at, number = row[held] * side + start, numbers[face]
        for piece in _pieces(wide):
            count = wide[piece]
            along = _counting(count)
            yield (
                np.repeat(at[piece], count) + along,
                np.repeat(number[piece], count),
                np.repeat(begin[piece], count) + np.repeat(step[piece], count) * along.astype(kind),
            )


def _edge(one: Floats, other: Floats) -> Floats:
    """(4, F): x and y of the upper end, y of the lower one, x gained a row; the same whichever way it is given."""
    swap = (one[1] > other[1]) | ((one[1] == other[1]) & (one[0] > other[0]))
    (x0, y0), (x1, y1) = np.where(swap, other, one), np.where(swap, one, other)
    high = y1 - y0
    slope = np.divide(x1 - x0, high, out=np.zeros_like(high), where=high > 0)
    return np.stack([x0, y0, y1, slope])


def _pieces(counts: Indices) -> Iterator[slice]:
    """Slices of `counts` that sum up to a bounded number each."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _SAMPLES_AT_ONCE, "right")))
        yield slice(start, stop)
        start = stop


def _counting(counts: Indices) -> Indices:
    """0 .. n-1 for each n of `counts`, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)
