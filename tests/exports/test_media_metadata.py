"""What names people, places, times and programs goes from sound and video; the coded data stay byte for byte."""

import io
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate.modalities import HEAD_BYTES, sniff
from annotate.modalities.base import MediaError
from annotate.modalities.sandbox import MediaSandbox
from tests.media import clips
from tests.media.sandboxed import stripped
from tests.paths import SHARED_DATA, needs_shared_data

SECRET = b"recorded by Ada, at home"


@pytest.fixture(scope="module")
def pool() -> Iterator[MediaSandbox]:
    with MediaSandbox(1) as sandbox:
        yield sandbox


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


def test_mp4_keeps_every_byte_in_its_place(pool: MediaSandbox) -> None:
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
    clean = stripped(pool, whole, "video/mp4")
    assert SECRET not in clean
    assert b"\xdb" not in clean
    assert (len(clean), clean.index(media)) == (len(whole), whole.index(media))
    assert clean.count(b"\0\0\x03\xe8") == 2  # the timescales are no times of day
    assert b"vide" in clean


def test_wav_keeps_its_sound(pool: MediaSandbox) -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(200)) * 4)
    plain = out.getvalue()
    info = b"LIST" + struct.pack("<I", len(SECRET)) + SECRET
    tagged = plain[:12] + info + plain[12:] + b"id3 " + struct.pack("<I", len(SECRET)) + SECRET
    assert stripped(pool, tagged, "audio/wav") == plain


def test_flac_keeps_stream_information_and_frames(pool: MediaSandbox) -> None:
    def block(kind: int, body: bytes, last: bool = False) -> bytes:
        return bytes([kind | (0x80 if last else 0)]) + len(body).to_bytes(3, "big") + body

    information, frames = bytes(range(34)), b"\xff\xf8 frames"
    tagged = b"fLaC" + block(0, information) + block(4, SECRET) + block(6, SECRET, last=True) + frames
    assert stripped(pool, tagged, "audio/flac") == b"fLaC" + block(0, information, last=True) + frames


def test_mp3_keeps_its_frames(pool: MediaSandbox) -> None:
    frames = b"\xff\xfb\x90\x00" + b"frames" * 30
    v2 = b"ID3\x04\0\0" + bytes([0, 0, 0, len(SECRET)]) + SECRET
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, len(SECRET) + 32, 1, 0)
    v1 = b"TAG" + SECRET.ljust(125)
    assert stripped(pool, v2 + frames + SECRET + ape + v1, "audio/mpeg") == frames


@pytest.mark.parametrize("media_type", ["video/mp4", "audio/wav", "audio/flac", "audio/mpeg"])
@pytest.mark.parametrize("data", [b"", b"ID3", b"\0\0\0\x20ftyp", b"RIFF\0\0\0\0WAVEdata\xff", b"fLaC\0\0"])
def test_what_is_not_whole_is_refused(pool: MediaSandbox, data: bytes, media_type: str) -> None:
    with pytest.raises(MediaError):
        stripped(pool, data, media_type)


VIDEOS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4": ("video/mp4", {"sound": "aac"}),
    "mov": ("video/quicktime", {"sound": "aac"}),
    "webm": ("video/webm", {"codec": "libvpx-vp9", "sound": "libopus"}),
    "mkv": ("video/x-matroska", {"sound": "flac"}),
    "avi": ("video/x-msvideo", {"codec": "mpeg4", "sound": "libmp3lame"}),
}
SOUNDS: dict[str, tuple[str, dict[str, Any]]] = {
    "wav": ("audio/wav", {}),
    "wav of 24 bits": ("audio/wav", {"codec": "pcm_s24le"}),
    "flac": ("audio/flac", {"codec": "flac"}),
    "mp3": ("audio/mpeg", {"codec": "libmp3lame"}),
    "aac": ("audio/aac", {"codec": "aac"}),
    "m4a": ("audio/mp4", {"codec": "aac"}),
    "opus": ("audio/ogg", {"codec": "libopus"}),
    "flac in ogg": ("audio/ogg", {"codec": "flac"}),
    "vorbis": ("audio/ogg", {"codec": "vorbis", "options": {"strict": "experimental"}}),
}


@pytest.mark.parametrize("name", [*VIDEOS, *SOUNDS])
def test_every_type_that_is_taken_loses_its_tags_and_no_sample(pool: MediaSandbox, name: str) -> None:
    media_type, options = VIDEOS.get(name) or SOUNDS[name]
    original = (clips.video if name in VIDEOS else clips.sound)(media_type, **options)
    clean = stripped(pool, original, media_type)
    if media_type != "audio/aac":  # which has no place for tags of its own
        assert clips.SECRET.encode() in original
    assert clips.SECRET.encode() not in clean
    assert clips.decoded(clean, media_type) == clips.decoded(original, media_type)
    assert stripped(pool, original, media_type) == clean


def test_sound_of_more_than_four_gigabytes_is_told_by_a_chunk_of_its_own(pool: MediaSandbox) -> None:
    plain = clips.sound()
    at = plain.index(b"data")
    size = int.from_bytes(plain[at + 4 : at + 8], "little")
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, size, 0, 0)
    large = b"RF64\xff\xff\xff\xffWAVE" + ds64 + plain[12:at] + b"data\xff\xff\xff\xff" + plain[at + 8 :]
    clean = stripped(pool, large + b"id3 \x08\0\0\0" + SECRET[:8], "audio/wav")
    assert clips.decoded(clean, "audio/wav") == clips.decoded(plain, "audio/wav")
    assert SECRET[:8] not in clean


def test_tracks_of_anything_else_go(pool: MediaSandbox) -> None:
    """Beside picture and sound, phones write where they were; subtitles say who speaks."""
    two = clips.video(tracks=2, frames=5)
    original = b"gpmd".join(b"meta".join(two.rsplit(b"vide", 1)).rsplit(b"avc1", 1))
    clean = stripped(pool, original, "video/mp4")
    # Not those of another encoding, which now and then gives other bytes for the same pictures.
    assert clips.decoded(clean, "video/mp4") == clips.decoded(two, "video/mp4")
    assert clean.count(b"trak") == 1 and len(clean) < 0.7 * len(original)
    assert stripped(pool, original, "video/mp4") == clean


def test_h264_of_an_avi_is_the_same_whether_by_length_or_by_start_codes(pool: MediaSandbox) -> None:
    """Both are found in real files, and AVI is written with start codes alone."""
    prefixed = clips.avi_of_length_prefixed()
    started = clips.video("video/x-msvideo")
    clean = stripped(pool, prefixed, "video/x-msvideo")
    for given, made in ((prefixed, clean), (started, stripped(pool, started, "video/x-msvideo"))):
        assert clips.decoded(made, "video/x-msvideo") == clips.decoded(given, "video/x-msvideo")
        assert stripped(pool, made, "video/x-msvideo") == made
    assert stripped(pool, prefixed, "video/x-msvideo") == clean


# What is known to stand in real files, and must go.
WORDS = {
    "cockatoo.mp4": [b"Lavf56.4.101", b"VideoHandler"],
    "realshort.mp4": [b"udta"],
    "test2.mp3": [b"ID3"],
}
MP4 = {"audio/mp4", "video/mp4"}


@needs_shared_data
@pytest.mark.parametrize(
    "path",
    [path for folder in ("video", "audio") for path in sorted((SHARED_DATA / folder).glob("*"))],
    ids=lambda path: path.name,
)
def test_real_files(pool: MediaSandbox, path: Path) -> None:
    original = path.read_bytes()
    media_type = sniff(original[:HEAD_BYTES], len(original)).media_type
    clean = stripped(pool, original, media_type)
    assert clips.decoded(clean, media_type) == clips.decoded(original, media_type)
    assert stripped(pool, original, media_type) == clean
    for word in WORDS.get(path.name, []):
        assert word in original
        assert word not in clean
    if media_type == "audio/mpeg":
        assert clean in original
    elif media_type in MP4:
        at = original.index(b"mdat")
        assert clean[at : at + 10_000] == original[at : at + 10_000]
