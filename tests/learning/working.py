"""Processes that do what beat and workers do for the learning loop, each until it kills itself at a named point.

    python -m tests.learning.working PROJECT

For each line that it reads, which names one of POINTS, it forks one such process and prints how that ended: starting Python
each time would take longer than the work. The model is the stub, and scores eight comparisons a batch.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import django

django.setup()

from annotate.actions.jobs import AlreadyRunning, run_job  # noqa: E402
from annotate.models import Job, JobState, Project  # noqa: E402
from tests.learning import stub  # noqa: E402
from workers import loop, scoring  # noqa: E402

PATIENCE = 60  # seconds until a process gives up that has not come to its point


@dataclass(frozen=True)
class Point:
    """Just before or after a call of this function, the n-th that is so."""

    function: str
    before: bool = False
    nth: int = 1
    told: str = ""  # in a word that is among the arguments


POINTS = {
    # Training.
    "labels read, nothing trained": Point("workers.training.examples"),
    "file stored, no revision": Point("workers.artefacts.store"),
    "inside add_revision": Point("annotate.actions.learning.audit.record", before=True, told="add revision"),
    "revision written, not committed": Point("workers.training.add_revision"),
    "revision there, its job not done": Point("workers.training.run"),
    "between refit and scoring": Point("workers.scoring.run", before=True),
    # Scoring.
    "first batch written, not committed": Point("workers.scoring.ranking.add_scored"),
    "between batches": Point("workers.scoring.ranking.add_scored", before=True, nth=3),
    "all scored, nobody told": Point("workers.scoring.finish_scoring", before=True),
    "pool scored, nothing drawn": Point("workers.scoring.finish_scoring"),
    # Drawing.
    "pool frozen, nothing chosen": Point("workers.loop.freeze"),
    "chosen, nothing written": Point("workers.loop.append_epoch", before=True),
    "inside append_epoch, before its inserts": Point("annotate.actions.queue._append_draws", before=True),
    "inside append_epoch, after its inserts": Point("annotate.actions.queue._append_draws"),
    "epoch written": Point("workers.loop.append_epoch"),
    "file removed, its revision does not know": Point("workers.artefacts.forget_artefact", before=True),
}


def arm(point: Point) -> None:
    """From now on this process ends at the point, as by a kill from outside: nothing is cleaned up."""
    path, _, name = point.function.rpartition(".")
    try:
        house: Any = import_module(path)
    except ModuleNotFoundError:
        module, _, attribute = path.rpartition(".")
        house = getattr(import_module(module), attribute)
    real: Callable[..., Any] = getattr(house, name)
    calls = 0

    def deadly(*args: Any, **options: Any) -> Any:
        nonlocal calls
        if point.told and point.told not in args:
            return real(*args, **options)
        calls += 1
        if point.before and calls == point.nth:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **options)
        if calls == point.nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(house, name, deadly)


def work_once(project_id: int) -> None:
    """Tend the loop, then run its jobs."""
    loop.tend(Project.objects.get(pk=project_id))
    unfinished = Job.objects.filter(project=project_id, state__in=[JobState.QUEUED, JobState.RUNNING])
    for job in unfinished.order_by("pk"):
        with suppress(AlreadyRunning):
            run_job(job.pk)


def fork(project_id: int, point: Point) -> int:
    """What a process that worked until the point ended by: SIGKILL, or 0 if it never came there."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ends = time.monotonic() + PATIENCE
    try:
        arm(point)
        while time.monotonic() < ends:
            work_once(project_id)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
    os._exit(0)


if __name__ == "__main__":
    stub.stand_in()
    scoring.BATCH = 8
    for line in sys.stdin:
        print(fork(int(sys.argv[1]), POINTS[line.strip()]), flush=True)
