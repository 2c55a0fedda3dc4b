"""What is heard of a sound: loudness and its course, spectrum, clipping, silence. Plain numpy on decoded samples."""

from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt

from workers.reward_models.base import MediumRef

Floats = npt.NDArray[np.float64]

VERSION = "audio-3"
_BANDS, _COEFFICIENTS = 24, 10
NAMES = (
    "log_seconds",
    "level",
    "peak",
    "crest",
    "clipped",
    "silent",
    "signal_to_noise",
    "crossings",
    "centre",
    "width",
    "rolloff",
    "flatness",
    "flux",
    "contrast",
    "stereo",
    "offset",
    "plateaus",
    "clicks",
    "floor",
    "fading",
    "drops",
    "onsets",
    "pulse",
    "bass",
    "treble",
    "brightness",
    "middle_pitch",
    "dropouts",
    "dropout_depth",
    "usual_level",
    *(f"cepstrum_{n}" for n in range(_COEFFICIENTS)),
    *(f"cepstrum_spread_{n}" for n in range(_COEFFICIENTS)),
)
# All is heard at one rate, and no more than the first minutes.
_RATE, _MOST_SECONDS, _FRAME, _HOP = 16_000, 180, 512, 256
_SMALL = 1e-10


def describe(medium: MediumRef) -> list[float]:
    with medium.files["web"]() as file:
        samples, seconds, clipped = _samples(file)
    mono = samples.mean(axis=0)
    if len(mono) < _FRAME:
        mono = np.pad(mono, (0, _FRAME - len(mono)))
    frames = np.lib.stride_tricks.sliding_window_view(mono, _FRAME)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1)) ** 2
    levels = 10 * np.log10((frames**2).mean(axis=1) + _SMALL)
    level, peak = float(10 * np.log10((mono**2).mean() + _SMALL)), float(np.abs(samples).max(initial=0.0))
    stereo = float(np.abs(samples[0] - samples[-1]).mean() / (np.abs(samples).mean() + _SMALL))
    quiet, loud = np.percentile(levels, (5, 95))
    cepstrum = _cepstrum(power)
    return [
        float(np.log(max(seconds, 0.01))),
        level,
        float(20 * np.log10(peak + 1e-5)),
        float(20 * np.log10(peak + 1e-5)) - level,
        clipped,
        float((levels < -60).mean()),
        float(loud - quiet),
        float((np.diff(np.signbit(mono))).mean()),
        *_spectrum(power),
        stereo,
        float(abs(mono.mean())),
        _plateaus(frames),
        _clicks(mono),
        float(max(quiet, -90.0)),
        *_course(levels),
        *_shares(power),
        *_foreground(power),
        *_dropouts(mono),
        # What is loud for a moment only has a high level, too.
        float(np.maximum(levels, -90.0).mean()),
        *cepstrum.mean(axis=0),
        *cepstrum.std(axis=0),
    ]


def _samples(file: BinaryIO) -> tuple[Floats, float, float]:
    """Samples at _RATE of shape (channels, n), the duration in seconds, the share of samples at full scale."""
    parts, full, count = [], 0, 0
    with av.open(file, mode="r", format="flac") as container:
        stream = container.streams.audio[0]
        seconds = float(container.duration or 0) / av.time_base
        resampler = av.AudioResampler(format="fltp", rate=_RATE)
        for frame in container.decode(stream):
            whole = frame.to_ndarray()
            most = 2 ** (8 * whole.itemsize - 1)  # FLAC decodes to whole numbers
            full += int((np.abs(whole.astype(np.float64)) >= 0.999 * most).sum())
            count += whole.size
            parts += [part.to_ndarray() for part in resampler.resample(frame)]
            if frame.time is not None and frame.time > _MOST_SECONDS:
                break
        parts += [part.to_ndarray() for part in resampler.resample(None)]
    samples = np.concatenate(parts, axis=1).astype(np.float64)
    return samples, seconds or samples.shape[1] / _RATE, full / max(count, 1)


def _spectrum(power: Floats) -> list[float]:
    """Centre, width and rolloff in kHz, flatness, flux, contrast: means over frames, weighted by what sounds."""
    weight = power.sum(axis=1) / (power.sum() + _SMALL)
    share = power / (power.sum(axis=1, keepdims=True) + _SMALL)
    kilohertz = np.linspace(0, _RATE / 2000, power.shape[1])
    centre = share @ kilohertz
    width = np.sqrt(np.maximum(share @ kilohertz**2 - centre**2, 0))
    rolloff = kilohertz[np.minimum((share.cumsum(axis=1) < 0.85).sum(axis=1), len(kilohertz) - 1)]
    flatness = np.log(power + _SMALL).mean(axis=1) - np.log(power.mean(axis=1) + _SMALL)
    flux = np.append(0.0, np.sqrt((np.diff(share, axis=0) ** 2).sum(axis=1)))
    low, high = np.percentile(np.log(power + _SMALL), (20, 90), axis=1)
    return [float(weight @ each) for each in (centre, width, rolloff, flatness, flux, high - low)]


def _plateaus(frames: Floats) -> float:
    """How many samples of a frame stand within a fiftieth of its peak, as a log: many where tops are cut off, at
    whatever level that happened."""
    sizes = np.abs(frames)
    peaks = sizes.max(axis=1, keepdims=True)
    sounding = peaks[:, 0] > 1e-3
    near = (sizes > 0.98 * peaks).mean(axis=1)[sounding]
    return float(np.log(near.mean() if near.size else 1 / _FRAME))


def _clicks(mono: Floats) -> float:
    """The log kurtosis of the second difference: large where single samples leap."""
    bends = np.diff(mono, 2)
    square = (bends**2).mean()
    return float(np.log((bends**4).mean() / square**2)) if square > _SMALL else 0.0


def _course(levels: Floats) -> list[float]:
    """Of levels in decibels, frame by frame: how far they fall from the first third to the last; how often a second
    they drop at once by 15 or rise by 6; and how much they go up and down."""
    third = max(len(levels) // 3, 1)
    heard = np.maximum(levels, -90.0)
    steps = np.diff(heard, prepend=heard[0])
    rises = (steps > 6) & (heard > heard.max() - 40)
    # Neighbouring frames overlap by half: one rise may take two of them.
    starts = int((rises & ~np.append(False, rises[:-1])).sum())
    seconds = len(levels) * _HOP / _RATE
    return [
        float(heard[:third].mean() - heard[-third:].mean()),
        float(np.log1p((steps < -15).sum() / seconds)),
        float(np.log1p(starts / seconds)),
        float(np.abs(steps).mean()),
    ]


def _shares(power: Floats) -> list[float]:
    """Of all that sounds, how much lies below 160 Hz and above 3 kHz, as logs."""
    hertz = np.linspace(0, _RATE / 2, power.shape[1])
    whole = power.sum() + _SMALL
    return [
        float(np.log(power[:, hertz < 160].sum() / whole + 1e-6)),
        float(np.log(power[:, hertz > 3000].sum() / whole + 1e-6)),
    ]


def _foreground(power: Floats) -> list[float]:
    """Of what stands out from the steady ground: how much lies above 800 Hz against below, as a log ratio, and where its
    middle lies, in octaves. A hiss makes a sound hardly brighter."""
    hertz = np.linspace(0, _RATE / 2, power.shape[1])
    low, high = np.percentile(power, (20, 95), axis=0)
    # The power of noise is distributed exponentially: these quantiles are then as ln 20 to -ln 0.8.
    stands_out = np.maximum(high - low * np.log(20) / -np.log(0.8), 0)[hertz > 50]
    hertz = hertz[hertz > 50]
    above, below = (float(stands_out[some].sum()) for some in (hertz > 800, hertz <= 800))
    whole = above + below
    least = 1e-4 * whole + _SMALL
    middle = float(stands_out @ np.log2(hertz)) / whole if whole > _SMALL else np.log2(800)
    return [float(np.log((above + least) / (below + least))), middle]


def _dropouts(mono: Floats) -> list[float]:
    """How often a second the level sinks by 10 decibels for less than a tenth of a second and comes back, as a log; and
    how deep it sinks, on the mean of all moments."""
    size, near, far = 128, 3, 12
    parts = mono[: len(mono) // size * size].reshape(-1, size)
    levels = np.maximum(10 * np.log10((parts**2).mean(axis=1) + _SMALL), -90.0)
    if len(levels) < 2 * far:
        return [0.0, 0.0]
    padded = np.pad(levels, far, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * far + 1)
    before, after = around[:, : far - near + 1].max(axis=1), around[:, far + near :].max(axis=1)
    depth = np.minimum(before, after) - levels
    sunk = depth > 10
    starts = int((sunk & ~np.append(False, sunk[:-1])).sum())
    return [
        float(np.log1p(starts * _RATE / len(mono))),
        float(np.log1p(np.clip(depth - 8, 0, 40).mean())),
    ]


def _cepstrum(power: Floats) -> Floats:
    """Mel-frequency cepstral coefficients, shape (frames, _COEFFICIENTS)."""
    mel = np.linspace(0, 2595 * np.log10(1 + _RATE / 2 / 700), _BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1) / (_RATE / 2) * (power.shape[1] - 1)
    bins = np.arange(power.shape[1])
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = np.maximum(np.minimum((bins - left) / (middle - left), (right - bins) / (right - middle)), 0)
    logs = np.log(power @ bank.T + 1e-8)
    places = (np.arange(_BANDS) + 0.5) * np.pi / _BANDS
    cosines = np.cos(np.arange(_COEFFICIENTS)[:, None] * places) * np.sqrt(2 / _BANDS)
    coefficients: Floats = logs @ cosines.T
    return coefficients
