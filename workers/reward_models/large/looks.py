"""What watched pairs say while a model is trained. Numbers alone: whoever shows them loads no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Hears step, steps and loss.
Told = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Look:
    """What the watched pairs said after `step` steps: mean loss, and the share of decided ones whose margin is right."""

    step: int
    loss: float
    accuracy: float


def best_of(looks: Sequence[Look]) -> Look:
    """The one of smallest loss; of equal ones the first."""
    return min(looks, key=lambda look: look.loss)


def is_enough(looks: Sequence[Look], patience: int) -> bool:
    """Nothing got better for so many looks. Patience 0 has no end."""
    return bool(patience and looks) and len(looks) - 1 - list(looks).index(best_of(looks)) >= patience
