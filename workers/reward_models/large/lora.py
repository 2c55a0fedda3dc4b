"""Low-rank adapters (Hu et al. 2021) in PEFT's layout: trained beside frozen layers, added to them to score.

y = W x + (alpha / r) B A x. A file holds `base_model.model.<layer>.lora_A.weight` (r, in) and `lora_B.weight` (out, r);
what stands before `layers.N.` differs between versions of transformers and is not compared.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from workers.reward_models.base import UnfitArtefact
from workers.reward_models.large.settings import LINEAR

CONFIG, FILE = "adapter_config.json", "adapter_model.safetensors"
# Of the decoder alone: an adapter of a vision tower, whose layers have other names, is refused by its key.
_KEY = re.compile(
    r"base_model\.model\.(?:thinker\.)?(?:model\.)?(?:language_model\.)?(?:model\.)?"
    r"(layers\.\d+\.(?:self_attn|mlp)\.(\w+))\.lora_(A|B)\.weight"
)
# Whatever else a configuration of PEFT's may ask for changes the arithmetic, and is not done here.
_PLAIN: dict[str, Any] = {
    "use_dora": False,
    "use_rslora": False,
    "bias": "none",
    "fan_in_fan_out": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "modules_to_save": None,
}


class Lora(nn.Module):
    """A frozen linear layer with its adapter beside it."""

    def __init__(
        self, base: nn.Linear, rank: int, alpha: float, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.base, self.scale = base, alpha / rank
        device = base.weight.device
        # As published: A drawn, B zero, so that training begins at the base. In 32 bits, whatever the base has.
        bound = (1 / base.in_features) ** 0.5
        drawn = torch.rand(rank, base.in_features, generator=generator) * 2 * bound - bound
        self.a = nn.Parameter(drawn.to(device))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, device=device))

    def forward(self, x: Tensor) -> Tensor:
        side = (x.to(self.a.dtype) @ self.a.T) @ self.b.T
        return Tensor(self.base(x)) + (self.scale * side).to(x.dtype)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The base layer with the adapter added to it."""
        added = self.scale * (self.b.float() @ self.a.float())
        self.base.weight.copy_((self.base.weight.float() + added).to(self.base.weight.dtype))
        return self.base


@dataclass(frozen=True)
class Adapter:
    """What a file holds: by layer ("layers.0.self_attn.q_proj") its A (r, in) and B (out, r)."""

    pairs: dict[str, tuple[Tensor, Tensor]]
    alpha: float
    rank: int


def attach(language: nn.Module, targets: tuple[str, ...], rank: int, alpha: float, seed: int) -> list[Lora]:
    """New adapters beside all layers so named, drawn by the seed."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for name, layer in _linears(language).items():
        if name.rpartition(".")[2] in targets:
            lora = Lora(layer, rank, alpha, generator)
            _put(language, name, lora)
            made.append(lora)
    return made


def attached(language: nn.Module) -> dict[str, Lora]:
    return {name: layer for name, layer in language.named_modules() if isinstance(layer, Lora)}


def merge_attached(language: nn.Module) -> None:
    for name, lora in attached(language).items():
        _put(language, name, lora.merged())


def merge(language: nn.Module, adapter: Adapter, where: str) -> None:
    """Add an adapter to the layers it is of.

    Raises:
        UnfitArtefact: this model has no such layer, or one of another shape. Nothing is changed then.
    """
    layers = _linears(language)
    if unknown := sorted(adapter.pairs.keys() - layers.keys()):
        raise UnfitArtefact(f"{where}: this backbone has no layer {', '.join(unknown[:4])}.")
    for name, (a, b) in adapter.pairs.items():
        wanted = (adapter.rank, layers[name].in_features), (layers[name].out_features, adapter.rank)
        if (a.shape, b.shape) != wanted:
            raise UnfitArtefact(
                f"{where}: {name} has A {tuple(a.shape)} and B {tuple(b.shape)}; wanted are {wanted[0]} and {wanted[1]}."
            )
    for name, (a, b) in adapter.pairs.items():
        lora = Lora(layers[name], adapter.rank, adapter.alpha)
        with torch.no_grad():
            lora.a.copy_(a)
            lora.b.copy_(b)
        lora.merged()


def read(folder: Path) -> Adapter:
    """A folder as PEFT writes it.

    Raises:
        UnfitArtefact: it is none, or of a kind whose arithmetic is not done here.
    """
    try:
        config = json.loads((folder / CONFIG).read_text())
        tensors = load_file(folder / FILE)
    except (OSError, ValueError, SafetensorError) as error:
        raise UnfitArtefact(f"{folder} is no adapter in PEFT's layout: {error}") from error
    if config.get("peft_type") != "LORA":
        raise UnfitArtefact(
            f"{folder}/{CONFIG}: peft_type is {config.get('peft_type')!r}; only LORA is read."
        )
    for name, plain in _PLAIN.items():
        if config.get(name, plain) not in (plain, None):
            raise UnfitArtefact(f"{folder}/{CONFIG}: {name} is {config[name]!r}; only {plain!r} is read.")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or rank < 1 or not isinstance(alpha, (int, float)):
        raise UnfitArtefact(f"{folder}/{CONFIG}: r and lora_alpha must be numbers, r at least 1.")
    return of(tensors, rank, float(alpha), str(folder / FILE))


def of(tensors: dict[str, Tensor], rank: int, alpha: float, where: str) -> Adapter:
    """An adapter from the tensors of a file; a key that is none of one is an error that names it."""
    found: dict[str, dict[str, Tensor]] = {}
    strange = []
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None or match[2] not in LINEAR:
            strange.append(key)
            continue
        found.setdefault(match[1], {})[match[3]] = tensor
    if strange:
        raise UnfitArtefact(f"{where}: left over are {', '.join(sorted(strange)[:4])}.")
    if halves := sorted(name for name, pair in found.items() if len(pair) != 2):
        raise UnfitArtefact(f"{where}: A or B is missing of {', '.join(halves[:4])}.")
    if not found:
        raise UnfitArtefact(f"{where}: holds no adapter.")
    return Adapter({name: (pair["A"], pair["B"]) for name, pair in found.items()}, alpha, rank)


def tensors(language: nn.Module, prefix: str = "model.") -> dict[str, Tensor]:
    """The adapters beside a decoder's layers, by PEFT's keys; `prefix` is where the decoder stands in its model."""
    written = {}
    for name, lora in attached(language).items():
        for letter, tensor in (("A", lora.a), ("B", lora.b)):
            key = f"base_model.model.{prefix}{name}.lora_{letter}.weight"
            written[key] = tensor.detach().float().cpu().contiguous()
    return written


def config(rank: int, alpha: float, targets: tuple[str, ...], backbone: str) -> dict[str, Any]:
    """adapter_config.json as PEFT reads it."""
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": backbone,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "target_modules": list(targets),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }


def _linears(language: nn.Module) -> dict[str, nn.Linear]:
    return {
        name: layer
        for name, layer in language.named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in LINEAR and name.startswith("layers.")
    }


def _put(language: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(language.get_submodule(parent), last, layer)
