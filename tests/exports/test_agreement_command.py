"""manage.py agreement: what counts now, by task type and criterion."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from annotate.models import Project
from tests.factories import judge, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project()
    for task_type, criterion, verdicts in [
        ("text_to_text", "Kindness", ["response1", "response1", "response1"]),
        ("text_to_text", "Kindness", ["response2", "response2", "tie"]),
        ("text_to_text", "Truth", ["response2", "response1", "cannot_tell"]),
        ("other", "Truth", ["tie"]),
        ("other", "Truth", ["cannot_tell"]),
    ]:
        comparison = make_comparison(make_pair(project, task_type=task_type), criterion)
        for verdict in verdicts:
            judge(comparison, verdict)
    revised = judge(make_comparison(make_pair(project), "Kindness"), "response1")
    judge(revised.comparison, "response2", supersedes=revised)
    judge(revised.comparison, "response1", seated=False, late=True)
    return project


def run(project: Project, *options: str) -> str:
    said = StringIO()
    call_command("agreement", "--project", project.slug, *options, stdout=said)
    return said.getvalue()


def test_json_tells_counts_and_agreement(project: Project) -> None:
    report = json.loads(run(project, "--json"))
    overall = report["overall"]
    assert (overall["comparisons"], overall["verdicts"], overall["pairable"], overall["unanimous"]) == (
        5,
        10,
        3,
        1,
    )
    assert overall["percent"]["value"] == pytest.approx(100 * (1 + 1 / 3 + 0) / 3, abs=1e-6)
    # By hand: 8 pairable verdicts (4, 3 and 1 of each); 4 of 8 coincidences disagree, by chance 38 of 56 would.
    assert overall["alpha"]["value"] == pytest.approx(1 - (4 / 8) / ((64 - 26) / 56), abs=1e-6)
    assert overall["labels"] == {"no_consensus": 1, "response1": 1, "response2": 2, "tie": 1}
    assert list(report["by_task_type"]) == ["text_to_text", "other"]
    assert report["by_task_type"]["other"]["alpha"] == {
        "value": None,
        "low": None,
        "high": None,
        "why": "No comparison has two verdicts or more.",
    }
    assert {entry["criterion"]: entry["verdicts"] for entry in report["by_criterion"]} == {
        "Kindness": 7,
        "Truth": 3,
    }


def test_table_for_people(project: Project) -> None:
    lines = run(project).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["all", "text_to_text", "other", "Kindness", "Truth"]
    assert lines[1].split()[1:5] == ["5", "10", "3", "1"]
    assert lines[3].split()[-1] == "-"


def test_a_project_without_judgments_has_no_agreement() -> None:
    report = json.loads(run(make_project(), "--json"))
    assert (report["overall"]["comparisons"], report["overall"]["alpha"]["value"]) == (0, None)


def test_an_unknown_project_is_named() -> None:
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("agreement", "--project", "nowhere")
