"""Training a reward model on a release, and what it says of the validation split."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Self

import numpy as np
from django.conf import settings as django_settings

from annotate.modalities.sandbox import MediaSandbox
from workers.evaluation.asking import Items
from workers.evaluation.benches import Bench
from workers.evaluation.calibration import Calibration, calibration
from workers.evaluation.renditions import Renditions
from workers.features import feature_cache
from workers.released.mix import Mix, mixed
from workers.released.rows import Release, Row
from workers.reward_models import rao_kupper
from workers.reward_models.base import Compared, NothingToLearn, RewardModel, Verdicts, backend
from workers.reward_models.evaluation import Accuracy, accuracy, blind
from workers.reward_models.large.looks import Told

LARGE = "transformers"  # the backend that watches while it learns
# A prompt by its words and by the digests of its media.
Prompt = tuple[str, tuple[str, ...]]


def prompt_of(item: Compared) -> Prompt:
    return item.prompt_text, tuple(medium.sha256.hex() for medium in item.prompt_media)


def _prompt_of(row: Row) -> Prompt:
    """Media of a release are named by the digest of what was uploaded; their own is another where they were cleaned."""
    pair = row.row.pair
    return "\n\n".join(said for _, said in pair.turns), tuple(PurePath(ref.path).stem for ref in pair.media)


@dataclass(frozen=True)
class Asked:
    """What a training from a release is asked for: the release, which of its rows, and the backend's own settings."""

    release: Path
    mix: Mix
    settings: dict[str, Any] | None

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Self | None:
        """From settings that name a `release` and may hold a `mix`; None from others.

        Raises:
            SettingsError: naming the field.
        """
        own = dict(values or {})
        release = own.pop("release", None)
        if release is None:
            return None
        return cls(Path(release), Mix.from_json(own.pop("mix", {})), own or None)


@dataclass(frozen=True)
class Lesson:
    """
    Attributes:
        rows, items, verdicts: what is trained on, a row as often as the mix says.
        watched_rows, watched, watched_verdicts: the release's validation split, which is never trained on.
        left_out: how many rows are in neither, by why.
    """

    rows: list[Row]
    items: list[Compared]
    verdicts: Verdicts
    watched_rows: list[Row]
    watched: list[Compared]
    watched_verdicts: Verdicts
    left_out: Mapping[str, int] = field(default_factory=dict)

    def trained(
        self,
        name: str,
        settings: Mapping[str, Any] | None,
        *,
        unseeing: bool = False,
        seed: int = 0,
        told: Told | None = None,
    ) -> RewardModel:
        """A model of the backend `name`. `unseeing`: it never sees a criterion.

        Raises:
            NothingToLearn, SettingsError, UnfitArtefact: as that backend.
        """
        items, watched = (blind(self.items), blind(self.watched)) if unseeing else (self.items, self.watched)
        cache = feature_cache()
        if name == LARGE:
            # Slow: never at the top of a module.
            from workers.reward_models.large.model import TransformersModel

            seen = (watched, self.watched_verdicts) if watched else None
            return TransformersModel.train(
                items, self.verdicts, cache=cache, seed=seed, settings=settings, watched=seen, told=told
            )
        return backend(name).train(items, self.verdicts, cache=cache, seed=seed, settings=settings)


@contextmanager
def lesson(
    release: Release, mix: Mix, *, kept_out: Set[Prompt] = frozenset(), seed: int = 0
) -> Iterator[Lesson]:
    """The release's rows as models see them. Media are opened while it is trained on, in the sandbox of this context.

    Args:
        kept_out: prompts that nothing may be learned of, since the model is tested on them.

    Raises:
        NothingToLearn: no row is left. SettingsError: the mix names what is not there.
    """
    left_out: Counter[str] = Counter()
    rows = mixed(release.train, mix, seed)
    kept = [row for row in rows if _prompt_of(row) not in kept_out]
    if len(kept) < len(rows):
        left_out["its prompt stands in the reserve that the model is tested on"] = len(rows) - len(kept)
    with ExitStack() as stack:
        sandbox = stack.enter_context(MediaSandbox())
        media = release.path / "train" / "media_data"
        every = [row.row for row in (*kept, *release.validation)]
        items = Items(
            Bench(release.project, media, every, release.digest),
            Renditions(django_settings.DATA_DIR / "renditions", sandbox),
        )
        stack.callback(items.close)
        trained = _shown(items, kept, left_out)
        if not trained:
            why = "; ".join(f"{count:,} rows: {reason}" for reason, count in left_out.items())
            raise NothingToLearn(f"No row of {release.path} is left to learn from. {why}.")
        watched = _shown(items, release.validation, left_out)
        yield Lesson(
            [row for row, _ in trained],
            [item for _, item in trained],
            _verdicts(trained),
            [row for row, _ in watched],
            [item for _, item in watched],
            _verdicts(watched),
            dict(left_out),
        )


def _shown(items: Items, rows: Sequence[Row], left_out: Counter[str]) -> list[tuple[Row, Compared]]:
    found = []
    for row in rows:
        item = items.item(row.row)
        if isinstance(item, str):
            left_out[item] += 1
        else:
            found.append((row, item))
    return found


def _verdicts(shown: list[tuple[Row, Compared]]) -> Verdicts:
    return np.array([row.row.label for row, _ in shown], dtype=np.int8)


@dataclass(frozen=True)
class Tested:
    """On the validation rows that the model can judge: how often it is right, in which order it is asked or not, and
    whether it is as sure as it is right. `without`: how many it cannot judge, by why."""

    accuracy: Accuracy
    longer: Accuracy
    calibration: Calibration
    log_loss: float
    without: Mapping[str, int]


def tested(model: RewardModel, found: Lesson) -> Tested | None:
    """None where there is no validation row that it can judge. Beside it: who takes the longer text, which costs nothing."""
    if not found.watched:
        return None
    scored = model.score(found.watched, cache=feature_cache())
    judged = [n for n in range(len(found.watched)) if n not in scored.without]
    if not judged:
        return None
    labels, margins = found.watched_verdicts[judged], scored.margin[judged]
    groups = [found.watched_rows[n].row.group for n in judged]
    lengths = np.array(
        [float(len(found.watched[n].first.text) - len(found.watched[n].second.text)) for n in judged]
    )
    seen, longer = accuracy(margins, labels, groups), accuracy(lengths, labels, groups)
    curve = calibration(rao_kupper.probabilities(margins, 0.0).first, labels)
    assert seen and longer and curve  # a release's rows are decided
    return Tested(
        seen,
        longer,
        curve,
        float(np.logaddexp(0, -labels * margins).mean()),
        dict(Counter(scored.without.values())),
    )
