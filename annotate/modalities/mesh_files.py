"""PLY, STL and OBJ: checked for what they claim, then read by trimesh, which is given nothing else to open."""

import os
import re
import struct
from typing import Any, BinaryIO, NoReturn

import numpy as np
import trimesh
from trimesh.resolvers import Resolver
from trimesh.visual import TextureVisuals

from annotate.modalities.child import Unfit
from annotate.modalities.mesh_scene import Floats, Part, Scene, check_counts, checked, linear

_HEADER_LINES, _LINE_BYTES = 1000, 4096
_PLY_BYTES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16", "float16"), 2),
    **dict.fromkeys(("int", "uint", "int32", "uint32", "float", "float32"), 4),
    **dict.fromkeys(("double", "float64", "int64", "uint64"), 8),
}
_PIECE = 1024 * 1024


class _Nothing(Resolver):
    """Stands where trimesh looks for materials and textures beside the file."""

    file_name = "mesh"  # what a part without a name is called

    def __init__(self) -> None:
        pass

    def get(self, key: str) -> NoReturn:
        raise FileNotFoundError(key)

    def write(self, name: str, data: Any) -> NoReturn:
        raise PermissionError(name)

    def namespaced(self, namespace: str) -> "_Nothing":
        return self

    def keys(self) -> list[str]:
        return []


def read(source: BinaryIO, media_type: str) -> Scene:
    """
    Raises:
        Unfit: it claims more than it holds or than is taken.
        Exception: whatever trimesh raises at what it cannot read.
    """
    kind = media_type.removeprefix("model/")
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    {"ply": _check_ply, "stl": _check_stl, "obj": _check_obj}[kind](source, size)
    source.seek(0)
    found = trimesh.load(
        source, file_type=kind, resolver=_Nothing(), process=False, skip_materials=True, prefer_color="vertex"
    )
    geometries = list(found.geometry.values()) if isinstance(found, trimesh.Scene) else [found]
    scene = Scene([_part(geometry) for geometry in geometries if hasattr(geometry, "vertices")])
    check_counts(scene.vertices, scene.faces)
    checked(scene)
    if kind != "obj":
        for part in scene.parts:
            part.positions = _upright(part.positions)
            part.normals = None if part.normals is None else _upright(part.normals)
    return scene


def _upright(vectors: Floats) -> Floats:
    """From Z up to Y up."""
    return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], axis=1)


def _part(geometry: Any) -> Part:
    positions = np.asarray(geometry.vertices, np.float64)
    faces = np.asarray(getattr(geometry, "faces", np.zeros((0, 3), np.int64)), np.int64)
    normals = None
    if len(faces) and "vertex_normals" in geometry._cache:  # as the file gave them; asking would make some
        normals = np.asarray(geometry.vertex_normals, np.float64)
    return Part(positions, faces, normals, colors=_colors(geometry, len(positions)))


def _colors(geometry: Any, count: int) -> Floats | None:
    """Of the vertices, in linear light; None if the file has none, or paints all of them white."""
    visual = getattr(geometry, "visual", None)
    if visual is None:
        found = getattr(geometry, "colors", None)
    elif isinstance(visual, TextureVisuals):  # coordinates of a picture that is not here
        found = geometry.vertex_attributes.get("color")
    else:
        found = visual.vertex_colors if visual.kind else None
    if found is None or np.shape(found) not in ((count, 3), (count, 4)):
        return None
    found = np.asarray(found)
    colors = found / 255.0 if found.dtype.kind in "iu" else np.clip(found.astype(np.float64), 0, 1)
    if colors.shape[1] == 3:
        colors = np.pad(colors, ((0, 0), (0, 1)), constant_values=1.0)
    if (colors == 1.0).all():
        return None
    colors[:, :3] = linear(colors[:, :3])
    return colors.astype(np.float32)


def _check_ply(source: BinaryIO, size: int) -> None:
    """Every element that the header announces must have room in the rest of the file."""
    if source.readline(_LINE_BYTES).strip() != b"ply":
        raise Unfit("is not a PLY file.")
    text, elements = False, dict[bytes, int]()
    least = row = count = 0
    for _ in range(_HEADER_LINES):
        line = source.readline(_LINE_BYTES)
        words = line.split()
        if not line.endswith(b"\n"):
            raise Unfit("has a PLY header that does not end.")
        if words[:1] == [b"end_header"]:
            break
        if words[:1] == [b"format"]:
            text = words[1:2] == [b"ascii"]
        elif words[:1] == [b"element"]:
            if len(words) != 3 or not re.fullmatch(rb"\d{1,18}", words[2]) or words[1] in elements:
                raise Unfit(f"announces an element that cannot be read: {line[:80]!r}.")
            least += count * row
            row, count = 0, int(words[2])
            elements[words[1]] = count
        elif words[:1] == [b"property"]:
            kinds = [word.decode("ascii", "replace") for word in words[1:-1]]
            wide = kinds[1:2] if kinds[:1] == ["list"] else kinds
            if not elements or not kinds or any(kind not in _PLY_BYTES for kind in kinds if kind != "list"):
                raise Unfit(f"announces a property that cannot be read: {line[:80]!r}.")
            row += 2 if text else sum(_PLY_BYTES[kind] for kind in wide)
        elif words[:1] not in ([b"comment"], [b"obj_info"], []):
            raise Unfit(f"has a PLY header that cannot be read: {line[:80]!r}.")
    else:
        raise Unfit(f"has a PLY header of more than {_HEADER_LINES:,} lines.")
    least += count * row
    check_counts(elements.get(b"vertex", 0), elements.get(b"face", 0))
    rest = size - source.tell()
    if least > rest + text:
        announced = ", ".join(f"{n:,} {name.decode(errors='replace')[:20]}" for name, n in elements.items())
        raise Unfit(f"announces {announced}: at least {least:,} bytes, of which {rest:,} are there.")


def _check_stl(source: BinaryIO, size: int) -> None:
    head = source.read(84)
    if len(head) == 84 and size == 84 + 50 * struct.unpack_from("<I", head, 80)[0]:
        faces = struct.unpack_from("<I", head, 80)[0]
    else:
        source.seek(0)
        faces = _count(source, re.compile(rb"\bendfacet\b", re.IGNORECASE))
    if not faces:
        raise Unfit("holds no geometry.")
    check_counts(3 * faces, faces)


def _check_obj(source: BinaryIO, size: int) -> None:
    vertices = _count(source, re.compile(rb"(?:^|\n)\s*v\s"))
    source.seek(0)
    check_counts(vertices, _count(source, re.compile(rb"(?:^|\n)\s*f\s")))


def _count(source: BinaryIO, wanted: re.Pattern[bytes]) -> int:
    """How often it stands in a text, of which a piece is looked at at a time, whole lines each."""
    found = 0
    while piece := source.read(_PIECE):
        found += len(wanted.findall(piece + source.readline(_PIECE)))
    return found
