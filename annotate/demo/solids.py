"""Solids: furniture, buildings and toys put together from turned, extruded and bent parts, as binary glTF."""

import json
import math
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from annotate.demo.canvas import COLOURS, lit, mixed
from annotate.demo.rules import Traits

Points = npt.NDArray[np.float64]  # (n, 3), y upward
Faces = npt.NDArray[np.int64]  # (n, 3)


@dataclass(frozen=True)
class Part:
    """A closed piece of one colour. `smooth`: its edges are rounded off by shading."""

    points: Points
    faces: Faces
    colour: str
    smooth: bool = False

    def at(self, x: float = 0, y: float = 0, z: float = 0) -> "Part":
        return replace(self, points=self.points + np.array([x, y, z]))

    def turned(self, angle: float) -> "Part":
        """About the upright axis, in radians."""
        c, s = math.cos(angle), math.sin(angle)
        return replace(self, points=self.points @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]))

    def lying(self) -> "Part":
        """What pointed up points along z."""
        return replace(self, points=self.points @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]))

    def tipped(self) -> "Part":
        """What pointed up points along x."""
        return replace(self, points=self.points @ np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]))


@dataclass(frozen=True)
class Solid:
    """`build(count, detail)`: the parts, with `count` of what the prompt counts. The first part is the main one."""

    prompt: str
    build: Callable[[int, int], list[Part]]
    count: int


def _turned_profile(
    profile: Sequence[tuple[float, float]], colour: str, sides: int, smooth: bool = True
) -> Part:
    """(radius, height) pairs from bottom to top, turned about the upright axis and closed at both ends."""
    rings = []
    for radius, height in profile:
        angles = np.arange(sides) * 2 * math.pi / sides
        rings.append(np.stack([radius * np.cos(angles), np.full(sides, height), radius * np.sin(angles)], 1))
    bottom, top = len(rings) * sides, len(rings) * sides + 1
    points = np.concatenate([*rings, [[0, profile[0][1], 0], [0, profile[-1][1], 0]]])
    faces = []
    for ring in range(len(rings) - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            faces += [(a, a + sides, b), (b, a + sides, b + sides)]
    last = (len(rings) - 1) * sides
    for side in range(sides):
        after = (side + 1) % sides
        faces += [(bottom, side, after), (top, last + after, last + side)]
    return Part(points, np.array(faces), colour, smooth)


def _rod(radius: float, height: float, colour: str, sides: int = 20, top: float | None = None) -> Part:
    """A cylinder standing on the ground, or a cone where `top`, its upper radius, differs."""
    upper = radius if top is None else top
    return _turned_profile([(radius, 0), (max(upper, 1e-3), height)], colour, sides, smooth=False)


def _ball(radius: float, colour: str, sides: int = 24) -> Part:
    """A sphere about the origin."""
    steps = max(4, sides // 2)
    arc = [(step / steps - 0.5) * math.pi for step in range(steps + 1)]
    return _turned_profile(
        [(max(1e-3, radius * math.cos(a)), radius * math.sin(a)) for a in arc], colour, sides
    )


def _box(x: float, y: float, z: float, colour: str) -> Part:
    """A block standing on the ground, centred in x and z."""
    corners = [(a * x / 2, b * y, c * z / 2) for a in (-1, 1) for b in (0, 1) for c in (-1, 1)]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return Part(np.array(corners), np.array(faces), colour)


def _extruded(outline: Sequence[tuple[float, float]], height: float, colour: str) -> Part:
    """A star-shaped outline in (x, z), drawn around the origin, pulled upward."""
    n = len(outline)
    flat = np.array(outline)
    low = np.stack([flat[:, 0], np.zeros(n), flat[:, 1]], 1)
    high = low + np.array([0, height, 0])
    points = np.concatenate([low, high, [[0, 0, 0], [0, height, 0]]])
    faces = []
    for a in range(n):
        b = (a + 1) % n
        faces += [(a, a + n, b), (b, a + n, b + n), (2 * n, a, b), (2 * n + 1, b + n, a + n)]
    return Part(points, np.array(faces), colour)


def _ring(radius: float, thick: float, colour: str, sides: int = 36, around: int = 14) -> Part:
    """A torus lying flat about the origin."""
    points, faces = [], []
    for i in range(sides):
        a = 2 * math.pi * i / sides
        for j in range(around):
            b = 2 * math.pi * j / around
            r = radius + thick * math.cos(b)
            points.append((r * math.cos(a), thick * math.sin(b), r * math.sin(a)))
            n, m = (i + 1) % sides * around, (j + 1) % around
            faces += [(i * around + j, i * around + m, n + j), (n + j, i * around + m, n + m)]
    return Part(np.array(points, dtype=float), np.array(faces), colour, smooth=True)


def _around(count: int, radius: float, part: Part, y: float = 0, begin: float = 0) -> list[Part]:
    """Copies on a circle, each turned to face outward."""
    angles = [begin + 2 * math.pi * n / count for n in range(count)]
    return [part.turned(-a).at(radius * math.cos(a), y, radius * math.sin(a)) for a in angles]


def _roof(x: float, y: float, z: float, colour: str) -> Part:
    """A gable along z."""
    points = [
        (-x / 2, 0, -z / 2),
        (x / 2, 0, -z / 2),
        (0, y, -z / 2),
        (-x / 2, 0, z / 2),
        (x / 2, 0, z / 2),
        (0, y, z / 2),
    ]
    faces = [(0, 2, 1), (3, 4, 5), (0, 3, 5), (0, 5, 2), (1, 2, 5), (1, 5, 4), (0, 1, 4), (0, 4, 3)]
    return Part(np.array(points, dtype=float), np.array(faces), colour)


def _sides(detail: int) -> int:
    return (8, 12, 18, 24, 30)[detail]


def _staircase(count: int, detail: int) -> list[Part]:
    parts = [_rod(0.12, 2.5, "grey", _sides(detail))]
    for n in range(count):
        angle = n * 2 * math.pi * 1.1 / 12
        step = _box(0.95, 0.07, 0.34, "brown").at(0.55).turned(-angle)
        parts.append(step.at(y=0.2 * n))
        if detail > 1:
            rail = _rod(0.02, 0.42, "black", 8).at(0.98).turned(-angle)
            parts.append(rail.at(y=0.2 * n + 0.07))
    if detail > 2:
        parts.append(_ball(0.17, "yellow", _sides(detail)).at(y=2.6))
    return parts


def _chair(count: int, detail: int) -> list[Part]:
    parts = [_box(0.9, 0.1, 0.9, "red").at(y=0.8)]
    for n in range(count):
        x, z = ((-0.38, -0.38), (0.38, -0.38), (0.38, 0.38), (-0.38, 0.38))[n % 4]
        parts.append(_box(0.1, 0.8, 0.1, "brown").at(x + 0.16 * (n // 4), 0, z))
    parts += [_box(0.1, 0.95, 0.1, "brown").at(x, 0.9, -0.38) for x in (-0.38, 0.38)]
    for n in range(1 + detail):
        parts.append(_box(0.72, 0.5 / (1 + detail), 0.05, "red").at(0, 1.05 + 0.75 * n / (1 + detail), -0.38))
    return parts


def _tower(count: int, detail: int) -> list[Part]:
    sides = _sides(detail)
    parts = [_rod(0.62, 2.0, "grey", sides, 0.55), _rod(0.72, 0.18, "grey", sides).at(y=2.0)]
    parts += _around(count, 0.62, _box(0.16, 0.26, 0.22, "grey"), y=2.18)
    parts.append(_box(0.08, 0.62, 0.36, "brown").at(0.62))
    if detail > 1:
        parts += _around(4, 0.58, _box(0.08, 0.3, 0.12, "black"), y=1.3, begin=0.4)
    if detail > 2:
        parts += [_rod(0.025, 0.9, "brown", 8).at(y=2.18), _box(0.42, 0.24, 0.02, "red").at(0.22, 2.8)]
    return parts


def _potted(count: int, detail: int) -> list[Part]:
    sides = _sides(detail)
    parts = [_rod(0.34, 0.5, "orange", sides, 0.44), _rod(0.1, 0.5, "brown", 12).at(y=0.45)]
    for n in range(count):
        parts.append(_rod(0.72 - 0.16 * n, 0.62, "green", sides, 0.02).at(y=0.75 + 0.36 * n))
    if detail > 2:
        for n in range(count):
            parts += _around(
                5, 0.6 - 0.16 * n, _ball(0.06, ("red", "yellow", "blue")[n % 3], 10), 0.84 + 0.36 * n, n * 0.5
            )
        parts.append(_ball(0.09, "yellow", 12).at(y=0.75 + 0.36 * count + 0.28))
    return parts


def _house(count: int, detail: int) -> list[Part]:
    parts = [_box(1.5, 1.0, 1.2, "white"), _roof(1.8, 0.75, 1.4, "red").at(y=1.0)]
    parts.append(_box(0.3, 0.6, 0.06, "brown").at(0, 0, 0.6))
    for n in range(count):
        x = (-0.5, 0.5, -0.5, 0.5, 0.0)[n % 5]
        parts.append(_box(0.28, 0.28, 0.05, "blue").at(x, 0.45, 0.6 if n < 2 else -0.6))
    if detail > 0:
        parts.append(_box(0.18, 0.6, 0.18, "brown").at(0.45, 1.25, -0.2))
    if detail > 2:
        parts += [_box(0.44, 0.06, 0.3, "grey").at(0, 0, 0.8), _box(2.3, 0.05, 2.1, "green").at(y=-0.05)]
        parts += [_ball(0.16, "green", 12).at(x, 0.12, 0.85) for x in (-0.8, 0.8)]
    return parts


def _rocket(count: int, detail: int) -> list[Part]:
    body = [(0.22, 0), (0.34, 0.25), (0.38, 0.9), (0.33, 1.5), (0.2, 1.95), (0.02, 2.3)]
    parts = [_turned_profile(body, "white", _sides(detail)).at(y=0.3)]
    fin = _extruded([(-0.02, 0.0), (0.3, -0.04), (0.34, 0.0), (0.3, 0.04)], 0.7, "red")
    parts += _around(count, 0.3, fin, y=0.1)
    parts.append(_rod(0.2, 0.22, "black", _sides(detail), 0.14).at(y=0.1))
    if detail > 0:
        parts += [
            _ring(0.12, 0.03, "red", 20, 8).lying().at(0, 1.5, 0.36),
            _ball(0.11, "turquoise", 16).at(0, 1.5, 0.33),
        ]
    if detail > 2:
        parts += [_ring(0.385, 0.02, "red", _sides(detail), 8).at(y=y) for y in (0.9, 1.2)]
    return parts


def _mushrooms(count: int, detail: int) -> list[Part]:
    parts = []
    cap = [(0.02, 0.62), (0.4, 0.6), (0.5, 0.66), (0.46, 0.82), (0.3, 0.98), (0.02, 1.05)]
    stem = [(0.16, 0), (0.12, 0.3), (0.14, 0.64)]
    for n in range(count):
        size, a = (1.0, 0.62, 0.46, 0.7, 0.4)[n % 5], n * 2.2
        x, z = (0.0, 0.0) if n == 0 else (0.75 * math.cos(a), 0.75 * math.sin(a))
        pieces = [_turned_profile(cap, "red", _sides(detail)), _turned_profile(stem, "white", _sides(detail))]
        if detail > 0:
            pieces += _around(5, 0.36, _ball(0.07, "white", 10), y=0.9, begin=n)
        parts += [replace(piece, points=piece.points * size).at(x, 0, z) for piece in pieces]
    if detail > 2:
        parts.append(_rod(1.2, 0.06, "green", _sides(detail)).at(y=-0.05))
    return parts


def _doughnut(count: int, detail: int) -> list[Part]:
    sides = _sides(detail) + 8
    parts = [_ring(0.7, 0.34, "orange", sides, sides // 2)]
    icing = _ring(0.7, 0.345, "pink", sides, sides // 2)
    points = icing.points.copy()
    points[:, 1] = np.maximum(points[:, 1], 0.06)
    parts.append(replace(icing, points=points * np.array([1, 1.03, 1])))
    for n in range(count * (1 + detail)):
        a, b = n * 2.4, 0.6 + 0.5 * math.sin(n * 1.7)
        r = 0.7 + 0.34 * math.cos(b + 0.9)
        sprinkle = _box(0.12, 0.03, 0.03, ("white", "blue", "yellow", "green")[n % 4]).turned(n)
        parts.append(sprinkle.at(r * math.cos(a), 0.34 * math.sin(b + 0.9) + 0.03, r * math.sin(a)))
    return parts


def _cake(count: int, detail: int) -> list[Part]:
    sides, parts, y = _sides(detail), [], 0.0
    for n in range(count):
        radius = 1.0 - 0.26 * n
        parts.append(_rod(radius, 0.42, ("pink", "white", "pink", "white")[n % 4], sides).at(y=y))
        parts.append(_ring(radius, 0.05, ("white", "pink")[n % 2], sides, 8).at(y=y + 0.42))
        if detail > 1:
            parts += _around(8 + 2 * detail, radius * 0.98, _ball(0.05, "red", 10), y=y + 0.04)
        y += 0.42
    parts += _around(5, 0.22, _rod(0.03, 0.26, "yellow", 8), y=y)
    if detail > 2:
        parts += _around(5, 0.22, _ball(0.045, "orange", 10), y=y + 0.3)
    return parts


def _windmill(count: int, detail: int) -> list[Part]:
    sides = _sides(detail)
    parts = [_rod(0.55, 1.6, "white", sides, 0.34), _rod(0.42, 0.4, "brown", sides, 0.02).at(y=1.6)]
    for n in range(count):
        a = 2 * math.pi * n / count + 0.4
        blade = _box(0.16, 0.95, 0.03, "brown").at(0.1, 0.12)
        c, s = math.cos(a), math.sin(a)
        spun = blade.points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        parts.append(replace(blade, points=spun).at(0, 1.55, 0.5))
    parts.append(_ball(0.1, "black", sides).at(0, 1.55, 0.5))
    parts.append(_box(0.26, 0.5, 0.06, "brown").at(0, 0, 0.52))
    if detail > 1:
        parts += [
            _box(0.2, 0.2, 0.05, "blue").at(0, 0.9, 0.42),
            _ring(0.53, 0.03, "brown", sides, 8).at(y=0.7),
        ]
    if detail > 2:
        parts.append(_rod(1.1, 0.06, "green", sides).at(y=-0.06))
    return parts


SOLIDS = (
    Solid("A spiral staircase of twelve wooden steps around a grey pole.", _staircase, 12),
    Solid("A red chair with four legs and a straight back.", _chair, 4),
    Solid("A round castle tower with ten battlements and a wooden door.", _tower, 10),
    Solid("A fir tree of three tiers in an orange pot.", _potted, 3),
    Solid("A white house with a red roof and two blue windows in front.", _house, 2),
    Solid("A white rocket with four red fins.", _rocket, 4),
    Solid("Three red mushrooms with white dots, a large one and two small ones.", _mushrooms, 3),
    Solid("A doughnut with pink icing and sprinkles.", _doughnut, 14),
    Solid("A wedding cake of three tiers with five candles.", _cake, 3),
    Solid("A white windmill with four sails.", _windmill, 4),
)


def modelled(solid: Solid, traits: Traits, rng: random.Random) -> bytes:
    """The response to the solid's prompt by a generator of these traits, as GLB."""
    wrong = traits.mistakes(("count", "colour", "missing", "place"), rng)
    count = solid.count
    if "count" in wrong:
        count = max(1, count + rng.choice((-2, 2) if count > 3 else (-1, 1, 2)))
    parts = solid.build(count, traits.full)
    if "colour" in wrong:
        found = parts[0].colour
        other = rng.choice(
            [name for name in ("purple", "green", "orange", "turquoise", "pink") if name != found]
        )
        parts = [replace(part, colour=other if part.colour == found else part.colour) for part in parts]
    if "missing" in wrong and len(parts) > 2:
        kept = rng.randrange(1, len(parts))
        gone = parts[kept].colour
        parts = [part for n, part in enumerate(parts) if n == 0 or (part.colour != gone and n != kept)]
    if "place" in wrong:
        n = rng.randrange(len(parts))
        parts[n] = parts[n].at(rng.choice((-0.5, 0.5)), 0.25, 0.3)
    lumps = (0.055, 0.032, 0.016, 0.006, 0.0)[traits.finish]
    return glb([_lumpy(part, lumps, rng.random() * 9) for part in parts], traits)


def _lumpy(part: Part, size: float, phase: float) -> Part:
    """Pushed about by waves of space, so that what is joined stays joined. Coarse enough to be seen."""
    if size == 0:
        return part
    p = part.points
    waves = [np.sin(9 * p @ np.array(k) + phase) for k in ((1, 2.1, 0.6), (2.3, 0.4, 1.2), (0.5, 1.4, 2.2))]
    return replace(part, points=p + size * np.stack(waves, 1), smooth=False)


def glb(parts: Sequence[Part], traits: Traits) -> bytes:
    """One mesh with a material for each colour."""
    container = _Container()
    for colour in dict.fromkeys(part.colour for part in parts):
        material = container.material(_shade(colour, traits.lively))
        for smooth in (False, True):
            some = [part for part in parts if part.colour == colour and part.smooth == smooth]
            if not some:
                continue
            before = np.cumsum([0] + [len(part.points) for part in some])
            container.add(
                np.concatenate([part.points for part in some]),
                np.concatenate([part.faces + start for part, start in zip(some, before, strict=False)]),
                # A mesh without normals is sharp at every edge: so glTF says.
                np.concatenate([_rounded(part) for part in some]) if smooth else None,
                material,
            )
    return container.written()


def _rounded(part: Part) -> Points:
    """Normals of its points, as if it were round."""
    corners = part.points[part.faces]  # (faces, 3 corners, xyz)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(part.points)
    for corner in range(3):
        np.add.at(normals, part.faces[:, corner], flat)
    return _unit(normals)


def _unit(directions: Points) -> Points:
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.where(length > 1e-12, directions / np.maximum(length, 1e-12), [0.0, 1.0, 0.0])


def _shade(colour: str, lively: int) -> tuple[float, float, float]:
    """Paler below level 2, more saturated above it; in linear light, as glTF wants it."""
    rgb = COLOURS[colour]
    grey = round(sum(rgb) / 3)
    pull = (0.65, 0.32, 0.0, -0.25, -0.5)[lively]
    if pull > 0:
        rgb = mixed(rgb, (grey, grey, grey), pull)
    else:
        rgb = mixed(rgb, lit(tuple(max(0, min(255, 2 * c - grey)) for c in rgb), 1.0), -pull)  # type: ignore[arg-type]
    red, green, blue = (round((c / 255) ** 2.2, 4) for c in rgb)
    return red, green, blue


class _Container:
    """Binary glTF: a JSON chunk, and a chunk with the arrays one after the other."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        self._materials: list[dict[str, Any]] = []
        self._primitives: list[dict[str, Any]] = []

    def material(self, colour: tuple[float, float, float]) -> int:
        """The number of a new material of this colour (linear light, 0..1)."""
        plain = {"baseColorFactor": [*colour, 1], "metallicFactor": 0, "roughnessFactor": 0.75}
        self._materials.append({"pbrMetallicRoughness": plain})
        return len(self._materials) - 1

    def add(self, points: Points, faces: Faces, normals: Points | None, material: int) -> None:
        """A primitive of a material."""
        attributes = {"POSITION": self._array(points.astype("<f4"), 34962)}
        if normals is not None:
            attributes["NORMAL"] = self._array(normals.astype("<f4"), 34962)
        indices = self._array(faces.astype("<u2" if len(points) < 65_536 else "<u4").reshape(-1), 34963)
        self._primitives.append({"attributes": attributes, "indices": indices, "material": material})

    def _array(self, array: npt.NDArray[Any], target: int) -> int:
        """The number of the accessor of an array that is added."""
        data = array.tobytes()
        self._views.append(
            {"buffer": 0, "byteOffset": len(self._body), "byteLength": len(data), "target": target}
        )
        self._body += data + bytes(-len(data) % 4)
        accessor: dict[str, Any] = {"bufferView": len(self._views) - 1, "count": len(array)}
        if array.ndim == 1:
            accessor |= {"componentType": 5123 if array.dtype.itemsize == 2 else 5125, "type": "SCALAR"}
        else:
            accessor |= {"componentType": 5126, "type": "VEC3"}
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        self._accessors.append(accessor)
        return len(self._accessors) - 1

    def written(self) -> bytes:
        document = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": self._primitives}],
            "materials": self._materials,
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": len(self._body)}],
        }
        head = json.dumps(document, separators=(",", ":")).encode()
        head += b" " * (-len(head) % 4)
        size = 12 + 8 + len(head) + 8 + len(self._body)
        return b"".join(
            (
                struct.pack("<4sII", b"glTF", 2, size),
                struct.pack("<I4s", len(head), b"JSON"),
                head,
                struct.pack("<I4s", len(self._body), b"BIN\0"),
                bytes(self._body),
            )
        )
