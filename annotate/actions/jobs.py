"""Long work as rows: take a job, tell its progress, end it, find what was dropped.

The lease of a running job is a PostgreSQL advisory lock held by the very connection that does the work. A
process that is killed, or a server that dies, frees it at once, and nobody can work on without it. A job can
so be run by a Celery worker or at the terminal alike; whoever comes second is told that it is running.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import uuid4

import psycopg
import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from annotate import audit
from annotate.access import Deed, require
from annotate.database_session import give_back
from annotate.later import send_on_commit
from annotate.models import UNFINISHED, Job, JobKind, JobState, Project, User
from annotate.models.work import MAX_STEP

log = structlog.get_logger(__name__)

# Where the work of each kind is written: a function taking the Lease.
RUNNERS = {
    JobKind.IMPORT: "annotate.imports.run:run",
    JobKind.RELEASE: "annotate.exports.run:run",
    JobKind.RAISE_K: "annotate.actions.projects:run_raise_k",
    JobKind.APPLY: "annotate.actions.criteria:run_apply",
    JobKind.SETTLE: "annotate.actions.moderation:run_settle",
    JobKind.DERIVE: "annotate.derivatives:run",
    JobKind.DEMO: "annotate.demo.make:run",
    JobKind.REPORT: "annotate.actions.reports:run",
    JobKind.REVIEW: "annotate.actions.review:run_refresh",
    # Named, not imported: the house above, which alone knows models.
    JobKind.TRAIN: "workers.training:run",
    JobKind.SCORE: "workers.scoring:run",
    JobKind.BUDGET: "workers.budget:run",
    JobKind.WRITE: "workers.writing.run:run",
    JobKind.COMPARE: "workers.comparing:run",
}
# The others: default, whose short tasks nothing long may keep waiting.
QUEUES = {
    JobKind.RELEASE: "export",
    JobKind.DERIVE: "media",
    JobKind.TRAIN: "learn",
    JobKind.SCORE: "learn",
    JobKind.BUDGET: "learn",
    JobKind.WRITE: "learn",
    JobKind.COMPARE: "learn",
}
# Reward models whose training and scoring wait for a worker with a GPU, and with the backbone's folder.
ON_GPU = frozenset({"transformers"})
# How long a task may take whose single steps are long (a video, a training, a slow endpoint): beyond the settings' limit, in seconds.
TIME_LIMITS = {JobKind.DERIVE: 3600, JobKind.TRAIN: 3600, JobKind.BUDGET: 3600, JobKind.WRITE: 3600}
# The reward models whose training is a task's work, which the loop trains by itself; the others may take hours.
SHORT = ("builtin", "cached")
MAX_ATTEMPTS = 5  # in a row without progress
_LOCK_SPACE = 0x45564A  # "EVJ": keeps our advisory locks apart from other users of the database


class Refused(Exception):
    """The work cannot be done as asked; the message says what, where and how to mend it. Not retried."""


class Cancelled(Exception):
    """Somebody cancelled the job while it ran."""


class AlreadyRunning(Exception):
    """Another process holds the job's lease."""


class SegmentOver(Exception):
    """This process has worked on the job for as long as it may at a time; the job goes on in another task."""


class Lease:
    """The right to work on one job, with a way to tell its progress."""

    def __init__(
        self,
        job: Job,
        progress: Callable[[Job], None] | None = None,
        segment: timedelta | None = None,
        by_hand: bool = False,
    ) -> None:
        self.job = job
        self.by_hand = by_hand  # at a terminal, whose command runs what follows as well
        self._progress = progress
        self._began, self._first, self._most = time.monotonic(), job.done, job.done
        self._ends_at: datetime | None = timezone.now() + segment if segment else None

    @property
    def over(self) -> bool:
        """The segment has ended: begin nothing that is long. What runs may be finished, with `finishing` beats."""
        return self._ends_at is not None and timezone.now() >= self._ends_at

    def beat(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        step: str | None = None,
        place: dict[str, Any] | None = None,
        finishing: bool = False,
    ) -> None:
        """Write progress, in units of the work (rows, files). Call it every few seconds at least.

        Inside a transaction it commits with the work it counts. `place` is merged into the job's spec: where
        to go on. How much is done a second, by this process, stands there as `rate`.

        Raises:
            Cancelled: the job was cancelled meanwhile.
            SegmentOver: the last beat already came after the end of this segment. That one was let through:
                what it counts may be in its transaction, and a step longer than a segment must still be kept.
        """
        job = self.job
        if not finishing and self._ends_at and job.beat_at and job.beat_at >= self._ends_at:
            raise SegmentOver(f"{job} goes on in another task.")
        if done is not None and done < job.done:  # another part of the work begins
            self._began, self._first = time.monotonic(), done
        if done is not None and done > self._most:
            # It moves: only attempts that come no further than those before count against it.
            job.attempts, self._most = 1, done
        if done is not None and done > job.done:
            job.spec["rate"] = round((done - self._first) / max(time.monotonic() - self._began, 0.001), 2)
        job.done = job.done if done is None else done
        job.total = job.total if total is None else total
        job.step = job.step if step is None else step[:MAX_STEP]
        job.spec = job.spec | (place or {})
        job.beat_at = timezone.now()
        changed = Job.objects.filter(pk=job.pk, state=JobState.RUNNING, runner=job.runner).update(
            done=job.done,
            total=job.total,
            step=job.step,
            spec=job.spec,
            beat_at=job.beat_at,
            attempts=job.attempts,
        )
        if not changed:
            raise Cancelled(f"{job} was cancelled.")
        if self._progress:
            self._progress(job)


def create_job(*, by: User | None, project: Project, kind: JobKind, **spec: Any) -> Job:
    """A queued job. In the same transaction, write what it is about and `send` it."""
    require(by, Deed.MANAGE, project)
    job = Job.objects.create(kind=kind, project=project, by=by, spec=spec)
    audit.record(by, f"queue {kind.label}", job, project, **spec)
    return job


def unfinished_job(project: Project, kind: JobKind, **spec: object) -> Job | None:
    """Under a lock on the project's row, so that two who ask at once get the same job."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    return Job.objects.filter(project=project, kind=kind, state__in=UNFINISHED, spec__contains=spec).first()


def send(job: Job) -> None:
    """Ask the workers to run the job once this transaction has committed."""
    kind = JobKind(job.kind)
    queue = "gpu" if job.spec.get("backend") in ON_GPU else QUEUES.get(kind, "default")
    task = "start_process" if in_own_process(job) else "run_job"
    send_on_commit(f"workers.tasks.{task}", job.pk, queue=queue, time_limit=TIME_LIMITS.get(kind))


def in_own_process(job: Job) -> bool:
    """Whether it takes longer than a task may: a worker only starts the process that holds its lease."""
    return job.kind == JobKind.TRAIN and job.spec.get("backend", "builtin") not in SHORT


def _runner(kind: str) -> Callable[[Lease], None]:
    module, name = RUNNERS[JobKind(kind)].split(":")
    function: Callable[[Lease], None] = getattr(import_module(module), name)
    return function


@contextmanager
def _lease_of(job_id: int) -> Iterator[bool]:
    """Hold the advisory lock of a job; False if another process does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_SPACE, job_id])
        held: bool = cursor.fetchone()[0]
    try:
        yield held
    finally:
        if held:
            give_back("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, job_id])


@contextmanager
def unlimited_statements() -> Iterator[None]:
    """Lift the limits on statements that protect web requests, for work that is long by nature."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
    try:
        yield
    finally:
        give_back("RESET statement_timeout; RESET idle_in_transaction_session_timeout")


def run_job(
    job_id: int,
    *,
    progress: Callable[[Job], None] | None = None,
    by_hand: bool = False,
    segment: timedelta | None = None,
) -> Job:
    """Run the job to its end in this process and return its row.

    `by_hand`: somebody at a terminal asks for it: errors are raised after they are recorded, and a job that
    failed or used up its attempts starts over from where it stopped.
    `segment`: for a worker, whose tasks are limited in time: after this long the job stops at a beat, is
    queued again and goes on from there.

    Raises:
        AlreadyRunning: another process works on it.
    """
    over = False
    with _lease_of(job_id) as held:
        if not held:
            raise AlreadyRunning(f"Job {job_id} is running in another process.")
        job = _start(job_id, by_hand)
        if job is None:
            return Job.objects.get(pk=job_id)
        try:
            with unlimited_statements():
                _runner(job.kind)(Lease(job, progress, segment, by_hand))
        except Cancelled:
            log.info("job cancelled", job=job_id)
        except SegmentOver:
            over = bool(
                Job.objects.filter(pk=job.pk, state=JobState.RUNNING, runner=job.runner).update(
                    state=JobState.QUEUED, runner=None
                )
            )
        except Refused as error:
            _end(job, JobState.FAILED, str(error))
            if by_hand:
                raise
        except (DatabaseError, InterfaceError, psycopg.Error, SoftTimeLimitExceeded):
            # The database went away, a lock was lost, or one step took longer than a task may: the row stays
            # running and the sweeper sends it again, until its attempts are used up.
            if not by_hand:  # else whoever asked for it is told
                log.exception("job interrupted", job=job_id)
            raise
        except Exception as error:
            _end(job, JobState.FAILED, f"{type(error).__name__}: {error}")
            log.exception("job failed", job=job_id)
            if by_hand:
                raise
        else:
            _end(job, JobState.DONE)
        job.refresh_from_db()
    if over:
        send(job)  # after the lease is free: whoever receives it must be able to take it
    return job


def _start(job_id: int, by_hand: bool) -> Job | None:
    """Mark the job as running by us; None if there is nothing to do."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job_id)
        if job.state == JobState.DONE or (job.state in (JobState.FAILED, JobState.CANCELLED) and not by_hand):
            return None
        job.attempts = 1 if by_hand else job.attempts + 1
        job.error = ""
        if job.attempts > MAX_ATTEMPTS:
            job.state = JobState.FAILED
            job.error = (
                f"Given up after {MAX_ATTEMPTS} attempts without progress. See the worker's log, then retry."
            )
            job.ended_at = timezone.now()
        else:
            job.state = JobState.RUNNING
            job.runner = uuid4()
            job.started_at = job.started_at or timezone.now()
            job.beat_at = timezone.now()
        job.save()
        return job if job.state == JobState.RUNNING else None


def _end(job: Job, state: JobState, error: str = "") -> None:
    Job.objects.filter(pk=job.pk, state=JobState.RUNNING, runner=job.runner).update(
        state=state, error=error, ended_at=timezone.now(), runner=None
    )


def cancel_job(*, by: User | None, job: Job) -> bool:
    """Stop a job for good at its next beat. False if it had ended already."""
    require(by, Deed.MANAGE, job.project)
    with transaction.atomic():
        changed = Job.objects.filter(pk=job.pk, state__in=UNFINISHED).update(
            state=JobState.CANCELLED, ended_at=timezone.now(), runner=None
        )
        if changed:
            audit.record(by, "cancel job", job, job.project)
    return bool(changed)


@contextmanager
def holding_all(project: Project, *, patience: timedelta = timedelta(seconds=5)) -> Iterator[None]:
    """Cancel the project's unfinished jobs, and hold them: within, none of them is at work.

    Raises:
        Refused: one has not stopped after `patience`.
    """
    unfinished = Job.objects.filter(project=project, state__in=UNFINISHED)
    with ExitStack() as held:
        for job in list(unfinished):
            Job.objects.filter(pk=job.pk).update(
                state=JobState.CANCELLED, ended_at=timezone.now(), runner=None
            )
            deadline = timezone.now() + patience
            while not held.enter_context(_lease_of(job.pk)):
                if timezone.now() > deadline:
                    raise Refused(
                        f"The job {str(job)!r} is still at work and was told to stop: try again soon."
                    )
                time.sleep(0.1)
        yield


def retry_job(*, by: User | None, job: Job) -> bool:
    """Queue a failed or cancelled job again; it goes on where it stopped."""
    require(by, Deed.MANAGE, job.project)
    with transaction.atomic():
        changed = Job.objects.filter(pk=job.pk, state__in=[JobState.FAILED, JobState.CANCELLED]).update(
            state=JobState.QUEUED, attempts=0, error="", ended_at=None
        )
        if changed:
            audit.record(by, "retry job", job, job.project)
            send(job)
    return bool(changed)


def sweep_jobs(*, older_than: timedelta = timedelta(seconds=30)) -> int:
    """Send again what is unfinished and held by nobody: lost messages, killed workers. Returns how many."""
    unfinished = Job.objects.filter(state__in=UNFINISHED).exclude(beat_at__gt=timezone.now() - older_than)
    sent = 0
    for job in unfinished.filter(created_at__lt=timezone.now() - older_than):
        with _lease_of(job.pk) as free:
            if free:
                send(job)
                sent += 1
    return sent
