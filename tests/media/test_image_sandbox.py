"""Images are opened in a child that has no network and little memory, and that may die."""

import ctypes
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import psutil
import pytest
from PIL import Image

from annotate.modalities import image, lockdown
from annotate.modalities.base import MediaError
from annotate.modalities.sandbox import Examined, MediaSandbox, Request
from tests.media.pictures import animation, coded, exif, picture, pixels, srgb_profile
from tests.media.sandboxed import Opened, examine, kind_of


@pytest.fixture(scope="module")
def images() -> Iterator[MediaSandbox]:
    with MediaSandbox(2) as pool:
        yield pool


def web(examined: Opened) -> Image.Image:
    return Image.open(io.BytesIO(examined.made["web"]))


def big_png(width: int, height: int) -> bytes:
    """The head of an image of this size, with a stripe of data: small as a file, large when unpacked."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("JPEG", {"quality": 90, "subsampling": 0}), ("WEBP", {"lossless": True}), ("GIF", {})],
)
def test_renditions(images: MediaSandbox, format: str, options: dict[str, object]) -> None:
    data = coded(format, picture(400, 300), **options)
    examined = examine(images, data, f"image/{format.lower()}")
    assert {"width": 400, "height": 300, "frames": 1}.items() <= examined.probe.items()
    assert list(examined.made) == ["web", "thumb"]
    assert {about["media_type"] for about in examined.about.values()} == {"image/webp"}
    assert pixels(examined.made["web"]) == pixels(data)  # what is judged is the picture itself
    assert {"width": 320, "height": 240}.items() <= examined.about["thumb"].items()


def test_a_jpeg_of_halved_colours_is_shown_in_about_its_own_size(images: MediaSandbox) -> None:
    """And so like it that its own loss is the greater one."""
    whole = picture(400, 300)
    data = coded("JPEG", whole, quality=90, subsampling=2)
    shown = examine(images, data, "image/jpeg").made["web"]
    assert len(shown) < 2 * len(data)
    given, jpeg, ours = (
        np.frombuffer(pixels(one)[0], np.uint8).astype(float) for one in (coded("PNG", whole), data, shown)
    )
    assert np.abs(ours - jpeg).mean() < max(1.0, np.abs(jpeg - given).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(images: MediaSandbox, orientation: int) -> None:
    data = coded("JPEG", picture(60, 20), exif=exif(orientation), quality=95)
    examined = examine(images, data, "image/jpeg")
    size = (60, 20) if orientation < 5 else (20, 60)
    shown = web(examined)
    assert (examined.probe["width"], examined.probe["height"]) == shown.size == size
    assert not shown.getexif() and b"SECRETCAMERA" not in examined.made["web"]


def test_large_pictures_are_made_smaller(images: MediaSandbox) -> None:
    examined = examine(images, coded("JPEG", picture(5000, 1000)), "image/jpeg")
    assert examined.probe["width"] == 5000 and web(examined).size == (2048, 410)


def test_colours_become_srgb(images: MediaSandbox) -> None:
    """The same numbers under another profile are another colour, and are shown as that."""
    red = Image.new("RGB", (8, 8), (200, 30, 30))
    plain = web(examine(images, coded("PNG", red), "image/png")).getpixel((0, 0))
    same = web(examine(images, coded("PNG", red, icc_profile=srgb_profile()), "image/png")).getpixel((0, 0))
    broken = web(examine(images, coded("PNG", red, icc_profile=b"no profile"), "image/png")).getpixel((0, 0))
    assert plain == same == broken == (200, 30, 30)
    swapped = bytearray(srgb_profile())
    r, g = (swapped.index(tag, 128) for tag in (b"rXYZ", b"gXYZ"))
    swapped[r : r + 4], swapped[g : g + 4] = b"gXYZ", b"rXYZ"
    shown = web(examine(images, coded("PNG", red, icc_profile=bytes(swapped)), "image/png")).getpixel((0, 0))
    assert shown[1] > 150 > 100 > shown[0]  # type: ignore[index]


def test_modes(images: MediaSandbox) -> None:
    assert web(examine(images, coded("PNG", picture(mode="RGBA")), "image/png")).mode == "RGBA"
    deep = Image.new("I;16", (4, 4), 65535 // 2)
    assert abs(web(examine(images, coded("PNG", deep), "image/png")).getpixel((0, 0))[0] - 127) <= 1  # type: ignore[index]
    assert web(examine(images, coded("JPEG", picture(mode="CMYK")), "image/jpeg")).mode == "RGB"


def test_animations_stay_animated(images: MediaSandbox) -> None:
    examined = examine(images, animation(5), "image/gif")
    assert examined.probe["frames"] == 5 and web(examined).n_frames == 5  # type: ignore[attr-defined]
    assert examine(images, animation(3, "WEBP"), "image/webp").probe["frames"] == 3


@pytest.mark.parametrize(
    ("data", "media_type", "words"),
    [
        (big_png(50_000, 50_000), "image/png", "50000 x 50000 pixels"),
        (big_png(8000, 8000), "image/png", "cannot be read"),
        (coded("PNG")[:-200], "image/png", "cannot be read"),
        (coded("JPEG", picture(200, 200))[:900], "image/jpeg", "cannot be read"),
        (animation(520), "image/gif", "more than 500 frames"),
        (coded("JPEG"), "image/png", "cannot be read as image/png"),
        (b"SIMPLE  =  T" + b" " * 3000, "image/png", "cannot be read as image/png"),
        (b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>", "image/png", "cannot be read"),
    ],
)
def test_hostile_images_are_refused(images: MediaSandbox, data: bytes, media_type: str, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(MediaError, match=words):
        examine(images, data, media_type)
    assert time.monotonic() - began < 30
    assert examine(images, coded("PNG"), "image/png").probe["width"] == 40


def test_a_child_that_dies_or_hangs_takes_one_image_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "DERIVE_SECONDS", 2)
    before = set(psutil.Process().children())
    with MediaSandbox(1) as pool:
        examine(pool, coded("PNG"), "image/png")
        (child,) = set(psutil.Process().children()) - before
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(MediaError, match="could not be opened within"):
            examine(pool, coded("PNG"), "image/png")
        assert examine(pool, coded("PNG"), "image/png").probe["width"] == 40
        (child,) = set(psutil.Process().children()) - before
        child.kill()
        with pytest.raises(MediaError):
            examine(pool, coded("PNG"), "image/png")
        assert examine(pool, coded("PNG"), "image/png").probe["width"] == 40
    assert set(psutil.Process().children()) == before


def test_many_images_come_back_in_order(images: MediaSandbox) -> None:
    sizes = [(20 + n, 10 + n) for n in range(24)]
    with ExitStack() as stack:
        requests = []
        for size in sizes:
            file = stack.enter_context(TemporaryFile())
            file.write(coded("PNG", picture(*size)))
            file.flush()
            requests.append(Request(file, kind_of("image/png")))
        found = list(images.examine_many(requests))
    probes = [one.probe for one in found if isinstance(one, Examined)]
    assert [(probe["width"], probe["height"]) for probe in probes] == sizes


def test_the_child_has_neither_network_nor_files(tmp_path: Path) -> None:
    """Asked from within: after locking itself down it reaches no address and no file but programs."""
    listener = socket.create_server(("127.0.0.1", 0))
    secret = tmp_path / "secret"
    secret.write_text("word")
    code = f"""
import json, runpy, socket
runpy.run_path({lockdown.__file__!r})["lock_down"]()
told = {{}}
try:
    socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 2)
    told["network"] = True
except OSError:
    told["network"] = False
for name, mode in (("written", "wb"), ("secret", "rb")):
    try:
        open({str(tmp_path)!r} + "/" + name, mode).close()
        told[name] = True
    except OSError:
        told[name] = False
try:
    b"x" * (3 * 1024**3)
    told["memory"] = True
except MemoryError:
    told["memory"] = False
print(json.dumps(told))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    listener.close()
    found = json.loads(told.stdout)
    if not _landlocked():  # then files are bounded in size alone
        assert found.pop("written") and found.pop("secret")
        if not _may_unshare():
            found.pop("network")
    assert not any(found.values()), found


def test_a_killed_parent_takes_its_children_along() -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
import django; django.setup()
from tests.media.sandboxed import examine
from tests.media.pictures import coded
from annotate.modalities.sandbox import MediaSandbox
with MediaSandbox(1) as pool:
    examine(pool, coded("PNG"), "image/png")
    print("ready", flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout and parent.stdout.readline() == "ready\n"
    (child,) = psutil.Process(parent.pid).children()
    child.suspend()  # it cannot notice by itself
    parent.kill()
    parent.wait()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()


def _landlocked() -> bool:
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def _may_unshare() -> bool:
    if os.geteuid() == 0:
        return True
    return subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True).returncode == 0
