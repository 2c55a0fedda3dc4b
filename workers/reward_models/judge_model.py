"""The backend "judge": a generative judge behind a chat endpoint, as the Protocol has it.

It is asked about each comparison twice, with either response first, and says in words why. Its value is the mean of the two
verdicts: five steps from -1 to 1, of which a scale and a threshold of ties make odds. No weights are learned, and it tells
no uncertainty: the variance is 0 and says nothing.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from workers.reward_models import progress, served
from workers.reward_models.base import (
    Compared,
    Floats,
    JudgeBroken,
    NothingToLearn,
    Opinion,
    Reasoned,
    Scored,
    UnfitArtefact,
    Verdicts,
    Without,
    check_verdicts,
)
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.judge import ChatJudge, JudgeSpec, SpecError
from workers.reward_models.judge_template import Template
from workers.reward_models.large.calibration import Calibration
from workers.reward_models.reply_cache import DirectoryReplies, MemoryReplies, ReplyCache
from workers.reward_models.settings import SettingsError

# Of the specification what is about registering a judge; the rest says how it is asked.
_OWN = ("calibrate", "replies")
_CALIBRATE = 200  # verdicts: each is paid for twice


@dataclass
class JudgeModel:
    """`replies`: the folder where replies are kept, so that nothing is paid twice; empty: as long as the model is held."""

    judge: ChatJudge
    calibration: Calibration
    replies: str = ""

    name: ClassVar[str] = "judge"
    # Raised whenever the same artefact would be asked otherwise.
    version: ClassVar[str] = "1"
    at_once: ClassVar[int] = 32

    @property
    def modalities(self) -> frozenset[str]:
        return self.judge.modalities

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
        """Fit scale and threshold of ties on at most `calibrate` of the verdicts, drawn by the seed."""
        check_verdicts(items, verdicts)
        if settings is None:
            raise SettingsError("url: is missing; a judge is registered by a specification (--spec FILE)")
        spec, calibrate, replies = _read(settings)
        try:
            judge = ChatJudge.from_spec(spec, _kept_in(replies))
        except SpecError as error:
            raise SettingsError(str(error)) from None
        made = cls(judge, Calibration(1.0, 1.0, 0, True), replies)
        some = np.sort(np.random.default_rng(seed).permutation(len(items))[:calibrate])
        values, without, _ = made.values([items[place] for place in some])
        known = [n for n in range(len(some)) if n not in without]
        if not known:
            raise NothingToLearn(
                f"The judge gave no verdict on any of {len(some)} items. Of the first: {without[0]}"
                if without
                else "There is nothing to calibrate a judge on."
            )
        made.calibration = Calibration.fit(values[known], np.asarray(verdicts)[some[known]], seen=False)
        return made

    def score(self, items: Sequence[Compared], *, cache: FeatureCache) -> Scored:
        values, without, reasons = self.values(items)
        scored = self.calibration.scored(values, None).leaving_out(without)
        return replace(scored, reasons=reasons)

    def values(self, items: Sequence[Compared]) -> tuple[Floats, dict[int, str], dict[int, Reasoned]]:
        """Means of the verdicts in both orders (n,), the places that have none, with why, and what was said.

        Raises:
            UnfitArtefact: the judge answers nothing.
        """
        ties = self.judge.spec.ties != "without"
        said: dict[tuple[int, bool], Opinion] = {}
        pool = ThreadPoolExecutor(self.judge.spec.concurrency)
        try:
            asked = {
                pool.submit(self.judge.judge, item.swapped() if turned else item, ties=ties): (place, turned)
                for place, item in enumerate(items)
                for turned in (False, True)
            }
            for done, future in enumerate(as_completed(asked), start=1):
                said[asked[future]] = future.result()
                progress.tell(done, len(asked), "asking the judge")
        except JudgeBroken as error:
            raise UnfitArtefact(str(error)) from error
        finally:
            # Whoever was interrupted waits for what was sent already, and for no more.
            pool.shutdown(cancel_futures=True)
        values, without, reasons = np.zeros(len(items)), dict[int, str](), dict[int, Reasoned]()
        for place in range(len(items)):
            forward, backward = said[place, False], said[place, True]
            reasoned = self._reasoned(forward, backward)
            verdicts = [one for one in (reasoned.forward, reasoned.backward) if one is not None]
            if verdicts:
                values[place] = sum(verdicts) / len(verdicts)
                reasons[place] = reasoned
            else:
                without[place] = _why(forward)
        return values, without, reasons

    def _reasoned(self, forward: Opinion, backward: Opinion) -> Reasoned:
        return Reasoned(
            forward=forward.verdict,
            backward=None if backward.verdict is None else -backward.verdict,
            forward_text=forward.rationale,
            backward_text=backward.rationale,
            replies=forward.replies + backward.replies,
            cost=self.judge.spec.cost(
                forward.tokens_in + backward.tokens_in, forward.tokens_out + backward.tokens_out
            ),
        )

    def save(self, path: Path) -> None:
        """The words that it is asked in are kept with it: a template's file may change."""
        words = self.judge.words
        told = {name: value for name, value in asdict(self.judge.spec).items() if value is not None}
        served.save(
            path,
            self.name,
            self.version,
            {
                "settings": told | {"template": ""},
                "words": [words.name, words.system],
                "replies": self.replies,
                "scale": self.calibration.scale,
                "threshold": self.calibration.threshold,
                "labels": self.calibration.labels,
            },
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        config = served.load(path, cls.name, cls.version)
        try:
            spec = JudgeSpec.from_json(config["settings"])
            judge = ChatJudge.from_spec(spec, _kept_in(config["replies"]), words=Template(*config["words"]))
        except SpecError as error:
            raise UnfitArtefact(f"{path}: {error}") from error
        calibration = Calibration(config["scale"], config["threshold"], config["labels"], False)
        return cls(judge, calibration, config["replies"])


def _read(settings: Mapping[str, Any]) -> tuple[JudgeSpec, int, str]:
    """
    Raises:
        SettingsError: naming the field.
    """
    calibrate, replies = settings.get("calibrate", _CALIBRATE), settings.get("replies", "")
    if isinstance(calibrate, bool) or not isinstance(calibrate, int) or calibrate < 1:
        raise SettingsError(f"calibrate: is {calibrate!r:.60}; must be a whole number of at least 1")
    if not isinstance(replies, str):
        raise SettingsError(f"replies: is {replies!r:.60}; must be a folder")
    try:
        spec = JudgeSpec.from_json({name: value for name, value in settings.items() if name not in _OWN})
    except SpecError as error:
        raise SettingsError(str(error)) from None
    if spec.orders != "both":
        raise SettingsError("orders: a registered judge is asked in both: leave it out")
    return spec, calibrate, replies


def _kept_in(replies: str) -> ReplyCache:
    return DirectoryReplies(Path(replies)) if replies else MemoryReplies()


def _why(opinion: Opinion) -> str:
    """Why there is no verdict; what differs from item to item is left out of the reason where it is counted by it."""
    if opinion.without == Without.UNREADABLE:
        return f"its reply could not be read: {opinion.detail}"[:300]
    return opinion.detail[:300]
