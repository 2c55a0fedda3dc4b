"""What is seen of a 3D model: its geometry, and signal features of its turntable sheet."""

from typing import BinaryIO

import numpy as np
import trimesh
from PIL import Image

from workers.reward_models.base import MediumRef
from workers.reward_models.features import pictures

VERSION = "mesh-3"
_GEOMETRY = (
    "log_faces",
    "log_vertices",
    "watertight",
    "log_holes",
    "log_parts",
    "fold",
    "fold_spread",
    "edge_spread",
    "degenerate",
    "compactness",
    "flatness",
    "elongation",
    "open_edges",
    "log_bodies",
    "main_body",
    "sharpest_folds",
    "roughness",
    "height",
    "lean",
    "textured",
    "coloured",
    "points",
)
NAMES = (*_GEOMETRY, *(f"sheet_{name}" for name in pictures.NAMES))
_SMALL = 1e-9


def describe(medium: MediumRef) -> list[float]:
    with medium.files["web"]() as file:
        geometry = _geometry(file)
    with medium.files["sheet"]() as file, Image.open(file) as sheet:
        return [*geometry, *pictures.picture_features(pictures.opaque(sheet))]


def _geometry(file: BinaryIO) -> list[float]:
    scene = trimesh.load_scene(file, file_type="glb")
    kinds = [
        getattr(part.visual, "kind", None) for part in scene.geometry.values() if hasattr(part, "visual")
    ]
    looks = [float("texture" in kinds), float(bool({"vertex", "face"} & set(kinds)))]
    if not any(isinstance(part, trimesh.Trimesh) for part in scene.geometry.values()):
        count = sum(len(part.vertices) for part in scene.geometry.values())
        return [0.0, float(np.log1p(count)), *[0.0] * 17, *looks, 1.0]
    mesh = scene.to_mesh()
    # Seams of texture coordinates part vertices that stand at one place; geometry knows no seams.
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    folds = np.abs(mesh.face_adjacency_angles) if len(mesh.face_adjacency) else np.zeros(1)
    edges = mesh.edges_unique_length
    lengths = np.sort(mesh.bounding_box.extents)[::-1] + _SMALL
    area = mesh.area + _SMALL
    return [
        float(np.log1p(len(mesh.faces))),
        float(np.log1p(len(mesh.vertices))),
        float(mesh.is_watertight),
        float(np.log1p(abs(2 - mesh.euler_number))),
        float(np.log1p(len(scene.geometry))),
        float(folds.mean()),
        float(folds.std()),
        float(edges.std() / (edges.mean() + _SMALL)),
        float((mesh.area_faces < 1e-8 * area).mean()),
        float(np.cbrt(36 * np.pi * mesh.volume**2 / area**3)),
        float(lengths[2] / lengths[1]),
        float(lengths[1] / lengths[0]),
        *_wholeness(mesh),
        float(np.percentile(folds, 95)),
        _roughness(mesh),
        *_stance(mesh),
        *looks,
        0.0,
    ]


def _wholeness(mesh: trimesh.Trimesh) -> list[float]:
    """The share of edges that belong to one triangle only; how many bodies hang together, as a log; and the share of
    the triangles that the largest of them has."""
    counts = np.bincount(mesh.edges_unique_inverse)
    body = np.arange(len(mesh.vertices))
    # Every vertex takes the least number among its neighbours', and whatever that one has, until nothing changes.
    while True:
        least = body.copy()
        np.minimum.at(least, mesh.edges_unique[:, 0], body[mesh.edges_unique[:, 1]])
        np.minimum.at(least, mesh.edges_unique[:, 1], body[mesh.edges_unique[:, 0]])
        least = least[least]
        if (least == body).all():
            break
        body = least
    _, sizes = np.unique(body[mesh.faces[:, 0]], return_counts=True)
    return [float((counts == 1).mean()), float(np.log(len(sizes))), float(sizes.max() / len(mesh.faces))]


def _roughness(mesh: trimesh.Trimesh) -> float:
    """How far vertices stand off the middle of their neighbours, in lengths of an edge, as a log: little on what is
    smooth, however finely it is resolved."""
    one, other = mesh.edges_unique.T
    count = len(mesh.vertices)
    degree = np.bincount(one, minlength=count) + np.bincount(other, minlength=count)
    off = np.zeros((count, 3))
    for axis in range(3):
        places = mesh.vertices[:, axis]
        sums = np.bincount(one, places[other], count) + np.bincount(other, places[one], count)
        off[:, axis] = places - sums / np.maximum(degree, 1)
    inner = degree > 2
    away = np.linalg.norm(off, axis=1)[inner].mean() if inner.any() else 0.0
    return float(np.log(away / (mesh.edges_unique_length.mean() + _SMALL) + 1e-3))


def _stance(mesh: trimesh.Trimesh) -> list[float]:
    """How tall it is beside its width and depth, as a log; and how far it leans from the upright: the correlation of
    height with where it is across, the larger of both ways."""
    wide, tall, deep = mesh.bounding_box.extents + _SMALL
    places = mesh.vertices - mesh.vertices.mean(axis=0)
    spread = places.std(axis=0) + _SMALL
    leans = np.abs((places[:, [0, 2]] * places[:, [1]]).mean(axis=0) / (spread[[0, 2]] * spread[1]))
    return [float(np.log(tall / np.sqrt(wide * deep))), float(leans.max())]
