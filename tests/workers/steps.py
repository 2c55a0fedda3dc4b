"""A job of small, countable steps."""

import time

from django.db import transaction

from annotate import audit
from annotate.actions.jobs import Lease

STEPS = 40


def run(lease: Lease) -> None:
    """STEPS steps of 50 ms, each leaving an audit row in the transaction of its beat."""
    job = lease.job
    for number in range(job.done, STEPS):
        with transaction.atomic():
            audit.record(None, "step", job, job.project, number=number, runner=str(job.runner))
            lease.beat(done=number + 1, total=STEPS)
        time.sleep(0.05)
