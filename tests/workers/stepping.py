"""The Celery application as it is, but with the jobs of steps.py and short segments."""

from datetime import timedelta

import django

django.setup()

from annotate.actions import jobs  # noqa: E402
from workers import tasks  # noqa: E402
from workers.celery import app  # noqa: E402

__all__ = ["app"]

for kind in jobs.RUNNERS:
    jobs.RUNNERS[kind] = "tests.workers.steps:run"
tasks.SEGMENT = timedelta(seconds=0.5)
