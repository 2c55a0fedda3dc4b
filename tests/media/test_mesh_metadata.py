"""Released meshes: the same geometry, and no name, comment, tool, author or other file in it."""

import io
import struct
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from annotate.modalities import HEAD_BYTES, sniff
from annotate.modalities.base import MediaError
from annotate.modalities.mesh_metadata import strip_metadata
from tests.media.glb import chunks, cube, glb, solid
from tests.paths import SHARED_DATA, needs_shared_data

SECRET = "made by Ada with Suzanne 3"
POINTS = arrays.arrays(
    np.float32, st.tuples(st.integers(3, 12), st.just(3)), elements=st.floats(-1000, 1000, width=32)
)


def triangles(points: Any) -> Any:
    """A fan over all points."""
    return np.array([[0, n, n + 1] for n in range(1, len(points) - 1)], np.uint32)


def ply(points: Any, faces: Any, note: str = "") -> bytes:
    notes = f"comment {note}\nobj_info {note}\ncomment TextureFile {note}.png\n" if note else ""
    head = (
        f"ply\nformat binary_little_endian 1.0\n{notes}element vertex {len(points)}\nproperty float x\n"
        f"property float y\nproperty float z\nelement face {len(faces)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    rows = b"".join(struct.pack("<B3i", 3, *face) for face in faces.tolist())
    return head.encode() + points.astype("<f4").tobytes() + rows


def stl(points: Any, faces: Any, note: str = "") -> bytes:
    rows = b"".join(struct.pack("<12fH", 0, 0, 0, *points[face].ravel().tolist(), 7) for face in faces)
    return note.encode().ljust(80, b"\0") + struct.pack("<I", len(faces)) + rows


def obj(points: Any, faces: Any, note: str = "") -> bytes:
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in points.tolist()]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces.tolist()]
    if note:
        lines = [f"# {note}", f"mtllib {note}.mtl", f"o {note}", *lines[:2], f"usemtl {note}", *lines[2:]]
        lines[-1] += f" # {note}"
    return "\n".join([*lines, ""]).encode()


def noted_glb(points: Any, faces: Any, note: str = "") -> bytes:
    document, binary = solid(points, faces)
    if note:
        document["asset"] |= {"generator": note, "copyright": note, "extras": {"author": note}}
        document["nodes"][0] |= {"name": note, "extras": note}
        document["meshes"][0] |= {"name": note, "extras": {"targetNames": [note]}}
        document |= {"extensionsUsed": ["KHR_xmp_json_ld", note], "note": note, "extras": [note]}
        document["extensions"] = {"KHR_xmp_json_ld": {"packets": [{"dc:creator": note}]}}
        document["meshes"][0]["primitives"][0]["attributes"][f"_{note}"] = 0
        binary += note.encode().ljust(40)
        document["buffers"] = [{"byteLength": len(binary), "name": note}]
    return glb(document, binary)


KINDS = {"model/ply": ply, "model/stl": stl, "model/obj": obj, "model/gltf-binary": noted_glb}


@pytest.mark.parametrize("media_type", KINDS)
@settings(max_examples=25, deadline=None)
@given(points=POINTS)
def test_noted_and_plain_become_the_same_bytes(media_type: str, points: Any) -> None:
    """So nothing of the note is left, and nothing else is lost."""
    make, faces = KINDS[media_type], triangles(points)
    noted = make(points, faces, SECRET)
    assert SECRET.encode() in noted
    stripped = strip_metadata(noted, media_type)
    assert SECRET.encode() not in stripped
    again = strip_metadata(stripped, media_type)
    assert again == stripped
    loaded = trimesh.load_mesh(io.BytesIO(stripped), file_type=_extension(media_type), process=False)
    assert np.array_equal(np.asarray(loaded.triangles, np.float32), points[faces])
    if media_type == "model/gltf-binary":
        plain = strip_metadata(make(points, faces), media_type)
        assert chunks(plain) == chunks(stripped)
    elif media_type != "model/obj":
        assert stripped == make(points, faces)


def _extension(media_type: str) -> str:
    return {"model/gltf-binary": "glb"}.get(media_type, media_type.removeprefix("model/"))


def test_obj_keeps_what_belongs_together() -> None:
    text = b"o a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red\nf 1 2 3\nusemtl blue\nf 1 \\\n3 2\nusemtl red\nf 2 1 3\n"
    assert strip_metadata(text, "model/obj") == (
        b"o 1\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl 2\nf 1 2 3\nusemtl 3\nf 1  3 2\nusemtl 2\nf 2 1 3\n"
    )


def test_ascii_stl_loses_the_names_of_its_solids() -> None:
    facet = b"facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
    text = b"solid " + SECRET.encode() + b"\n" + facet + b"endsolid " + SECRET.encode() + b"\n"
    assert strip_metadata(text, "model/stl") == b"solid\n" + facet + b"endsolid\n"


def test_pictures_within_lose_their_metadata_and_keep_their_pixels() -> None:
    info = PngInfo()
    info.add_text("Author", SECRET)
    out = io.BytesIO()
    Image.new("RGB", (5, 4), "teal").save(out, "PNG", pnginfo=info)
    document, binary = solid(*cube())
    picture = {"buffer": 0, "byteOffset": len(binary), "byteLength": out.tell()}
    document["bufferViews"].append(picture)
    document["buffers"] = [{"byteLength": len(binary) + out.tell()}]
    document |= {
        "images": [{"bufferView": len(document["bufferViews"]) - 1, "mimeType": "image/png", "name": SECRET}],
        "textures": [{"source": 0}],
        "materials": [{"name": SECRET, "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }
    stripped = strip_metadata(glb(document, binary + out.getvalue()), "model/gltf-binary")
    assert SECRET.encode() not in stripped
    after, kept = chunks(stripped)
    assert after["materials"] == [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    view = after["bufferViews"][after["images"][0]["bufferView"]]
    with Image.open(io.BytesIO(kept[view["byteOffset"] :][: view["byteLength"]])) as image:
        assert (image.size, image.getpixel((0, 0)), image.info) == ((5, 4), (0, 128, 128), {})


def test_what_materials_animations_cameras_and_lights_say_stays() -> None:
    document, binary = solid(*cube())
    document |= {
        "materials": [
            {
                "alphaMode": "MASK",
                "alphaCutoff": 0.25,
                "doubleSided": True,
                "emissiveFactor": [1, 0, 0],
                "extensions": {
                    "KHR_materials_clearcoat": {"clearcoatFactor": 0.5},
                    "KHR_materials_unlit": {},
                },
            }
        ],
        "animations": [
            {
                "channels": [{"sampler": 0, "target": {"node": 0, "path": "translation"}}],
                "samplers": [{"input": 0, "output": 0, "interpolation": "STEP"}],
            }
        ],
        "cameras": [{"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}],
        "extensionsUsed": ["KHR_lights_punctual", "KHR_materials_clearcoat", "KHR_materials_unlit"],
        "extensions": {"KHR_lights_punctual": {"lights": [{"type": "point", "color": [1, 1, 1]}]}},
    }
    document["nodes"][0] |= {"camera": 0, "extensions": {"KHR_lights_punctual": {"light": 0}}}
    after, kept = chunks(strip_metadata(glb(document, binary), "model/gltf-binary"))
    assert after == document
    assert kept == binary


def test_broken_files_are_refused() -> None:
    for media_type in ("model/gltf-binary", "model/ply"):
        with pytest.raises(MediaError):
            strip_metadata(b"", media_type)


@needs_shared_data
@pytest.mark.parametrize("path", sorted((SHARED_DATA / "mesh").glob("*.*")), ids=lambda path: path.name)
def test_real_meshes_keep_their_geometry(path: Any) -> None:
    data = path.read_bytes()
    kind = sniff(data[:HEAD_BYTES], len(data))
    stripped = strip_metadata(data, kind.media_type)
    for word in (
        b"COLLADA",
        b"Blender",
        b"Wings",
        b"zipper",
        b"VCGLIB",
        b"fuze uv",
        b"rabbit.mtl",
        b"Suzanne",
    ):
        assert word not in stripped
    assert sniff(stripped[:HEAD_BYTES], len(stripped)) == kind
    before = trimesh.load_scene(path, process=False).to_mesh()
    after = trimesh.load_scene(io.BytesIO(stripped), file_type=kind.extension, process=False).to_mesh()
    assert np.array_equal(before.triangles, after.triangles)
