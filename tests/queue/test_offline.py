"""Pairs taken offline: how many, for how long, and that giving them back costs nobody anything."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.utils import timezone

from annotate.actions import judging, queue
from annotate.integrity import violations
from annotate.models import Annotator, Claim, Outcome, Project, ProjectState, Seat
from annotate.queries import history
from tests.factories import make_annotator
from tests.queue.test_claims import answer_all, make_queue, take

DAY = timedelta(hours=24)
pytestmark = pytest.mark.django_db


def ids(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


def left(claim: Claim) -> timedelta:
    return Claim.objects.get(pk=claim.pk).expires_at - timezone.now()


def test_forty_are_leased_for_a_day_and_no_more() -> None:
    annotator, _ = make_queue(45)
    taken = queue.take_offline(annotator=annotator, claim_ids=ids(45))
    assert (len(taken.claims), taken.why) == (40, "full")
    assert all(DAY - timedelta(minutes=1) < left(claim) <= DAY for claim in taken.claims)
    with pytest.raises(queue.HandFull):  # one judges them first; the hand itself is no larger than before
        take(annotator)
    for claim in taken.claims[:39]:
        answer_all(claim)
    assert take(annotator)
    with pytest.raises(queue.HandFull):
        take(annotator)
    assert violations() == {}


def test_the_same_ids_are_the_same_claims() -> None:
    annotator, _ = make_queue(12)
    asked = ids(5)
    first = queue.take_offline(annotator=annotator, claim_ids=asked)
    again = queue.take_offline(annotator=annotator, claim_ids=asked)
    assert first.claims == again.claims and Claim.objects.count() == 5
    answer_all(first.claims[0])
    once_more = queue.take_offline(annotator=annotator, claim_ids=asked)
    assert [claim.outcome for claim in once_more.claims] == ["submitted", "", "", "", ""]
    with pytest.raises(queue.Conflict):
        queue.take_offline(annotator=make_annotator(annotator.project), claim_ids=asked)


def test_what_is_in_hand_counts_and_is_taken_along() -> None:
    annotator, _ = make_queue(12, offline_most=4)
    held = [take(annotator), take(annotator)]
    assert all(claim and left(claim) < timedelta(hours=1) for claim in held)
    taken = queue.take_offline(annotator=annotator, claim_ids=[c.pk for c in held if c] + ids(5))
    assert taken.claims[:2] == held and (len(taken.claims), taken.why) == (4, "full")
    assert all(left(claim) > timedelta(hours=23) for claim in taken.claims)


def test_a_short_queue_gives_what_it_has() -> None:
    annotator, _ = make_queue(3)
    taken = queue.take_offline(annotator=annotator, claim_ids=ids(10))
    assert (len(taken.claims), taken.why) == (3, "empty")


def test_a_project_may_forbid_it_and_a_paused_one_gives_none() -> None:
    annotator, _ = make_queue(3, offline_most=0)
    with pytest.raises(queue.Conflict, match="online only"):
        queue.take_offline(annotator=annotator, claim_ids=ids(2))
    Project.objects.update(offline_most=40, state=ProjectState.PAUSED)
    annotator.refresh_from_db()
    with pytest.raises(queue.NotOpen):
        queue.take_offline(annotator=annotator, claim_ids=ids(2))
    assert not Claim.objects.exists()


def test_neither_a_heartbeat_nor_an_undo_shortens_the_lease() -> None:
    annotator, _ = make_queue(2)
    claim = queue.take_offline(annotator=annotator, claim_ids=ids(1)).claims[0]
    told = queue.heartbeat(annotator=annotator, claim_id=claim.pk)
    assert told == Claim.objects.get(pk=claim.pk).expires_at and left(claim) > timedelta(hours=23)
    answer_all(claim)
    judging.undo(annotator=annotator, claim_id=claim.pk, undo_id=uuid4())
    assert left(claim) > timedelta(hours=23)


def test_a_heartbeat_extends_a_lease_that_is_shorter() -> None:
    annotator, _ = make_queue(1, lease_minutes=30)
    claim = take(annotator)
    assert claim
    Claim.objects.update(expires_at=timezone.now() + timedelta(minutes=2))
    queue.heartbeat(annotator=annotator, claim_id=claim.pk)
    assert left(claim) > timedelta(minutes=29)


def test_what_is_given_back_is_free_at_once_and_may_come_again() -> None:
    annotator, _ = make_queue(6, k=1)
    claims = queue.take_offline(annotator=annotator, claim_ids=ids(6)).claims
    answer_all(claims[0])
    other = make_annotator(annotator.project)
    assert take(other) is None
    given = queue.give_back(annotator=annotator, claim_ids=[*(c.pk for c in claims), uuid4()])
    assert given == [claim.pk for claim in claims[1:]]
    assert Seat.objects.filter(head__isnull=True).count() == 0
    assert queue.give_back(annotator=annotator, claim_ids=given) == []
    assert [claim.pk for claim in history(annotator)] == [claims[0].pk]  # nothing is held against anybody
    first, second = take(other), take(annotator)
    assert first and second and {first.pair_id, second.pair_id} < {claim.pair_id for claim in claims[1:]}
    answer_all(first)
    answer_all(second)
    assert violations() == {}


def test_nobody_gives_back_for_others() -> None:
    annotator, _ = make_queue(2)
    claim = take(annotator)
    assert claim
    assert queue.give_back(annotator=make_annotator(annotator.project), claim_ids=[claim.pk]) == []
    assert Claim.objects.get().outcome == Outcome.HELD


@pytest.mark.django_db(transaction=True)
def test_tabs_and_devices_that_take_at_once_get_no_more_than_forty_together() -> None:
    annotator, _ = make_queue(120, k=2)
    others = [make_annotator(annotator.project) for _ in range(2)]
    queue.fill_queue(annotator.project_id, 120)
    start = threading.Barrier(6)

    def taking(who: Annotator) -> int:
        try:
            start.wait()
            return len(queue.take_offline(annotator=who, claim_ids=ids(30)).claims)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        got = list(threads.map(taking, [annotator] * 4 + others))
    assert sum(got[:4]) == 40 and got[4:] == [30, 30]
    held = Claim.objects.filter(annotator=annotator, outcome=Outcome.HELD)
    assert held.count() == held.values("pair").distinct().count() == 40
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_giving_back_while_answers_come_in_loses_none() -> None:
    annotator, _ = make_queue(20, k=1)
    claims = queue.take_offline(annotator=annotator, claim_ids=ids(20)).claims
    start = threading.Barrier(2)

    def at_once(deed: str) -> None:
        try:
            start.wait()
            if deed == "give back":
                queue.give_back(annotator=annotator, claim_ids=[claim.pk for claim in claims])
            else:
                for claim in reversed(claims):
                    answer_all(claim)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(at_once, ["give back", "answer"]))
    assert Seat.objects.filter(head__isnull=False).count() == 20
    assert violations() == {}
