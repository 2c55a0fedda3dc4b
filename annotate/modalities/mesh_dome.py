"""The light of a sheet: a soft dome of many lamps, and what the mesh keeps of it from itself and from the ground.

The lamps stand around the mesh, and so that a turn by one view puts each where another was: what each of them sees
is found once. How bright each is goes with the camera.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from annotate.modalities import mesh_raster
from annotate.modalities.mesh_vectors import cosine, cross, direction, dot

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]

GROUND_REACH = 2.2  # how far from the middle the ground takes shadow
# Rings of lamps: each one's elevation in degrees, how many they are, and how bright its part of the sky is.
_RINGS = ((-28.0, 8, 0.10), (0.0, 16, 0.20), (22.0, 16, 0.40), (45.0, 16, 0.60), (70.0, 8, 0.80))
_KEY = (-0.55, 0.65, 0.52)  # towards the brightest part of the dome, from the camera: left, above, in front
_KEY_STRENGTH, _KEY_NARROW = 5.0, 6
_SIDE = 192  # of the picture that a lamp sees
_REACH = 1.05  # how far from the middle it reaches: the mesh with its points drawn as balls, a little raised
_GRAIN = 1.25 / _SIDE  # how near each other grains of a surface lie: six tenths of a step of a lamp's picture
_SMALL = 10 * _GRAIN  # the longest edge of a face that is drawn as grains
_BIAS = 2.2  # steps of a lamp's picture
_RAISED = 2.4 / _SIDE
_GROUND_SIDE = 193
_AT_ONCE = 16_384  # points: what the processor keeps near
_FACES_AT_ONCE = 500_000


class Dome:
    """For a mesh that lies within 1 of the origin.

    Args:
        positions: (V, 3) of its vertices; those that are `dots` (n,) are points.
        faces: (F, 3).
        ground: height of the ground.
        first_turn: of the camera in the first of `views` views, in degrees.
    """

    def __init__(
        self, positions: Floats, faces: Indices, dots: Indices, ground: float, first_turn: float, views: int
    ) -> None:
        lamps = [
            direction(elevation, first_turn + (lamp + ring % 2 / 2) * 360.0 / count)
            for ring, (elevation, count, _) in enumerate(_RINGS)
            for lamp in range(count)
        ]
        self._strengths = _strengths(lamps, first_turn, views)  # of each view
        self._axes = [_across(lamp) for lamp in lamps]
        large, grains = _grains(positions, faces, dots)
        vertices, grains = (np.ascontiguousarray(places.T, np.float32) for places in (positions, grains))
        self._seen = [_seen_from(vertices, large, grains, *axes) for axes in self._axes]
        self._on_ground = self._reaching_ground(ground)

    def light(self, points: Floats, normals: Floats, view: int) -> Floats:
        """(3, n): a vector whose product with the normal is how much light comes to a surface.

        1 where the surface faces the brightest part of the dome freely. The vector serves for surfaces nearby too,
        as long as their normals are similar.

        Args:
            points, normals: (3, n) of surfaces.
        """
        found = np.empty(points.shape, np.float32)
        for start in range(0, points.shape[1], _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            found[:, some] = self._light(points[:, some], normals[:, some], view)
        return found

    def _light(self, points: Floats, normals: Floats, view: int) -> Floats:
        raised = points + normals * np.float32(_RAISED)
        found = np.zeros(points.shape, np.float32)
        for number, ((right, up, lamp), seen) in enumerate(zip(self._axes, self._seen, strict=True)):
            faces_it = dot(normals, lamp) > 0
            if not faces_it.any():
                continue
            x, y, depth = _in_picture(raised, right, up, lamp)
            at = y.astype(np.intp) * _SIDE + x.astype(np.intp)
            strength = (faces_it & (depth <= seen[at])) * self._strengths[view][number]
            for axis in range(3):
                found[axis] += strength * lamp[axis]
        return found

    def shadow(self, x: Floats, z: Floats, view: int) -> Floats:
        """(n,) 0 to 1: how much of the light is kept from places of the ground, within GROUND_REACH of its middle."""
        reaching = np.zeros((_GROUND_SIDE, _GROUND_SIDE), np.float32)
        whole = np.float32(0)
        for number, seen in self._on_ground:
            strength = self._strengths[view][number] * self._axes[number][2][1]
            whole += strength
            reaching += strength * seen
        # No single lamp's edge is to be seen.
        reaching[1:-1] = (reaching[:-2] + 2 * reaching[1:-1] + reaching[2:]) / 4
        reaching[:, 1:-1] = (reaching[:, :-2] + 2 * reaching[:, 1:-1] + reaching[:, 2:]) / 4
        kept = (np.float32(1) - reaching / whole).ravel()
        scale = np.float32((_GROUND_SIDE - 1) / (2 * GROUND_REACH))
        across, along = (place * scale + np.float32((_GROUND_SIDE - 1) / 2) for place in (x, z))
        column, row = (np.clip(place.astype(np.intp), 0, _GROUND_SIDE - 2) for place in (across, along))
        right, down = across - column.astype(np.float32), along - row.astype(np.float32)
        at = row * _GROUND_SIDE + column
        above = kept[at] + (kept[at + 1] - kept[at]) * right
        below = kept[at + _GROUND_SIDE] + (kept[at + _GROUND_SIDE + 1] - kept[at + _GROUND_SIDE]) * right
        return np.clip(above + (below - above) * down, 0, 1)

    def _reaching_ground(self, ground: float) -> list[tuple[int, npt.NDArray[np.bool_]]]:
        """Which places of a grid on the ground each lamp sees that stands above it."""
        line = np.linspace(-GROUND_REACH, GROUND_REACH, _GROUND_SIDE, dtype=np.float32)
        x, z = np.tile(line, _GROUND_SIDE), np.repeat(line, _GROUND_SIDE)
        places = np.stack([x, np.full_like(x, ground + _RAISED), z])
        found = []
        for number, ((right, up, lamp), seen) in enumerate(zip(self._axes, self._seen, strict=True)):
            if lamp[1] <= 0:
                continue
            column, row, depth = _in_picture(places, right, up, lamp)
            # What lies beside a lamp's picture has nothing above it.
            (inside,) = np.nonzero((column >= 0) & (column < _SIDE) & (row >= 0) & (row < _SIDE))
            at = row[inside].astype(np.intp) * _SIDE + column[inside].astype(np.intp)
            free = np.ones(len(x), bool)
            free[inside] = depth[inside] <= seen[at]
            found.append((number, free.reshape(_GROUND_SIDE, _GROUND_SIDE)))
        return found


def _strengths(lamps: list[Floats], first_turn: float, views: int) -> list[list[np.float32]]:
    """How bright each lamp is, for each view."""
    key = (
        _KEY[0] * direction(0.0, first_turn + 90.0)
        + _KEY[1] * np.array([0.0, 1.0, 0.0])
        + _KEY[2] * direction(0.0, first_turn)
    )
    key /= np.sqrt(dot(key, key))
    towards = [max(0.0, float(dot(lamp, key))) for lamp in lamps]
    skies = [(cosine(elevation) / count, bright) for elevation, count, bright in _RINGS for _ in range(count)]
    first = [
        share * (bright + _KEY_STRENGTH * near**_KEY_NARROW)
        for (share, bright), near in zip(skies, towards, strict=True)
    ]
    facing = sum(strength * near for strength, near in zip(first, towards, strict=True))
    found: list[list[np.float32]] = [[] for _ in range(views)]
    start = 0
    for _, count, _ in _RINGS:
        ring = [np.float32(strength / facing) for strength in first[start : start + count]]
        start += count
        for view, strengths in enumerate(found):
            turned = view * count // views
            strengths += ring[count - turned :] + ring[: count - turned]
    return found


def _across(lamp: Floats) -> tuple[Floats, Floats, Floats]:
    """Axes to the right and up for who looks from the lamp, and back to the lamp."""
    right = cross(np.array([0.0, 1.0, 0.0]), lamp)
    right = right / np.sqrt(dot(right, right))
    right, up, back = (axis.astype(np.float32) for axis in (right, cross(lamp, right), lamp))
    return right, up, back


def _in_picture(points: Floats, right: Floats, up: Floats, lamp: Floats) -> tuple[Floats, Floats, Floats]:
    """Of points (3, n) x and y in a lamp's picture and depth from the lamp, 0 to 1 for all within reach."""
    kind = points.dtype.type
    half, scale, whole = kind(_SIDE / 2), kind(_SIDE / (2 * _REACH)), kind(2 * _REACH)
    return (
        half + dot(points, right * scale),
        half - dot(points, up * scale),
        kind(0.5) - dot(points, lamp / whole),
    )


def _seen_from(
    vertices: Floats, faces: Indices, grains: Floats, right: Floats, up: Floats, lamp: Floats
) -> Floats:
    """(side * side,) the depth down to which there is light from a lamp."""
    depths = mesh_raster.nothing_deep(_SIDE)
    if len(faces):
        mesh_raster.draw_depths(depths, _SIDE, np.stack(_in_picture(vertices, right, up, lamp)), faces)
    if grains.size:
        mesh_raster.draw_grains(depths, _SIDE, *_in_picture(grains, right, up, lamp))
    return mesh_raster.depths_seen(depths) + np.float32(_BIAS / _SIDE)


def _grains(positions: Floats, faces: Indices, dots: Indices) -> tuple[Indices, Floats]:
    """The faces that are large in a lamp's picture, and grains of the others, and points, one at most in each cell.

    However fine a mesh is, what is drawn in each of the many pictures then has a bound.
    """
    large: list[Indices] = []
    grains = [_thinned(positions[dots])]
    for start in range(0, len(faces), _FACES_AT_ONCE):
        some = faces[start : start + _FACES_AT_ONCE]
        a, b, c = (positions[some[:, corner]] for corner in range(3))
        edges = ((b - a).T, (c - b).T, (a - c).T)
        longest = np.sqrt(np.max([dot(edge, edge) for edge in edges], axis=0))
        # The middles of the pieces of a cut face are nearer each other than its pieces are long.
        cuts = np.ceil(longest / (1.7 * _GRAIN)).astype(np.int64)
        for count in range(1, int(np.ceil(_SMALL / (1.7 * _GRAIN))) + 1):
            (cut,) = np.nonzero((cuts <= 1 if count == 1 else cuts == count) & (longest < _SMALL))
            if len(cut):
                grains.append(_thinned(_middles(a[cut], b[cut], c[cut], count)))
        large.append(some[longest >= _SMALL])
    return np.concatenate(large or [faces]), _thinned(np.concatenate(grains))


def _middles(a: Floats, b: Floats, c: Floats, cuts: int) -> Floats:
    """(cuts * cuts * n, 3): the middles of the pieces of triangles (n, 3) whose edges are cut so often."""
    upright = [(i, j, 1) for i in range(cuts) for j in range(cuts - i)]
    turned = [(i, j, 2) for i in range(cuts - 1) for j in range(cuts - 1 - i)]
    right, up = (b - a) / (3 * cuts), (c - a) / (3 * cuts)
    return np.concatenate([a + right * (3 * i + k) + up * (3 * j + k) for i, j, k in upright + turned])


def _thinned(places: Floats) -> Floats:
    """The first of the places in each cell of a grid."""
    cell = np.floor((places + 1.5) / _GRAIN).astype(np.int64)
    _, first = np.unique((cell[:, 0] << 42) | (cell[:, 1] << 21) | cell[:, 2], return_index=True)
    return places[first]
