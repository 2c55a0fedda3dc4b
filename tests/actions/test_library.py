"""The lists of a project's criteria that moderators see: what is in each, what is told of one, in so many statements."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotate.actions import moderation
from annotate.models import DataImport, Job, Project, Role
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


@pytest.fixture
def project() -> Project:
    return make_project(slug="moderated")


def signed(project: Project, role: Role) -> Client:
    client = Client()
    user = make_member(project, role, make_user(password=None))
    client.force_login(user, backend="webapp.sessions.Accounts")
    return client


def proposed(project: Project, text: str, judged: tuple[str, ...] = ()) -> int:
    author = make_annotator(project)
    criterion = make_criterion(project, text, state="proposed", in_library=False, author=author)
    comparison = make_comparison(make_pair(project, prompt=f"Prompt of {text}"), criterion, k=5)
    for verdict in judged:
        broken = "prompt" if verdict == "media_broken" else ""
        judge(comparison, verdict, make_annotator(project), broken=broken)
    return criterion.pk


def test_each_list_holds_its_own_and_the_counts_say_so(project: Project) -> None:
    waiting = proposed(project, "It is calm.", ("response1", "tie", "tie", "media_broken"))
    canonical = make_criterion(project, "It is short.")
    make_criterion(project, "It is brief.", canonical=canonical, in_library=False)
    make_criterion(project, "It is own.", state="own", in_library=False)
    make_criterion(project, "No.", state="rejected", in_library=False, reason="Why?")
    make_criterion(project, "Old.", state="retired", in_library=False)
    make_criterion(project, "Quiet.", in_library=False)
    job = Job.objects.create(kind="import", project=project)
    hidden = DataImport.objects.create(project=project, job=job, spec={})
    make_criterion(project, "Hidden.", data_import=hidden)
    client = signed(project, Role.REVIEWER)
    counts = client.get("/projects/moderated/criteria/counts").json()
    for name, count in counts.items():
        rows = client.get("/projects/moderated/criteria/list", {"show": name}).json()["rows"]
        assert len(rows) == count, name
    assert counts == {
        "proposed": 1,
        "own": 1,
        "accepted": 1,
        "library": 1,
        "rejected": 1,
        "retired": 1,
        "merged": 1,
        "written": 0,
        "all": 7,
    }
    (row,) = client.get("/projects/moderated/criteria/list").json()["rows"]
    assert row["id"] == waiting and row["author"].startswith("annotator-")
    assert (row["response1"], row["tie"], row["response2"], row["no_opinion"]) == (1, 2, 0, 1)
    assert row["prompt"] == "Prompt of It is calm."
    assert client.get("/projects/moderated/criteria/?show=nothing").status_code == 404
    assert client.get("/projects/moderated/criteria/list?after=x").status_code == 404


def test_a_list_is_found_in_and_leafed_through(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.library.PAGE", 2)
    for n in range(5):
        proposed(project, f"100% number {n}")
    client = signed(project, Role.REVIEWER)
    first = client.get("/projects/moderated/criteria/list").json()
    assert first["more"] and len(first["rows"]) == 2
    rest = client.get("/projects/moderated/criteria/list", {"after": first["rows"][-1]["id"]}).json()
    assert [row["text"][-1] for row in rest["rows"]] == ["2", "3"]
    found = client.get("/projects/moderated/criteria/list", {"holds": "0% NUMBER 4"}).json()
    assert [row["text"][-1] for row in found["rows"]] == ["4"]
    assert client.get("/projects/moderated/criteria/list", {"holds": "1_0"}).json()["rows"] == []


def test_the_list_asks_as_often_for_many_as_for_few(project: Project) -> None:
    client = signed(project, Role.REVIEWER)
    asked: list[int] = []
    for _ in range(2):
        proposed(project, f"Number {len(asked)}", ("response1",))
        with CaptureQueriesContext(connection) as statements:
            client.get("/projects/moderated/criteria/list")
        asked.append(len(statements))
        for n in range(20):
            proposed(project, f"More {len(asked)} {n}")
    assert asked[0] == asked[1]


def test_of_one_are_told_its_prompts_what_is_like_it_and_what_was_decided(project: Project) -> None:
    pk = proposed(project, "The steps are in the right order.", ("response2",))
    like = make_criterion(project, "Are the steps in the right order?")
    make_criterion(
        project, "The steps are in a right order.", state="rejected", reason="No.", in_library=False
    )
    manager = signed(project, Role.MANAGER)
    manager.post(
        "/projects/moderated/criteria/decide", {"deed": "reject", "criterion": f"{pk}:0", "reason": "Vague."}
    )
    about = manager.get(f"/projects/moderated/criteria/{pk}").json()
    assert [row["id"] for row in about["near"]] == [like.pk]
    assert about["near"][0]["likeness"] > 0.6
    assert about["prompts"][0]["response2"] == 1
    (entry,) = about["history"]
    assert (entry["deed"], entry["reason"]) == ("reject", "Vague.") and entry["by"].startswith("user")
    # Who of the moderators it was is for managers.
    told = signed(project, Role.REVIEWER).get(f"/projects/moderated/criteria/{pk}").json()
    assert told["history"][0]["by"] == ""
    foreign = make_criterion(make_project(), "Foreign.")
    assert manager.get(f"/projects/moderated/criteria/{foreign.pk}").status_code == 404


def test_deciding_says_what_came_of_each(project: Project) -> None:
    one, other = proposed(project, "One."), proposed(project, "Other.")
    reviewer = signed(project, Role.REVIEWER)
    moderation.accept_criterion(by=None, criterion=make_criterion(project, "One."))
    answer = reviewer.post(
        "/projects/moderated/criteria/decide",
        {"deed": "promote", "criterion": [f"{one}:0", f"{other}:0"]},
    ).json()
    assert [(row["id"], row["conflict"]) for row in answer["decided"]] == [(one, True), (other, False)]
    assert [(row["state"], row["in_library"]) for row in answer["rows"]] == [
        ("accepted", False),
        ("accepted", True),
    ]
    for wrong in (
        {"deed": "accept"},
        {"deed": "accept", "criterion": "1"},
        {"deed": "accept", "criterion": "1:x"},
        {"deed": "accept", "criterion": f"{'9' * 40}:0"},
        {"deed": "burn", "criterion": f"{one}:1"},
        {"deed": "merge", "criterion": f"{one}:1", "into": "x"},
        {"deed": "reject", "criterion": f"{one}:1", "reason": "\x00"},
    ):
        refused = reviewer.post("/projects/moderated/criteria/decide", wrong)
        assert refused.status_code == 400 and json.loads(refused.content)["problem"], wrong
