"""Small worlds of judged items, for the tests of reward models."""

import numpy as np

from workers.reward_models.base import Compared, Side, Verdicts

BRIEF = "The answer is as brief as possible"
THOROUGH = "The answer goes into every detail"

_WORDS = (
    "river stone lamp garden winter engine paper market window song bridge cloud letter harbour field".split()
)


def answers(count: int, seed: int = 0) -> list[Compared]:
    """Pairs of a short and a long answer, the long one on either side."""
    rng = np.random.default_rng(seed)
    items = []
    for n in range(count):
        short, long = (" ".join(rng.choice(_WORDS, size)) + "." for size in (4, 24))
        first, second = (Side(short), Side(long)) if rng.random() < 0.5 else (Side(long), Side(short))
        items.append(Compared(f"Tell me about the {_WORDS[n % len(_WORDS)]}", BRIEF, first, second))
    return items


def under(items: list[Compared], criterion: str) -> list[Compared]:
    return [Compared(item.prompt_text, criterion, item.first, item.second) for item in items]


def longer_wins(items: list[Compared]) -> Verdicts:
    return np.array([1 if len(i.first.text) > len(i.second.text) else -1 for i in items], dtype=np.int8)
