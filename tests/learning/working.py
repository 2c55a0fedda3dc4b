"""A process that does what beat and workers do for the learning loop, until it is killed. The model is the stub.

    python -m tests.learning.working PROJECT

For each line that it reads it forks one such process and prints its id: starting Python each time would take longer
than the work. The work is slowed at each statement that writes, so that a kill at a random time meets each of them.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402

from annotate.actions.jobs import AlreadyRunning, run_job  # noqa: E402
from annotate.models import Job, JobState, Project  # noqa: E402
from tests.learning import stub  # noqa: E402
from workers import loop, scoring  # noqa: E402


def slowly(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    done = execute(sql, params, many, context)
    if "annotate_" in sql and sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "WITH")):
        time.sleep(0.003)
    return done


def work(project_id: int, seconds: float) -> None:
    """Tend the loop and run its jobs for so long."""
    ends = time.monotonic() + seconds
    with connection.execute_wrapper(slowly):
        while time.monotonic() < ends:
            loop.tend(Project.objects.get(pk=project_id))
            for job in Job.objects.filter(
                project=project_id, state__in=[JobState.QUEUED, JobState.RUNNING]
            ).order_by("pk"):
                with suppress(AlreadyRunning):
                    run_job(job.pk)
            time.sleep(0.01)


if __name__ == "__main__":
    stub.stand_in()
    scoring.BATCH = 8
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            work(int(sys.argv[1]), 120)
            os._exit(0)
        print(child, flush=True)
