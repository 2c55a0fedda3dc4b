"""The pages of review: what they list and link, how many statements they make, and what odd addresses do."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotate.models import Comment, Comparison, Project, Resolution, Role, User
from tests.browser.judging import CLARITY, image_pair, picture
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_member,
    make_pair,
    make_project,
    make_user,
)
from tests.review.test_items import judged, make_revision, scored

pytestmark = pytest.mark.django_db


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="webapp.sessions.Accounts")
    return client


@pytest.fixture
def project() -> Project:
    return make_project(name="Kitchen robots")


@pytest.fixture
def client(project: Project) -> Client:
    return client_of(make_member(project, Role.REVIEWER, make_user(password=None)))


def content_of(response: Any) -> bytes:
    found: bytes = b"".join(response.streaming_content)
    return found


def post(client: Client, comparison: Comparison, deed: str, query: str = "", **given: Any) -> Any:
    url = f"/review/{comparison.pair.project.slug}/{comparison.pk}/{query}"
    return client.post(url, {"deed": deed, **given})


def one(client: Client, comparison: Comparison, query: str = "") -> Any:
    response = client.get(f"/review/{comparison.pair.project.slug}/{comparison.pk}/{query}")
    assert response.status_code == 200
    return response


def shown(client: Client, project: Project, query: str = "") -> Any:
    response = client.get(f"/review/{project.slug}/?{query}")
    assert response.status_code == 200
    return response


def ids(response: Any) -> list[int]:
    return [row["item"].comparison_id for row in response.context["rows"]]


def test_it_lists_conflicts_and_says_why(client: Client, project: Project) -> None:
    comparison = judged(project, ["response1", "response2"], prompt="Why is the <sky> blue?")
    page = shown(client, project)
    text = page.content.decode()
    assert "people disagree (1.00)" in text and "Why is the &lt;sky&gt; blue?" in text
    assert ids(page) == [comparison.pk]
    assert ids(shown(client, project, "kind=model")) == []
    assert "No conflict is as you filter" in shown(client, project, "kind=model").content.decode()
    assert ids(shown(client, project, f"criterion={comparison.criterion_id}&task_type=text_to_text")) == [
        comparison.pk
    ]


def test_pages_lead_on_and_back(client: Client, project: Project) -> None:
    made = [judged(project, ["response1", "response2"]).pk for _ in range(120)]
    seen, page = [], shown(client, project)
    assert not page.context["newer"]
    for n in range(3):
        seen += ids(page)
        if n < 2:
            page = client.get(page.context["older"])
    assert seen == made and not page.context["older"]
    back = client.get(page.context["newer"])
    assert ids(back) == made[50:100] and back.context["older"]
    first = client.get(back.context["newer"])
    assert ids(first) == made[:50] and not first.context["newer"]


def test_a_page_makes_as_many_statements_whatever_it_shows(client: Client, project: Project) -> None:
    judged(project, ["response1", "response2"])
    shown(client, project)
    with CaptureQueriesContext(connection) as few:
        shown(client, project)
    for n in range(30):
        judged(project, ["response1", "response2"], criterion=f"Number {n}?")
    with CaptureQueriesContext(connection) as many:
        shown(client, project)
    assert len(few) == len(many)


@pytest.mark.parametrize(
    "query",
    [
        "state=nowhere",
        "kind=people'--",
        "criterion=٣",
        "criterion=99999999999999999999",
        "task_type=x",
        "after=nan:1",
        "after=inf:1",
        "after=1:99999999999999999999",
        "before=:",
        "after=0.5",
        "project__salt__startswith=a",
    ],
)
def test_odd_addresses_show_what_there_is(client: Client, project: Project, query: str) -> None:
    comparison: Comparison = judged(project, ["response1", "response2"])
    assert ids(shown(client, project, query)) == [comparison.pk]


def test_the_page_of_one_shows_what_everybody_said(client: Client, project: Project) -> None:
    comparison = make_comparison(make_pair(project, response1="First <b>answer</b>."), k=2)
    anchor = {"response": "response1", "kind": "text", "start": 0, "end": 5, "quote": "First"}
    ada, bo = make_annotator(project, pseudonym="Ada"), make_annotator(project, pseudonym="Bo")
    first = judge(
        comparison,
        "response1",
        ada,
        strength=3,
        rationale="It <i>is</i>.",
        evidence={"anchors": [anchor]},
        flip=True,
    )
    judge(comparison, "response2", bo, strength=1, seconds=12.4)
    scored(make_revision(project, 7), comparison, -2.5, 0.25)
    page = one(client, comparison)
    rows = {row["judgment"].annotator.pseudonym: row for row in page.context["verdicts"]}
    assert (rows["Ada"]["words"], rows["Ada"]["a_stood"], rows["Ada"]["flipped"]) == (
        "A much better",
        "right",
        True,
    )
    assert (rows["Bo"]["words"], rows["Bo"]["a_stood"]) == ("B slightly better", "left, as here")
    text = page.content.decode()
    assert "It &lt;i&gt;is&lt;/i&gt;." in text and "<b>answer</b>" not in text
    assert "builtin 7" in text and "margin -2.50, standard deviation 0.50" in text
    pair = page.context["pair"]
    assert (pair["a"]["text"], pair["b"]["text"][:10]) == ("First <b>answer</b>.", "The second")
    assert pair["evidence"][str(first.pk)] == [
        {"side": "a", "kind": "text", "start": 0, "end": 5, "quote": "First"}
    ]


def test_model_names_are_for_managers_who_ask(client: Client, project: Project) -> None:
    comparison = judged(project, ["response1", "response2"], models=("zephyr-7b", "llama-70b"))
    manager = client_of(make_member(project, Role.MANAGER, make_user(password=None)))
    assert b"zephyr-7b" not in one(client, comparison, "?names=1").content
    assert b"zephyr-7b" not in one(manager, comparison).content
    assert b"zephyr-7b" in one(manager, comparison, "?names=1").content


def test_settling_leads_to_the_next_of_the_same_filter(client: Client, project: Project) -> None:
    first, other, last = (
        judged(project, ["response1", "response2"], criterion=text) for text in ("One?", "Other?", "One?")
    )
    query = f"?criterion={first.criterion_id}"
    page = one(client, first, query)
    assert page.context["next"].startswith(f"/review/{project.slug}/{last.pk}/") and not page.context["back"]
    done = post(client, first, "settle", query, verdict="tie", reason="Both say so.", seen="")
    assert done.status_code == 302 and done["Location"] == page.context["next"]
    assert "Settled: tie." in client.get(done["Location"]).content.decode()
    done = post(client, last, "accept", query, reason="", seen="")
    assert done.status_code == 400 and b"decide yourself" in done.content
    done = post(client, last, "settle", query, verdict="response2", reason="B.", seen="")
    assert done["Location"] == f"/review/{project.slug}/?criterion={first.criterion_id}"
    assert ids(shown(client, project)) == [other.pk]
    assert set(ids(shown(client, project, "state=settled"))) == {first.pk, last.pk}


def test_who_comes_second_sees_what_was_decided_and_keeps_what_they_wrote(
    client: Client, project: Project
) -> None:
    comparison = judged(project, ["response1", "response2"])
    other = client_of(make_member(project, Role.REVIEWER, make_user(password=None)))
    post(other, comparison, "settle", verdict="tie", reason="I was first.", seen="")
    refused = post(client, comparison, "settle", verdict="response1", reason="Mine, kept.", seen="")
    text = refused.content.decode()
    assert refused.status_code == 409
    assert "Somebody else decided" in text and "I was first." in text and "Mine, kept." in text
    head = Resolution.objects.get()
    assert f'name="seen" value="{head.pk}"' in text
    again = post(client, comparison, "settle", verdict="response1", reason="Mine, kept.", seen=head.pk)
    assert again.status_code == 302 and Resolution.objects.count() == 2


def test_sending_back_and_comments_by_the_page(client: Client, project: Project) -> None:
    comparison = make_comparison(make_pair(project), k=2)
    annotator = make_annotator(project, make_member(project), pseudonym="Ada")
    judgment = judge(comparison, "response1", annotator)
    judge(comparison, "response2")
    assert post(client, comparison, "send_back", to=judgment.pk, text="").status_code == 400
    refused = post(client, comparison, "send_back", to="nobody", text="Kept <words>.")
    assert refused.status_code == 400 and b"Kept &lt;words&gt;." in refused.content
    assert post(client, comparison, "send_back", to=judgment.pk, text="Look again.").status_code == 302
    assert ids(shown(client, project, "state=sent_back")) == [comparison.pk]
    assert b"asked to look again" in one(client, comparison).content
    assert post(client, comparison, "comment", to="Ada", text="And <here>.").status_code == 302
    page = one(client, comparison).content.decode()
    assert "And &lt;here&gt;." in page and "<here>" not in page
    said = Comment.objects.latest("pk")
    assert post(client, comparison, "retract", comment=said.pk).status_code == 302
    page = one(client, comparison).content.decode()
    assert "And &lt;here&gt;." not in page and "Taken back." in page
    assert post(client, comparison, "comment", to="nobody", text="Hm.").status_code == 400
    assert post(client, comparison, "seen", upto=said.pk).status_code == 204
    assert post(client, comparison, "unheard of").status_code == 400
    back = post(client, comparison, "send_back", to="all", text="One more.", k="2")
    comparison.refresh_from_db()
    assert back.status_code == 302 and comparison.k == 3


def test_the_page_of_one_makes_as_many_statements_whatever_was_said(client: Client, project: Project) -> None:
    comparison = judged(project, ["response1", "response2"])
    one(client, comparison)
    with CaptureQueriesContext(connection) as few:
        one(client, comparison)
    Comparison.objects.filter(pk=comparison.pk).update(k=9)
    comparison.refresh_from_db()
    for n in range(6):
        judge(comparison, "response1", rationale=f"Number {n}.")
        post(client, comparison, "comment", to="", text=f"Number {n}.")
        head = Resolution.objects.filter(superseded_by__isnull=True).first()
        post(client, comparison, "settle", verdict="tie", reason=f"{n}", seen=head.pk if head else "")
    one(client, comparison)
    with CaptureQueriesContext(connection) as many:
        one(client, comparison)
    assert len(few) == len(many)


def test_media_of_a_comparison_are_for_reviewers_and_by_slot(client: Client, project: Project) -> None:
    pair = image_pair(project, CLARITY)
    comparison = pair.comparisons.get()
    found = one(client, comparison).context["pair"]
    assert found["a"]["media"]["url"] == f"/media/review/{comparison.pk}/a/web"
    contents = [content_of(client.get(found[side]["media"]["url"])) for side in ("a", "b")]
    assert contents == [picture((200, 30, 30)), picture((30, 160, 60))]
    for slot, kind in (("c", "web"), ("p0", "web"), ("a", "original")):
        assert client.get(f"/media/review/{comparison.pk}/{slot}/{kind}").status_code == 404
    annotator = client_of(make_member(project, user=make_user(password=None)))
    assert annotator.get(found["a"]["media"]["url"]).status_code == 404
