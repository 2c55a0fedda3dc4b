"""Pausing a person: nothing new for them, nothing lost of theirs, and their pairs are asked of others at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.test import Client
from django.urls import reverse

from annotate.access import Deed, Denied, Unknown, may, projects_where, require
from annotate.actions import queue
from annotate.actions.judging import Answer, save_draft, submit, undo
from annotate.actions.members import change_role, pause_member, remove_member, resume_member
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    ClaimDraft,
    Judgment,
    Membership,
    Outcome,
    Project,
    Role,
    User,
)
from tests.admin.conftest import logged_in
from tests.api.client import Api
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(reserve_share=0, validation_share=0, claims_in_hand=3)
    for _ in range(8):
        make_comparison(make_pair(project), k=1)
    return project


@pytest.fixture
def ada(project: Project) -> Annotator:
    return make_annotator(project, make_member(project))


def membership_of(annotator: Annotator) -> Membership:
    return Membership.objects.get(project=annotator.project, user=annotator.user)


def take(annotator: Annotator) -> Claim:
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    return claim


def answers(claim: Claim) -> list[Answer]:
    return [Answer(id=uuid4(), comparison=one, verdict="a", strength=2) for one in claim.comparison_ids]


def judge(claim: Claim) -> Any:
    return submit(annotator=claim.annotator, claim_id=claim.pk, answers=answers(claim))


def test_who_is_paused_gets_nothing_and_gives_back_what_they_hold(project: Project, ada: Annotator) -> None:
    claims = [take(ada) for _ in range(3)]
    judge(claims[0])
    assert pause_member(by=None, membership=membership_of(ada), reason="Too fast to have read it.")
    assert not pause_member(by=None, membership=membership_of(ada))
    with pytest.raises(queue.Paused, match="Too fast to have read it"):
        queue.claim_next(annotator=ada, claim_id=uuid4())
    with pytest.raises(queue.Paused):
        queue.take_offline(annotator=ada, claim_ids=[uuid4()])
    assert list(Claim.objects.order_by("created_at").values_list("outcome", flat=True)) == [
        Outcome.SUBMITTED,
        Outcome.RELEASED,
        Outcome.RELEASED,
    ]
    # Others are asked what was given back.
    bob = make_annotator(project, make_member(project))
    served = set()
    while claim := queue.claim_next(annotator=bob, claim_id=uuid4()):
        served.add(claim.pair_id)
        judge(claim)
    assert {claim.pair_id for claim in claims[1:]} < served
    assert Judgment.objects.filter(annotator=ada).count() == 1
    assert violations() == {}


def test_what_is_on_its_way_is_taken(ada: Annotator) -> None:
    begun, finished, submitted = (take(ada) for _ in range(3))
    first = answers(submitted)
    submit(annotator=ada, claim_id=submitted.pk, answers=first)
    pause_member(by=None, membership=membership_of(ada))
    save_draft(annotator=ada, claim_id=begun.pk, draft={"rows": []})
    assert ClaimDraft.objects.filter(claim=begun).exists()
    receipt = judge(finished)
    assert receipt.late and Judgment.objects.filter(claim=finished).count() == 1
    # Sent once more, as an outbox does that heard no answer: acknowledged again, stored once.
    assert submit(annotator=ada, claim_id=submitted.pk, answers=first).saved == [one.id for one in first]
    assert Judgment.objects.filter(annotator=ada).count() == 2
    with pytest.raises(queue.Paused):  # it would hold a pair again
        undo(annotator=ada, claim_id=submitted.pk, undo_id=uuid4())
    assert violations() == {}


def test_who_is_resumed_goes_on_where_they_were(ada: Annotator) -> None:
    claim = take(ada)
    pause_member(by=None, membership=membership_of(ada))
    assert resume_member(by=None, membership=membership_of(ada))
    assert not resume_member(by=None, membership=membership_of(ada))
    served = set()
    while again := queue.claim_next(annotator=ada, claim_id=uuid4()):
        served.add(again.pair_id)
        judge(again)
    assert claim.pair_id in served and len(served) == 8
    assert list(AuditEntry.objects.order_by("pk").values_list("deed", flat=True)) == [
        "pause member",
        "resume member",
    ]


def test_managers_alone_pause_and_nobody_themselves(project: Project, ada: Annotator) -> None:
    membership = membership_of(ada)
    for role, error in ((None, Unknown), (Role.ANNOTATOR, Denied), (Role.REVIEWER, Denied)):
        user = make_user(password=None) if role is None else make_member(project, role)
        for deed in (pause_member, resume_member):
            with pytest.raises(error):
                deed(by=user, membership=membership)
    manager = make_member(project, Role.MANAGER)
    with pytest.raises(ValidationError, match="yourself"):
        pause_member(by=manager, membership=Membership.objects.get(user=manager))
    assert pause_member(by=manager, membership=membership)


@pytest.mark.parametrize("role", list(Role))
def test_who_is_paused_sees_nothing_of_others(project: Project, role: Role) -> None:
    user = make_member(project, role)
    pause_member(by=None, membership=Membership.objects.get(user=user))
    assert may(user, Deed.ANNOTATE, project)  # to hand in what was begun
    require(user, Deed.ANNOTATE, project)
    assert list(projects_where(user, Deed.ANNOTATE)) == [project]
    for deed in (Deed.SEE_JUDGMENTS, Deed.MANAGE):
        assert not may(user, deed, project)
        assert not projects_where(user, deed).exists()
        with pytest.raises(Denied):
            require(user, deed, project)
    client = logged_in(user)
    assert client.get(reverse("dashboard", args=[project.slug])).status_code == 404
    assert client.get("/admin/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_no_claim_survives_a_pause_that_races_it() -> None:
    project = make_project(reserve_share=0, validation_share=0, claims_in_hand=10)
    for _ in range(60):
        make_comparison(make_pair(project), k=2)
    annotators = [make_annotator(project, make_member(project)) for _ in range(3)]
    begun = {annotator.pk: threading.Event() for annotator in annotators}
    claimed: list[int] = []

    def claim(annotator: Annotator) -> None:
        try:
            while True:
                try:
                    queue.claim_next(annotator=annotator, claim_id=uuid4())
                    claimed.append(annotator.pk)
                    begun[annotator.pk].set()
                except queue.HandFull:
                    continue
        except queue.Paused:
            return
        finally:
            connections.close_all()

    def pause(annotator: Annotator) -> None:
        try:
            membership = membership_of(annotator)
            begun[annotator.pk].wait()
            pause_member(by=None, membership=membership)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(9) as threads:
        work = [threads.submit(claim, annotator) for annotator in annotators for _ in range(2)]
        work += [threads.submit(pause, annotator) for annotator in annotators]
        for done in work:
            done.result()
    assert set(claimed) == set(begun)
    assert not Claim.objects.filter(closed_at__isnull=True).exists()
    assert violations() == {}


def test_home_and_api_tell_it(ada: Annotator) -> None:
    assert isinstance(ada.user, User)
    pause_member(by=None, membership=membership_of(ada), reason="A talk first, please.")
    client = Client()
    client.force_login(ada.user, backend="webapp.sessions.Accounts")
    page = client.get("/").content.decode()
    assert "you are paused" in page and "A talk first, please." in page
    assert reverse("judge", args=[ada.project.slug]) not in page
    refused = Api(ada.user, ada.project.slug).claim()
    assert refused.error[:2] == (409, "paused")
    resume_member(by=None, membership=membership_of(ada))
    assert "you are paused" not in client.get("/").content.decode()


def test_buttons_and_lists_pause_and_resume(project: Project, ada: Annotator) -> None:
    manager = make_member(project, Role.MANAGER)
    client = logged_in(manager)
    pk = membership_of(ada).pk
    act = reverse("admin:annotate_membership_act", args=[pk, "pause"])
    assert client.post(act, {"reason": "A talk first."}, follow=True).status_code == 200
    assert membership_of(ada).pause_reason == "A talk first."
    client.post(reverse("admin:annotate_membership_act", args=[pk, "resume"]))
    assert membership_of(ada).paused_at is None
    own = Membership.objects.get(user=manager).pk
    listed = reverse("admin:annotate_membership_changelist")
    told = client.post(listed, {"action": "pause", "_selected_action": [pk, own]}, follow=True)
    assert "Paused: 1." in told.content.decode() and "cannot pause yourself" in told.content.decode()
    client.post(listed, {"action": "resume", "_selected_action": [pk, own]})
    assert not Membership.objects.filter(paused_at__isnull=False).exists()


def test_a_member_who_has_gone_meanwhile_is_said_to_be_none(ada: Annotator) -> None:
    membership = membership_of(ada)
    Membership.objects.filter(pk=membership.pk).delete()
    for deed in (
        pause_member,
        resume_member,
        remove_member,
        partial(change_role, role=Role.MANAGER),
    ):
        with pytest.raises(ValidationError, match="is no member any more"):
            deed(by=None, membership=membership)
    assert not AuditEntry.objects.filter(deed__in=("pause member", "remove member", "change role")).exists()
