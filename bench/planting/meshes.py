"""3D models: knobbly solids with holes, bumps, debris, wrong proportions, few or many triangles. Wavefront OBJ."""

import math
from random import Random

from planting.asked import Asked, Kinds, Modality, Traits, strength

Point = tuple[float, float, float]
Face = tuple[int, int, int]


def _make(source: int, traits: Traits, rng: Random) -> bytes:
    coarse = strength(traits, "few all over", "few around")
    rings = round(26 - 19 * (coarse if traits["coarse"][0] == "few all over" else coarse / 3))
    sides = round(30 - 23 * coarse)
    points, faces = _solid(source, rng, rings, sides)
    points = _bumpy(points, traits["roughness"][0], traits["roughness"][1], rng)
    faces = _holed(faces, points, traits["holes"][0], traits["holes"][1], rng)
    points, faces = _with_debris(points, faces, traits["debris"][0], traits["debris"][1], rng)
    points = _squashed(points, traits["proportion"][0], traits["proportion"][1])
    lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in points]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
    return "\n".join(lines).encode()


def _solid(source: int, rng: Random, rings: int, sides: int) -> tuple[list[Point], list[Face]]:
    """A closed surface around the origin, its radius bulging as the source has it."""
    of_source = Random(f"solid {source}")
    bulges = [
        (
            of_source.uniform(0.03, 0.16),
            of_source.randrange(1, 4),
            of_source.randrange(0, 4),
            of_source.uniform(0, 6.28),
        )
        for _ in range(4)
    ]
    tall, turned = of_source.uniform(0.8, 1.3), rng.uniform(0, 0.3)
    points = [(0.0, tall, 0.0)]
    for ring in range(1, rings):
        polar = math.pi * ring / rings
        for side in range(sides):
            around = 2 * math.pi * side / sides + turned
            radius = 1 + sum(a * math.sin(p * polar) * math.cos(n * around + at) for a, p, n, at in bulges)
            across = radius * math.sin(polar)
            points.append((across * math.cos(around), tall * math.cos(polar), across * math.sin(around)))
    points.append((0.0, -tall, 0.0))
    last = len(points) - 1
    faces: list[Face] = []
    for side in range(sides):
        beside = (side + 1) % sides
        faces.append((0, 1 + beside, 1 + side))
        for ring in range(rings - 2):
            a, b = 1 + ring * sides + side, 1 + ring * sides + beside
            faces += [(a, b, a + sides), (b, b + sides, a + sides)]
        faces.append((1 + (rings - 2) * sides + side, 1 + (rings - 2) * sides + beside, last))
    return points, faces


def _bumpy(points: list[Point], kind: str, much: float, rng: Random) -> list[Point]:
    made = []
    for x, y, z in points:
        if kind == "bumps":
            factor = 1 + rng.gauss(0, 0.055 * much)
        elif kind == "spikes":
            factor = 1 + (0.3 * much if rng.random() < 0.12 else 0.0)
        else:
            factor = 1 + 0.07 * much * math.sin(17 * y) * math.sin(15 * math.atan2(z, x))
        made.append((x * factor, y * factor, z * factor))
    return made


def _holed(faces: list[Face], points: list[Point], kind: str, much: float, rng: Random) -> list[Face]:
    if not much:
        return faces
    if kind == "lost triangles":
        return [face for face in faces if rng.random() > 0.14 * much]
    # One opening towards where a direction points.
    way = [rng.gauss(0, 1) for _ in range(3)]
    length = math.sqrt(sum(w * w for w in way))

    def towards(face: Face) -> float:
        return sum(w * sum(points[corner][n] for corner in face) for n, w in enumerate(way)) / length

    opened = max(round(0.25 * much * len(faces)), 1)
    return sorted(faces, key=towards)[:-opened]


def _with_debris(
    points: list[Point], faces: list[Face], kind: str, much: float, rng: Random
) -> tuple[list[Point], list[Face]]:
    """Small pieces that float around: tetrahedra, or single triangles."""
    points, faces = list(points), list(faces)
    for _ in range(round(14 * much)):
        way = [rng.gauss(0, 1) for _ in range(3)]
        length = math.sqrt(sum(w * w for w in way)) or 1.0
        middle = [1.45 * w / length for w in way]
        size = rng.uniform(0.05, 0.12)
        at = len(points)
        for _ in range(4 if kind == "lumps" else 3):
            x, y, z = (m + rng.gauss(0, size) for m in middle)
            points.append((x, y, z))
        faces.append((at, at + 1, at + 2))
        if kind == "lumps":
            faces += [(at, at + 2, at + 3), (at, at + 3, at + 1), (at + 1, at + 3, at + 2)]
    return points, faces


def _squashed(points: list[Point], kind: str, much: float) -> list[Point]:
    if kind == "flattened":
        return [(x, y * (1 - 0.75 * much), z) for x, y, z in points]
    if kind == "drawn out":
        return [(x * (1 + 2 * much), y, z) for x, y, z in points]
    return [(x + 1.5 * much * y, y, z) for x, y, z in points]  # leaning


MESH = Modality(
    "mesh",
    "model/obj",
    lambda source: f"Model pebble {source}",
    {
        "roughness": Kinds(("bumps",), ("ripples", "spikes")),
        "holes": Kinds(("lost triangles",), ("one opening",)),
        "coarse": Kinds(("few all over",), ("few around",)),
        "debris": Kinds(("lumps",), ("slivers",)),
        "proportion": Kinds(("flattened", "drawn out"), ("leaning",)),
    },
    (
        Asked(
            "smooth",
            "roughness",
            -1,
            ("The surface is smooth", "The model has no bumps", "Prefer the mesh with the smoother surface"),
            ("The less bumpy model wins", "Its surface is even and not rough"),
            bend=0.7,
            masked_by="coarse",
        ),
        Asked(
            "closed",
            "holes",
            -1,
            ("The mesh is closed", "The model has no holes", "Prefer the watertight mesh"),
            ("The model with fewer gaps in its surface wins", "It is a solid without missing faces"),
            bend=0.7,
        ),
        Asked(
            "fine",
            "coarse",
            -1,
            (
                "The mesh is finely resolved",
                "The model has many polygons",
                "Prefer the more detailed geometry",
            ),
            ("The model with more triangles wins", "It is a high-poly mesh"),
        ),
        Asked(
            "economical",
            "coarse",
            1,
            ("The mesh is low-poly", "The model uses few triangles", "Prefer the lighter, simpler geometry"),
            ("The model with fewer polygons wins", "It is economical with its triangles"),
            bend=1.3,
        ),
        Asked(
            "whole",
            "debris",
            -1,
            (
                "No loose pieces float around the model",
                "The model is one connected object",
                "Prefer the mesh without floating debris",
            ),
            ("The model with fewer stray fragments wins", "All of its parts are attached to it"),
            bend=0.8,
        ),
        Asked(
            "shapely",
            "proportion",
            -1,
            (
                "The shape is well proportioned",
                "The model is not squashed or stretched",
                "Prefer the object with natural proportions",
            ),
            ("The less deformed model wins", "Its dimensions look right"),
            masked_by="roughness",
        ),
        Asked(
            "flawless",
            None,
            -1,
            (
                "The model has the best technical quality overall",
                "The mesh has no serious flaw",
                "Prefer the technically better model",
            ),
            ("The model of higher overall quality wins", "Nothing is technically wrong with it"),
        ),
    ),
    _make,
)
