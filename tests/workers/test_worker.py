"""Real workers on real Redis and PostgreSQL, killed in the middle of a job, which is still done once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.db import transaction
from django.utils import timezone

from annotate.actions import jobs
from annotate.models import AuditEntry, Job, JobKind, JobState
from tests.factories import make_project
from tests.paths import ROOT
from tests.processes import environ_on_test_database
from tests.workers.steps import STEPS
from workers import tasks
from workers.celery import app

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Start]:
    """Starts workers on the test's database; whatever still runs at the end is killed."""
    env = environ_on_test_database()
    started: list[subprocess.Popen[bytes]] = []
    app.control.purge()

    def start(
        application: str = "tests.workers.stepping", queues: str = "default,export"
    ) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "celery", "-A", application, "worker", "-c1", f"-Q{queues}"]
        with (tmp_path / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [*command, f"-nworker{len(started)}@test"],
                cwd=ROOT,
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        kill(worker)
    print((tmp_path / "worker.log").read_text())


def kill(worker: "subprocess.Popen[bytes]") -> None:
    """SIGKILL for the worker and the processes of its pool alike."""
    with suppress(ProcessLookupError):  # its pool may outlive it for a moment
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def until(condition: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came of it in time"
        time.sleep(0.05)


def new_job() -> Job:
    with transaction.atomic():
        job = jobs.create_job(by=None, project=make_project(), kind=JobKind.IMPORT)
        jobs.send(job)
    return job


def done(job: Job) -> int:
    return Job.objects.values_list("done", flat=True).get(pk=job.pk)


def ended(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, ended_at__isnull=False).exists()


def assert_done_once(job: Job) -> None:
    job.refresh_from_db()
    assert (job.state, job.error, job.done) == (JobState.DONE, "", STEPS)
    steps = AuditEntry.objects.filter(deed="step", project=job.project_id).values_list(
        "details__number", flat=True
    )
    assert sorted(steps) == list(range(STEPS))


def test_killed_worker_is_made_good_by_the_sweeper_after_a_restart(start_worker: Start) -> None:
    job = new_job()
    worker = start_worker()
    until(lambda: done(job) > 3)
    kill(worker)
    job.refresh_from_db()
    assert job.state in (JobState.RUNNING, JobState.QUEUED) and 3 < job.done < STEPS

    start_worker()
    # What a minute of waiting does.
    past = timezone.now() - timedelta(minutes=1)
    Job.objects.filter(pk=job.pk).update(created_at=past, beat_at=past)
    tasks.sweep.delay()
    until(lambda: ended(job))
    assert_done_once(job)


def test_killed_child_is_made_good_by_its_worker_and_jobs_go_on_in_segments(start_worker: Start) -> None:
    job = new_job()
    worker = start_worker()
    until(lambda: done(job) > 3)
    [child] = psutil.Process(worker.pid).children()
    child.kill()
    until(lambda: ended(job))
    assert_done_once(job)
    runs = AuditEntry.objects.filter(deed="step", project=job.project_id).values_list(
        "details__runner", flat=True
    )
    assert len(set(runs)) >= 3  # the one that was killed, and segments of half a second


def test_lost_message_is_found(start_worker: Start) -> None:
    job = new_job()
    app.control.purge()
    assert jobs.sweep_jobs() == 0  # its message may still be on the way
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    start_worker()
    tasks.sweep.delay()
    until(lambda: ended(job))
    assert_done_once(job)
