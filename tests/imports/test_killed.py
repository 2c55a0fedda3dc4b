"""Killed at any instruction, an import goes on where it stopped and comes to the same result."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command

from annotate.actions.imports import start_import
from annotate.actions.jobs import Refused, cancel_job, run_job
from annotate.actions.queue import READY_PER_ANNOTATOR
from annotate.models import Asset, DataImport, Derivative, Draw, Job, JobState, Pair, Project
from tests.factories import make_project
from tests.imports.reading import (
    assert_nothing_left,
    content,
    import_files,
    labels,
    row,
    spec_of,
    write_json,
    write_lines,
)
from tests.killing import KILLS, Commander, commander
from tests.media.pictures import coded, picture
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def importer(tmp_path: Path) -> Iterator[Commander]:
    with commander(environ_on_test_database(), tmp_path / "importer.log") as importer:
        yield importer


def new_project() -> Project:
    return make_project(salt="same", pseudonym_key="same", k=2)


def import_with_kills(importer: Commander, chance: random.Random, *arguments: str) -> Iterator[Project]:
    """Projects that were imported into by commands, KILLS of which were killed at random instants."""
    begun = time.monotonic()
    whole = new_project()
    assert importer.run("import_pairs", *arguments, "--project", whole.slug) == 0
    duration = time.monotonic() - begun
    killed = 0
    while killed < KILLS:
        project = new_project()
        command = ("import_pairs", *arguments, "--project", project.slug)
        for _ in range(5):
            status = importer.run(*command, kill_after=chance.uniform(0, duration))
            killed += status == signal.SIGKILL
            if status == 0:
                break
            assert status == signal.SIGKILL
            # Seen whole or not at all.
            visible = Pair.objects.filter(project=project, data_import__visible=True).count()
            assert visible in (0, Pair.objects.filter(project=whole).count())
        assert importer.run(*command) == 0
        # It was resumed, not begun anew; only what was killed after its end is asked for once more.
        assert DataImport.objects.filter(project=project, pairs_new__gt=0).count() == 1
        assert set(Job.objects.filter(project=project).values_list("state", flat=True)) == {JobState.DONE}
        yield project


@pytest.mark.timeout(900)
def test_text_pairs_with_labels(tmp_path: Path, importer: Commander) -> None:
    rows = [
        row(
            n,
            prompt=f"Prompt {n % 350}",
            criteria=[{"text": f"Criterion {n % 5}", "judgments": labels("response1", "tie")}, "Clear?"],
        )
        for n in range(1000)
    ]
    path = write_lines(tmp_path / "p.jsonl", rows)
    whole = new_project()
    import_files(whole, path)
    for project in import_with_kills(importer, random.Random(7), str(path)):
        assert content(project) == content(whole)
        assert Draw.objects.filter(project=project).count() == READY_PER_ANNOTATOR


@pytest.mark.timeout(900)
def test_media_leave_no_file_behind(tmp_path: Path, importer: Commander) -> None:
    root = tmp_path / "media"
    root.mkdir()
    for n in range(40):
        (root / f"{n}.png").write_bytes(coded("PNG", picture(160, 120, seed=n)))
    rows = [row(n, response1={"media": f"{n}.png"}, response2={"media": f"{n + 20}.png"}) for n in range(20)]
    path = write_json(tmp_path / "p.json", rows)
    whole = new_project()
    before = files()
    import_files(whole, path, media=root)
    for project in import_with_kills(importer, random.Random(3), str(path), "--media", str(root)):
        assert content(project) == content(whole)
        assert files() - before == keys()


def test_one_that_was_killed_between_its_last_two_statements_is_ended_and_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    path = write_lines(tmp_path / "p.jsonl", [row(n) for n in range(5)])

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("annotate.actions.jobs._end", killed)
        call_command("import_pairs", str(path), "--project", project.slug)
    assert DataImport.objects.get().visible and Job.objects.get().state == JobState.RUNNING
    call_command("import_pairs", str(path), "--project", project.slug)
    assert Job.objects.get().state == JobState.DONE
    # It bars no other import, as one that is not visible yet does.
    Job.objects.update(state=JobState.RUNNING)
    import_files(project, write_lines(tmp_path / "q.jsonl", [row(9)]))


def keys() -> set[str]:
    return {
        *Asset.objects.values_list("key", flat=True),
        *Derivative.objects.values_list("key", flat=True),
    }


def files() -> set[str]:
    root = Path(default_storage.path("assets"))
    return {str(path.relative_to(root.parent)) for path in root.rglob("*") if path.is_file()}


def test_a_cancelled_import_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.imports.run.BATCH_ROWS", 10)
    project = make_project()
    path = write_lines(tmp_path / "p.jsonl", [row(n) for n in range(200)])
    begun = start_import(by=None, project=project, spec=spec_of(path), by_hand=True)

    def cancel_later(job: Job) -> None:
        if job.done > path.stat().st_size / 2:
            cancel_job(by=None, job=job)

    assert run_job(begun.job_id, by_hand=True, progress=cancel_later).state == JobState.CANCELLED
    assert_nothing_left(project)
    # Asked for again, it starts over.
    run_job(begun.job_id, by_hand=True)
    assert Pair.objects.filter(project=project).count() == 200


def test_nothing_is_seen_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.imports.run.BATCH_ROWS", 10)
    project = make_project()
    path = write_lines(tmp_path / "p.jsonl", [row(n) for n in range(50)])
    begun = start_import(by=None, project=project, spec=spec_of(path), by_hand=True)
    seen: list[tuple[int, int]] = []

    def look(job: Job) -> None:
        visible = Pair.objects.filter(project=project, data_import__visible=True).count()
        seen.append((Pair.objects.filter(project=project).count(), visible))

    run_job(begun.job_id, by_hand=True, progress=look)
    assert max(there for there, _ in seen) >= 40 and {visible for _, visible in seen} == {0}
    assert Pair.objects.filter(data_import__visible=True).count() == 50


def test_what_a_failed_import_left_is_no_part_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.imports.run.BATCH_ROWS", 10)
    project = make_project(reserve_share=0, validation_share=0)
    path = write_lines(tmp_path / "p.jsonl", [row(n) for n in range(50)])
    begun = start_import(by=None, project=project, spec=spec_of(path), by_hand=True)

    def fail_later(job: Job) -> None:
        if job.done > path.stat().st_size / 2:
            raise MemoryError

    with pytest.raises(MemoryError):
        run_job(begun.job_id, by_hand=True, progress=fail_later)
    assert Pair.objects.filter(project=project).exists()
    other = write_lines(tmp_path / "other.jsonl", [row(n, response1="Another.") for n in range(5)])
    made = import_files(project, other, source="p")
    assert made.pairs_new == 5 == Pair.objects.filter(project=project).count()
    # Tried again, the first one starts over, and meets the names that are taken now.
    with pytest.raises(Refused, match="row 1, response1: differs"):
        run_job(begun.job_id, by_hand=True)
    assert Pair.objects.filter(project=project).count() == 5
