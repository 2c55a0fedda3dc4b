"""Media as arrays for Qwen's vision and audio towers: Pillow, numpy and PyAV, no torchvision.

Only renditions that our own sandbox wrote are opened here, never what was uploaded.
"""

import io
import math
import wave
from dataclasses import dataclass
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from workers.reward_models.base import MediumRef
from workers.reward_models.features.pictures import opaque
from workers.reward_models.judge_media import RATE, sampled_frames, wav

Floats = npt.NDArray[np.float32]
# Raised whenever the same file would give other arrays: embeddings kept before are then not used.
VERSION = 1
Colours = tuple[float, float, float]
# CLIP's mean and deviation of red, green and blue, which Qwen's processors use before Qwen3, and the plain ones of Qwen3.
CLIP: tuple[Colours, Colours] = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PLAIN: tuple[Colours, Colours] = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_MOST_ASPECT = 200
_MOST_SECONDS = 300  # of sound that is heard: Qwen2.5-Omni was trained on no more at a time


@dataclass(frozen=True)
class Grid:
    """Qwen's layout of a picture: patches of `patch` pixels, `merge` x `merge` of them one token, `frames` deep; colours
    less their mean, by their deviation."""

    patch: int = 14
    merge: int = 2
    frames: int = 2
    mean: Colours = CLIP[0]
    deviation: Colours = CLIP[1]

    @property
    def side(self) -> int:
        return self.patch * self.merge


@dataclass(frozen=True)
class Seen:
    """Patches (n, channels x frames x patch x patch), their (time, height, width), and the seconds one step of
    time stands for (0 of an image)."""

    patches: Floats
    thw: tuple[int, int, int]
    seconds: float


def smart_resize(height: int, width: int, factor: int, least: int, most: int) -> tuple[int, int]:
    """The documented rule of Qwen2-VL: both sides multiples of `factor`, from `least` to `most` pixels in all, the
    aspect kept as nearly as can be.

    Raises:
        ValueError: one side is more than 200 times the other.
    """
    if max(height, width) > _MOST_ASPECT * min(height, width):
        raise ValueError(
            f"{width} x {height} pixels: one side is more than {_MOST_ASPECT} times as long as the other"
        )
    high, wide = round(height / factor) * factor, round(width / factor) * factor
    if high * wide > most:
        shrink = math.sqrt(height * width / most)
        high = max(factor, math.floor(height / shrink / factor) * factor)
        wide = max(factor, math.floor(width / shrink / factor) * factor)
    elif high * wide < least:
        grow = math.sqrt(least / (height * width))
        high, wide = math.ceil(height * grow / factor) * factor, math.ceil(width * grow / factor) * factor
    return high, wide


def patches(pictures: list[Image.Image], grid: Grid, most: int, seconds: float = 0.0) -> Seen:
    """One image, or the frames of a video. A time step that lacks frames repeats the last."""
    width, height = pictures[0].size
    high, wide = smart_resize(height, width, grid.side, 4 * grid.side**2, most)
    frames = [_normal(picture, high, wide, grid) for picture in pictures]
    while len(frames) % grid.frames:
        frames.append(frames[-1])
    video = np.stack(frames)  # (frames, channels, high, wide)
    deep, rows, columns = len(frames) // grid.frames, high // grid.patch, wide // grid.patch
    cut = video.reshape(
        deep,
        grid.frames,
        3,
        rows // grid.merge,
        grid.merge,
        grid.patch,
        columns // grid.merge,
        grid.merge,
        grid.patch,
    )
    # The patches of one token beside one another, in each patch channels before frames.
    cut = cut.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8)
    flat: Floats = np.ascontiguousarray(cut.reshape(deep * rows * columns, -1))
    return Seen(flat, (deep, rows, columns), seconds)


def _normal(picture: Image.Image, high: int, wide: int, grid: Grid) -> Floats:
    pixels = np.asarray(opaque(picture).resize((wide, high), Image.Resampling.BICUBIC), dtype=np.float32)
    mean, deviation = (np.array(one, dtype=np.float32) for one in (grid.mean, grid.deviation))
    return ((pixels / 255 - mean) / deviation).transpose(2, 0, 1).astype(np.float32, copy=False)


def image(medium: MediumRef, grid: Grid, most: int) -> Seen:
    """An image, or the sheet of views that a mesh is shown by."""
    with medium.files["sheet" if medium.modality == "mesh" else "web"]() as file, Image.open(file) as picture:
        return patches([picture], grid, most)


def video(medium: MediumRef, grid: Grid, most: int, fps: float, most_frames: int) -> Seen:
    """Frames from the middles of equal parts: `fps` a second, an even number, at most `most_frames`."""
    with medium.files["web"]() as file:
        count = frame_count(_seconds(file), grid.frames, fps, most_frames)
        file.seek(0)
        pictures, seconds = sampled_frames(file, count)
    if not pictures:
        raise ValueError("the video shows no frame")
    return patches(pictures, grid, most, seconds=grid.frames * seconds / count)


def frame_count(seconds: float, step: int, fps: float, most: int) -> int:
    """How many frames are looked at: whole time steps, at least one."""
    wanted = round(seconds * fps / step) * step
    return max(step, min(wanted, most // step * step))


def _seconds(file: BinaryIO) -> float:
    with av.open(file, mode="r", format="mp4") as container:
        return float(container.duration or 0) / av.time_base


def sound(medium: MediumRef) -> Floats:
    """Samples at 16 kHz in [-1, 1]; no more than what the audio tower was trained to hear."""
    with medium.files["web"]() as file, wave.open(io.BytesIO(wav(file))) as read:
        samples = np.frombuffer(read.readframes(RATE * _MOST_SECONDS), dtype="<i2")
    if not len(samples):
        raise ValueError("the sound is empty")
    return (samples / 32768).astype(np.float32)
