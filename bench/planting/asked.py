"""What is planted, whatever the modality: traits that a response has more or less of, and criteria that ask for them.

This package makes responses and the verdicts on them. It imports nothing but Python's own library: no module of the
project and no library that features are computed by, so that what measures cannot leak into what is measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

# The kind of each trait and how strong it is, from 0 to 1.
Traits = Mapping[str, tuple[str, float]]


@dataclass(frozen=True)
class Kinds:
    """The ways in which a trait comes about: those that training sees, and those that only the test has."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A criterion: more (1) or less (-1) of a trait; without a trait, that no trait is strong.

    The perceived strength of a trait is its strength to the power of `bend`, less where `masked_by` is strong.
    """

    name: str
    trait: str | None
    sign: int
    phrasings: tuple[str, str, str]
    # Other words for the same, which training never sees.
    paraphrases: tuple[str, str]
    bend: float = 1.0
    masked_by: str | None = None


@dataclass(frozen=True)
class Modality:
    """`prompt` asks for the source of that number; `make` writes a response to it with these traits, the details of
    which are drawn from Random: text for text, else the bytes of a file of `media_type`.
    """

    name: str
    media_type: str
    prompt: Callable[[int], str]
    traits: Mapping[str, Kinds]
    asked: tuple[Asked, ...]
    make: Callable[[int, Traits, Random], str | bytes]


def strength(traits: Traits, *kinds: str) -> float:
    """The strength of the one trait that is of one of these kinds, 0 if none is."""
    return max((much for kind, much in traits.values() if kind in kinds), default=0.0)
