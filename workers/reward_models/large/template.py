"""The words that one response is judged in, as token-like parts. A checkpoint keeps the template it was trained with.

`criterion-last`, ours: everything that criteria share comes first, so that they can share its work. `omni-reward`, as
Omni-RewardData was published: the criterion is the system turn; of a task that makes media the user's turn holds them
and the assistant's repeats what was asked.
"""

from collections.abc import Callable
from dataclasses import dataclass

from workers.reward_models.base import Compared, MediumRef, Side

START, END = "<|im_start|>", "<|im_end|>"
_SYSTEM = "You judge how well a response meets the criterion that follows it."


@dataclass(frozen=True)
class Special:
    """One token of the tokenizer's own, by name. What people write is never read as one."""

    name: str


Part = str | Special | MediumRef


@dataclass(frozen=True)
class Rendered:
    """`shared` does not depend on the criterion; `own` follows it. The last token of both together is scored."""

    shared: tuple[Part, ...]
    own: tuple[Part, ...]


def turn(role: str, *said: Part) -> tuple[Part, ...]:
    return (Special(START), f"{role}\n", *said, Special(END), "\n")


def _media(side: Side) -> tuple[MediumRef, ...]:
    return (side.medium,) if side.medium else ()


def criterion_last(item: Compared, side: Side) -> Rendered:
    shared = (
        *turn("system", _SYSTEM),
        *turn("user", *item.prompt_media, item.prompt_text),
        *turn("assistant", *_media(side), side.text),
    )
    return Rendered(shared, turn("user", f"Criterion: {item.criterion}"))


def omni_reward(item: Compared, side: Side) -> Rendered:
    system = turn("system", item.criterion)
    asked: tuple[Part, ...] = (*item.prompt_media, item.prompt_text)
    answered = side.text
    if side.medium is not None:
        asked = (*item.prompt_media, side.medium)
        answered = "\n".join(filter(None, (item.prompt_text, side.text)))
    return Rendered((), (*system, *turn("user", *asked), *turn("assistant", answered)))


TEMPLATES: dict[str, Callable[[Compared, Side], Rendered]] = {
    "criterion-last": criterion_last,
    "omni-reward": omni_reward,
}
