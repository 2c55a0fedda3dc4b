"""Training and quiz over the API: what the page is told of them, and when."""

from uuid import uuid4

import pytest

from tests.api.client import Api, answer
from tests.api.conftest import join
from tests.queue.trying import gated

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return join(gated(training=1, quiz=2, quiz_share=1, quiz_wait=0, quiz_attempts=1))


def right(claim: dict[str, object]) -> str:
    """The side of response 1, which is always the known answer."""
    return "a" if str(claim["a"]).find("The first answer") >= 0 else "b"


def test_the_answer_comes_back_with_the_receipt_and_stays_until_it_is_read(api: Api) -> None:
    way = api.get(f"projects/{api.slug}/").body["way"]
    assert way == {
        "stage": "training",
        "training": 1,
        "quiz": 2,
        "asked": 2,
        "needed": 2,
        "left": 1,
        "told": "",
    }
    claim = api.claim().body
    assert claim["stage"] == {"part": "training", "number": 1, "n": 1, "of": 1} and claim["feedback"] is None
    wrong = "b" if right(claim) == "a" else "a"
    sent = api.submit(claim, given := answer(claim, verdict=wrong), next=str(uuid4())).body
    told = [{"comparison": given["comparison"], "verdict": right(claim), "right": False, "note": "Rule 1."}]
    assert sent["feedback"] == told and sent["judged_pairs"] == 0
    assert sent["next"]["stage"] == {"part": "quiz", "number": 1, "n": 1, "of": 2}
    assert api.submit(claim, given).body["feedback"] == told, "the same, sent again"
    held = api.get(f"projects/{api.slug}/claims/").body["held"]
    assert [one["feedback"] for one in held] == [told, None]
    assert held[0]["comparisons"][0]["answer"]["verdict"] == wrong
    for _ in range(2):
        assert api.post(f"claims/{claim['id']}/read/").status == 204
    assert [one["id"] for one in api.get(f"projects/{api.slug}/claims/").body["held"]] == [sent["next"]["id"]]
    refused = api.submit(claim, answer(claim, verdict="a", supersedes=given["id"]))
    assert refused.error == (409, "answer_stands", "")
    assert api.post(f"claims/{claim['id']}/undo/", {"id": str(uuid4())}).error[1] == "answer_stands"


def test_a_quiz_tells_no_answer_and_its_failing_is_told(api: Api) -> None:
    claim = api.claim().body
    claim = api.submit(claim, answer(claim), next=str(uuid4())).body["next"]
    sent = api.submit(claim, answer(claim, verdict=right(claim)), next=str(uuid4())).body
    assert sent["feedback"] is None
    assert api.get(f"claims/{claim['id']}/").body["feedback"] is None
    sent = api.submit(sent["next"], answer(sent["next"], verdict="tie", tie_kind=""), next=str(uuid4())).body
    assert sent["next"] is None
    refused = api.claim()
    assert refused.error == (409, "not_qualified", "")
    assert "You had 1 of 2 right" in refused.body["error"]["detail"]
    assert api.get(f"projects/{api.slug}/").body["way"]["stage"] == "failed"
    taken = api.post(f"projects/{api.slug}/offline/", {"ids": [str(uuid4())]})
    assert taken.error == (409, "not_qualified", "")
    assert api.get(f"projects/{api.slug}/history/").body == {"claims": []}
