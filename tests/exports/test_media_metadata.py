"""What names people, places, times and programs goes from sound and video; the coded data stay byte for byte."""

import io
import struct
import wave
from pathlib import Path

import pytest

from annotate.modalities.base import MediaError
from annotate.modalities.metadata import strip_metadata
from tests.paths import SHARED_DATA, needs_shared_data

SECRET = b"recorded by Ada, at home"


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


def test_mp4_keeps_every_byte_in_its_place() -> None:
    media = box(b"mdat", b"coded pictures" * 20)
    times = b"\0\0\0\0" + b"\xdb\xdb\xdb\xdb" * 2 + b"\0\0\x03\xe8" + bytes(84)
    handler = bytes(8) + b"vide" + bytes(12) + SECRET
    track = box(b"trak", box(b"mdia", box(b"mdhd", times) + box(b"hdlr", handler)) + box(b"udta", SECRET))
    whole = (
        box(b"ftyp", b"isom")
        + box(b"moov", box(b"mvhd", times) + track + box(b"meta", SECRET))
        + box(b"uuid", SECRET)
        + media
    )
    stripped = strip_metadata(whole, "video/mp4")
    assert SECRET not in stripped
    assert b"\xdb" not in stripped
    assert (len(stripped), stripped.index(media)) == (len(whole), whole.index(media))
    assert stripped.count(b"\0\0\x03\xe8") == 2  # the timescales are no times of day
    assert b"vide" in stripped


def test_wav_keeps_its_sound() -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(200)) * 4)
    plain = out.getvalue()
    info = b"LIST" + struct.pack("<I", len(SECRET)) + SECRET
    tagged = plain[:12] + info + plain[12:] + b"id3 " + struct.pack("<I", len(SECRET)) + SECRET
    assert strip_metadata(tagged, "audio/wav") == plain


def test_flac_keeps_stream_information_and_frames() -> None:
    def block(kind: int, body: bytes, last: bool = False) -> bytes:
        return bytes([kind | (0x80 if last else 0)]) + len(body).to_bytes(3, "big") + body

    information, frames = bytes(range(34)), b"\xff\xf8 frames"
    tagged = b"fLaC" + block(0, information) + block(4, SECRET) + block(6, SECRET, last=True) + frames
    assert strip_metadata(tagged, "audio/flac") == b"fLaC" + block(0, information, last=True) + frames


def test_mp3_keeps_its_frames() -> None:
    frames = b"\xff\xfb\x90\x00" + b"frames" * 30
    v2 = b"ID3\x04\0\0" + bytes([0, 0, 0, len(SECRET)]) + SECRET
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, len(SECRET) + 32, 1, 0)
    v1 = b"TAG" + SECRET.ljust(125)
    assert strip_metadata(v2 + frames + SECRET + ape + v1, "audio/mpeg") == frames


@pytest.mark.parametrize("media_type", ["video/mp4", "audio/wav", "audio/flac", "audio/mpeg"])
@pytest.mark.parametrize("data", [b"", b"ID3", b"\0\0\0\x20ftyp", b"RIFF\0\0\0\0WAVEdata\xff", b"fLaC\0\0"])
def test_what_is_not_whole_is_refused(data: bytes, media_type: str) -> None:
    with pytest.raises(MediaError):
        strip_metadata(data, media_type)


def test_a_type_that_cannot_be_cleaned_says_what_to_give_instead() -> None:
    with pytest.raises(MediaError, match=r"is video/x-msvideo, .*: give it as MP4 or MOV"):
        strip_metadata(b"RIFF", "video/x-msvideo")


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "media_type", "words"),
    [
        ("video/cockatoo.mp4", "video/mp4", [b"Lavf56.4.101", b"VideoHandler"]),
        ("video/realshort.mp4", "video/mp4", [b"udta"]),
        ("audio/format_test.m4a", "audio/mp4", []),
        ("audio/test2.mp3", "audio/mpeg", [b"ID3"]),
    ],
)
def test_real_files(name: str, media_type: str, words: list[bytes]) -> None:
    original = Path(SHARED_DATA / name).read_bytes()
    stripped = strip_metadata(original, media_type)
    for word in words:
        assert word in original
        assert word not in stripped
    assert strip_metadata(stripped, media_type) == stripped
    if media_type == "audio/mpeg":
        assert stripped in original
    else:
        at = original.index(b"mdat")
        assert stripped[at : at + 10_000] == original[at : at + 10_000]
