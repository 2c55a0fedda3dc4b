"""The page on which managers see training, quiz and attention checks, and what they can do there."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate import qualifications, quality
from annotate.actions import queue
from annotate.actions.gold import mark_gold
from annotate.actions.judging import Answer, submit
from annotate.actions.people import annotator_for
from annotate.exports.freeze import freeze
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    Claim,
    ClaimKind,
    FrozenJudgment,
    Gold,
    Job,
    Membership,
    Partition,
    Project,
    Qualification,
    Release,
    Role,
    Seat,
)
from annotate.reports import full_report
from annotate.tallies import judged_units
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project
from tests.queue.controls import answer_all, control
from tests.queue.trying import answered, broken, claim, gated, trained, tried

pytestmark = pytest.mark.django_db


def signed_in(project: Project, role: Role = Role.MANAGER) -> Client:
    client = Client()
    client.force_login(make_member(project, role), backend="webapp.sessions.Accounts")
    return client


def page(client: Client, project: Project, **sent: Any) -> Any:
    url = reverse("training", args=[project.slug])
    return client.post(url, sent) if sent else client.get(url)


def test_each_item_and_each_person_is_told() -> None:
    project = gated(training=1, quiz=2, quiz_share=1, quiz_wait=0)
    client = signed_in(project)
    for n in range(4):
        annotator = annotator_for(make_member(project), project)
        trained(annotator, 1)
        tried(annotator, False, n == 0)
        again = claim(annotator)  # the next attempt, at once
        assert again.kind == ClaimKind.QUIZ
    quiz = qualifications.items_of(project, "quiz")
    assert [(one.right, one.wrong, one.doubtful) for one in quiz] == [(0, 4, True), (1, 3, True)]
    told = [(one.told, one.attempts) for one in qualifications.standings(project)]
    assert sorted(told) == [("not begun", 0), *[("not passed yet", 1)] * 4]
    shown = page(client, project).content.decode()
    assert shown.count("Most get it wrong") == 2 and "failed: 1 of 2 right, 2 needed" in shown
    assert page(signed_in(project, Role.REVIEWER), project).status_code == 404


def test_order_rounds_and_letting_in_by_the_page() -> None:
    project = gated(training=2, quiz=1)
    client = signed_in(project)
    first, second = (one.pair_id for one in qualifications.items_of(project, "training"))
    page(client, project, do="down", part="training", pair=first)
    assert [one.pair_id for one in qualifications.items_of(project, "training")] == [second, first]
    page(client, project, do="up", part="training", pair=first)
    page(client, project, do="up", part="training", pair=first)  # it is the first already
    assert [one.pair_id for one in qualifications.items_of(project, "training")] == [first, second]
    annotator = annotator_for(make_member(project), project)
    Annotator.objects.filter(pk=annotator.pk).update(judged_pairs=1)
    assert page(client, project, do="let-in", reason=" ").status_code == 400
    page(client, project, do="let-in", reason="They know the rules.")
    assert Qualification.objects.get().reason == "They know the rules."
    page(client, project, do="again")
    project.refresh_from_db()
    assert project.qualify_round == 2 and claim(annotator).kind == ClaimKind.TRAINING
    for wrong in (
        {"do": "up", "part": "gold", "pair": first},
        {"do": "up", "part": "quiz", "pair": first},
        {"do": "up", "part": "quiz", "pair": "\u00b2"},
        {"do": "dance"},
    ):
        assert page(client, project, **wrong).status_code == 400


def checking(checks: int = 3) -> Project:
    """A project with attention checks under a criterion that is not objective, and gold beside them."""
    project = make_project(
        attention_share=0.5, claims_in_hand=40, split_ties=False, reserve_share=0, validation_share=0
    )
    for n in range(checks + 4):
        comparison = make_comparison(make_pair(project), "Which do you like?")
        if n < checks:
            mark_gold(by=None, comparison=comparison, verdict="response1", kind="attention")
    return project


def test_attention_checks_are_told_apart_from_gold_and_count_for_nothing() -> None:
    project = checking()
    annotator = make_annotator(project)
    passed, missed, unseen = (control(annotator) for _ in range(3))
    assert passed and missed and unseen and {passed.kind, missed.kind} == {"attention"}
    answered(passed)
    answered(missed, right=False)
    broken(unseen)
    assert [vars_of(one) for one in quality.attention_by_annotator(project)] == [
        (annotator.pseudonym, 1, 1, 1)
    ]
    [told] = quality.missed_checks(project)
    assert (told.pair_id, told.said, told.known) == (missed.pair_id, "response2", "response1")
    real = control(annotator)
    assert real and real.kind == ClaimKind.LABEL, "each check is asked once"
    answer_all(real)
    row = full_report(project, timezone.now().date())["annotators"]["rows"][0]
    assert (row["checked"], row["known"]) == (2, 0) and row["passed"] != row["accuracy"]
    assert Seat.objects.count() == 1 and len(judged_units(project, Partition.TRAIN)) == 1
    job = Job.objects.create(kind="release", project=project)
    release = Release.objects.create(
        project=project, job=job, recipe={"sources": None}, pseudonym_key="0" * 64
    )
    freeze(release)
    standings = FrozenJudgment.objects.values_list("standing", flat=True).order_by("standing")
    assert list(standings) == ["attention"] * 3 + ["counted"]
    assert violations() == {}


def vars_of(one: quality.Checks) -> tuple[str, int, int, int]:
    return (one.pseudonym, one.passed, one.missed, one.other)


def test_a_check_that_was_skipped_or_not_seen_counts_against_nobody() -> None:
    project = checking(2)
    annotator = make_annotator(project)
    skipped, unseen = control(annotator), control(annotator)
    assert skipped and unseen
    queue.skip_claim(annotator=annotator, claim_id=skipped.pk, reason="unclear")
    wrong = Answer(
        id=uuid4(),
        comparison=unseen.comparison_ids[0],
        verdict="a" if unseen.flip else "b",
        strength=2,
        viewing={"failed": True},
    )
    submit(annotator=annotator, claim_id=unseen.pk, answers=[wrong])
    assert [vars_of(one) for one in quality.attention_by_annotator(project)] == [
        (annotator.pseudonym, 0, 0, 2)
    ]
    assert quality.missed_checks(project) == []


def test_what_a_member_came_to_stands_on_their_page_in_the_administration() -> None:
    project = gated(quiz=1, quiz_attempts=1)
    user = make_member(project)
    annotator = annotator_for(user, project)
    trained(annotator)
    tried(annotator, False)
    with pytest.raises(queue.NotQualified):
        claim(annotator)
    client = signed_in(project)
    membership = Membership.objects.get(user=user)
    base = reverse("admin:annotate_membership_change", args=[membership.pk])
    assert "not in" in client.get(base).content.decode()
    act = base.replace("/change/", "/act/")
    client.post(f"{act}forgive/")
    assert claim(annotator).kind == ClaimKind.QUIZ
    client.post(f"{act}let-in/", {"reason": "I have seen her work."})
    assert "let in by a manager" in client.get(base).content.decode()
    assert Claim.objects.filter(kind="label").count() == 0 and claim(annotator).kind == ClaimKind.LABEL
    assert Gold.objects.filter(kind="quiz").count() == 1
