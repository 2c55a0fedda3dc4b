"""Claiming: what is served to whom, and what giving back does."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from annotate.actions import queue
from annotate.actions.judging import Answer, Shown, submit
from annotate.models import (
    Annotator,
    Claim,
    Comparison,
    Draw,
    Pair,
    Partition,
    ProjectState,
    Reach,
    Route,
    Seat,
    Stream,
)
from tests.factories import make_annotator, make_comparison, make_pair, make_project, make_user

pytestmark = pytest.mark.django_db


def take(annotator: Annotator) -> Claim | None:
    return queue.claim_next(annotator=annotator, claim_id=uuid4())


def answer_all(claim: Claim, verdict: Shown = "a") -> None:
    answers = [
        Answer(id=uuid4(), comparison=i, verdict=verdict, strength=2 if verdict in "ab" else None)
        for i in claim.comparison_ids
    ]
    submit(annotator=claim.annotator, claim_id=claim.pk, answers=answers)


def make_queue(pairs: int, k: int = 3, **fields: object) -> tuple[Annotator, list[Pair]]:
    project = make_project(reserve_share=0, validation_share=0, **fields)
    made = [make_pair(project) for _ in range(pairs)]
    for pair in made:
        make_comparison(pair, k=k)
    return make_annotator(project), made


def test_each_annotator_is_served_every_pair_once() -> None:
    first, pairs = make_queue(5, k=2)
    second = make_annotator(first.project)
    for annotator in (first, second):
        served = []
        while claim := take(annotator):
            served.append(claim.pair_id)
            answer_all(claim)
        assert sorted(served) == sorted(p.pk for p in pairs)
    assert take(make_annotator(first.project)) is None
    assert not Draw.objects.filter(open=True).exists()


def test_never_more_than_k_hold_a_seat() -> None:
    first, _ = make_queue(1, k=2)
    assert take(first) and take(make_annotator(first.project))
    assert take(make_annotator(first.project)) is None


def test_the_same_id_is_the_same_claim_and_nobody_elses() -> None:
    annotator, _ = make_queue(2)
    claim_id = uuid4()
    first = queue.claim_next(annotator=annotator, claim_id=claim_id)
    again = queue.claim_next(annotator=annotator, claim_id=claim_id)
    assert first == again and Claim.objects.count() == 1
    with pytest.raises(queue.Conflict):
        queue.claim_next(annotator=make_annotator(annotator.project), claim_id=claim_id)


def test_a_hand_holds_no_more_than_the_project_allows() -> None:
    annotator, _ = make_queue(4, claims_in_hand=2)
    assert take(annotator) and take(annotator)
    with pytest.raises(queue.HandFull):
        take(annotator)


def test_a_paused_project_serves_nothing() -> None:
    annotator, _ = make_queue(1, state=ProjectState.PAUSED)
    with pytest.raises(queue.NotOpen):
        take(annotator)


def test_a_skipped_pair_goes_to_others_and_not_back() -> None:
    annotator, _ = make_queue(1, k=1)
    claim = take(annotator)
    assert claim
    queue.skip_claim(annotator=annotator, claim_id=claim.pk, reason="unclear", note="two answers in one")
    queue.skip_claim(annotator=annotator, claim_id=claim.pk, reason="unclear")
    assert not Seat.objects.exists()
    assert take(annotator) is None
    other = take(make_annotator(annotator.project))
    assert other and other.pair_id == claim.pair_id
    assert other.draw and other.draw.route == Route.REOPENED


def test_an_expired_claim_gives_its_seats_back_even_behind_cursors() -> None:
    sleeper, _ = make_queue(3, k=1)
    claim = take(sleeper)
    assert claim
    awake = make_annotator(sleeper.project)
    for _ in range(2):
        other = take(awake)
        assert other
        answer_all(other)
    assert take(awake) is None
    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert queue.expire_claims() == 1
    assert queue.expire_claims() == 0
    again = take(awake)
    assert again and again.pair_id == claim.pair_id


def test_a_dry_queue_fills_itself_and_expires_without_workers() -> None:
    annotator, _ = make_queue(1, k=1)
    other = make_annotator(annotator.project)
    held = take(other)
    assert held
    Claim.objects.filter(pk=held.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    claim = take(annotator)
    assert claim and claim.pair_id == held.pair_id


def test_a_heartbeat_extends_and_an_ended_claim_says_so() -> None:
    annotator, _ = make_queue(1)
    claim = take(annotator)
    assert claim
    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now())
    assert queue.heartbeat(annotator=annotator, claim_id=claim.pk) > timezone.now() + timedelta(minutes=29)
    queue.skip_claim(annotator=annotator, claim_id=claim.pk, reason="other")
    with pytest.raises(queue.Conflict):
        queue.heartbeat(annotator=annotator, claim_id=claim.pk)


def test_a_manager_releases_a_stuck_claim_and_others_may_not() -> None:
    from annotate.access import Unknown

    annotator, _ = make_queue(1, k=1)
    claim = take(annotator)
    assert claim
    with pytest.raises(Unknown):
        queue.release_claim(by=make_user(), claim=claim)
    assert queue.release_claim(by=make_user(superuser=True), claim=claim)
    assert not queue.release_claim(by=None, claim=claim)
    assert take(make_annotator(annotator.project))


def test_sides_are_balanced_within_each_pair() -> None:
    first, _ = make_queue(20, k=4)
    for annotator in [first, *(make_annotator(first.project) for _ in range(3))]:
        while claim := take(annotator):
            answer_all(claim)
    for pair in Pair.objects.all():
        assert (
            sorted(Claim.objects.filter(pair=pair).values_list("flip", flat=True)) == [False] * 2 + [True] * 2
        )
    assert 0 < Claim.objects.filter(annotator=first, flip=True).count() < 20


def test_uniform_draws_state_their_probability_and_every_prefix_keeps_the_reserve_share() -> None:
    project = make_project(reserve_claim_share=0.25)
    for n in range(40):
        make_comparison(make_pair(project, partition=Partition.RESERVE if n % 2 else Partition.TRAIN))
    assert queue.fill_queue(project.pk, 16) == 16
    draws = list(Draw.objects.order_by("id"))
    assert [d.route for d in draws].count(Route.RESERVE) == 4
    assert [d.route for d in draws[:4]].count(Route.RESERVE) == 1
    uniform = [d for d in draws if d.route == Route.UNIFORM]
    assert [d.pool_size for d in uniform] == list(range(20, 8, -1))
    assert all(d.q == 1 / (d.pool_size or 0) for d in uniform)
    order = list(
        Pair.objects.filter(partition=Partition.TRAIN).order_by("shuffle").values_list("pk", flat=True)
    )
    assert [d.pair_id for d in uniform] == order[:12]
    assert queue.fill_queue(project.pk, 100) == 24
    assert Draw.objects.values("pair").distinct().count() == 40
    assert all(s.queued == s.total for s in Stream.objects.filter(project=project))


def test_top_up_keeps_ahead_of_active_annotators_only() -> None:
    annotator, _ = make_queue(100)
    assert queue.top_up_queues() == 0
    assert take(annotator)
    before = Draw.objects.count()
    queue.top_up_queues()
    ahead = Draw.objects.filter(id__gt=Reach.objects.get(annotator=annotator).cursor).count()
    assert ahead == queue.READY_PER_ANNOTATOR and Draw.objects.count() - before <= 1
    assert queue.top_up_queues() == 0


def test_a_pair_comes_back_when_somebody_adds_a_criterion() -> None:
    annotator, [pair] = make_queue(1, k=1)
    claim = take(annotator)
    assert claim
    answer_all(claim)
    assert take(annotator) is None
    added = make_comparison(pair, "Which is calmer?", k=1)
    queue.open_pairs(pair.project_id, [pair.pk], Route.AUTHORED)
    again = take(annotator)
    assert again and again.comparison_ids == [added.pk]
    assert Comparison.objects.filter(pair=pair).count() == 2


@pytest.mark.parametrize("share", [0.0, 0.2, 1 / 3, 1.0])
def test_interleave_holds_the_share_at_every_prefix(share: float) -> None:
    order = queue.interleave(60, 1000, 1000, share)
    for n in range(1, 61):
        assert abs(sum(order[:n]) - share * n) < 1 + 1e-6
    assert queue.interleave(10, 3, 2, share).count(True) == 2
