"""SIGKILL at any instruction of refit, scoring and drawing: the loop goes on, no draw is doubled, no file is left.

KILLS in the environment sets how many (more for a thorough run).
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage

from annotate.actions.judging import Answer, submit
from annotate.actions.queue import claim_next
from annotate.integrity import violations
from annotate.models import Claim, Draw, Job, JobKind, JobState, Partition, Project, Revision, Route, Score
from tests.learning.working import work
from tests.learning.world import at_work, planted
from tests.paths import ROOT
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = int(os.environ.get("KILLS", "12"))


@contextmanager
def nursery(project: Project) -> Iterator[Callable[[], int]]:
    """Starts processes that work on the project's loop, and returns their ids; they are dead afterwards."""
    env = environ_on_test_database()
    command = [sys.executable, "-m", "tests.learning.working", str(project.pk)]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        started: list[int] = []

        def start() -> int:
            assert process.stdin and process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            started.append(int(process.stdout.readline()))
            return started[-1]

        try:
            yield start
        finally:
            process.kill()
            for pid in started:
                kill(pid)


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def judge_some(project: Project, served: list[Claim], count: int) -> None:
    """An annotator at work: what is claimed next is judged, whatever became of the worker."""
    annotator = project.annotators.get(pseudonym="busy")
    for _ in range(count):
        claim = claim_next(annotator=annotator, claim_id=uuid4())
        assert claim, "the queue ran dry"
        answers = [Answer(uuid4(), "a", comparison, strength=1) for comparison in claim.comparison_ids]
        submit(annotator=annotator, claim_id=claim.pk, answers=answers)
        served.append(claim)


@pytest.mark.timeout(170)
def test_killed_anywhere_the_loop_goes_on() -> None:
    chance, before = random.Random(11), artefacts()
    project = planted(open_pairs=240, refit_judgments=4, reserve_claim_share=0)
    at_work(project, pseudonym="busy")
    served: list[Claim] = []
    killed_at: list[str] = []
    with nursery(project) as start:
        for _ in range(KILLS):
            worker = start()
            time.sleep(chance.uniform(0, 1.0))
            judge_some(project, served, 4)
            time.sleep(chance.uniform(0, 0.5))
            kill(worker)
            held = Job.objects.filter(project=project, state=JobState.RUNNING).order_by("pk").first()
            killed_at.append(f"{held.kind}: {held.step}" if held else "-")
    assert any(place != "-" for place in killed_at), "no kill met a job: this killed nothing"
    print(killed_at)
    revisions = Revision.objects.filter(project=project).count()

    judge_some(project, served, 6)
    deadline = time.monotonic() + 60
    while not all_learned(project) or Revision.objects.filter(project=project).count() == revisions:
        assert time.monotonic() < deadline, "the loop does not go on"
        work(project.pk, 0.5)

    # Numbers without a gap, scores of the whole pool, once each, files of revisions and no others.
    numbers = list(
        Revision.objects.filter(project=project).order_by("number").values_list("number", flat=True)
    )
    assert numbers == list(range(1, len(numbers) + 1))
    newest = Revision.objects.filter(project=project).latest("number")
    assert newest.scored_at
    undrawn = project.pairs.filter(queued=False, partition=Partition.TRAIN).count()
    assert Score.objects.filter(revision=newest, comparison__pair__queued=False).count() == 2 * undrawn
    assert artefacts() - before == set(
        Revision.objects.filter(artefact__isnull=False).values_list("artefact", flat=True)
    )

    # Nothing is drawn twice; within an epoch the pool shrinks by one each draw; what was served came in that order.
    assert violations() == {}
    drawn = list(Draw.objects.filter(project=project, q__isnull=False, pool_size__gt=4).order_by("pk"))
    assert len({draw.pair_id for draw in drawn}) == len(drawn)
    for first, second in pairwise(drawn):
        if first.epoch == second.epoch:
            assert (second.pos, second.pool_size) == (first.pos + 1, (first.pool_size or 0) - 1)
    assert Draw.objects.filter(project=project, route=Route.POLICY).exists()
    assert [claim.draw_id for claim in served] == sorted(claim.draw_id for claim in served)
    assert Job.objects.filter(project=project, kind=JobKind.TRAIN).count() == len(numbers)


def all_learned(project: Project) -> bool:
    newest = Revision.objects.filter(project=project).order_by("number").last()
    unfinished = Job.objects.filter(project=project).exclude(state=JobState.DONE)
    return bool(newest and newest.scored_at and not unfinished.exists())


def artefacts() -> set[str]:
    root = Path(default_storage.path("models"))
    return {f"models/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}
