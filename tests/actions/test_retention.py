"""What is not kept for ever goes when it is due, once, is told, and nothing else goes with it."""

from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.utils import timezone

from annotate.actions import projects, queue, retention
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    ClaimDraft,
    Judgment,
    Outcome,
    Project,
    ProjectState,
    User,
)
from tests.factories import judge, make_annotator, make_comparison, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db
NOW = datetime(2030, 6, 1, tzinfo=timezone.get_current_timezone())


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def closed(project: Project, when: datetime) -> Project:
    projects.close_project(by=None, project=project)
    Project.objects.filter(pk=project.pk).update(closed_at=when)
    project.refresh_from_db()
    return project


def done(now: datetime = NOW) -> list[tuple[str, dict[str, int]]]:
    return [(str(step), counts) for step, counts in retention.apply_retention(now)]


def test_links_are_cut_so_many_days_after_closing() -> None:
    project = make_project(slug="old", unlink_days=30)
    annotator = make_annotator(project, make_member(project))
    judge(make_comparison(make_pair(project)), "tie", annotator)
    Annotator.objects.filter(pk=annotator.pk).update(judged_pairs=1)
    assert done() == []  # it is open
    closed(project, days_ago(29))
    assert done() == []
    closed(project, days_ago(30))
    assert done() == [("old: cut links to accounts", {"accounts": 1})]
    annotator.refresh_from_db()
    assert annotator.user is None and Judgment.objects.filter(annotator=annotator).count() == 1
    entry = AuditEntry.objects.get(deed="cut links to accounts")
    assert (entry.by, entry.project, entry.details) == (None, project, {"accounts": 1})
    assert done() == [] and AuditEntry.objects.filter(deed="cut links to accounts").count() == 1
    assert violations() == {}


def test_opening_again_stops_the_clock() -> None:
    project = closed(make_project(unlink_days=1), days_ago(9))
    make_annotator(project, make_member(project))
    projects.open_project(by=None, project=project)
    assert project.closed_at is None and done() == []
    projects.close_project(by=None, project=project)
    project.refresh_from_db()
    assert project.state == ProjectState.CLOSED and project.closed_at and project.closed_at <= timezone.now()


def test_without_a_setting_nothing_goes() -> None:
    project = closed(make_project(), days_ago(9_000))
    make_annotator(project, make_member(project))
    assert done() == []


def test_simulated_accounts_stay_with_their_demo() -> None:
    project = closed(make_project(unlink_days=1, demo=True), days_ago(9))
    user = make_member(project)
    User.objects.filter(pk=user.pk).update(simulated=True)
    make_annotator(project, user)
    assert done() == []


def test_drafts_and_notes_of_what_nobody_holds_go() -> None:
    project = make_project(slug="notes", forget_days=10)
    other = make_project()
    claims = []
    for place, age, outcome in (
        (project, 11, Outcome.SKIPPED),
        (project, 9, Outcome.SKIPPED),
        (project, 11, Outcome.HELD),
        (other, 11, Outcome.SKIPPED),
    ):
        claim = judge(make_comparison(make_pair(place)), "tie", seated=False).claim
        assert claim
        ended = None if outcome == Outcome.HELD else days_ago(age)
        Claim.objects.filter(pk=claim.pk).update(
            outcome=outcome, closed_at=ended, note="because", skip_reason="other"
        )
        ClaimDraft.objects.create(claim=claim, body="{}", saved_at=days_ago(age))
        claims.append(claim)
    assert done() == [("notes: forget drafts and notes", {"drafts": 1, "notes": 1})]
    for claim in claims:
        claim.refresh_from_db()
    assert [claim.note for claim in claims] == ["", "because", "because", "because"]
    assert claims[0].skip_reason == "other"  # why pairs are skipped is still known
    assert set(ClaimDraft.objects.values_list("claim_id", flat=True)) == {claim.pk for claim in claims[1:]}
    assert done() == []


def test_records_of_failed_logins_go(settings: Any) -> None:
    fields = {
        "username": "eve",
        "ip_address": "192.0.2.1",
        "user_agent": "",
        "http_accept": "",
        "path_info": "",
    }
    for age in (91, 1):
        attempt = AccessAttempt.objects.create(
            **{**fields, "ip_address": f"192.0.2.{age}"}, failures_since_start=1
        )
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=days_ago(age))
    settings.LOGIN_RECORD_DAYS = 0
    assert done() == []
    settings.LOGIN_RECORD_DAYS = 90
    assert done() == [("this installation: forget login records", {"records": 1})]
    assert done() == [] and AccessAttempt.objects.get().ip_address == "192.0.2.1"


def test_a_dry_run_says_it_and_changes_nothing() -> None:
    project = closed(make_project(slug="old", unlink_days=1), days_ago(0))
    Project.objects.filter(pk=project.pk).update(closed_at=timezone.now() - timedelta(days=2))
    annotator = make_annotator(project, make_member(project))

    def say(*options: str) -> str:
        out = StringIO()
        call_command("apply_retention", *options, stdout=out)
        return out.getvalue()

    assert say("--dry-run") == "old: cut links to accounts: 1 accounts\n"
    annotator.refresh_from_db()
    assert annotator.user and not AuditEntry.objects.filter(deed="cut links to accounts").exists()
    assert say() == say("--dry-run").replace("Nothing is due.\n", "old: cut links to accounts: 1 accounts\n")
    annotator.refresh_from_db()
    assert annotator.user is None
    assert say() == "Nothing is due.\n"


def test_killed_between_two_projects_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for slug in ("one", "two"):
        project = closed(make_project(slug=slug, unlink_days=1), days_ago(9))
        make_annotator(project, make_member(project))
    real, calls = retention.audit.record, []

    def dies(*args: Any, **kwargs: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*args, **kwargs)

    monkeypatch.setattr(retention.audit, "record", dies)
    with pytest.raises(KeyboardInterrupt):
        retention.apply_retention(NOW)
    # Links and audit rows agree: the second is as it was.
    assert Annotator.objects.filter(user__isnull=False).count() == 1
    assert AuditEntry.objects.filter(deed="cut links to accounts").count() == 1
    monkeypatch.undo()
    assert done() == [("two: cut links to accounts", {"accounts": 1})]


def test_who_is_unlinked_gets_no_more_pairs_and_loses_nothing_in_hand() -> None:
    project = make_project(unlink_days=1, reserve_share=0, validation_share=0)
    make_comparison(make_pair(project))
    annotator = make_annotator(project, make_member(project))
    assert queue.claim_next(annotator=annotator, claim_id=uuid4())
    closed(project, days_ago(9))
    done()
    Claim.objects.update(expires_at=days_ago(10_000))
    assert queue.expire_claims() == 1 and violations() == {}
