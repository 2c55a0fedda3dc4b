"""The value head, one linear layer on the last hidden state, in the layouts that are published.

LLaMA-Factory (and TRL) write `value_head.safetensors` with `v_head.summary.weight` (1, width) and `v_head.summary.bias`
(1) beside the model; models for sequence classification hold `score.weight` and no bias. A bias cancels in pairs.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from workers.reward_models.base import UnfitArtefact

FILE = "value_head.safetensors"
WEIGHT, BIAS, SCORE = "v_head.summary.weight", "v_head.summary.bias", "score.weight"


def new(width: int, seed: int) -> nn.Linear:
    """Small and drawn by the seed: pairs begin about even."""
    head = nn.Linear(width, 1)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(1, width, generator=generator) / width)
        head.bias.zero_()
    return head


def read(place: Path, width: int) -> nn.Linear:
    """The head of a file, or of a folder that holds value_head.safetensors.

    Raises:
        UnfitArtefact: it is not there, or holds other keys or shapes.
    """
    path = place / FILE if place.is_dir() else place
    if not path.is_file():
        pickled = path.with_suffix(".bin")
        told = f" {pickled.name} is a pickle, which may hold any code: convert it to safetensors first."
        raise UnfitArtefact(f"There is no {path}.{told if pickled.is_file() else ''}")
    try:
        return of(load_file(path), width, str(path))
    except (SafetensorError, OSError) as error:
        raise UnfitArtefact(f"{path} is no safetensors file: {error}.") from error


def of(tensors: dict[str, Tensor], width: int, where: str) -> nn.Linear:
    """The head that these tensors are; nothing may be missing or left over."""
    keys = set(tensors)
    if keys not in ({WEIGHT, BIAS}, {WEIGHT}, {SCORE}):
        raise UnfitArtefact(
            f"{where} holds {', '.join(sorted(keys)) or 'nothing'}; a value head is {WEIGHT} and {BIAS}, or {SCORE}."
        )
    weight = tensors[SCORE if SCORE in keys else WEIGHT].float()
    bias = tensors[BIAS].float() if BIAS in keys else torch.zeros(1)
    if weight.shape != (1, width) or bias.shape != (1,):
        raise UnfitArtefact(
            f"{where}: the head has shapes {tuple(weight.shape)} and {tuple(bias.shape)}; "
            f"this backbone wants (1, {width}) and (1,)."
        )
    head = nn.Linear(width, 1)
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    return head


def tensors(head: nn.Linear) -> dict[str, Tensor]:
    assert head.bias is not None
    return {
        WEIGHT: head.weight.detach().float().cpu().contiguous(),
        BIAS: head.bias.detach().float().cpu().contiguous(),
    }
