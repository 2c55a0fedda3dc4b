"""Binary glTF made by hand, so that it can say what no exporter would."""

import json
import struct
from typing import Any

import numpy as np


def chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary part of a file."""
    (size,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + size])
    return document, data[28 + size :]


def glb(document: dict[str, Any] | bytes, binary: bytes = b"", *, length: int | None = None) -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += bytes(-len(binary) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        body += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body) if length is None else length) + body


def solid(positions: Any, faces: Any, **attributes: Any) -> tuple[dict[str, Any], bytes]:
    """A document of one mesh, with vertex attributes as arrays of floats, and its binary part."""
    arrays = {"POSITION": positions, **attributes}
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {}, "indices": len(arrays)}]}],
        "accessors": [],
        "bufferViews": [],
    }
    binary = b""
    for name, values in [*arrays.items(), (None, np.ravel(faces))]:
        values = np.asarray(values, np.float32 if name else np.uint32)
        kind = f"VEC{values.shape[1]}" if name else "SCALAR"
        if name:
            document["meshes"][0]["primitives"][0]["attributes"][name] = len(document["accessors"])
        document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": values.nbytes})
        document["accessors"].append(
            {
                "bufferView": len(document["accessors"]),
                "componentType": 5126 if name else 5125,
                "count": len(values),
                "type": kind,
            }
        )
        binary += values.tobytes()
    document["buffers"] = [{"byteLength": len(binary)}]
    return document, binary


def cube(size: float = 1.0) -> tuple[list[list[float]], list[list[int]]]:
    """Corners and triangles of a cube around the origin, wound outwards, vertices shared."""
    corners = [[x, y, z] for x in (-size, size) for y in (-size, size) for z in (-size, size)]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, [list(face) for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
