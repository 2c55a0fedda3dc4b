"""The job that trains a reward model on a project's judgments, tests it on the reserve and keeps it as a revision."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction

from annotate import media
from annotate.actions.jobs import Lease, Refused, in_own_process
from annotate.actions.learning import HeldOut, Learned, add_revision, take_up
from annotate.curves import KEY as CURVES
from annotate.curves import Curves
from annotate.models import Partition
from annotate.stats.labels import Label, label_of
from annotate.tallies import Unit, judged_units
from workers import artefacts, label_cut
from workers.features import feature_cache
from workers.items import compared
from workers.released import reward_model as released
from workers.released import rows
from workers.released.rows import ReleaseError
from workers.reward_models.base import Compared, NothingToLearn, RewardModel, UnfitArtefact, Verdicts, backend
from workers.reward_models.evaluation import accuracy, blind, gain
from workers.reward_models.progress import Listener, heard_by
from workers.reward_models.settings import SettingsError

# What each verdict of a tally is for a model, in the order of stats.labels.USABLE.
_VERDICTS = (1, -1, 0)
DECIDED = {Label.RESPONSE1: 1, Label.RESPONSE2: -1}


def run(lease: Lease) -> None:
    """Train once. Killed before the revision is written it begins anew, with the features that it has computed."""
    spec = lease.job.spec
    if spec.get("revision"):
        rmtree(_checkpoints(lease), ignore_errors=True)
        return
    if folder := spec.get("folder"):
        media.remove_folder(folder)
    began = time.monotonic()
    lease.beat(step="reading judgments", total=1, place={"folder": ""})
    reserve = judged_units(lease.job.project, Partition.RESERVE)
    try:
        with _source(lease, reserve) as source:
            lease.beat(step=f"training on {source.judgments:,} judgments")
            with heard_by(_beating(lease, Curves(spec.get(CURVES)))):
                model = source.train(False)
            lease.beat(step="testing on the reserve", finishing=True)
            with heard_by(_beating(lease)):
                held_out = _test(model, reserve, source)
            folder = artefacts.new_folder()
            lease.beat(step="keeping the model", place={"folder": folder}, finishing=True)
            artefact = artefacts.store(model, folder)
    except (NothingToLearn, SettingsError, UnfitArtefact, ReleaseError) as error:
        raise Refused(str(error)) from None
    learned = Learned(
        judgments=source.judgments,
        comparisons=source.comparisons,
        read_at=source.read_at,
        newest_judgment=source.newest,
        held_out=held_out,
        seconds=time.monotonic() - began,
    )
    with transaction.atomic():
        revision = add_revision(lease=lease, backend=spec["backend"], artefact=artefact, learned=learned)
        if not lease.by_hand:
            take_up(revision)
    rmtree(_checkpoints(lease), ignore_errors=True)


# What backends keep while they work, so that whoever is interrupted goes on: in DATA_DIR, where nothing else is said.
_KEPT = {"transformers": "checkpoints", "judge": "replies"}
_EVERY = 1.0  # seconds between two beats of a training


def _with_folders(lease: Lease) -> dict[str, Any] | None:
    """The backend's settings; without any there are none."""
    given = lease.job.spec.get("settings") or None
    name = _KEPT.get(lease.job.spec["backend"])
    if given is None or name is None or given.get(name):
        return given
    folder = _checkpoints(lease) if name == "checkpoints" else settings.DATA_DIR / name
    return given | {name: str(folder)}


def _checkpoints(lease: Lease) -> Path:
    """Of this training alone: they go when it has become a revision."""
    return Path(settings.DATA_DIR) / "checkpoints" / f"job-{lease.job.pk}"


def _beating(lease: Lease, curves: Curves | None = None) -> Listener:
    """Notes on the job's row how far a model says that it is, and its curves, and ends it where the job was cancelled."""
    last = -_EVERY

    def told(done: int, total: int, step: str, figures: Mapping[str, float]) -> None:
        nonlocal last
        now = time.monotonic()
        if curves is not None and figures:
            curves.add(done, total, figures)
        if done == total or now - last >= _EVERY:
            last = now
            place = {CURVES: curves.as_json()} if curves else None
            lease.beat(done=done, total=total, step=step, place=place, finishing=True)

    return told


@dataclass(frozen=True)
class _Source:
    """What is learned from, and when it was read; `train` gives a model, or one that never sees a criterion."""

    judgments: int
    comparisons: int
    read_at: datetime
    newest: UUID
    train: Callable[[bool], RewardModel]


@contextmanager
def _source(lease: Lease, reserve: Sequence[Unit]) -> Iterator[_Source]:
    """The project's judgments, or the release that the job's settings name."""
    spec = lease.job.spec
    try:
        kind = backend(spec["backend"])
    except LookupError as error:
        raise Refused(str(error)) from None
    kept_at = _checkpoints(lease) if in_own_process(lease.job) else None
    read_at, units = label_cut.read(lease.job.project, kept_at)
    spec_settings = _with_folders(lease)
    if asked := released.Asked.of(spec_settings):
        release = rows.read(asked.release)
        kept_out = {released.prompt_of(item) for item in _items(reserve)}
        # What was judged here until now counts as known: the loop trains anew when there is more.
        newest = max(unit.newest for unit in units)[1] if units else UUID(int=0)
        with released.lesson(release, asked.mix, kept_out=kept_out) as lesson:
            ids = {row.row.id for row in lesson.rows}
            yield _Source(
                len(lesson.rows),
                len(ids),
                read_at,
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

    def train(unseeing: bool) -> RewardModel:
        shown = blind(items) if unseeing else items
        return kind.train(shown, verdicts, cache=feature_cache(), settings=spec_settings)

    yield _Source(len(verdicts), len(units), read_at, max(unit.newest for unit in units)[1], train)


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
