"""Asking an annotator again what they judged before: when, how it looks, and that it counts nowhere."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from annotate import learning
from annotate.actions import queue
from annotate.actions.controls import chance
from annotate.actions.judging import Answer, submit, undo
from annotate.actions.projects import change_project
from annotate.exports.freeze import freeze
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    Claim,
    ClaimKind,
    Comparison,
    Draw,
    FrozenJudgment,
    Job,
    Judgment,
    Outcome,
    Partition,
    Reach,
    Release,
    Seat,
)
from annotate.queries import claim_work, history
from annotate.tallies import judged_units
from annotate.verdicts import read_verdicts
from tests.factories import make_annotator, make_comparison, make_pair, make_project
from tests.queue.controls import an_id, answer_all, control, ordinary
from webapp.api.serializers import claim_shown

pytestmark = pytest.mark.django_db


def working(pairs: int = 8, judged: int = 3, **fields: Any) -> Annotator:
    """An annotator with a few pairs judged in a project that repeats what lies two pairs back."""
    given = {"repeat_share": 0.5, "repeat_after": 2, "claims_in_hand": 2, "scale": 7, "split_ties": False}
    project = make_project(reserve_share=0, validation_share=0, **{**given, **fields})
    for _ in range(pairs):
        make_comparison(make_pair(project), k=2)
    annotator = make_annotator(project)
    for _ in range(judged):
        claim = ordinary(annotator)
        assert claim
        answer_all(claim)
    return annotator


def repeated(annotator: Annotator) -> Claim:
    claim = control(annotator)
    assert claim and claim.kind == ClaimKind.REPEAT
    claim.refresh_from_db()
    return claim


def test_the_pair_comes_again_with_the_sides_exchanged_and_takes_no_seat() -> None:
    annotator = working()
    oldest = Claim.objects.order_by("created_at")[0]
    seats, cursor = list(Seat.objects.order_by("pk")), Reach.objects.get(annotator=annotator).cursor
    claim = repeated(annotator)
    assert (claim.repeat_of, claim.pair_id, claim.draw_id) == (oldest, oldest.pair_id, oldest.draw_id)
    assert (claim.flip, claim.comparison_ids) == (not oldest.flip, oldest.comparison_ids)
    assert list(Seat.objects.order_by("pk")) == seats
    assert Reach.objects.get(annotator=annotator).cursor == cursor, "the queue waits where it was"
    assert violations() == {}


def test_nothing_is_asked_again_before_enough_other_pairs_or_twice() -> None:
    annotator = working(judged=2)
    first = control(annotator)
    assert first and first.kind == ClaimKind.LABEL, "two pairs lie after the last one only"
    answer_all(first)
    again = repeated(annotator)
    answer_all(again)
    other = control(annotator)
    assert other and other.kind == ClaimKind.LABEL, "the one that lies far enough back was asked again"


def test_where_nothing_is_left_to_judge_nothing_is_asked_again() -> None:
    annotator = working(pairs=3)
    for _ in range(5):
        assert control(annotator) is None
    assert Claim.objects.count() == 3


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_share_is_kept_and_zero_is_none(share: float) -> None:
    # As many are judged anew as are repeated: there is always one to repeat among those that are looked at.
    annotator = working(pairs=60, judged=20, repeat_share=share, repeat_after=1)
    chosen = []
    for n in range(40):
        claim_id = an_id(annotator, [lambda at: at < 0.5, lambda at: at >= 0.5][n % 2])
        claim = queue.claim_next(annotator=annotator, claim_id=claim_id)
        assert claim
        chosen.append(claim.kind == ClaimKind.REPEAT)
        assert chosen[-1] == (chance(annotator.project.salt, claim_id) < share)
        answer_all(claim)
    assert any(chosen) == bool(share)


def test_the_ids_alone_do_not_tell_what_will_be_a_repeat() -> None:
    ids = [uuid4() for _ in range(400)]
    one, other = ([chance(salt, i) < 0.5 for i in ids] for salt in ("a", "b"))
    assert 100 < sum(one) < 300
    assert 100 < sum(x == y for x, y in zip(one, other, strict=True)) < 300


def test_asked_twice_it_is_the_same_claim() -> None:
    annotator = working()
    claim_id = an_id(annotator, lambda at: at < 0.1)
    one, two = (queue.claim_next(annotator=annotator, claim_id=claim_id) for _ in range(2))
    assert one == two and Claim.objects.filter(kind=ClaimKind.REPEAT).count() == 1


def test_an_answer_to_a_repeat_counts_nowhere() -> None:
    annotator = working()
    project = annotator.project
    before = judged_units(project, Partition.TRAIN)
    judgments = learning.new_judgments(project, None)
    seats = {(s.comparison_id, s.n): (s.head_id, s.claim_id) for s in Seat.objects.all()}
    claim = repeated(annotator)
    answer_all(claim, "b")
    assert judged_units(project, Partition.TRAIN) == before
    assert learning.new_judgments(project, None) == judgments
    assert {(s.comparison_id, s.n): (s.head_id, s.claim_id) for s in Seat.objects.all()} == seats
    assert len(read_verdicts(project)) == 3
    assert Annotator.objects.get(pk=annotator.pk).judged_pairs == 4, "the annotator sees that it went on"
    job = Job.objects.create(kind="release", project=project)
    release = Release.objects.create(
        project=project, job=job, recipe={"sources": None}, pseudonym_key="0" * 64
    )
    freeze(release)
    standings = FrozenJudgment.objects.filter(comparison__release=release).values_list("standing", flat=True)
    assert sorted(standings) == ["counted"] * 3 + ["repeat"]
    assert violations() == {}


def test_a_free_seat_is_not_given_to_a_repeat() -> None:
    """Neither when it is submitted, nor late, nor when seats are given to those who wait."""
    annotator = working(judged=3)
    claim = repeated(annotator)
    Seat.objects.filter(claim=claim.repeat_of_id).delete()
    Comparison.objects.filter(pair=claim.pair_id).update(k=9)
    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert queue.expire_claims() == 1
    answer_all(claim)
    assert Judgment.objects.get(claim=claim).late
    assert not Seat.objects.filter(head__claim=claim).exists()
    queue.open_pairs(annotator.project_id, [claim.pair_id], "reopened")  # type: ignore[arg-type]
    assert not Seat.objects.filter(head__claim=claim).exists()
    assert Seat.objects.get(comparison__pair=claim.pair_id).head.claim_id == claim.repeat_of_id  # type: ignore[union-attr]


def test_the_page_shows_it_like_any_other_pair() -> None:
    annotator = working()
    claim = repeated(annotator)
    answer = Answer(
        id=uuid4(), comparison=claim.comparison_ids[0], verdict="a", strength=1, rationale="So it is."
    )
    [work] = claim_work([claim])
    assert [asked.head for asked in work.asked] == [None], "what was said at first does not show"
    other = ordinary(annotator)
    assert other
    [beside] = claim_work([other])
    shown, ordinarily = claim_shown(work), claim_shown(beside)
    assert shown.keys() == ordinarily.keys()
    assert "repeat" not in json.dumps(shown, default=str)
    submit(annotator=annotator, claim_id=claim.pk, answers=[answer])
    [work] = claim_work([Claim.objects.get(pk=claim.pk)])
    assert work.asked[0].head and work.asked[0].head.id == answer.id
    assert claim.repeat_of
    [first] = claim_work([claim.repeat_of])
    assert first.asked[0].head and first.asked[0].head.id != answer.id, "each has answers of its own"


def test_both_are_revised_and_undone_beside_each_other() -> None:
    annotator = working()
    claim = repeated(annotator)
    original = claim.repeat_of
    assert original
    original.annotator = claim.annotator = annotator
    [head] = answer_all(claim)
    revision = Answer(
        id=uuid4(), comparison=claim.comparison_ids[0], verdict="b", strength=3, supersedes=head
    )
    submit(annotator=annotator, claim_id=claim.pk, answers=[revision])
    first = Judgment.objects.get(claim=original)
    stale = Answer(
        id=uuid4(), comparison=claim.comparison_ids[0], verdict="b", strength=3, supersedes=revision.id
    )
    with pytest.raises(queue.Conflict):
        submit(annotator=annotator, claim_id=original.pk, answers=[stale])
    ours = Answer(
        id=uuid4(), comparison=claim.comparison_ids[0], verdict="b", strength=2, supersedes=first.pk
    )
    submit(annotator=annotator, claim_id=original.pk, answers=[ours])
    assert Seat.objects.get(comparison=claim.comparison_ids[0]).head_id == ours.id
    undone = undo(annotator=annotator, claim_id=claim.pk, undo_id=uuid4())
    assert undone.outcome == Outcome.HELD
    assert Seat.objects.get(comparison=claim.comparison_ids[0]).head_id == ours.id
    [work] = claim_work([Claim.objects.get(pk=claim.pk)])
    assert work.asked[0].head and work.asked[0].head.verdict == "retracted"
    undo(annotator=annotator, claim_id=original.pk, undo_id=uuid4())
    assert violations() == {}


def test_skipped_given_back_or_expired_it_ends_like_any_other() -> None:
    annotator = working(pairs=12, judged=6, claims_in_hand=3)
    one, two, three = (repeated(annotator) for _ in range(3))
    draws = Draw.objects.count()
    queue.skip_claim(annotator=annotator, claim_id=one.pk, reason="unclear")
    assert queue.give_back(annotator=annotator, claim_ids=[two.pk]) == [two.pk]
    Claim.objects.filter(pk=three.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert queue.expire_claims() == 1
    assert Draw.objects.count() == draws, "no seat was free through it"
    assert {claim.outcome for claim in history(annotator)} == {"submitted", "skipped", "expired"}
    assert Annotator.objects.get(pk=annotator.pk).judged_pairs == 6
    assert violations() == {}


def test_it_may_be_taken_offline() -> None:
    annotator = working()
    ids = [an_id(annotator, lambda at: at < 0.1), an_id(annotator, lambda at: at > 0.6)]
    taken = queue.take_offline(annotator=annotator, claim_ids=ids)
    assert [claim.kind for claim in taken.claims] == ["repeat", "label"]
    assert all(claim.expires_at > timezone.now() + timedelta(hours=23) for claim in taken.claims)
    assert queue.take_offline(annotator=annotator, claim_ids=ids).claims == taken.claims


def test_only_what_one_had_an_opinion_on_is_asked_again() -> None:
    annotator = working(judged=0)
    claim = ordinary(annotator)
    assert claim
    answer_all(claim, "cannot_tell")
    for _ in range(2):
        other = ordinary(annotator)
        assert other
        answer_all(other)
    again = control(annotator)
    assert again and again.kind == ClaimKind.LABEL


def test_a_criterion_written_before_does_not_give_the_repeat_away() -> None:
    annotator = working(judged=0, authored_k=1)
    claim = ordinary(annotator)
    assert claim
    own = Answer(id=uuid4(), criterion="It rhymes", verdict="a", strength=1)
    said = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict="a", strength=1)
    submit(annotator=annotator, claim_id=claim.pk, answers=[own, said])
    for _ in range(2):
        other = ordinary(annotator)
        assert other
        answer_all(other)
    again = repeated(annotator)
    [work] = claim_work([again])
    assert [asked.id for asked in work.asked] == claim.comparison_ids
    # Written once more it is the same criterion, and what is said by it is a repeat as well.
    answers = [
        Answer(id=uuid4(), criterion="It rhymes", verdict="b", strength=1),
        Answer(id=uuid4(), criterion="It is short", verdict="b", strength=1),
    ]
    submit(annotator=annotator, claim_id=again.pk, answers=answers)
    [work] = claim_work([Claim.objects.get(pk=again.pk)])
    assert [asked.criterion for asked in work.asked][1:] == ["It rhymes", "It is short"]
    assert Seat.objects.get(comparison__criterion__text="It rhymes").head_id == own.id
    # What was written anew there is asked as any other: nobody has a label on it yet.
    assert Draw.objects.filter(pair=again.pair_id, route="authored", open=True).count() == 1
    assert violations() == {}


def test_the_settings_are_changed_like_others_and_within_bounds() -> None:
    project = working().project
    change_project(by=None, project=project, repeat_share=0.1, repeat_after=50)
    project.refresh_from_db()
    assert (project.repeat_share, project.repeat_after) == (0.1, 50)
    for broken in ({"repeat_share": 0.7}, {"repeat_after": 0}, {"repeat_share": -0.1}):
        with pytest.raises(Exception, match="Ensure this value"):
            change_project(by=None, project=project, **broken)


def test_a_claim_is_repeated_once_by_construction() -> None:
    annotator = working()
    claim = repeated(annotator)
    with pytest.raises(IntegrityError), transaction.atomic():
        Claim.objects.filter(pk=claim.pk).update(id=uuid4())
        claim.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_repeats_asked_for_at_once_are_of_different_pairs() -> None:
    annotator = working(pairs=40, judged=16, claims_in_hand=40)
    ids = [an_id(annotator, lambda at: at < 0.1) for _ in range(12)]
    start = threading.Barrier(8)

    def ask(number: int) -> Any:
        try:
            if number < 8:
                start.wait()
            # Each id is asked for three times, by whichever thread.
            claim = queue.claim_next(annotator=annotator, claim_id=ids[number % 12])
            assert claim
            answer_all(claim) if number < 6 else None
            return claim.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(36))) == set(ids)
    repeats = Claim.objects.filter(kind=ClaimKind.REPEAT)
    assert repeats.count() >= 11 and Claim.objects.count() == 16 + 12
    assert repeats.values("repeat_of").distinct().count() == repeats.count()
    assert violations() == {}
