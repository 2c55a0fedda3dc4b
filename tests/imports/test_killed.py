"""Killed at any instruction, an import goes on where it stopped and comes to the same result."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

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
from tests.media.pictures import coded, picture
from tests.paths import ROOT
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = int(os.environ.get("KILLS", "4"))


@contextmanager
def importing(project: Project, *arguments: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that imports into the test's database and has begun to read. It is dead afterwards."""
    env = environ_on_test_database()
    command = [sys.executable, "-m", "tests.imports.importing", str(project.pk), *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        try:
            assert process.stdout.readline() == "reading\n", process.stderr.read()
            yield process
        finally:
            process.kill()


def import_with_kills(project: Project, chance: random.Random, span: float, *arguments: Path) -> int:
    """Import in processes that are killed after a random part of `span` seconds, the last one not."""
    killed = 0
    for _ in range(KILLS):
        with importing(project, *arguments) as process:
            time.sleep(chance.uniform(0, span))
            killed += process.poll() is None
        if DataImport.objects.get(project=project).visible:
            return killed
    with importing(project, *arguments) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "done\n", process.stderr.read()
    return killed


def test_text_pairs_with_labels(tmp_path: Path) -> None:
    rows = [
        row(
            n,
            prompt=f"Prompt {n % 350}",
            criteria=[{"text": f"Criterion {n % 5}", "judgments": labels("response1", "tie")}, "Clear?"],
        )
        for n in range(1000)
    ]
    path = write_lines(tmp_path / "p.jsonl", rows)
    told = []
    for kill in (False, True):
        project = make_project(salt="same", pseudonym_key="same", k=2)
        if kill:
            began = DataImport.objects.count()
            assert import_with_kills(project, random.Random(7), 1.0, path) >= 1
            assert DataImport.objects.count() == began + 1  # it was resumed, not begun anew
        else:
            import_files(project, path)
        told.append(content(project))
        assert Draw.objects.filter(project=project).count() == READY_PER_ANNOTATOR
    assert told[0] == told[1]


def test_media_leave_no_file_behind(tmp_path: Path) -> None:
    root = tmp_path / "media"
    root.mkdir()
    for n in range(40):
        (root / f"{n}.png").write_bytes(coded("PNG", picture(160, 120, seed=n)))
    rows = [row(n, response1={"media": f"{n}.png"}, response2={"media": f"{n + 20}.png"}) for n in range(20)]
    path = write_json(tmp_path / "p.json", rows)
    told = []
    for kill in (False, True):
        project = make_project(salt="same", pseudonym_key="same")
        before = files()
        if kill:
            assert import_with_kills(project, random.Random(3), 1.5, path, root) >= 1
        else:
            import_files(project, path, media=root)
        told.append(content(project))
        keys = set(Asset.objects.filter(project=project).values_list("key", flat=True))
        keys |= set(Derivative.objects.filter(asset__project=project).values_list("key", flat=True))
        assert files() - before == keys
    assert told[0] == told[1]


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
