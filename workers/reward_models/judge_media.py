"""Media as a chat endpoint takes them: images as data URLs, videos as frames, sound as WAV, meshes by their sheet.

Only renditions that our own sandbox wrote are opened here, never what was uploaded.
"""

import base64
import io
import wave
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import numpy as np
from PIL import Image

from workers.reward_models.base import MediumRef
from workers.reward_models.features.pictures import opaque
from workers.reward_models.judge_template import FRAMES, SHEET

Part = dict[str, Any]
RATE = 16_000  # samples a second of sound, as the published judges hear it
_QUALITY = 90


def parts(medium: MediumRef, *, side: int, frames: int) -> list[Part]:
    """The content parts of a medium: pictures at most `side` pixels wide and high, of a video so many `frames`."""
    if medium.modality == "image":
        with medium.files["web"]() as file, Image.open(file) as picture:
            return [_picture(picture, side)]
    if medium.modality == "mesh":
        with medium.files["sheet"]() as file, Image.open(file) as picture:
            # Eight views in one picture: each has a quarter of its width.
            return [text(SHEET), _picture(picture, 2 * side)]
    if medium.modality == "video":
        with medium.files["web"]() as file:
            pictures, seconds = sampled_frames(file, frames)
        said = text(FRAMES.format(count=len(pictures), seconds=seconds))
        return [said, *(_picture(picture, side) for picture in pictures)]
    if medium.modality == "audio":
        with medium.files["web"]() as file:
            return [_sound(wav(file))]
    raise ValueError(f"Nobody knows how to show {medium.modality!r}.")


def text(words: str) -> Part:
    return {"type": "text", "text": words}


def sampled_frames(file: BinaryIO, count: int) -> tuple[list[Image.Image], float]:
    """`count` frames from the middles of as many equal parts of a video, in order, and its length in seconds.

    Fewer where the video has fewer. For each the stream is entered at the key frame before and read up to the place.
    """
    with av.open(file, mode="r", format="mp4") as container:
        stream = container.streams.video[0]
        seconds = float(container.duration or 0) / av.time_base
        assert stream.time_base is not None
        start = stream.start_time or 0
        found: dict[int, Image.Image] = {}
        for place in range(count):
            at = (place + 0.5) / count * seconds
            container.seek(start + int(at / stream.time_base), stream=stream)
            if (
                frame := _shown_at(container.decode(stream), at + float(start * stream.time_base))
            ) is not None:
                found.setdefault(frame.pts or 0, frame.to_image())
    return [found[at] for at in sorted(found)], seconds


def _shown_at(frames: Iterator[av.VideoFrame], at: float) -> av.VideoFrame | None:
    """The last frame that begins no later than `at`, else the first there is."""
    shown = None
    for frame in frames:
        if shown is not None and (frame.time or 0.0) > at:
            break
        shown = frame
    return shown


def wav(file: BinaryIO) -> bytes:
    """A sound of our sandbox as 16-bit mono WAV at RATE."""
    out = io.BytesIO()
    with av.open(file, mode="r", format="flac") as container, wave.open(out, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in (*container.decode(container.streams.audio[0]), None):
            for part in resampler.resample(frame):
                written.writeframes(part.to_ndarray().astype(np.int16).tobytes())
    return out.getvalue()


def _picture(picture: Image.Image, side: int) -> Part:
    drawn = opaque(picture)
    drawn.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=_QUALITY)
    url = f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _sound(data: bytes) -> Part:
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": "wav"}}
