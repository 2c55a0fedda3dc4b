"""The job that trains a reward model on a project's judgments, tests it on the reserve and keeps it as a revision."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import transaction
from django.utils import timezone

from annotate import media
from annotate.actions.jobs import Lease, Refused
from annotate.actions.learning import HeldOut, Learned, add_revision, start_scoring
from annotate.models import Partition
from annotate.stats.labels import Label, label_of
from annotate.tallies import Unit, judged_units
from workers import artefacts
from workers.features import feature_cache
from workers.items import compared
from workers.released import reward_model as released
from workers.released import rows
from workers.released.rows import ReleaseError
from workers.reward_models.base import Compared, NothingToLearn, RewardModel, UnfitArtefact, Verdicts, backend
from workers.reward_models.evaluation import accuracy, blind, gain
from workers.reward_models.settings import SettingsError

# What each verdict of a tally is for a model, in the order of stats.labels.USABLE.
_VERDICTS = (1, -1, 0)
DECIDED = {Label.RESPONSE1: 1, Label.RESPONSE2: -1}


def run(lease: Lease) -> None:
    """Train once. Killed before the revision is written it begins anew, with the features that it has computed."""
    spec = lease.job.spec
    if spec.get("revision"):
        return
    if folder := spec.get("folder"):
        media.remove_folder(folder)
    began = time.monotonic()
    lease.beat(step="reading judgments", total=1, place={"folder": ""})
    read_at = timezone.now()
    reserve = judged_units(lease.job.project, Partition.RESERVE)
    try:
        with _source(lease, reserve) as source:
            lease.beat(step=f"training on {source.judgments:,} judgments")
            model = source.train(False)
            lease.beat(step="testing on the reserve", finishing=True)
            held_out = _test(model, reserve, source)
            folder = artefacts.new_folder()
            lease.beat(step="keeping the model", place={"folder": folder}, finishing=True)
            artefact = artefacts.store(model, folder)
    except (NothingToLearn, SettingsError, UnfitArtefact, ReleaseError) as error:
        raise Refused(str(error)) from None
    learned = Learned(
        judgments=source.judgments,
        comparisons=source.comparisons,
        read_at=read_at,
        newest_judgment=source.newest,
        held_out=held_out,
        seconds=time.monotonic() - began,
    )
    with transaction.atomic():
        revision = add_revision(lease=lease, backend=spec["backend"], artefact=artefact, learned=learned)
        if not lease.by_hand:
            start_scoring(by=None, revision=revision)


@dataclass(frozen=True)
class _Source:
    """What is learned from; `train` gives a model, or one that never sees a criterion."""

    judgments: int
    comparisons: int
    newest: UUID
    train: Callable[[bool], RewardModel]


@contextmanager
def _source(lease: Lease, reserve: Sequence[Unit]) -> Iterator[_Source]:
    """The project's judgments, or the release that the job's settings name."""
    spec = lease.job.spec
    units = judged_units(lease.job.project, Partition.TRAIN)
    settings = spec.get("settings") or None
    if asked := released.Asked.of(settings):
        release = rows.read(asked.release)
        kept_out = {released.prompt_of(item) for item in _items(reserve)}
        # What was judged here until now counts as known: the loop trains anew when there is more.
        newest = max(unit.newest for unit in units)[1] if units else UUID(int=0)
        with released.lesson(release, asked.mix, kept_out=kept_out) as lesson:
            ids = {row.row.id for row in lesson.rows}
            yield _Source(
                len(lesson.rows),
                len(ids),
                newest,
                lambda unseeing: lesson.trained(spec["backend"], asked.settings, unseeing=unseeing),
            )
        return
    if not units:
        raise Refused(
            "Nothing to learn from: no pair of the train partition has a counted verdict yet that says which "
            "response is better, or that they are equal."
        )
    items, verdicts = examples(units)
    kind = backend(spec["backend"])

    def train(unseeing: bool) -> RewardModel:
        shown = blind(items) if unseeing else items
        return kind.train(shown, verdicts, cache=feature_cache(), settings=settings)

    yield _Source(len(verdicts), len(units), max(unit.newest for unit in units)[1], train)


def examples(units: Sequence[Unit]) -> tuple[list[Compared], Verdicts]:
    """One item a counted verdict: that two disagree is something to learn, too."""
    items: list[Compared] = []
    verdicts: list[int] = []
    for unit, item in zip(units, _items(units), strict=True):
        for count, verdict in zip(unit.counts, _VERDICTS, strict=True):
            items += [item] * count
            verdicts += [verdict] * count
    return items, np.array(verdicts, dtype=np.int8)


def _test(
    model: RewardModel,
    reserve: Sequence[Unit],
    source: _Source,
) -> HeldOut | None:
    """On decided labels of the reserve, beside what the same model says that never saw a criterion.

    What the model cannot judge is left out, and of the count.
    """
    decided = [(unit, DECIDED[label]) for unit in reserve if (label := label_of(unit.counts, 1)) in DECIDED]
    if not decided:
        return None
    asked = _items([unit for unit, _ in decided])
    cache = feature_cache()
    scored = model.score(asked, cache=cache)
    judged = [place for place in range(len(decided)) if place not in scored.without]
    if not judged:
        return None
    decided, asked = [decided[place] for place in judged], [asked[place] for place in judged]
    labels = np.array([label for _, label in decided], dtype=np.int8)
    groups = [unit.group for unit, _ in decided]
    margins = scored.margin[judged]
    blind_margins = source.train(True).score(blind(asked), cache=cache).margin
    seen, unseeing = accuracy(margins, labels, groups), accuracy(blind_margins, labels, groups)
    gained = gain(margins, blind_margins, labels, groups)
    assert seen and unseeing and gained
    return HeldOut(
        seen.n, seen.value, seen.low, seen.high, unseeing.value, gained.value, gained.low, gained.high
    )


def _items(units: Sequence[Unit]) -> list[Compared]:
    return compared([(unit.pair_id, unit.criterion_id) for unit in units])
