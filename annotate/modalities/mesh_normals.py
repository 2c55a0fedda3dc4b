"""Normals where a file has none: round where faces meet at a small angle, sharp where they do not."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]

SMOOTH_BELOW = np.cos(np.radians(40.0))


def face_normals(positions: Floats, faces: Indices) -> Floats:
    """(F, 3), of unit length; zero where a face has no area."""
    a, b, c = (positions[faces[:, corner]] for corner in range(3))
    return _unit(np.cross(b - a, c - a))


def smooth_corners(positions: Floats, faces: Indices) -> tuple[Floats, Indices]:
    """
    Two faces are smooth together where they share an edge at less than 40 degrees; the corners of a vertex that
    are joined so share the mean of their faces' normals, weighted by area.

    Returns:
        normals (N, 3), and for each corner of each face (F, 3) which of them it has.
    """
    a, b, c = (positions[faces[:, corner]] for corner in range(3))
    by_area = np.cross(b - a, c - a).astype(np.float32)
    del a, b, c  # there may be millions
    first, second = _smooth_edges(same_places(positions)[faces], _unit(by_area))
    joined = _components(np.arange(3 * len(faces), dtype=np.int32), first, second)
    own = joined == np.arange(len(joined))
    group = (np.cumsum(own, dtype=np.int32) - 1)[joined]
    sums = np.zeros((int(own.sum()), 3))
    for axis in range(3):
        sums[:, axis] = np.bincount(group, np.repeat(by_area[:, axis], 3), len(sums))
    return _unit(sums), group.reshape(-1, 3)


def same_places(positions: Floats) -> Indices:
    """For each vertex a number that those at the same place share."""
    bits = np.ascontiguousarray(positions + 0.0, np.float64).view(np.uint64).reshape(-1, 3)
    with np.errstate(over="ignore"):
        key = bits[:, 0] * np.uint64(0x9E3779B97F4A7C15)
        for axis in (1, 2):
            key ^= key >> np.uint64(29)
            key = (key ^ bits[:, axis]) * np.uint64(0xBF58476D1CE4E5B9)
    return np.unique(key, return_inverse=True)[1].astype(np.int32)


def _smooth_edges(faces: Indices, unit: Floats) -> tuple[Indices, Indices]:
    """Pairs of corners, numbered through all faces, that are smooth together: at both ends of each such edge."""
    corner = np.arange(3 * len(faces), dtype=np.int32).reshape(-1, 3)
    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    at_start, at_end = corner.ravel(), corner[:, [1, 2, 0]].ravel()
    turned = start > end
    low, high = np.where(turned, end, start), np.where(turned, start, end)
    at_low, at_high = np.where(turned, at_end, at_start), np.where(turned, at_start, at_end)
    del start, end, at_start, at_end, turned
    order = np.argsort(low.astype(np.int64) << 32 | high, kind="stable").astype(np.int32)
    one, other = order[:-1], order[1:]
    meet = (low[one] == low[other]) & (high[one] == high[other])
    one, other = one[meet], other[meet]
    first, second = unit[one // 3], unit[other // 3]
    smooth = (first * second).sum(axis=1) > SMOOTH_BELOW
    one, other = one[smooth], other[smooth]
    return np.concatenate([at_low[one], at_high[one]]), np.concatenate([at_low[other], at_high[other]])


def _components(label: Indices, first: Indices, second: Indices) -> Indices:
    """The smallest member of each one's component, where first[i] and second[i] are connected."""
    while True:
        a, b = label[first], label[second]
        apart = a != b
        if not apart.any():
            return label
        a, b = a[apart], b[apart]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while (label[label] != label).any():
            label = label[label]


def _unit(vectors: Floats) -> Floats:
    length = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
