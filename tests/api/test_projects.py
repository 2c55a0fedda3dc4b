"""Lists of projects, what one of them is, and the annotator's own past in it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from annotate.models import Annotator, Claim, Project, Role
from tests.api.client import Api, answer
from tests.api.conftest import add_pairs, join
from tests.factories import make_member, make_project, make_user


def test_my_projects_and_nobody_elses(project: Project) -> None:
    other = make_project(name="Another one")
    user = make_member(project, user=make_user(password=None))
    make_member(make_project(name="A third"), user=user, role=Role.REVIEWER)
    listed = Api(user, project.slug).get("projects/").body
    assert [(row["name"], row["role"], row["pairs"]) for row in listed] == [
        ("A third", "reviewer", 0),
        (project.name, "annotator", 4),
    ]
    assert other.slug not in repr(listed)


def test_a_superuser_manages_all_of_them(project: Project) -> None:
    root = Api(make_user(superuser=True, password=None), project.slug)
    assert [(row["slug"], row["role"]) for row in root.get("projects/").body] == [(project.slug, "manager")]


def test_what_the_judge_page_needs_of_a_project(project: Project, api: Api) -> None:
    shown = api.get(f"projects/{project.slug}/").body
    pseudonym = shown.pop("pseudonym")
    assert pseudonym == Annotator.objects.get().pseudonym
    assert shown == {
        "slug": project.slug,
        "name": project.name,
        "task_type": "text_to_text",
        "state": "open",
        "role": "annotator",
        "judged_pairs": 0,
        "pairs": 4,
        "guidelines": "# Read both",
        "scale": 7,
        "split_ties": True,
        "authoring": "optional",
        "tags": [],
        "viewing": "off",
        "viewing_share": 0.9,
        "viewing_turned": 0.0,
        "authored_k": 3,
        "authored_most": 5,
        "authored_length": 200,
        "authored_guidance": "",
        "authored_sharing": "open",
        "lease_minutes": 30,
        "claims_in_hand": 2,
        "offline_most": 40,
        "way": None,
        "crowd": None,
    }
    claim = api.claim().body
    api.submit(claim, answer(claim))
    assert api.get(f"projects/{project.slug}/").body["judged_pairs"] == 1
    assert api.get("projects/").body[0]["judged_pairs"] == 1


def test_history_tells_what_i_did_newest_first(project: Project, api: Api) -> None:
    first, second = api.claim().body, api.claim().body
    api.submit(first, answer(first, 0), answer(first, 1, "tie"))
    api.post(f"claims/{second['id']}/skip/", {"reason": "unclear"})
    rows = api.get(f"projects/{project.slug}/history/").body["claims"]
    assert [(row["id"], row["outcome"], len(row["verdicts"])) for row in rows] == [
        (second["id"], "skipped", 0),
        (first["id"], "submitted", 2),
    ]
    assert rows[1]["prompt"] == first["prompt"]["turns"][-1]["text"]
    assert all(datetime.fromisoformat(row["closed_at"]).tzinfo for row in rows)
    assert join(project).get(f"projects/{project.slug}/history/").body == {"claims": []}


def test_history_comes_by_the_page(project: Project, api: Api) -> None:
    claim = api.claim().body
    api.submit(claim, answer(claim))
    stored = Claim.objects.get()
    start = timezone.now() - timedelta(hours=1)
    Claim.objects.bulk_create(
        Claim(
            id=uuid4(),
            draw_id=stored.draw_id,
            pair_id=stored.pair_id,
            annotator_id=stored.annotator_id,
            comparison_ids=[],
            flip=False,
            created_at=start - timedelta(seconds=n),
            expires_at=start,
            closed_at=start,
            outcome="expired",
        )
        for n in range(60)
    )
    path = f"projects/{project.slug}/history/"
    page = api.get(path).body["claims"]
    rest = api.get(path, before=page[-1]["created_at"]).body["claims"]
    assert (len(page), len(rest)) == (50, 11)
    assert len({row["id"] for row in page + rest}) == 61
    assert api.get(path, before=rest[-1]["created_at"]).body == {"claims": []}


@pytest.mark.parametrize("before", ["yesterday", "2026-11-23T10:00:00", "2026-13-40T10:00:00Z", "\x00"])
def test_a_page_before_no_time_is_refused(before: str, project: Project, api: Api) -> None:
    answered = api.get(f"projects/{project.slug}/history/", before=before)
    assert answered.error == (400, "invalid", "before")


def test_a_time_of_any_zone_will_do(project: Project, api: Api) -> None:
    for before in ("2026-11-23T10:00:00Z", datetime.now(UTC).isoformat()):
        assert api.get(f"projects/{project.slug}/history/", before=before).status == 200


@pytest.mark.parametrize("path", ["projects/{}/", "projects/{}/claims/", "projects/{}/history/"])
def test_a_project_that_is_not_mine_is_not_there(path: str, api: Api) -> None:
    foreign = make_project(name="Canary", guidelines="Canary")
    add_pairs(foreign, 1)
    for slug in (foreign.slug, "no-such-project"):
        answered = api.get(path.format(slug))
        assert answered.error == (404, "not_found", "")
        assert "Canary" not in answered.text
    assert api.post(f"projects/{foreign.slug}/claims/", {"id": str(uuid4())}).status == 404
    assert not Annotator.objects.filter(project=foreign).exists()


def test_a_logged_out_client_is_told_so_and_learns_nothing_else(project: Project, api: Api) -> None:
    nobody = Api(None, project.slug)
    for slug in (project.slug, "no-such-project"):
        for path in ("projects/", f"projects/{slug}/", f"projects/{slug}/claims/", f"claims/{UUID(int=1)}/"):
            answered = nobody.get(path)
            assert answered.error == (401, "logged_out", "")
            assert answered.headers["WWW-Authenticate"] == "Session"
        assert nobody.claim().error == (401, "logged_out", "")


def test_who_left_a_project_no_longer_reaches_their_claims(project: Project, api: Api) -> None:
    claim = api.claim().body
    project.memberships.all().delete()
    assert api.get(f"claims/{claim['id']}/").status == 404
    assert api.submit(claim, answer(claim)).status == 404
