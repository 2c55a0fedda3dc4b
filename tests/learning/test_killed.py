"""SIGKILL at every named point of refit, scoring and drawing: the loop goes on, no draw is doubled, every q is what the
scores say of the pool that it was drawn from.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db.models import Q, Sum

from annotate.actions.judging import Answer, submit
from annotate.actions.learning import REVISIONS_KEPT
from annotate.actions.queue import claim_next, queue_depths
from annotate.integrity import violations
from annotate.learning import new_judgments, newest_revision
from annotate.models import Claim, Draw, Job, JobKind, JobState, Partition, Project, Revision, Route, Score
from tests.learning.working import POINTS, work_once
from tests.learning.world import at_work, planted
from tests.paths import ROOT
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def nursery(project: Project) -> Iterator[Callable[[str], int]]:
    """Lets a process work on the project's loop until it is killed at a point; returns how it ended."""
    command = [sys.executable, "-m", "tests.learning.working", str(project.pk)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ_on_test_database(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin and process.stdout

        def work_until(point: str) -> int:
            assert process.stdin and process.stdout
            process.stdin.write(f"{point}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        try:
            yield work_until
        finally:
            process.kill()


def judge_until_much_is_due(project: Project, served: list[Claim]) -> None:
    """An annotator at work, whatever became of the worker, until a refit is due and the queue half empty."""
    annotator = project.annotators.get(pseudonym="busy")
    done = 0
    while done < 3 or any(depth.ready * 2 >= depth.wanted for depth in queue_depths(project.pk)):
        claim = claim_next(annotator=annotator, claim_id=uuid4())
        assert claim, "the queue ran dry"
        answers = [Answer(uuid4(), "a", comparison, strength=1) for comparison in claim.comparison_ids]
        submit(annotator=annotator, claim_id=claim.pk, answers=answers)
        served.append(claim)
        done += 1


def chosen_as_the_scores_say(project: Project, newer_than: int) -> int:
    """Recomputes each q of draws by chance with larger ids; returns how many the sampler had drawn."""
    by_chance = Draw.objects.filter(project=project, route__in=(Route.UNIFORM, Route.POLICY))
    sampled = 0
    for epoch in sorted(set(by_chance.filter(pk__gt=newer_than).values_list("epoch", flat=True))):
        draws = list(by_chance.filter(epoch=epoch).order_by("pos"))
        if not any(draw.route == Route.POLICY for draw in draws):
            assert [draw.q for draw in draws] == [1 / (draw.pool_size or 0) for draw in draws]
            continue
        sampled += len(draws)
        revision = Revision.objects.filter(project=project, scored_at__lte=draws[0].created_at).latest(
            "number"
        )
        earlier = by_chance.filter(epoch__lt=epoch).values("pair")
        pool = project.pairs.filter(Q(queued=False) | Q(draws__in=by_chance), partition=Partition.TRAIN)
        scores = Score.objects.filter(
            revision=revision, comparison__pair__in=pool.exclude(pk__in=earlier).values("pk")
        )
        acquisition = dict(scores.values_list("comparison__pair").annotate(Sum("bald")))
        share, floor = project.uniform_share, 1e-6 * float(np.mean(list(acquisition.values())))
        # Where the stub finds nothing telling, all are alike.
        # By its square, which is how sharply PowerBALD prefers it.
        weights = {
            pair: max(float(value), floor) ** 2 if floor else 1.0 for pair, value in acquisition.items()
        }
        for draw in draws:
            assert draw.pool_size == len(weights)
            policy = weights[draw.pair_id] / sum(weights.values())
            assert draw.q == pytest.approx(share / len(weights) + (1 - share) * policy, rel=1e-6)
            del weights[draw.pair_id]
    return sampled


@pytest.mark.timeout(600)
def test_killed_at_every_point_the_loop_goes_on() -> None:
    before = artefacts()
    project = planted(open_pairs=60 + 32 * len(POINTS), refit_judgments=4, reserve_claim_share=0)
    at_work(project, pseudonym="busy")
    served: list[Claim] = []
    sampled = 0
    # As many as are kept, so that in each round another one is dropped.
    for _ in range(REVISIONS_KEPT):
        judge_until_much_is_due(project, served)
        goes_on(project)
    with nursery(project) as work_until:
        for point in POINTS:
            judge_until_much_is_due(project, served)
            newest = Draw.objects.latest("pk").pk
            assert work_until(point) == -signal.SIGKILL, f"nobody came to: {point}"
            assert violations() == {}, point
            goes_on(project)
            sampled += chosen_as_the_scores_say(project, newest)
    assert sampled > 10 * len(POINTS)

    # Numbers without a gap, scores of the whole pool, once each, files of revisions and no others.
    numbers = list(
        Revision.objects.filter(project=project).order_by("number").values_list("number", flat=True)
    )
    assert numbers == list(range(1, len(numbers) + 1))
    assert Job.objects.filter(project=project, kind=JobKind.TRAIN).count() == len(numbers)
    last = Revision.objects.filter(project=project).latest("number")
    assert last.scored_at
    undrawn = project.pairs.filter(queued=False, partition=Partition.TRAIN).count()
    assert undrawn > 20
    assert Score.objects.filter(revision=last, comparison__pair__queued=False).count() == 2 * undrawn
    assert artefacts() - before == set(
        Revision.objects.filter(artefact__isnull=False).values_list("artefact", flat=True)
    )

    # Nothing is drawn twice, and what was served came in the order that it was drawn in.
    assert violations() == {}
    drawn = list(Draw.objects.filter(project=project, q__isnull=False).values_list("pair", flat=True))
    assert len(set(drawn)) == len(drawn)
    places = [claim.draw_id or 0 for claim in served]
    assert places == sorted(places)


def goes_on(project: Project) -> None:
    """From whatever was left, all judgments that have come are learned from, and the newest revision scores the pool."""
    deadline = time.monotonic() + 120
    while not all_learned(project):
        assert time.monotonic() < deadline, "the loop does not go on"
        work_once(project.pk)


def all_learned(project: Project) -> bool:
    newest = newest_revision(project)
    unfinished = Job.objects.filter(project=project).exclude(state=JobState.DONE)
    return bool(
        newest
        and newest.scored_at
        and new_judgments(project, newest.read_at) < project.refit_judgments
        and not unfinished.exists()
    )


def artefacts() -> set[str]:
    root = Path(default_storage.path("models"))
    return {f"models/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}
