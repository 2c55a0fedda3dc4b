"""What every reward model of Evenhand answers, however large: the items it is asked about and what it says of them.

Nothing in this package knows Django: whoever calls turns rows into `Compared` and scores into rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from workers.reward_models.features.cache import FeatureCache

Floats = npt.NDArray[np.float64]
# One verdict an item: 1 the first side won, -1 the second, 0 a tie. Swapping the sides negates it.
Verdicts = npt.NDArray[np.int8]


class UnfitArtefact(Exception):
    """A saved model that this code cannot use: the message says which version it has and which is wanted."""


class NothingToLearn(ValueError):
    """No item that this model could be trained on: the message says why."""


@dataclass(frozen=True, slots=True)
class MediumRef:
    """One media file by content; `files` opens what the media sandbox made of it, by kind ("web", "sheet")."""

    sha256: bytes
    modality: str
    files: Mapping[str, Callable[[], BinaryIO]]


@dataclass(frozen=True, slots=True)
class Side:
    """One response: its text, its medium, or both."""

    text: str = ""
    medium: MediumRef | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Two responses to one prompt under one criterion: the unit that is judged."""

    prompt_text: str
    criterion: str
    first: Side
    second: Side
    task_type: str = ""
    prompt_media: tuple[MediumRef, ...] = ()

    def swapped(self) -> "Compared":
        return replace(self, first=self.second, second=self.first)

    @property
    def modalities(self) -> frozenset[str]:
        """Of all its media, the prompt's and the sides'."""
        media = (*self.prompt_media, self.first.medium, self.second.medium)
        return frozenset(medium.modality for medium in media if medium is not None)


@dataclass(frozen=True, slots=True)
class Reasoned:
    """What a judge in words said of an item, asked in both orders: verdicts of the item's sides (1 first, -1 second, 0 a
    tie; None: none could be read), its reasons, the replies that took and what they cost, if that is known."""

    forward: int | None
    backward: int | None
    forward_text: str
    backward_text: str
    replies: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of n items: arrays of shape (n,).

    `margin` is the log-odds that the first side wins, ties aside; `variance` its posterior variance. The three
    probabilities are the posterior's (averaged over the margin's uncertainty) and sum to 1. `bald` is the mutual
    information, in nats, between the item's verdict and the model's parameters: what one more label would teach.
    `cell` numbers what is nearly the same to the model, sides exchanged or not; None where it does not tell.
    """

    margin: Floats
    p_first: Floats
    p_second: Floats
    p_tie: Floats
    variance: Floats
    bald: Floats
    cell: npt.NDArray[np.int64] | None = None
    # Places of items that the model cannot judge, with why: there every number is NaN. Never a guess.
    without: Mapping[int, str] = field(default_factory=dict)
    # Of a judge in words, by place, why.
    reasons: Mapping[int, Reasoned] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.margin)

    def leaving_out(self, without: Mapping[int, str]) -> "Scored":
        """The same, with NaN at these places."""
        if not without:
            return self
        places = list(without)

        def blanked(column: Floats) -> Floats:
            copy = column.copy()
            copy[places] = np.nan
            return copy

        return Scored(
            blanked(self.margin),
            blanked(self.p_first),
            blanked(self.p_second),
            blanked(self.p_tie),
            blanked(self.variance),
            blanked(self.bald),
            self.cell,
            without,
            self.reasons,
        )


def check_verdicts(items: Sequence[Compared], verdicts: Verdicts) -> None:
    """
    Raises:
        ValueError: there is not one verdict for each item, or one is none of 1 (first), -1 (second), 0 (tie).
    """
    if len(items) != len(verdicts):
        raise ValueError(f"{len(items)} items have {len(verdicts)} verdicts: each item needs one.")
    if not np.isin(verdicts, (-1, 0, 1)).all():
        raise ValueError("A verdict is 1 (first), -1 (second) or 0 (tie).")


@runtime_checkable
class RewardModel(Protocol):
    """A trained model. Swapping an item's sides negates its margin and exchanges p_first and p_second, no more."""

    # The name it is registered by, and the version that a saved model must have to be loaded.
    name: ClassVar[str]
    version: ClassVar[str]
    # How many items are best scored by one call: some seconds' work.
    at_once: ClassVar[int]

    @classmethod
    def train(
        cls,
        items: Sequence[Compared],
        verdicts: Verdicts,
        *,
        cache: FeatureCache,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """Learn from one verdict an item (an item may stand there more than once). The same input, settings and seed
        give the same model. ValueError if the lengths differ or a verdict is not one of -1, 0 and 1; SettingsError
        names the setting that this backend cannot use."""
        ...

    def score(self, items: Sequence[Compared], *, cache: FeatureCache) -> Scored:
        """The scores of `items`, in their order; `without` names those that it cannot judge."""
        ...

    def save(self, path: Path) -> None:
        """Write the model as one safetensors file whose header holds its configuration as JSON."""
        ...

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a saved model. UnfitArtefact if it is another backend's, another version's or broken."""
        ...


# Scores of rows of features, in their order; each row stands under the criterion of that place.
Ranking = Callable[[npt.NDArray[np.intp], npt.NDArray[np.float32]], Scored]


@dataclass(frozen=True, slots=True)
class Features:
    """What a ranker sees of items: by layout the places of its items and a row each, shape (n, width), the width being
    the layout's. `without` names the items of which it has none, with why."""

    rows: Mapping[str, tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]]
    without: Mapping[int, str] = field(default_factory=dict)


@runtime_checkable
class Ranker(RewardModel, Protocol):
    """A reward model that needs of an item no more than some numbers, which do not change when it learns: they are kept,
    and a million items are ranked in seconds. But for the last bits it says what `score` says."""

    def features(self, items: Sequence[Compared], *, cache: FeatureCache) -> Features:
        """The features of items; a layout's name tells the version, and is fit for a file."""
        ...

    def reads(self, layout: str) -> bool:
        """Whether rows of this layout are what it sees of an item, of this very version."""
        ...

    def ranking(self, layout: str, criteria: Sequence[str], *, cache: FeatureCache) -> Ranking:
        """What scores rows of a layout that it reads under these criteria; safe to be called from several threads."""
        ...


@runtime_checkable
class KeepsFeatures(Protocol):
    """A model that leaves what it saw of each item that it scores in the cache, for a smaller one that learns from it."""

    @property
    def kept_features(self) -> str:
        """The version under which they stand there; another model has another."""
        ...


class Without(StrEnum):
    """Why a judge gave no verdict."""

    UNREADABLE = "unreadable"  # it answered, and no verdict could be read
    UNSUPPORTED = "unsupported"  # the item holds a modality that it cannot look at
    ERROR = "error"  # it could not be asked: the endpoint failed, or a medium could not be opened


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge that is asked in words says of one item: a verdict (1 the first side, -1 the second, 0 a tie), or
    why there is none, never both.

    Tokens are counted over all replies that this opinion took, `spent` those of them that were paid for now: a reply
    that was kept costs nothing again.
    """

    verdict: int | None = None
    without: Without | None = None
    detail: str = ""
    rationale: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    spent_in: int = 0
    spent_out: int = 0
    replies: int = 0


@runtime_checkable
class Judge(Protocol):
    """A judge that is asked in words, one item at a time. Safe to be called from several threads.

    What it is shown first may sway it: ask with `item.swapped()` too, and turn the verdict round.
    """

    # What it can look at beside text.
    modalities: frozenset[str]
    # Which model by which settings: equal revisions are asked equally.
    revision: str
    # The name of the words that it is asked in.
    template: str

    def judge(self, item: Compared, *, ties: bool) -> Opinion:
        """Which side is better by the item's criterion; `ties`: may it call them equal?

        Raises:
            JudgeBroken: it cannot be asked about any item.
        """
        ...


class JudgeBroken(Exception):
    """No item can be judged: a key that is refused, a model that is not there. The message says what to mend."""


# Where each backend's class lives; looked up when asked for, so that naming one loads no weights and no torch.
BACKENDS = {
    "builtin": "workers.reward_models.builtin:BuiltinModel",
    "cached": "workers.reward_models.cached:CachedModel",
    "transformers": "workers.reward_models.large.model:TransformersModel",
    "vllm": "workers.reward_models.vllm:VllmModel",
    "judge": "workers.reward_models.judge_model:JudgeModel",
}


def backend(name: str) -> type[RewardModel]:
    """The class registered as `name`. LookupError names those there are."""
    if name not in BACKENDS:
        raise LookupError(f"No reward model is called {name!r}. There are: {', '.join(sorted(BACKENDS))}.")
    module, _, attribute = BACKENDS[name].partition(":")
    found: type[RewardModel] = getattr(import_module(module), attribute)
    return found
