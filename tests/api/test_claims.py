"""Claims over the API: one id is one claim, a hand has a size, and what is held can be taken up again."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from annotate.models import Claim, ClaimDraft, Project, ProjectState, Seat
from tests.api.client import Api, answer
from tests.api.conftest import CRITERIA, add_pairs, join
from tests.factories import make_project


def test_a_claim_holds_what_is_to_be_judged(project: Project, api: Api) -> None:
    claim_id = str(uuid4())
    claim = api.claim(claim_id).body
    stored = Claim.objects.select_related("pair__prompt", "pair__response1", "pair__response2").get()
    sides = [stored.pair.response1.text, stored.pair.response2.text]
    assert claim["id"] == claim_id and claim["project"] == project.slug and claim["outcome"] == ""
    assert claim["prompt"] == {"turns": stored.pair.prompt.turns, "media": []}
    assert [claim["a"]["text"], claim["b"]["text"]] == (sides[::-1] if stored.flip else sides)
    assert [(c["criterion"], c["own"], c["answer"]) for c in claim["comparisons"]] == [
        (text, False, None) for text in CRITERIA
    ]
    lease = datetime.fromisoformat(claim["expires_at"]) - datetime.fromisoformat(claim["server_time"])
    assert timedelta(minutes=29) < lease <= timedelta(minutes=30)


def test_the_same_id_is_the_same_claim(api: Api) -> None:
    claim_id = str(uuid4())
    first, again = api.claim(claim_id), api.claim(claim_id)
    assert first.status == again.status == 200
    for answered in (first, again):
        answered.body.pop("server_time")
    assert first.body == again.body and Claim.objects.count() == 1


def test_an_id_of_somebody_else_is_taken_and_tells_nothing(project: Project, api: Api) -> None:
    claim = api.claim().body
    taken = join(project).claim(claim["id"])
    assert taken.error == (409, "claim_taken", "")
    assert claim["prompt"]["turns"][0]["text"] not in taken.text


def test_a_full_hand_gets_no_more_until_a_pair_is_done(api: Api) -> None:
    first, _second = api.claim().body, api.claim().body
    assert api.claim().error == (409, "hand_full", "")
    api.post(f"claims/{first['id']}/skip/", {"reason": "too_long"})
    assert api.claim().status == 200


@pytest.mark.parametrize("state", [ProjectState.PAUSED, ProjectState.CLOSED])
def test_a_project_that_is_not_open_serves_nothing_and_takes_what_is_in_hand(
    state: ProjectState, project: Project, api: Api
) -> None:
    claim = api.claim().body
    Project.objects.update(state=state)
    assert api.claim().error == (409, "not_open", "")
    sent = api.submit(claim, answer(claim), next=str(uuid4()))
    assert (sent.status, sent.body["next"], len(sent.body["saved"])) == (200, None, 1)


def test_nothing_to_judge_is_no_error(db: None) -> None:
    empty = make_project()
    assert join(empty).claim().status == 204
    add_pairs(empty, 1, k=1)
    assert join(empty).claim().status == 200
    assert join(empty).claim().status == 204


def test_what_is_held_is_found_again_oldest_first(project: Project, api: Api) -> None:
    path = f"projects/{project.slug}/claims/"
    assert api.get(path).body == {"held": []}
    ids = [api.claim().body["id"] for _ in range(2)]
    assert [claim["id"] for claim in api.get(path).body["held"]] == ids
    assert join(project).get(path).body == {"held": []}


@pytest.mark.parametrize("action", ["", "submit/", "skip/", "undo/", "draft/", "heartbeat/", "read/"])
def test_somebody_elses_claim_is_not_there(action: str, project: Project, api: Api) -> None:
    claim = api.claim().body
    other = join(project)
    bodies: dict[str, Any] = {
        "submit/": {"answers": [answer(claim)]},
        "skip/": {"reason": "other"},
        "undo/": {"id": str(uuid4())},
        "draft/": {"draft": {}},
    }
    for claim_id in (claim["id"], UUID(int=7)):
        path = f"claims/{claim_id}/{action}"
        answered = other.post(path, bodies.get(action)) if action else other.get(path)
        assert answered.error == (404, "not_found", "")
    assert Claim.objects.get().closed_at is None


def test_a_skip_gives_back_once_and_says_why(api: Api) -> None:
    claim = api.claim().body
    for _ in range(2):
        skipped = api.post(f"claims/{claim['id']}/skip/", {"reason": "not_my_field", "note": "Greek"})
        assert (skipped.status, skipped.body) == (200, {"next": None})
    stored = Claim.objects.get()
    assert (stored.outcome, stored.skip_reason, stored.note) == ("skipped", "not_my_field", "Greek")
    assert not Seat.objects.exists()
    following = str(uuid4())
    again = api.post(f"claims/{claim['id']}/skip/", {"reason": "other", "next": following})
    assert again.body["next"]["id"] == following
    assert again.body["next"]["prompt"] != claim["prompt"]


def test_a_heartbeat_extends_the_lease_and_an_ended_claim_has_none(api: Api) -> None:
    claim = api.claim().body
    Claim.objects.update(expires_at=timezone.now() + timedelta(seconds=5))
    beat = api.post(f"claims/{claim['id']}/heartbeat/").body
    assert datetime.fromisoformat(beat["expires_at"]) > timezone.now() + timedelta(minutes=29)
    api.submit(claim, answer(claim))
    assert api.post(f"claims/{claim['id']}/heartbeat/").error == (409, "claim_ended", "")


def test_a_draft_is_kept_until_the_claim_is_submitted(project: Project, api: Api) -> None:
    claim = api.claim().body
    assert claim["draft"] is None
    path = f"claims/{claim['id']}/"
    for draft in ({"rows": [1]}, {"rows": [2], "writing": "\u0000 \U0001f600", "__proto__": {}}):
        for _ in range(2):
            assert api.post(f"{path}draft/", {"draft": draft}).status == 204
        assert api.get(path).body["draft"] == draft
        assert api.get(f"projects/{project.slug}/claims/").body["held"][0]["draft"] == draft
    assert api.post(f"{path}draft/", {"draft": {"half": "\ud83d"}}).status == 204
    assert api.get(path).body["draft"] == {"half": "?"}
    Claim.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert api.post(f"{path}draft/", {"draft": {"late": True}}).status == 204
    api.submit(claim, answer(claim))
    assert api.get(path).body["draft"] is None
    assert api.post(f"{path}draft/", {"draft": {"late": True}}).status == 204  # it was on its way
    assert not ClaimDraft.objects.exists()


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("skip/", {}, "reason"),
        ("skip/", {"reason": "bored"}, "reason"),
        ("skip/", {"reason": "other", "note": "x" * 2001}, "note"),
        ("skip/", {"reason": "other", "next": "soon"}, "next"),
        ("skip/", {"reason": "other", "outcome": "submitted"}, "outcome"),
        ("undo/", {}, "id"),
        ("draft/", {}, "draft"),
        ("draft/", {"draft": []}, "draft"),
        ("draft/", {"draft": {"x": "y" * 500_001}}, "draft"),
        ("undo/", {"id": 7.5}, "id"),
        ("heartbeat/", {"expires_at": "2036-01-01T00:00:00Z"}, "expires_at"),
        ("submit/", [], ""),
    ],
)
def test_a_malformed_request_names_its_field(action: str, body: Any, field: str, api: Api) -> None:
    claim = api.claim().body
    response = api.client.post(
        f"/api/v1/claims/{claim['id']}/{action}", body, content_type="application/json"
    )
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid"
    assert response.json()["error"]["field"] == field
    assert Claim.objects.get().closed_at is None


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": "x"}, {"id": str(uuid4()), "flip": False}])
def test_a_claim_needs_an_id_and_nothing_else(body: Any, project: Project, api: Api) -> None:
    assert api.post(f"projects/{project.slug}/claims/", body).status == 400
    assert not Claim.objects.exists()
