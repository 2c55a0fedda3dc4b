"""Binary glTF as a document: checked for whatever it could do to its reader, and cleaned of what is no geometry.

Nothing here unpacks geometry; JSON and offsets are all that is looked at, so a file that claims too much is
refused before anything is made for it.
"""

import base64
import binascii
import json
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from annotate.modalities import image_metadata
from annotate.modalities.base import MediaError

MAX_JSON = 16 * 1024 * 1024
MAX_NODES = 100_000
MAX_IMAGES = 256
COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
DRACO = "KHR_draco_mesh_compression"
TRANSFORM = "KHR_texture_transform"
_WEBP = "EXT_texture_webp"
_LIGHTS = "KHR_lights_punctual"

Json = dict[str, Any]

# What may stay of a file: the words of glTF for what is seen, and no word of anybody's.
_LISTS = (
    "accessors animations bufferViews buffers cameras images materials meshes nodes samplers scenes skins textures"
).split()
_KEPT = set(
    """
    accessors animations asset bufferViews buffers cameras extensions images materials meshes nodes samplers scene
    scenes skins textures
    bufferView byteOffset byteLength byteStride target componentType normalized count type max min sparse indices
    values
    channels input output interpolation node path sampler
    aspectRatio yfov zfar znear xmag ymag perspective orthographic
    mimeType index texCoord scale strength offset rotation source magFilter minFilter wrapS wrapT
    pbrMetallicRoughness baseColorFactor baseColorTexture metallicFactor roughnessFactor metallicRoughnessTexture
    normalTexture occlusionTexture emissiveTexture emissiveFactor alphaMode alphaCutoff doubleSided
    primitives weights attributes material mode targets children matrix translation mesh skin camera
    inverseBindMatrices joints skeleton
    anisotropyStrength anisotropyRotation anisotropyTexture clearcoatFactor clearcoatTexture
    clearcoatRoughnessFactor clearcoatRoughnessTexture clearcoatNormalTexture dispersion emissiveStrength ior
    iridescenceFactor iridescenceTexture iridescenceIor iridescenceThicknessMinimum iridescenceThicknessMaximum
    iridescenceThicknessTexture diffuseFactor diffuseTexture specularFactor glossinessFactor
    specularGlossinessTexture sheenColorFactor sheenColorTexture sheenRoughnessFactor sheenRoughnessTexture
    specularTexture specularColorFactor specularColorTexture transmissionFactor transmissionTexture
    thicknessFactor thicknessTexture attenuationDistance attenuationColor
    lights light color intensity range spot innerConeAngle outerConeAngle
    """.split()
)
_ATTRIBUTE = re.compile(r"POSITION|NORMAL|TANGENT|(TEXCOORD|COLOR|JOINTS|WEIGHTS)_\d+", re.ASCII)
_MATERIALS = (
    "anisotropy clearcoat dispersion emissive_strength ior iridescence pbrSpecularGlossiness sheen specular"
    " transmission unlit volume"
).split()
EXTENSIONS = {DRACO, TRANSFORM, _WEBP, _LIGHTS, "KHR_mesh_quantization"} | {
    f"KHR_materials_{name}" for name in _MATERIALS
}
_WORDS = {"type", "path", "interpolation", "alphaMode"}
_WORD = re.compile(r"[\w/.]{1,40}", re.ASCII)


@dataclass
class Glb:
    """A checked document: every index in it points at something, every range lies within `buffer`."""

    json: Json
    buffer: memoryview

    def all(self, name: str) -> list[Json]:
        found: list[Json] = self.json.get(name, [])
        return found

    def view(self, index: int) -> memoryview:
        view = self.all("bufferViews")[index]
        start = view.get("byteOffset", 0)
        return self.buffer[start : start + view["byteLength"]]

    def image(self, index: int) -> tuple[bytes, str]:
        """The bytes and media type of an image."""
        image = self.all("images")[index]
        data = bytes(self.view(image["bufferView"])) if "bufferView" in image else _data_uri(image["uri"])
        return data, _image_type(data)

    def drawn(self) -> Iterator[tuple[int, int | None]]:
        """(node, the node above it) for each node of the scene that is shown, those above first."""
        scenes, nodes = self.all("scenes"), self.all("nodes")
        if scenes:
            roots = scenes[self.json.get("scene", 0)].get("nodes", [])
        else:
            below = {child for node in nodes for child in node.get("children", ())}
            roots = [index for index in range(len(nodes)) if index not in below]
        waiting: list[tuple[int, int | None]] = [(root, None) for root in reversed(roots)]
        while waiting:
            index, above = waiting.pop()
            yield index, above
            waiting += [(child, index) for child in reversed(nodes[index].get("children", []))]

    def texture_image(self, index: int) -> int | None:
        """The image of a texture."""
        texture = self.all("textures")[index]
        webp = texture.get("extensions", {}).get(_WEBP, {})
        found: int | None = webp.get("source", texture.get("source"))
        return found


def read(data: bytes, most: int) -> Glb:
    """
    Args:
        most: elements that one accessor may have.

    Raises:
        MediaError: broken, beyond a limit, names other files, or needs what is not read here.
    """
    document, buffer = _chunks(data)
    glb = Glb(document, buffer)
    try:
        _check(glb, most)
    except RecursionError:
        raise MediaError("has JSON that is nested too deep.") from None
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise MediaError(f"is not valid glTF: {str(error)[:100] or type(error).__name__}.") from None
    return glb


def _chunks(data: bytes) -> tuple[Json, memoryview]:
    try:
        magic, version, length, size, kind = struct.unpack_from("<4sIIII", data)
    except struct.error:
        raise MediaError("is not whole: it ends within its header.") from None
    if magic != b"glTF" or version != 2:
        raise MediaError("is not binary glTF 2.")
    if length > len(data):
        raise MediaError(f"is not whole: {len(data):,} of its {length:,} bytes are there.")
    if kind != 0x4E4F534A or 20 + size > length:
        raise MediaError("is not whole: its JSON ends too early.")
    if size > MAX_JSON:
        raise MediaError(f"describes itself in {size:,} bytes of JSON; at most {MAX_JSON:,} are taken.")
    try:
        document = json.loads(str(data[20 : 20 + size], "utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise MediaError("has JSON that is nested too deep.") from None
    except ValueError as error:
        raise MediaError(f"has JSON that cannot be read: {str(error)[:100]}.") from None
    if not isinstance(document, dict):
        raise MediaError("has JSON that is no glTF.")
    at = 20 + size + (-size & 3)
    if at + 8 > length:
        return document, memoryview(b"")
    size, kind = struct.unpack_from("<II", data, at)
    if kind != 0x004E4942 or at + 8 + size > length:
        raise MediaError("is not whole: its binary part ends too early.")
    return document, memoryview(data)[at + 8 : at + 8 + size]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check(glb: Glb, most: int) -> None:
    document = glb.json
    for required in document.get("extensionsRequired", []):
        if required not in EXTENSIONS:
            raise MediaError(
                f"needs the glTF extension {str(required)[:60]}, which is not read here: export it without."
            )
    for name in _LISTS:
        if not all(isinstance(entry, dict) for entry in glb.all(name)):
            raise MediaError(f"is not valid glTF: {name} holds what is no object.")
    _check_buffers(glb)
    for number, accessor in enumerate(glb.all("accessors")):
        _check_accessor(glb, number, accessor, most)
    _check_images(glb)
    _check_meshes(glb)
    _check_nodes(glb)
    if "scene" in document:
        _index(glb, "scenes", document["scene"])
    for scene in glb.all("scenes"):
        for node in scene.get("nodes", []):
            _index(glb, "nodes", node)


def _index(glb: Glb, name: str, index: Any) -> int:
    if type(index) is not int or not 0 <= index < len(glb.all(name)):
        raise MediaError(f"points at {name} {str(index)[:20]}, of which it has {len(glb.all(name))}.")
    return index


def _natural(entry: Json, key: str, default: int | None = None) -> int:
    value = entry.get(key, default)
    if type(value) is not int or value < 0:
        raise MediaError(f"is not valid glTF: {key} is {str(value)[:20]}.")
    return value


def _check_buffers(glb: Glb) -> None:
    buffers = glb.all("buffers")
    for buffer in buffers:
        if "uri" in buffer:
            raise MediaError(
                f"keeps its geometry in {str(buffer['uri'])[:60]!r}; nothing outside the file is opened:"
                " export it with everything in one file."
            )
    if len(buffers) > 1:
        raise MediaError(f"has {len(buffers)} buffers; binary glTF has room for one.")
    if buffers and _natural(buffers[0], "byteLength") > len(glb.buffer):
        raise MediaError(
            f"claims {buffers[0]['byteLength']:,} bytes of geometry, of which {len(glb.buffer):,} are there."
        )
    for number, view in enumerate(glb.all("bufferViews")):
        _index(glb, "buffers", view["buffer"])
        end = _natural(view, "byteOffset", 0) + _natural(view, "byteLength")
        if end > buffers[0]["byteLength"]:
            raise MediaError(f"has a view ({number}) that ends at {end:,}, beyond its buffer.")
        if "byteStride" in view and not 4 <= _natural(view, "byteStride") <= 252:
            raise MediaError(f"has a view ({number}) of {view['byteStride']} bytes a step; 4 to 252 can be.")


def element_bytes(accessor: Json) -> int:
    """Bytes of one element; the columns of matrices of small numbers begin at multiples of four."""
    size = COMPONENT_BYTES[accessor["componentType"]]
    rows = {"MAT2": 2, "MAT3": 3, "MAT4": 4}.get(accessor["type"])
    if rows:
        return rows * (rows * size + (-rows * size & 3))
    return size * COMPONENTS[accessor["type"]]


def _check_accessor(glb: Glb, number: int, accessor: Json, most: int) -> None:
    count = _natural(accessor, "count")
    if count > most:
        raise MediaError(f"has an accessor ({number}) of {count:,} elements; at most {most:,} are taken.")
    size = element_bytes(accessor)
    if "bufferView" in accessor:
        _check_range(glb, number, accessor, count, size)
    if "sparse" in accessor:
        sparse = accessor["sparse"]
        changed = _natural(sparse, "count")
        if changed > count:
            raise MediaError(f"has an accessor ({number}) that changes more elements than it has.")
        _check_range(
            glb, number, sparse["indices"], changed, COMPONENT_BYTES[sparse["indices"]["componentType"]]
        )
        _check_range(glb, number, sparse["values"], changed, size)


def _check_range(glb: Glb, number: int, where: Json, count: int, size: int) -> None:
    view = glb.all("bufferViews")[_index(glb, "bufferViews", where["bufferView"])]
    stride = view.get("byteStride", size)
    end = _natural(where, "byteOffset", 0) + (stride * (count - 1) + size if count else 0)
    if end > view["byteLength"]:
        raise MediaError(
            f"has an accessor ({number}) that ends {end - view['byteLength']:,} bytes beyond its view."
        )


def _check_images(glb: Glb) -> None:
    images = glb.all("images")
    if len(images) > MAX_IMAGES:
        raise MediaError(f"has {len(images):,} images; at most {MAX_IMAGES} are taken.")
    for number, image in enumerate(images):
        if "bufferView" in image:
            _index(glb, "bufferViews", image["bufferView"])
        elif not str(image["uri"]).startswith("data:image/"):
            raise MediaError(
                f"takes a texture from {str(image['uri'])[:60]!r}; nothing outside the file is opened:"
                " export it with everything in one file."
            )
        if not _image_type(glb.image(number)[0]):
            raise MediaError(f"has a texture ({number}) that is neither PNG, JPEG nor WebP.")
    for texture in glb.all("textures"):
        if "source" in texture:
            _index(glb, "images", texture["source"])
        if _WEBP in texture.get("extensions", {}):
            _index(glb, "images", texture["extensions"][_WEBP]["source"])
    for material in glb.all("materials"):
        for info in textures_of(material):
            _index(glb, "textures", info["index"])


def textures_of(value: Any) -> Iterator[Json]:
    """Every reference to a texture within a material."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.endswith("Texture") and isinstance(inner, dict):
                yield inner
            elif name != "extras":
                yield from textures_of(inner)


def _check_meshes(glb: Glb) -> None:
    for mesh in glb.all("meshes"):
        for primitive in mesh["primitives"]:
            for index in primitive["attributes"].values():
                _index(glb, "accessors", index)
            for target in primitive.get("targets", []):
                for index in target.values():
                    _index(glb, "accessors", index)
            if "indices" in primitive:
                _index(glb, "accessors", primitive["indices"])
            if "material" in primitive:
                _index(glb, "materials", primitive["material"])
            if DRACO in primitive.get("extensions", {}):
                _index(glb, "bufferViews", primitive["extensions"][DRACO]["bufferView"])
    for skin in glb.all("skins"):
        for joint in skin["joints"]:
            _index(glb, "nodes", joint)
        if "inverseBindMatrices" in skin:
            _index(glb, "accessors", skin["inverseBindMatrices"])
    for animation in glb.all("animations"):
        for sampler in animation["samplers"]:
            _index(glb, "accessors", sampler["input"])
            _index(glb, "accessors", sampler["output"])


def _check_nodes(glb: Glb) -> None:
    """Every node has one parent at most and is not above itself."""
    nodes = glb.all("nodes")
    if len(nodes) > MAX_NODES:
        raise MediaError(f"has {len(nodes):,} nodes; at most {MAX_NODES:,} are taken.")
    parent: dict[int, int] = {}
    for number, node in enumerate(nodes):
        for child in node.get("children", []):
            if parent.setdefault(_index(glb, "nodes", child), number) != number or child == number:
                raise MediaError(f"has a node ({child}) with two parents.")
        for key, name in (("mesh", "meshes"), ("skin", "skins")):
            if key in node:
                _index(glb, name, node[key])
    rooted = set(range(len(nodes))) - parent.keys()
    waiting = list(rooted)
    while waiting:
        for child in nodes[waiting.pop()].get("children", []):
            rooted.add(child)
            waiting.append(child)
    if len(rooted) < len(nodes):
        raise MediaError("has nodes that stand above themselves.")


def _data_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    try:
        if not comma or not head.endswith(";base64"):
            raise ValueError
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MediaError("has a texture in its JSON that cannot be decoded.") from None


def _image_type(data: bytes) -> str:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def clean(glb: Glb, *, staged: bool = False) -> bytes:
    """The file with the bytes of its geometry as they are, and no name, comment, licence, tool or hidden data.

    Pictures within lose their metadata, and stand in the binary part whatever they stood in before. With
    `staged`, cameras and lights go too: it will be shown under ours.
    """
    try:
        document: Json = _cleaned(glb.json)
    except RecursionError:
        raise MediaError("has JSON that is nested too deep.") from None
    document["asset"] = {"version": "2.0"}
    if staged:
        _unstage(document)
    views: list[tuple[Json, bytes]] = []
    moved: dict[int, int] = {}

    def keep(index: int) -> int:
        if index not in moved:
            moved[index] = len(views)
            views.append((dict(document["bufferViews"][index]), bytes(glb.view(index))))
        return moved[index]

    for name in ("accessors", "meshes"):
        _move_views(document.get(name, []), keep)
    for number, image in enumerate(document.get("images", [])):
        data, media_type = glb.image(number)
        image.clear()
        image |= {"mimeType": media_type, "bufferView": len(views)}
        try:
            views.append(({}, image_metadata.strip_metadata(data, media_type)))
        except MediaError as error:
            raise MediaError(f"has a texture ({number}) that {error}") from None
    _use_extensions(document, glb.json)
    return write(document, views)


def _cleaned(value: Any, known: Callable[[str], object] = _KEPT.__contains__) -> Any:
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value if not isinstance(inner, str)]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, inner in value.items():
        if not known(name) or (isinstance(inner, str) and not (name in _WORDS and _WORD.fullmatch(inner))):
            continue
        if name == "extensions":
            if known_ones := _cleaned(inner, EXTENSIONS.__contains__):
                kept[name] = known_ones
        elif name in ("attributes", "targets"):
            kept[name] = _attributes(inner)
        else:
            kept[name] = _cleaned(inner)
    return kept


def _attributes(value: Any) -> Any:
    if isinstance(value, list):
        return [_attributes(inner) for inner in value]
    return {name: index for name, index in value.items() if _ATTRIBUTE.fullmatch(name)}


def _unstage(document: Json) -> None:
    document.pop("cameras", None)
    for entry in (document, *document.get("nodes", [])):
        entry.pop("camera", None)
        extensions = entry.get("extensions", {})
        extensions.pop(_LIGHTS, None)
        if extensions == {}:
            entry.pop("extensions", None)


def _move_views(value: Any, keep: Callable[[int], int]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "bufferView":
                value[name] = keep(inner)
            else:
                _move_views(inner, keep)
    elif isinstance(value, list):
        for inner in value:
            _move_views(inner, keep)


def _use_extensions(document: Json, before: Json) -> None:
    """Say which extensions are in use after some of them went."""
    used: set[str] = {"KHR_mesh_quantization"} & set(before.get("extensionsUsed", []))
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            used |= value.get("extensions", {}).keys()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    required = used & set(before.get("extensionsRequired", []))
    document |= {"extensionsUsed": sorted(used)} if used else {}
    document |= {"extensionsRequired": sorted(required)} if required else {}


def write(document: Json, views: list[tuple[Json, bytes]]) -> bytes:
    """A file of this document, with these views of its one buffer, each at a multiple of four bytes."""
    buffer = bytearray()
    entries = []
    for view, data in views:
        entry = {"buffer": 0, "byteOffset": len(buffer), "byteLength": len(data)}
        entries.append(entry | {key: view[key] for key in ("byteStride", "target") if key in view})
        buffer += data + bytes(-len(data) & 3)
    document.pop("bufferViews", None)
    document.pop("buffers", None)
    if entries:
        document |= {"bufferViews": entries, "buffers": [{"byteLength": len(buffer)}]}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    text += b" " * (-len(text) & 3)
    binary = struct.pack("<I4s", len(buffer), b"BIN\0") + buffer if buffer else b""
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
