"""Comparisons whose right answers are known, since the differences were planted: texts and small pictures.

Nothing of the project and no library of the features is imported here: what measures cannot leak into what is measured.
A label follows from how much stronger one side has the trait that the criterion asks for; small differences are ties,
and one label in twenty is wrong.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

FLIPPED = 0.05
TIE = 0.15  # traits run from 0 to 1

# What a criterion asks for: the trait, whether more of it is better, three phrasings and one that training never sees.
TEXT_CRITERIA: dict[str, tuple[str, int, tuple[str, str, str], str]] = {
    "brief": (
        "length",
        -1,
        (
            "The answer is brief",
            "The response is short and to the point",
            "Prefer the more concise answer",
        ),
        "The shorter reply wins",
    ),
    "thorough": (
        "length",
        1,
        (
            "The answer is detailed and complete",
            "The response explains everything at length",
            "Prefer the more thorough answer",
        ),
        "The more extensive reply wins",
    ),
    "focused": (
        "wandering",
        -1,
        (
            "The answer stays on the topic of the question",
            "The response is relevant to what was asked",
            "Prefer the answer that does not digress",
        ),
        "The reply that keeps to the subject wins",
    ),
    "fresh": (
        "repeating",
        -1,
        (
            "The answer does not repeat itself",
            "The response says everything only once",
            "Prefer the answer with less repetition",
        ),
        "The less redundant reply wins",
    ),
    "listed": (
        "listing",
        1,
        (
            "The answer is organised as a list",
            "The response uses bullet points",
            "Prefer the answer with clear itemised points",
        ),
        "The reply set out in bullets wins",
    ),
    "flowing": (
        "listing",
        -1,
        (
            "The answer is written as flowing prose",
            "The response avoids bullet points",
            "Prefer the answer in plain paragraphs",
        ),
        "The reply in running text wins",
    ),
}
IMAGE_CRITERIA: dict[str, tuple[str, int, tuple[str, str, str], str]] = {
    "clean": (
        "noise",
        -1,
        (
            "The image is free of noise",
            "The picture has no grain",
            "Prefer the cleaner image",
        ),
        "The less noisy photograph wins",
    ),
    "sharp": (
        "blur",
        -1,
        (
            "The image is sharp",
            "The picture is in focus",
            "Prefer the crisper image",
        ),
        "The less blurry photograph wins",
    ),
    "bright": (
        "dark",
        -1,
        (
            "The image is bright",
            "The picture is well lit",
            "Prefer the lighter image",
        ),
        "The photograph with more light wins",
    ),
    "moody": (
        "dark",
        1,
        (
            "The image is dark and moody",
            "The picture feels like night",
            "Prefer the darker image",
        ),
        "The gloomier photograph wins",
    ),
    "vivid": (
        "pale",
        -1,
        (
            "The image has vivid colours",
            "The picture is richly coloured",
            "Prefer the more colourful image",
        ),
        "The more saturated photograph wins",
    ),
}

_TOPICS = {
    "bread": "flour yeast dough oven crust loaf knead rise bake salt grain starter",
    "sailing": "sail wind hull rudder mast anchor tack harbour keel rope tide deck",
    "gardens": "soil seed root water compost prune blossom hedge shade spade weed mulch",
    "trains": "rail engine carriage signal station platform track driver ticket timetable tunnel freight",
    "stars": "planet orbit telescope galaxy light comet gravity moon dust nebula sky mass",
    "music": "chord rhythm melody string tempo scale song drum note harmony concert voice",
    "money": "bank loan interest budget tax price saving market coin wage debt invoice",
    "birds": "wing nest feather beak song egg flock migrate perch insect forest owl",
}
_FRAMES = (
    "The {0} matters because the {1} depends on it.",
    "Most people begin with the {0} and then look at the {1}.",
    "A good {0} needs some {1} and a little patience.",
    "When the {0} is ready, turn to the {1}.",
    "You can tell a {0} by its {1}.",
    "Without the {0} there would be no {1}.",
    "Experts compare each {0} with another {1} first.",
)


@dataclass(frozen=True)
class Planted:
    """One labelled comparison; verdict 1 the first side, -1 the second, 0 a tie. Sides are text or a PPM file."""

    group: str
    prompt: str
    criterion: str
    held_out_phrasing: bool
    first: str | bytes
    second: str | bytes
    verdict: int


def crossed(kind: str, pairs: int, seed: int) -> list[Planted]:
    """Pairs of "texts" or "images", each under every criterion, in one of the phrasings that training sees."""
    make: Callable[[random.Random, str, dict[str, float]], str | bytes]
    if kind == "texts":
        criteria, traits, make = TEXT_CRITERIA, ("length", "wandering", "repeating", "listing"), _text
    else:
        criteria, traits, make = IMAGE_CRITERIA, ("noise", "blur", "dark", "pale"), _image
    rng = random.Random(f"{kind} {seed}")
    made = []
    for number in range(pairs):
        topic = rng.choice(sorted(_TOPICS))
        sides = [{trait: rng.random() for trait in traits} for _ in range(2)]
        shown = [make(rng, topic, side) for side in sides]
        for name in sorted(criteria):
            trait, sign, phrasings, _ = criteria[name]
            verdict = _verdict(rng, sign * (sides[0][trait] - sides[1][trait]))
            prompt = f"Tell me about {topic}, number {number}"
            made.append(
                Planted(f"{kind} {number}", prompt, rng.choice(phrasings), False, shown[0], shown[1], verdict)
            )
    return made


def _verdict(rng: random.Random, difference: float) -> int:
    verdict = 0 if abs(difference) < TIE else (1 if difference > 0 else -1)
    return -verdict if rng.random() < FLIPPED else verdict


def _text(rng: random.Random, topic: str, traits: dict[str, float]) -> str:
    """Sentences from frames: as many as `length` says, off the topic, said again, and as items by the others."""
    sentences: list[str] = []
    others = [other for other in sorted(_TOPICS) if other != topic]
    for _ in range(2 + round(6 * traits["length"])):
        if sentences and rng.random() < 0.7 * traits["repeating"]:
            sentences.append(rng.choice(sentences))
            continue
        about = rng.choice(others) if rng.random() < 0.8 * traits["wandering"] else topic
        sentences.append(rng.choice(_FRAMES).format(*rng.sample(_TOPICS[about].split(), 2)))
    listed = round(traits["listing"] * len(sentences))
    prose, items = sentences[: len(sentences) - listed], sentences[len(sentences) - listed :]
    return "\n".join(([" ".join(prose)] if prose else []) + [f"- {item}" for item in items])


_SIZE = 48


def _image(rng: random.Random, topic: str, traits: dict[str, float]) -> bytes:
    """Rectangles on a gradient as a PPM: blurred, then noisy, dark and pale as the traits say."""
    ground = [rng.random() for _ in range(3)]
    cells = [
        [[ground[c] * (0.4 + 0.6 * y / _SIZE) for c in range(3)] for _ in range(_SIZE)] for y in range(_SIZE)
    ]
    for _ in range(14):
        left, top = rng.randrange(_SIZE), rng.randrange(_SIZE)
        colour = [rng.random() for _ in range(3)]
        for y in range(top, min(top + rng.randrange(4, 18), _SIZE)):
            for x in range(left, min(left + rng.randrange(4, 18), _SIZE)):
                cells[y][x] = colour
    for _ in range(round(4 * traits["blur"])):
        cells = _blurred(cells)
    light, colour_kept = 1 - 0.7 * traits["dark"], 1 - 0.9 * traits["pale"]
    out = bytearray(f"P6 {_SIZE} {_SIZE} 255\n".encode())
    for row in cells:
        for cell in row:
            grey = sum(cell) / 3
            for value in cell:
                value = light * (grey + colour_kept * (value - grey)) + rng.gauss(0, 0.12 * traits["noise"])
                out.append(min(max(round(255 * value), 0), 255))
    return bytes(out)


def _blurred(cells: list[list[list[float]]]) -> list[list[list[float]]]:
    """Each cell the mean of itself and its neighbours right and below."""
    last = _SIZE - 1
    return [
        [
            [
                (cells[y][x][c] + cells[y][min(x + 1, last)][c] + cells[min(y + 1, last)][x][c]) / 3
                for c in range(3)
            ]
            for x in range(_SIZE)
        ]
        for y in range(_SIZE)
    ]
