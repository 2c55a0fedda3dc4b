"""Submitting over the API: once, by sides, late ones kept, revisions in a chain, undo."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from annotate.models import Claim, Judgment, Project, Seat
from tests.api.client import JSON, Api, answer


def flipped(claim: Any, flip: bool) -> None:
    Claim.objects.filter(pk=claim["id"]).update(flip=flip)


@pytest.mark.parametrize("flip", [False, True])
def test_sides_are_stored_as_responses_and_come_back_as_sides(flip: bool, api: Api) -> None:
    claim = api.claim().body
    flipped(claim, flip)
    sent = [answer(claim, 0, "a"), answer(claim, 1, "media_broken", broken="b", rationale=" it is cut off ")]
    api.submit(claim, *sent)
    better, broken = (Judgment.objects.get(pk=item["id"]) for item in sent)
    assert better.verdict == ("response2" if flip else "response1")
    assert broken.broken == ("response1" if flip else "response2")
    shown = [row["answer"] for row in api.get(f"claims/{claim['id']}/").body["comparisons"]]
    rest: dict[str, object] = {"criterion": "", "tags": [], "anchors": [], "supersedes": None}
    assert shown == [
        {**rest, "strength": 2, "tie_kind": "", "broken": "", "rationale": "", **sent[0]},
        {**rest, "strength": None, "tie_kind": "", **sent[1]},
    ]


def test_a_submission_sent_again_is_acknowledged_again_and_stored_once(api: Api) -> None:
    claim = api.claim().body
    sent, following = [answer(claim, 0), answer(claim, 1, "tie")], str(uuid4())
    first = api.submit(claim, *sent, seconds=12.5, next=following)
    again = api.submit(claim, *sent, seconds=12.5, next=following)
    for answered in (first, again):
        assert answered.body["next"].pop("server_time")
    assert first.body == again.body
    assert first.body["saved"] == [item["id"] for item in sent]
    assert (first.body["late"], first.body["judged_pairs"]) == (False, 1)
    assert first.body["next"]["id"] == following
    assert Judgment.objects.count() == 2 and Claim.objects.count() == 2


def test_a_full_hand_does_not_make_a_stored_answer_look_lost(project: Project, api: Api) -> None:
    claim = api.claim().body
    Project.objects.update(claims_in_hand=1)
    api.submit(claim, answer(claim))
    held = api.claim().body
    api.post(f"claims/{claim['id']}/undo/", {"id": str(uuid4())})  # two in hand of one
    sent = api.submit(held, answer(held), next=str(uuid4()))
    assert (sent.status, sent.body["next"], len(sent.body["saved"])) == (200, None, 1)


def test_an_id_with_other_content_is_refused(api: Api) -> None:
    claim = api.claim().body
    sent = answer(claim)
    api.submit(claim, sent)
    for change in ({"verdict": "b"}, {"strength": 3}, {"rationale": "other"}):
        assert api.submit(claim, {**sent, **change}).error == (409, "answer_changed", "")
    assert Judgment.objects.get().rationale == ""


def test_somebody_elses_answer_id_is_refused_and_not_shown(project: Project, api: Api) -> None:
    from tests.api.conftest import join

    claim = api.claim().body
    sent = answer(claim, rationale="mine alone")
    api.submit(claim, sent)
    other = join(project)
    theirs = other.claim().body
    refused = other.submit(theirs, answer(theirs, id=sent["id"]))
    assert refused.error == (409, "answer_changed", "") and "mine alone" not in refused.text


def test_a_revision_names_the_answer_that_it_replaces(api: Api) -> None:
    claim = api.claim().body
    first = answer(claim)
    api.submit(claim, first)
    assert api.submit(claim, answer(claim, verdict="b")).error == (409, "fork", "")
    revision = answer(claim, verdict="b", supersedes=first["id"])
    assert api.submit(claim, revision).status == 200
    assert api.submit(claim, answer(claim, supersedes=first["id"])).error == (409, "fork", "")
    shown = api.get(f"claims/{claim['id']}/").body["comparisons"][0]["answer"]
    assert (shown["id"], shown["supersedes"]) == (revision["id"], first["id"])
    assert (
        Seat.objects.get(head__isnull=False).head_id == Judgment.objects.get(verdict=shown_as(claim, "b")).pk
    )


def shown_as(claim: Any, side: str) -> str:
    flip = Claim.objects.get(pk=claim["id"]).flip
    return "response1" if (side == "a") != flip else "response2"


def test_a_late_answer_is_kept_and_called_late(api: Api) -> None:
    claim = api.claim().body
    Claim.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api.submit(claim, answer(claim)).body["late"] is True
    assert Judgment.objects.get().late


def test_undo_opens_the_claim_again_with_its_answers_taken_back(api: Api) -> None:
    claim = api.claim().body
    sent = answer(claim)
    api.submit(claim, sent)
    undo_id = str(uuid4())
    for _ in range(2):
        undone = api.post(f"claims/{claim['id']}/undo/", {"id": undo_id})
        assert undone.status == 200 and undone.body["outcome"] == ""
        head = undone.body["comparisons"][0]["answer"]
        assert (head["verdict"], head["supersedes"]) == ("retracted", sent["id"])
    assert Judgment.objects.count() == 2
    assert api.submit(claim, answer(claim, verdict="b")).error == (409, "fork", "")
    again = api.submit(claim, answer(claim, verdict="b", supersedes=head["id"]))
    assert (again.status, again.body["judged_pairs"]) == (200, 1)


def test_only_what_was_submitted_is_undone_and_not_skipped(api: Api) -> None:
    claim = api.claim().body
    assert api.post(f"claims/{claim['id']}/undo/", {"id": str(uuid4())}).error == (409, "not_submitted", "")
    api.submit(claim, answer(claim))
    skipped = api.post(f"claims/{claim['id']}/skip/", {"reason": "other"})
    assert skipped.error == (409, "already_submitted", "")


def test_a_criterion_of_ones_own_becomes_a_comparison(api: Api) -> None:
    claim = api.claim().body
    own = {"id": str(uuid4()), "criterion": "Which one  would a child follow?", "verdict": "b", "strength": 3}
    assert api.submit(claim, own).body["saved"] == [own["id"]]
    rows = api.get(f"claims/{claim['id']}/").body["comparisons"]
    mine = [row for row in rows if row["own"]]
    assert [(row["criterion"], row["answer"]["verdict"]) for row in mine] == [
        ("Which one would a child follow?", "b")
    ]


def test_tags_are_of_those_that_the_project_offers(api: Api) -> None:
    Project.objects.update(tags=["fluent", "made up"])
    claim = api.claim().body
    assert api.submit(claim, answer(claim, tags=["kind"])).error == (400, "invalid", "answers[0].tags")
    sent = answer(claim, verdict="not_applicable", tags=["made up", "fluent"])
    assert api.submit(claim, sent).status == 200
    Project.objects.update(tags=[])
    assert api.submit(claim, sent).status == 200  # sent again, it is stored already
    assert api.submit(claim, {**sent, "tags": []}).error == (409, "answer_changed", "")
    stored = api.get(f"claims/{claim['id']}/").body["comparisons"][0]["answer"]
    assert (stored["verdict"], stored["tags"]) == ("not_applicable", ["made up", "fluent"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"verdict": "left"}, "answers[0].verdict"),
        ({"verdict": "retracted", "strength": None}, "answers[0].verdict"),
        ({"verdict": "response1"}, "answers[0].verdict"),
        ({"strength": None}, "answers[0].strength"),
        ({"strength": 4}, "answers[0].strength"),
        ({"strength": 0}, "answers[0].strength"),
        ({"verdict": "tie", "strength": None}, "answers[0].tie_kind"),
        ({"tie_kind": "both_good"}, "answers[0].tie_kind"),
        ({"verdict": "media_broken", "strength": None}, "answers[0].broken"),
        ({"broken": "a"}, "answers[0].broken"),
        ({"verdict": "cannot_tell"}, "answers[0].strength"),
        ({"comparison": None}, "answers[0].criterion"),
        ({"comparison": 2**62}, "answers[0].comparison"),
        ({"comparison": 2**63}, "answers[0].comparison"),
        ({"comparison": -1}, "answers[0].comparison"),
        ({"comparison": True}, "answers[0].comparison"),
        ({"rationale": "x" * 10_001}, "answers[0].rationale"),
        ({"rationale": "nul\x00"}, "answers[0].rationale"),
        ({"rationale": "half \ud800"}, "answers[0].rationale"),
        ({"rationale": ["list"]}, "answers[0].rationale"),
        ({"comparison": None, "criterion": "x" * 501}, "answers[0].criterion"),
        ({"tags": ["fluent"]}, "answers[0].tags"),
        ({"tags": "fluent"}, "answers[0].tags"),
        ({"id": "1"}, "answers[0].id"),
        ({"supersedes": "1"}, "answers[0].supersedes"),
        ({"late": True}, "answers[0].late"),
        ({"annotator": 1}, "answers[0].annotator"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "answers[0].created_at"),
        ({"comparison__pair__project": 1}, "answers[0].comparison__pair__project"),
    ],
)
def test_an_answer_against_the_rules_names_its_field(change: dict[str, Any], field: str, api: Api) -> None:
    claim = api.claim().body
    refused = api.submit(claim, {**answer(claim), **change})
    assert refused.error == (400, "invalid", field)
    assert not Judgment.objects.exists() and Claim.objects.get().closed_at is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "answers"),
        ({"answers": []}, "answers"),
        ({"answers": None}, "answers"),
        ({"answers": {}}, "answers"),
        ({"answers": ["a"]}, "answers[0]"),
        ({"answers": "same twice"}, "answers"),
        ({"answers": "one comparison twice"}, "answers[1]"),
        ({"answers": "one", "seconds": -1}, "seconds"),
        ({"answers": "one", "seconds": 1e300}, "seconds"),
        ({"answers": "one", "next": "x"}, "next"),
        ({"answers": "one", "annotator": 5}, "annotator"),
        ({"answers": "one", "pair__project__slug": "x"}, "pair__project__slug"),
        ({"answers": "too many"}, "answers"),
    ],
)
def test_a_submission_against_the_rules_names_its_field(body: Any, field: str, api: Api) -> None:
    claim = api.claim().body
    one = answer(claim)
    named = {
        "one": [one],
        "same twice": [one, {**answer(claim, 1), "id": one["id"]}],
        "one comparison twice": [one, answer(claim)],
        "too many": [answer(claim) for _ in range(101)],
    }
    if isinstance(body.get("answers"), str):
        body = {**body, "answers": named[body["answers"]]}
    refused = api.post(f"claims/{claim['id']}/submit/", body)
    assert refused.error == (400, "invalid", field)
    assert not Judgment.objects.exists()


@pytest.mark.parametrize(
    ("raw", "content_type", "status", "code"),
    [
        (b"{", JSON, 400, "parse_error"),
        (b"", JSON, 400, "invalid"),
        (b"null", JSON, 400, "invalid"),
        (b'{"answers": [], "seconds": NaN}', JSON, 400, "parse_error"),
        (b'{"answers": [], "seconds": 1e999}', JSON, 400, "invalid"),
        (b"\xff\xfe", JSON, 400, "parse_error"),
        (b"[" * 100_000, JSON, 400, "parse_error"),
        (b'{"answers": ' + b"9" * 10_000 + b"}", JSON, 400, "parse_error"),
        (b"answers=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b" " * 3_000_000, JSON, 413, "too_large"),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    raw: bytes, content_type: str, status: int, code: str, api: Api
) -> None:
    claim = api.claim().body
    response = api.client.post(f"/api/v1/claims/{claim['id']}/submit/", raw, content_type=content_type)
    assert (response.status_code, json.loads(response.content)["error"]["code"]) == (status, code)


def test_a_method_that_is_not_there_is_refused(api: Api) -> None:
    claim = api.claim().body
    for method in ("put", "patch", "delete"):
        for path in ("projects/", f"claims/{claim['id']}/", f"claims/{claim['id']}/submit/"):
            response = getattr(api.client, method)(f"/api/v1/{path}")
            assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
