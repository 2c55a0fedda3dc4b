"""Sounds: melodies and noises synthesised with numpy, mixed with pydub, written as FLAC.

They are only ever built and mixed here, never decoded by pydub, which would want another program for it.
"""

import math
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

import av
import numpy as np
import numpy.typing as npt

from annotate.demo.rules import Traits

with warnings.catch_warnings():  # of the program that it would want for decoding
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

RATE = 16_000  # samples a second, mono
_STEP = 8  # of 16 bits the lowest three are left empty: FLAC takes no room for them, and nobody hears them
SECONDS = 4.6

Wave = npt.NDArray[np.float64]  # samples in -1..1
# The sound, given its mistakes, the tempo's factor and how many voices there are (0..4).
Voice = Callable[[frozenset[str], float, int], Wave]

_NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Sound:
    """`facts`: (true, false) sentences about what is heard. `mistakes`: what the voice understands, and "rest"."""

    prompt: str
    voice: Voice
    facts: tuple[tuple[str, str], ...]
    mistakes: tuple[str, ...] = ("key", "tempo", "timbre", "rest")


def _silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE))


def _time(seconds: float) -> Wave:
    return np.arange(round(seconds * RATE)) / RATE


def _put(into: Wave, wave: Wave, at: float, gain: float = 1.0) -> None:
    """Add a wave from a time on; what goes beyond the end is cut off."""
    start = round(at * RATE)
    part = wave[: max(0, len(into) - start)]
    into[start : start + len(part)] += gain * part


def _pitch(note: str, shift: int = 0) -> float:
    """The frequency of a note as "A4", "Eb5" or "F#3"."""
    step = _NOTES[note[0]] + note.count("#") - note[1:].count("b")
    return 440.0 * 2 ** ((step + shift + 12 * (int(note[-1]) - 4) - 9) / 12)


def _tone(frequency: float, seconds: float, timbre: str) -> Wave:
    """One note, dying away as its instrument does."""
    t = _time(seconds)
    phase = 2 * math.pi * frequency * t
    if timbre == "bell":
        wave = sum(
            a * np.sin(phase * n) * np.exp(-t * d) for n, a, d in ((1, 1, 3), (2.76, 0.5, 5), (5.4, 0.25, 8))
        )
    elif timbre == "organ":
        wave = sum(np.sin(phase * n) / n for n in (1, 2, 3, 4)) * np.minimum(1, (seconds - t) * 12)
    elif timbre == "pluck":
        wave = sum(np.sin(phase * n) / n * np.exp(-t * (2 + 1.5 * n)) for n in range(1, 7))
    elif timbre == "flute":
        breath = np.minimum(1, t * 14) * np.minimum(1, (seconds - t) * 12)
        wave = (np.sin(phase + 0.25 * np.sin(2 * math.pi * 5 * t)) + 0.2 * np.sin(2 * phase)) * breath
    else:  # buzz
        wave = sum(np.sin(phase * n) / n for n in (1, 3, 5, 7, 9)) * np.minimum(1, (seconds - t) * 12)
    return np.asarray(wave) * np.minimum(1, t * 200) * 0.4


def _noise(seconds: float, seed: int, smooth: int = 1) -> Wave:
    """White noise, or the duller the more samples are averaged."""
    wave = np.random.default_rng(seed).uniform(-1, 1, round(seconds * RATE))
    if smooth > 1:
        wave = np.convolve(wave, np.ones(smooth) / smooth, "same") * math.sqrt(smooth) * 0.6
    return wave


def _melody(
    notes: str,
    bpm: float,
    timbre: str,
    chords: Sequence[str] = (),
    wrong_timbre: str = "buzz",
    minor_to: int = 0,
) -> Voice:
    """Notes as "A4:1 C5:.5 -:1" in beats. Chords, of four beats each, come in with the third voice.

    The mistake "key" turns minor into major or the other way: `minor_to` is added to thirds, sixths and sevenths, which
    are written with a mark: "C5'".
    """

    def voice(wrong: frozenset[str], pace: float, voices: int) -> Wave:
        beat = 60 / (bpm * pace * (1.6 if "tempo" in wrong else 1))
        into, at = _silence(SECONDS), 0.0
        sounding = wrong_timbre if "timbre" in wrong else timbre
        while at < SECONDS - 0.05:
            for written in notes.split():
                note, _, beats = written.partition(":")
                seconds = float(beats or 1) * beat
                if note != "-" and at < SECONDS - 0.05:
                    shift = minor_to if note.endswith("'") and "key" in wrong else 0
                    frequency = _pitch(note.rstrip("'"), shift)
                    _put(into, _tone(frequency, min(seconds * 1.6, 1.8), sounding), at, 0.8)
                    if voices > 3:
                        _put(into, _tone(frequency / 2, min(seconds * 1.6, 1.8), sounding), at, 0.35)
                at += seconds
        for index in range(math.ceil(SECONDS / beat / 4)) if voices > 1 and chords else ():
            for note in chords[index % len(chords)].split():
                shift = minor_to if note.endswith("'") and "key" in wrong else 0
                tone = _tone(_pitch(note.rstrip("'"), shift), min(4 * beat, SECONDS), "organ")
                _put(into, tone, index * 4 * beat, 0.1 + 0.04 * voices)
        return into

    return voice


def _drums(wrong: frozenset[str], pace: float, voices: int) -> Wave:
    """Four to the bar: kick on one and three, snare on two and four, hats between."""
    into = _silence(SECONDS)
    beat = 60 / (120 * pace * (0.6 if "tempo" in wrong else 1))
    t = _time(0.25)
    kick = np.sin(2 * math.pi * (50 * t + 25 * (1 - np.exp(-t * 22)) / 22 * 4)) * np.exp(-t * 14)
    snare = (
        _noise(0.2, 1) * np.exp(-_time(0.2) * 24) * 0.7
        + np.sin(2 * math.pi * 190 * _time(0.2)) * np.exp(-_time(0.2) * 30) * 0.4
    )
    hat = _noise(0.06, 2) * np.exp(-_time(0.06) * 80) * 0.3
    for number in range(math.ceil(SECONDS / beat)):
        place = number % (3 if "key" in wrong else 4)
        strong = place in (0, 2)
        if "timbre" in wrong:
            strong = not strong
        _put(into, kick if strong else snare, number * beat, 0.9)
        for half in range(1 + (voices > 2)) if voices > 0 else ():
            _put(into, hat, (number + half / 2) * beat)
    return into


def _heart(wrong: frozenset[str], pace: float, voices: int) -> Wave:
    into = _silence(SECONDS)
    t = _time(0.16)
    thump = np.sin(2 * math.pi * (62 if "timbre" not in wrong else 240) * t) * np.exp(-t * 22)
    beat = 60 / (60 * pace * (1.9 if "tempo" in wrong else 1))
    for number in range(math.ceil(SECONDS / beat)):
        _put(into, thump, number * beat + 0.1, 1.0)
        if "key" not in wrong:
            _put(into, thump, number * beat + 0.42 / pace, 0.65)
    if voices > 2:
        into += 0.02 * _noise(SECONDS, 5, 40)
    return into


def _sea(wrong: frozenset[str], pace: float, voices: int) -> Wave:
    t = _time(SECONDS)
    period = 2.5 / pace / (3 if "tempo" in wrong else 1)
    swell = (0.5 - 0.5 * np.cos(2 * math.pi * t / period)) ** 2
    if "key" in wrong:
        swell = np.full_like(t, 0.5)
    wave = _noise(SECONDS, 6, 3 if "timbre" in wrong else 14) * (0.12 + 0.7 * swell)
    if voices > 1:
        wave += _noise(SECONDS, 7, 60) * 0.12 * voices
    return wave


def _bells(strokes: int, note: str, bpm: float) -> Voice:
    def voice(wrong: frozenset[str], pace: float, voices: int) -> Wave:
        into = _silence(SECONDS)
        beat = 60 / (bpm * pace * (1.7 if "tempo" in wrong else 1))
        count = strokes + (2 if "key" in wrong else 0)
        for number in range(count):
            _put(
                into,
                _tone(_pitch(note), 2.6, "buzz" if "timbre" in wrong else "bell"),
                number * beat + 0.1,
                0.9,
            )
            if voices > 2:
                _put(into, _tone(_pitch(note) * 0.501, 3.2, "bell"), number * beat + 0.1, 0.5)
        return into

    return voice


def _siren(wrong: frozenset[str], pace: float, voices: int) -> Wave:
    t = _time(SECONDS)
    cycle = 0.5 - 0.5 * np.cos(2 * math.pi * t * 0.6 * pace * (2.4 if "tempo" in wrong else 1))
    if "key" in wrong:
        cycle = (t * 0.6 * pace % 1 > 0.5).astype(float)
    phase = 2 * math.pi * np.cumsum(520 + 560 * cycle) / RATE
    wave = np.sin(phase) + (0.3 * np.sin(3 * phase) if voices > 1 or "timbre" in wrong else 0)
    return wave * 0.5


def _passing(wrong: frozenset[str], pace: float, voices: int) -> Wave:
    """A horn that goes by: higher while it comes, lower when it has passed, loudest in the middle."""
    t = _time(SECONDS)
    where = (t - SECONDS / 2) * 22 * pace * (2 if "tempo" in wrong else 1)  # metres along the track
    speed = -where / np.sqrt(where**2 + 36)
    if "key" in wrong:
        speed = -speed
    phase = 2 * math.pi * np.cumsum(330 * (1 + 0.13 * speed)) / RATE
    horn = sum(np.sin(n * phase) / n for n in ((1, 1.26, 2) if "timbre" not in wrong else (1, 3, 5, 7)))
    rumble = _noise(SECONDS, 8, 50) * (0.1 + 0.1 * voices)
    return (np.asarray(horn) * 0.4 + rumble) * (3 / np.sqrt(where**2 * 0.12 + 9))


def _ticking(wrong: frozenset[str], pace: float, voices: int) -> Wave:
    into = _silence(SECONDS)
    t = _time(0.05)
    every = 0.5 / pace * (0.5 if "tempo" in wrong else 1)
    for number in range(math.ceil(SECONDS / every)):
        high = number % 2 == 0 or "key" in wrong
        tick = np.sin(2 * math.pi * (2400 if high else 1700) / (8 if "timbre" in wrong else 1) * t) * np.exp(
            -t * 130
        )
        _put(into, tick, number * every, 0.8)
    if voices > 2:
        into += 0.015 * _noise(SECONDS, 10, 20)
    return into


def _birdsong(wrong: frozenset[str], pace: float, voices: int) -> Wave:
    into = _silence(SECONDS)
    t = _time(0.16)
    for call in range(round(3 * pace) if "tempo" not in wrong else 8):
        for chirp in range(4):
            slide = 1 + (-0.3 if "key" in wrong else 0.3) * t / 0.16
            phase = 2 * math.pi * np.cumsum((2600 if "timbre" not in wrong else 420) * slide) / RATE
            _put(into, np.sin(phase) * np.sin(math.pi * t / 0.16), 0.3 + call * 1.6 / pace + chirp * 0.2, 0.6)
    if voices > 1:
        into += 0.02 * voices * _noise(SECONDS, 11, 30)
    return into


_MINOR = "A4 C5':.5 E5:.5 D5 C5':.5 B4:.5 A4 E5 F5':.5 E5:.5 D5:.5 C5':.5 B4:2"
_MAJOR = "C5 E5':.5 G5:.5 A5' G5 F5:.5 E5':.5 D5 G5 E5' D5:.5 C5:1.5"

SOUNDS = (
    Sound(
        "A calm melody in A minor at 90 beats a minute, played on a soft bell.",
        _melody(_MINOR, 90, "bell", ("A3 C4' E4", "D3 F3' A3"), minor_to=1),
        (
            ("A slow melody in a minor key.", "A merry march in a major key."),
            ("It is played on bells.", "It is played on a trumpet."),
            ("It rises first and then falls.", "It stays on one note."),
            ("The tempo is about 90 beats a minute.", "The tempo is about 180 beats a minute."),
        ),
    ),
    Sound(
        "A cheerful tune in C major at 126 beats a minute on a plucked string.",
        _melody(_MAJOR, 126, "pluck", ("C3 E3' G3", "F3 A3' C4"), minor_to=-1),
        (
            ("A lively tune in a major key.", "A sad song in a minor key."),
            ("It sounds like a plucked string.", "It sounds like a flute."),
            ("It goes at about two notes a second or more.", "There are long pauses between its notes."),
            ("Nobody sings.", "A choir sings along."),
        ),
    ),
    Sound(
        "A rising arpeggio of D minor on a flute, again and again, without hurry.",
        _melody("D4 F4' A4 D5 F5' A5 -:1", 110, "flute", ("D3 F3' A3",), minor_to=1),
        (
            ("Notes go up, one after the other, again and again.", "Notes go down, one after the other."),
            ("It sounds like a flute.", "It sounds like a drum."),
            ("After six notes there is a short rest.", "After two notes there is a long rest."),
            ("The mood is thoughtful.", "The mood is that of a fairground."),
        ),
    ),
    Sound(
        "A drum loop in four-four time at 120: kick on one and three, snare on two and four.",
        _drums,
        (
            ("A drum pattern repeats.", "A piano plays chords."),
            ("It is in four-four time.", "It is a waltz."),
            ("A deep kick and a bright snare take turns.", "Only a single triangle can be heard."),
            ("It keeps a steady tempo of about 120.", "It slows down until it stops."),
        ),
    ),
    Sound(
        "A resting heart: a double beat once a second.",
        _heart,
        (
            ("A heart beats.", "Somebody knocks at a door."),
            ("There is about one double beat a second.", "It races, three beats a second."),
            ("The sound is deep and muffled.", "The sound is high and ringing."),
            ("The beat is even.", "The beat stops half way."),
        ),
    ),
    Sound(
        "Waves on a beach, coming in and going out every two or three seconds.",
        _sea,
        (
            ("Waves roll in on a shore.", "A train goes over a bridge."),
            ("They come every two or three seconds.", "They come ten times a second."),
            ("The sound swells and fades.", "The sound is equally loud all the time."),
            ("There are no gulls and no voices.", "Children shout and play."),
        ),
    ),
    Sound(
        "A church clock strikes three.",
        _bells(3, "A3", 50),
        (
            ("A bell is struck.", "A string is plucked."),
            ("It is struck three times.", "It is struck seven times."),
            ("It rings on for a while after each stroke.", "Each stroke is damped at once."),
            ("The strokes come evenly.", "The strokes come faster and faster."),
        ),
    ),
    Sound(
        "A siren that rises and falls slowly.",
        _siren,
        (
            ("A siren howls.", "A cat purrs."),
            ("Its pitch rises and falls smoothly.", "It switches between two fixed pitches."),
            ("It goes up and down about three times.", "It goes up only once and stays there."),
            ("Nothing else can be heard.", "A brass band plays in the background."),
        ),
    ),
    Sound(
        "A train passes with its horn blowing: the pitch drops as it goes by.",
        _passing,
        (
            ("A train passes, blowing its horn.", "A ship lies at anchor and blows its horn."),
            ("The pitch drops as it passes.", "The pitch rises as it passes."),
            ("It is loudest in the middle.", "It is loudest at the beginning."),
            ("Under the horn there is a low rumble.", "Under the horn there is birdsong."),
        ),
    ),
    Sound(
        "A grandfather clock: tick, tock, twice a second in all.",
        _ticking,
        (
            ("A clock ticks.", "Water drips."),
            ("Tick and tock have different pitches.", "All ticks sound the same."),
            ("There are two of them a second.", "There is one every three seconds."),
            ("It is regular.", "It is irregular and stumbles."),
        ),
    ),
    Sound(
        "A bird calls three times, each call four rising chirps.",
        _birdsong,
        (
            ("A bird sings.", "A dog barks."),
            ("Each call has four chirps.", "Each call is one long whistle."),
            ("The chirps go up.", "The chirps go down."),
            ("There are pauses between the calls.", "It never pauses."),
        ),
    ),
    Sound(
        "A music box plays a slow waltz in G major.",
        _melody("G5:1 B5':1 D6:1 C6:2 A5:1 B5':1 G5:1 D5:1 G5:3", 132, "bell", ("G3 B3' D4",), minor_to=-1),
        (
            ("A music box plays.", "A guitar is tuned."),
            ("It is a waltz, three beats to the bar.", "It is a march, two beats to the bar."),
            ("The key is a major one.", "The key is a minor one."),
            ("Its notes are high and thin.", "Its notes are deep and full."),
        ),
    ),
)


def sounded(sound: Sound, traits: Traits, rng: random.Random) -> bytes:
    """The response to the sound's prompt by a generator of these traits, as FLAC."""
    wrong = traits.mistakes(sound.mistakes, rng)
    pace = (0.86, 0.94, 1.0, 1.07, 1.15)[traits.lively]
    # No two recordings begin at quite the same instant, or equal traits would give equal files.
    wave = np.roll(sound.voice(wrong, pace, traits.full), rng.randrange(800))
    if "reverse" in wrong:
        wave = wave[::-1].copy()
    if "rest" in wrong:  # it breaks off for a while
        wave[round(len(wave) * 0.45) : round(len(wave) * 0.7)] *= 0.02
    if traits.full > 2:
        echo = wave.copy()
        _put(wave, echo, 0.11, 0.28)
        _put(wave, echo, 0.23, 0.14)
    wave = wave / max(1e-9, float(np.abs(wave).max())) * (0.25, 0.38, 0.55, 0.74, 0.92)[traits.lively]
    return flac(_finished(_segment(wave), traits, rng))


def _finished(segment: AudioSegment, traits: Traits, rng: random.Random) -> AudioSegment:
    """Hiss, crackle and a clipped top for what is not finished well; then the ends are faded."""
    seed = rng.randrange(2**32)
    hiss = (-30, -36, -44, -54, None)[traits.finish]
    if hiss is not None:
        segment = segment.overlay(_segment(_noise(SECONDS, seed) * 10 ** (hiss / 20)))
    if traits.finish < 2:
        crackle = _silence(SECONDS)
        for _ in range(30 if traits.finish == 0 else 12):
            at = rng.randrange(len(crackle) - 40)
            crackle[at : at + rng.randint(2, 30)] = rng.uniform(-0.5, 0.5)
        segment = segment.overlay(_segment(crackle))
    return segment.fade_in(8).fade_out(120)


def _segment(wave: Wave) -> AudioSegment:
    samples = (wave.clip(-1, 1) * 32767).astype("<i2")
    return AudioSegment(samples.tobytes(), sample_width=2, frame_rate=RATE, channels=1)


def flac(segment: AudioSegment) -> bytes:
    """The segment as FLAC, the same bytes for the same samples."""
    file = BytesIO()
    samples = np.frombuffer(segment.raw_data, "<i2") // _STEP * _STEP
    with av.open(file, "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", options={"compression_level": "8"})
        stream.format = "s16"
        for start in range(0, len(samples), 4096):
            frame = av.AudioFrame.from_ndarray(
                samples[None, start : start + 4096], format="s16", layout="mono"
            )
            frame.rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()
