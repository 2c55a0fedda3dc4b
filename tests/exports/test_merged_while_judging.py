"""Criteria merged and unmerged while people judge by both, and releases frozen meanwhile: each is one moment's truth."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from annotate.actions import moderation, queue
from annotate.actions.jobs import run_job
from annotate.actions.judging import Answer, submit
from annotate.exports.freeze import freeze
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    Criterion,
    FrozenComparison,
    FrozenJudgment,
    Job,
    JobKind,
    Judgment,
    Partition,
    Project,
    Release,
    Standing,
)
from tests.exports.test_release import bench_rows, export, judgments
from tests.factories import make_annotator, make_comparison, make_criterion, make_pair, make_project

pytestmark = pytest.mark.django_db(transaction=True)
PAIRS = 15


def judge_all(annotator_id: int, seed: int) -> None:
    rng = random.Random(seed)
    annotator = Annotator.objects.select_related("project").get(pk=annotator_id)
    for _ in range(4 * PAIRS):
        claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
        if claim is None:
            return
        answers = [
            Answer(id=uuid4(), comparison=pk, verdict=rng.choice(["a", "b"]), strength=2)
            for pk in claim.comparison_ids
        ]
        submit(annotator=annotator, claim_id=claim.pk, answers=answers)


def freeze_now(project: Project) -> Release:
    job = Job.objects.create(kind=JobKind.RELEASE, project=project, state="done")
    recipe = {"sources": None, "min_labels": dict.fromkeys(Partition.values, 1)}
    release = Release.objects.create(project=project, job=job, recipe=recipe, pseudonym_key="00")
    freeze(release)
    return release


def hold_true(release: Release) -> int:
    """Of each pair and criterion an annotator counts once, and no judgment stands in two places. How many units."""
    frozen = FrozenJudgment.objects.filter(comparison__release=release)
    stood = list(frozen.values_list("judgment_id", flat=True))
    assert len(stood) == len(set(stood))
    counted = frozen.filter(standing=Standing.COUNTED)
    who = list(counted.values_list("comparison_id", "judgment__annotator_id"))
    assert len(who) == len(set(who))
    # A twin is one whose annotator counts in the same unit by another judgment.
    for unit, annotator in frozen.filter(standing=Standing.TWIN).values_list(
        "comparison_id", "judgment__annotator_id"
    ):
        assert (unit, annotator) in who
    return FrozenComparison.objects.filter(release=release).count()


@pytest.mark.timeout(600)
def test_releases_frozen_meanwhile_are_each_one_moments_truth(tmp_path: Path) -> None:
    project = make_project(reserve_k=3, authored_k=3, claims_in_hand=4)
    canonical, duplicate = make_criterion(project, "It is short."), make_criterion(project, "It is brief.")
    for _ in range(PAIRS):
        pair = make_pair(project, partition=Partition.RESERVE)
        for criterion in (canonical, duplicate):
            make_comparison(pair, criterion, k=3)
    people = [make_annotator(project).pk for _ in range(4)]
    ended = threading.Event()
    units: list[int] = []

    def judging() -> None:
        with ThreadPoolExecutor(len(people)) as threads:
            list(threads.map(closing(judge_all), people, range(len(people))))
        ended.set()

    def closing(work: Any) -> Any:
        def closed(*args: Any) -> Any:
            try:
                return work(*args)
            finally:
                connections.close_all()

        return closed

    def merging() -> None:
        merged = False
        while not ended.is_set() or not merged:  # it ends merged
            row = Criterion.objects.get(pk=duplicate.pk)
            if merged:
                moderation.unmerge_criterion(by=None, duplicate=row, version=row.version)
            else:
                moderation.merge_criteria(by=None, duplicate=row, into=canonical, version=row.version)
            merged = not merged
            units.append(hold_true(freeze_now(project)))

    working = [threading.Thread(target=closing(work)) for work in (judging, merging)]
    for one in working:
        one.start()
    for one in working:
        one.join()
    for job in Job.objects.filter(kind=JobKind.SETTLE, state="queued"):
        run_job(job.pk, by_hand=True)
    assert violations() == {}
    assert set(units) == {PAIRS, 2 * PAIRS}, "merged they are one row, unmerged two"

    # What is left is asked by the canonical one alone, and the release says so to the end.
    for annotator in people:
        judge_all(annotator, 99)
    out = tmp_path / "out"
    export(project, out, "--min-labels", "1")
    assert {row["criteria"] for row in bench_rows(out)} == {"It is short."}
    found = judgments(out)
    assert len(found) == Judgment.objects.count()
    counted = [(row["pair"], row["annotator"]) for row in found if row["standing"] == "counted"]
    assert len(counted) == len(set(counted))
    by = {
        (row["pair"], row["annotator"]): row["criterion_shown"] for row in found if row["standing"] == "twin"
    }
    assert set(by.values()) <= {"It is brief."}, "who judged by both counts by the canonical one"
    # Unmerged after the freeze, what was frozen stays as it was.
    last = freeze_now(project)
    before = hold_true(last)
    moderation.unmerge_criterion(by=None, duplicate=Criterion.objects.get(pk=duplicate.pk))
    assert hold_true(last) == before == PAIRS
    assert hold_true(freeze_now(project)) == 2 * PAIRS
