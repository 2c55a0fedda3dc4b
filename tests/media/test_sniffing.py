"""What a file is, its bytes decide."""

import pytest

from annotate.modalities import HEAD_BYTES, MediaError, image, sniff
from annotate.models import Modality
from tests.media.pictures import coded
from tests.paths import SHARED_DATA, needs_shared_data

EXPECTED = {
    "image/chelsea.png": ("image/png", Modality.IMAGE),
    "image/rocket.jpg": ("image/jpeg", Modality.IMAGE),
    "video/cockatoo.mp4": ("video/mp4", Modality.VIDEO),
    "video/mllm2.avi": ("video/x-msvideo", Modality.VIDEO),
    "audio/test2.mp3": ("audio/mpeg", Modality.AUDIO),
    "audio/party.mp3": ("audio/mpeg", Modality.AUDIO),
    "audio/bach.ogg": ("audio/ogg", Modality.AUDIO),
    "audio/test4.wav": ("audio/wav", Modality.AUDIO),
    "audio/format_test.m4a": ("audio/mp4", Modality.AUDIO),
    "mesh/Duck.glb": ("model/gltf-binary", Modality.MESH),
    "mesh/bunny.ply": ("model/ply", Modality.MESH),
    "mesh/fuze.ply": ("model/ply", Modality.MESH),
    "mesh/teapot.stl": ("model/stl", Modality.MESH),
    "mesh/rabbit.obj": ("model/obj", Modality.MESH),
}


@needs_shared_data
@pytest.mark.parametrize("name", EXPECTED)
def test_real_files(name: str) -> None:
    data = (SHARED_DATA / name).read_bytes()
    kind = sniff(data[:HEAD_BYTES], len(data))
    assert (kind.media_type, kind.modality) == EXPECTED[name]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"8BPS\0\1" + b"\0" * 100,
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"SIMPLE  =                    T" + b" " * 100,
        b"PK\3\4" + b"\0" * 100,
        b"\x7fELF" + b"\0" * 100,
        b'{"asset": {"version": "2.0"}, "buffers": [{"uri": "file:///etc/passwd"}]}',
        b"\0\0\0\x1cftypheic\0\0\0\0mif1heic",
        b"newmtl x\nmap_Kd ../../etc/passwd\n",
    ],
)
def test_what_is_not_taken(data: bytes) -> None:
    with pytest.raises(MediaError, match="no media file that is taken"):
        sniff(data, len(data))


def test_too_large() -> None:
    with pytest.raises(MediaError, match="at most 50 MB"):
        sniff(coded("PNG"), image.MAX_BYTES + 1)
