"""The turntable sheet: the same bytes every time, the mesh turning under one light, at one scale."""

import io
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from annotate.modalities import mesh_turntable
from annotate.modalities.mesh_glb import read
from annotate.modalities.mesh_scene import of_glb
from annotate.modalities.sandbox import MediaSandbox
from tests.media.glb import cube, glb, solid
from tests.media.sandboxed import examine

RED, GREEN = (0.8, 0.02, 0.02, 1.0), (0.02, 0.6, 0.02, 1.0)


def two_cubes(scale: float = 1.0) -> bytes:
    """A red cube with a small green one before its front (+Z)."""
    corners, faces = np.array(cube()[0]), np.array(cube()[1])
    positions = np.concatenate([corners, corners * 0.3 + [0, 0, 1.3]])
    colors = np.repeat([RED, GREEN], 8, axis=0)
    return glb(*solid(positions * scale, np.concatenate([faces, faces + 8]), COLOR_0=colors))


@cache
def sheet_of(scale: float) -> bytes:
    """From a process of its own."""
    with MediaSandbox(1) as pool:
        return examine(pool, two_cubes(scale), "model/gltf-binary", ("sheet",)).made["sheet"]


def tiles(sheet: Image.Image) -> npt.NDArray[np.int64]:
    """(view, y, x, rgb)"""
    side = mesh_turntable.TILE
    pixels = np.asarray(sheet.convert("RGB")).astype(np.int64)
    return pixels.reshape(2, side, 4, side, 3).swapaxes(1, 2).reshape(8, side, side, 3)


def colored(pixels: npt.NDArray[np.int64], channel: int) -> npt.NDArray[np.bool_]:
    others = [pixels[..., other] for other in range(3) if other != channel]
    return (pixels[..., channel] > 2 * others[0]) & (pixels[..., channel] > 2 * others[1])


def drawn(document: dict[str, Any], binary: bytes) -> Image.Image:
    return mesh_turntable.sheet(of_glb(read(glb(document, binary), 10**6)))


def test_the_same_bytes_in_every_process_and_at_every_scale() -> None:
    """Large or small, a mesh fills the same share of its tiles. Twos, so that no digit is rounded."""
    assert sheet_of(1.0) == sheet_of(1024.0)


def test_red_where_red_is_expected() -> None:
    with Image.open(io.BytesIO(sheet_of(1.0))) as sheet:
        views = tiles(sheet)
    middle = views[:, 120:136, 120:136]
    seen = colored(middle, 0) | colored(middle, 1)
    assert seen.mean() > 0.95  # the rest is where both meet
    assert colored(middle[4], 0).all()
    for corner in (views[:, :20, :20], views[:, :20, -20:]):
        assert (corner == corner[0, 0, 0]).all()  # nothing there, the same in all
    background = views[0, 0, 0]
    assert np.ptp(background) < 8 and 100 < background.mean() < 170  # a middle grey


def test_the_mesh_turns() -> None:
    with Image.open(io.BytesIO(sheet_of(1.0))) as sheet:
        views = tiles(sheet)
    green = colored(views, 1).sum(axis=(1, 2))
    assert green[0] > 500
    assert green[7] > 500
    assert green[4] == green[3] == 0  # behind the red one
    columns = [np.nonzero(colored(views[view], 1))[1].mean() for view in (0, 7)]
    # The first view stands to the right of the front and sees it on the left; the last one the other way.
    assert columns[0] < 128 < columns[1]


def test_the_light_stays_with_the_camera() -> None:
    """From the upper left: a cube that is turned by a quarter looks the same."""
    views = tiles(drawn(*solid(*cube())))
    assert np.abs(views[0] - views[2]).max() <= 3
    assert np.abs(views[0] - views[1]).max() > 30
    left, right = views[0, 128, 80].mean(), views[0, 128, 193].mean()
    top = views[0, 67, 128].mean()
    assert left > right + 20
    assert top > right + 20


def test_clay_glass_and_holes() -> None:
    """Side by side: a cube without colour, one of half transparent blue, one of which nothing is left."""
    corners, faces = np.array(cube(0.5)[0]), np.array(cube()[1])
    places = np.array([[-2, 0, 0], [0, 0, 0], [2, 0, 0]])
    document, binary = solid((corners + places[:, None]).reshape(-1, 3), faces)
    for number in (1, 2):
        more = (faces + 8 * number).astype(np.uint32).tobytes()
        document["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(more)})
        document["accessors"].append(document["accessors"][1] | {"bufferView": number + 1})
        primitive = {"attributes": {"POSITION": 0}, "indices": number + 1, "material": number - 1}
        document["meshes"][0]["primitives"].append(primitive)
        binary += more
    document["buffers"] = [{"byteLength": len(binary)}]
    document["materials"] = [
        {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 1, alpha]}, "alphaMode": mode}
        for alpha, mode in ((0.5, "BLEND"), (0.4, "MASK"))
    ]
    view = tiles(drawn(document, binary))[0]
    middle, background = view[123:134], view[0, 0]
    left, right = middle[:, :67], middle[:, -67:]
    clay = (np.ptp(left, axis=2) < 12) & (left.mean(axis=2) > background.mean() + 20)
    assert clay.mean() > 0.2
    glass = colored(middle, 2)
    assert 0.1 < glass.mean() < 0.4
    assert middle[glass][:, 0].mean() > 30  # the grey behind it
    assert not colored(right, 2).any()
    assert (np.ptp(right, axis=2) < 12).all()


@pytest.mark.parametrize("count", [500, 60_000])
def test_points_are_drawn_as_points(count: int) -> None:
    """A ball of points, red above and green below."""
    random = np.random.default_rng(7)
    points = random.normal(size=(count, 3))
    points /= np.sqrt((points**2).sum(axis=1, keepdims=True))
    colors = np.where(points[:, 1:2] > 0, RED, GREEN)
    document, binary = solid(points, [], COLOR_0=colors)
    document["meshes"][0]["primitives"][0] = {"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": 0}
    views = tiles(drawn(document, binary))
    above, below = colored(views[:, :128], 0).mean(axis=(1, 2)), colored(views[:, 128:], 1).mean(axis=(1, 2))
    least, most = (0.02, 0.3) if count == 500 else (0.3, 0.8)
    assert (above > least).all() and (above < most).all()
    assert (below > least).all() and (below < most).all()
