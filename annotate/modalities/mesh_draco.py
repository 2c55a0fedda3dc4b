"""Geometry that is compressed with Draco, unpacked, so that no page needs a decoder."""

import json
from typing import Any

import DracoPy
import numpy as np

from annotate.modalities import mesh_glb
from annotate.modalities.child import Unfit
from annotate.modalities.mesh_glb import DRACO, Glb

_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}


def unpacked(glb: Glb) -> Glb:
    """The document with plain buffers in place of Draco's.

    Raises:
        Unfit: what is unpacked is not what the document announces.
    """
    packed = [
        primitive
        for mesh in glb.all("meshes")
        for primitive in mesh["primitives"]
        if DRACO in primitive.get("extensions", {})
    ]
    if not packed:
        return glb
    plain = Glb(json.loads(json.dumps(glb.json)), glb.buffer)
    buffer = bytearray(glb.buffer)
    filled: set[int] = set()
    for mesh in plain.all("meshes"):
        for primitive in mesh["primitives"]:
            extension = primitive.get("extensions", {}).pop(DRACO, None)
            if extension:
                found = DracoPy.decode(bytes(glb.view(extension["bufferView"])))
                for name, number in extension["attributes"].items():
                    values = found.get_attribute_by_unique_id(number)["data"]
                    _fill(plain, buffer, filled, primitive["attributes"][name], values)
                if "indices" in primitive:
                    corners = found.faces.reshape(-1, 1)
                    plain.all("accessors")[primitive["indices"]]["componentType"] = 5125
                    _fill(plain, buffer, filled, primitive["indices"], corners)
    for name in ("extensionsUsed", "extensionsRequired"):
        plain.json[name] = [each for each in plain.json.get(name, []) if each != DRACO]
    plain.json["buffers"] = [{"byteLength": len(buffer)}]
    plain.buffer = memoryview(buffer)
    return plain


def _fill(glb: Glb, buffer: bytearray, filled: set[int], index: int, values: Any) -> None:
    """Let an accessor point at these values, behind all that is in the buffer."""
    accessor = glb.all("accessors")[index]
    if index in filled:
        return
    filled.add(index)
    shape = (accessor["count"], mesh_glb.COMPONENTS[accessor["type"]])
    if values.shape != shape:
        raise Unfit(f"announces {shape[0]:,} elements ({index}) of which Draco holds {len(values):,}.")
    data = np.ascontiguousarray(values, _TYPES[accessor["componentType"]])
    # Vertices stand at multiples of four bytes.
    wide = data.shape[1] * data.itemsize
    step = wide + (-wide & 3) if accessor["type"] != "SCALAR" else wide
    rows = np.zeros((len(data), step), np.uint8)
    rows[:, :wide] = data.view(np.uint8).reshape(len(data), wide)
    buffer += bytes(-len(buffer) & 3)
    view = {"buffer": 0, "byteOffset": len(buffer), "byteLength": rows.size}
    if step != wide:
        view["byteStride"] = step
    buffer += rows.tobytes()
    accessor["bufferView"] = len(glb.all("bufferViews"))
    accessor["byteOffset"] = 0
    glb.json["bufferViews"].append(view)
