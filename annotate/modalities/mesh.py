"""3D: binary glTF, PLY, STL and OBJ. Nothing that such a file names beside itself is ever opened."""

import re
from collections.abc import Sequence

from annotate.modalities.base import Kind
from annotate.models import Modality

KINDS = ("web", "sheet", "thumb")
MAX_BYTES = 512 * 1024 * 1024
PROBE_SECONDS = 30
DERIVE_SECONDS = 300
Z_UP = frozenset({"model/ply", "model/stl"})  # the viewer is given Y up: (x, z, -y)

_OBJ_LINE = re.compile(rb"(?:^|\n)v[ \t]+-?[\d.]+(?:e[+-]?\d+)?[ \t]+-?[\d.]+", re.IGNORECASE)


def sniff(head: bytes, size: int) -> Kind | None:
    if head.startswith(b"glTF") and int.from_bytes(head[4:8], "little") == 2:
        return Kind(Modality.MESH, "model/gltf-binary", "glb")
    if re.match(rb"ply\r?\nformat ", head):
        return Kind(Modality.MESH, "model/ply", "ply")
    # A binary STL tells its number of triangles, of 50 bytes each, after a header of 80 free bytes.
    if size >= 84 and size == 84 + 50 * int.from_bytes(head[80:84], "little"):
        return Kind(Modality.MESH, "model/stl", "stl")
    if head.startswith(b"solid") and b"facet normal" in head:
        return Kind(Modality.MESH, "model/stl", "stl")
    if b"\0" not in head and _OBJ_LINE.search(head):
        return Kind(Modality.MESH, "model/obj", "obj")
    return None


def upright(bounds: Sequence[Sequence[float]], media_type: str) -> list[list[float]]:
    """The lowest and the highest corner as the viewer's GLB has them, of those in the axes of the file."""
    low, high = bounds
    if media_type not in Z_UP:
        return [list(low), list(high)]
    return [[low[0], low[2], -high[1]], [high[0], high[2], -low[1]]]
