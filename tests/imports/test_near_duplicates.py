"""Prompts that are nearly the same are told of in the import's report; every pair is there all the same."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotate.actions.jobs import run_job
from annotate.imports import near_duplicates
from annotate.models import DataImport, Pair, Role
from tests.factories import make_member, make_project
from tests.imports.reading import import_files, row, write_lines
from tests.media.pictures import coded, picture

pytestmark = pytest.mark.django_db
LONG = "Explain in three short sentences why the sky is blue at noon and red in the evening, for a child."
OTHER = "Write a poem about a lighthouse keeper who collects the feathers of gulls and sorts them by colour."


def test_they_are_flagged_and_none_is_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], client
) -> None:
    project = make_project(slug="there")
    rows = [row(1, prompt=LONG), row(2, prompt=LONG.replace("three", "four")), row(3, prompt=OTHER)]
    call_command("import_pairs", str(write_lines(tmp_path / "a.jsonl", rows)), "--project", "there")
    assert "2 new prompts are nearly the same as another, in 1 groups" in capsys.readouterr().out
    assert Pair.objects.count() == 3
    made = DataImport.objects.get()
    (group,) = made.near_duplicates["shown"]
    assert [one["id"] for one in group["prompts"]] == ["r1", "r2"] and group["prompts"][0]["text"] == LONG
    client.force_login(make_member(project, Role.MANAGER), backend="webapp.sessions.Accounts")
    page = client.get(reverse("admin:annotate_job_progress", args=[made.job_id])).content.decode()
    assert "Prompts that are nearly the same" in page and "a / r2" in page


def test_with_what_the_project_has_and_not_with_another(tmp_path: Path) -> None:
    project = make_project()
    import_files(project, write_lines(tmp_path / "a.jsonl", [row(1, prompt=LONG)]))
    import_files(make_project(), write_lines(tmp_path / "b.jsonl", [row(1, prompt=LONG + " Please.")]))
    made = import_files(project, write_lines(tmp_path / "c.jsonl", [row(2, prompt=LONG + " Thanks!")]))
    assert (made.near_duplicates["prompts"], made.near_duplicates["groups"]) == (1, 1)
    assert DataImport.objects.filter(near_duplicates__prompts=0).count() == 2


def test_of_a_large_project_the_new_ones_alone_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "MAX_OTHERS", 1)
    project = make_project()
    import_files(project, write_lines(tmp_path / "a.jsonl", [row(1, prompt=LONG), row(2, prompt=OTHER)]))
    made = import_files(project, write_lines(tmp_path / "c.jsonl", [row(3, prompt=LONG + " Thanks!")]))
    assert made.near_duplicates["prompts"] == 0 and not made.near_duplicates["with_others"]


def test_the_same_words_about_other_media_are_another_prompt(tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / f"{n}.png").write_bytes(coded("PNG", picture(20, 10, seed=n)))
    rows = [
        row(1, prompt=LONG, media=["1.png"]),
        row(2, prompt=LONG, media=["2.png"]),
        row(3, prompt=LONG + " Thanks!", media=["2.png"]),
    ]
    made = import_files(make_project(), write_lines(tmp_path / "a.jsonl", rows), media=tmp_path)
    assert [one["id"] for one in made.near_duplicates["shown"][0]["prompts"]] == ["r2", "r3"]


def test_killed_before_they_were_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    made = import_files(
        project, write_lines(tmp_path / "a.jsonl", [row(1, prompt=LONG), row(2, prompt=LONG + " Thanks!")])
    )
    DataImport.objects.update(near_duplicates={})
    made.job.__class__.objects.filter(pk=made.job_id).update(state="running")
    run_job(made.job_id, by_hand=True)
    made.refresh_from_db()
    assert made.near_duplicates["prompts"] == 2
