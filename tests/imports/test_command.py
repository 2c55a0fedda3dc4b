"""manage.py import_pairs, and imports of uploads."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from annotate.access import Denied, Unknown
from annotate.actions.imports import start_import, start_import_of_upload
from annotate.actions.jobs import Refused, run_job
from annotate.models import JobState, Pair, Project, Role
from tests.factories import make_member, make_project, make_user
from tests.imports.reading import row, spec_of, write_json
from tests.imports.test_media import picture_row, stored_files, zipped

pytestmark = pytest.mark.django_db


def command(*arguments: object, **options: Any) -> None:
    call_command("import_pairs", *map(str, arguments), **options)


def test_make_a_project_and_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_json(tmp_path / "p.json", [row(1), row(2)])
    arguments = (path, "--project", "new", "--create", "--task-type", "text_to_text", "--reserve-share", "1")
    command(*arguments)
    assert capsys.readouterr().out == "2 pairs new, 0 judgments new.\n"
    project = Project.objects.get(slug="new")
    assert (project.task_type, project.reserve_share, project.validation_share) == ("text_to_text", 1, 0)
    command(*arguments)
    assert capsys.readouterr().out == "0 pairs new, 2 there already, 0 judgments new.\n"


def test_refused_rows_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_project(slug="there")
    path = write_json(tmp_path / "p.json", [row(1), row(2, prompt=""), row(3, id=None)])
    with pytest.raises(
        CommandError, match=r"p\.json, row 2, prompt: is empty.*\n.*row 3, id: .*\nNothing was"
    ):
        command(path, "--project", "there")
    report = Path("p.json.refused.jsonl")
    assert [json.loads(line)["row"] for line in report.read_text().splitlines()] == [2, 3]
    command(path, "--project", "there", "--on-error", "skip", "--report", tmp_path / "mine.jsonl")
    assert "1 pairs new, 0 judgments new, 2 rows refused." in capsys.readouterr().out
    assert len((tmp_path / "mine.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("p.json", "--project", "nowhere"), "There is no project 'nowhere'. Add --create"),
        (("gone.json", "--project", "there"), "No such file"),
        (("p.json", "--project", "there", "--reserve-share", "0.9"), "--reserve-share is for a new project"),
        (("p.json", "--project", "there", "--k", "12"), "k is 12"),
        (("p.json", "--project", "there", "--layout", "mapping"), "needs a mapping"),
        (("p.json", "--project", "there", "--media", "gone.zip"), "No such file"),
        (("p.json", "--project", "new", "--create", "--reserve-share", "7"), "less than or equal to 1"),
        (("p.json", "--project", "there", "--mapping", "p.json"), "mapping"),
        (("p.txt", "--project", "there"), "what kind of file"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_project(slug="there")
    write_json(tmp_path / "p.json", [row(1)])
    (tmp_path / "p.txt").write_text("")
    with pytest.raises(CommandError, match=words):
        command(*arguments)


def test_uploads_are_stored_and_read_by_a_job(tmp_path: Path) -> None:
    project = make_project()
    manager = make_member(project, Role.MANAGER)
    upload = SimpleUploadedFile("../../p.json", json.dumps([picture_row(1)]).encode())
    media = SimpleUploadedFile("media.zip", zipped(tmp_path).read_bytes())
    begun = start_import_of_upload(
        by=manager, project=project, uploads=[upload], media_zip=media, on_error="skip"
    )
    assert begun.job.state == JobState.QUEUED and begun.spec["files"][0]["name"] == "p.json"
    uploaded = {file["key"] for file in [*begun.spec["files"], begun.spec["media"]]}
    assert uploaded <= stored_files()
    run_job(begun.job_id)
    assert not uploaded & stored_files()
    assert Pair.objects.get(project=project).external_id == "r1"


def test_a_refused_upload_leaves_no_file() -> None:
    project = make_project()
    before = stored_files()
    upload = SimpleUploadedFile("p.json", b"[]")
    with pytest.raises(Refused, match="mapping"):
        start_import_of_upload(by=None, project=project, uploads=[upload], mapping_text="id: [")
    with pytest.raises(Refused, match="k is 12"):
        start_import_of_upload(by=None, project=project, uploads=[upload], k=12)
    assert stored_files() == before


def test_managers_alone_import(tmp_path: Path) -> None:
    project = make_project()
    spec = spec_of(write_json(tmp_path / "p.json", [row(1)]))
    with pytest.raises(Denied):
        start_import(by=make_member(project, Role.REVIEWER), project=project, spec=spec)
    with pytest.raises(Unknown):
        start_import(by=make_user(), project=project, spec=spec)
