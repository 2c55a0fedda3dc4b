"""Metadata of meshes: names, comments, tools, authors and licences go, and so do other files' names.

Geometry, colours, materials and the pictures of a GLB stay byte for byte; pictures lose their own metadata.
"""

import re
import struct
from collections.abc import Callable

from annotate.modalities import mesh_glb
from annotate.modalities.base import MediaError

_ANY_COUNT = 2**63  # probing had its limits; nothing is unpacked here
_OBJ_NUMBERS = re.compile(rb"(?:v|vt|vn|f|l|p|s)(?:[ \t]+(?:[-+\d.eE/]+|off|nan|inf))+")
_OBJ_NAMES = {b"o", b"g", b"usemtl"}
_STL_NAMES = re.compile(rb"^([ \t]*(?:end)?solid)\b[^\r\n]*", re.IGNORECASE | re.MULTILINE)


def strip_metadata(data: bytes, media_type: str) -> bytes:
    """The mesh with the same geometry and no metadata. `media_type` is one of STRIPPERS.

    Raises:
        MediaError: not a whole file of this type.
    """
    return STRIPPERS[media_type](data)


def _glb(data: bytes) -> bytes:
    return mesh_glb.clean(mesh_glb.read(data, _ANY_COUNT))


def _ply(data: bytes) -> bytes:
    end = re.search(rb"^end_header[ \t]*\r?\n", data, re.MULTILINE)
    if not end:
        raise MediaError("has a PLY header that does not end.")
    header = data[: end.end()].splitlines(keepends=True)
    return (
        b"".join(line for line in header if line.split()[:1] not in ([b"comment"], [b"obj_info"]))
        + (data[end.end() :])
    )


def _stl(data: bytes) -> bytes:
    if len(data) >= 84 and len(data) == 84 + 50 * struct.unpack_from("<I", data, 80)[0]:
        return bytes(80) + data[80:]
    return _STL_NAMES.sub(rb"\1", data)


def _obj(data: bytes) -> bytes:
    """Numbers as they are written. Names of groups and materials become numbers in the order of their coming."""
    names: dict[bytes, bytes] = {}
    kept = []
    for line in data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").splitlines():
        line = line.partition(b"#")[0].strip()
        word, _, name = line.partition(b" ")
        if word in _OBJ_NAMES:
            kept.append(word + b" " + names.setdefault(word + b" " + name.strip(), b"%d" % (len(names) + 1)))
        elif _OBJ_NUMBERS.fullmatch(line):
            kept.append(line)
    return b"\n".join([*kept, b""])


STRIPPERS: dict[str, Callable[[bytes], bytes]] = {
    "model/gltf-binary": _glb,
    "model/ply": _ply,
    "model/stl": _stl,
    "model/obj": _obj,
}
