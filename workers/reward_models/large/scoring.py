"""Last hidden states of many responses: bucketed by length, halved when memory runs out, criteria fanned out.

What the criteria of one response share is read once: its keys and values are repeated for each criterion, which then
costs only its own few tokens. With P shared tokens and S own ones K criteria cost P + K S instead of K (P + S).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workers.reward_models.large.backbone import Backbone
from workers.reward_models.large.encode import Encoded, Stretch


class TooLarge(RuntimeError):
    """One response alone does not fit into the device's memory."""


@dataclass(frozen=True)
class _Group:
    """One shared stretch, and the places of those that it is of."""

    shared: Stretch
    own: tuple[Stretch, ...]
    places: tuple[tuple[int, ...], ...]  # of each own stretch; equal ones are scored once

    def cost(self) -> int:
        """Tokens that its keys and values take."""
        return len(self.own) * (len(self.shared) + max(map(len, self.own)))


def hidden(
    backbone: Backbone, encoded: Sequence[Encoded], batch_tokens: int, *, fan_out: bool = True
) -> Tensor:
    """The hidden state at the last token of each: (n, width), 32 bits, on the CPU.

    `fan_out` False reads every response whole: the slow way, which the fast one is held against.

    Raises:
        TooLarge: one alone does not fit into memory.
    """
    found = torch.empty(len(encoded), backbone.width)
    groups = sorted(_groups(encoded, fan_out, batch_tokens), key=lambda group: group.cost(), reverse=True)
    with torch.inference_mode():
        for some in _buckets(groups, batch_tokens):
            _run(backbone, some, found)
    return found


def _groups(encoded: Sequence[Encoded], fan_out: bool, batch_tokens: int) -> list[_Group]:
    """By what is shared. One whose criteria are too many for a batch is cut."""
    shared: dict[tuple[int, int], tuple[Stretch, dict[tuple[int, ...], list[int]], list[Stretch]]] = {}
    for place, one in enumerate(encoded):
        # The encoder gives equal stretches as one object.
        key = (id(one.shared), 0) if fan_out and len(one.shared) else (id(one.shared), id(one.own))
        stretch, places, own = shared.setdefault(key, (one.shared, {}, []))
        ids = (id(one.own),)
        if ids not in places:
            own.append(one.own)
        places.setdefault(ids, []).append(place)
    groups = []
    for stretch, places, own in shared.values():
        each = len(stretch) + max(map(len, own))
        most = max(1, batch_tokens // each)
        spots = [tuple(one) for one in places.values()]
        groups += [
            _Group(stretch, tuple(own[start : start + most]), tuple(spots[start : start + most]))
            for start in range(0, len(own), most)
        ]
    return groups


def _buckets(groups: list[_Group], batch_tokens: int) -> list[list[_Group]]:
    """Neighbours in length together, their padding counted; fanned out and whole ones apart."""
    buckets: list[list[_Group]] = []
    for kind in (True, False):
        some: list[_Group] = []
        longest = count = 0
        for group in groups:
            if (len(group.own) > 1) != kind:
                continue
            long = len(group.shared) + max(map(len, group.own))
            if some and max(longest, long) * (count + len(group.own)) > batch_tokens:
                buckets.append(some)
                some, longest, count = [], 0, 0
            some.append(group)
            longest, count = max(longest, long), count + len(group.own)
        if some:
            buckets.append(some)
    return buckets


def _run(backbone: Backbone, groups: list[_Group], found: Tensor) -> None:
    try:
        rows = _fanned(backbone, groups) if len(groups[0].own) > 1 else _whole(backbone, groups)
    except torch.OutOfMemoryError:
        rows = None  # outside of the handler, whose traceback holds what filled the memory
    if rows is None:
        if backbone.device.type == "cuda":
            torch.cuda.empty_cache()
        for half in _halves(groups):
            _run(backbone, half, found)
        return
    at = 0
    for group in groups:
        for places in group.places:
            found[list(places)] = rows[at]
            at += 1


def _halves(groups: list[_Group]) -> list[list[_Group]]:
    if len(groups) > 1:
        middle = len(groups) // 2
        return [groups[:middle], groups[middle:]]
    (group,) = groups
    if len(group.own) > 1:
        middle = len(group.own) // 2
        return [
            [_Group(group.shared, group.own[part], group.places[part])]
            for part in (slice(middle), slice(middle, None))
        ]
    raise TooLarge(
        f"One response of {len(group.shared) + len(group.own[0]):,} tokens does not fit into memory: "
        "lower max_tokens, image_pixels or most_frames."
    )


def _whole(backbone: Backbone, groups: list[_Group]) -> Tensor:
    read = padded(backbone, [group.shared + group.own[0] for group in groups])
    states, _ = backbone.decode(read.embeds, read.mask, read.positions, **read.deep)
    return last(states, read.mask).float().cpu()


def _fanned(backbone: Backbone, groups: list[_Group]) -> Tensor:
    device = backbone.device
    read = padded(backbone, [group.shared for group in groups])
    _, cache = backbone.decode(read.embeds, read.mask, read.positions, keep=True, **read.deep)
    owner = torch.tensor([n for n, group in enumerate(groups) for _ in group.own], device=device)
    cache.batch_select_indices(owner)
    begin = torch.tensor([after(backbone, group.shared) for group in groups], device=device)[owner]
    own = padded(backbone, [one for group in groups for one in group.own])
    places = begin[:, None] + torch.arange(own.embeds.shape[1], device=device)
    if read.positions.ndim == 3:
        places = places.expand(3, -1, -1)
    mask = torch.cat([read.mask[owner], own.mask], dim=1)
    states, _ = backbone.decode(own.embeds, mask, places, cache=cache)
    return last(states, own.mask).float().cpu()


def after(backbone: Backbone, stretch: Stretch) -> float:
    """Where the text after a stretch begins, asked of the model itself: its rules for media differ."""
    ids = torch.cat([stretch.ids, stretch.ids.new_zeros(1)])
    return float(backbone.positions(ids, list(stretch.shown))[..., -1].max())


@dataclass(frozen=True)
class Padded:
    """Stretches padded at the right, as Backbone.decode takes them.

    Attributes:
        embeds: (b, n, width). mask: (b, n). positions: (b, n) or (3, b, n).
        deep: where the towers' inner layers tell something, `visual_pos_masks` (b, n) and what is added there to the
            states of each of the first layers, `deepstack_visual_embeds`; else nothing.
    """

    embeds: Tensor
    mask: Tensor
    positions: Tensor
    deep: dict[str, Any]


def padded(backbone: Backbone, stretches: Sequence[Stretch]) -> Padded:
    most = max(map(len, stretches))
    ids = torch.zeros(len(stretches), most, dtype=torch.long)
    mask = torch.zeros(len(stretches), most, dtype=torch.long)
    places = []
    for n, stretch in enumerate(stretches):
        ids[n, : len(stretch)] = stretch.ids
        mask[n, : len(stretch)] = 1
        place = backbone.positions(stretch.ids, list(stretch.shown))
        places.append(torch.nn.functional.pad(place, (0, most - len(stretch))))
    words = backbone.language.get_input_embeddings()
    embeds = words(ids.to(backbone.device))
    if (
        not words.weight.requires_grad
    ):  # gradient checkpointing wants them all the same, and would not let them be written
        embeds = embeds.detach()
    layers = {len(one.deep) for stretch in stretches for one in stretch.shown if one.deep is not None}
    inner = embeds.new_zeros(max(layers), *embeds.shape) if layers else None
    visual = torch.zeros(embeds.shape[:2], dtype=torch.bool, device=embeds.device)
    for n, stretch in enumerate(stretches):
        for kind in {medium.kind for medium in stretch.shown}:
            shown = [medium for medium in stretch.shown if medium.kind == kind]
            at = (stretch.ids == backbone.placeholder(kind)).nonzero()[:, 0].to(embeds.device)
            embeds[n, at] = torch.cat([medium.rows for medium in shown]).to(embeds.device, embeds.dtype)
            deep = [medium.deep for medium in shown if medium.deep is not None]
            if inner is not None and deep:
                inner[:, n, at] = torch.cat(deep, dim=1).to(embeds.device, embeds.dtype)
                visual[n, at] = True
    positions = torch.stack(places, dim=-2)
    told = {}
    if inner is not None:
        told = {"visual_pos_masks": visual, "deepstack_visual_embeds": [layer[visual] for layer in inner]}
    return Padded(embeds, mask.to(backbone.device), positions.to(backbone.device), told)


def last(states: Tensor, mask: Tensor) -> Tensor:
    """The state at the last token that is no padding."""
    return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1]
