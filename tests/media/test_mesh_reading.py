"""What meshes say in less common ways is read as it is meant, and reaches the viewer."""

import io
from typing import Any

import DracoPy
import numpy as np
import pytest
import trimesh

from annotate.modalities import mesh_draco, mesh_glb
from annotate.modalities.mesh_child import examine
from annotate.modalities.mesh_normals import smooth_corners
from annotate.modalities.mesh_scene import of_glb
from tests.media.glb import chunks, cube, glb, solid

BALL = trimesh.creation.icosphere(2)


def triangles(data: bytes) -> Any:
    """All triangles of what is shown, as we read them."""
    scene = of_glb(mesh_glb.read(data, 10**6))
    return np.concatenate([part.positions[part.faces] for part in scene.parts])


def by_trimesh(data: bytes) -> Any:
    return trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False).to_mesh().triangles


def web_of(data: bytes, media_type: str = "model/gltf-binary") -> tuple[dict[str, Any], bytes]:
    target = io.BytesIO()
    probe, made = examine(io.BytesIO(data), media_type, {"web": target})
    assert made == {"web": {"media_type": "model/gltf-binary"}}
    return probe, target.getvalue()


def draco_ball() -> bytes:
    packed = DracoPy.encode(np.array(BALL.vertices), np.array(BALL.faces), quantization_bits=16)
    number = DracoPy.decode(packed).attributes[0]["unique_id"]
    document, _ = solid(BALL.vertices, BALL.faces)
    for accessor in document["accessors"]:
        del accessor["bufferView"]
    extension = {"bufferView": 0, "attributes": {"POSITION": number}}
    document["meshes"][0]["primitives"][0]["extensions"] = {mesh_glb.DRACO: extension}
    document |= {
        "bufferViews": [{"buffer": 0, "byteLength": len(packed)}],
        "buffers": [{"byteLength": len(packed)}],
        "extensionsUsed": [mesh_glb.DRACO],
        "extensionsRequired": [mesh_glb.DRACO],
    }
    return glb(document, packed)


def test_draco_is_unpacked_for_the_viewer_and_kept_for_the_release() -> None:
    data = draco_ball()
    probe, web = web_of(data)
    assert (probe["vertices"], probe["faces"]) == (len(BALL.vertices), len(BALL.faces))
    assert np.allclose(probe["bounds"], BALL.bounds, atol=1e-3)
    assert mesh_glb.DRACO not in repr(chunks(web)[0])
    found = by_trimesh(web)
    order = [np.argsort(each.mean(axis=1).round(2) @ [10_000, 100, 1]) for each in (found, BALL.triangles)]
    assert np.allclose(
        np.sort(found[order[0]].mean(axis=1), axis=0),
        np.sort(BALL.triangles[order[1]].mean(axis=1), axis=0),
        atol=1e-3,
    )
    kept = mesh_glb.clean(mesh_glb.read(data, 10**6))
    document, binary = chunks(kept)
    assert document["extensionsRequired"] == [mesh_glb.DRACO]
    assert binary.rstrip(b"\0") == chunks(data)[1].rstrip(b"\0")


def test_draco_that_holds_less_than_announced_is_refused() -> None:
    document, binary = chunks(draco_ball())
    document["accessors"][0]["count"] += 1
    with pytest.raises(mesh_draco.Unfit, match="announces 163 elements"):
        examine(io.BytesIO(glb(document, binary)), "model/gltf-binary", {})


def test_nodes_move_turn_mirror_and_repeat_their_meshes() -> None:
    document, binary = solid(*cube())
    document["nodes"] = [
        {"children": [1, 2], "rotation": [0, 0.6, 0, 0.8], "scale": [1, 2, 3]},
        {"mesh": 0, "translation": [5, 0, 1]},
        {"mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 4, 0, 1], "children": [3]},
        {"mesh": 0, "scale": [0.5, 0.5, 0.5]},
    ]
    data = glb(document, binary)
    found, expected = triangles(data), by_trimesh(data)
    assert len(found) == 36
    assert np.allclose(np.sort(found.reshape(-1, 9), axis=0), np.sort(expected.reshape(-1, 9), axis=0))
    outwards = (np.cross(found[:, 1] - found[:, 0], found[:, 2] - found[:, 0])).sum(axis=1)
    assert (outwards != 0).any()
    solid_again = trimesh.Trimesh(*trimesh.triangles.to_kwargs(found).values())
    assert solid_again.is_winding_consistent and solid_again.volume > 0  # also the mirrored ones


@pytest.mark.parametrize("mode", [5, 6])
def test_strips_and_fans(mode: int) -> None:
    document, binary = solid([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0]], [0, 1, 2, 3, 4])
    document["meshes"][0]["primitives"][0]["mode"] = mode
    found = triangles(glb(document, binary))
    expected = {5: [[0, 1, 2], [2, 1, 3], [2, 3, 4]], 6: [[0, 1, 2], [0, 2, 3], [0, 3, 4]]}[mode]
    positions = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0]])
    assert np.array_equal(found, positions[expected])


def test_sparse_accessors_and_steps_between_elements() -> None:
    corners, faces = cube()
    rows = np.zeros((8, 5), "<f4")
    rows[:, :3] = corners
    changed = np.array([7], "<u2").tobytes() + bytes(2) + np.array([9, 9, 9], "<f4").tobytes()
    indices = np.array(faces, "<u4").tobytes()
    document, _ = solid(corners, faces)
    document["bufferViews"] = [
        {"buffer": 0, "byteLength": 160, "byteStride": 20},
        {"buffer": 0, "byteOffset": 160, "byteLength": len(indices)},
        {"buffer": 0, "byteOffset": 160 + len(indices), "byteLength": 16},
    ]
    document["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": 2, "componentType": 5123},
        "values": {"bufferView": 2, "byteOffset": 4},
    }
    document["buffers"] = [{"byteLength": 176 + len(indices)}]
    data = glb(document, rows.tobytes() + indices + changed)
    expected = np.array(corners)
    expected[7] = 9
    assert np.array_equal(triangles(data), expected[faces])
    assert np.array_equal(triangles(web_of(data)[1]), expected[faces])


def test_a_skin_holds_its_vertices_where_the_joints_are() -> None:
    corners, faces = cube()
    document, binary = solid(corners, faces)
    joints = np.zeros((8, 4), "<u2").tobytes()
    weights = np.tile(np.array([1, 0, 0, 0], "<f4"), (8, 1)).tobytes()
    for data, component in ((joints, 5123), (weights, 5126)):
        document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        view = len(document["bufferViews"]) - 1
        document["accessors"].append(
            {"bufferView": view, "componentType": component, "count": 8, "type": "VEC4"}
        )
        binary += data
    document["meshes"][0]["primitives"][0]["attributes"] |= {"JOINTS_0": 2, "WEIGHTS_0": 3}
    document["buffers"] = [{"byteLength": len(binary)}]
    document["nodes"] = [{"mesh": 0, "skin": 0, "translation": [100, 0, 0]}, {"translation": [0, 7, 0]}]
    document |= {"skins": [{"joints": [1]}], "scenes": [{"nodes": [0, 1]}]}
    assert np.array_equal(triangles(glb(document, binary)), np.add(corners, [0, 7, 0])[faces])


def test_colours_of_ply_and_obj_reach_the_viewer_as_light() -> None:
    ply = (
        b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
        b"property uchar red\nproperty uchar green\nproperty uchar blue\nelement face 1\n"
        b"property list uchar int vertex_indices\nend_header\n0 0 0 188 0 0\n1 0 0 188 0 0\n0 0 1 188 0 0\n3 0 1 2\n"
    )
    obj = b"v 0 0 0 0.7373 0 0\nv 1 0 0 0.7373 0 0\nv 0 0 1 0.7373 0 0\nf 1 2 3\n"
    for data, media_type in ((ply, "model/ply"), (obj, "model/obj")):
        probe, web = web_of(data, media_type)
        assert (probe["colored"], probe["textured"], probe["points"]) == (True, False, False)
        (part,) = of_glb(mesh_glb.read(web, 100)).parts
        assert part.colors is not None
        assert np.allclose(part.colors, [0.5, 0, 0, 1], atol=0.005)


def test_points_stay_points() -> None:
    ply = (
        b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
        b"0 0 0\n1 2 3\n0 5 1\n"
    )
    probe, web = web_of(ply, "model/ply")
    assert (probe["vertices"], probe["faces"], probe["points"]) == (3, 0, True)
    assert probe["bounds"] == [[0, 0, 0], [1, 5, 3]]
    (primitive,) = chunks(web)[0]["meshes"][0]["primitives"]
    assert primitive["mode"] == 0


def test_round_things_are_round_and_cubes_have_edges() -> None:
    normals, corners = smooth_corners(np.array(BALL.vertices), np.array(BALL.faces))
    assert len(normals) == len(BALL.vertices)
    assert np.allclose(normals[corners], BALL.vertices[BALL.faces], atol=0.03)
    positions, faces = (np.array(each) for each in cube())
    normals, corners = smooth_corners(positions, faces)
    assert len(normals) == 24
    assert np.allclose(np.abs(normals).max(axis=1), 1)
    # The same from a file that shares no vertex, as STL is.
    apart, own = positions[faces].reshape(-1, 3), np.arange(36).reshape(-1, 3)
    again, corners_again = smooth_corners(apart, own)
    assert np.array_equal(again[corners_again], normals[corners])
