"""What a mesh file shows, as arrays: the same for every format, Y up, in the units of the file.

glTF says that Y is up, and so OBJ is taken; PLY and STL, the formats of scanners and printers, have Z up.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from annotate.modalities import mesh_glb
from annotate.modalities.child import Unfit
from annotate.modalities.mesh_glb import Glb

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]

MAX_VERTICES = 5_000_000  # as drawn: a part that is shown twice counts twice
MAX_FACES = 3_000_000
MAX_TEXELS = 8192 * 8192  # of all textures together
MAX_COORDINATE = 1e12
CLAY = (0.68, 0.67, 0.65, 1.0)  # linear: of what has no colour of its own
_OPAQUE, _MASK, _BLEND = "OPAQUE", "MASK", "BLEND"


@dataclass(frozen=True)
class Texture:
    """Where a picture lies on a surface."""

    image: int
    coordinates: int = 0  # which set of texture coordinates
    wrap: tuple[int, int] = (10497, 10497)
    transform: tuple[float, float, float, float, float, float] = (
        1,
        0,
        0,
        0,
        1,
        0,
    )  # rows of 2x3 on (u, v, 1)


@dataclass(frozen=True)
class Material:
    """Of glTF what makes the plain colour of a surface; colours are linear."""

    color: tuple[float, float, float, float] = CLAY
    texture: Texture | None = None
    emitted: tuple[float, float, float] = (0.0, 0.0, 0.0)
    emitted_texture: Texture | None = None
    alpha: str = _OPAQUE
    cutoff: float = 0.5
    unlit: bool = False


@dataclass
class Part:
    """Triangles, or points where there are none, of one material."""

    positions: Floats  # (V, 3), of the scene
    faces: Indices  # (F, 3)
    normals: Floats | None = None  # (V, 3)
    flat: bool = False  # without normals: sharp at every edge
    coordinates: dict[int, Floats] = field(default_factory=dict)  # set -> (V, 2), v downwards as in glTF
    colors: Floats | None = None  # (V, 4), linear
    material: Material = field(default_factory=Material)


@dataclass
class Scene:
    parts: list[Part]
    images: dict[int, Callable[[], Image.Image]] = field(default_factory=dict)
    file_bounds: Floats = field(default_factory=lambda: np.zeros((2, 3)))  # in the axes of the file

    @property
    def vertices(self) -> int:
        return sum(len(part.positions) for part in self.parts)

    @property
    def faces(self) -> int:
        return sum(len(part.faces) for part in self.parts)

    @property
    def bounds(self) -> Floats:
        """(2, 3): lowest and highest corner."""
        lowest = np.min([part.positions.min(axis=0) for part in self.parts], axis=0)
        highest = np.max([part.positions.max(axis=0) for part in self.parts], axis=0)
        return np.stack([lowest, highest])


def checked(scene: Scene) -> Scene:
    """
    Raises:
        Unfit: nothing to see in it, or not at a place that can be shown.
    """
    scene.parts = [part for part in scene.parts if len(part.positions)]
    if not scene.parts:
        raise Unfit("holds no geometry.")
    for part in scene.parts:
        if not np.isfinite(part.positions).all():
            raise Unfit("has coordinates that are no numbers (NaN or infinite).")
        if len(part.faces) and (part.faces.min() < 0 or part.faces.max() >= len(part.positions)):
            raise Unfit(
                f"has faces with vertex {part.faces.max():,}, of which it has {len(part.positions):,}."
            )
    bounds = scene.file_bounds = scene.bounds
    if np.abs(bounds).max() > MAX_COORDINATE:
        raise Unfit(f"reaches to {np.abs(bounds).max():.1e}; at most {MAX_COORDINATE:.0e} can be shown.")
    if float((bounds[1] - bounds[0]).max()) <= max(1e-12, 1e-9 * float(np.abs(bounds).max())):
        raise Unfit("has no extent: all its points are one.")
    return scene


def linear(values: Floats) -> Floats:
    """sRGB as light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def check_counts(vertices: int, faces: int) -> None:
    """
    Raises:
        Unfit: more than is taken.
    """
    if vertices > MAX_VERTICES:
        raise Unfit(f"has {vertices:,} vertices; at most {MAX_VERTICES:,} are taken.")
    if faces > MAX_FACES:
        raise Unfit(f"has {faces:,} faces; at most {MAX_FACES:,} are taken.")


def of_glb(glb: Glb) -> Scene:
    """What a document without compressed geometry shows: its scene, at rest."""
    _count(glb)
    scene = Scene([], {})
    for number in range(len(glb.all("images"))):
        scene.images[number] = partial(_open_image, glb, number)
    reader = _Reader(glb)
    placed: dict[int, Floats] = {}
    for index, above in glb.drawn():
        node = glb.all("nodes")[index]
        own = _matrix(node)
        placed[index] = own if above is None else _product(placed[above], own)
    for index, _ in glb.drawn():
        node = glb.all("nodes")[index]
        if "mesh" in node:
            joints = reader.joints(node["skin"], placed) if "skin" in node else None
            for primitive in glb.all("meshes")[node["mesh"]]["primitives"]:
                part = reader.part(primitive, placed[index], joints)
                scene.parts.append(part)
    return checked(scene)


def _count(glb: Glb) -> None:
    """Before anything is unpacked, what all that is drawn will come to."""
    of_mesh = []
    for mesh in glb.all("meshes"):
        vertices = faces = 0
        for primitive in mesh["primitives"]:
            points = glb.all("accessors")[primitive["attributes"]["POSITION"]]["count"]
            corners = (
                glb.all("accessors")[primitive["indices"]]["count"] if "indices" in primitive else points
            )
            vertices += points
            faces += {4: corners // 3, 5: corners, 6: corners}.get(primitive.get("mode", 4), 0)
        of_mesh.append((vertices, faces))
    vertices = faces = 0
    for index, _ in glb.drawn():
        if "mesh" in glb.all("nodes")[index]:
            more = of_mesh[glb.all("nodes")[index]["mesh"]]
            vertices, faces = vertices + more[0], faces + more[1]
            check_counts(vertices, faces)


def _matrix(node: dict[str, Any]) -> Floats:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", (0, 0, 0, 1)), np.float64)
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turned * np.array(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


class _Reader:
    """Unpacks accessors, each once."""

    _TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}

    def __init__(self, glb: Glb) -> None:
        self._glb = glb
        self._read: dict[int, npt.NDArray[Any]] = {}

    def accessor(self, index: int) -> npt.NDArray[Any]:
        """(count, components), numbers as they are stored."""
        if index not in self._read:
            accessor = self._glb.all("accessors")[index]
            kind = np.dtype(self._TYPES[accessor["componentType"]])
            found = self._elements(accessor, accessor["count"], kind, mesh_glb.COMPONENTS[accessor["type"]])
            if "sparse" in accessor:
                sparse = accessor["sparse"]
                changed = self._TYPES[sparse["indices"]["componentType"]]
                at = self._elements(sparse["indices"], sparse["count"], np.dtype(changed), 1)[:, 0]
                if len(at) and int(at.max()) >= accessor["count"]:
                    raise Unfit(f"has an accessor ({index}) that changes elements that it does not have.")
                found = found.copy()
                found[at] = self._elements(sparse["values"], sparse["count"], kind, found.shape[1])
            self._read[index] = found
        return self._read[index]

    def _elements(
        self, where: dict[str, Any], count: int, kind: np.dtype[Any], components: int
    ) -> npt.NDArray[Any]:
        if "bufferView" not in where:
            return np.zeros((count, components), kind)
        view = self._glb.all("bufferViews")[where["bufferView"]]
        size = kind.itemsize * components
        return np.ndarray(
            (count, components),
            kind,
            self._glb.buffer,
            view.get("byteOffset", 0) + where.get("byteOffset", 0),
            (view.get("byteStride", size), kind.itemsize),
        )

    def floats(self, index: int) -> Floats:
        """As floats; normalised where they are stored as parts of a whole."""
        found = self.accessor(index)
        if self._glb.all("accessors")[index].get("normalized") and found.dtype.kind in "iu":
            return np.maximum(found.astype(np.float32) / np.float32(np.iinfo(found.dtype).max), -1.0)
        return found.astype(np.float32)

    def joints(self, skin: int, placed: dict[int, Floats]) -> Floats:
        """(J, 4, 4) where the joints of a skin put what follows them."""
        entry = self._glb.all("skins")[skin]
        found = np.array([placed.get(joint, np.eye(4)) for joint in entry["joints"]]).reshape(-1, 4, 4)
        if "inverseBindMatrices" in entry:
            inverse = self.floats(entry["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
            found = _product(found, inverse[: len(found)])
        return found

    def part(self, primitive: dict[str, Any], placed: Floats, joints: Floats | None) -> Part:
        named = primitive["attributes"]
        positions: Floats = self.floats(named["POSITION"]).astype(np.float64)
        normals: Floats | None = None
        if "NORMAL" in named:
            normals = self.floats(named["NORMAL"]).astype(np.float64)
        mirrored = float(np.linalg.det(placed[:3, :3])) < 0
        if joints is not None and "JOINTS_0" in named and "WEIGHTS_0" in named:
            at = self.accessor(named["JOINTS_0"]).astype(np.int64)
            weights = self.floats(named["WEIGHTS_0"])
            if len(at) and int(at.max()) >= len(joints):
                raise Unfit(f"has a skin without joint {at.max()}.")
            positions, normals = _skinned(positions, normals, joints, at, weights)
        else:
            if normals is not None:
                normals = _turned(normals, _cofactor(placed[:3, :3]))
            positions = _turned(positions, placed[:3, :3]) + placed[:3, 3]
        faces = self._faces(primitive, len(positions))
        if mirrored:
            faces = faces[:, ::-1]
        colors = None
        if "COLOR_0" in named:
            colors = self.floats(named["COLOR_0"])
            if colors.shape[1] == 3:
                colors = np.pad(colors, ((0, 0), (0, 1)), constant_values=1.0)
        coordinates = {
            number: self.floats(named[f"TEXCOORD_{number}"])
            for number in range(4)
            if f"TEXCOORD_{number}" in named
        }
        counts = {
            len(each) for each in (positions, normals, colors, *coordinates.values()) if each is not None
        }
        if len(counts) > 1:
            raise Unfit("has vertices of which some attributes are missing.")
        material = self._material(primitive, coordinates)
        # Whoever leaves normals out asks for flat faces, says glTF.
        return Part(positions, faces, normals, normals is None, coordinates, colors, material)

    def _faces(self, primitive: dict[str, Any], count: int) -> Indices:
        """Triangles of a list, strip or fan; none of points and lines."""
        if "indices" in primitive:
            corners = self.accessor(primitive["indices"])[:, 0]
            if corners.dtype.kind != "u":
                raise Unfit("has indices that are no whole numbers.")
            corners = corners.astype(np.int64)
        else:
            corners = np.arange(count)
        mode = primitive.get("mode", 4)
        if mode == 4:
            return corners[: len(corners) // 3 * 3].reshape(-1, 3)
        if mode not in (5, 6) or len(corners) < 3:
            return np.zeros((0, 3), np.int64)
        first, second, third = corners[:-2], corners[1:-1], corners[2:]
        if mode == 6:
            return np.stack([np.full_like(second, corners[0]), second, third], axis=1)
        faces = np.stack([first, second, third], axis=1)
        faces[1::2] = faces[1::2][:, [1, 0, 2]]
        return faces

    def _material(self, primitive: dict[str, Any], coordinates: dict[int, Floats]) -> Material:
        if "material" not in primitive:
            return Material()
        entry = self._glb.all("materials")[primitive["material"]]
        more = entry.get("extensions", {})
        pbr = entry.get("pbrMetallicRoughness", {})
        color, texture = pbr.get("baseColorFactor", (1, 1, 1, 1)), pbr.get("baseColorTexture")
        if glossy := more.get("KHR_materials_pbrSpecularGlossiness"):
            color, texture = glossy.get("diffuseFactor", (1, 1, 1, 1)), glossy.get("diffuseTexture")
        strength = more.get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1.0)
        emitted = [min(1.0, float(value) * strength) for value in entry.get("emissiveFactor", (0, 0, 0))]
        red, green, blue, alpha = (float(value) for value in color)
        material = Material(
            color=(red, green, blue, alpha),
            texture=self._texture(texture, coordinates),
            emitted=(emitted[0], emitted[1], emitted[2]),
            emitted_texture=self._texture(entry.get("emissiveTexture"), coordinates),
            alpha=entry.get("alphaMode", _OPAQUE),
            cutoff=float(entry.get("alphaCutoff", 0.5)),
            unlit="KHR_materials_unlit" in more,
        )
        if material == replace(Material(), color=(1.0, 1.0, 1.0, 1.0)):
            return Material()  # says nothing: clay, like what has no material
        return material

    def _texture(self, info: dict[str, Any] | None, coordinates: dict[int, Floats]) -> Texture | None:
        image = self._glb.texture_image(info["index"]) if info else None
        if info is None or image is None:
            return None
        entry = self._glb.all("textures")[info["index"]]
        sampler = self._glb.all("samplers")[entry["sampler"]] if "sampler" in entry else {}
        wrap = (sampler.get("wrapS", 10497), sampler.get("wrapT", 10497))
        moved = info.get("extensions", {}).get(mesh_glb.TRANSFORM, {})
        which = moved.get("texCoord", info.get("texCoord", 0))
        if which not in coordinates:
            return None
        (x, y), (wide, high) = moved.get("offset", (0, 0)), moved.get("scale", (1, 1))
        cos, sin = float(np.cos(moved.get("rotation", 0))), float(np.sin(moved.get("rotation", 0)))
        transform = (cos * wide, sin * high, x, -sin * wide, cos * high, y)
        return Texture(image, which, wrap, transform)


def _product(first: Floats, second: Floats) -> Floats:
    """Of matrices (..., 4, 4). Not by linear algebra libraries, whose sums depend on the machine."""
    terms = [first[..., :, n, None] * second[..., n, None, :] for n in range(4)]
    return ((terms[0] + terms[1]) + terms[2]) + terms[3]


def _turned(vectors: Floats, matrix: Floats) -> Floats:
    """Vectors (N, 3) by one matrix (3, 3), or each by its own (N, 3, 3)."""
    x, y, z = vectors.T
    rows = [matrix[..., row, 0] * x + matrix[..., row, 1] * y + matrix[..., row, 2] * z for row in range(3)]
    return np.stack(rows, axis=1)


def _cofactor(matrix: Floats) -> Floats:
    """Turns normals as `matrix` turns surfaces, whatever it stretches, and also if it flattens."""
    x, y, z = matrix.T
    return np.stack([np.cross(y, z), np.cross(z, x), np.cross(x, y)], axis=1)


def _skinned(
    positions: Floats, normals: Floats | None, joints: Floats, at: Indices, weights: Floats
) -> tuple[Floats, Floats | None]:
    """Vertices where their joints hold them."""
    moved = np.zeros_like(positions)
    turned = np.zeros_like(positions)
    for number in range(at.shape[1]):
        matrix, weight = joints[at[:, number]], weights[:, number, None]
        moved += weight * (_turned(positions, matrix[:, :3, :3]) + matrix[:, :3, 3])
        if normals is not None:
            turned += weight * _turned(normals, matrix[:, :3, :3])
    return moved, None if normals is None else turned


def check_images(scene: Scene) -> None:
    """
    Raises:
        Unfit: a texture is broken, or they are too large together.
    """
    texels = 0
    for number, opened in scene.images.items():
        try:
            with opened() as image:
                texels += image.width * image.height
                if texels <= MAX_TEXELS:
                    image.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise Unfit(f"has a texture ({number}) that cannot be read: {str(error)[:100]}.") from None
        if texels > MAX_TEXELS:
            raise Unfit(f"has textures of more than {MAX_TEXELS:,} pixels together.")


def _open_image(glb: Glb, number: int) -> Image.Image:
    return Image.open(io.BytesIO(glb.image(number)[0]), formats=["PNG", "JPEG", "WEBP"])
