"""What is told of a medium is what PyAV or Pillow itself reads in it; loudness is that of the standard's test signals."""

import io
import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from annotate.modalities import HEAD_BYTES, sniff
from annotate.modalities.sandbox import MediaSandbox
from tests.media import clips
from tests.media.sandboxed import Opened, examine
from tests.paths import SHARED_DATA, needs_shared_data


@pytest.fixture(scope="module")
def pool() -> Iterator[MediaSandbox]:
    with MediaSandbox(1) as sandbox:
        yield sandbox


def times_of(data: bytes) -> list[float]:
    with av.open(io.BytesIO(data), "r") as container:
        return [frame.time for frame in container.decode(video=0)]


def samples_of(data: bytes) -> Any:
    with av.open(io.BytesIO(data), "r") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(frames, axis=1)


@needs_shared_data
@pytest.mark.parametrize("path", sorted((SHARED_DATA / "video").glob("*")), ids=lambda path: path.name)
def test_real_videos(pool: MediaSandbox, path: Any) -> None:
    data = path.read_bytes()
    found = examine(pool, data, sniff(data[:HEAD_BYTES], len(data)).media_type)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        assert rate and container.duration
        sound = container.streams.audio
        told = {
            "width": stream.width,
            "height": stream.height,
            "duration": container.duration / av.time_base,
            "fps": float(rate),
            "fps_ratio": f"{rate.numerator}/{rate.denominator}",
            "video_codec": stream.codec_context.name,
            "audio_codec": sound[0].codec_context.name.removesuffix("float") if sound else None,
            "has_audio": bool(sound),
            "rotation": 0,
            "variable_fps": False,
            "frames": sum(1 for _ in container.decode(stream)),
        }
    assert found.probe == told
    with av.open(io.BytesIO(found.made["web"]), "r") as web:
        assert web.streams.video[0].codec_context.name == "h264"
        assert web.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert [stream.codec_context.name for stream in web.streams.audio] == ["aac"] * len(sound)
    assert found.made["web"].index(b"moov") < found.made["web"].index(b"mdat")
    index = json.loads(found.made["frames"])
    assert index["times"] == pytest.approx(times_of(found.made["web"]), abs=1e-5)
    assert len(index["times"]) == told["frames"] and index["fps"] == [rate.numerator, rate.denominator]


@needs_shared_data
@pytest.mark.parametrize("path", sorted((SHARED_DATA / "audio").glob("*")), ids=lambda path: path.name)
def test_real_sounds(pool: MediaSandbox, path: Any) -> None:
    data = path.read_bytes()
    found = examine(pool, data, sniff(data[:HEAD_BYTES], len(data)).media_type)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        channels = stream.channels
        told = {
            "duration": samples / stream.rate,
            "sample_rate": stream.rate,
            "channels": channels,
            "codec": stream.codec_context.name.removesuffix("float"),
        }
    assert told.items() <= found.probe.items()
    assert -40 < found.probe["loudness"] < -5 and found.probe["true_peak"] < 1
    assert samples_of(found.made["web"]).size == samples * min(2, channels)
    peaks = json.loads(found.made["peaks"])
    assert len(peaks["data"]) / 2 == pytest.approx(
        peaks["pairs_per_second"] * samples / told["sample_rate"], abs=1
    )
    assert len(peaks["data"]) <= 8000 and set(map(type, peaks["data"])) == {int}


@needs_shared_data
@pytest.mark.parametrize("path", sorted((SHARED_DATA / "image").glob("*")), ids=lambda path: path.name)
def test_real_pictures(pool: MediaSandbox, path: Any) -> None:
    data = path.read_bytes()
    kind = sniff(data[:HEAD_BYTES], len(data))
    found = examine(pool, data, kind.media_type)
    with Image.open(path) as picture:
        assert kind.media_type == picture.get_format_mimetype()
        upright = ImageOps.exif_transpose(picture)
        told = {
            "width": upright.width,
            "height": upright.height,
            "frames": getattr(picture, "n_frames", 1),
            "mode": picture.mode,
        }
    assert found.probe == told
    with Image.open(io.BytesIO(found.made["web"])) as web:
        assert (web.size, web.n_frames, web.format) == (upright.size, 1, "WEBP")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("decibels", "loudness"), [(-23, -23.0), (-33, -33.0)])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_loudness_of_the_standards_signals(
    pool: MediaSandbox, decibels: float, loudness: float, rate: int
) -> None:
    """EBU Tech 3341, cases 1 and 2: a sine of 1 kHz in both channels for 20 s is as loud as its peak, +- 0.1 LU."""
    both = np.stack([clips.tone(20, rate, 1000, decibels)] * 2, axis=1)
    probe = examine(pool, clips.sound(samples=both, rate=rate), "audio/wav", ()).probe
    assert probe["loudness"] == pytest.approx(loudness, abs=0.1)
    assert probe["true_peak"] == pytest.approx(decibels, abs=0.3)
    one = both[:, :1]  # a player gives one channel to both ears
    assert examine(pool, clips.sound(samples=one, rate=rate), "audio/wav", ()).probe[
        "loudness"
    ] == pytest.approx(loudness, abs=0.1)


def test_silence_has_no_loudness(pool: MediaSandbox) -> None:
    probe = examine(pool, clips.sound(samples=np.zeros((48_000, 2))), "audio/wav", ()).probe
    assert probe["loudness"] is None and probe["true_peak"] is None and probe["duration"] == 1.0


def test_a_true_peak_lies_between_samples(pool: MediaSandbox) -> None:
    """EBU Tech 3341, case 15: a sine of a quarter of the rate, sampled beside its crests, reaches -6 dBTP."""
    at = np.arange(48_000)
    faded = 0.5 * np.minimum(1, np.minimum(at, at[::-1]) / 4800)
    both = np.stack([faded * np.sin(2 * np.pi * at / 4 + np.pi / 4)] * 2, axis=1)
    assert np.abs(both).max() < 0.36
    probe = examine(pool, clips.sound(samples=both), "audio/wav", ()).probe
    assert probe["true_peak"] == pytest.approx(-6.0, abs=0.3)


def test_sound_is_shown_sample_for_sample(pool: MediaSandbox) -> None:
    """24 bits stay 24 bits."""
    rng = np.random.default_rng(1)
    deep = rng.integers(-(2**23), 2**23, (30_000, 2)).astype(np.int32) << 8
    given = clips.sound(codec="pcm_s24le", samples=deep, format="s32")
    assert np.array_equal(samples_of(examine(pool, given, "audio/wav").made["web"]).reshape(-1, 2), deep)
    plain = rng.integers(-(2**15), 2**15, (30_000, 1)).astype(np.int16)
    for media_type, codec in (("audio/wav", "pcm_s16le"), ("audio/flac", "flac"), ("audio/ogg", "flac")):
        given = clips.sound(media_type, codec=codec, samples=plain, format="s16")
        found = examine(pool, given, media_type)
        assert np.array_equal(samples_of(found.made["web"]).reshape(-1, 1), plain)
        assert found.probe["channels"] == 1 and clips.SECRET.encode() not in found.made["web"]


def test_uneven_times_are_kept(pool: MediaSandbox) -> None:
    times = [0, 40, 80, 200, 240, 500]
    found = examine(pool, clips.video("video/x-matroska", times=times, frames=6), "video/x-matroska")
    assert found.probe["variable_fps"] and found.probe["frames"] == 6
    assert json.loads(found.made["frames"])["times"] == pytest.approx([at / 1000 for at in times])
    even = clips.video("video/x-matroska", fps=Fraction(30000, 1001), frames=20)  # in whole milliseconds
    probe = examine(pool, even, "video/x-matroska", ()).probe
    assert not probe["variable_fps"] and probe["fps_ratio"] == "30000/1001"


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_pictures_are_shown_upright(pool: MediaSandbox, rotation: int) -> None:
    found = examine(pool, clips.video(rotation=rotation), "video/mp4")
    size = (160, 90) if rotation == 180 else (90, 160)
    assert (found.probe["width"], found.probe["height"], found.probe["rotation"]) == (*size, rotation)
    with av.open(io.BytesIO(found.made["web"]), "r") as web:
        frame = next(web.decode(video=0))
        shown = frame.to_ndarray(format="rgb24").astype(int)
    assert (frame.width, frame.height, frame.rotation) == (*size, 0)
    upright = np.rot90(clips.scene(0), {90: 1, 180: 2, -90: 3}[rotation]).astype(int)
    assert np.abs(shown - upright).mean() < 6


def test_what_browsers_play_is_copied_and_the_rest_made_to_fit(pool: MediaSandbox) -> None:
    """The very same coded pictures, or new ones of at most 1080 lines."""

    def packets(data: bytes) -> list[bytes]:
        with av.open(io.BytesIO(data), "r") as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    plain = clips.video(sound="libmp3lame")
    found = examine(pool, plain, "video/mp4")
    assert packets(found.made["web"]) == packets(plain) and clips.SECRET.encode() not in found.made["web"]
    large = clips.video(size=(2560, 1440), frames=3, pixels="yuv444p")
    assert about(examine(pool, large, "video/mp4")) == (1920, 1080)
    tall = clips.video("video/webm", codec="libvpx-vp9", size=(120, 250), frames=3)
    assert about(examine(pool, tall, "video/webm")) == (120, 250)


def test_an_avi_may_count_empty_places(pool: MediaSandbox) -> None:
    """Where pictures are coded out of order, its muxers leave some."""
    given = clips.video("video/x-msvideo", codec="mpeg4", frames=20, options={"bf": "2"})
    found = examine(pool, given, "video/x-msvideo")
    assert found.probe["frames"] == 20
    assert len(times_of(found.made["web"])) == 20


def about(found: Opened) -> tuple[int, int]:
    return found.about["web"]["width"], found.about["web"]["height"]
