"""Imports and releases asked for in admin, whose workers are killed at random instants: done once, and the same."""

import random
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from annotate.actions import jobs
from annotate.actions.imports import start_import_of_upload
from annotate.actions.releases import ReleaseOptions, start_release
from annotate.exports import plan
from annotate.models import AuditEntry, FrozenComparison, Job, JobState, Release
from tests.factories import make_project
from tests.imports.reading import content, import_files, labels, row, write_lines
from tests.killing import KILLS
from tests.workers.test_worker import Start, ended, start_worker, until

__all__ = ["start_worker"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = [
    row(
        n,
        prompt=f"Prompt {n}",
        criteria=[{"text": f"Criterion {n % 3}", "judgments": labels("response1", "tie")}],
    )
    for n in range(600)
]
SPAN = 1.5  # seconds: about what each of the jobs takes


class Killer:
    """A worker that is killed, as a whole or the process of its pool, until `due` kills have met unfinished jobs."""

    def __init__(self, start: Callable[[], "subprocess.Popen[bytes]"], due: int) -> None:
        self._start, self._chance = start, random.Random(11)
        self.due, self.killed = due, {"worker": 0, "child": 0}
        self._worker = psutil.Process(start().pid)

    @property
    def over(self) -> bool:
        return sum(self.killed.values()) >= self.due

    def see_through(self, job: Job, kills: int) -> None:
        """Wait for the job's end; before, kill whoever works on it so often, each time after a random part of SPAN."""
        for _ in range(kills):
            self._sweep_until(lambda: Job.objects.get(pk=job.pk).state != JobState.QUEUED)
            time.sleep(self._chance.uniform(0, SPAN))
            self._strike(job)
        self._sweep_until(lambda: ended(job))

    def _sweep_until(self, true: Callable[[], bool]) -> None:
        """What beat does, only sooner."""

        def swept() -> bool:
            jobs.sweep_jobs(older_than=timedelta(seconds=1))
            return true()

        until(swept)

    def _strike(self, job: Job) -> None:
        children = self._worker.children()
        what = self._chance.choice(["worker", "child"])
        if ended(job) or (what == "child" and not children):
            return
        if what == "child":
            self._chance.choice(children).send_signal(signal.SIGKILL)
        else:
            self._worker.kill()
            self._worker.wait()
            self._worker = psutil.Process(self._start().pid)
        self.killed[what] += 1


def unpacked(release: Release) -> dict[str, bytes]:
    with default_storage.open(release.archive_key) as file, zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.timeout(900)
def test_imports_and_releases_are_done_once_and_the_same(
    start_worker: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "ROWS_A_FILE", 20)  # as the worker has them
    monkeypatch.setattr(plan, "JUDGMENTS_A_FILE", 20)
    whole = make_project(salt="same", pseudonym_key="5a" * 32)
    import_files(whole, write_lines(tmp_path / "p.jsonl", ROWS))
    expected = content(whole)
    upload = (tmp_path / "p.jsonl").read_bytes()
    killer = Killer(lambda: start_worker("tests.workers.small_steps"), due=KILLS)
    while not killer.over:
        project = make_project(salt="same", pseudonym_key="5a" * 32)
        begun = start_import_of_upload(
            by=None, project=project, uploads=[SimpleUploadedFile("p.jsonl", upload)]
        )
        killer.see_through(begun.job, kills=2)
        assert done(begun.job)
        assert content(project) == expected
        assert AuditEntry.objects.filter(deed="import pairs", project=project).count() == 1
        release = start_release(by=None, project=project, options=ReleaseOptions(min_labels=1))
        killer.see_through(release.job, kills=2)
        assert done(release.job)
        release.refresh_from_db()
        assert FrozenComparison.objects.filter(release=release).count() == len(ROWS)
        again = tmp_path / str(release.pk)
        call_command(
            "export_bench", "--project", project.slug, "--out", str(again), "--release", str(release.pk)
        )
        assert unpacked(release) == {
            str(path.relative_to(again)): path.read_bytes() for path in again.rglob("*") if path.is_file()
        }
    assert KILLS < 4 or all(killer.killed.values()), killer.killed


def done(job: Job) -> bool:
    job.refresh_from_db()
    return (job.state, job.error) == (JobState.DONE, "")
