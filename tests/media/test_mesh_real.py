"""Every real mesh that we have: probed as trimesh reads it, drawn, and turned into one file for the viewer."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from annotate.modalities import HEAD_BYTES, sniff
from annotate.modalities.sandbox import MediaSandbox
from annotate.models import Modality
from tests.media.glb import chunks
from tests.media.sandboxed import examine
from tests.paths import SHARED_DATA, needs_shared_data

pytestmark = needs_shared_data
MESHES = sorted((SHARED_DATA / "mesh").glob("*.*")) if SHARED_DATA.is_dir() else []
TEXTURED = {"BoxTextured.glb", "CesiumMilkTruck.glb", "Duck.glb"}


@pytest.fixture(scope="module")
def pool() -> Iterator[MediaSandbox]:
    with MediaSandbox(1) as pool:
        yield pool


@pytest.mark.parametrize("path", MESHES, ids=lambda path: path.name)
def test_probe_is_what_trimesh_says(pool: MediaSandbox, path: Path) -> None:
    data = path.read_bytes()
    kind = sniff(data[:HEAD_BYTES], len(data))
    assert (kind.modality, kind.extension) == (Modality.MESH, path.suffix[1:])
    probe = examine(pool, data, kind.media_type, ()).probe
    # As stored, nothing merged; parts of a scene as often as it shows them.
    mesh = trimesh.load_scene(path, process=False).to_mesh()
    assert (probe["vertices"], probe["faces"]) == (len(mesh.vertices), len(mesh.faces))
    assert np.allclose(probe["bounds"], mesh.bounds, rtol=1e-5, atol=1e-6)
    assert probe["textured"] == (path.name in TEXTURED)
    assert probe["colored"] is probe["points"] is False


@pytest.mark.parametrize("path", MESHES, ids=lambda path: path.name)
def test_web_is_one_file_that_tells_nothing(pool: MediaSandbox, path: Path) -> None:
    data = path.read_bytes()
    media_type = sniff(data[:HEAD_BYTES], len(data)).media_type
    web = examine(pool, data, media_type, ("web",)).made["web"]
    document, _ = chunks(web)
    assert document["asset"] == {"version": "2.0"}
    text = repr(document)
    for word in ("uri", "name", "extras", "generator", "copyright", "camera", "KHR_lights"):
        assert f"'{word}" not in text
    before = trimesh.load_scene(path, process=False).to_mesh()
    after = trimesh.load_scene(io.BytesIO(web), file_type="glb", process=False).to_mesh()
    assert len(after.faces) == len(before.faces)
    corners = before.triangles
    if path.suffix in (".ply", ".stl"):  # which have Z up
        corners = np.stack([corners[..., 0], corners[..., 2], -corners[..., 1]], axis=2)
    size = float(np.ptp(before.bounds, axis=0).max())
    assert np.allclose(after.triangles, corners, atol=1e-6 * size)
    assert bool(document.get("images")) == (path.name in TEXTURED)


def test_sheet_and_thumb(pool: MediaSandbox) -> None:
    (path,) = [path for path in MESHES if path.name == "Duck.glb"]
    opened = examine(pool, path.read_bytes(), "model/gltf-binary", ("sheet", "thumb"))
    assert opened.about["sheet"] == {"media_type": "image/png", "size": len(opened.made["sheet"])} | {
        "width": 1024,
        "height": 512,
    }
    with Image.open(io.BytesIO(opened.made["sheet"])) as sheet:
        assert sheet.info == {}
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    yellow = (pixels[..., 0] > 150) & (pixels[..., 1] > 120) & (pixels[..., 2] < 80)
    tiles = yellow.reshape(2, 256, 4, 256).mean(axis=(1, 3))
    assert (tiles > 0.1).all() and (tiles < 0.6).all()
    with Image.open(io.BytesIO(opened.made["thumb"])) as thumb:
        assert (thumb.format, thumb.size) == ("WEBP", (256, 256))
