"""Vectors as the sheet of a mesh needs them: the same numbers on every machine.

Not by linear algebra libraries, whose sums depend on the machine, and with angles that are rounded.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def dot(one: Floats, other: Floats) -> Floats:
    """Of vectors (3, ...) with one (3,), or with as many."""
    products: Floats = one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
    return products


def cross(one: Floats, other: Floats) -> Floats:
    """(3, ...)"""
    (a, b, c), (x, y, z) = one, other
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x])


def cosine(degrees: float) -> float:
    """Rounded, since mathematical libraries differ in the last digit."""
    return round(float(np.cos(np.radians(degrees))), 12)


def direction(elevation: float, turn: float) -> Floats:
    """To a place of the sky: up from the horizon and around from +Z to +X, in degrees."""
    return np.array(
        [
            cosine(turn - 90.0) * cosine(elevation),
            cosine(elevation - 90.0),
            cosine(turn) * cosine(elevation),
        ]
    )
