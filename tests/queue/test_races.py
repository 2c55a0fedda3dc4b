"""Many annotators at once, in threads and processes: every invariant, against the clients' own logs."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections

from annotate.actions import queue
from annotate.actions.judging import Answer, submit
from annotate.integrity import violations
from annotate.models import Annotator, Claim, Comparison, Judgment, Seat
from tests.factories import make_annotator, make_comparison, make_pair, make_project
from tests.queue.process import run

pytestmark = pytest.mark.django_db(transaction=True)


def race(processes: int, threads: int, annotators: int, pairs: int, k: int = 3) -> list[Any]:
    project = make_project(reserve_share=0, validation_share=0, claims_in_hand=4, authored_k=2)
    for _ in range(pairs):
        make_comparison(make_pair(project), k=k)
    ids = [make_annotator(project).pk for _ in range(annotators)]
    context = multiprocessing.get_context("spawn")
    results, start = context.SimpleQueue(), context.Barrier(processes)
    running = [
        context.Process(
            target=run,
            args=(connection.settings_dict["NAME"], ids[n::processes], threads, n, start, results),
        )
        for n in range(processes)
    ]
    for process in running:
        process.start()
    logs = [results.get() for _ in running]
    for process in running:
        process.join()
    # What lay in an expired hand at the end is still to do: work it off, one after the other.
    from tests.queue.annotators import work_off

    Claim.objects.filter(closed_at__isnull=True).update(expires_at="2000-01-01T00:00:00Z")
    for _ in range(10):
        queue.expire_claims()
        last = work_off([make_annotator(project).pk for _ in range(3)], 1, 99)
        logs.append(last)
        Claim.objects.filter(closed_at__isnull=True).update(expires_at="2000-01-01T00:00:00Z")
        queue.expire_claims()
        if not last.claims:
            break
    return logs


@pytest.mark.timeout(900)
def test_fifty_annotators_lose_and_double_nothing() -> None:
    # A thread for each of them: all fifty are at it at once.
    logs = race(processes=2, threads=25, annotators=50, pairs=1000)
    assert [error for log in logs for error in log.errors] == []
    assert violations() == {}
    stored = {j.pk: j for j in Judgment.objects.select_related("claim")}
    acknowledged = {i: v for log in logs for i, v in log.acknowledged.items()}
    assert acknowledged.keys() == {i for i, j in stored.items() if j.verdict != "retracted"}
    for answer_id, verdict in acknowledged.items():
        judgment = stored[answer_id]
        assert judgment.claim
        shown_first = "response2" if judgment.claim.flip else "response1"
        assert (judgment.verdict == shown_first) == (verdict == "a")
    superseded = {j.supersedes_id for j in stored.values() if j.supersedes_id}
    revised = {old for log in logs for old in log.revised}
    undone = {i for log in logs for i in log.undone}
    assert revised | undone == superseded
    # Everything that was asked for is counted k times, and nothing more.
    for comparison_id, k in Comparison.objects.values_list("pk", "k"):
        assert Seat.objects.filter(comparison=comparison_id, head__isnull=False).count() == k
    assert sum(log.conflicts for log in logs) > 0, "nothing ever collided: this raced nothing"


def test_fifty_posts_of_one_answer_are_one_row() -> None:
    project = make_project()
    make_comparison(make_pair(project))
    annotator = make_annotator(project)
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    answer = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict="a", strength=3)
    start = threading.Barrier(8)

    def post(number: int) -> Any:
        try:
            if number < 8:
                start.wait()
            return submit(annotator=annotator, claim_id=claim.pk, answers=[answer]).saved
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(post, range(50))) == [[answer.id]] * 50
    assert Judgment.objects.count() == 1
    assert Annotator.objects.get(pk=annotator.pk).judged_pairs == 1


def test_one_id_claimed_from_many_threads_is_one_claim() -> None:
    project = make_project()
    for _ in range(5):
        make_comparison(make_pair(project))
    annotator = make_annotator(project)
    claim_id = uuid4()

    def claim(_: int) -> Any:
        try:
            found = queue.claim_next(annotator=annotator, claim_id=claim_id)
            return found and found.pair_id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(claim, range(24)))) == 1
    assert Claim.objects.count() == 1


def test_claims_asked_for_at_once_never_fill_more_than_the_hand() -> None:
    project = make_project(claims_in_hand=3)
    for _ in range(30):
        make_comparison(make_pair(project))
    annotator = make_annotator(project)
    queue.fill_queue(project.pk, 30)

    def claim(_: int) -> bool:
        try:
            return bool(queue.claim_next(annotator=annotator, claim_id=uuid4()))
        except queue.HandFull:
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(24))) == 3
    assert Claim.objects.filter(annotator=annotator).count() == 3
