"""Submitting: sides into responses, once and only once, late ones kept, revisions in a chain, undo."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotate.access import Unknown
from annotate.actions import queue
from annotate.actions.judging import Answer, Invalid, submit, undo
from annotate.models import (
    Annotator,
    Authoring,
    Claim,
    Comparison,
    Criterion,
    Draw,
    Judgment,
    Outcome,
    Route,
    Seat,
    Verdict,
)
from annotate.queries import history
from tests.factories import make_annotator, make_comparison, make_criterion, make_pair, make_project

pytestmark = pytest.mark.django_db


def claimed(*criteria: str, k: int = 3, flip: bool = False, **fields: Any) -> Claim:
    """A held claim on a fresh pair with these criteria."""
    project = make_project(reserve_share=0, validation_share=0, **fields)
    pair = make_pair(project)
    for text in criteria or ("Which is better?",):
        make_comparison(pair, text, k=k)
    claim = queue.claim_next(annotator=make_annotator(project), claim_id=uuid4())
    assert claim
    Claim.objects.filter(pk=claim.pk).update(flip=flip)
    claim.flip = flip
    return claim


def answer(claim: Claim, verdict: Any = "a", index: int = 0, **fields: Any) -> Answer:
    strength = 2 if verdict in ("a", "b") else None
    tie_kind = "both_good" if verdict == "tie" else ""
    return replace(
        Answer(id=uuid4(), verdict=verdict, comparison=claim.comparison_ids[index]),
        **{"strength": strength, "tie_kind": tie_kind, **fields},
    )


def send(claim: Claim, *answers: Answer) -> bool:
    return submit(annotator=claim.annotator, claim_id=claim.pk, answers=answers).late


@pytest.mark.parametrize(
    ("flip", "side", "response"),
    [
        (False, "a", "response1"),
        (False, "b", "response2"),
        (True, "a", "response2"),
        (True, "b", "response1"),
    ],
)
def test_sides_become_responses(flip: bool, side: str, response: str) -> None:
    claim = claimed(flip=flip)
    send(claim, answer(claim, side))
    assert Judgment.objects.get().verdict == response
    broken = claimed(flip=flip)
    send(broken, answer(broken, "media_broken", broken=side))
    assert Judgment.objects.get(claim=broken).broken == response


def test_what_was_submitted_is_counted_and_the_claim_ends() -> None:
    claim = claimed("calm", "true")
    send(claim, answer(claim, "a"), answer(claim, "tie", 1))
    assert {s.head.verdict for s in Seat.objects.all() if s.head} == {"response1", "tie"}
    claim.refresh_from_db()
    assert claim.outcome == Outcome.SUBMITTED
    assert Annotator.objects.get(pk=claim.annotator_id).judged_pairs == 1


def test_the_same_answers_again_change_nothing() -> None:
    claim = claimed()
    given = answer(claim)
    send(claim, given)
    send(claim, given)
    assert Judgment.objects.count() == 1
    assert Annotator.objects.get(pk=claim.annotator_id).judged_pairs == 1


def test_the_same_id_with_other_content_is_a_conflict() -> None:
    claim = claimed()
    given = answer(claim)
    send(claim, given)
    with pytest.raises(queue.Conflict) as error:
        send(claim, replace(given, verdict="b"))
    assert error.value.code == "answer_changed"
    assert Judgment.objects.get().verdict == "response1"


def test_somebody_elses_claim_or_answer_id_is_unknown_or_a_conflict() -> None:
    claim = claimed()
    given = answer(claim)
    send(claim, given)
    stranger = make_annotator(claim.annotator.project)
    with pytest.raises(Unknown):
        submit(annotator=stranger, claim_id=claim.pk, answers=[answer(claim)])
    own = queue.claim_next(annotator=stranger, claim_id=uuid4())
    assert own
    with pytest.raises(queue.Conflict):
        send(own, given)
    assert Judgment.objects.count() == 1


def test_a_partial_submit_gives_the_rest_to_others() -> None:
    claim = claimed("calm", "true", k=1)
    send(claim, answer(claim))
    assert Seat.objects.count() == 1
    assert queue.claim_next(annotator=claim.annotator, claim_id=uuid4()) is None
    other = queue.claim_next(annotator=make_annotator(claim.annotator.project), claim_id=uuid4())
    assert other and other.comparison_ids == [claim.comparison_ids[1]]


def test_a_revision_supersedes_and_a_fork_is_refused() -> None:
    claim = claimed()
    first = answer(claim)
    send(claim, first)
    second = answer(claim, "b", supersedes=first.id)
    send(claim, second)
    seat = Seat.objects.get()
    assert seat.head_id == second.id and Judgment.objects.count() == 2
    with pytest.raises(queue.Conflict) as error:
        send(claim, answer(claim, "tie", supersedes=first.id))
    assert error.value.code == "fork"
    with pytest.raises(queue.Conflict):
        send(claim, answer(claim, "tie"))
    assert Judgment.objects.count() == 2


def test_a_late_answer_takes_a_free_seat() -> None:
    claim = claimed(k=1)
    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    queue.expire_claims()
    assert not Seat.objects.exists()
    assert send(claim, answer(claim)) is True
    assert Seat.objects.get().head and Judgment.objects.get().late
    assert not Draw.objects.filter(open=True).exists()


def test_a_late_answer_without_a_seat_waits_and_is_first_when_k_is_raised() -> None:
    claim = claimed(k=1)
    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    queue.expire_claims()
    quick = queue.claim_next(annotator=make_annotator(claim.annotator.project), claim_id=uuid4())
    assert quick
    send(quick, answer(quick, "b"))
    assert send(claim, answer(claim)) is True
    assert Judgment.objects.count() == 2 and Seat.objects.get().head.verdict  # type: ignore[union-attr]
    pair = claim.pair
    with transaction.atomic():
        Comparison.objects.filter(pair=pair).update(k=2)
        queue.open_pairs(pair.project_id, [pair.pk], Route.REOPENED)
    assert {s.annotator_id for s in Seat.objects.filter(head__isnull=False)} == {
        claim.annotator_id,
        quick.annotator_id,
    }
    assert {s.k for s in Seat.objects.all()} == {2}
    assert queue.claim_next(annotator=make_annotator(pair.project), claim_id=uuid4()) is None


def test_undo_keeps_the_seat_and_the_history() -> None:
    claim = claimed()
    first = answer(claim)
    send(claim, first)
    undo_id = uuid4()
    undo(annotator=claim.annotator, claim_id=claim.pk, undo_id=undo_id)
    undo(annotator=claim.annotator, claim_id=claim.pk, undo_id=undo_id)
    retracted = Judgment.objects.get(verdict=Verdict.RETRACTED)
    seat = Seat.objects.get()
    assert retracted.supersedes_id == first.id and seat.head is None
    assert Annotator.objects.get(pk=claim.annotator_id).judged_pairs == 0
    send(claim, answer(claim, "b", supersedes=retracted.pk))
    seat.refresh_from_db()
    assert seat.head and seat.head.verdict == "response2"
    assert Judgment.objects.count() == 3
    assert Annotator.objects.get(pk=claim.annotator_id).judged_pairs == 1


def test_an_undone_pair_that_expires_frees_the_seat() -> None:
    claim = claimed(k=1)
    send(claim, answer(claim))
    undo(annotator=claim.annotator, claim_id=claim.pk, undo_id=uuid4())
    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    queue.expire_claims()
    assert queue.claim_next(annotator=make_annotator(claim.annotator.project), claim_id=uuid4())


def test_a_criterion_of_ones_own_opens_a_comparison_for_others() -> None:
    claim = claimed(k=1, authored_k=2)
    own = Answer(id=uuid4(), criterion="  Feels   calm ", verdict="b", strength=1)
    send(claim, answer(claim), own)
    criterion = Criterion.objects.get(text="Feels calm")
    comparison = Comparison.objects.get(criterion=criterion)
    assert criterion.author == claim.annotator and comparison.k == 2
    assert Judgment.objects.get(pk=own.id).authored
    other = queue.claim_next(annotator=make_annotator(claim.annotator.project), claim_id=uuid4())
    assert other and other.comparison_ids == [comparison.pk]
    assert other.draw and other.draw.route == Route.AUTHORED
    send(other, answer(other))
    assert not Judgment.objects.get(claim=other).authored


def test_a_criterion_that_exists_is_used_and_a_merged_one_leads_to_its_canonical() -> None:
    claim = claimed(authored_k=1)
    project = claim.annotator.project
    canonical = make_criterion(project, "Calmness")
    make_criterion(project, "Is calm", canonical=canonical)
    send(claim, answer(claim), Answer(id=uuid4(), criterion="is CALM", verdict="a", strength=1))
    assert Comparison.objects.filter(pair=claim.pair, criterion=canonical).exists()
    assert Criterion.objects.filter(project=project).count() == 3


@pytest.mark.parametrize(
    ("fields", "change", "where"),
    [
        ({"scale": 3}, {"strength": 2}, "answers[0].strength"),
        ({"scale": 5}, {"strength": 1}, "answers[0].strength"),
        ({"scale": 7}, {"strength": None}, "answers[0].strength"),
        ({}, {"verdict": "tie", "strength": None}, "answers[0].tie_kind"),
        (
            {"split_ties": False},
            {"verdict": "tie", "strength": None, "tie_kind": "both_bad"},
            "answers[0].tie_kind",
        ),
        ({}, {"verdict": "cannot_tell"}, "answers[0].strength"),
        ({}, {"verdict": "media_broken", "strength": None}, "answers[0].broken"),
        ({}, {"broken": "a"}, "answers[0].broken"),
        ({}, {"comparison": 999_999_999}, "answers[0].comparison"),
        ({}, {"comparison": None, "criterion": "  "}, "answers[0].criterion"),
        ({"authoring": Authoring.OFF}, {"comparison": None, "criterion": "calm"}, "answers[0].criterion"),
        ({"authoring": Authoring.REQUIRED}, {}, "answers"),
    ],
)
def test_what_breaks_the_rules_is_refused_whole(fields: Any, change: Any, where: str) -> None:
    claim = claimed(**fields)
    with pytest.raises(Invalid) as error:
        send(claim, replace(answer(claim), **change))
    assert error.value.field == where
    assert not Judgment.objects.exists() and Seat.objects.get().head is None


def test_judgments_cannot_be_changed_or_deleted() -> None:
    claim = claimed()
    send(claim, answer(claim))
    for statement in (
        "UPDATE annotate_judgment SET verdict = 'tie'",
        "DELETE FROM annotate_judgment",
        "UPDATE annotate_draw SET q = 0.5",
        "DELETE FROM annotate_draw",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(statement)
    assert Judgment.objects.get().verdict == "response1"


def test_history_counts_what_stands() -> None:
    claim = claimed("calm", "true")
    send(claim, answer(claim), answer(claim, "b", 1))
    [past] = history(claim.annotator)
    assert len(past.heads) == 2  # type: ignore[attr-defined]
    undo(annotator=claim.annotator, claim_id=claim.pk, undo_id=uuid4())
    Claim.objects.filter(pk=claim.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    queue.expire_claims()
    [past] = history(claim.annotator)
    assert past.heads == []  # type: ignore[attr-defined]
