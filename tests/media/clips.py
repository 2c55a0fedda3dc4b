"""Videos and sounds made by code, small."""

import hashlib
import io
import math
from fractions import Fraction
from typing import Any

import av
import numpy as np

MUXERS = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/aac": "adts",
    "audio/mp4": "ipod",
}
SECRET = "SECRETMAKER"


def scene(number: int, width: int = 160, height: int = 90) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A gradient with a bar that moves by four pixels a frame: no two frames are the same."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], axis=2).astype(np.uint8)
    at = 4 * number % (width - 8)
    picture[:, at : at + 8] = (250, 240, 20)
    return picture


def tone(seconds: float, rate: int = 48_000, hertz: float = 440.0, decibels: float = -20.0) -> Any:
    """One channel of a sine, as floats."""
    at = np.arange(round(seconds * rate)) / rate
    return 10 ** (decibels / 20) * np.sin(2 * math.pi * hertz * at)


def video(
    media_type: str = "video/mp4",
    *,
    frames: int = 25,
    fps: Fraction | int = 25,
    size: tuple[int, int] = (160, 90),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    sound: str | None = None,
    times: list[int] | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    tracks: int = 1,
    movflags: str = "",
) -> bytes:
    """A clip with tags that name its maker. `times`: of each frame in thousandths of a second."""
    target = io.BytesIO()
    settings = {"movflags": movflags} if movflags else {}
    with av.open(
        target, "w", format=MUXERS[media_type], options=settings, io_open=lambda *_: _reopened(target)
    ) as made:
        made.metadata.update({"title": SECRET, "comment": SECRET})
        streams: list[Any] = [made.add_stream(codec, rate=fps, options=options or {}) for _ in range(tracks)]
        for stream in streams:
            stream.metadata["title"] = SECRET
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            if rotation:
                stream.set_display_rotation(rotation)
            if times:
                stream.codec_context.time_base = Fraction(1, 1000)
        track: Any = made.add_stream(sound, rate=48_000, layout="stereo") if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(scene(number, *size), format="rgb24")
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = number, 1 / Fraction(fps)
            for stream in streams:
                made.mux(stream.encode(frame))
        for stream in streams:
            made.mux(stream.encode(None))
        if track:
            for frame in sound_frames(np.stack([tone(float(frames / fps))] * 2, axis=1), 48_000):
                made.mux(track.encode(frame))
            made.mux(track.encode(None))
    return target.getvalue()


def avi_of_length_prefixed() -> bytes:
    """H.264 in an AVI as MP4 has it, each unit after its length: recorders write such, FFmpeg only reads them."""
    target = io.BytesIO()
    with av.open(io.BytesIO(video()), "r") as given, av.open(target, "w", format="avi") as made:
        source = given.streams.video[0]
        stream: Any = made.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = source.width, source.height, "yuv420p"
        stream.codec_context.extradata = source.codec_context.extradata
        for packet in given.demux(source):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    return target.getvalue().replace(b"FMP4", b"H264")


def _reopened(target: io.BytesIO) -> io.BytesIO:
    """What a muxer wrote, for it to read again."""
    return io.BytesIO(target.getvalue())


def decoded(data: bytes, media_type: str) -> dict[str, Any]:
    """A digest of all pictures and of all samples, and when each picture is shown; of the first track of each kind."""
    found: dict[str, Any] = {}
    with av.open(io.BytesIO(data), "r") as container:
        for stream in [*container.streams.video, *container.streams.audio]:
            digest, times = hashlib.sha256(), []
            container.seek(0)
            frame: Any
            for frame in container.decode(stream):
                digest.update(frame.to_ndarray().tobytes())
                times.append(frame.time)
            found.setdefault(stream.type, (digest.hexdigest(), times if stream.type == "video" else None))
    return found


def sound_frames(samples: Any, rate: int, format: str = "flt") -> Any:
    """Frames of (samples, channels), floats between -1 and 1 or whole numbers as `format` has them."""
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    for start in range(0, len(samples), 1024):
        block = np.ascontiguousarray(samples[start : start + 1024])
        if format == "flt":
            block = block.astype(np.float32)
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format=format, layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield frame


def sound(
    media_type: str = "audio/wav",
    *,
    codec: str = "pcm_s16le",
    rate: int = 48_000,
    seconds: float = 1.0,
    channels: int = 2,
    samples: Any = None,
    format: str = "flt",
    options: dict[str, str] | None = None,
) -> bytes:
    """A sine, or the samples given, with tags that name its maker."""
    if samples is None:
        samples = np.stack([tone(seconds, rate)] * channels, axis=1)
    target = io.BytesIO()
    with av.open(target, "w", format=MUXERS[media_type]) as made:
        made.metadata.update({"title": SECRET, "comment": SECRET, "artist": SECRET})
        layout = "mono" if samples.shape[1] == 1 else "stereo"
        stream: Any = made.add_stream(codec, rate=rate, layout=layout, options=options or {})
        for frame in sound_frames(samples, rate, format):
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return target.getvalue()
