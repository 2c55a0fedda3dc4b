"""The beat of the loop: when it trains, what follows, and that the queue is never empty for want of it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from annotate.actions import queue
from annotate.actions.jobs import Refused, run_job
from annotate.actions.learning import start_scoring
from annotate.actions.queue import claim_next
from annotate.integrity import violations
from annotate.models import (
    Draw,
    Job,
    JobKind,
    JobState,
    Project,
    ProjectState,
    Revision,
    RevisionState,
    Route,
    Sampling,
    Score,
    Verdict,
)
from tests.factories import judge, make_annotator, make_comparison, make_pair
from tests.learning.stub import StubModel
from tests.learning.world import LONG, at_work, learn, planted
from workers import artefacts, loop

pytestmark = pytest.mark.django_db


def unfinished(project: Project) -> list[str]:
    jobs = Job.objects.filter(project=project, state__in=[JobState.QUEUED, JobState.RUNNING])
    return list(jobs.order_by("pk").values_list("kind", flat=True))


def work_off(project: Project) -> None:
    """What a worker does with what is queued."""
    while job := Job.objects.filter(project=project, state=JobState.QUEUED).order_by("pk").first():
        run_job(job.pk)


class Clock:
    """The time by which the loop decides what is due."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        return timezone.now() + self.passed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loop, "timezone", clock)
    return clock


def judge_new(project: Project, count: int) -> None:
    someone = make_annotator(project, judged_pairs=count)
    for _ in range(count):
        pair = make_pair(project, queued=True)
        project.streams.filter(partition="train").update(
            queued=project.pairs.filter(partition="train", queued=True).count()
        )
        judge(make_comparison(pair, LONG, k=1), Verdict.RESPONSE1, someone)
        Draw.objects.filter(pair=pair).update(open=False)


def test_judgments_are_learned_from_scored_by_and_drawn_by() -> None:
    project = planted()
    at_work(project)
    loop.tick()
    assert unfinished(project) == ["train"]
    loop.tick()
    assert unfinished(project) == ["train"]  # one at a time
    work_off(project)
    revision = Revision.objects.get(project=project)
    assert revision.scored_at and Score.objects.filter(revision=revision).count() == 80
    policy = Draw.objects.filter(project=project, route=Route.POLICY).count()
    assert policy > 0
    loop.tick()
    assert unfinished(project) == []
    assert violations() == {}


def test_refit_after_enough_judgments_or_enough_time(clock: Clock) -> None:
    project = planted(refit_judgments=5, refit_seconds=300)
    learn(project)
    clock.passed = timedelta(seconds=400)
    loop.tick()
    assert unfinished(project) == []  # nothing new
    clock.passed = timedelta(seconds=200)
    judge_new(project, 4)
    loop.tick()
    assert unfinished(project) == []  # too few, too early
    clock.passed = timedelta(seconds=400)
    loop.tick()
    assert unfinished(project) == ["train"]
    work_off(project)
    clock.passed = timedelta()
    judge_new(project, 5)
    loop.tick()
    assert unfinished(project) == ["train"]
    work_off(project)
    assert list(Revision.objects.order_by("number").values_list("judgments", flat=True)) == [12, 16, 21]


@pytest.mark.parametrize("fields", [{"sampling": Sampling.UNIFORM}, {"state": ProjectState.PAUSED}])
def test_loop_rests(fields: dict[str, Any]) -> None:
    project = planted(**fields)
    at_work(project)
    loop.tick()
    assert not Job.objects.exists() and not Draw.objects.filter(open=True).exists()


def test_frozen_model_is_sampled_by_and_not_trained_again() -> None:
    project = planted()
    learn(project)
    Project.objects.update(sampling=Sampling.FROZEN)
    judge_new(project, 20)
    at_work(project)
    loop.tick()
    assert unfinished(project) == []
    assert Draw.objects.filter(route=Route.POLICY).exists()


def test_training_that_fails_is_tried_again_with_something_new(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = planted(refit_seconds=300)

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("tests.learning.stub.StubModel.train", fails)
    loop.tick()
    work_off(project)
    assert Job.objects.get().state == JobState.FAILED
    clock.passed = timedelta(seconds=301)
    loop.tick()
    assert unfinished(project) == []
    judge_new(project, 1)
    loop.tick()
    assert unfinished(project) == ["train"]


def test_labels_of_the_reserve_alone_are_nothing_to_train_on() -> None:
    planted(judged=0, open_pairs=0)
    loop.tick()
    assert not Job.objects.exists()


def test_one_project_that_stumbles_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = planted(), planted()
    tend = loop.tend

    def stumbles(project: Project) -> None:
        if project == first:
            raise RuntimeError("this one")
        tend(project)

    monkeypatch.setattr(loop, "tend", stumbles)
    loop.tick()
    assert unfinished(second) == ["train"]


def another_model(path: Path) -> None:
    """A file that loads, and is not the one that was stored."""
    StubModel(3).save(path)


def no_model(path: Path) -> None:
    """Noise, stored as such: a digest that fits makes no model of it."""
    path.write_bytes(b"not a model")
    Revision.objects.update(artefact_sha256=sha256(b"not a model").digest())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (another_model, r"is not the one that was stored: .* Put the stored file back, or refit"),
        (no_model, "not a saved reward model"),
    ],
)
def test_spoilt_model_file_leaves_the_queue_full_and_is_replaced(
    spoil: Callable[[Path], None], said: str
) -> None:
    project = planted(open_pairs=100)
    revision = learn(project)
    assert revision.artefact
    spoil(Path(default_storage.path(revision.artefact)))
    Score.objects.all().delete()  # as if it had never scored
    Revision.objects.update(scored_at=None)
    annotator = at_work(project, user=None)
    Project.objects.update(claims_in_hand=40)
    loop.tick()
    assert unfinished(project) == ["score"]
    work_off(project)
    revision.refresh_from_db()
    assert revision.state == RevisionState.BROKEN and re.search(said, revision.problem)
    failed = Job.objects.filter(kind=JobKind.SCORE, state=JobState.FAILED).get()
    assert "cannot be used" in failed.error

    queue.top_up_queues()
    assert Draw.objects.filter(route__in=[Route.UNIFORM, Route.RESERVE], open=True).count() == 20
    for _ in range(30):
        assert claim_next(annotator=annotator, claim_id=uuid4())
    # The judgments that the broken one had learned from are new again to whoever comes next.
    loop.tick()
    assert unfinished(project) == ["train"]
    work_off(project)
    newest = Revision.objects.get(number=2)
    assert newest.state == RevisionState.READY and newest.scored_at


def test_missing_model_file_is_said() -> None:
    project = planted()
    revision = learn(project)
    assert revision.artefact
    default_storage.delete(revision.artefact)
    Revision.objects.update(scored_at=None)
    loop.tick()
    work_off(project)
    revision.refresh_from_db()
    assert "is not in storage" in revision.problem


def test_chance_goes_second_but_never_lets_the_queue_run_dry() -> None:
    project = planted(open_pairs=100)
    learn(project)
    at_work(project)
    # The sampler is late: the queue is kept from being empty, no more.
    assert queue.top_up_queues() == 5
    assert queue.top_up_queues() == 0
    assert loop.draw(project) == 15
    assert queue.top_up_queues() == 0
    Project.objects.update(sampling=Sampling.UNIFORM)
    Draw.objects.update(open=False)
    assert queue.top_up_queues() == 20


def test_without_any_worker_the_next_pair_still_comes() -> None:
    project = planted(open_pairs=50, claims_in_hand=40)
    learn(project)
    annotator = make_annotator(project)
    for _ in range(40):
        assert claim_next(annotator=annotator, claim_id=uuid4())
    assert set(Draw.objects.filter(open=True).values_list("route", flat=True)) <= {"uniform", "reserve"}


def test_used_up_pool_leaves_the_rest_to_chance() -> None:
    project = planted(open_pairs=3, reserve=0)
    learn(project)
    annotator = at_work(project)
    assert loop.draw(project) == 3
    assert loop.draw(project) == 0
    for _ in range(2):
        assert claim_next(annotator=annotator, claim_id=uuid4())
    assert violations() == {}


def test_scores_of_long_past_revisions_go_unless_they_are_kept() -> None:
    project = planted(open_pairs=5)
    learn(project)
    Revision.objects.update(kept=True)
    for _ in range(4):
        learn(project)
    assert sorted(set(Score.objects.values_list("revision__number", flat=True))) == [1, 3, 4, 5]
    assert list(Revision.objects.filter(scored_at=None).values_list("number", "state")) == [(2, "dropped")]


def test_files_of_dropped_revisions_go_also_after_a_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    project = planted(open_pairs=5)
    keys = []
    for number in range(1, 6):
        if number == 4:
            with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                patch.setattr(artefacts.media, "remove_folder", Mock(side_effect=KeyboardInterrupt))
                learn(project)
        else:
            learn(project)
        keys.append(Revision.objects.latest("number").artefact or "none")
    assert [default_storage.exists(key) for key in keys] == [False, False, True, True, True]
    left = Revision.objects.filter(artefact__isnull=False).order_by("number")
    assert list(left.values_list("number", "state")) == [(n, "ready") for n in (3, 4, 5)]
    dropped = Revision.objects.get(number=1)
    assert dropped.accuracy == 1.0
    with pytest.raises(Refused, match="removed when newer revisions had come"):
        run_job(start_scoring(by=None, revision=dropped, send_it=False).pk, by_hand=True)
