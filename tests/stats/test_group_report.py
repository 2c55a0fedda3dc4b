"""Groups in the report and on the dashboard: planted differences are told, small groups are not, in any form."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotate.actions import groups
from annotate.models import Annotator, AnnotatorGroup, Project, Report, Role
from annotate.report_tables import tables_of
from annotate.reports import full_report
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


def groups_of(annotator: Annotator) -> list[AnnotatorGroup]:
    return list(AnnotatorGroup.objects.filter(members__annotator=annotator))


def put(project: Project, kind: str, name: str, people: list[Annotator]) -> None:
    group = AnnotatorGroup.objects.filter(project=project, kind=kind, name=name).first()
    group = group or groups.make_group(by=None, project=project, kind=kind, name=name)
    for one in people:
        groups.set_groups(by=None, annotator=one, groups=[*groups_of(one), group])


@pytest.fixture
def project() -> Project:
    """Twelve annotators, six of each language; by taste they differ, by truth they do not. Two of a rare language."""
    made = make_project(slug="grouped")
    people = [make_annotator(made, pseudonym=f"p{n:02}") for n in range(14)]
    put(made, "language", "Korean", people[:6])
    put(made, "language", "English", people[6:12])
    put(made, "language", "canary Rare", people[12:])
    put(made, "expertise", "Cooks", people[:7])
    for n in range(12):
        pair = make_pair(made, external_id=f"row-{n}")
        taste, truth = (make_comparison(pair, text, k=9) for text in ("Taste", "Truth"))
        for one in [(n + step) % 6 for step in range(3)]:
            judge(taste, "response1", people[one])
            judge(taste, "response2", people[6 + one])
            judge(truth, "response1" if n % 2 else "tie", people[one])
            judge(truth, "response1" if n % 2 else "tie", people[6 + one])
        judge(taste, "tie", people[12 + n % 2])
    return made


def report(project: Project) -> Any:
    return json.loads(json.dumps(full_report(project, timezone.now().date()), allow_nan=False))


def test_a_planted_difference_is_told_and_none_where_there_is_none(project: Project) -> None:
    language, expertise = report(project)["groups"][:2]
    assert (language["kind"], expertise["kind"]) == ("language", "expertise")
    rows = {row["criterion"]: row for row in language["criteria"]["rows"]}
    taste, truth = rows["Taste"], rows["Truth"]
    assert taste["effect"]["value"] == 1 and taste["different"] and taste["q"] <= 0.05
    assert taste["exact"] and taste["p"] == pytest.approx(2 / 924, abs=1e-6)  # 12 over 6 ways, two as extreme
    assert truth["effect"]["value"] == 0 and not truth["different"] and truth["p"] == 1
    comparisons = language["comparisons"]
    assert comparisons["opposite"] == 12 and comparisons["tested"] == 24
    assert all(row["criterion"] == "Taste" and row["opposite"] for row in comparisons["rows"])
    assert comparisons["rows"][0]["p"] == pytest.approx(2 / 20)
    assert comparisons["rows"][0]["votes"][0] == {
        "group": "English",
        "response1": 0,
        "response2": 3,
        "tie": 0,
    }
    assert expertise["criteria"]["rows"] == [] and "no two groups" in expertise["why"]


def test_a_small_group_is_named_and_nothing_of_it_told(project: Project) -> None:
    language = report(project)["groups"][0]
    rare = next(row for row in language["groups"] if row["group"] == "canary Rare")
    assert rare["annotators"] is None and rare["verdicts"] is None
    assert rare["tie"]["value"] is None and "Fewer than 5" in rare["tie"]["why"]
    told = json.dumps([language["criteria"], language["comparisons"]])
    assert "canary" not in told


def test_who_is_in_two_groups_is_left_out_of_the_tests(project: Project) -> None:
    both = Annotator.objects.get(pseudonym="p00")
    put(project, "language", "English", [both])
    language = report(project)["groups"][0]
    assert language["several"] == 1
    assert {row["annotators"] for row in language["criteria"]["rows"]} == {11}
    put(project, "language", "English", [Annotator.objects.get(pseudonym="p01")])
    language = report(project)["groups"][0]  # four are left who speak Korean alone
    assert "no two groups" in language["why"] and language["criteria"]["rows"] == []


def test_without_groups_there_is_no_part() -> None:
    assert report(make_project())["groups"] == []


def test_the_dashboard_shows_them(project: Project) -> None:
    content = report(project)
    Report.objects.create(project=project, read_at=timezone.now(), verdicts=1, seconds=1, content=content)
    client = Client()
    user = make_member(project, Role.REVIEWER, make_user(password=None))
    client.force_login(user, backend="webapp.sessions.Accounts")
    page = client.get("/dashboard/grouped/").content.decode()
    assert "Groups by language" in page and "+100.0" in page and "Fewer than 5 of its annotators" in page
    assert "12 comparisons have opposite winners" in page
    for name, rows in (("groups", 4), ("groups-by-criterion", 2), ("groups-by-comparison", 12)):
        sent = client.get(f"/dashboard/grouped/{name}.csv").content.decode()
        found = list(csv.reader(StringIO(sent)))
        assert len(found) == rows + 1 and len({len(row) for row in found}) == 1, name
    del content["groups"]  # a report of before there were groups
    Report.objects.update(content=content)
    assert client.get("/dashboard/grouped/").status_code == 200
    assert tables_of(content)["groups"] == []
