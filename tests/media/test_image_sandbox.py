"""Images are opened in a child that has no network and little memory, and that may die."""

import io
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from annotate.modalities import image_child, sandbox
from annotate.modalities.base import MediaError
from annotate.modalities.sandbox import Examined, ImageSandbox
from tests.media.pictures import animation, coded, exif, picture, pixels, srgb_profile


@pytest.fixture(scope="module")
def images() -> Iterator[ImageSandbox]:
    with ImageSandbox(2) as pool:
        yield pool


def web(examined: Examined) -> Image.Image:
    return next(Image.open(io.BytesIO(made.data)) for made in examined.renditions if made.kind == "web")


def big_png(width: int, height: int) -> bytes:
    """The head of an image of this size, with a stripe of data: small as a file, large when unpacked."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("format", "options"), [("PNG", {}), ("JPEG", {"quality": 90}), ("WEBP", {"lossless": True}), ("GIF", {})]
)
def test_renditions(images: ImageSandbox, format: str, options: dict[str, object]) -> None:
    data = coded(format, picture(400, 300), **options)
    examined = images.examine(data, f"image/{format.lower()}")
    assert {"width": 400, "height": 300, "frames": 1}.items() <= examined.probe.items()
    assert [made.kind for made in examined.renditions] == ["web", "thumb"]
    assert {made.media_type for made in examined.renditions} == {"image/webp"}
    assert pixels(examined.renditions[0].data) == pixels(data)  # what is judged is the picture itself
    assert examined.renditions[1].probe == {"width": 320, "height": 240}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(images: ImageSandbox, orientation: int) -> None:
    data = coded("JPEG", picture(60, 20), exif=exif(orientation), quality=95)
    examined = images.examine(data, "image/jpeg")
    size = (60, 20) if orientation < 5 else (20, 60)
    shown = web(examined)
    assert (examined.probe["width"], examined.probe["height"]) == shown.size == size
    assert not shown.getexif() and b"SECRETCAMERA" not in examined.renditions[0].data


def test_large_pictures_are_made_smaller(images: ImageSandbox) -> None:
    examined = images.examine(coded("JPEG", picture(5000, 1000)), "image/jpeg")
    assert examined.probe["width"] == 5000 and web(examined).size == (2048, 410)


def test_colours_become_srgb(images: ImageSandbox) -> None:
    """The same numbers under another profile are another colour, and are shown as that."""
    red = Image.new("RGB", (8, 8), (200, 30, 30))
    plain = web(images.examine(coded("PNG", red), "image/png")).getpixel((0, 0))
    same = web(images.examine(coded("PNG", red, icc_profile=srgb_profile()), "image/png")).getpixel((0, 0))
    broken = web(images.examine(coded("PNG", red, icc_profile=b"no profile"), "image/png")).getpixel((0, 0))
    assert plain == same == broken == (200, 30, 30)
    swapped = bytearray(srgb_profile())
    r, g = (swapped.index(tag, 128) for tag in (b"rXYZ", b"gXYZ"))
    swapped[r : r + 4], swapped[g : g + 4] = b"gXYZ", b"rXYZ"
    shown = web(images.examine(coded("PNG", red, icc_profile=bytes(swapped)), "image/png")).getpixel((0, 0))
    assert shown[1] > 150 > 100 > shown[0]  # type: ignore[index]


def test_modes(images: ImageSandbox) -> None:
    assert web(images.examine(coded("PNG", picture(mode="RGBA")), "image/png")).mode == "RGBA"
    deep = Image.new("I;16", (4, 4), 65535 // 2)
    assert abs(web(images.examine(coded("PNG", deep), "image/png")).getpixel((0, 0))[0] - 127) <= 1  # type: ignore[index]
    assert web(images.examine(coded("JPEG", picture(mode="CMYK")), "image/jpeg")).mode == "RGB"


def test_animations_stay_animated(images: ImageSandbox) -> None:
    examined = images.examine(animation(5), "image/gif")
    assert examined.probe["frames"] == 5 and web(examined).n_frames == 5  # type: ignore[attr-defined]
    assert images.examine(animation(3, "WEBP"), "image/webp").probe["frames"] == 3


@pytest.mark.parametrize(
    ("data", "media_type", "words"),
    [
        (big_png(50_000, 50_000), "image/png", "50000 x 50000 pixels"),
        (big_png(8000, 8000), "image/png", "cannot be read"),
        (coded("PNG")[:-200], "image/png", "cannot be read"),
        (coded("JPEG", picture(200, 200))[:900], "image/jpeg", "cannot be read"),
        (animation(520), "image/gif", "more than 500 frames"),
        (coded("JPEG"), "image/png", "cannot be read as PNG"),
        (b"SIMPLE  =  T" + b" " * 3000, "image/png", "cannot be read as PNG"),
        (b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>", "image/png", "cannot be read"),
    ],
)
def test_hostile_images_are_refused(images: ImageSandbox, data: bytes, media_type: str, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(MediaError, match=words):
        images.examine(data, media_type)
    assert time.monotonic() - began < 30
    assert images.examine(coded("PNG"), "image/png").probe["width"] == 40


def test_a_child_that_dies_or_hangs_takes_one_image_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "TIMEOUT", 1.5)
    before = set(psutil.Process().children())
    with ImageSandbox(1) as pool:
        pool.examine(coded("PNG"), "image/png")
        (child,) = set(psutil.Process().children()) - before
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(MediaError, match="could not be opened within"):
            pool.examine(coded("PNG"), "image/png")
        assert pool.examine(coded("PNG"), "image/png").probe["width"] == 40
        (child,) = set(psutil.Process().children()) - before
        child.kill()
        with pytest.raises(MediaError):
            pool.examine(coded("PNG"), "image/png")
        assert pool.examine(coded("PNG"), "image/png").probe["width"] == 40
    assert set(psutil.Process().children()) == before


def test_many_images_come_back_in_order(images: ImageSandbox) -> None:
    sizes = [(20 + n, 10 + n) for n in range(24)]
    found = images.examine_many((coded("PNG", picture(*size)), "image/png") for size in sizes)
    probes = [one.probe for one in found if isinstance(one, Examined)]
    assert [(probe["width"], probe["height"]) for probe in probes] == sizes


def test_the_child_has_neither_network_nor_files_to_write(tmp_path: Path) -> None:
    """Asked from within: after locking itself down it reaches no address and writes no file."""
    listener = socket.create_server(("127.0.0.1", 0))
    code = f"""
import sys, socket
sys.path.insert(0, {str(Path(image_child.__file__).parent)!r})
import image_child
image_child.lock_down()
try:
    socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 2)
    print("reached")
except OSError:
    print("no network")
try:
    with open({str(tmp_path / "written")!r}, "wb") as file:
        file.write(b"x" * 10)
    print("wrote")
except OSError:
    print("no file")
try:
    b"x" * (3 * 1024**3)
    print("memory")
except MemoryError:
    print("no memory")
"""
    told = subprocess.run(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)" + code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    listener.close()
    expected = ["no file", "no memory"]
    if _may_unshare():
        expected.insert(0, "no network")
    assert [line for line in told.stdout.split("\n") if line and line != "reached"] == expected, told.stderr


def _may_unshare() -> bool:
    if os.geteuid() == 0:
        return True
    return subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True).returncode == 0
