"""The truth of the demo: which traits responses have, how good each generator is at them, and what is asked.

A response has four traits in levels 0..4. A drawing house makes each level visible (or audible): mistakes against the
prompt, noise and jitter, colour and energy, detail and length. A criterion asks for one trait, or for its opposite.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from annotate.demo import SEED
from annotate.models import TaskType

TOP = 4  # levels are 0..TOP


class Trait(StrEnum):
    FAITHFUL = "faithful"  # does what the prompt asks: 4 has no mistake, 0 has many
    FINISH = "finish"  # technically clean: 0 is noisy, blurred, jerky, full of typing errors
    LIVELY = "lively"  # vivid, energetic, warm: 0 is pale, slow, dry
    FULL = "full"  # detailed and long: 0 is bare and short


@dataclass(frozen=True)
class Traits:
    """Levels 0..4 of one response."""

    faithful: int = TOP
    finish: int = TOP
    lively: int = 2
    full: int = 2

    def __getitem__(self, trait: Trait) -> int:
        level: int = getattr(self, trait)
        return level

    def but(self, **levels: int) -> "Traits":
        return replace(self, **levels)

    def mistakes(self, possible: Iterable[str], rng: random.Random) -> frozenset[str]:
        """Those of the possible ones that are made: one more for each level that `faithful` lacks."""
        shuffled = list(possible)
        rng.shuffle(shuffled)
        return frozenset(shuffled[: TOP - self.faithful])

    def as_json(self) -> dict[str, int]:
        return {trait.value: self[trait] for trait in Trait}


@dataclass(frozen=True)
class Generator:
    """A fictional model: the mean level of each trait, and how far its responses stray (standard deviation)."""

    name: str
    faithful: float
    finish: float
    lively: float
    full: float
    spread: float

    def traits(self, rng: random.Random) -> Traits:
        def level(mean: float) -> int:
            return min(TOP, max(0, round(rng.gauss(mean, self.spread))))

        return Traits(level(self.faithful), level(self.finish), level(self.lively), level(self.full))


# The larger atlas is right but long-winded; sable is bright and careless; quill is brief and clean; ember is a small
# model that is bad at most things, and now and then lucky.
GENERATORS = (
    Generator("atlas-large", faithful=3.6, finish=3.3, lively=2.0, full=3.2, spread=0.7),
    Generator("atlas-small", faithful=2.5, finish=2.6, lively=1.8, full=2.0, spread=0.9),
    Generator("sable-2", faithful=2.2, finish=2.8, lively=3.6, full=2.6, spread=0.8),
    Generator("quill-pro", faithful=3.2, finish=3.7, lively=1.0, full=0.8, spread=0.7),
    Generator("ember-mini", faithful=1.2, finish=1.2, lively=2.4, full=1.4, spread=1.1),
)


@dataclass(frozen=True)
class Asked:
    """A criterion: its text, the trait that decides it, and whether more of it is better (1) or less (-1)."""

    text: str
    trait: Trait
    sign: int = 1

    def score(self, traits: Traits) -> int:
        """How well a response does by it, 0..4."""
        return traits[self.trait] if self.sign > 0 else TOP - traits[self.trait]


def _asked(*criteria: tuple[str, Trait, int]) -> tuple[Asked, ...]:
    return tuple(Asked(*one) for one in criteria)


_OF_WRITING = _asked(
    ("Which answer is better written and easier to read?", Trait.FINISH, 1),
    ("Which answer sounds friendlier?", Trait.LIVELY, 1),
    ("Which answer is more sober in tone?", Trait.LIVELY, -1),
    ("Which answer gets to the point sooner?", Trait.FULL, -1),
)
# Of each task type the first one asks for the prompt to be followed. Some contradict each other, as people do.
CRITERIA: dict[TaskType, tuple[Asked, ...]] = {
    TaskType.TEXT_TO_TEXT: _asked(
        ("Which answer is more accurate?", Trait.FAITHFUL, 1),
        ("Which answer explains more?", Trait.FULL, 1),
    )
    + _OF_WRITING,
    TaskType.TEXT_IMAGE_TO_TEXT: _asked(
        ("Which answer is truer to the picture?", Trait.FAITHFUL, 1),
        ("Which answer tells more of what can be seen?", Trait.FULL, 1),
    )
    + _OF_WRITING,
    TaskType.TEXT_VIDEO_TO_TEXT: _asked(
        ("Which answer is truer to what happens in the video?", Trait.FAITHFUL, 1),
        ("Which answer tells more of what happens?", Trait.FULL, 1),
    )
    + _OF_WRITING,
    TaskType.TEXT_AUDIO_TO_TEXT: _asked(
        ("Which answer is truer to what can be heard?", Trait.FAITHFUL, 1),
        ("Which answer tells more of what can be heard?", Trait.FULL, 1),
    )
    + _OF_WRITING,
    TaskType.TEXT_TO_IMAGE: _asked(
        ("Which image shows more exactly what was asked for?", Trait.FAITHFUL, 1),
        ("Which image is cleaner: sharper, with less noise?", Trait.FINISH, 1),
        ("Which image is more vivid?", Trait.LIVELY, 1),
        ("Which image is calmer?", Trait.LIVELY, -1),
        ("Which image is richer in detail?", Trait.FULL, 1),
        ("Which image is simpler?", Trait.FULL, -1),
    ),
    TaskType.TEXT_TO_VIDEO: _asked(
        ("Which video shows more exactly what was asked for?", Trait.FAITHFUL, 1),
        ("Which video runs more smoothly: without stutter, flicker or noise?", Trait.FINISH, 1),
        ("Which video is more vivid?", Trait.LIVELY, 1),
        ("Which video is calmer?", Trait.LIVELY, -1),
        ("Which video is richer in detail?", Trait.FULL, 1),
    ),
    TaskType.TEXT_TO_AUDIO: _asked(
        ("Which recording matches the description better?", Trait.FAITHFUL, 1),
        ("Which recording sounds cleaner: less hiss, no crackle?", Trait.FINISH, 1),
        ("Which recording has more energy?", Trait.LIVELY, 1),
        ("Which recording is more relaxing?", Trait.LIVELY, -1),
        ("Which recording sounds fuller?", Trait.FULL, 1),
    ),
    TaskType.TEXT_TO_3D: _asked(
        ("Which object is more exactly what was asked for?", Trait.FAITHFUL, 1),
        ("Which object has the cleaner surface?", Trait.FINISH, 1),
        ("Which object has the livelier colours?", Trait.LIVELY, 1),
        ("Which object is worked out in more detail?", Trait.FULL, 1),
        ("Which object is simpler, as for printing it?", Trait.FULL, -1),
    ),
    TaskType.TEXT_IMAGE_TO_IMAGE: _asked(
        ("Which edit does more exactly what was asked for?", Trait.FAITHFUL, 1),
        ("Which edit leaves the picture cleaner: without noise, blur or smears?", Trait.FINISH, 1),
        ("Which result is more vivid?", Trait.LIVELY, 1),
        ("Which result is more restrained?", Trait.LIVELY, -1),
    ),
}

# What simulated annotators write themselves, now and then.
WRITTEN: tuple[Asked, ...] = _asked(
    ("I would rather show this one to a friend.", Trait.LIVELY, 1),
    ("Leaves out what nobody asked for.", Trait.FULL, -1),
    ("Looks or sounds as if somebody had taken care.", Trait.FINISH, 1),
)

ASKED_BY_TEXT = {one.text: one for some in (*CRITERIA.values(), WRITTEN) for one in some}


def chance(*names: object) -> random.Random:
    """The dice of one thing of the demo: the same names give the same throws, whatever else is made."""
    return random.Random("/".join(map(str, (SEED, *names))))
