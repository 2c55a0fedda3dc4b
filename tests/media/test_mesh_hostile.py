"""Broken and hostile meshes are refused with the reason, within the sandbox's memory and time, and open nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from annotate.modalities import MediaError, lockdown, mesh
from annotate.modalities.sandbox import MediaSandbox
from tests.media.glb import cube, glb, solid
from tests.media.hostile_meshes import HOSTILE, obj_that_names_a_file, ply_that_names_a_file
from tests.media.sandboxed import examine


@pytest.fixture(scope="module")
def pool() -> Iterator[MediaSandbox]:
    before = set(psutil.Process().children(recursive=True))
    with MediaSandbox(1) as pool:
        yield pool
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_the_reason(pool: MediaSandbox, name: str) -> None:
    media_type, make, reason = HOSTILE[name]
    data = make()
    assert len(data) <= mesh.MAX_BYTES
    started = time.monotonic()
    with pytest.raises(MediaError, match=f"^(?:{reason})"):
        examine(pool, data, media_type)
    assert time.monotonic() - started < 30


def test_the_limits_are_those_of_the_sandbox() -> None:
    assert lockdown.MEMORY <= 2 * 1024**3
    assert mesh.PROBE_SECONDS <= 30


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "{there}", "http://127.0.0.1:1/x.mtl"])
def test_files_that_a_mesh_names_are_not_opened(pool: MediaSandbox, tmp_path: Path, path: str) -> None:
    """The same mesh whatever it names: also a file that is there and would paint it red."""
    material = tmp_path / "a.mtl"
    material.write_text("newmtl red\nKd 1 0 0\nmap_Kd a.png\n")
    path = path.format(there=material)
    found = examine(pool, obj_that_names_a_file(path), "model/obj", ("web",))
    assert found.made == examine(pool, obj_that_names_a_file("nothing.mtl"), "model/obj", ("web",)).made
    assert (found.probe["textured"], found.probe["colored"]) == (False, False)
    found = examine(pool, ply_that_names_a_file(path), "model/ply", ("web",))
    assert found.probe["faces"] == 1
    assert b"mtl" not in found.made["web"] and b"passwd" not in found.made["web"]


def test_the_child_goes_on_after_all_of_them(pool: MediaSandbox) -> None:
    assert examine(pool, glb(*solid(*cube())), "model/gltf-binary", ()).probe["faces"] == 12
