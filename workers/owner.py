"""Processes that own a job: started by a worker, they hold its lease for as long as it takes, and outlive the task.

Such a process beats on the job's row by a thread of its own, whatever it computes. It ends itself, and whatever it has
started, when the job was cancelled or taken from it, or when the database stays away; killed, it frees the lease at once
and the sweeper has it started again, to go on from what it has kept.
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from annotate.actions.jobs import ON_GPU, AlreadyRunning, run_job
from annotate.models import Job, JobState

log = structlog.get_logger(__name__)

BEAT = 2.0  # seconds
PATIENCE = 60.0  # seconds without the database
WAITING = "waits for another training on this machine"


def start(job_id: int, environ: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes] | None":
    """Start a process that works on the job. None: it waits for another; the sweeper asks again.

    In a session of its own: what ends the worker does not end it.
    """
    with _turn(job_id) as free:
        if not free:
            Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(step=WAITING)
            return None
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "work_job", str(job_id)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environ, start_new_session=True)


def work(job_id: int) -> None:
    """Work on the job to its end in this process, which must lead a group of its own."""
    with _turn(job_id) as free:
        if not free:
            return
        heart = _Heart(job_id)
        heart.start()
        try:
            run_job(job_id)
        except AlreadyRunning:
            log.info("job is running elsewhere", job=job_id)
        finally:
            heart.stop()


@contextmanager
def _turn(job_id: int) -> Iterator[bool]:
    """Hold this machine's lock of trainings that fill a GPU; False if another one does. Other jobs have no turn."""
    job = Job.objects.get(pk=job_id)
    if job.spec.get("backend") not in ON_GPU:
        yield True
        return
    path = Path(settings.DATA_DIR) / "training.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


class _Heart(threading.Thread):
    """Beats while the job is this process's, and ends the process when it is not any more."""

    def __init__(self, job_id: int) -> None:
        super().__init__(name="heart", daemon=True)
        self._job_id = job_id
        self._over = threading.Event()
        self._ours: Any = None  # the token of the lease, once it was seen
        self._last = time.monotonic()

    def stop(self) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(BEAT):
            try:
                if not self._beat():
                    self._end("the job was cancelled or taken by another process")
                self._last = time.monotonic()
            except (DatabaseError, InterfaceError):
                connection.close()
                if time.monotonic() - self._last > PATIENCE:
                    self._end("the database is away")
        connection.close()

    def _beat(self) -> bool:
        """False where the lease is not ours any more."""
        state, runner = Job.objects.filter(pk=self._job_id).values_list("state", "runner").get()
        if self._ours is None:
            if state != JobState.RUNNING:
                return True  # not begun yet
            self._ours = runner
        if state in (JobState.DONE, JobState.FAILED):
            return True  # it has just ended by itself
        ours = Job.objects.filter(pk=self._job_id, state=JobState.RUNNING, runner=self._ours)
        return bool(ours.update(beat_at=timezone.now()))

    def _end(self, why: str) -> None:
        log.warning("training ended", job=self._job_id, why=why)
        os.killpg(os.getpgrp(), signal.SIGTERM)
