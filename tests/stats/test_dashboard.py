"""The dashboard's pages: what they show of the kept report, that they compute nothing, what goes into a spreadsheet."""

import csv
from io import StringIO

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotate.actions.jobs import run_job
from annotate.models import Job, JobKind, JobState, Project, Report, Role
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_member,
    make_pair,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(slug="watched", name="Watched")
    people = [make_annotator(project, pseudonym=name) for name in ("=1+1", "Bo")]
    for n in range(6):
        pair = make_pair(project, models=("alpaca", "llama"))
        for criterion in ("Truth", "<b>Brevity</b>"):
            comparison = make_comparison(pair, criterion)
            judge(comparison, "response1" if n % 2 else "response2", people[0])
            judge(comparison, "response1" if n % 3 else "tie", people[1])
    return project


@pytest.fixture
def manager(project: Project) -> Client:
    client = Client()
    user = make_member(project, Role.MANAGER, make_user(password=None))
    client.force_login(user, backend="webapp.sessions.Accounts")
    return client


def compute(manager: Client) -> None:
    """As the button has it, and a worker after it."""
    assert manager.post("/dashboard/watched/compute").status_code == 302
    run_job(Job.objects.get(kind=JobKind.REPORT, state="queued").pk, by_hand=True)


def test_before_anything_was_computed_there_is_a_button(manager: Client) -> None:
    page = manager.get("/dashboard/watched/").content.decode()
    assert "No statistics were computed yet." in page
    assert manager.get("/dashboard/watched/state").json() == {"read_at": None, "step": None, "outdated": True}
    assert manager.get("/dashboard/watched/annotators.csv").status_code == 404
    manager.post("/dashboard/watched/compute")
    manager.post("/dashboard/watched/compute")
    assert Job.objects.filter(kind=JobKind.REPORT).count() == 1
    assert manager.get("/dashboard/watched/state").json()["step"] == "waiting for a worker"
    assert "Computing: waiting for a worker" in manager.get("/dashboard/watched/").content.decode()


def test_the_page_shows_the_kept_report_and_computes_nothing(
    manager: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute(manager)
    monkeypatch.setattr("annotate.actions.reports.full_report", None)
    with CaptureQueriesContext(connection) as statements:
        page = manager.get("/dashboard/watched/").content.decode()
    assert len(statements) <= 8
    assert not any("annotate_judgment" in (one["sql"] or "") for one in statements)
    overall = Report.objects.get(project=project).content["agreement"]["overall"]
    assert f"{overall['alpha']['value']:.3f} ({overall['alpha']['low']:.3f} to" in page
    assert "&lt;b&gt;Brevity&lt;/b&gt;" in page and "<b>Brevity" not in page
    for shown in ("24 <small>of 36 wanted", "alpaca", "llama", "Bo", "Truth", "All comparisons"):
        assert shown in page, shown


def test_tables_go_into_a_spreadsheet(manager: Client, project: Project) -> None:
    compute(manager)

    def rows(name: str) -> list[dict[str, str]]:
        answer = manager.get(f"/dashboard/watched/{name}.csv")
        assert answer["Content-Disposition"] == f'attachment; filename="watched-{name}.csv"'
        return list(csv.DictReader(StringIO(answer.content.decode())))

    annotators = rows("annotators")
    assert {row["annotator"] for row in annotators} == {"'=1+1", "Bo"}, "no formula runs"
    assert {row["verdicts"] for row in annotators} == {"12"}
    content = Report.objects.get(project=project).content
    (overall,) = (row for row in rows("agreement") if row["of"] == "all")
    alpha = content["agreement"]["overall"]["alpha"]
    assert [overall[name] for name in ("alpha", "alpha_low", "alpha_high", "alpha_why")] == [
        str(alpha["value"]),
        str(alpha["low"]),
        str(alpha["high"]),
        "",
    ]
    assert overall["labels_no_consensus"] == str(content["agreement"]["overall"]["labels"]["no_consensus"])
    for name in (
        "progress",
        "throughput",
        "agreement-over-time",
        "annotator-pairs",
        "criteria",
        "leaderboards",
    ):
        assert rows(name), name
    assert manager.get("/dashboard/watched/nothing.csv").status_code == 404


def test_the_way_there_is_shown_to_who_may_see_judgments(manager: Client, project: Project) -> None:
    annotator, reviewer = Client(), Client()
    for client, role in ((annotator, Role.ANNOTATOR), (reviewer, Role.REVIEWER)):
        client.force_login(
            make_member(project, role, make_user(password=None)), backend="webapp.sessions.Accounts"
        )
    pages = [client.get("/").content.decode() for client in (annotator, reviewer, manager)]
    assert ["/dashboard/watched/" in page for page in pages] == [False, True, True]
    judgments = f"{reverse('admin:annotate_judgment_changelist')}?project={project.pk}"
    assert [judgments in page for page in pages] == [False, True, False]
    assert ["/admin/annotate/project/" in page for page in pages] == [False, False, True]


def test_a_reviewer_reads_figures_and_asks_for_none(manager: Client, project: Project) -> None:
    compute(manager)
    reviewer = Client()
    reviewer.force_login(
        make_member(project, Role.REVIEWER, make_user(password=None)), backend="webapp.sessions.Accounts"
    )
    for path in ("", "state", "annotators.csv"):
        assert reviewer.get(f"/dashboard/watched/{path}").status_code == 200
    button = "/dashboard/watched/compute"
    assert button in manager.get("/dashboard/watched/").content.decode()
    assert button not in reviewer.get("/dashboard/watched/").content.decode()
    assert reviewer.post(button).status_code == 404
    assert not Job.objects.exclude(state=JobState.DONE).exists()


def test_criteria_are_sorted_by_any_column_what_is_undefined_last(manager: Client, project: Project) -> None:
    annotator = make_annotator(project, pseudonym="Cy")
    for n, verdict in enumerate(("cannot_tell", "cannot_tell", "media_broken", "response1")):
        judge(
            make_comparison(make_pair(project), "Calm"),
            verdict,
            annotator,
            broken="prompt" if verdict == "media_broken" else "",
        )
        make_comparison(make_pair(project), f"Nobody judged {n}")
    compute(manager)
    rows = {row["criterion"]: row for row in Report.objects.get().content["criteria"]["rows"]}
    calm = rows["Calm"]
    assert (calm["used"], calm["verdicts"]) == (4, 1)
    assert (calm["cannot_tell"]["value"], calm["no_opinion"]["value"]) == (0.5, 0.75)
    assert calm["alpha"]["value"] is None and calm["alpha"]["why"]
    assert Report.objects.get().content["criteria"]["unjudged"] == 4

    def order(query: str) -> list[str]:
        page = manager.get(f"/dashboard/watched/{query}").content.decode()
        table = page[page.index('<section class="sheet" aria-labelledby="criteria"') :]
        places = {name: table.index(f'class="text">{name}') for name in ("Truth", "&lt;b&gt;Brevity", "Calm")}
        return sorted(places, key=places.__getitem__)

    assert order("?sort=verdicts")[-1] == "Calm"
    assert order("?sort=verdicts&order=up")[0] == "Calm"
    assert order("?sort=cannot_tell")[0] == "Calm"
    assert order("?sort=criterion") == ["&lt;b&gt;Brevity", "Calm", "Truth"]
    for query in ("?sort=alpha", "?sort=alpha&order=down"):
        assert order(query)[-1] == "Calm", "it has no alpha"
    assert order("?sort=nothing&order=x") == order("")
    assert calm["alpha"]["why"] in manager.get("/dashboard/watched/").content.decode()
    (row,) = (
        row
        for row in csv.DictReader(StringIO(manager.get("/dashboard/watched/criteria.csv").content.decode()))
        if row["criterion"] == "Calm"
    )
    assert (row["used"], row["cannot_tell"], row["state"]) == ("4", "0.5", "accepted")
