"""Sounds: short tunes with hiss, clipping, gaps, too little level or brightness. WAV of 16 bits."""

import io
import math
import wave
from array import array
from random import Random

from planting.asked import Asked, Kinds, Modality, Traits, strength

RATE, SECONDS = 16_000, 1.5
_NOTES = (220.0, 247.5, 277.2, 330.0, 371.2, 440.0, 495.0, 554.4)


def _make(source: int, traits: Traits, rng: Random) -> bytes:
    samples = _tune(source, rng, 2.5 + 8 * strength(traits, "more notes"))
    if much := strength(traits, "shaken"):  # as lively as many notes, without one more
        samples = [
            s * (1 - 0.9 * much * (math.sin(2 * math.pi * 9 * n / RATE) > 0)) for n, s in enumerate(samples)
        ]
    samples = _muffled(samples, traits["dullness"][0], traits["dullness"][1])
    samples = _interrupted(samples, traits["gaps"][0], traits["gaps"][1], rng)
    samples = _distorted(samples, traits["distortion"][0], traits["distortion"][1])
    samples = _quieter(samples, traits["quiet"][0], traits["quiet"][1])
    samples = _noisy(samples, traits["noise"][0], traits["noise"][1], rng)
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array("h", (min(max(round(32767 * s), -32768), 32767) for s in samples)).tobytes())
    return target.getvalue()


def _tune(source: int, rng: Random, notes_a_second: float) -> list[float]:
    """Notes with overtones that die away, of the source's scale and colour of sound."""
    of_source = Random(f"tune {source}")
    pitch = of_source.uniform(0.7, 1.6)
    overtones = [of_source.uniform(0.1, 0.8) ** n for n in range(1, 7)]
    decay = of_source.uniform(4, 9)
    length = round(RATE / notes_a_second)
    samples: list[float] = []
    phase = rng.random()
    while len(samples) < RATE * SECONDS:
        turn = 2 * math.pi * pitch * rng.choice(_NOTES) / RATE
        for n in range(length):
            loud = 0.3 * math.exp(-decay * n / RATE) * min(n / 80, 1)
            samples.append(
                loud * sum(a * math.sin((k + 1) * (turn * n + phase)) for k, a in enumerate(overtones))
            )
    return samples[: round(RATE * SECONDS)]


def _muffled(samples: list[float], kind: str, much: float) -> list[float]:
    if not much:
        return samples
    if kind == "filtered":
        keep, at, out = 0.95 * much**0.5, 0.0, []
        for sample in samples:
            at = keep * at + (1 - keep) * sample
            out.append(at)
        loss = (sum(s * s for s in samples) / max(sum(s * s for s in out), 1e-9)) ** 0.5
        return [s * loss for s in out]
    width = 1 + round(9 * much)  # the mean of so many
    total, out = 0.0, []
    for n, sample in enumerate(samples):
        total += sample - (samples[n - width] if n >= width else 0.0)
        out.append(total / width)
    loss = (sum(s * s for s in samples) / max(sum(s * s for s in out), 1e-9)) ** 0.5
    return [s * loss for s in out]


def _interrupted(samples: list[float], kind: str, much: float, rng: Random) -> list[float]:
    """Pieces that are silent, or said again."""
    out = list(samples)
    piece = RATE // 25
    for _ in range(round(9 * much)):
        at = rng.randrange(piece, len(out) - piece)
        if kind == "silences":
            out[at : at + piece] = [0.0] * piece
        else:
            out[at : at + piece] = out[at - piece : at]
            for n in range(at, min(at + 2 * piece, len(out)), piece // 4):
                out[n : n + piece // 4] = out[at : at + piece // 4][: len(out[n : n + piece // 4])]
    return out


def _distorted(samples: list[float], kind: str, much: float) -> list[float]:
    """Cut off at what a share of samples pass, as loud as before."""
    if not much:
        return samples
    peak = max(abs(s) for s in samples) or 1.0
    limit = peak * (1 - 0.92 * much)
    if kind == "cut off":
        out = [min(max(s, -limit), limit) for s in samples]
    else:
        out = [limit * math.tanh(s / limit) for s in samples]
    gain = (sum(s * s for s in samples) / max(sum(s * s for s in out), 1e-9)) ** 0.5
    return [s * gain for s in out]


def _quieter(samples: list[float], kind: str, much: float) -> list[float]:
    if kind == "turned down":
        return [s * 10 ** (-1.3 * much) for s in samples]
    return [s * 10 ** (-2.6 * much * n / len(samples)) for n, s in enumerate(samples)]  # dies away


def _noisy(samples: list[float], kind: str, much: float, rng: Random) -> list[float]:
    loud = 0.05 * much
    if kind == "hiss":
        return [s + rng.gauss(0, loud) for s in samples]
    if kind == "hum":
        return [s + loud * math.sin(2 * math.pi * 100 * n / RATE) * 1.4 for n, s in enumerate(samples)]
    return [s + (rng.choice((-8, 8)) * loud if rng.random() < 0.004 else 0.0) for s in samples]  # crackle


SOUND = Modality(
    "audio",
    "audio/wav",
    lambda source: f"Play tune {source}",
    {
        "noise": Kinds(("hiss", "crackle"), ("hum",)),
        "distortion": Kinds(("cut off",), ("saturated",)),
        "quiet": Kinds(("turned down",), ("dies away",)),
        "dullness": Kinds(("filtered",), ("averaged",)),
        "gaps": Kinds(("silences",), ("stutter",)),
        "pace": Kinds(("more notes",), ("shaken",)),
    },
    (
        Asked(
            "clean",
            "noise",
            -1,
            (
                "The recording is free of background noise",
                "There is no hiss in the sound",
                "Prefer the cleaner recording",
            ),
            ("The recording with less noise wins", "Nothing hisses or hums behind it"),
            bend=0.6,
        ),
        Asked(
            "undistorted",
            "distortion",
            -1,
            (
                "The sound is not distorted",
                "The recording does not clip",
                "Prefer the audio without distortion",
            ),
            ("The less overdriven recording wins", "It is free of clipping and distortion"),
            bend=0.8,
            masked_by="noise",
        ),
        Asked(
            "loud",
            "quiet",
            -1,
            ("The sound is loud enough", "The recording has a strong level", "Prefer the louder audio"),
            ("The recording at the higher volume wins", "It can be heard loudly and clearly"),
        ),
        Asked(
            "soft",
            "quiet",
            1,
            ("The sound is quiet and gentle", "The recording is soft", "Prefer the quieter audio"),
            ("The recording at the lower volume wins", "It is gentle and not loud at all"),
            bend=1.4,
        ),
        Asked(
            "brilliant",
            "dullness",
            -1,
            (
                "The sound is bright and brilliant",
                "The recording has clear treble",
                "Prefer the audio that is not muffled",
            ),
            ("The less muffled recording wins", "Its high frequencies are clear"),
            bend=0.7,
        ),
        Asked(
            "unbroken",
            "gaps",
            -1,
            (
                "The sound has no dropouts",
                "The recording plays without interruptions",
                "Prefer the audio without gaps",
            ),
            ("The recording with fewer interruptions wins", "It never breaks off or stutters"),
        ),
        Asked(
            "lively",
            "pace",
            1,
            (
                "The music is fast and lively",
                "The tune has a quick rhythm",
                "Prefer the more energetic piece",
            ),
            ("The music with the faster tempo wins", "Its rhythm is lively"),
        ),
    ),
    _make,
)
