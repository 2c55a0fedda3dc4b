"""The sheet of a mesh: eight views around it, under one light, at one scale, the same picture every time.

The camera stands 20 degrees above the middle of the mesh's box, at a distance that follows from the sphere around
that middle: every mesh fills the same share of its tile. The first view is turned 30 degrees from the front (+Z),
each further one by 45. The light is a soft dome that stays with the camera, so that it is the mesh that turns; a
ground below the mesh takes its shadow. Surfaces are drawn from both sides; of materials the plain colour is shown:
base colour, emission, transparency and vertex colours.

What is seen is decided for four samples of each pixel; those that see one surface share its colour, and such shares
of neighbouring pixels the light that comes to them, each of which it meets at its own angle.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from annotate.modalities import mesh_raster
from annotate.modalities.mesh_colors import Places, Surfaces
from annotate.modalities.mesh_dome import GROUND_REACH, Dome
from annotate.modalities.mesh_normals import face_normals, smooth_corners
from annotate.modalities.mesh_raster import NOTHING, Keys
from annotate.modalities.mesh_scene import Part, Scene, linear
from annotate.modalities.mesh_vectors import cosine, cross, direction, dot

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]

VIEWS, COLUMNS, TILE = 8, 4, 256
FIRST_TURN, ELEVATION = 30.0, 20.0  # degrees
BACKGROUND = (0.27, 0.272, 0.278)  # linear: a middle grey
_FINER = 2  # samples a pixel in each direction
_SIDE = TILE * _FINER
_FIELD = 30.0  # degrees that a tile shows
_MARGIN = 1.06
_LAYERS = 6  # of transparent surfaces that are seen through each other
_HIDDEN = 0.02  # what is seen of a surface less than this is left out
_DOT = (0.003, 0.014)  # least and greatest radius of a point
# The radius of one times the root of their number, where they just cover the surface of a ball.
_DOTS = 2.0
_EXPOSURE = 1.05
# Samples of a pixel see one surface where its triangles lie at less than ten degrees and this far from each other;
_ALIKE, _SAME_PLACE = 0.985, 0.02
# pixels share the light of blocks of this side where theirs do at less than 25.
_BLOCK, _LIT_ALIKE, _LIT_PLACE = 3, 0.9, 0.06
_BLOCKS = -(-TILE // _BLOCK)
_GROUND_SHADOW = 0.7


@dataclass(frozen=True)
class _Model:
    """All parts together, scaled so that the sphere around them has radius 1 and lies around the origin."""

    positions: Floats  # (V, 3)
    faces: Indices  # (F, 3)
    planes: Floats  # (3, F) unit normals of the faces
    normals: Floats  # (N, 3)
    corners: Indices  # (F, 3): which normal each corner has
    part_of_face: Indices
    first_vertex: Indices  # of each part
    dots: Indices  # vertices that are points
    part_of_dot: Indices
    parts: list[Part]
    ground: float


@dataclass(frozen=True)
class _Shares:
    """Samples of one pixel that see the same surface, as one of them sees it."""

    pixel: Indices  # (n,)
    sample: Indices  # (n,) the one that stands for all
    key: Keys  # (n,) what it sees
    of_sample: Indices  # (4, pixels) which share a sample of a pixel belongs to; -1 where it sees nothing


def sheet(scene: Scene) -> Image.Image:
    """RGB, VIEWS tiles of TILE x TILE."""
    model = _model(scene)
    surfaces = Surfaces(scene)
    dome = Dome(model.positions, model.faces, model.dots, model.ground, FIRST_TURN, VIEWS)
    rows = VIEWS // COLUMNS
    whole = Image.new("RGB", (COLUMNS * TILE, rows * TILE))
    for view in range(VIEWS):
        tile = _view(model, surfaces, dome, view)
        whole.paste(Image.fromarray(tile), (view % COLUMNS * TILE, view // COLUMNS * TILE))
    return whole


def _model(scene: Scene) -> _Model:
    bounds = scene.bounds
    middle = bounds.mean(axis=0)
    radius = max(float(np.sqrt(((part.positions - middle) ** 2).sum(axis=1).max())) for part in scene.parts)
    positions, faces, planes, normals, corners, of_face = [], [], [], [], [], []
    dots, of_dot, first = [], [], []
    vertices = count = 0
    for number, part in enumerate(scene.parts):
        own = (part.positions - middle) / radius
        positions.append(own)
        first.append(vertices)
        if len(part.faces):
            faces.append(part.faces + vertices)
            planes.append(face_normals(own, part.faces))
            of_face.append(np.full(len(part.faces), number))
            found, at = corner_normals(part, own)
            normals.append(found)
            corners.append(at + count)
            count += len(found)
        else:
            dots.append(np.arange(len(own)) + vertices)
            of_dot.append(np.full(len(own), number))
        vertices += len(own)
    none = np.zeros((0, 3), np.int64)
    return _Model(
        np.concatenate(positions),
        np.concatenate(faces or [none]),
        np.concatenate(planes or [np.zeros((0, 3))]).T.astype(np.float32),
        np.concatenate(normals or [np.zeros((0, 3))]),
        np.concatenate(corners or [none]),
        np.concatenate(of_face or [none[:, 0]]),
        np.array(first),
        np.concatenate(dots or [none[:, 0]]),
        np.concatenate(of_dot or [none[:, 0]]),
        scene.parts,
        float((bounds[0, 1] - middle[1]) / radius),
    )


def corner_normals(part: Part, positions: Floats) -> tuple[Floats, Indices]:
    """Normals, and for each corner of each face which it has: those of the file, else as mesh_normals says."""
    if part.normals is not None:
        return part.normals, part.faces
    if part.flat:
        return face_normals(positions, part.faces), np.repeat(np.arange(len(part.faces)), 3).reshape(-1, 3)
    return smooth_corners(positions, part.faces)


class _Camera:
    """Of one view. Everything lies within 1 of the origin."""

    def __init__(self, view: int) -> None:
        turn = FIRST_TURN + view * 360.0 / VIEWS
        self.back = direction(ELEVATION, turn)
        self.right = direction(0.0, turn + 90.0)
        self.up = cross(self.back, self.right)
        half = cosine(_FIELD / 2 - 90.0)  # its sine
        self.distance = _MARGIN / half
        self.focal = _SIDE / 2 * cosine(_FIELD / 2) / half
        self.near, self.far = self.distance - 1.01, self.distance + 1.01

    def places(self, positions: Floats) -> Floats:
        """(3, N): x, y in samples and depth, which is even on the screen."""
        x, y, back = (dot(positions.T, axis) for axis in (self.right, self.up, self.back))
        away = self.distance - back
        depth = (1 / self.near - 1 / away) / (1 / self.near - 1 / self.far)
        scale = self.focal / away
        return np.stack([_SIDE / 2 + x * scale, _SIDE / 2 - y * scale, depth])

    def away(self, depth: Floats) -> Floats:
        """How far in front of the camera a depth is."""
        return 1 / (1 / self.near - depth * (1 / self.near - 1 / self.far))

    def points(self, samples: Indices, away: Floats) -> Floats:
        """(3, N): where the rays of samples are at that distance."""
        row, column = np.divmod(samples, _SIDE)
        x = (column + 0.5 - _SIDE / 2) / self.focal * away
        y = (_SIDE / 2 - row - 0.5) / self.focal * away
        back = self.distance - away
        return np.stack(
            [x * self.right[axis] + y * self.up[axis] + back * self.back[axis] for axis in range(3)]
        )


def _view(model: _Model, surfaces: Surfaces, dome: Dome, view: int) -> npt.NDArray[np.uint8]:
    camera = _Camera(view)
    places = camera.places(model.positions)
    light = np.zeros((3, TILE * TILE))
    through = np.ones(
        (_FINER**2, TILE * TILE), np.float32
    )  # how much of what lies behind is seen by each sample
    seen: Keys | None = None
    for _ in range(_LAYERS):
        keys = np.full(_SIDE**2, NOTHING, np.int64)
        mesh_raster.draw_triangles(keys, _SIDE, places, model.faces, seen)
        _draw_dots(keys, camera, model, places, seen)
        shares = _shares(model, camera, keys, through)
        if not len(shares.pixel):
            break
        color, alpha = _shade(model, surfaces, dome, camera, places, shares, view)
        amount = np.zeros(len(shares.pixel))
        for number, of_sample in enumerate(shares.of_sample):
            (hit,) = np.nonzero(of_sample >= 0)
            share = of_sample[hit]
            amount += np.bincount(share, through[number, hit], len(amount))
            through[number, hit] *= 1 - alpha[share]
        amount *= alpha / _FINER**2
        for axis in range(3):
            light[axis] += np.bincount(shares.pixel, amount * color[:, axis], TILE * TILE)
        if (alpha >= 1.0).all():
            break
        seen = keys
    behind = _ground(camera, model, dome, view) * (through.sum(axis=0) / _FINER**2)
    return _encode((light + behind).T).reshape(TILE, TILE, 3)


def _draw_dots(keys: Keys, camera: _Camera, model: _Model, places: Floats, seen: Keys | None) -> None:
    """Points as small balls: the more there are, the smaller."""
    if not len(model.dots):
        return
    radius = float(np.clip(_DOTS / np.sqrt(len(model.dots)), *_DOT))
    at = places[:, model.dots]
    away = camera.away(at[2])
    bulge = radius / away**2 / (1 / camera.near - 1 / camera.far)
    mesh_raster.draw_dots(keys, _SIDE, at, radius * camera.focal / away, bulge, seen, len(model.faces))


def _shares(model: _Model, camera: _Camera, keys: Keys, through: Floats) -> _Shares:
    """Of each pixel the first sample that sees something leads; one that sees another surface stands for itself."""
    grid = keys.reshape(TILE, _FINER, TILE, _FINER).transpose(1, 3, 0, 2).reshape(_FINER**2, -1)
    sees = (grid != NOTHING) & (through > _HIDDEN)
    (pixels,) = np.nonzero(sees.any(axis=0))
    sees, grid = sees[:, pixels], grid[:, pixels]
    lead = sees.argmax(axis=0)
    key = np.take_along_axis(grid, lead[None], axis=0)[0]
    own = np.arange(len(pixels))
    of_sample = np.where(sees, own, -1)
    other = sees & (mesh_raster.number_of(grid) != mesh_raster.number_of(key))
    number, at = np.nonzero(other)
    apart = ~_alike(model, camera, grid[number, at], key[at])
    number, at = number[apart], at[apart]
    of_sample[number, at] = len(pixels) + np.arange(len(at))
    found = np.full((_FINER**2, TILE * TILE), -1)
    found[:, pixels] = of_sample
    pixel = np.concatenate([pixels, pixels[at]])
    row, column = np.divmod(pixel, TILE)
    down, right = np.divmod(np.concatenate([lead, number]), _FINER)
    sample = (row * _FINER + down) * _SIDE + column * _FINER + right
    return _Shares(pixel, sample, np.concatenate([key, grid[number, at]]), found)


def _alike(model: _Model, camera: _Camera, one: Keys, other: Keys) -> npt.NDArray[np.bool_]:
    """Whether two keys are of the same surface, as far as can be seen."""
    first, second = mesh_raster.number_of(one), mesh_raster.number_of(other)
    found = (first < len(model.faces)) & (second < len(model.faces))
    first, second = first[found], second[found]
    away = camera.away(mesh_raster.depth_of(one[found])) - camera.away(mesh_raster.depth_of(other[found]))
    found[found] = (
        (model.part_of_face[first] == model.part_of_face[second])
        & (np.abs(away) < _SAME_PLACE)
        & (np.abs(dot(model.planes[:, first], model.planes[:, second])) > _ALIKE)
    )
    return found


def _shade(
    model: _Model,
    surfaces: Surfaces,
    dome: Dome,
    camera: _Camera,
    places: Floats,
    shares: _Shares,
    view: int,
) -> tuple[Floats, Floats]:
    """(n, 3) light that comes from the surfaces that shares see, and (n,) how much of it covers what is behind."""
    number, count = mesh_raster.number_of(shares.key), len(shares.key)
    points = camera.points(shares.sample, camera.away(mesh_raster.depth_of(shares.key))).astype(np.float32)
    normals = np.empty((3, count), np.float32)
    albedo, emitted = np.empty((count, 4), np.float32), np.empty((count, 3), np.float32)
    unlit = np.zeros(count, bool)
    (on_face,) = np.nonzero(number < len(model.faces))
    (on_dot,) = np.nonzero(number >= len(model.faces))
    if len(on_face):
        face = number[on_face]
        weights, area = _weights(model, camera, places, shares.sample[on_face], face)
        normals[:, on_face] = _normals(model, camera, face, weights, points[:, on_face])
        for part, some in _by_part(model.part_of_face[face]):
            at, own = on_face[some], model.faces[face[some]].T - model.first_vertex[part]
            asked = Places(own, weights[:, some], area[some])
            albedo[at], emitted[at], unlit[at] = surfaces.colors(model.parts[part], asked)
    if len(on_dot):
        dots = number[on_dot] - len(model.faces)
        out = points[:, on_dot] - model.positions[model.dots[dots]].T
        normals[:, on_dot] = out / np.sqrt(np.maximum(dot(out, out), 1e-24))
        for part, some in _by_part(model.part_of_dot[dots]):
            own = (model.dots[dots[some]] - model.first_vertex[part])[None]
            at, asked = on_dot[some], Places(own, np.ones((1, len(some)), np.float32), None)
            albedo[at], emitted[at], unlit[at] = surfaces.colors(model.parts[part], asked)
    lit = np.maximum(_lit(dome, shares.pixel, points, normals, view), 0) * np.float32(_EXPOSURE)
    lit[unlit] = 1.0
    return albedo[:, :3] * lit[:, None] + emitted, albedo[:, 3]


def _lit(dome: Dome, pixel: Indices, points: Floats, normals: Floats, view: int) -> Floats:
    """(n,) light. It is found once a block of pixels and mixed between blocks; what is unlike them finds its own."""
    row, column = np.divmod(pixel, TILE)
    block = row // _BLOCK * _BLOCKS + column // _BLOCK
    first = np.full(_BLOCKS * _BLOCKS, -1)
    first[block[::-1]] = np.arange(len(block))[::-1]
    (held,) = np.nonzero(first >= 0)
    lead = first[held]
    lamps = np.zeros((3, len(first)), np.float32)
    lamps[:, held] = dome.light(points[:, lead], normals[:, lead], view)
    place, towards = np.full((3, len(first)), np.inf, np.float32), np.zeros((3, len(first)), np.float32)
    place[:, held], towards[:, held] = points[:, lead], normals[:, lead]
    mixed, weight = np.zeros(len(pixel), np.float32), np.zeros(len(pixel), np.float32)
    (top, down), (left, right) = _blocks_beside(row), _blocks_beside(column)
    for blocks_down, high in ((top, 1 - down), (np.minimum(top + 1, _BLOCKS - 1), down)):
        for blocks_right, wide in ((left, 1 - right), (np.minimum(left + 1, _BLOCKS - 1), right)):
            at = blocks_down * _BLOCKS + blocks_right
            away = points - place[:, at]
            alike = (dot(normals, towards[:, at]) > _LIT_ALIKE) & (dot(away, away) < _LIT_PLACE**2)
            share = high * wide * alike
            weight += share
            mixed += share * dot(lamps[:, at], normals)
    found = np.divide(mixed, weight, out=mixed, where=weight > 0)
    (alone,) = np.nonzero(weight == 0)
    found[alone] = dot(dome.light(points[:, alone], normals[:, alone], view), normals[:, alone])
    return found


def _blocks_beside(place: Indices) -> tuple[Indices, Floats]:
    """Of rows or columns of pixels: the block whose middle comes before, and how far it is to the next one's."""
    at = (place.astype(np.float32) + np.float32(0.5)) / np.float32(_BLOCK) - np.float32(0.5)
    before = np.maximum(np.floor(at), 0)
    return before.astype(np.int64), np.maximum(at - before, 0)


def _by_part(parts: Indices) -> list[tuple[int, Indices]]:
    """(part, where it stands) for each part there is."""
    if (parts == parts[0]).all():
        return [(int(parts[0]), np.arange(len(parts)))]
    order = np.argsort(parts, kind="stable")
    names, starts = np.unique(parts[order], return_index=True)
    return [(int(name), some) for name, some in zip(names, np.split(order, starts[1:]), strict=True)]


def _weights(
    model: _Model, camera: _Camera, places: Floats, samples: Indices, face: Indices
) -> tuple[Floats, Floats]:
    """How near each sample is to the corners of its face (3, n), in space; and the face's area in pixels."""
    x, y = samples % _SIDE + 0.5, samples // _SIDE + 0.5
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (places[:, model.faces[face, corner]] for corner in range(3))
    weights = np.stack(
        [
            (bx - x) * (cy - y) - (cx - x) * (by - y),
            (cx - x) * (ay - y) - (ax - x) * (cy - y),
            (ax - x) * (by - y) - (bx - x) * (ay - y),
        ]
    )
    area = weights[0] + weights[1] + weights[2]
    weights *= np.where(area < 0, -1.0, 1.0)
    # The nearer a corner is to the camera, the more of the face it stands for. Slivers round below zero.
    weights = np.maximum(weights, 0.0) / camera.away(np.stack([az, bz, cz]))
    total = weights[0] + weights[1] + weights[2]
    weights[:, total <= 0] = 1.0
    total = weights[0] + weights[1] + weights[2]
    return (weights / total).astype(np.float32), np.abs(area) / (2 * _FINER**2)


def _normals(model: _Model, camera: _Camera, face: Indices, weights: Floats, points: Floats) -> Floats:
    """(3, n) of unit length, on the side of the face that the camera sees."""
    towards = (camera.back * camera.distance)[:, None] - points
    plane = model.planes[:, face]
    plane *= np.where(dot(plane, towards) < 0, np.float32(-1), np.float32(1))
    corners = model.corners[face].T
    found = np.zeros_like(plane)
    for corner, weight in zip(corners, weights, strict=True):
        found += model.normals[corner].T * weight
    found *= np.where(dot(found, plane) < 0, np.float32(-1), np.float32(1))
    missing = dot(found, found) <= 0
    found[:, missing] = plane[:, missing]
    length = np.sqrt(dot(found, found))
    return found / np.where(length > 0, length, np.float32(1))


def _ground(camera: _Camera, model: _Model, dome: Dome, view: int) -> Floats:
    """(3, pixels): the background, darker where the mesh keeps the light from the ground below it."""
    behind = np.ones(TILE * TILE, np.float32)
    pixel = np.arange(TILE * TILE)
    samples = pixel // TILE * _FINER * _SIDE + pixel % TILE * _FINER
    eye = camera.back * camera.distance
    ray = camera.points(samples, np.ones(len(samples))) - eye[:, None]
    (down,) = np.nonzero(ray[1] < -1e-6)
    reach = (model.ground - eye[1]) / ray[1, down]
    x, z = eye[0] + ray[0, down] * reach, eye[2] + ray[2, down] * reach
    from_middle = np.sqrt(x * x + z * z)
    near = from_middle < GROUND_REACH
    fade = np.clip((GROUND_REACH - from_middle[near]) / (GROUND_REACH - 1.0), 0.0, 1.0)
    shadow = dome.shadow(x[near].astype(np.float32), z[near].astype(np.float32), view)
    behind[down[near]] = 1.0 - _GROUND_SHADOW * fade * shadow
    return np.array(BACKGROUND)[:, None] * behind


_STEPS = 16_384
_CODES = np.searchsorted(
    linear((np.arange(255) + 0.5) / 255.0), np.arange(_STEPS + 1) / _STEPS, "right"
).astype(np.uint8)


def _encode(light: Floats) -> npt.NDArray[np.uint8]:
    """sRGB of light; what is too bright is white."""
    return _CODES[(np.clip(light, 0.0, 1.0) * _STEPS + 0.5).astype(np.intp)]
