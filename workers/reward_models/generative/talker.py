"""A language model asked as a judge is asked: the prompt as ids and media, replies drawn, their log-probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.reward_models.base import Compared, MediumRef, Side
from workers.reward_models.judge_template import DEFAULT, PROMPT, RESPONSE, SHEET, Template
from workers.reward_models.large.backbone import Backbone
from workers.reward_models.large.encode import Encoder, Stretch
from workers.reward_models.large.scoring import after, last, padded
from workers.reward_models.large.template import END, START, Part, Special, turn


@dataclass(frozen=True)
class Reply:
    """Token ids, the end's among them where it came to one."""

    ids: tuple[int, ...]
    ended: bool


def asked(item: Compared, template: Template, *, ties: bool) -> tuple[Part, ...]:
    """The same words in the same order as an endpoint is asked, in Qwen's turns. A video is shown as one."""
    said: list[Part] = [f"{PROMPT}\n{item.prompt_text}".rstrip()]
    for medium in item.prompt_media:
        said += _shown(medium)
    for letter, side in (("A", item.first), ("B", item.second)):
        said += _side(letter, side)
    system = template.fill(item.criterion, ties=ties, structured=False)
    return (*turn("system", system), *turn("user", *said), Special(START), "assistant\n")


def _side(letter: str, side: Side) -> list[Part]:
    words = f"{RESPONSE.format(letter=letter)}\n{side.text}".rstrip()
    return [words, *(_shown(side.medium) if side.medium else [])]


def _shown(medium: MediumRef) -> list[Part]:
    return [SHEET, medium] if medium.modality == "mesh" else [medium]


@dataclass
class Talker:
    """`bias`, (vocabulary,): what is added to logits: tokens that no reply may hold have none. Special ones are such, but for
    the end: a placeholder in a reply would stand for a medium that is not there."""

    model: Backbone
    template: Template = DEFAULT
    bias: Tensor = field(init=False, repr=False)
    end: int = field(init=False)

    def __post_init__(self) -> None:
        words = self.model.tokenizer
        end = words.token_to_id(END)
        if end is None:
            raise ValueError(f"the tokenizer has no {END}, which a reply ends with")
        self.end = int(end)
        size = int(self.model.model.lm_head.out_features)
        self.bias = torch.zeros(size, device=self.model.device)
        barred = [n for n, token in words.get_added_tokens_decoder().items() if token.special]
        barred += range(words.get_vocab_size(), size)
        self.bias[[n for n in barred if n < size]] = -torch.inf
        self.bias[self.end] = 0

    def prompts(self, items: Sequence[Compared], *, ties: bool = False) -> list[Stretch]:
        """
        Raises:
            ValueError: a medium cannot be looked at, or one is too long.
        """
        encoder = Encoder(self.model, "criterion-last", self.model.settings.max_tokens)
        found = [encoder.stretch(asked(item, self.template, ties=ties)) for item in items]
        most = self.model.settings.max_tokens
        if longest := max((len(one) for one in found if len(one) > most), default=0):
            raise ValueError(f"it has {longest:,} tokens, more than the {most:,} of max_tokens")
        return found

    def text(self, reply: Reply) -> str:
        ids = reply.ids[:-1] if reply.ended else reply.ids
        return str(self.model.tokenizer.decode(list(ids), skip_special_tokens=False))

    @torch.no_grad()
    def replies(
        self, prompt: Stretch, count: int, *, temperature: float, most: int, seed: Sequence[int] = ()
    ) -> list[Reply]:
        """`count` replies; the prompt is read once. Temperature 0 takes the likeliest token each time, else the draws
        follow from the seed."""
        read = padded(self.model, [prompt])
        states, cache = self.model.decode(read.embeds, read.mask, read.positions, keep=True, **read.deep)
        cache.batch_repeat_interleave(count)
        logits = self._logits(last(states, read.mask)).expand(count, -1)
        mask = read.mask.expand(count, -1)
        begin = after(self.model, prompt)
        # Drawn on the CPU, where a seed means the same on every machine.
        generator = torch.Generator().manual_seed(_seed(seed))
        drawn: list[list[int]] = [[] for _ in range(count)]
        for step in range(most):
            if temperature:
                chances = torch.softmax(logits / temperature, dim=-1).cpu()
                tokens = torch.multinomial(chances, 1, generator=generator)[:, 0]
            else:
                tokens = logits.argmax(dim=-1).cpu()
            for ids, token in zip(drawn, tokens.tolist(), strict=True):
                if not ids or ids[-1] != self.end:
                    ids.append(token)
            if all(ids[-1] == self.end for ids in drawn) or step + 1 == most:
                break
            mask = torch.cat([mask, mask.new_ones(count, 1)], dim=1)
            places = torch.full(
                (count, 1), begin + step, device=self.model.device, dtype=read.positions.dtype
            )
            embeds = self.model.language.get_input_embeddings()(tokens[:, None].to(self.model.device))
            positions = places.expand(3, -1, -1) if read.positions.ndim == 3 else places
            states, _ = self.model.decode(embeds, mask, positions, cache=cache)
            logits = self._logits(states[:, -1])
        return [Reply(tuple(ids), ids[-1] == self.end) for ids in drawn]

    def log_probs(
        self, prompts: Sequence[Stretch], replies: Sequence[Reply], temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Log-probability of each token of each reply to its prompt, and 1 where there is one: both (n, longest)."""
        whole = [
            Stretch(torch.cat([prompt.ids, torch.tensor(reply.ids)]), prompt.shown)
            for prompt, reply in zip(prompts, replies, strict=True)
        ]
        read = padded(self.model, whole)
        embeds = read.embeds.requires_grad_(torch.is_grad_enabled())
        states, _ = self.model.decode(embeds, read.mask, read.positions, **read.deep)
        longest = max(len(reply.ids) for reply in replies)
        at = torch.zeros(len(replies), longest, dtype=torch.long)
        tokens = torch.full((len(replies), longest), self.end)
        mask = torch.zeros(len(replies), longest)
        for n, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
            size = len(reply.ids)
            at[n, :size] = torch.arange(size) + len(prompt) - 1  # each is told by the state before it
            tokens[n, :size] = torch.tensor(reply.ids)
            mask[n, :size] = 1
        rows = torch.arange(len(replies), device=states.device)[:, None]
        logits = self._logits(states[rows, at.to(states.device)]) / temperature
        found = torch.log_softmax(logits, dim=-1).gather(-1, tokens.to(states.device)[..., None])[..., 0]
        mask = mask.to(states.device)
        return found * mask, mask

    def _logits(self, states: Tensor) -> Tensor:
        return Tensor(self.model.model.lm_head(states.to(self.model.dtype)).float() + self.bias)


def _seed(parts: Sequence[int]) -> int:
    found = 0
    for part in parts:
        found = (found * 1_000_003 + part + 1) % 2**63
    return found
