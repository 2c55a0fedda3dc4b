"""A training that takes longer than a task may: a process of its own holds the lease, seen, cancelled, killed and gone on with."""

import fcntl
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotate.actions import jobs
from annotate.actions.jobs import cancel_job, run_job
from annotate.actions.learning import start_training
from annotate.models import Job, JobState, Revision
from tests.learning.world import planted
from tests.processes import environ_on_test_database
from tests.reward_models.chat_server import ChatServer, Reply, chat_server
from tests.workers.test_worker import until
from workers import owner, tasks

pytestmark = pytest.mark.django_db(transaction=True)


class Gate:
    """A judge's server that answers so many requests, and the next ones only once it is opened."""

    def __init__(self, answered: int) -> None:
        self.answered, self.open = answered, threading.Event()

    def __call__(self, body: dict[str, Any]) -> Reply:
        if self.answered == 0:
            self.open.wait(300)
        else:
            self.answered -= 1
        return Reply("Both were read. [[A]]")


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate(3)
    yield gate
    gate.open.set()


@pytest.fixture
def server(gate: Gate) -> Iterator[ChatServer]:
    with chat_server(gate) as server:
        yield server
        gate.open.set()


@pytest.fixture
def job(server: ChatServer, tmp_path: Path) -> Job:
    settings = {"url": server.url, "model": "m", "concurrency": 1, "replies": str(tmp_path / "replies")}
    return start_training(
        by=None,
        project=planted(judged=2, open_pairs=1, reserve=1),
        backend="judge",
        settings=settings,
        send_it=False,
    )


@pytest.fixture
def owned(job: Job, server: ChatServer) -> Iterator["subprocess.Popen[bytes]"]:
    """The process, once the judge keeps it waiting."""
    process = owner.start(job.pk, environ_on_test_database())
    assert process
    until(lambda: len(server.asked) == 4)
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_cancelled_it_ends(job: Job, owned: "subprocess.Popen[bytes]") -> None:
    began = Job.objects.get(pk=job.pk)
    assert began.state == JobState.RUNNING and began.beat_at
    # It beats while the training is silent.
    until(lambda: Job.objects.get(pk=job.pk).beat_at != began.beat_at)
    assert cancel_job(by=None, job=job)
    assert owned.wait(timeout=120) == -signal.SIGTERM
    assert Job.objects.get(pk=job.pk).state == JobState.CANCELLED
    assert not Revision.objects.exists()


def test_killed_it_is_seen_and_gone_on_with(
    job: Job,
    owned: "subprocess.Popen[bytes]",
    server: ChatServer,
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    os.killpg(owned.pid, signal.SIGKILL)
    owned.wait()
    sent: list[int] = []
    monkeypatch.setattr(jobs, "send", lambda job: sent.append(job.pk))
    until(lambda: jobs.sweep_jobs(older_than=timedelta(0)))
    assert sent == [job.pk]
    gate.open.set()
    assert run_job(job.pk).state == JobState.DONE
    # Nothing was paid for twice but what was under way when it was killed.
    bodies = [json.dumps(body, sort_keys=True) for body in server.asked]
    assert len(bodies) == len(set(bodies)) + 1
    revision = Revision.objects.get()
    assert (revision.backend, revision.judgments, revision.settings["model"]) == ("judge", 4, "m")
    assert Job.objects.get(pk=job.pk).done > 3


def test_one_training_at_a_time_fills_the_gpu(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    project = planted(judged=1, open_pairs=0, reserve=0)
    job = start_training(
        by=None, project=project, backend="transformers", settings={"backbone": "x"}, send_it=False
    )
    with (tmp_path / "training.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert owner.start(job.pk) is None
        owner.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.step) == (JobState.QUEUED, owner.WAITING)


def test_workers_start_what_is_long_and_run_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jobs, "send_on_commit", lambda *args, **_: sent.append(args))
    project = planted(judged=1, open_pairs=0, reserve=0)
    short = start_training(by=None, project=project)
    long = start_training(by=None, project=project, backend="vllm", settings={"url": "x", "model": "m"})
    assert sent == [("workers.tasks.run_job", short.pk), ("workers.tasks.start_process", long.pk)]
    started: list[int] = []
    monkeypatch.setattr(owner, "start", started.append)
    tasks.start_process(long.pk)
    assert started == [long.pk]


def test_the_command_names_a_job_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="There is no job 7"):
        call_command("work_job", "7")
