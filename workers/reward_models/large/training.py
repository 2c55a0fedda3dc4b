"""The loop that trains on pairs, watching others: AdamW, gradient accumulation, resumable, in any number of processes.

The order of pairs follows from seed and epoch alone. Processes share each batch and add their gradients, so that they
take the very steps that one would: what differs is the order of sums.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
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
from torch.distributed.tensor import DTensor
from torch.nn.functional import logsigmoid, softplus

from workers.reward_models import progress
from workers.reward_models.base import Compared, Verdicts
from workers.reward_models.large import backbone as backbones
from workers.reward_models.large import lora, sharding, spread, value_head
from workers.reward_models.large.backbone import Backbone
from workers.reward_models.large.encode import Encoded
from workers.reward_models.large.looks import Look, Told, best_of, is_enough
from workers.reward_models.large.scoring import hidden, last, padded
from workers.reward_models.large.settings import LargeSettings

# Both sides of pair n, first and second.
Pairs = Callable[[int], tuple[Encoded, Encoded]]
_FILE = "training.safetensors"
# What does not change the model that comes out.
_SPEED = (
    *("checkpoints", "checkpoint_every", "processes", "sharded"),
    *("micro_batch", "batch_tokens", "calibration_share"),
)


@dataclass(frozen=True)
class Watched:
    """Pairs that are looked at and not learned from: where they stop getting better, training stops."""

    pairs: Pairs
    verdicts: Verdicts


@dataclass
class Trained:
    """`losses` is the mean loss of each step, `looks` what was seen of watched pairs; the best one's weights are kept."""

    head: nn.Linear
    threshold: float
    losses: list[float] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)


def pair_loss(margin: Tensor, verdict: Tensor, threshold: Tensor | None) -> Tensor:
    """Negative log-likelihood of each verdict (1, -1, 0): Bradley-Terry without a threshold, else Rao-Kupper
    (rao_kupper.py says the same in numpy)."""
    if threshold is None:
        return -logsigmoid(verdict * margin)
    first, second = logsigmoid(margin - threshold), logsigmoid(-margin - threshold)
    tie = torch.log(torch.expm1(2 * threshold)) + first + second
    return -torch.where(verdict > 0, first, torch.where(verdict < 0, second, tie))


def fingerprint(
    settings: Any, revision: str, items: Sequence[Compared], verdicts: Verdicts, seed: int
) -> str:
    """What a training hangs on: one that was interrupted goes on only where all of it is the same.

    `settings`: a dataclass of any training's. `items` and `verdicts` are those trained on, then those watched.
    """
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
    watched: Watched | None = None,
    told: Told | None = None,
) -> Trained:
    """Train `head`, by the method "lora" new adapters, which stay beside the decoder's layers, by "full" all of the decoder.

    Args:
        verdicts: of the pairs 0 to n - 1.
        name: the training's fingerprint; a checkpoint of the same is gone on from.
        told: hears step, steps and loss.
    """
    prepare(model, seed)
    if model.settings.processes > 1:
        return _in_processes(model, head, pairs, verdicts, seed, name, watched, told)
    return _loop(model, head, pairs, verdicts, seed, name, watched, told)


def prepare(model: Backbone, seed: int) -> None:
    """New adapters, or a decoder that learns, as the backbone's settings ask."""
    settings = model.settings
    if settings.method == "lora":
        lora.attach(model.language, settings.lora_targets, settings.lora_rank, settings.lora_alpha, seed)
    elif settings.method == "full":
        # Steps of a published learning rate are lost in 16 bits; what is computed with is still 16 where a GPU does it.
        model.language.float().requires_grad_()


def weights(model: Backbone) -> dict[str, nn.Parameter]:
    """What is trained of the decoder, by name; the head and the threshold are trained besides."""
    if model.settings.method == "full":
        return dict(model.language.named_parameters())
    found: dict[str, nn.Parameter] = {}
    for name, layer in lora.attached(model.language).items():
        found |= {f"{name}/a": layer.a, f"{name}/b": layer.b}
    return found


def _loop(
    model: Backbone,
    head: nn.Linear,
    pairs: Pairs,
    verdicts: Verdicts,
    seed: int,
    name: str,
    watched: Watched | None = None,
    told: Told | None = None,
    rank: int = 0,
    world: int = 1,
) -> Trained:
    settings = model.settings
    head.to(model.device)
    raw = nn.Parameter(torch.tensor(-1.0, device=model.device))  # the threshold is its softplus
    ties = settings.loss == "rao_kupper"
    trained = [*head.parameters(), *([raw] if ties else []), *weights(model).values()]
    deep = settings.method in ("lora", "full")
    if deep:
        # Of each layer only what comes in is kept, and computed again on the way back.
        checkpointing(model.model, on=True)
        model.language.train()
    optimizer = torch.optim.AdamW(
        [{"params": group} for group in sharding.groups(trained)],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    margins = _by_all(model, head, pairs) if deep else _by_head(model, head, pairs, len(verdicts))
    look = _looking(model, head, watched, raw if ties else None, rank, world) if watched else None
    each = math.ceil(len(verdicts) / settings.batch)
    steps = each * settings.epochs
    kept = Checkpoint(settings.checkpoints, name)
    state = kept.load(trained, optimizer)
    try:
        for step in range(len(state.losses), steps):
            if is_enough(state.looks, settings.patience):
                break
            order = np.random.default_rng([seed, step // each]).permutation(len(verdicts))
            batch = order[step % each * settings.batch :][: settings.batch]
            mine = batch[rank::world]
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * pace(step, steps, settings.warmup)
            optimizer.zero_grad(set_to_none=False)
            for parameter in trained:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            total = torch.zeros(
                3, device=model.device
            )  # the loss; decided pairs, and how many margins were right
            for some, counts in _parts(mine, batch, settings.micro_batch, world):
                said = torch.tensor(np.asarray(verdicts)[some], device=model.device, dtype=torch.float32)
                blanked = _dropout(settings.head_dropout, [seed, step], some, model.width)
                found = margins(some, blanked)
                loss = counts * pair_loss(found, said, softplus(raw) if ties else None).sum() / len(batch)
                loss.backward()
                decided = said != 0
                right = (found.detach().sign() == said) & decided
                total += torch.stack([loss.detach(), counts * decided.sum(), counts * right.sum()])
            if world > 1:
                # Of a sharded layer each process has the sum of its part already.
                for tensor in (*(parameter.grad for parameter in trained), total):
                    if not isinstance(tensor, DTensor):
                        dist.all_reduce(tensor)
            sharding.clip(trained, settings.clip)
            optimizer.step()
            state.losses.append(float(total[0]))
            if not math.isfinite(state.losses[-1]):
                raise FloatingPointError(
                    f"The loss is {state.losses[-1]} at step {step + 1}: lower learning_rate, or look at the data."
                )
            figures = {"loss": state.losses[-1]}
            if total[1]:
                figures["accuracy"] = float(total[2] / total[1])
            if look and ((step + 1) % (settings.watch_every or each) == 0 or step + 1 == steps):
                state.looks.append(Look(step + 1, *look()))
                seen = state.looks[-1]
                figures |= {"validation_loss": seen.loss, "validation_accuracy": seen.accuracy}
                if state.looks[-1] == best_of(state.looks):
                    state.best = [parameter.detach().clone() for parameter in trained]
            if (step + 1) % settings.checkpoint_every == 0 or step + 1 == steps:
                kept.save(trained, optimizer, state, write=rank == 0)
            progress.tell(step + 1, steps, f"training, loss {state.losses[-1]:.4f}", figures)
            if told:
                told(step + 1, steps, state.losses[-1])
    finally:
        if deep:
            checkpointing(model.model, on=False)
            model.language.eval()
    if state.best:
        with torch.no_grad():
            for parameter, best in zip(trained, state.best, strict=True):
                parameter.copy_(best)
    return Trained(head, float(softplus(raw.detach())), state.losses, state.looks)


def _parts(
    mine: npt.NDArray[np.intp], batch: npt.NDArray[np.intp], size: int, world: int
) -> list[tuple[npt.NDArray[np.intp], int]]:
    """A process's pairs, some at a time, each with 1. All processes have as many parts, for sharded layers are run by all of
    them at once: who has none left runs one pair of the batch that counts 0."""
    most = math.ceil(math.ceil(len(batch) / world) / size)
    parts = [(mine[start : start + size], 1) for start in range(0, len(mine), size)]
    return parts + [(batch[:1], 0)] * (most - len(parts))


def _looking(
    model: Backbone, head: nn.Linear, watched: Watched, raw: nn.Parameter | None, rank: int, world: int
) -> Callable[[], tuple[float, float]]:
    """Gives loss and accuracy of the watched pairs as weights stand; processes share them."""
    verdicts = np.asarray(watched.verdicts)
    mine = np.arange(len(verdicts))[rank::world]
    deep = model.settings.method in ("lora", "full")
    margins = (
        _by_all(model, head, watched.pairs) if deep else _by_head(model, head, watched.pairs, len(verdicts))
    )

    def look() -> tuple[float, float]:
        sums = torch.zeros(2, dtype=torch.float64)
        if deep:
            model.language.eval()
        with torch.no_grad():
            for some, counts in _parts(mine, np.arange(len(verdicts)), model.settings.micro_batch, world):
                said = torch.tensor(verdicts[some], device=model.device, dtype=torch.float32)
                found = margins(some, None)
                losses = pair_loss(found, said, None if raw is None else softplus(raw))
                right = ((found.sign() * said + 1) / 2)[said != 0]
                sums += counts * torch.stack([losses.sum(), right.sum()]).double().cpu()
        if deep:
            model.language.train()
        if world > 1:
            sums = sums.to(model.device)
            dist.all_reduce(sums)
        return float(sums[0] / len(verdicts)), float(sums[1] / max(1, (verdicts != 0).sum()))

    return look


def _dropout(share: float, seed: list[int], some: npt.NDArray[np.intp], width: int) -> Tensor | None:
    """What the states of each pair are multiplied by, (pairs, 2, width); it hangs on the pair and the step alone, so that
    any number of processes and a training that is gone on blank the same."""
    if not share:
        return None
    drawn = [np.random.default_rng([*seed, int(n)]).random((2, width)) >= share for n in some]
    return torch.from_numpy(np.stack(drawn).astype(np.float32) / (1 - share))


def checkpointing(model: Any, *, on: bool) -> None:
    """transformers changed the name, and keeps the old one until its version 6."""
    new = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    if not on:
        getattr(model, f"{new}_checkpointing_disable")()
        return
    enable = getattr(model, f"{new}_checkpointing_enable")
    enable(**{f"{new}_checkpointing_kwargs": {"use_reentrant": False}})


def pace(step: int, steps: int, warmup: float) -> float:
    """Linear from nothing to 1, then a cosine down to 0."""
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


# Margins of these pairs, with what their states are multiplied by.
Margins = Callable[[npt.NDArray[np.intp], Tensor | None], Tensor]


def _by_all(model: Backbone, head: nn.Linear, pairs: Pairs) -> Margins:
    def margins(some: npt.NDArray[np.intp], blanked: Tensor | None) -> Tensor:
        sides = [pairs(int(n)) for n in some]
        read = padded(model, [side.whole for n in (0, 1) for side in (pair[n] for pair in sides)])
        with torch.autocast(model.device.type, torch.bfloat16, enabled=model.computes_in_half):
            decoded, _ = model.decode(read.embeds.requires_grad_(), read.mask, read.positions, **read.deep)
        states = last(decoded, read.mask).float()
        if blanked is not None:
            states = states * blanked.transpose(0, 1).reshape(states.shape).to(states.device)
        values = head(states)[:, 0]
        return Tensor(values[: len(sides)] - values[len(sides) :])

    return margins


def _by_head(model: Backbone, head: nn.Linear, pairs: Pairs, count: int) -> Margins:
    """The backbone stands still: what it says of all pairs is computed once."""
    states = torch.stack(
        [hidden(model, list(pairs(n)), model.settings.batch_tokens) for n in range(count)]
    ).to(model.device)

    def margins(some: npt.NDArray[np.intp], blanked: Tensor | None) -> Tensor:
        read = states[torch.as_tensor(some)]
        values = head(read if blanked is None else read * blanked.to(read.device))[..., 0]
        return Tensor(values[:, 0] - values[:, 1])

    return margins


@dataclass
class State:
    """How far a training is: the steps' losses, what was seen of watched pairs, and the weights of the best look.

    `figures`: further numbers of each step, where a training has any.
    """

    losses: list[float] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    best: list[Tensor] = field(default_factory=list)
    figures: list[list[float]] = field(default_factory=list)


class Checkpoint:
    """Parameters and the optimizer's state in one safetensors file, put in place whole."""

    def __init__(self, folder: str, name: str) -> None:
        """`folder`: "" keeps nothing. `name`: the training's fingerprint."""
        self._name = name
        self._path = Path(folder) / name[:16] / _FILE if folder else None

    def save(
        self,
        trained: list[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        state: State,
        *,
        write: bool = True,
    ) -> None:
        """All processes of a training call it, one of them to write."""
        if self._path is None:
            return
        tensors: dict[str, Tensor] = {}

        def gathered(key: str, tensor: Tensor) -> None:
            found = sharding.whole(tensor.detach())
            if write:
                tensors[key] = found.cpu().contiguous()

        for n, parameter in enumerate(trained):
            gathered(f"{n}", parameter)
            if state.best:
                gathered(f"{n}/best", state.best[n])
            for key, value in optimizer.state[parameter].items():
                gathered(f"{n}/{key}", value)
        if not write:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        looks = [[look.step, look.loss, look.accuracy] for look in state.looks]
        # One entry only, so that the file's bytes are always the same.
        kept = {"name": self._name, "losses": state.losses, "looks": looks, "figures": state.figures}
        told = {"told": json.dumps(kept)}
        save_file(tensors, written, metadata=told)
        os.replace(written, self._path)

    def load(self, trained: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> State:
        """How far it was; at the beginning where there is no checkpoint of this very training."""
        if self._path is None or not self._path.is_file():
            return State()
        with safe_open(self._path, framework="pt") as file:
            told = json.loads((file.metadata() or {}).get("told", "{}"))
        if told.get("name") != self._name:
            return State()
        tensors = load_file(self._path)
        state = State(told["losses"], [Look(*look) for look in told["looks"]], figures=told["figures"])
        with torch.no_grad():
            for n, parameter in enumerate(trained):
                parameter.copy_(sharding.like(tensors[f"{n}"], parameter))
                if f"{n}/best" in tensors:
                    state.best.append(sharding.like(tensors[f"{n}/best"], parameter))
                moments = {key: tensors[f"{n}/{key}"] for key in ("exp_avg", "exp_avg_sq")}
                optimizer.state[parameter] = {
                    key: sharding.like(value, parameter) for key, value in moments.items()
                }
                optimizer.state[parameter]["step"] = tensors[f"{n}/step"]
        return state


def _in_processes(
    model: Backbone,
    head: nn.Linear,
    pairs: Pairs,
    verdicts: Verdicts,
    seed: int,
    name: str,
    watched: Watched | None,
    told: Told | None,
) -> Trained:
    """Each on its own device where there are as many. What towers saw travels by a file that all of them map."""
    with TemporaryDirectory(prefix="evenhand-train-") as directory:
        place = Path(directory)
        torch.save([pairs(n) for n in range(len(verdicts))], place / "pairs.pt")
        if watched:
            torch.save([watched.pairs(n) for n in range(len(watched.verdicts))], place / "watched.pt")
        save_file(value_head.tensors(head), place / "head.safetensors")
        seen = np.asarray(watched.verdicts) if watched else None
        asked = (place, model.settings, np.asarray(verdicts), seen, seed, name)
        hears = {"step": told} if told else {}
        spread.run(_worker, asked, model.settings.processes, place, hears)
        found = load_file(place / "trained.safetensors")
        with safe_open(place / "trained.safetensors", framework="pt") as file:
            kept = json.loads(file.metadata()["told"])
    with torch.no_grad():
        for weight_name, weight in weights(model).items():
            weight.copy_(found.pop(weight_name))
    trained = value_head.of(found, model.width, "what was trained").to(model.device)
    return Trained(trained, kept["threshold"], kept["losses"], [Look(*look) for look in kept["looks"]])


def _worker(
    rank: int,
    place: Path,
    settings: LargeSettings,
    verdicts: Verdicts,
    seen: Verdicts | None,
    seed: int,
    name: str,
) -> None:
    device = backbones.pick_device(rank)
    with spread.meeting(rank, settings.processes, place, device), spread.telling(rank, place) as say:
        model = backbones.load(settings, device)
        if settings.adapter:
            lora.merge(model.language, lora.read(Path(settings.adapter)), settings.adapter)
        prepare(model, seed)
        if settings.sharded:
            # Adapters are small, and of another precision than what they stand beside.
            apart_from = set(weights(model).values()) if settings.method == "lora" else set()
            sharding.shard(model.language.layers, apart_from, device)
        # Written by this training itself, a moment ago, into a folder of its own.
        encoded = torch.load(place / "pairs.pt", mmap=True, weights_only=False)
        watched = None
        if seen is not None:
            shown = torch.load(place / "watched.pt", mmap=True, weights_only=False)
            watched = Watched(shown.__getitem__, seen)
        head = value_head.read(place / "head.safetensors", model.width)
        told = partial(say, "step")
        trained = _loop(
            model, head, encoded.__getitem__, verdicts, seed, name, watched, told, rank, settings.processes
        )
        found = {key: sharding.whole(weight.detach()).cpu() for key, weight in weights(model).items()}
        if rank == 0:
            looks = [[look.step, look.loss, look.accuracy] for look in trained.looks]
            kept = {"threshold": trained.threshold, "losses": trained.losses, "looks": looks}
            save_file(
                {key: weight.contiguous() for key, weight in found.items()}
                | value_head.tensors(trained.head),
                place / "trained.safetensors",
                metadata={"told": json.dumps(kept)},
            )
