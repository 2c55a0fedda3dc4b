"""What is seen of a 3D model: its geometry, and signal features of its turntable sheet."""

from typing import BinaryIO

import numpy as np
import trimesh
from PIL import Image

from workers.reward_models.base import MediumRef
from workers.reward_models.features import pictures

VERSION = "mesh-1"
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
        return [0.0, float(np.log1p(count)), *[0.0] * 10, *looks, 1.0]
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
        *looks,
        0.0,
    ]
