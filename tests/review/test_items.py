"""Review items follow from seats, k, scores and settings by themselves, and the queue is read from them."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from annotate import review
from annotate.actions.jobs import run_job
from annotate.actions.judging import Answer, submit, undo
from annotate.actions.projects import change_project
from annotate.actions.review import refresh_items
from annotate.actions.withdrawal import withdraw_annotator
from annotate.integrity import violations
from annotate.models import (
    Claim,
    Comparison,
    DataImport,
    Job,
    JobKind,
    Project,
    ReviewItem,
    ReviewState,
    Revision,
    Score,
    Seat,
)
from annotate.review import Place, Wanted
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db


def judged(project: Project, verdicts: Sequence[str], **fields: Any) -> Comparison:
    """A comparison with these counted verdicts, each of another annotator."""
    criterion = fields.pop("criterion", "Which answer is better?")
    pair = make_pair(project, **fields)
    comparison = make_comparison(pair, criterion, k=max(len(verdicts), 1))
    for verdict in verdicts:
        judge(comparison, verdict)
    return comparison


def lies() -> list[str]:
    """Rules of review that are broken."""
    return [rule for rule in violations() if "review" in rule or "resolution" in rule]


def item_of(comparison: Comparison) -> ReviewItem:
    return ReviewItem.objects.get(comparison=comparison)


def make_revision(project: Project, number: int = 1, **fields: Any) -> Revision:
    given: dict[str, Any] = {
        "backend": "builtin",
        "artefact": f"file {project.pk} {number}",
        "artefact_sha256": b"\0" * 32,
        "artefact_size": 1,
        "read_at": timezone.now(),
        "newest_judgment": uuid4(),
        "judgments": 1,
        "comparisons": 1,
        "seconds": 1,
        "scored_at": timezone.now(),
        "promoted_at": timezone.now(),
    }
    return Revision.objects.create(project=project, number=number, **given | fields)


def scored(revision: Revision, comparison: Comparison, margin: float, variance: float = 0) -> None:
    Score.objects.create(
        revision=revision, comparison=comparison, margin=margin, p_tie=0, variance=variance, bald=0
    )


@pytest.mark.parametrize(
    ("verdicts", "people"),
    [
        (["response1", "response2"], 1),
        (["response1", "response1", "response2"], 2 / 3),
        (["response1", "response2", "tie"], 2 / 3),
        (["response1", "tie"], 1 / 2),
        (["response1", "response1", "tie"], 0),  # the majority has two thirds, and nobody chose the other
        (["response1"] * 4 + ["response2"], 0.4),
        (["response1"] * 3, 0),
        (["response2"] * 3, 0),
        (["tie", "tie"], 0),
        (["response1", "cannot_tell", "media_broken"], 0),
        (["response1", "cannot_tell", "response2"], 1),
    ],
)
def test_how_far_verdicts_lie_apart(verdicts: list[str], people: float) -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project), k=len(verdicts))
    for verdict in verdicts:
        judge(comparison, verdict, broken="response1" if verdict == "media_broken" else "")
    item = item_of(comparison)
    assert item.people == pytest.approx(people, abs=1e-6)
    assert (item.strength, item.model, item.state) == (item.people, 0, ReviewState.OPEN)
    assert item.response1 + item.response2 + item.tie + item.other == len(verdicts)


class TestRule(TestCase):
    """Whatever is counted: by the definition, computed anew over all pairs of verdicts."""

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.sampled_from(["response1", "response2", "tie", "cannot_tell"]), min_size=1, max_size=6),
        st.sampled_from([0, 0.5, 0.6, 0.75, 1]),
    )
    def test_it_is_the_mean_distance_of_two(self, verdicts: list[str], majority: float) -> None:
        project = make_project(review_majority=majority)
        found = item_of(judged(project, verdicts)).people
        places = [
            {"response1": 0, "tie": 0.5, "response2": 1}[one] for one in verdicts if one != "cannot_tell"
        ]
        conflict = False
        if len(places) > 1:
            most = max(places.count(place) for place in set(places)) / len(places)
            conflict = {0, 1} <= set(places) or most < majority
        apart = [abs(x - y) for n, x in enumerate(places) for y in places[:n]]
        expected = sum(apart) / len(apart) if conflict else 0
        assert math.isclose(found, expected, abs_tol=1e-6)


def test_it_is_no_conflict_before_it_is_full() -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project), k=3)
    judge(comparison, "response1")
    judge(comparison, "response2")
    assert item_of(comparison).strength == 0
    assert review.after(project, Wanted(), None, 10) == []
    judge(comparison, "tie")
    assert item_of(comparison).strength > 0
    assert [one.comparison_id for one in review.after(project, Wanted(), None, 10)] == [comparison.pk]
    Comparison.objects.filter(pk=comparison.pk).update(k=4)  # asked again
    assert item_of(comparison).strength == 0


def test_it_follows_what_annotators_do() -> None:
    project = make_project(scale=3)
    first, second = make_annotator(project), make_annotator(project, judged_pairs=1)
    comparison = make_comparison(make_pair(project), k=2)
    judge(comparison, "response1", first)
    other = judge(comparison, "response2", second)
    assert item_of(comparison).people == 1
    assert other.claim
    revision = Answer(id=uuid4(), comparison=comparison.pk, verdict="a", supersedes=other.pk)
    submit(annotator=second, claim_id=other.claim.pk, answers=[revision])
    assert (item_of(comparison).response1, item_of(comparison).people) == (2, 0)
    undo(annotator=second, claim_id=other.claim.pk, undo_id=uuid4())
    assert item_of(comparison).response1 == 1
    withdraw_annotator(by=None, annotator=first)
    assert not ReviewItem.objects.exists(), "nobody has judged it any more"
    assert lies() == []


def test_the_model_is_against_people_only_where_it_is_sure() -> None:
    project = make_project(review_against=0.9)
    revision = make_revision(project)
    for verdicts, margin, variance, against in [
        (["response1"] * 2, -3, 0, 0.952574),
        (["response2"] * 2, 3, 0, 0.952574),
        (["response1"] * 2, 3, 0, 0),  # it agrees
        (["response1"] * 2, -2, 0, 0),  # 0.88
        (["response1"] * 2, -3, 8, 0),  # far, but not sure
        (["tie"] * 2, -9, 0, 0),  # the margin tells nothing of ties
        (["response1", "response2"], -9, 0, 0),  # there is no majority
        (["response1"] * 2, -1e9, 1, 1.0),
    ]:
        comparison = make_comparison(make_pair(project), k=2)
        scored(revision, comparison, margin, variance)
        for verdict in verdicts:
            judge(comparison, verdict)
        assert item_of(comparison).model == pytest.approx(against, abs=1e-6), (verdicts, margin, variance)


def test_the_score_of_the_current_revision_counts() -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response1"])
    now = timezone.now()
    first = make_revision(project, 1, promoted_at=now)
    scored(first, comparison, 5)
    scored(make_revision(project, 2, promoted_at=None), comparison, -5)
    later = make_revision(project, 3, promoted_at=now + timedelta(hours=1), scored_at=None)
    scored(later, comparison, -5)
    assert item_of(comparison).model == 0, "scores alone change nothing"
    list(refresh_items(project))
    assert item_of(comparison).model == 0, (
        "the first: nobody promoted the second, the third has not scored the pool"
    )
    shown = review.reviewed(project, comparison.pk).model
    assert shown and shown.revision == 1
    Revision.objects.filter(pk=later.pk).update(scored_at=now)
    list(refresh_items(project))
    assert item_of(comparison).model > 0.99
    shown = review.reviewed(project, comparison.pk).model
    assert (
        shown
        and shown.revision == 3
        and shown.p_response1 == pytest.approx(1 - item_of(comparison).model, abs=1e-6)
    )
    Revision.objects.filter(pk=first.pk).update(promoted_at=now + timedelta(hours=2))
    list(refresh_items(project))
    assert item_of(comparison).model == 0, "rolled back to the first"


def test_what_the_current_revision_has_not_scored_goes_by_the_one_before() -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response1"])
    now = timezone.now()
    scored(make_revision(project, 1, promoted_at=now), comparison, -5)
    make_revision(project, 2, promoted_at=now + timedelta(hours=1))
    list(refresh_items(project))
    assert item_of(comparison).model > 0.99
    shown = review.reviewed(project, comparison.pk).model
    assert shown and shown.revision == 1


def test_settings_count_at_once_for_all() -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response1", "tie"])
    assert item_of(comparison).people == 0
    change_project(by=None, project=project, review_majority=0.7)
    run_job(Job.objects.get(kind=JobKind.REVIEW).pk, by_hand=True)
    assert item_of(comparison).people == pytest.approx(1 / 3, abs=1e-6)
    change_project(by=None, project=project, name="Another name")
    assert Job.objects.filter(kind=JobKind.REVIEW).count() == 1


def test_the_strongest_come_first_and_pages_go_by_place() -> None:
    project, other = make_project(), make_project()
    judged(other, ["response1", "response2"])
    made = [
        judged(project, verdicts)
        for verdicts in (
            ["response1", "response2"],
            ["response1", "response1", "response2"],
            ["response1", "tie"],
            ["response2", "response1"],
            ["response1", "response1"],
            ["response1"] * 4 + ["response2"],
        )
    ]
    order = [made[n].pk for n in (0, 3, 1, 2, 5)]
    found, place = [], None
    while some := review.after(project, Wanted(), place, 2):
        found += [one.comparison_id for one in some]
        place = Place.of(some[-1])
    assert found == order
    assert place
    back = review.before(project, Wanted(), place, 10)
    assert [one.comparison_id for one in back] == order[:-1]
    assert review.waiting(project) == {"open": 5, "sent_back": 0, "settled": 0}


def test_filters() -> None:
    project = make_project()
    people = judged(project, ["response1", "response2"], criterion="Which is kinder?")
    model = judged(project, ["response1", "response1"], task_type="text_to_image")
    scored(make_revision(project), model, -9)
    list(refresh_items(project))

    def ids(**wanted: Any) -> list[int]:
        return [one.comparison_id for one in review.after(project, Wanted(**wanted), None, 10)]

    assert ids() == [people.pk, model.pk]
    assert (ids(kind="people"), ids(kind="model")) == ([people.pk], [model.pk])
    assert ids(criterion=people.criterion_id) == [people.pk]
    assert ids(task_type="text_to_image") == [model.pk]
    assert ids(state=ReviewState.SETTLED) == []


def test_what_an_import_has_not_published_is_not_there() -> None:
    project = make_project()
    job = Job.objects.create(kind=JobKind.IMPORT, project=project)
    hidden = DataImport.objects.create(project=project, job=job, spec={})
    comparison = judged(project, ["response1", "response2"])
    Comparison.objects.filter(pk=comparison.pk).update(data_import=hidden)
    assert review.after(project, Wanted(), None, 10) == []
    with pytest.raises(review.Unknown):
        review.reviewed(project, comparison.pk)
    DataImport.objects.filter(pk=hidden.pk).update(visible=True)
    assert len(review.after(project, Wanted(), None, 10)) == 1


def test_a_page_of_the_queue_is_one_statement() -> None:
    project = make_project()
    for _ in range(12):
        judged(project, ["response1", "response2"])
    with CaptureQueriesContext(
        connection,
    ) as few:
        for item in review.after(project, Wanted(), None, 2):
            assert item.comparison.pair.prompt.turns and item.criterion.text
    with CaptureQueriesContext(connection) as many:
        for item in review.after(project, Wanted(), None, 12):
            assert item.comparison.pair.prompt.turns and item.criterion.text
    assert len(few) == len(many) == 1


def test_verify_finds_items_that_lie() -> None:
    comparison = judged(make_project(), ["response1", "response2"])
    assert lies() == []
    ReviewItem.objects.filter(comparison=comparison).update(response1=2)
    assert lies() == ["a review item tells other verdicts than are counted"]
    ReviewItem.objects.all().delete()
    assert lies() == ["a judged comparison that review does not know"]


def test_a_claim_that_is_only_held_is_no_verdict() -> None:
    project = make_project()
    comparison = make_comparison(make_pair(project), k=2)
    judgment = judge(comparison, "response1")
    held = judge(comparison, "response2", seated=False)
    assert held.claim_id
    Claim.objects.filter(pk=held.claim_id).update(
        outcome="", closed_at=None, expires_at=timezone.now() + timedelta(hours=1)
    )
    Seat.objects.create(comparison=comparison, n=2, k=2, annotator=held.annotator, claim=held.claim)
    assert (item_of(comparison).response1, item_of(comparison).response2) == (1, 0)
    assert judgment.seat.n == 1
