"""Annotators withdraw themselves: erased or without a name, releases marked, and never half done in a race."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.access import Unknown
from annotate.actions import queue, withdrawal
from annotate.actions.consents import answer_consent, make_consent_text
from annotate.actions.judging import Answer, submit
from annotate.actions.people import annotator_for
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    ClaimDraft,
    Consent,
    Judgment,
    Project,
    Release,
    Seat,
    User,
    Withdrawal,
)
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_member,
    make_pair,
    make_project,
    make_user,
)


def begun(**fields: Any) -> tuple[Project, User, Annotator]:
    """A project in which an annotator has judged one pair, skipped one with a note and holds one with a draft."""
    project = make_project(reserve_share=0, validation_share=0, claims_in_hand=3, **fields)
    user = make_member(project)
    make_consent_text(by=None, project=project, text="We keep it.")
    answer_consent(user=user, project=project, version=1, given=True)
    annotator = annotator_for(user, project)
    for _ in range(4):
        make_comparison(make_pair(project))
    first, second, third = (queue.claim_next(annotator=annotator, claim_id=uuid4()) for _ in range(3))
    assert first and second and third
    answer = Answer(
        id=uuid4(), comparison=first.comparison_ids[0], verdict="a", strength=2, rationale="Because."
    )
    submit(annotator=annotator, claim_id=first.pk, answers=[answer])
    queue.skip_claim(annotator=annotator, claim_id=second.pk, reason="other", note="I know this author.")
    ClaimDraft.objects.create(claim=third, body="{}", saved_at=timezone.now())
    return project, user, annotator


@pytest.mark.django_db
def test_erased_with_releases_marked(tmp_path: Any) -> None:
    project, user, _ = begun(withdrawal="erase")
    call_command("export_bench", "--project", project.slug, "--out", str(tmp_path / "with"))
    other = make_comparison(make_pair(project), k=1)
    assert withdrawal.withdraw_myself(user=user, project=project) == Withdrawal.ERASE
    assert violations() == {}
    judge(other, "tie")
    call_command("export_bench", "--project", project.slug, "--out", str(tmp_path / "without"))
    assert [release.superseded_at is not None for release in Release.objects.order_by("frozen_at")] == [
        True,
        False,
    ]
    assert (
        not Annotator.objects.filter(user=user).exists()
        and not project.memberships.filter(user=user).exists()
    )
    assert Judgment.objects.count() == 1 and not Consent.objects.exists() and not ClaimDraft.objects.exists()
    entry = AuditEntry.objects.get(deed="withdraw oneself")
    assert (entry.by, entry.subject) == (user, f"project {project.pk}") and entry.details == {
        "judgments": "erase"
    }
    with pytest.raises(Unknown):
        withdrawal.withdraw_myself(user=user, project=project)


@pytest.mark.django_db
def test_kept_without_a_name() -> None:
    project, user, before = begun(withdrawal="anonymise")
    assert withdrawal.withdraw_myself(user=user, project=project) == Withdrawal.ANONYMISE
    after = Annotator.objects.get(pk=before.pk)
    assert after.user is None and after.pseudonym != before.pseudonym
    assert Judgment.objects.filter(annotator=after).count() == 1
    assert Seat.objects.filter(annotator=after, head__isnull=True).count() == 0  # what was in hand is free
    assert not ClaimDraft.objects.exists() and not Claim.objects.exclude(note="").exists()
    assert not project.memberships.filter(user=user).exists() and violations() == {}
    trail = " ".join(f"{entry.subject} {entry.details}" for entry in AuditEntry.objects.filter(by=user))
    assert "annotator" not in trail and before.pseudonym not in trail and after.pseudonym not in trail
    with pytest.raises(Unknown):
        withdrawal.withdraw_myself(user=user, project=project)


@pytest.mark.django_db
@pytest.mark.parametrize("policy", Withdrawal)
def test_the_page_tells_it_and_wants_the_password(policy: Withdrawal) -> None:
    project, user, _ = begun(withdrawal=policy)
    client = Client()
    client.force_login(user, backend="webapp.sessions.Accounts")
    url = reverse("withdraw", args=[project.slug])
    assert url in client.get("/").content.decode()
    told = client.get(url).content.decode()
    assert ("is deleted, with its reasons" in told) == (policy == Withdrawal.ERASE)
    assert ("under a new pseudonym" in told) == (policy == Withdrawal.ANONYMISE)
    refused = client.post(url, {"password": "wrong"})
    assert refused.status_code == 400 and b"Nothing was changed" in refused.content
    assert Annotator.objects.filter(user=user).exists()
    assert client.post(url, {"password": "pass"})["Location"] == "/"
    assert not Annotator.objects.filter(user=user).exists()
    assert client.get(url).status_code == 404


@pytest.mark.django_db
def test_who_left_or_has_no_password_can_withdraw_too() -> None:
    project = make_project()
    user = make_member(project, user=make_user(password=None))
    judge(make_comparison(make_pair(project)), "tie", make_annotator(project, user))
    project.memberships.all().delete()
    client = Client()
    client.force_login(user, backend="webapp.sessions.Accounts")
    url = reverse("withdraw", args=[project.slug])
    assert url in client.get("/").content.decode()
    assert client.post(url, {"password": "yes"}).status_code == 400
    client.post(url, {"password": project.slug})
    assert not Judgment.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("policy", Withdrawal)
def test_withdrawing_while_submitting_and_claiming_leaves_all_invariants(policy: Withdrawal) -> None:
    project = make_project(reserve_share=0, validation_share=0, claims_in_hand=12, withdrawal=policy)
    for _ in range(30):
        make_comparison(make_pair(project), k=2)
    queue.fill_queue(project.pk, 30)
    leaver, stayers = make_member(project), [make_annotator(project) for _ in range(2)]
    mine = annotator_for(leaver, project)
    held = [queue.claim_next(annotator=mine, claim_id=uuid4()) for _ in range(12)]
    start = threading.Barrier(4)
    told: list[str] = []

    def once(annotator: Annotator, claim: Claim) -> None:
        answer = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict="a", strength=2)
        submit(annotator=annotator, claim_id=claim.pk, answers=[answer])

    def gone_on(annotator: Annotator, claims: list[Claim | None]) -> None:
        start.wait()
        for claim in claims or [None] * 12:
            try:
                claim = claim or queue.claim_next(annotator=annotator, claim_id=uuid4())
                if claim:
                    once(annotator, claim)
                    told.append("stored")
            except Unknown:
                told.append("gone")

    def leave() -> None:
        start.wait()
        withdrawal.withdraw_myself(user=leaver, project=project)

    def run(act: Any) -> None:
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        acts = [lambda: gone_on(mine, held), leave, *(lambda s=one: gone_on(s, []) for one in stayers)]
        for _ in pool.map(run, acts):
            pass
    assert violations() == {}
    assert not Annotator.objects.filter(user=leaver).exists()
    if policy == Withdrawal.ERASE:
        assert not Judgment.objects.filter(annotator=mine.pk).exists()
        assert not Seat.objects.filter(annotator=mine.pk).exists()
    assert told.count("stored") > 12


@pytest.mark.django_db(transaction=True)
def test_withdrawing_twice_at_once_is_once() -> None:
    project, user, _ = begun()

    def leave(_: int) -> bool:
        try:
            withdrawal.withdraw_myself(user=user, project=project)
            return True
        except Unknown:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(leave, range(4))) == 1
    assert AuditEntry.objects.filter(deed="withdraw oneself").count() == 1 and violations() == {}
