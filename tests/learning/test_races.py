"""Several who draw, fill and claim at once, on PostgreSQL: no pair twice, no draw without its own pool."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db import connections

from annotate.actions.learning import add_scores, start_training
from annotate.actions.queue import append_epoch, claim_next, fill_queue
from annotate.integrity import violations
from annotate.learning import freeze_pool
from annotate.models import Draw, Job, Score
from tests.learning.world import at_work, learn, planted
from workers import loop

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """Do all of them in threads that start together; what they return, or raise."""
    barrier = threading.Barrier(len(deeds))

    def do(deed: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return deed()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(do, deeds))


def test_two_epochs_at_once_draw_no_pair_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both choose from the same pool before either has written: the second sees it and has nothing left to do."""
    project = planted(open_pairs=60, reserve_claim_share=0)
    learn(project)
    at_work(project)
    choose, both = loop.choose, threading.Barrier(2)
    tries: list[int] = []

    def together(*args: Any) -> Any:
        tries.append(1)
        if len(tries) <= 2:
            both.wait(20)
        return choose(*args)

    monkeypatch.setattr(loop, "choose", together)
    assert sorted(at_once(lambda: loop.draw(project), lambda: loop.draw(project))) == [0, 20]
    drawn = list(Draw.objects.filter(project=project, open=True).order_by("pk"))
    assert len(drawn) == len({draw.pair_id for draw in drawn}) == 20
    assert [draw.pool_size for draw in drawn] == list(range(60, 40, -1))
    assert violations() == {}


def test_epochs_fillers_and_annotators_at_once() -> None:
    project = planted(open_pairs=120, reserve=2, claims_in_hand=40)
    revision = learn(project)
    annotators = [at_work(project) for _ in range(3)]
    before_all = max(Draw.objects.values_list("pk", flat=True), default=0)

    def draw() -> int:
        return sum(loop.draw(project) for _ in range(15))

    def fill() -> int:
        return sum(fill_queue(project.pk, 2) for _ in range(10))

    def epoch() -> int:
        appended = 0
        for _ in range(10):
            pool = freeze_pool(revision)
            chosen = loop.choose(pool, 3, 0.5, np.random.default_rng())
            try:
                appended += append_epoch(project.pk, want=3, drawn=pool.drawn, chosen=chosen)
            except loop.PoolChanged:
                continue
        return appended

    def claim(annotator: Any) -> Callable[[], int]:
        return lambda: sum(claim_next(annotator=annotator, claim_id=uuid4()) is not None for _ in range(15))

    done = at_once(draw, draw, fill, epoch, *map(claim, annotators))
    assert done[-3:] == [15, 15, 15]
    # Closed ones too: where all three hold a pair, nothing of it is left to be asked.
    by_chance = Draw.objects.filter(project=project, pk__gt=before_all, q__isnull=False).order_by("pk")
    assert by_chance.count() == by_chance.values("pair").distinct().count() >= sum(done[:4]) - 2
    for before, after in pairwise(by_chance):
        # One epoch after another: each begins with what those before it have left.
        assert (before.pool_size or 0) > (after.pool_size or 0)
    assert violations() == {}


def test_refit_asked_for_at_once_is_one_job() -> None:
    project = planted(judged=1)
    jobs = at_once(*[lambda: start_training(by=None, project=project).pk] * 6)
    assert len(set(jobs)) == 1 == Job.objects.count()


def test_scores_written_twice_at_once_stand_once() -> None:
    project = planted(open_pairs=30)
    revision = learn(project)
    rows = list(Score.objects.order_by("comparison").values_list("comparison_id", flat=True))
    Score.objects.all().delete()
    zeros = [0.0] * len(rows)
    written = at_once(*[lambda: add_scores(revision, rows, zeros, zeros, zeros, zeros)] * 4)
    assert sum(written) == len(rows) == Score.objects.count()
