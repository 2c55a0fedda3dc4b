"""Several who draw, fill and claim at once, on PostgreSQL: no pair twice, no draw without its own pool."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection, connections, transaction

from annotate.actions.gold import mark_gold
from annotate.actions.jobs import run_job
from annotate.actions.learning import add_scores, start_scoring, start_training
from annotate.actions.moderation import Chosen, decide_criteria
from annotate.actions.queue import append_epoch, claim_next, fill_queue
from annotate.integrity import violations
from annotate.learning import freeze_pool
from annotate.models import Annotator, Claim, Comparison, Criterion, Draw, Job, Pair, Score
from tests.factories import make_comparison, make_criterion, make_pair
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


def _retire(comparison: Comparison) -> None:
    _decide("retire", comparison.criterion)


def _merge(comparison: Comparison) -> None:
    """Into a criterion that nobody is asked by any more."""
    into = make_criterion(comparison.pair.project, f"The same as {comparison.criterion.text}")
    _decide("merge", comparison.criterion, into=into.pk)
    _decide("retire", into)


def _know(comparison: Comparison) -> None:
    mark_gold(by=None, comparison=comparison, verdict="tie")


def _decide(deed: str, criterion: Criterion, **more: Any) -> None:
    criterion.refresh_from_db()
    chosen = [Chosen(criterion.pk, criterion.version)]
    decide_criteria(by=None, project=criterion.project, deed=deed, chosen=chosen, reason="So it is.", **more)


def _until_somebody_waits() -> None:
    """Until another transaction waits for a row that this one holds."""
    with connection.cursor() as cursor:
        for _ in range(6000):
            cursor.execute(
                "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)) LIMIT 1"
            )
            if cursor.fetchone() is not None:
                return
            time.sleep(0.01)
    raise AssertionError("Nobody came for the pair that was being closed.")


@pytest.fixture
def connections_for_all() -> Iterator[None]:
    """One for each of fifty threads, also while most of them wait."""
    pool = connection.settings_dict["OPTIONS"]["pool"]
    for size in (60, pool["max_size"]):
        connections.close_all()
        connection.close_pool()  # type: ignore[attr-defined]
        pool["max_size"] = size
        if size == 60:
            yield


@pytest.mark.timeout(300)
def test_fifty_annotators_are_never_handed_what_was_just_closed(connections_for_all: None) -> None:
    """Each round an epoch of two pairs with nine seats each is written. Five annotators take what they get; then one of the
    pairs is closed, and while its row is held 45 more come: the other pair is full soon, and they wait for that row.
    Whoever has the pair when all is over had it before it was closed.

    It fails where _TAKE does not look again at what _PICK has found: with "true" in the place of {asked("c")} there, one
    of those who waited is handed the closed pair.
    """
    project = planted(open_pairs=0, reserve=0, claims_in_hand=40)
    revision = learn(project)
    annotators = [at_work(project) for _ in range(50)]
    closings = [_retire, _merge, _know]
    come, gone = threading.Barrier(51), threading.Barrier(51)
    closing = [threading.Event() for _ in closings]
    held: list[tuple[int, set[Any]]] = []

    def ask(annotator: Annotator) -> int:
        claims = 0
        while claim_next(annotator=annotator, claim_id=uuid4()):
            claims += 1
        return claims

    def judge(annotator: Annotator, late: bool) -> Callable[[], int]:
        def rounds() -> int:
            claims = 0
            for held_now in closing:
                come.wait(120)
                if late:
                    held_now.wait(120)
                claims += ask(annotator)
                gone.wait(120)
            return claims

        return rounds

    def rounds_of_sampling() -> int:
        for n, close in enumerate(closings):
            closed, other = (
                make_comparison(
                    make_pair(project, prompt=f"tells {part}"),
                    make_criterion(project, f"Criterion {n} {part}", objective=True),
                    k=k,
                )
                for part, k in ((0.5, 9), (0.1, 9))
            )
            run_job(start_scoring(by=None, revision=revision, send_it=False).pk)
            assert Draw.objects.filter(pair__in=(closed.pair, other.pair), open=True).count() == 2
            come.wait(120)
            with transaction.atomic():
                close(closed)
                Pair.objects.select_for_update(no_key=True).get(pk=closed.pair_id)
                on_it = Claim.objects.filter(pair=closed.pair)
                held.append((closed.pair_id, set(on_it.values_list("annotator", flat=True))))
                closing[n].set()
                _until_somebody_waits()
            gone.wait(120)
        return 0

    def sample() -> int:
        try:
            return rounds_of_sampling()
        except BaseException:
            for barrier in (come, gone):  # or everybody waits for what does not come
                barrier.abort()
            raise

    made = at_once(sample, *(judge(annotator, late=n >= 5) for n, annotator in enumerate(annotators)))
    for pair, before in held:
        assert set(Claim.objects.filter(pair=pair).values_list("annotator", flat=True)) == before
    assert sum(made) == Claim.objects.filter(pair__in=[pair for pair, _ in held]).count() + 9 * len(closings)
    for job in Job.objects.filter(project=project, state="queued"):
        run_job(job.pk, by_hand=True)
    assert not Draw.objects.filter(pair__in=[pair for pair, _ in held], open=True).exists()
    assert violations() == {}
