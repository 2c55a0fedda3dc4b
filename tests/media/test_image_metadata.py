"""Metadata goes, pixels stay: bit for bit the same picture, nothing readable about whoever made it."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from annotate.modalities.base import MediaError
from annotate.modalities.image_metadata import strip_metadata
from tests.media.pictures import ORIENTATION, animation, coded, exif, picture, pixels, srgb_profile
from tests.paths import SHARED_DATA, needs_shared_data

SECRET = b"SECRET"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">SECRETXMP</x:xmpmeta>'


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def loaded_png(**options: Any) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "SECRETAUTHOR")
    text.add_itxt("Comment", "SECRETCOMMENT", zip=True)
    data = coded("PNG", picture(mode="RGBA"), pnginfo=text, icc_profile=srgb_profile(), **options)
    extra = png_chunk(b"tIME", b"\x07\xe4\1\1\0\0\0") + png_chunk(b"prVt", b"SECRETCHUNK")
    end = data.index(b"IEND") - 4
    return data[:end] + extra + data[end:] + b"<html>SECRETTAIL</html>"


def loaded_jpeg(**options: Any) -> bytes:
    data = coded("JPEG", quality=80, icc_profile=srgb_profile(), comment=b"SECRETCOMMENT", xmp=XMP, **options)
    iptc = b"Photoshop 3.0\0SECRETIPTC"
    app13 = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    return data[:2] + app13 + data[2:] + b"SECRETTAIL"


def loaded_webp(**options: Any) -> bytes:
    return coded("WEBP", icc_profile=srgb_profile(), xmp=XMP, quality=80, **options)


def loaded_gif() -> bytes:
    data = animation(comment=b"SECRETCOMMENT")
    xmp = b"\x21\xff\x0bXMP DataXMP" + bytes([len(XMP)]) + XMP + b"\0"
    at = data.index(b"\x21\xf9")
    return data[:at] + xmp + data[at:] + b"SECRETTAIL"


CASES = {
    "PNG": ("image/png", loaded_png(exif=exif())),
    "PNG lying": ("image/png", loaded_png(exif=exif(6))),
    "PNG of 16 bits": ("image/png", coded("PNG", Image.new("I;16", (9, 7), 1234), exif=exif())),
    "PNG with palette": ("image/png", coded("PNG", picture(mode="P"), transparency=3, exif=exif())),
    "PNG animated": ("image/png", animation(format="PNG")),
    "JPEG": ("image/jpeg", loaded_jpeg(exif=exif())),
    "JPEG lying": ("image/jpeg", loaded_jpeg(exif=exif(8))),
    "JPEG progressive": ("image/jpeg", loaded_jpeg(exif=exif(3), progressive=True, subsampling=0)),
    "JPEG in grey": ("image/jpeg", coded("JPEG", picture(mode="L"), exif=exif())),
    "JPEG in four colours": ("image/jpeg", coded("JPEG", picture(mode="CMYK"), exif=exif())),
    "WebP": ("image/webp", loaded_webp(exif=exif())),
    "WebP lying": ("image/webp", loaded_webp(exif=exif(5))),
    "WebP lossless": ("image/webp", coded("WEBP", picture(mode="RGBA"), lossless=True, exif=exif())),
    "WebP animated": ("image/webp", animation(format="WEBP", exif=exif(), xmp=XMP)),
    "GIF": ("image/gif", loaded_gif()),
    "GIF still": ("image/gif", coded("GIF", comment=b"SECRETCOMMENT")),
}


@pytest.mark.parametrize("case", CASES)
def test_pixels_stay_and_secrets_go(case: str) -> None:
    media_type, data = CASES[case]
    stripped = strip_metadata(data, media_type)
    assert pixels(stripped) == pixels(data)
    assert SECRET not in stripped and len(stripped) <= len(data)
    assert strip_metadata(stripped, media_type) == stripped
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(stripped)) as after:
        assert after.info.get("icc_profile") == before.info.get("icc_profile")
        assert after.info.get("transparency") == before.info.get("transparency")
        assert after.info.get("duration") == before.info.get("duration")
        assert after.info.get("loop") == before.info.get("loop")
        kept = dict(after.getexif())
        turned = before.getexif().get(ORIENTATION, 1)
        assert kept == ({ORIENTATION: turned} if turned != 1 else {})


@needs_shared_data
@pytest.mark.parametrize("path", sorted((SHARED_DATA / "image").glob("*")), ids=lambda path: path.name)
def test_photographs(path: Any) -> None:
    data = path.read_bytes()
    stripped = strip_metadata(data, "image/png" if path.suffix == ".png" else "image/jpeg")
    assert pixels(stripped) == pixels(data)


@pytest.mark.parametrize("case", ["PNG", "JPEG", "WebP", "GIF"])
def test_a_cut_image_is_an_error(case: str) -> None:
    media_type, data = CASES[case]
    whole = strip_metadata(data, media_type)
    for end in range(20, len(whole) - 1, max(1, len(whole) // 40)):
        with pytest.raises(MediaError):
            strip_metadata(whole[:end], media_type)


@settings(max_examples=200, deadline=None)
@given(
    case=st.sampled_from(["PNG", "JPEG", "WebP", "GIF"]), at=st.integers(0, 2000), to=st.binary(max_size=9)
)
def test_bent_images_are_cleaned_or_refused(case: str, at: int, to: bytes) -> None:
    media_type, data = CASES[case]
    at %= len(data)
    bent = data[:at] + to + data[at + len(to) :]
    with suppress(MediaError):
        strip_metadata(bent, media_type)


def test_other_types_are_refused() -> None:
    with pytest.raises(MediaError, match="image/bmp"):
        strip_metadata(b"BM", "image/bmp")
