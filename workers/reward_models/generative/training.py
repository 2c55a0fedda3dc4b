"""The loop that trains a judge by GRPO: replies drawn in both orders, worth what their verdicts are, resumable, in any
number of processes.

What replies are drawn follows from seed, step, comparison and order alone, so that a training that was killed and goes on
draws the same, and so do processes, which share each step's comparisons and add their gradients.
"""

import copy
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from workers.reward_models import progress
from workers.reward_models.base import Compared, Verdicts
from workers.reward_models.generative import grpo
from workers.reward_models.generative.reward import Worth, worth
from workers.reward_models.generative.settings import JudgeSettings
from workers.reward_models.generative.talker import Reply, Talker
from workers.reward_models.judge_template import Template
from workers.reward_models.large import backbone as backbones
from workers.reward_models.large import lora, spread
from workers.reward_models.large.backbone import decoder_of, pick_device
from workers.reward_models.large.encode import Stretch
from workers.reward_models.large.looks import Look, Told, best_of, is_enough
from workers.reward_models.large.training import Checkpoint, checkpointing, prepare, weights

# The prompt of comparison n with response 1 shown first, and with response 2 first.
Shown = Callable[[int], tuple[Stretch, Stretch]]
# What each step's figures are, in their order.
FIGURES = ("reward", "right", "formed", "kl", "clipped", "tokens")


@dataclass(frozen=True)
class Rollout:
    """One reply of training: to which comparison, in which order, what it said and what that was worth."""

    step: int
    place: int
    turned: bool
    text: str
    worth: Worth
    reward: float


@dataclass
class TrainedJudge:
    """`figures`: of each step, by FIGURES. `looks`: accuracy on the watched comparisons, the loss being the rest to 1."""

    figures: list[list[float]] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)


@dataclass(frozen=True)
class _Drawn:
    """The replies of one step that this process has drawn, to which comparisons in which order, and what they are worth;
    parallel."""

    places: list[int]
    turned: list[bool]
    prompts: list[Stretch]
    replies: list[Reply]
    said: list[str]
    worths: list[Worth]
    rewards: list[float]
    advantages: Tensor


def train(
    talker: Talker,
    settings: JudgeSettings,
    items: Sequence[Compared],
    verdicts: Verdicts,
    *,
    seed: int,
    name: str,
    watched: tuple[Sequence[Compared], Verdicts] | None = None,
    told: Told | None = None,
    heard: Callable[[Rollout], None] | None = None,
) -> TrainedJudge:
    """Train the adapters or the decoder of the talker's model, in place.

    Args:
        verdicts: 1 or -1 of each item: ties are nothing to be right about.
        name: the training's fingerprint; a checkpoint of the same is gone on from.
        told: hears step, steps and the mean reward. heard: hears each reply.
    """
    shown, verdicts = _shown(talker, items), np.asarray(verdicts)
    looked = (_shown(talker, watched[0]), np.asarray(watched[1])[: settings.watch_most]) if watched else None
    if settings.processes > 1:
        return _in_processes(talker, settings, shown, verdicts, looked, seed, name, told, heard)
    return _loop(talker, settings, shown, verdicts, looked, seed, name, told, heard)


def _shown(talker: Talker, items: Sequence[Compared]) -> Shown:
    def shown(n: int) -> tuple[Stretch, Stretch]:
        first, second = talker.prompts([items[n], items[n].swapped()])
        return first, second

    return shown


def _loop(
    talker: Talker,
    settings: JudgeSettings,
    shown: Shown,
    verdicts: Verdicts,
    watched: tuple[Shown, Verdicts] | None,
    seed: int,
    name: str,
    told: Told | None,
    heard: Callable[[Rollout], None] | None,
    rank: int = 0,
    world: int = 1,
) -> TrainedJudge:
    model = talker.model
    with _reference(talker, settings) as reference:
        prepare(model, seed)
        trained = list(_trained(talker).values())
        optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        each = math.ceil(len(verdicts) / settings.prompts)
        steps = each * settings.epochs
        kept = Checkpoint(settings.checkpoints, name)
        state = kept.load(trained, optimizer)
        for step in range(len(state.losses), steps):
            if is_enough(state.looks, settings.patience):
                break
            order = np.random.default_rng([seed, step // each]).permutation(len(verdicts))
            places = [int(n) for n in order[step % each * settings.prompts :][: settings.prompts]]
            drawn = _draw(talker, settings, shown, verdicts, places[rank::world], [seed, step])
            _hear(step, drawn, heard, world)
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * min(
                    1.0, (step + 1) / max(1.0, settings.warmup * steps)
                )
            count = len(places) * 2 * settings.rollouts
            loss, kl, clipped = _update(talker, settings, drawn, count, reference, trained, optimizer, world)
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"The loss is {loss} at step {step + 1}: lower learning_rate, or look at the data."
                )
            state.losses.append(loss)
            reward, right, formed, tokens = _means(drawn, count, model.device, world)
            state.figures.append([reward, right, formed, kl, clipped, tokens])
            if watched and ((step + 1) % (settings.watch_every or each) == 0 or step + 1 == steps):
                found = _accuracy(talker, settings, *watched, rank, world)
                state.looks.append(Look(step + 1, 1 - found, found))
                if state.looks[-1] == best_of(state.looks):
                    state.best = [parameter.detach().clone() for parameter in trained]
            if (step + 1) % settings.checkpoint_every == 0 or step + 1 == steps:
                kept.save(trained, optimizer, state, write=rank == 0)
            progress.tell(step + 1, steps, f"training, reward {reward:.3f}", {"loss": loss, "reward": reward})
            if told:
                told(step + 1, steps, reward)
        if state.best:
            with torch.no_grad():
                for parameter, best in zip(trained, state.best, strict=True):
                    parameter.copy_(best)
    return TrainedJudge(state.figures, state.looks)


def _hear(step: int, drawn: "_Drawn", heard: Callable[[Rollout], None] | None, world: int) -> None:
    """Each reply, by the order of the step's comparisons, whichever process has drawn it."""
    told = [
        Rollout(step + 1, place, turned, said, worth, reward)
        for place, turned, said, worth, reward in zip(
            drawn.places, drawn.turned, drawn.said, drawn.worths, drawn.rewards, strict=True
        )
    ]
    by_process = [told]
    if world > 1:
        by_process = [[] for _ in range(world)]
        dist.all_gather_object(by_process, told)
    if heard is None:
        return
    size = max(len(part) for part in by_process)
    # Process r has every world-th comparison from the r-th on, each with as many replies.
    most = max((sum(one.place == part[0].place for one in part) for part in by_process if part), default=1)
    for start in range(0, size, most):
        for part in by_process:
            for one in part[start : start + most]:
                heard(one)


def _means(
    drawn: "_Drawn", count: int, device: torch.device, world: int
) -> tuple[float, float, float, float]:
    """Of all replies of a step: reward, share of right verdicts and of well-formed ones, and tokens."""
    sums = [
        sum(drawn.rewards),
        sum(one.right for one in drawn.worths),
        sum(one.formed for one in drawn.worths),
        sum(len(reply.ids) for reply in drawn.replies),
    ]
    total = spread.summed(torch.tensor(sums, dtype=torch.float64, device=device), world) / count
    reward, right, formed, tokens = total.tolist()
    return reward, right, formed, tokens


def _in_processes(
    talker: Talker,
    settings: JudgeSettings,
    shown: Shown,
    verdicts: Verdicts,
    watched: tuple[Shown, Verdicts] | None,
    seed: int,
    name: str,
    told: Told | None,
    heard: Callable[[Rollout], None] | None,
) -> TrainedJudge:
    """Each on its own device where there are as many. Prompts with what towers saw travel by a file that all of them map."""
    prepare(talker.model, seed)
    with TemporaryDirectory(prefix="evenhand-judge-") as directory:
        place = Path(directory)
        torch.save([shown(n) for n in range(len(verdicts))], place / "prompts.pt")
        if watched:
            torch.save([watched[0](n) for n in range(len(watched[1]))], place / "watched.pt")
        seen = watched[1] if watched else None
        asked = (place, settings, talker.template, verdicts, seen, seed, name)
        hears: dict[str, Callable[..., None]] = {}
        if told:
            hears["step"] = told
        if heard:
            hears["rollout"] = lambda one: heard(Rollout(**one | {"worth": Worth(**one["worth"])}))
        spread.run(_worker, asked, settings.processes, place, hears)
        found = load_file(place / "trained.safetensors")
        with safe_open(place / "trained.safetensors", framework="pt") as file:
            kept = json.loads(file.metadata()["told"])
    with torch.no_grad():
        for weight_name, weight in _trained(talker).items():
            weight.copy_(found[weight_name])
    return TrainedJudge(kept["figures"], [Look(*look) for look in kept["looks"]])


def _worker(
    rank: int,
    place: Path,
    settings: JudgeSettings,
    template: Template,
    verdicts: Verdicts,
    seen: Verdicts | None,
    seed: int,
    name: str,
) -> None:
    device = pick_device(rank)
    world = settings.processes
    with spread.meeting(rank, world, place, device), spread.telling(rank, place) as say:
        talker = Talker(backbones.load(settings.large(), device, talks=True), template)
        # Written by this training itself, a moment ago, into a folder of its own.
        shown = torch.load(place / "prompts.pt", mmap=True, weights_only=False)
        watched = None
        if seen is not None:
            looked = torch.load(place / "watched.pt", mmap=True, weights_only=False)
            watched = (looked.__getitem__, seen)

        def heard(one: Rollout) -> None:
            say("rollout", asdict(one))

        trained = _loop(
            talker,
            settings,
            shown.__getitem__,
            verdicts,
            watched,
            seed,
            name,
            partial(say, "step"),
            None if rank else heard,
            rank,
            world,
        )
        if rank == 0:
            kept = {
                "figures": trained.figures,
                "looks": [[look.step, look.loss, look.accuracy] for look in trained.looks],
            }
            save_file(
                {key: weight.detach().cpu().contiguous() for key, weight in _trained(talker).items()},
                place / "trained.safetensors",
                metadata={"told": json.dumps(kept)},
            )


def _trained(talker: Talker) -> dict[str, nn.Parameter]:
    """What learns, by name; of a model trained in full its output layer too, which may be its table of words."""
    found = weights(talker.model)
    if talker.model.settings.method == "full":
        output = talker.model.model.lm_head.weight
        if all(output is not one for one in found.values()):
            output.requires_grad_()
            found["lm_head.weight"] = output
    return found


@contextmanager
def _reference(talker: Talker, settings: JudgeSettings) -> Iterator[Callable[..., Tensor] | None]:
    """What gives log-probabilities by the model that training began with: without the adapters, or a copy."""
    if not settings.kl:
        yield None
        return
    if settings.method == "full":
        frozen = copy.deepcopy(talker.model.model)
        model = replace(talker.model, model=frozen, language=decoder_of(frozen))
        other = Talker(model, talker.template)

        def by_copy(prompts: list[Stretch], replies: list[Reply]) -> Tensor:
            with torch.no_grad():
                return other.log_probs(prompts, replies, settings.temperature)[0]

        yield by_copy
        return

    def by_base(prompts: list[Stretch], replies: list[Reply]) -> Tensor:
        layers = list(lora.attached(talker.model.language).values())
        scales = [layer.scale for layer in layers]
        try:
            for layer in layers:
                layer.scale = 0.0
            with torch.no_grad():
                return talker.log_probs(prompts, replies, settings.temperature)[0]
        finally:
            for layer, scale in zip(layers, scales, strict=True):
                layer.scale = scale

    yield by_base


def _draw(
    talker: Talker,
    settings: JudgeSettings,
    shown: Shown,
    verdicts: Verdicts,
    places: Sequence[int],
    seed: list[int],
) -> _Drawn:
    drawn = _Drawn([], [], [], [], [], [], [], torch.zeros(0))
    for place in places:
        for turned, prompt in enumerate(shown(place)):
            found = talker.replies(
                prompt,
                settings.rollouts,
                temperature=settings.temperature,
                most=settings.most_reply,
                seed=[*seed, place, turned],
            )
            label = int(-verdicts[place] if turned else verdicts[place])
            for reply in found:
                drawn.places.append(place)
                drawn.turned.append(bool(turned))
                drawn.prompts.append(prompt)
                drawn.replies.append(reply)
                drawn.said.append(talker.text(reply))
                drawn.worths.append(worth(drawn.said[-1], label, ended=reply.ended))
                drawn.rewards.append(drawn.worths[-1].reward(settings.format_reward))
    grouped = torch.tensor(drawn.rewards).view(-1, settings.rollouts)
    return replace(drawn, advantages=grpo.advantages(grouped).flatten())


def _update(
    talker: Talker,
    settings: JudgeSettings,
    drawn: _Drawn,
    count: int,
    reference: Callable[..., Tensor] | None,
    trained: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    world: int,
) -> tuple[float, float, float]:
    """Loss, divergence and share of cut tokens of the last of the updates on a step's replies, `count` in all processes."""
    size = settings.micro_batch
    parts = [slice(start, start + size) for start in range(0, len(drawn.replies), size)]

    def said(part: slice) -> tuple[Tensor, Tensor]:
        return talker.log_probs(drawn.prompts[part], drawn.replies[part], settings.temperature)

    before: list[Tensor] = []
    if settings.updates > 1:
        with torch.no_grad():
            before = [said(part)[0] for part in parts]
    base = [reference(drawn.prompts[part], drawn.replies[part]) if reference else None for part in parts]
    language = talker.model.language
    total = torch.zeros(3)
    checkpointing(talker.model.model, on=True)
    language.train()
    try:
        for _ in range(settings.updates):
            total = torch.zeros(3)
            optimizer.zero_grad(set_to_none=False)
            for parameter in trained:  # a process may have drawn nothing
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            for n, part in enumerate(parts):
                now, mask = said(part)
                found = grpo.loss(
                    now,
                    before[n] if before else now.detach(),
                    base[n],
                    drawn.advantages[part].to(now.device),
                    mask,
                    clip=settings.clip,
                    kl=settings.kl,
                )
                (found.each.sum() / count).backward()
                told = torch.stack([found.each.detach().sum(), found.kl.sum(), found.clipped.sum()])
                total += told.cpu() / count
            if world > 1:
                for parameter in trained:
                    dist.all_reduce(parameter.grad)
            nn.utils.clip_grad_norm_(trained, settings.max_grad)
            optimizer.step()
    finally:
        checkpointing(talker.model.model, on=False)
        language.eval()
    loss, kl, clipped = spread.summed(total.to(talker.model.device), world).tolist()
    return loss, kl, clipped


def hits(
    talker: Talker, settings: JudgeSettings, items: Sequence[Compared], verdicts: Verdicts
) -> list[float]:
    """Of each comparison that is looked at, the share of its two orders with a right verdict, by the likeliest replies; one
    that cannot be read is wrong."""
    some = range(min(len(items), settings.watch_most))
    return [_hit(talker, settings, _shown(talker, items)(n), int(verdicts[n])) for n in some]


def _hit(talker: Talker, settings: JudgeSettings, prompts: tuple[Stretch, Stretch], verdict: int) -> float:
    right = []
    for prompt, label in zip(prompts, (verdict, -verdict), strict=True):
        (reply,) = talker.replies(prompt, 1, temperature=0, most=settings.most_reply)
        right.append(worth(talker.text(reply), label, ended=reply.ended).right)
    return float(np.mean(right))


def _accuracy(
    talker: Talker, settings: JudgeSettings, shown: Shown, verdicts: Verdicts, rank: int, world: int
) -> float:
    """The mean of `hits`, of which each process looks at its share."""
    mine = sum(_hit(talker, settings, shown(n), int(verdicts[n])) for n in range(rank, len(verdicts), world))
    total = torch.tensor(mine, dtype=torch.float64, device=talker.model.device)
    return float(spread.summed(total, world)) / len(verdicts)
