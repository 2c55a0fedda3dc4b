"""Films: things that move as the prompt says, or do not, encoded as H.264 in MP4."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO

import av
import numpy as np
from PIL import Image

from annotate.demo.canvas import Scene, Thing, backdrop, draw_things, enlivened, roughened
from annotate.demo.rules import Traits, chance

SIZE = (416, 234)
RATE = 15
SECONDS = 2.4

# Where everything is at a time (0..1 of the film), given the mistakes: "still", "back" (the other way), "double"
# (twice as fast) and "colour" are understood by all films; "odd" is the film's own.
Motion = Callable[[float, frozenset[str]], list[Thing]]


@dataclass(frozen=True)
class Film:
    """`facts`: (true, false) sentences about what happens, the most important ones first."""

    prompt: str
    sky: str
    ground: str
    motion: Motion
    facts: tuple[tuple[str, str], ...]
    wrong_colour: str = "green"
    mistakes: tuple[str, ...] = ("odd", "colour", "back", "sky")


def _thing(kind: str, x: float, y: float, size: float, colour: str, turn: float = 0) -> Thing:
    return Thing(kind, x, y, size, colour, turn)


def _bounce(t: float, wrong: frozenset[str]) -> list[Thing]:
    """Falls from half the height and comes up to 60 % of it each time; wrong, it floats up and down evenly."""
    x = 0.14 + 0.72 * t
    if "odd" in wrong:
        return [_thing("ball", x, 0.88 - 0.3 * abs(math.sin(t * 9)), 0.17, "red")]
    height, fall, left = 0.5, 0.26, t
    first = True
    while True:
        span = fall if first else 2 * fall
        if left <= span or height < 0.01:
            phase = left / fall if first else (left / fall) - 1
            return [_thing("ball", x, 0.88 - max(0.0, height * (1 - phase * phase)), 0.17, "red")]
        left -= span
        height, fall, first = height * 0.6, fall * math.sqrt(0.6), False


def _car(t: float, wrong: frozenset[str]) -> list[Thing]:
    x = -0.15 + 1.3 * t
    return [_thing("car", x, 0.88, 0.2, "blue", 0 if "odd" in wrong else x * 30)]


def _balloons(t: float, wrong: frozenset[str]) -> list[Thing]:
    up = 0.0 if "odd" in wrong else 0.4 * t
    return [
        _thing("balloon", 0.3 + 0.03 * math.sin(5 * t), 0.86 - 1.1 * up, 0.42, "orange"),
        _thing("balloon", 0.68 + 0.03 * math.cos(4 * t), 0.78 - up, 0.28, "purple"),
    ]


def _mill(t: float, wrong: frozenset[str]) -> list[Thing]:
    return [
        _thing("windmill", 0.46, 0.88, 0.66, "white", 0.4 if "odd" in wrong else 0.4 + 5.5 * t),
        _thing("tree", 0.8, 0.86, 0.36, "green"),
    ]


def _boats(t: float, wrong: frozenset[str]) -> list[Thing]:
    pace = (0.7, 0.3) if "odd" not in wrong else (0.3, 0.7)
    return [
        _thing("sailing boat", 0.12 + pace[1] * t, 0.74, 0.28, "yellow", 9 * t),
        _thing("sailing boat", 0.12 + pace[0] * t, 0.92, 0.38, "red", 8 * t + 1),
    ]


def _moonrise(t: float, wrong: frozenset[str]) -> list[Thing]:
    y = 0.52 if "odd" in wrong else 0.62 - 0.34 * t
    return [
        _thing("moon", 0.3 + 0.2 * t, y, 0.2, "white"),
        _thing("lighthouse", 0.8, 0.88, 0.62, "red", 0.6 + 6 * t),
    ]


def _rocket(t: float, wrong: frozenset[str]) -> list[Thing]:
    gone = 1.15 * t * t if "odd" not in wrong else 0.0
    return [_thing("rocket", 0.5, 0.86 - gone, 0.44, "red", 0.25 + 0.9 * t + 0.12 * math.sin(60 * t))]


def _birds(t: float, wrong: frozenset[str]) -> list[Thing]:
    count = 3 if "odd" in wrong else 5
    return [
        _thing(
            "bird",
            1.05 - 0.85 * t + 0.1 * abs(n - count // 2),
            0.3 + 0.05 * (n - count // 2),
            0.05,
            "black",
            26 * t + n,
        )
        for n in range(count)
    ]


def _fireworks(t: float, wrong: frozenset[str]) -> list[Thing]:
    begins = (0.02, 0.02, 0.02) if "odd" in wrong else (0.02, 0.34, 0.64)
    places = (("red", 0.26, 0.42), ("yellow", 0.52, 0.3), ("turquoise", 0.76, 0.44))
    things = []
    for begin, (colour, x, y) in zip(begins, places, strict=True):
        age = (t - begin) / 0.36
        if 0 < age < 1:
            things.append(_thing("firework", x, y, 0.62, colour, age))
    return things or [_thing("firework", 0.5, -1, 0.1, "red")]


def _snowman(t: float, wrong: frozenset[str]) -> list[Thing]:
    gone = 1 - t if "odd" in wrong else t
    return [
        _thing("snowman", 0.42, 0.9, 0.6, "black", gone),
        _thing("sun", 0.78, 0.34 + 0.06 * (1 - t), 0.2, "yellow"),
    ]


def _clock(t: float, wrong: frozenset[str]) -> list[Thing]:
    steps = 8
    angle = 2 * math.pi * t * 1.5 if "odd" in wrong else min(7, int(t * steps)) / 12 * 2 * math.pi
    return [_thing("clock", 0.5, 0.84, 0.66, "red", angle)]


def _snowfall(t: float, wrong: frozenset[str]) -> list[Thing]:
    rng = chance("flakes")
    flakes = []
    for _ in range(70):
        x, begin, size, pace = rng.random(), rng.random(), rng.uniform(0.012, 0.03), rng.choice((1, 2))
        y = (begin + (-1 if "odd" in wrong else 1) * pace * t * 0.8) % 1
        flakes.append(_thing("flake", (x + 0.02 * math.sin(9 * t + begin * 9)) % 1, y, size, "white"))
    return [_thing("house", 0.5, 0.84, 0.36, "brown"), *flakes]


def _kite(t: float, wrong: frozenset[str]) -> list[Thing]:
    around = 0.0 if "odd" in wrong else 2 * math.pi * t
    x, y = 0.5 + 0.24 * math.cos(around), 0.44 + 0.2 * math.sin(around)
    return [_thing("kite", x, y, 0.24, "purple", 0.5 * math.sin(around))]


FILMS = (
    Film(
        "A red ball falls, bounces to the right, and comes up less high each time.",
        *("noon", "meadow", _bounce),
        (
            ("A red ball bounces across a meadow.", "A red ball rolls along a street."),
            ("It moves from left to right.", "It moves from right to left."),
            ("Each bounce is lower than the one before.", "Each bounce is higher than the one before."),
            ("It is daytime.", "It is night."),
        ),
    ),
    Film(
        "A blue car drives from left to right through the city at night, its wheels turning.",
        *("night", "street", _car),
        (
            ("A blue car drives along a city street.", "A bus stands at a stop."),
            (
                "It comes in on the left and leaves on the right.",
                "It comes in on the right and stops in the middle.",
            ),
            ("Behind it, windows are lit.", "Behind it stands a forest."),
            ("It is night.", "The sun shines."),
        ),
        wrong_colour="yellow",
    ),
    Film(
        "Two hot-air balloons, a large orange one and a small purple one, rise slowly at dawn.",
        *("dawn", "desert", _balloons),
        (
            ("Two hot-air balloons rise into the sky.", "Two hot-air balloons land side by side."),
            ("The orange one is larger than the purple one.", "Both are green and of one size."),
            ("The larger one climbs faster.", "The smaller one climbs out of sight first."),
            ("The sky is that of a sunrise over a desert.", "It rains over a town."),
        ),
    ),
    Film(
        "The sails of an old white windmill turn steadily at dusk.",
        *("dusk", "meadow", _mill),
        (
            ("The sails of a white windmill turn.", "A white windmill stands still."),
            ("They turn clockwise at an even pace.", "They turn faster and faster."),
            ("A tree stands to the right of the mill.", "A tree stands to the left of the mill."),
            ("It is evening.", "It is a bright noon."),
        ),
        wrong_colour="pink",
    ),
    Film(
        "A regatta: a red and a yellow boat start together, and the red one wins.",
        *("noon", "sea", _boats),
        (
            ("Two sailing boats race to the right.", "Two sailing boats meet and pass each other."),
            ("The red one is ahead at the end.", "The yellow one is ahead at the end."),
            ("Both start side by side.", "The yellow one starts long before the other."),
            ("The red one is nearer to us.", "The yellow one is nearer to us."),
        ),
    ),
    Film(
        "The moon rises over the sea while the beam of a lighthouse goes round.",
        *("night", "sea", _moonrise),
        (
            ("The moon rises over the sea.", "The moon sinks into the sea."),
            ("A lighthouse stands on the right.", "A lighthouse stands on the left."),
            ("Its beam goes round.", "Its light is out."),
            ("The moon drifts to the right as it climbs.", "The moon climbs straight up."),
        ),
        wrong_colour="orange",
    ),
    Film(
        "A red rocket takes off from the desert, slowly at first, then faster, and leaves the picture.",
        *("night", "desert", _rocket),
        (
            ("A rocket takes off and leaves the picture at the top.", "A rocket lands and comes to rest."),
            ("It gets faster and faster.", "It climbs at an even pace."),
            ("Its flame grows.", "Its flame goes out half way."),
            ("It happens at night in the desert.", "It happens at noon on a meadow."),
        ),
    ),
    Film(
        "Five black birds in a wedge fly from right to left across the morning sky.",
        *("dawn", "sea", _birds),
        (
            ("Five birds fly across the sky.", "Two birds sit on a wire."),
            ("They fly from right to left.", "They fly from left to right."),
            ("They keep the shape of a wedge.", "They fly in a circle."),
            ("Below them is the sea.", "Below them is a town."),
        ),
        wrong_colour="white",
    ),
    Film(
        "Three fireworks one after the other: red, yellow, turquoise, from left to right.",
        *("night", "sea", _fireworks),
        (
            ("Three fireworks burst one after the other.", "Three fireworks burst at the same moment."),
            ("The first is red, the last turquoise.", "The first is turquoise, the last red."),
            ("They go from left to right.", "They go from right to left."),
            ("It is night over the sea.", "It is day over the sea."),
        ),
    ),
    Film(
        "A snowman with a black hat melts in the spring sun.",
        *("noon", "meadow", _snowman),
        (
            ("A snowman melts.", "A snowman grows larger."),
            ("The sun shines on the right.", "It is snowing."),
            ("Only a puddle and a little head are left.", "He walks out of the picture."),
            ("He wears a black hat.", "He wears a red scarf."),
        ),
        wrong_colour="purple",
    ),
    Film(
        "A clock with a red rim whose hand moves on in steps, from twelve to seven.",
        *("noon", "table", _clock),
        (
            ("The hand of a clock moves on in steps.", "The hand of a clock glides without stopping."),
            ("It starts at twelve.", "It starts at six."),
            ("It gets as far as seven.", "It goes round twice."),
            ("The clock's rim is red.", "The clock's rim is blue."),
        ),
        wrong_colour="blue",
    ),
    Film(
        "Snow falls on a small brown house at night.",
        *("night", "snow", _snowfall),
        (
            ("Snow falls on a small house.", "Leaves fall on a car park."),
            (
                "The flakes are of different sizes and fall at different speeds.",
                "The flakes rise from the ground.",
            ),
            ("The windows of the house are lit.", "The windows of the house are dark."),
            ("It is night.", "It is a sunny day."),
        ),
        wrong_colour="turquoise",
    ),
    Film(
        "A purple kite flies one full circle over the beach.",
        *("noon", "sea", _kite),
        (
            ("A kite flies a circle.", "A kite falls into the water."),
            ("It goes round once and comes back to where it began.", "It goes round three times."),
            ("It is purple and has a tail.", "It is green and has no tail."),
            ("Below it lies the sea.", "Below it lies a snowy field."),
        ),
        wrong_colour="yellow",
    ),
)


def filmed(film: Film, traits: Traits, rng: random.Random) -> bytes:
    """The response to the film's prompt by a generator of these traits, as MP4."""
    wrong = traits.mistakes(film.mistakes, rng)
    skies = [sky for sky in ("dawn", "noon", "dusk", "storm", "night") if sky != film.sky]
    scene = Scene(
        rng.choice(skies) if "sky" in wrong else film.sky, film.ground, (), traits.full, rng.randrange(10**6)
    )
    width, height = SIZE
    behind = backdrop(scene, (width * 2, height * 2))
    frames = []
    count = round(SECONDS * RATE)
    for number in range(count):
        # A film without finish loses frames: what was to move stands still, then jumps.
        held = number - number % (4, 3, 1, 1, 1)[traits.finish]
        things = _moved(film, held / (count - 1), wrong)
        image = behind.copy()
        draw_things(image, replace(scene, things=tuple(things)))
        image = roughened(enlivened(image.reduce(2), traits.lively), traits.finish, number)
        if traits.finish < 2 and number % 5 == 0:
            image = Image.eval(image, lambda value: round(value * 0.82))  # flicker
        frames.append(image)
    return encoded(frames, (34, 31, 28, 25, 23)[traits.finish])


def _moved(film: Film, t: float, wrong: frozenset[str]) -> list[Thing]:
    if "back" in wrong:
        t = 1 - t
    if "double" in wrong:
        t = t * 2 % 1
    things = film.motion(t, wrong)
    if "colour" in wrong:
        things[0] = replace(things[0], colour=film.wrong_colour)
    return things


def encoded(frames: list[Image.Image], crf: int) -> bytes:
    """The frames as MP4 with H.264, the same bytes on every machine with the same encoder."""
    file = BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        # How many threads encode changes the bytes.
        stream = container.add_stream(
            "libx264", rate=RATE, options={"crf": str(crf), "preset": "veryfast", "threads": "1"}
        )
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
