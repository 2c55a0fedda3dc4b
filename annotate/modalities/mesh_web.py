"""PLY, STL and OBJ as binary glTF, for the viewer: the normals that the sheet has, colours in linear light."""

from typing import Any

import numpy as np
import numpy.typing as npt

from annotate.modalities import mesh_glb
from annotate.modalities.mesh_normals import smooth_corners
from annotate.modalities.mesh_scene import CLAY, Part, Scene

_VERTICES, _CORNERS = 34962, 34963  # what a view is for
_FLOAT, _SHORT, _INT = 5126, 5123, 5125


def glb_of(scene: Scene) -> bytes:
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "accessors": [],
        "materials": [
            {
                "doubleSided": True,
                "pbrMetallicRoughness": {
                    "baseColorFactor": list(color),
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.8,
                },
            }
            for color in (CLAY, (1.0, 1.0, 1.0, 1.0))
        ],
    }
    views: list[tuple[dict[str, Any], bytes]] = []

    def add(values: npt.NDArray[Any], component: int, kind: str, target: int, **more: Any) -> int:
        views.append(({"target": target}, values.tobytes()))
        entry = {"bufferView": len(views) - 1, "componentType": component, "count": len(values), "type": kind}
        document["accessors"].append(entry | more)
        return len(document["accessors"]) - 1

    # Far from the origin 32 bits are too coarse for what the viewer draws around the middle.
    middle = scene.bounds.mean(axis=0)
    primitives = []
    for part in scene.parts:
        part, corners = _indexed(part)
        places = (part.positions - middle).astype(np.float32)
        extremes = {"min": places.min(axis=0).tolist(), "max": places.max(axis=0).tolist()}
        attributes = {"POSITION": add(places, _FLOAT, "VEC3", _VERTICES, **extremes)}
        if part.normals is not None:
            attributes["NORMAL"] = add(part.normals.astype(np.float32), _FLOAT, "VEC3", _VERTICES)
        if part.colors is not None:
            colors = np.rint(part.colors * 65535).astype(np.uint16)
            attributes["COLOR_0"] = add(colors, _SHORT, "VEC4", _VERTICES, normalized=True)
        primitive = {"attributes": attributes, "material": int(part.colors is not None), "mode": 0}
        if corners is not None:
            primitive |= {"indices": add(corners, _INT, "SCALAR", _CORNERS), "mode": 4}
        primitives.append(primitive)
    document["meshes"] = [{"primitives": primitives}]
    document["nodes"] = [{"mesh": 0, "translation": middle.tolist()}]
    return mesh_glb.write(document, views)


def _indexed(part: Part) -> tuple[Part, npt.NDArray[np.uint32] | None]:
    """The part with a normal for each vertex, which is there twice where an edge is sharp; and its corners in a row."""
    if not len(part.faces):
        return part, None
    if part.normals is None:
        normals, of_corner = smooth_corners(part.positions, part.faces)
        pairs, corners = np.unique(
            of_corner.ravel() * len(part.positions) + part.faces.ravel(), return_inverse=True
        )
        normal, vertex = np.divmod(pairs, len(part.positions))
        colors = None if part.colors is None else part.colors[vertex]
        part = Part(part.positions[vertex], corners.reshape(-1, 3), normals[normal], colors=colors)
    assert part.normals is not None
    length = np.sqrt((part.normals**2).sum(axis=1, keepdims=True))
    part.normals = np.where(length > 0, part.normals / np.where(length > 0, length, 1.0), (0.0, 1.0, 0.0))
    return part, part.faces.ravel().astype(np.uint32)
