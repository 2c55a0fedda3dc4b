"""One response under one criterion as token ids, with the media that stand between them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.reward_models.base import Compared, MediumRef, Side
from workers.reward_models.large.backbone import Backbone, Embedded
from workers.reward_models.large.template import TEMPLATES, Part, Special


@dataclass(frozen=True)
class Stretch:
    """Token ids (n,) and the media whose rows stand at their placeholders, in their order."""

    ids: Tensor
    shown: tuple[Embedded, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def __add__(self, other: "Stretch") -> "Stretch":
        return Stretch(torch.cat([self.ids, other.ids]), self.shown + other.shown)


@dataclass(frozen=True)
class Encoded:
    """`shared` by all criteria of a response (it may be empty), then what is its criterion's own."""

    shared: Stretch
    own: Stretch

    def __len__(self) -> int:
        return len(self.shared) + len(self.own)

    @property
    def whole(self) -> Stretch:
        return self.shared + self.own


class Encoder:
    """Renders by a template, once for what is the same."""

    def __init__(self, backbone: Backbone, template: str, max_tokens: int) -> None:
        self._backbone, self._render, self._most = backbone, TEMPLATES[template], max_tokens
        self._known: dict[tuple[object, ...], Stretch] = {}

    def __call__(self, item: Compared, side: Side) -> Encoded:
        """
        Raises:
            ValueError: a medium cannot be looked at, or it is too long.
        """
        rendered = self._render(item, side)
        encoded = Encoded(self.stretch(rendered.shared), self.stretch(rendered.own))
        if len(encoded) > self._most:
            raise ValueError(f"it has {len(encoded):,} tokens, more than the {self._most:,} of max_tokens")
        return encoded

    def stretch(self, parts: tuple[Part, ...]) -> Stretch:
        """These parts as ids and media; equal parts give the same object."""
        # A medium is what it holds, whichever object tells of it.
        key = tuple((one.modality, one.sha256) if isinstance(one, MediumRef) else one for one in parts)
        if key not in self._known:
            self._known[key] = self._made(parts)
        return self._known[key]

    def _made(self, parts: tuple[Part, ...]) -> Stretch:
        ids: list[int] = []
        shown: list[Embedded] = []
        said = ""
        for part in (*parts, None):
            if isinstance(part, str):  # words that touch are read together, as they were in training
                said += part
                continue
            if said:
                ids += self._backbone.tokenizer.encode(said, add_special_tokens=False).ids
                said = ""
            if isinstance(part, Special):
                found = self._backbone.tokenizer.token_to_id(part.name)
                if found is None:
                    raise ValueError(f"the tokenizer has no {part.name}, which the template needs")
                ids.append(found)
            elif part is not None:
                medium = self._backbone.embed(part)
                ids += self._backbone.laid_out(medium)
                shown.append(medium)
        return Stretch(torch.tensor(ids, dtype=torch.long), tuple(shown))
