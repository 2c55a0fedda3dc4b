"""Results that are kept: once, by managers, side by side where the benchmark is the same."""

import csv
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from annotate import evaluations
from annotate.access import Denied
from annotate.actions.evaluations import forget_evaluation, keep_evaluation
from annotate.models import AuditEntry, Evaluation, Role
from tests.admin.conftest import logged_in
from tests.evaluation.benches import LABELS, text_bench
from tests.evaluation.kept import results
from tests.evaluation.test_command import lines
from tests.factories import make_member, make_project, make_user

pytestmark = pytest.mark.django_db


def manager(project: Any) -> Client:
    return logged_in(make_member(project, Role.MANAGER, make_user("mona", password=None)))


def test_the_same_results_are_kept_once_and_forgotten_by_managers_alone() -> None:
    project = make_project(slug="ours")
    kept = keep_evaluation(by=None, project=project, results=results())
    assert keep_evaluation(by=None, project=project, results=results()).pk == kept.pk
    keep_evaluation(by=None, project=project, results=results(day=2))
    assert Evaluation.objects.count() == 2
    reviewer = make_member(project, Role.REVIEWER)
    for deed in (
        lambda: keep_evaluation(by=reviewer, project=project, results=results(day=3)),
        lambda: forget_evaluation(by=reviewer, evaluation=kept),
    ):
        with pytest.raises(Denied):
            deed()
    forget_evaluation(by=make_member(project, Role.MANAGER), evaluation=kept)
    assert Evaluation.objects.count() == 1
    deeds = list(AuditEntry.objects.order_by("pk").values_list("deed", flat=True))
    assert deeds == ["keep evaluation", "keep evaluation", "forget evaluation"]


@pytest.mark.django_db(transaction=True)
def test_two_who_keep_the_same_at_once_keep_one() -> None:
    project = make_project(slug="ours")
    together = threading.Barrier(4)

    def keep(_: int) -> int:
        try:
            together.wait()
            return keep_evaluation(by=None, project=project, results=results()).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        kept = list(threads.map(keep, range(4)))
    assert len(set(kept)) == 1 and Evaluation.objects.count() == 1
    assert AuditEntry.objects.filter(deed="keep evaluation").count() == 1


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"bench": "x"},
        {"at": "yesterday"},
        {"bench": {"name": "b", "digest": "no digest"}},
        {"judge": {"title": ""}},
    ],
)
def test_what_are_no_results_is_not_kept(broken: dict[str, Any]) -> None:
    told = results() | broken if broken else {}
    with pytest.raises(ValidationError):
        keep_evaluation(by=None, project=make_project(), results=told)


def test_boards() -> None:
    """The newest of each revision counts; a mean over fewer tasks ranks below; another digest is another board."""
    project = make_project(slug="ours")
    both = {"text_to_text": 0.75, "text_to_image": 0.5}
    for told in (
        results("good", rights=both, day=1),
        results("good", rights={"text_to_text": 1.0, "text_to_image": 0.75}, day=3),
        results("fair", rights=both, day=2),
        results(
            "half", rights={"text_to_text": 1.0, "text_to_image": 1.0}, unsupported="text_to_image", day=2
        ),
        results("fair", rights=both, day=4, digest="cd" * 32, bench="other"),
    ):
        keep_evaluation(by=None, project=project, results=told)
    newest, older = evaluations.boards(project)
    assert [board.title for board in older] == ["Without ties", "With ties"]
    assert [(line.evaluation.judge, line.macro.value) for line in older[1].lines] == [
        ("good", 0.875),
        ("fair", 0.625),
        ("half", 1.0),
    ]
    assert [cell.value for cell in older[1].lines[2].tasks] == [1.0, None]
    assert [line.evaluation.judge for line in newest[0].lines] == ["fair"]
    assert newest[0].bench == "other"


def test_the_page_and_its_csv() -> None:
    project = make_project(slug="ours", name="Ours")
    client = manager(project)
    assert "No results are kept yet" in client.get("/dashboard/ours/judges/").content.decode()
    kept = keep_evaluation(by=None, project=project, results=results("=1+1<b>"))
    keep_evaluation(by=None, project=project, results=results("half", unsupported="text_to_image"))
    shown = client.get("/dashboard/ours/judges/").content.decode()
    assert "=1+1&lt;b&gt;" in shown and "not supported" in shown and "0.700" in shown
    sent = client.get("/dashboard/ours/judges.csv")
    text = b"".join(sent.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2 * 2 * 4
    assert {row["judge"] for row in rows} == {"'=1+1<b>", "half"}
    found = {(row["judge"], row["protocol"], row["task"]): row["accuracy"] for row in rows}
    assert float(found["half", "With ties", "macro"]) == pytest.approx(0.8)
    assert found["half", "With ties", "text_to_image"] == ""
    gone = client.post("/dashboard/ours/judges/", {"evaluation": str(kept.pk)}, follow=True)
    assert "are forgotten" in gone.content.decode()
    for number in (str(kept.pk), "x", "9" * 30):
        again = client.post("/dashboard/ours/judges/", {"evaluation": number}, follow=True)
        assert "gone already" in again.content.decode()
    assert Evaluation.objects.count() == 1


def test_the_command_keeps_them(tmp_path: Path) -> None:
    project = make_project(slug="ours")
    bench = text_bench(tmp_path / "bench")
    file = lines(tmp_path / "v.jsonl", [{"id": f"t{n}", "verdict": label} for n, label in enumerate(LABELS)])
    said = io.StringIO()
    asked = {"bench": str(bench), "judge": f"verdicts:{file}", "out": tmp_path / "out", "stdout": said}
    call_command("eval_bench", **asked, keep="ours")
    assert "Kept with ours: /dashboard/ours/judges/" in said.getvalue()
    kept = Evaluation.objects.get(project=project)
    assert (kept.judge, kept.bench) == ("v", "bench")
    with pytest.raises(CommandError, match="There is no project 'none'"):
        call_command("eval_bench", **asked, keep="none")
