"""The loop that trains a judge by GRPO: replies drawn in both orders, worth what their verdicts are, resumable.

What replies are drawn follows from seed, step, comparison and order alone, so that a training that was killed and goes on
draws the same.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from workers.reward_models.base import Compared, Verdicts
from workers.reward_models.generative import grpo
from workers.reward_models.generative.reward import Worth, worth
from workers.reward_models.generative.settings import JudgeSettings
from workers.reward_models.generative.talker import Reply, Talker
from workers.reward_models.large import lora
from workers.reward_models.large.backbone import decoder_of
from workers.reward_models.large.encode import Stretch
from workers.reward_models.large.looks import Look, Told, best_of, is_enough
from workers.reward_models.large.training import Checkpoint, checkpointing, prepare, weights

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
    """The replies of one step, with their prompts and what they are worth; parallel."""

    prompts: list[Stretch]
    replies: list[Reply]
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
    model = talker.model
    with _reference(talker, settings) as reference:
        prepare(model, seed)
        trained = _trained(talker)
        optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        each = math.ceil(len(items) / settings.prompts)
        steps = each * settings.epochs
        kept = Checkpoint(settings.checkpoints, name)
        state = kept.load(trained, optimizer)
        for step in range(len(state.losses), steps):
            if is_enough(state.looks, settings.patience):
                break
            order = np.random.default_rng([seed, step // each]).permutation(len(items))
            places = [int(n) for n in order[step % each * settings.prompts :][: settings.prompts]]
            drawn = _draw(talker, settings, items, verdicts, places, [seed, step], step, heard)
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * min(
                    1.0, (step + 1) / max(1.0, settings.warmup * steps)
                )
            loss, kl, clipped = _update(talker, settings, drawn, reference, trained, optimizer)
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"The loss is {loss} at step {step + 1}: lower learning_rate, or look at the data."
                )
            state.losses.append(loss)
            tokens = float(np.mean([len(reply.ids) for reply in drawn.replies]))
            right = float(np.mean([one.right for one in drawn.worths]))
            formed = float(np.mean([one.formed for one in drawn.worths]))
            state.figures.append([float(np.mean(drawn.rewards)), right, formed, kl, clipped, tokens])
            if watched and ((step + 1) % (settings.watch_every or each) == 0 or step + 1 == steps):
                found = float(np.mean(hits(talker, settings, *watched)))
                state.looks.append(Look(step + 1, 1 - found, found))
                if state.looks[-1] == best_of(state.looks):
                    state.best = [parameter.detach().clone() for parameter in trained]
            if (step + 1) % settings.checkpoint_every == 0 or step + 1 == steps:
                kept.save(trained, optimizer, state)
            if told:
                told(step + 1, steps, state.figures[-1][0])
        if state.best:
            with torch.no_grad():
                for parameter, best in zip(trained, state.best, strict=True):
                    parameter.copy_(best)
    return TrainedJudge(state.figures, state.looks)


def _trained(talker: Talker) -> list[nn.Parameter]:
    """What learns; of a model trained in full its output layer too, which may be its table of words."""
    found = list(weights(talker.model).values())
    if talker.model.settings.method == "full":
        output = talker.model.model.lm_head.weight
        if all(output is not one for one in found):
            output.requires_grad_()
            found.append(output)
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
    items: Sequence[Compared],
    verdicts: Verdicts,
    places: Sequence[int],
    seed: list[int],
    step: int,
    heard: Callable[[Rollout], None] | None,
) -> _Drawn:
    prompts: list[Stretch] = []
    replies: list[Reply] = []
    worths: list[Worth] = []
    for place in places:
        for turned in (False, True):
            item = items[place].swapped() if turned else items[place]
            label = int(-verdicts[place] if turned else verdicts[place])
            (prompt,) = talker.prompts([item])
            found = talker.replies(
                prompt,
                settings.rollouts,
                temperature=settings.temperature,
                most=settings.most_reply,
                seed=[*seed, place, int(turned)],
            )
            for reply in found:
                said = talker.text(reply)
                worths.append(worth(said, label, ended=reply.ended))
                if heard:
                    reward = worths[-1].reward(settings.format_reward)
                    heard(Rollout(step + 1, place, turned, said, worths[-1], reward))
            prompts += [prompt] * len(found)
            replies += found
    rewards = [one.reward(settings.format_reward) for one in worths]
    grouped = torch.tensor(rewards).view(-1, settings.rollouts)
    return _Drawn(prompts, replies, worths, rewards, grpo.advantages(grouped).flatten())


def _update(
    talker: Talker,
    settings: JudgeSettings,
    drawn: _Drawn,
    reference: Callable[..., Tensor] | None,
    trained: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> tuple[float, float, float]:
    """Loss, divergence and share of cut tokens of the last of the updates on these replies."""
    count = len(drawn.replies)
    parts = [slice(start, start + settings.micro_batch) for start in range(0, count, settings.micro_batch)]

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
            optimizer.zero_grad()
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
            nn.utils.clip_grad_norm_(trained, settings.max_grad)
            optimizer.step()
    finally:
        checkpointing(talker.model.model, on=False)
        language.eval()
    loss, kl, clipped = total.tolist()
    return loss, kl, clipped


def hits(
    talker: Talker, settings: JudgeSettings, items: Sequence[Compared], verdicts: Verdicts
) -> list[float]:
    """Of each comparison that is looked at, the share of its two orders with a right verdict, by the likeliest replies; one
    that cannot be read is wrong."""
    found = []
    for item, verdict in list(zip(items, verdicts, strict=True))[: settings.watch_most]:
        right = []
        for shown, label in ((item, int(verdict)), (item.swapped(), -int(verdict))):
            (prompt,) = talker.prompts([shown])
            (reply,) = talker.replies(prompt, 1, temperature=0, most=settings.most_reply)
            right.append(worth(talker.text(reply), label, ended=reply.ended).right)
        found.append(float(np.mean(right)))
    return found
