"""What is stored about an account, all of it and nothing else's."""

import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate import audit
from annotate.actions.consents import answer_consent, make_consent_text
from annotate.models import (
    Annotator,
    AnnotatorGroup,
    Claim,
    ClaimDraft,
    Comment,
    CrowdArrival,
    Exclusion,
    GroupMember,
    Job,
    JobKind,
    Judgment,
    Qualification,
    Resolution,
    Role,
    Team,
    TeamMember,
    User,
)
from annotate.own_data import DECIDED, FILES, archive
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db
# What makes a row personal: that it belongs to one of these.
PERSONAL = {User, Annotator, Claim, Judgment}


def linked() -> set[str]:
    """Every table with a column that names an account, a pseudonym, a claim or a judgment."""
    return {
        model._meta.label
        for model in apps.get_models(include_auto_created=True)
        if any(field.concrete and field.related_model in PERSONAL for field in model._meta.get_fields())
    }


def test_every_table_that_tells_of_a_person_is_decided() -> None:
    """Decide of a new table in annotate/own_data.py: a file of its own or a place in one, or why it is left out."""
    assert linked() | {"annotate.User"} == set(DECIDED)
    given = {where for where in DECIDED.values() if not where.startswith("(")}
    assert given == set(FILES)


def test_a_new_table_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(DECIDED, "annotate.Claim")
    with pytest.raises(AssertionError):
        test_every_table_that_tells_of_a_person_is_decided()


def unpacked(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        assert made.testzip() is None
        return {name: json.loads(made.read(name)) for name in made.namelist() if name.endswith(".json")}


def everything(project: Any, name: str) -> User:
    """An account with a row of everything, each with its name in it."""
    user = make_member(project, user=make_user(name, password=None))
    annotator = make_annotator(project, user, pseudonym=f"{name}-pseudonym")
    comparison = make_comparison(make_pair(project), f"canary {name} criterion")
    first = judge(
        comparison,
        "response2",
        annotator,
        flip=True,
        rationale=f"canary {name} first",
        evidence={"viewing": {"response1": {"seen": 1}, "response2": {"seen": 0.5}}},
    )
    judge(comparison, "response1", supersedes=first, rationale=f"canary {name} revised")
    own = make_criterion(project, f"canary {name} own", author=annotator)
    judge(
        make_comparison(make_pair(project), own, author=annotator),
        "media_broken",
        annotator,
        broken="response1",
    )
    claim = first.claim
    assert claim
    Claim.objects.filter(pk=claim.pk).update(note=f"canary {name} note")
    ClaimDraft.objects.create(
        claim=claim, body=json.dumps({"of": f"canary {name} draft"}), saved_at=timezone.now()
    )
    group, _ = AnnotatorGroup.objects.get_or_create(project=project, kind="taste", name="plain")
    GroupMember.objects.create(group=group, annotator=annotator)
    TeamMember.objects.create(team=Team.objects.create(name=f"canary {name} team"), user=user)
    answer_consent(user=user, project=project, version=1, given=True)
    audit.record(user, f"canary {name} deed", project, project, about="canary detail")
    Job.objects.create(kind=JobKind.REPORT, project=project, by=user)
    Comment.objects.create(
        comparison=comparison, author=annotator, text=f"canary {name} word", created_at=timezone.now()
    )
    Resolution.objects.create(
        comparison=comparison,
        reviewer=annotator,
        verdict="tie",
        reason=f"canary {name} reason",
        created_at=timezone.now(),
    )
    SocialAccount.objects.create(user=user, provider="provider", uid=f"canary {name} identity")
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "canary detail"})
    Exclusion.objects.create(annotator=annotator, reason=f"canary {name} excluded", made_at=timezone.now())
    Qualification.objects.create(
        annotator=annotator,
        round=1,
        begun_at=timezone.now(),
        passed_at=timezone.now(),
        way="let_in",
        reason=f"canary {name} let in",
    )
    CrowdArrival.objects.create(
        project=project, user=user, participant=f"canary {name}", study="study", session="session", pairs=1
    )
    return user


def test_all_of_one_and_nothing_of_another() -> None:
    project = make_project()
    make_consent_text(by=None, project=project, text="We keep what you judge.")
    ada, bob = everything(project, "ada"), everything(project, "bob")
    theirs = make_comparison(make_pair(project), make_criterion(project, "canary bob own"))
    judge(theirs, "tie", Annotator.objects.get(user=ada))
    data = b"".join(archive(ada))
    found, whole = unpacked(data), json.dumps(unpacked(data))
    assert set(found) == set(FILES) and all(found.values()), {
        name for name, rows in found.items() if not rows
    }
    assert "canary bob" not in whole and "bob" not in whole and "canary detail" not in whole
    for word in ("criterion", "first", "revised", "own", "note", "draft", "deed", "let in"):
        assert f"canary ada {word}" in whole
    revised = next(row for row in found["judgments.json"] if row["rationale"].endswith("revised"))
    first = next(row for row in found["judgments.json"] if row["rationale"].endswith("first"))
    assert revised["supersedes"] == first["id"] and (first["verdict"], revised["verdict"]) == ("a", "b")
    assert first["evidence"]["viewing"] == {"b": {"seen": 1}, "a": {"seen": 0.5}}
    assert [row["broken"] for row in found["judgments.json"] if row["broken"]] == ["a"]
    assert "response1" not in whole and "password" not in whole
    assert b"".join(archive(bob)) and Judgment.objects.count() == 7


def test_a_superuser_without_a_row_gets_empty_lists() -> None:
    found = unpacked(b"".join(archive(make_user(superuser=True))))
    assert found["judgments.json"] == [] and len(found["account.json"]) == 1


def test_it_is_sent_in_pieces_as_it_is_read() -> None:
    project = make_project(slug="many")
    annotator = make_annotator(project, make_member(project))
    comparison = make_comparison(make_pair(project))
    draw = judge(comparison, "tie", annotator).claim.draw  # type: ignore[union-attr]
    now = timezone.now()
    Claim.objects.bulk_create(
        Claim(
            id=uuid4(),
            draw=draw,
            pair=comparison.pair,
            annotator=annotator,
            comparison_ids=[comparison.pk],
            flip=False,
            created_at=now,
            expires_at=now,
            closed_at=now,
            outcome="skipped",
            note=uuid4().hex * 20,
        )
        for _ in range(3000)
    )
    assert annotator.user
    pieces = list(archive(annotator.user))
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 8
    assert len(unpacked(b"".join(pieces))["claims.json"]) == 3001


def test_the_page_hands_out_ones_own() -> None:
    project = make_project()
    make_consent_text(by=None, project=project, text="We keep what you judge.")
    ada = everything(project, "ada")
    everything(project, "bob")
    client = Client()
    client.force_login(ada, backend="webapp.sessions.Accounts")
    assert reverse("own_data") in client.get("/").content.decode()
    response = client.get(reverse("own_data"))
    found = unpacked(b"".join(response.streaming_content))  # type: ignore[attr-defined]
    assert (
        found["account.json"][0]["username"] == "ada"
        and found["memberships.json"][0]["role"] == Role.ANNOTATOR
    )
