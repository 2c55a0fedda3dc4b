"""Taking pairs offline over the API, and giving them back."""

from typing import Any
from uuid import uuid4

import pytest

from annotate.models import Claim, Project
from tests.api.client import Api
from tests.api.conftest import add_pairs, join


def take(api: Api, *claim_ids: Any) -> Any:
    return api.post(f"projects/{api.slug}/offline/", {"ids": [str(one) for one in claim_ids]})


def test_claims_are_taken_under_my_ids_and_say_why_there_are_no_more(project: Project, api: Api) -> None:
    asked = [str(uuid4()) for _ in range(6)]
    taken = take(api, *asked).body
    assert [claim["id"] for claim in taken["claims"]] == asked[:4] and taken["why"] == "empty"
    assert {claim["id"] for claim in api.get(f"projects/{api.slug}/claims/").body["held"]} == set(asked[:4])
    given = api.post(f"projects/{api.slug}/give-back/", {"ids": asked})
    assert given.body == {"ids": asked[:4]}
    assert api.get(f"projects/{api.slug}/claims/").body == {"held": []}


def test_a_full_hand_says_so(project: Project, api: Api) -> None:
    add_pairs(project, 5)
    Project.objects.update(offline_most=2)
    taken = take(api, *(uuid4() for _ in range(5))).body
    assert len(taken["claims"]) == 2 and taken["why"] == "full"


@pytest.mark.parametrize("ids", [[str(uuid4()) for _ in range(41)], ["no uuid"], None])
def test_what_is_no_list_of_up_to_forty_ids_is_refused(ids: Any, api: Api) -> None:
    for deed in ("offline", "give-back"):
        refused = api.post(f"projects/{api.slug}/{deed}/", {"ids": ids})
        assert refused.error[:2] == (400, "invalid")
    assert not Claim.objects.exists()


def test_an_id_of_somebody_else_is_taken_and_given_back_by_nobody_else(project: Project, api: Api) -> None:
    claim = api.claim().body
    other = join(project)
    assert take(other, claim["id"]).error == (409, "claim_taken", "")
    assert other.post(f"projects/{api.slug}/give-back/", {"ids": [claim["id"]]}).body == {"ids": []}
    assert Claim.objects.get().outcome == ""


def test_a_project_may_forbid_it(project: Project, api: Api) -> None:
    Project.objects.update(offline_most=0)
    assert take(api, uuid4()).error == (409, "offline_off", "")
