"""Meshes that are broken or made to harm, made by code: what each is, and what must be said of it."""

import base64
import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from tests.media.glb import cube, glb, solid

GLB, PLY, STL, OBJ = "model/gltf-binary", "model/ply", "model/stl", "model/obj"
MILLIARD = 1_000_000_000
HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {}

_PLY_HEAD = "ply\nformat {kind} 1.0\nelement vertex {vertices}\nproperty float x\nproperty float y\nproperty float z\n"
_PLY_FACES = "element face {faces}\nproperty list {count} int vertex_indices\nend_header\n"


def hostile(media_type: str, reason: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def note(make: Callable[[], bytes]) -> Callable[[], bytes]:
        HOSTILE[make.__name__] = (media_type, make, reason)
        return make

    return note


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A cube whose document was changed."""
    document, binary = solid(*cube())
    change(document)
    return glb(document, binary)


def with_image(**image: Any) -> bytes:
    return changed(lambda document: document.update(images=[image], textures=[{"source": 0}]))


@hostile(GLB, "keeps its geometry in 'http://example.org/a.bin'")
def buffer_from_the_network() -> bytes:
    return changed(lambda document: document["buffers"][0].update(uri="http://example.org/a.bin"))


@hostile(GLB, "keeps its geometry in 'file:///etc/passwd'")
def buffer_from_a_file() -> bytes:
    return changed(lambda document: document["buffers"][0].update(uri="file:///etc/passwd"))


@hostile(GLB, "keeps its geometry in 'data:application/octet-stream")
def buffer_in_the_json() -> bytes:
    uri = "data:application/octet-stream;base64," + base64.b64encode(bytes(300)).decode()
    return changed(lambda document: document["buffers"][0].update(uri=uri))


@hostile(GLB, "takes a texture from '../../secret.png'")
def texture_from_a_file() -> bytes:
    return with_image(uri="../../secret.png")


@hostile(GLB, "takes a texture from 'http://169.254.169.254/latest'")
def texture_from_the_network() -> bytes:
    return with_image(uri="http://169.254.169.254/latest")


@hostile(GLB, "takes a texture from 'data:text/html")
def texture_that_is_a_page() -> bytes:
    return with_image(uri="data:text/html;base64,PHNjcmlwdD4=")


@hostile(GLB, "has a texture \\(0\\) that is neither PNG, JPEG nor WebP")
def texture_that_is_a_drawing() -> bytes:
    return with_image(uri="data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode())


@hostile(GLB, "has a texture in its JSON that cannot be decoded")
def texture_that_is_no_base64() -> bytes:
    return with_image(uri="data:image/png;base64,@@@")


@hostile(GLB, "has textures of more than 67,108,864 pixels together")
def texture_that_is_a_bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    return with_image(uri="data:image/png;base64," + base64.b64encode(out.getvalue()).decode())


@hostile(GLB, "has a texture \\(0\\) that cannot be read")
def texture_that_ends_early() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(out, "PNG")
    return with_image(uri="data:image/png;base64," + base64.b64encode(out.getvalue()[:9000]).decode())


@hostile(GLB, "has an accessor \\(0\\) of 4,294,967,296 elements")
def accessor_of_2_32() -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["accessors"][0]["count"] = 2**32
        del document["accessors"][0]["bufferView"]

    return changed(change)


@hostile(GLB, "has an accessor \\(0\\) that ends")
def accessor_beyond_its_view() -> bytes:
    return changed(lambda document: document["accessors"][0].update(count=4_000_000))


@hostile(GLB, "has an accessor \\(0\\) that ends")
def accessor_far_behind_its_view() -> bytes:
    return changed(lambda document: document["accessors"][0].update(byteOffset=2**62))


@hostile(GLB, "is not valid glTF: byteOffset is -4")
def accessor_before_its_view() -> bytes:
    return changed(lambda document: document["accessors"][0].update(byteOffset=-4))


@hostile(GLB, "has a view \\(0\\) that ends at")
def view_beyond_its_buffer() -> bytes:
    return changed(lambda document: document["bufferViews"][0].update(byteLength=10**12))


@hostile(GLB, "claims 1,000,000,000 bytes of geometry")
def buffer_that_is_not_there() -> bytes:
    return changed(lambda document: document["buffers"][0].update(byteLength=MILLIARD))


@hostile(GLB, "has 6,000,000 vertices; at most 5,000,000 are taken")
def too_many_vertices_of_nothing() -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["accessors"][0]["count"] = 6_000_000
        del document["accessors"][0]["bufferView"]

    return changed(change)


@hostile(GLB, "has 3,000,012 faces; at most 3,000,000 are taken")
def one_mesh_shown_a_million_times() -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["nodes"] = [{"mesh": 0} for _ in range(90_000)]
        document["scenes"] = [{"nodes": list(range(90_000)) * 10}]

    return changed(change)


@hostile(GLB, "has 100,001 nodes; at most 100,000 are taken")
def too_many_nodes() -> bytes:
    return changed(lambda document: document.update(nodes=[{}] * 100_001))


@hostile(GLB, "has nodes that stand above themselves")
def nodes_in_a_circle() -> bytes:
    return changed(lambda document: document.update(nodes=[{"children": [1]}, {"children": [0], "mesh": 0}]))


@hostile(GLB, "has a node \\(1\\) with two parents")
def node_with_two_parents() -> bytes:
    nodes = [{"children": [1]}, {"mesh": 0}, {"children": [1]}]
    return changed(lambda document: document.update(nodes=nodes))


@hostile(GLB, "has a node \\(0\\) with two parents")
def node_that_is_its_own_child() -> bytes:
    return changed(lambda document: document.update(nodes=[{"children": [0], "mesh": 0}]))


@hostile(GLB, "holds no geometry")
def nodes_below_each_other_and_nothing_at_the_end() -> bytes:
    nodes: list[dict[str, Any]] = [{"children": [number + 1]} for number in range(99_999)]
    return changed(lambda document: document.update(nodes=[*nodes, {}]))


@hostile(GLB, "has JSON that is nested too deep")
def json_nested_deep() -> bytes:
    return glb(b'{"asset":{"version":"2.0"},"extras":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


@hostile(GLB, "has JSON that is nested too deep|cannot be read as model/gltf-binary")
def json_nested_nearly_too_deep() -> bytes:
    return glb(b'{"asset":{"version":"2.0"},"nodes":[{"rotation":' + b"[" * 900 + b"]" * 900 + b"}]}")


@hostile(GLB, "has JSON that cannot be read: NaN is no number")
def json_with_nan() -> bytes:
    return glb(b'{"asset":{"version":"2.0"},"nodes":[{"translation":[NaN,0,0]}]}')


@hostile(GLB, "describes itself in 16,777,220 bytes of JSON")
def json_without_end() -> bytes:
    return glb(b'{"asset":{"version":"2.0"}}'.ljust(16 * 2**20 + 4))


@hostile(GLB, "has JSON that cannot be read")
def json_that_is_none() -> bytes:
    return glb(b"<script>alert(1)</script>")


@hostile(GLB, "has JSON that is no glTF")
def json_that_is_a_list() -> bytes:
    return glb(b"[1, 2]")


@hostile(GLB, "is not valid glTF")
def words_where_numbers_belong() -> bytes:
    return changed(lambda document: document["meshes"][0].update(primitives="all of them"))


@hostile(GLB, "points at accessors 99, of which it has 2")
def attribute_without_accessor() -> bytes:
    return changed(lambda document: document["meshes"][0]["primitives"][0]["attributes"].update(POSITION=99))


@hostile(GLB, "has faces with vertex 4,294,967,295, of which it has 8")
def face_without_vertex() -> bytes:
    document, binary = solid(*cube())
    return glb(document, binary[:96] + b"\xff" * 4 + binary[100:])


@hostile(GLB, "needs the glTF extension EXT_meshopt_compression, which is not read here")
def extension_that_is_not_known() -> bytes:
    return changed(lambda document: document.update(extensionsRequired=["EXT_meshopt_compression"]))


@hostile(GLB, "is not whole")
def glb_that_ends_early() -> bytes:
    return changed(lambda document: None)[:-60]


@hostile(GLB, "is not whole")
def glb_that_is_a_header() -> bytes:
    return b"glTF\2\0\0\0\x0c\0\0\0"


@hostile(GLB, "has coordinates that are no numbers")
def glb_at_nan() -> bytes:
    points = np.array(cube()[0])
    points[3, 1] = np.nan
    return glb(*solid(points, cube()[1]))


@hostile(GLB, "has coordinates that are no numbers|reaches to")
def glb_scaled_to_infinity() -> bytes:
    return changed(lambda document: document["nodes"][0].update(scale=[1e308, 1e308, 1e308]))


@hostile(GLB, "cannot be read as model/gltf-binary|announces|could not be opened")
def draco_that_is_none() -> bytes:
    def change(document: dict[str, Any]) -> None:
        primitive = document["meshes"][0]["primitives"][0]
        extension = {"bufferView": 0, "attributes": {"POSITION": 0}}
        primitive["extensions"] = {"KHR_draco_mesh_compression": extension}
        document["extensionsRequired"] = ["KHR_draco_mesh_compression"]

    return changed(change)


@hostile(PLY, "has 1,000,000,000 vertices; at most 5,000,000 are taken")
def ply_of_a_milliard_vertices() -> bytes:
    return (_PLY_HEAD.format(kind="binary_little_endian", vertices=MILLIARD) + "end_header\n").encode()


@hostile(PLY, "has 1,000,000,000 faces; at most 3,000,000 are taken")
def ply_of_a_milliard_faces() -> bytes:
    head = _PLY_HEAD.format(kind="binary_little_endian", vertices=3)
    return (head + _PLY_FACES.format(faces=MILLIARD, count="uchar")).encode() + bytes(36)


@hostile(PLY, "announces 4,000,000 vertex: at least 48,000,000 bytes, of which 12 are there")
def ply_of_vertices_that_are_not_there() -> bytes:
    head = _PLY_HEAD.format(kind="binary_little_endian", vertices=4_000_000)
    return (head + "end_header\n").encode() + bytes(12)


@hostile(PLY, "announces 4,000,000 vertex: at least")
def text_ply_of_vertices_that_are_not_there() -> bytes:
    return (_PLY_HEAD.format(kind="ascii", vertices=4_000_000) + "end_header\n0 0 0\n").encode()


@hostile(PLY, "announces")
def ply_of_other_elements_without_end() -> bytes:
    head = _PLY_HEAD.format(kind="binary_little_endian", vertices=1)
    return (head + f"element dust {MILLIARD}\nproperty double d\nend_header\n").encode() + bytes(12)


@hostile(PLY, "cannot be read|announces|memory|could not be opened")
def ply_of_a_face_without_end() -> bytes:
    head = _PLY_HEAD.format(kind="binary_little_endian", vertices=3)
    head += _PLY_FACES.format(faces=2, count="uint")
    return head.encode() + bytes(36) + struct.pack("<I", 0xFFFFFFF0) + bytes(400)


@hostile(PLY, "has a PLY header that does not end")
def ply_without_data() -> bytes:
    return _PLY_HEAD.format(kind="ascii", vertices=3).encode()


@hostile(PLY, "has a PLY header of more than 1,000 lines")
def ply_that_is_all_header() -> bytes:
    return b"ply\nformat ascii 1.0\n" + b"comment x\n" * 5000 + b"end_header\n"


@hostile(PLY, "announces an element that cannot be read")
def ply_of_negative_vertices() -> bytes:
    return (_PLY_HEAD.format(kind="ascii", vertices=-5) + "end_header\n").encode()


@hostile(PLY, "announces a property that cannot be read")
def ply_of_unknown_numbers() -> bytes:
    return b"ply\nformat ascii 1.0\nelement vertex 3\nproperty object x\nend_header\n0\n0\n0\n"


@hostile(PLY, "has coordinates that are no numbers")
def ply_at_infinity() -> bytes:
    head = _PLY_HEAD.format(kind="ascii", vertices=3) + _PLY_FACES.format(faces=1, count="uchar")
    return (head + "0 0 0\ninf 1 0\n0 1 nan\n3 0 1 2\n").encode()


@hostile(PLY, "has faces with vertex 7, of which it has 3")
def ply_face_without_vertex() -> bytes:
    head = _PLY_HEAD.format(kind="ascii", vertices=3) + _PLY_FACES.format(faces=1, count="uchar")
    return (head + "0 0 0\n1 1 0\n0 1 0\n3 0 1 7\n").encode()


@hostile(STL, "has 12,000,000,000 vertices|cannot be read|holds no geometry")
def stl_of_four_milliard_triangles() -> bytes:
    return bytes(80) + struct.pack("<I", 4_000_000_000) + bytes(500)


@hostile(STL, "has 6,000,000 vertices; at most 5,000,000 are taken")
def stl_of_too_many_triangles() -> bytes:
    return bytes(80) + struct.pack("<I", 2_000_000) + bytes(50 * 2_000_000)


@hostile(STL, "has no extent")
def stl_of_one_point() -> bytes:
    triangle = struct.pack("<12fH", *[0.0] * 3, *[5.0] * 9, 0)
    return bytes(80) + struct.pack("<I", 3) + triangle * 3


@hostile(STL, "has coordinates that are no numbers")
def stl_at_nan() -> bytes:
    return bytes(80) + struct.pack("<I", 1) + struct.pack("<12fH", *[0.0] * 3, *[float("nan")] * 9, 0)


@hostile(STL, "holds no geometry")
def stl_of_nothing() -> bytes:
    return bytes(84)


@hostile(STL, "cannot be read|holds no geometry")
def stl_of_words() -> bytes:
    return b"solid x\nfacet normal a b c\nouter loop\nvertex one two three\nendloop\nendfacet\nendsolid\n"


@hostile(OBJ, "has 5,000,001 vertices; at most 5,000,000 are taken")
def obj_of_too_many_vertices() -> bytes:
    return b"v 0 0 0\n" * 5_000_001 + b"f 1 2 3\n"


@hostile(OBJ, "cannot be read|has faces with vertex")
def obj_face_without_vertex() -> bytes:
    return b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 900000000\n"


@hostile(OBJ, "has coordinates that are no numbers|cannot be read")
def obj_at_nan() -> bytes:
    return b"v 0 0 0\nv nan 0 0\nv 0 1e999 0\nf 1 2 3\n"


@hostile(OBJ, "holds no geometry|cannot be read")
def obj_of_nothing() -> bytes:
    return b"# nothing here\nmtllib ../../../etc/passwd\nusemtl root\n"


@hostile(OBJ, "has no extent")
def obj_of_one_point() -> bytes:
    return b"v 1 2 3\n" * 3 + b"f 1 2 3\n"


def obj_that_names_a_file(path: str) -> bytes:
    """Harmless but for what it asks for."""
    return f"mtllib {path}\nusemtl red\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n".encode()


def ply_that_names_a_file(path: str) -> bytes:
    head = _PLY_HEAD.format(kind="ascii", vertices=3) + _PLY_FACES.format(faces=1, count="uchar")
    return (
        head.replace("1.0\n", f"1.0\ncomment TextureFile {path}\n") + "0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
    ).encode()
