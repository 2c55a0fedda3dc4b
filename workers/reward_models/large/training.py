"""The loop that trains adapters and value head on pairs: AdamW, gradient accumulation, resumable, in any number of processes.

The order of pairs follows from seed and epoch alone. Processes share each batch and add their gradients, so that they
take the very steps that one would: what differs is the order of sums.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from workers.reward_models.base import Compared, Verdicts
from workers.reward_models.large import backbone as backbones
from workers.reward_models.large import lora, value_head
from workers.reward_models.large.backbone import Backbone
from workers.reward_models.large.encode import Encoded
from workers.reward_models.large.scoring import hidden, last, padded
from workers.reward_models.large.settings import LargeSettings

# Both sides of pair n, first and second.
Pairs = Callable[[int], tuple[Encoded, Encoded]]
Told = Callable[[int, int, float], None]
_FILE = "training.safetensors"
# What does not change the model that comes out.
_SPEED = ("checkpoints", "checkpoint_every", "processes", "micro_batch", "batch_tokens", "calibration_share")


@dataclass
class Trained:
    """`losses` is the mean loss of each step."""

    head: nn.Linear
    threshold: float
    losses: list[float] = field(default_factory=list)


def pair_loss(margin: Tensor, verdict: Tensor, threshold: Tensor | None) -> Tensor:
    """Negative log-likelihood of each verdict (1, -1, 0): Bradley-Terry without a threshold, else Rao-Kupper
    (rao_kupper.py says the same in numpy)."""
    if threshold is None:
        return -logsigmoid(verdict * margin)
    first, second = logsigmoid(margin - threshold), logsigmoid(-margin - threshold)
    tie = torch.log(torch.expm1(2 * threshold)) + first + second
    return -torch.where(verdict > 0, first, torch.where(verdict < 0, second, tie))


def fingerprint(
    settings: LargeSettings, revision: str, items: Sequence[Compared], verdicts: Verdicts, seed: int
) -> str:
    """What a training hangs on: one that was interrupted goes on only where all of it is the same."""
    digest = hashlib.sha256()
    asked = {name: value for name, value in asdict(settings).items() if name not in _SPEED}
    digest.update(json.dumps([asked, revision, seed], sort_keys=True).encode())
    for item in items:
        media = [*item.prompt_media, item.first.medium, item.second.medium]
        named = [medium.sha256.hex() if medium else None for medium in media]
        said = [item.prompt_text, item.criterion, item.first.text, item.second.text, named]
        digest.update(json.dumps(said).encode())
    digest.update(np.asarray(verdicts, dtype=np.int8).tobytes())
    return digest.hexdigest()


def train(
    model: Backbone,
    head: nn.Linear,
    pairs: Pairs,
    verdicts: Verdicts,
    *,
    seed: int,
    name: str,
    told: Told | None = None,
) -> Trained:
    """Train `head`, and by the method "lora" new adapters in the backbone, which stay beside its layers.

    Args:
        verdicts: of the pairs 0 to n - 1.
        name: the training's fingerprint; a checkpoint of the same is gone on from.
        told: hears step, steps and loss.
    """
    settings = model.settings
    if settings.method == "lora":
        lora.attach(model.language, settings.lora_targets, settings.lora_rank, settings.lora_alpha, seed)
    if settings.processes > 1:
        return _in_processes(model, head, pairs, verdicts, seed, name)
    return _loop(model, head, pairs, verdicts, seed, name, told)


def _loop(
    model: Backbone,
    head: nn.Linear,
    pairs: Pairs,
    verdicts: Verdicts,
    seed: int,
    name: str,
    told: Told | None = None,
    rank: int = 0,
    world: int = 1,
) -> Trained:
    settings = model.settings
    head.to(model.device)
    raw = nn.Parameter(torch.tensor(-1.0, device=model.device))  # the threshold is its softplus
    ties = settings.loss == "rao_kupper"
    trained = [*head.parameters(), *([raw] if ties else [])]
    if settings.method == "lora":
        for layer in lora.attached(model.language).values():
            trained += [layer.a, layer.b]
        # Of each layer only what comes in is kept, and computed again on the way back.
        _checkpointing(model.model, on=True)
        model.language.train()
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    margins = (
        _by_head(model, head, pairs, len(verdicts))
        if settings.method == "head"
        else _by_all(model, head, pairs)
    )
    each = math.ceil(len(verdicts) / settings.batch)
    steps = each * settings.epochs
    kept = _Checkpoint(settings, name)
    begin, losses = kept.load(trained, optimizer)
    try:
        for step in range(begin, steps):
            order = np.random.default_rng([seed, step // each]).permutation(len(verdicts))
            batch = order[step % each * settings.batch :][: settings.batch]
            mine = batch[rank::world]
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * _pace(step, steps, settings.warmup)
            optimizer.zero_grad(set_to_none=False)
            for parameter in trained:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            total = torch.zeros((), device=model.device)
            for start in range(0, len(mine), settings.micro_batch):
                some = mine[start : start + settings.micro_batch]
                said = torch.tensor(np.asarray(verdicts)[some], device=model.device, dtype=torch.float32)
                loss = pair_loss(margins(some), said, softplus(raw) if ties else None).sum() / len(batch)
                loss.backward()
                total += loss.detach()
            if world > 1:
                for tensor in (*(parameter.grad for parameter in trained), total):
                    dist.all_reduce(tensor)
            nn.utils.clip_grad_norm_(trained, settings.clip)
            optimizer.step()
            losses.append(float(total))
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(
                    f"The loss is {losses[-1]} at step {step + 1}: lower learning_rate, or look at the data."
                )
            if rank == 0 and ((step + 1) % settings.checkpoint_every == 0 or step + 1 == steps):
                kept.save(trained, optimizer, losses)
            if told:
                told(step + 1, steps, losses[-1])
    finally:
        if settings.method == "lora":
            _checkpointing(model.model, on=False)
            model.language.eval()
    return Trained(head, float(softplus(raw.detach())), losses)


def _checkpointing(model: Any, *, on: bool) -> None:
    """transformers changed the name, and keeps the old one until its version 6."""
    new = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    if not on:
        getattr(model, f"{new}_checkpointing_disable")()
        return
    enable = getattr(model, f"{new}_checkpointing_enable")
    enable(**{f"{new}_checkpointing_kwargs": {"use_reentrant": False}})


def _pace(step: int, steps: int, warmup: float) -> float:
    """Linear from nothing to 1, then a cosine down to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _by_all(model: Backbone, head: nn.Linear, pairs: Pairs) -> Callable[[npt.NDArray[np.intp]], Tensor]:
    def margins(some: npt.NDArray[np.intp]) -> Tensor:
        sides = [pairs(int(n)) for n in some]
        embeds, mask, places = padded(
            model, [side.whole for n in (0, 1) for side in (pair[n] for pair in sides)]
        )
        states, _ = model.decode(embeds.requires_grad_(), mask, places)
        values = head(last(states, mask).float())[:, 0]
        return Tensor(values[: len(sides)] - values[len(sides) :])

    return margins


def _by_head(
    model: Backbone, head: nn.Linear, pairs: Pairs, count: int
) -> Callable[[npt.NDArray[np.intp]], Tensor]:
    """The backbone stands still: what it says of all pairs is computed once."""
    states = torch.stack(
        [hidden(model, list(pairs(n)), model.settings.batch_tokens) for n in range(count)]
    ).to(model.device)

    def margins(some: npt.NDArray[np.intp]) -> Tensor:
        values = head(states[torch.as_tensor(some)])[..., 0]
        return Tensor(values[:, 0] - values[:, 1])

    return margins


class _Checkpoint:
    """Parameters and the optimizer's state in one safetensors file, put in place whole."""

    def __init__(self, settings: LargeSettings, name: str) -> None:
        self._name = name
        self._path = Path(settings.checkpoints) / name[:16] / _FILE if settings.checkpoints else None

    def save(
        self, trained: list[nn.Parameter], optimizer: torch.optim.Optimizer, losses: list[float]
    ) -> None:
        if self._path is None:
            return
        tensors = {}
        for n, parameter in enumerate(trained):
            tensors[f"{n}"] = parameter.detach()
            for key, value in optimizer.state[parameter].items():
                tensors[f"{n}/{key}"] = value
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        told = {"name": self._name, "losses": json.dumps(losses)}
        save_file({key: value.cpu().contiguous() for key, value in tensors.items()}, written, metadata=told)
        os.replace(written, self._path)

    def load(self, trained: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> tuple[int, list[float]]:
        """Steps done, and their losses; none where there is no checkpoint of this very training."""
        if self._path is None or not self._path.is_file():
            return 0, []
        with safe_open(self._path, framework="pt") as file:
            told = file.metadata() or {}
        if told.get("name") != self._name:
            return 0, []
        tensors = load_file(self._path)
        with torch.no_grad():
            for n, parameter in enumerate(trained):
                parameter.copy_(tensors[f"{n}"])
                state = {key: tensors[f"{n}/{key}"] for key in ("exp_avg", "exp_avg_sq")}
                optimizer.state[parameter] = {key: value.to(parameter.device) for key, value in state.items()}
                optimizer.state[parameter]["step"] = tensors[f"{n}/step"]
        losses = json.loads(told["losses"])
        return len(losses), losses


def _in_processes(
    model: Backbone, head: nn.Linear, pairs: Pairs, verdicts: Verdicts, seed: int, name: str
) -> Trained:
    """Each on its own device where there are as many. What towers saw travels by a file that all of them map."""
    with TemporaryDirectory(prefix="evenhand-train-") as directory:
        place = Path(directory)
        torch.save([pairs(n) for n in range(len(verdicts))], place / "pairs.pt")
        save_file(value_head.tensors(head), place / "head.safetensors")
        asked = (place, model.settings, np.asarray(verdicts), seed, name)
        torch.multiprocessing.spawn(_worker, asked, nprocs=model.settings.processes)
        found = load_file(place / "trained.safetensors")
        with safe_open(place / "trained.safetensors", framework="pt") as file:
            told = json.loads(file.metadata()["told"])
    with torch.no_grad():
        for layer_name, layer in lora.attached(model.language).items():
            layer.a.copy_(found.pop(f"{layer_name}/a"))
            layer.b.copy_(found.pop(f"{layer_name}/b"))
    trained = value_head.of(found, model.width, "what was trained").to(model.device)
    return Trained(trained, told["threshold"], told["losses"])


def _worker(
    rank: int, place: Path, settings: LargeSettings, verdicts: Verdicts, seed: int, name: str
) -> None:
    device = backbones.pick_device(rank)
    apart = device.type == "cuda" and torch.cuda.device_count() >= settings.processes
    if device.type == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // settings.processes))
    dist.init_process_group(
        "nccl" if apart else "gloo",
        init_method=f"file://{place / 'meeting'}",
        rank=rank,
        world_size=settings.processes,
    )
    try:
        model = backbones.load(settings, device)
        if settings.adapter:
            lora.merge(model.language, lora.read(Path(settings.adapter)), settings.adapter)
        if settings.method == "lora":
            lora.attach(model.language, settings.lora_targets, settings.lora_rank, settings.lora_alpha, seed)
        # Written by this training itself, a moment ago, into a folder of its own.
        encoded = torch.load(place / "pairs.pt", mmap=True, weights_only=False)
        head = value_head.read(place / "head.safetensors", model.width)
        trained = _loop(
            model, head, encoded.__getitem__, verdicts, seed, name, None, rank, settings.processes
        )
        if rank == 0:
            tensors = value_head.tensors(trained.head)
            for layer_name, layer in lora.attached(model.language).items():
                tensors |= {
                    f"{layer_name}/a": layer.a.detach().cpu(),
                    f"{layer_name}/b": layer.b.detach().cpu(),
                }
            told = json.dumps({"threshold": trained.threshold, "losses": trained.losses})
            save_file(tensors, place / "trained.safetensors", metadata={"told": told})
    finally:
        dist.destroy_process_group()
