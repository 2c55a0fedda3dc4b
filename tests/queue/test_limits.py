"""How much one annotator may judge, of a project and of a day: exact, however many tabs ask at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import F
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import projects, queue
from annotate.actions.judging import Answer, submit, undo
from annotate.integrity import violations
from annotate.models import Annotator, Claim, Judgment, Project
from annotate.reasons import in_words
from annotate.rules import Reason, Situation, why_not_now
from tests.api.client import Api
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db


def project_with(pairs: int, **settings: Any) -> Project:
    project = make_project(reserve_share=0, validation_share=0, **settings)
    for _ in range(pairs):
        make_comparison(make_pair(project))
    return project


def annotator_in(project: Project) -> Annotator:
    return make_annotator(project, make_member(project))


def take(annotator: Annotator) -> Claim:
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    return claim


def judge(annotator: Annotator, claim: Claim) -> None:
    answers = [Answer(id=uuid4(), comparison=one, verdict="a", strength=2) for one in claim.comparison_ids]
    submit(annotator=annotator, claim_id=claim.pk, answers=answers)


def judged_until_enough(annotator: Annotator) -> int:
    for number in range(1000):
        try:
            judge(annotator, take(annotator))
        except queue.Enough:
            return number
    raise AssertionError("it is never enough")


@pytest.mark.parametrize(
    ("share", "pairs", "most"), [(0.25, 20, 5), (0.29, 100, 29), (0.5, 3, 1), (0.01, 5, 1), (0.999, 4, 3)]
)
def test_of_a_project_its_share(share: float, pairs: int, most: int) -> None:
    project = project_with(pairs, most_share=share)
    ada = annotator_in(project)
    assert judged_until_enough(ada) == most
    assert judged_until_enough(annotator_in(project)) == most  # each for themselves
    with pytest.raises(queue.Enough, match="no one person judges more than"):
        take(ada)
    for _ in range(pairs):  # as many once more
        make_comparison(make_pair(project))
    assert judged_until_enough(ada) == max(1, int(share * 2 * pairs + 1e-9)) - most
    assert violations() == {}


def test_of_a_day_so_many() -> None:
    project = project_with(20, most_a_day=3)
    ada = annotator_in(project)
    assert judged_until_enough(ada) == 3
    with pytest.raises(queue.Enough, match=r"3 pairs a day.*in about \d+ h"):
        take(ada)
    # As if all that had been yesterday.
    Claim.objects.update(closed_at=F("closed_at") - timedelta(days=1))
    Annotator.objects.update(day=F("day") - timedelta(days=1))
    assert judged_until_enough(ada) == 3
    assert violations() == {}


def test_what_is_held_counts_and_may_be_finished() -> None:
    project = project_with(20, most_a_day=2, claims_in_hand=5)
    ada = annotator_in(project)
    held = [take(ada), take(ada)]
    with pytest.raises(queue.Enough):
        take(ada)
    projects.change_project(by=None, project=project, most_a_day=1)
    for claim in held:
        judge(ada, claim)
    assert Judgment.objects.filter(annotator=ada).count() == 2
    with pytest.raises(queue.Enough):
        take(ada)


def test_what_is_skipped_or_given_back_is_free_again() -> None:
    ada = annotator_in(project_with(20, most_a_day=1))
    queue.skip_claim(annotator=ada, claim_id=take(ada).pk, reason="other")
    queue.give_back(annotator=ada, claim_ids=[take(ada).pk])
    assert judged_until_enough(ada) == 1


def test_what_is_taken_back_counts_as_held_and_once() -> None:
    ada = annotator_in(project_with(20, most_a_day=2, claims_in_hand=5))
    first = take(ada)
    judge(ada, first)
    undo(annotator=ada, claim_id=first.pk, undo_id=uuid4())
    assert Annotator.objects.get().day_pairs == 0
    judge(ada, take(ada))
    with pytest.raises(queue.Enough):
        take(ada)
    answer = Answer(id=uuid4(), comparison=first.comparison_ids[0], verdict="b", strength=1)
    head = Judgment.objects.get(claim=first, superseded_by__isnull=True)
    submit(
        annotator=ada,
        claim_id=first.pk,
        answers=[Answer(**{**answer.__dict__, "supersedes": head.pk})],
    )
    assert Annotator.objects.get().day_pairs == 2
    assert violations() == {}


def test_a_pair_of_yesterday_that_is_taken_back_is_none_of_today() -> None:
    ada = annotator_in(project_with(20, most_a_day=9))
    old = take(ada)
    judge(ada, old)
    Claim.objects.update(closed_at=F("closed_at") - timedelta(days=1))
    Annotator.objects.update(day=F("day") - timedelta(days=1))
    judge(ada, take(ada))
    undo(annotator=ada, claim_id=old.pk, undo_id=uuid4())
    assert Annotator.objects.get().day_pairs == 1
    assert violations() == {}


def test_an_answer_that_was_late_over_midnight_counts_nothing_of_the_new_day() -> None:
    ada = annotator_in(project_with(20, most_a_day=9))
    tomorrow = timezone.now().astimezone(UTC).date() + timedelta(days=1)
    Annotator.objects.update(day=tomorrow)
    judge(ada, take(ada))
    found = Annotator.objects.get()
    assert (found.day, found.day_pairs, found.judged_pairs) == (tomorrow, 0, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [{"most_a_day": 7}, {"most_share": 0.175}])
def test_many_tabs_of_one_annotator_get_exactly_as_many(limit: dict[str, Any]) -> None:
    project = project_with(40, claims_in_hand=20, **limit)
    ada = annotator_in(project)
    start = threading.Barrier(8)

    def tab(number: int) -> int:
        got = 0
        try:
            start.wait()
            while True:
                claim = take(ada)
                got += 1
                if number % 2:  # the others hold what they have
                    judge(ada, claim)
        except queue.Enough:
            return got
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(tab, range(8))) == 7
    assert Claim.objects.count() == 7
    for claim in Claim.objects.filter(closed_at__isnull=True):
        judge(ada, claim)
    assert Annotator.objects.get().judged_pairs == 7
    assert violations() == {}


@given(
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    before=st.integers(-2, 1),
    judged=st.integers(0, 9),
    held=st.integers(0, 9),
    most=st.integers(0, 9),
)
def test_the_day_is_that_of_utc(now: datetime, before: int, judged: int, held: int, most: int) -> None:
    day = now.date() + timedelta(days=before)
    counted = (judged if before >= 0 else 0) + held
    here = Situation(held=held, most_held=10, day=day, day_judged=judged, most_a_day=most)
    reason = why_not_now(here, now.date())
    if most and counted >= most:
        assert reason is Reason.DAY_DONE
        assert f"in about {24 - now.hour}" in in_words(reason, here, now)
    else:
        assert reason is None


@pytest.mark.parametrize("wrong", [{"most_share": 0}, {"most_share": 1.1}, {"most_a_day": -1}])
def test_limits_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    project = make_project()
    with pytest.raises(ValidationError):
        projects.change_project(by=None, project=project, **wrong)


def test_the_api_says_that_it_is_enough() -> None:
    project = project_with(5, most_a_day=1)
    api = Api(make_member(project), project.slug)
    claim = api.claim().body
    api.submit(
        claim,
        {"id": str(uuid4()), "comparison": claim["comparisons"][0]["id"], "verdict": "a", "strength": 2},
    )
    refused = api.claim()
    assert refused.error == (409, "enough", "") and "Enough for today" in refused.text
    taken = api.post(f"projects/{project.slug}/offline/", {"ids": [str(uuid4())]})
    assert taken.error == (409, "enough", "")
    project.most_a_day = 2
    project.save()
    taken = api.post(f"projects/{project.slug}/offline/", {"ids": [str(uuid4()) for _ in range(3)]})
    assert (len(taken.body["claims"]), taken.body["why"]) == (1, "enough")
