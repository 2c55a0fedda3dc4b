"""Moderators among themselves, and moderators against annotators who write and judge at the same time."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connections

from annotate.actions import moderation, queue
from annotate.actions.jobs import run_job
from annotate.actions.judging import Answer, Invalid, submit
from annotate.actions.queue import Conflict
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    Criterion,
    Job,
    JobKind,
    Judgment,
    Partition,
    Project,
)
from annotate.tallies import judged_units
from tests.factories import make_annotator, make_comparison, make_criterion, make_pair, make_project

pytestmark = pytest.mark.django_db(transaction=True)
TEXTS = ("It is short.", "It is brief.", "It is kind.")


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each came to, all begun at the same moment."""
    start = threading.Barrier(len(works))

    def one(work: Callable[[], Any]) -> Any:
        try:
            start.wait()
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(one, works))


def test_of_many_moderators_one_decides() -> None:
    criterion = make_criterion(make_project(), state="proposed", in_library=False)

    def decide(number: int) -> str:
        try:
            if number % 2:
                moderation.accept_criterion(by=None, criterion=criterion, version=0)
            else:
                moderation.reject_criterion(by=None, criterion=criterion, version=0, reason="No.")
        except Conflict as error:
            return error.code
        return "done"

    for _ in range(5):
        version = Criterion.objects.get().version
        said = at_once([partial(decide, n) for n in range(6)])
        assert sorted(said) == ["decided"] * 5 + ["done"]
        Criterion.objects.update(state="proposed", version=0, reason="")
        assert version == 0
    assert AuditEntry.objects.count() == 5


def settled() -> None:
    """What a worker does about pairs that somebody held when it was decided."""
    for job in Job.objects.filter(kind=JobKind.SETTLE, state="queued"):
        run_job(job.pk, by_hand=True)


def _annotate(project: Project, seed: int, log: list[str]) -> None:
    """Judge and write until there is nothing left, or long enough."""
    rng = random.Random(seed)
    annotator = Annotator.objects.select_related("project").get(pk=make_annotator(project).pk)
    for _ in range(25):
        claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
        if claim is None:
            return
        answers = [
            Answer(id=uuid4(), comparison=pk, verdict=rng.choice(["a", "b"]), strength=2)
            for pk in claim.comparison_ids
        ]
        written = [Answer(id=uuid4(), criterion=rng.choice(TEXTS), verdict="a", strength=1)]
        try:
            submit(annotator=annotator, claim_id=claim.pk, answers=answers + written * (rng.random() < 0.6))
        except (Invalid, Conflict):  # rejected meanwhile, or judged already as what was offered
            submit(annotator=annotator, claim_id=claim.pk, answers=answers)
        log.extend(str(answer.id) for answer in answers)


def _moderate(project: Project, seed: int) -> None:
    """Decide this and that about what is written, without looking."""
    rng = random.Random(seed)
    for _ in range(40):
        rows = list(Criterion.objects.filter(project=project))
        one, other = rng.choice(rows), rng.choice(rows)
        deed = rng.choice(["accept", "promote", "reject", "retire", "merge", "unmerge", "undo", "accept"])
        try:
            moderation.decide_criteria(
                by=None,
                project=project,
                deed=deed,
                chosen=[moderation.Chosen(one.pk, one.version)],
                reason="No.",
                into=other.pk,
            )
        except ValidationError:
            continue


@pytest.mark.timeout(600)
def test_decisions_among_judgments_leave_nothing_unasked_and_nothing_lost() -> None:
    project = make_project(
        authored_sharing="review", reserve_share=0, validation_share=0, authored_k=3, claims_in_hand=4
    )
    for _ in range(12):
        make_comparison(make_pair(project), "Which is better?", k=3)
    for text in TEXTS[:2]:
        make_criterion(project, text, state="proposed", in_library=False)
    log: list[str] = []
    at_once(
        [partial(_annotate, project, n, log) for n in range(5)]
        + [partial(_moderate, project, 100 + n) for n in range(2)]
    )
    settled()
    assert violations() == {}
    stored = {str(pk) for pk in Judgment.objects.values_list("pk", flat=True)}
    assert set(log) <= stored
    # What is left is accepted and asked: it comes to everybody who has not had it.
    for criterion in Criterion.objects.filter(project=project, canonical__isnull=True).exclude(
        state="accepted"
    ):
        moderation.accept_criterion(by=None, criterion=criterion)
    assert violations() == {}
    for n in range(6):
        _annotate(project, 50 + n, log)
        Claim.objects.filter(closed_at__isnull=True).update(expires_at="2000-01-01T00:00:00Z")
        queue.expire_claims()
    assert violations() == {}
    # However often merged and unmerged: of each pair and canonical criterion an annotator counts once.
    for unit in judged_units(project, Partition.TRAIN):
        people = Judgment.objects.filter(comparison__pair=unit.pair_id).values("annotator").distinct().count()
        assert sum(unit.counts) <= people
