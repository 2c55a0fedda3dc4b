"""Pairs whose answer is known: marked by managers, asked to measure, and counted nowhere."""

import threading
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connections

from annotate import learning
from annotate.access import Denied
from annotate.actions import queue
from annotate.actions.criteria import change_criterion
from annotate.actions.gold import mark_gold, unmark_gold
from annotate.actions.judging import Answer, submit, undo
from annotate.actions.projects import change_project
from annotate.exports.freeze import freeze
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    ClaimKind,
    Comparison,
    Draw,
    FrozenJudgment,
    Gold,
    Job,
    Pair,
    Partition,
    Project,
    Reach,
    Release,
    Role,
    Seat,
)
from annotate.queries import claim_work
from annotate.reports import full_report
from annotate.tallies import judged_units
from annotate.verdicts import read_wanted
from tests.factories import (
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
)
from tests.queue.controls import an_id, answer_all, control, ordinary
from webapp.api.serializers import claim_shown

pytestmark = pytest.mark.django_db


def working(gold: int = 3, pairs: int = 6, **fields: Any) -> Project:
    """A project with so many pairs whose answer is known among the others; response 1 is always right."""
    given = {
        "gold_share": 0.5,
        "claims_in_hand": 40,
        "split_ties": False,
        "reserve_share": 0,
        "validation_share": 0,
    }
    project = make_project(**{**given, **fields})
    criterion = make_criterion(project, "Which is true?", objective=True)
    for n in range(pairs + gold):
        comparison = make_comparison(make_pair(project), criterion)
        if n >= pairs:
            mark_gold(by=None, comparison=comparison, verdict="response1", note="It is so.")
    return project


def measured(annotator: Annotator) -> Claim:
    claim = control(annotator)
    assert claim and claim.kind == ClaimKind.GOLD
    return claim


def answer(claim: Claim, verdict: str) -> None:
    shown = {"response1": "b", "response2": "a"} if claim.flip else {"response1": "a", "response2": "b"}
    answer_all(claim, shown.get(verdict, verdict))  # type: ignore[arg-type]


def test_only_under_an_objective_criterion_and_by_who_manages() -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project), "Which do you like?")
    with pytest.raises(ValidationError, match="objective"):
        mark_gold(by=None, comparison=comparison, verdict="tie")
    change_criterion(by=None, criterion=comparison.criterion, k=None, objective=True)
    with pytest.raises(Denied):
        mark_gold(by=make_member(project, Role.REVIEWER), comparison=comparison, verdict="tie")
    with pytest.raises(ValidationError, match="Give one of"):
        mark_gold(by=None, comparison=comparison, verdict="cannot_tell")
    manager = make_member(project, Role.MANAGER)
    gold = mark_gold(by=manager, comparison=comparison, verdict="tie", note="Both are wrong.")
    assert mark_gold(by=manager, comparison=comparison, verdict="tie", note="Both are wrong.") == gold
    changed = mark_gold(by=manager, comparison=comparison, verdict="response2")
    assert (changed.pk, changed.made_by, changed.verdict) == (gold.pk, manager, "response2")
    with pytest.raises(ValidationError, match="known answers under it"):
        change_criterion(by=None, criterion=comparison.criterion, k=None, objective=False)
    assert unmark_gold(by=manager, comparison=comparison)
    assert not unmark_gold(by=manager, comparison=comparison)
    change_criterion(by=None, criterion=comparison.criterion, k=None, objective=False)
    deeds = AuditEntry.objects.filter(project=project).order_by("pk").values_list("deed", flat=True)
    assert list(deeds) == ["change criterion", "mark gold", "mark gold", "unmark gold", "change criterion"]


def test_each_is_asked_of_an_annotator_once_and_never_of_who_has_seen_the_pair() -> None:
    project = working(gold=3)
    annotator = make_annotator(project)
    golden = set(Gold.objects.values_list("comparison__pair", flat=True))
    seen = []
    while (claim := control(annotator)) and claim.kind == ClaimKind.GOLD:
        seen.append(claim.pair_id)
    assert set(seen) == golden and len(seen) == 3
    # As labels they are not asked of them any more, whatever the queue offers.
    served = {claim.pair_id} if claim else set()
    while claim := ordinary(annotator):
        served.add(claim.pair_id)
    assert len(served) == 6 and not served & golden
    other = make_annotator(project)
    while judged := ordinary(other):
        comparison = Comparison.objects.get(pair=judged.pair_id)
    mark_gold(by=None, comparison=comparison, verdict="response1")
    make_comparison(make_pair(project))
    asked = [one.pair_id for one in (control(other) for _ in range(6)) if one and one.kind == ClaimKind.GOLD]
    assert set(asked) == golden, "but not what was marked after they had seen it"
    assert violations() == {}


def test_what_is_known_is_asked_for_labels_no_more_until_it_is_known_no_more() -> None:
    project = working(gold=0, pairs=1)
    comparison = Comparison.objects.get()
    early = ordinary(make_annotator(project))
    assert early
    mark_gold(by=None, comparison=comparison, verdict="tie")
    assert not Draw.objects.filter(open=True).exists()
    assert ordinary(make_annotator(project)) is None
    answer(early, "response1")
    assert Seat.objects.get().head, "who was at it gives a label as ever"
    assert [(row.labels, row.judged, row.full) for row in read_wanted(project)] == [(1, 1, 1)]
    assert violations() == {}
    unmark_gold(by=None, comparison=comparison)
    assert ordinary(make_annotator(project))
    assert [(row.labels, row.judged, row.full) for row in read_wanted(project)] == [(3, 1, 0)]
    assert violations() == {}


def test_it_takes_no_seat_no_place_in_the_queue_and_counts_nowhere() -> None:
    project = working()
    annotator = make_annotator(project)
    claim = measured(annotator)
    answer(claim, "response2")
    again = measured(annotator)
    queue.skip_claim(annotator=annotator, claim_id=again.pk, reason="unclear")
    assert claim.draw_id is None and not Seat.objects.exists()
    assert not Reach.objects.filter(annotator=annotator).exists()
    assert judged_units(project, Partition.TRAIN) == []
    assert learning.new_judgments(project, None) == 0
    job = Job.objects.create(kind="release", project=project)
    release = Release.objects.create(
        project=project, job=job, recipe={"sources": None}, pseudonym_key="0" * 64
    )
    freeze(release)
    assert [row.standing for row in FrozenJudgment.objects.all()] == ["gold"]
    queue.open_pairs(project.pk, [claim.pair_id], "reopened")  # type: ignore[arg-type]
    assert not Seat.objects.exists(), "it does not wait for a seat either"
    assert violations() == {}


def test_the_page_shows_it_like_any_other_pair() -> None:
    project = working()
    annotator = make_annotator(project)
    claim, beside = measured(annotator), ordinary(annotator)
    assert beside
    shown = [claim_shown(work) for work in claim_work([claim, beside])]
    assert shown[0].keys() == shown[1].keys()
    assert "gold" not in str(shown[0]) and "It is so." not in str(shown[0])


def test_a_pair_whose_media_are_not_prepared_is_not_asked() -> None:
    project = working(gold=1)
    Pair.objects.filter(comparisons__gold__isnull=False).update(ready=False)
    claim = control(make_annotator(project))
    assert claim and claim.kind == ClaimKind.LABEL


def test_only_the_criteria_with_a_known_answer_are_asked() -> None:
    project = working(gold=1)
    pair = Gold.objects.get().comparison.pair
    liked = make_comparison(pair, "Which do you like?")
    annotator = make_annotator(project)
    claim = measured(annotator)
    assert claim.comparison_ids == [Gold.objects.get().comparison_id]
    answer(claim, "response1")
    while other := ordinary(annotator):
        if other.pair_id == pair.pk:
            assert other.comparison_ids == [liked.pk]
            return
    pytest.fail("the pair comes back for its other criterion")


def test_accuracy_is_told_with_its_interval_and_by_the_answers_that_hold() -> None:
    project = working(gold=6)
    annotator = make_annotator(project, pseudonym="Ada")
    counted = ordinary(annotator)
    assert counted
    answer(counted, "tie")
    claims = [measured(annotator) for _ in range(6)]
    for claim, verdict in zip(claims, ["response1"] * 3 + ["tie", "response2", "cannot_tell"], strict=True):
        answer(claim, verdict)

    def told() -> dict[str, Any]:
        [row] = full_report(project, date(2026, 3, 10))["annotators"]["rows"]
        found: dict[str, Any] = row["accuracy"]
        assert row["known"] == 5, "no opinion is no answer"
        return found

    assert told()["value"] == pytest.approx(3 / 5)
    assert told()["low"] == pytest.approx(0.2307, abs=1e-3)  # Wilson's, by hand
    assert told()["high"] == pytest.approx(0.8824, abs=1e-3)
    head = claims[3].judgments.get()
    shown: Any = "b" if claims[3].flip else "a"
    revision = Answer(
        id=uuid4(), comparison=claims[3].comparison_ids[0], verdict=shown, strength=1, supersedes=head.pk
    )
    submit(annotator=annotator, claim_id=claims[3].pk, answers=[revision])
    assert told()["value"] == pytest.approx(4 / 5), "a revision counts, what it supersedes does not"
    undo(annotator=annotator, claim_id=claims[0].pk, undo_id=uuid4())
    [row] = full_report(project, date(2026, 3, 10))["annotators"]["rows"]
    assert row["accuracy"]["why"] == "Fewer than 5 verdicts on what has a known answer (4)."


def test_it_is_served_offline_and_asked_twice_is_the_same() -> None:
    annotator = make_annotator(working())
    claim_id = an_id(annotator, lambda at: at < 0.1)
    [one] = queue.take_offline(annotator=annotator, claim_ids=[claim_id]).claims
    two = queue.claim_next(annotator=annotator, claim_id=claim_id)
    assert one.kind == ClaimKind.GOLD and one == two


def test_what_is_asked_to_measure_is_half_at_most() -> None:
    with pytest.raises(ValidationError, match="together must not exceed half"):
        change_project(by=None, project=make_project(), repeat_share=0.3, gold_share=0.3)


@pytest.mark.django_db(transaction=True)
def test_racing_annotators_see_each_known_answer_once_and_none_counts() -> None:
    project = working(gold=10, pairs=30, repeat_share=0.2, gold_share=0.3, repeat_after=1, claims_in_hand=2)
    annotators = [make_annotator(project) for _ in range(8)]
    start, errors = threading.Barrier(16), []

    def work(annotator: Annotator) -> None:
        try:
            start.wait()
            while True:
                try:
                    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
                except queue.HandFull:
                    continue
                if claim is None:
                    return
                answer(claim, "response1")
                connections.close_all()  # there are fewer connections than threads
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(one,)) for one in annotators for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert violations() == {}
    kinds = set(Claim.objects.values_list("kind", flat=True))
    assert kinds == {ClaimKind.LABEL, ClaimKind.REPEAT, ClaimKind.GOLD}
    assert not Seat.objects.exclude(head__claim__kind=ClaimKind.LABEL).exists()
    assert Seat.objects.count() == 30 * 3, "everything that is wanted is there"
