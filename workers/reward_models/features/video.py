"""What is seen of a video: signal features of eight of its frames, and how frames follow each other."""

from itertools import pairwise
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from workers.reward_models.base import MediumRef
from workers.reward_models.features import pictures

VERSION = "video-1"
_MOTION = ("change", "change_spread", "flicker", "frozen", "jump", "log_seconds", "log_rate", "has_sound")
NAMES = (
    *(f"frame_{name}" for name in pictures.NAMES),
    *(f"spread_{name}" for name in pictures.NAMES),
    *_MOTION,
)

# Where frames are looked at, and how many in a row at each place (for motion). At most one screen wide.
_PLACES, _RUN, _WIDE = 8, 3, 768


def describe(medium: MediumRef) -> list[float]:
    with medium.files["web"]() as file:
        runs, seconds, rate, sound = _look(file)
    frames = np.array([pictures.picture_features(run[0]) for run in runs])
    greys = [[_small(picture) for picture in run] for run in runs]
    steps = [float(np.abs(b - a).mean()) for run in greys for a, b in pairwise(run)] or [0.0]
    lights = [float(b.mean() - a.mean()) for run in greys for a, b in pairwise(run)] or [0.0]
    jumps = [float(np.abs(b[0] - a[0]).mean()) for a, b in pairwise(greys)] or [0.0]
    return [
        *frames.mean(axis=0),
        *frames.std(axis=0),
        float(np.log(np.mean(steps) + 1e-3)),
        float(np.std(steps)),
        float(np.std(lights)),
        float(np.mean([step < 1e-3 for step in steps])),
        float(np.mean(jumps)),
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
            if place and seconds:
                container.seek(int((place / _PLACES) * seconds * av.time_base))
            run: list[Image.Image] = []
            for frame in container.decode(stream):
                picture = frame.to_image()
                picture.thumbnail((_WIDE, _WIDE))
                run.append(picture)
                if len(run) == _RUN:
                    break
            if run:
                runs.append(run)
        rate = float(stream.average_rate or 0)
        return runs, seconds, rate, float(bool(container.streams.audio))


def _small(picture: Image.Image) -> npt.NDArray[np.float64]:
    return np.asarray(picture.convert("L").resize((64, 64)), dtype=np.float64) / 255
