"""What is seen of a video: signal features of eight of its frames, and how frames follow each other."""

from itertools import pairwise
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from workers.reward_models.base import MediumRef
from workers.reward_models.features import pictures

Floats = npt.NDArray[np.float64]

VERSION = "video-3"
_MOTION = (
    "change",
    "change_spread",
    "flicker",
    "frozen",
    "jump",
    "pan",
    "shake",
    "log_seconds",
    "log_rate",
    "has_sound",
)
# Of these it matters, too, how far they differ from frame to frame.
_SPREAD = tuple(pictures.NAMES.index(name) for name in ("light", "detail_0", "noise", "blur"))
NAMES = (
    *(f"frame_{name}" for name in pictures.NAMES),
    *(f"spread_{pictures.NAMES[n]}" for n in _SPREAD),
    *_MOTION,
)

# Where frames are looked at, and how many in a row at each place (for motion). At most one screen wide.
_PLACES, _RUN, _WIDE = 8, 5, 768
# Motion and stillness are told at this size; below this change of light between two frames nothing moved, whatever
# compression makes of it.
_SIDE, _STILL = 64, 2e-3


def describe(medium: MediumRef) -> list[float]:
    with medium.files["web"]() as file:
        runs, seconds, rate, sound = _look(file)
    frames = np.array([pictures.picture_features(run[0]) for run in runs])
    greys = [[_small(picture) for picture in run] for run in runs]
    steps = np.array([np.abs(b - a).mean() for run in greys for a, b in pairwise(run)] or [0.0])
    lights = [np.log(b.mean() + 0.02) - np.log(a.mean() + 0.02) for run in greys for a, b in pairwise(run)]
    jumps = [float(np.abs(b[0] - a[0]).mean()) for a, b in pairwise(greys)] or [0.0]
    moves = [[_move(a, b) for a, b in pairwise(run)] for run in greys]
    pans = [float(np.hypot(*move)) for run in moves for move in run]
    shakes = [float(np.hypot(*(b - a))) for run in moves for a, b in pairwise(run)]
    return [
        *frames.mean(axis=0),
        *frames.std(axis=0)[list(_SPREAD)],
        float(np.log(steps.mean() + 1e-3)),
        float(steps.std()),
        float(np.log(np.std(lights or [0.0]) + 1e-3)),
        float((steps < _STILL).mean()),
        float(np.mean(jumps)),
        float(np.log1p(np.mean(pans or [0.0]))),
        float(np.log1p(np.mean(shakes or [0.0]))),
        float(np.log(max(seconds, 0.01))),
        float(np.log(max(rate, 0.1))),
        sound,
    ]


def _look(file: BinaryIO) -> tuple[list[list[Image.Image]], float, float, float]:
    """Runs of frames from places spread evenly, the duration in seconds, the frame rate, 1.0 if there is sound."""
    with av.open(file, mode="r", format="mp4") as container:
        stream = container.streams.video[0]
        seconds = float(container.duration or 0) / av.time_base
        runs = []
        for place in range(_PLACES):
            begin = place / _PLACES * seconds
            if place and seconds:
                container.seek(int(begin * av.time_base))  # to the key frame before
            run: list[Image.Image] = []
            for frame in container.decode(stream):
                if frame.time is not None and frame.time < begin - 1e-3:
                    continue
                picture = frame.to_image()
                picture.thumbnail((_WIDE, _WIDE))
                run.append(picture)
                if len(run) == _RUN:
                    break
            if run:
                runs.append(run)
        rate = float(stream.average_rate or 0)
        return runs, seconds, rate, float(bool(container.streams.audio))


def _small(picture: Image.Image) -> Floats:
    return np.asarray(picture.convert("L").resize((_SIDE, _SIDE)), dtype=np.float64) / 255


def _move(a: Floats, b: Floats) -> npt.NDArray[np.int64]:
    """By how many of _SIDE pixels the whole picture went down and right, by phase correlation (Kuglin and Hines, 1975)."""
    shared = np.fft.rfft2(b - b.mean()) * np.conj(np.fft.rfft2(a - a.mean()))
    peak = np.fft.irfft2(shared / (np.abs(shared) + 1e-9), a.shape).argmax()
    at = np.array(np.unravel_index(peak, a.shape))
    return np.where(at > _SIDE // 2, at - _SIDE, at)
