"""The Celery application: `celery -A workers.celery worker`. Queues: default, media, export, learn, gpu."""

import os
from typing import Any

import structlog
from celery import Celery
from celery.schedules import crontab
from celery.signals import task_postrun, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

app = Celery("evenhand")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workers"])


def _every(seconds: int, task: str) -> dict[str, Any]:
    # A tick that no worker took before the next one is due is dropped: a long pause leaves no pile behind.
    return {"task": f"workers.tasks.{task}", "schedule": seconds, "options": {"expires": seconds}}


app.conf.beat_schedule = {
    "top up queues": _every(5, "top_up_queues"),
    "tend learning loops": _every(10, "tend_loops"),
    "expire claims": _every(15, "expire_claims"),
    "sweep": _every(30, "sweep"),
    # At night; where beat was not running then, as soon as it does.
    "retention": {"task": "workers.tasks.apply_retention", "schedule": crontab(hour=3, minute=17)},
    "embed criteria": _every(60, "embed_missing"),
}


@task_prerun.connect
def _bind_log(task_id: str, task: Any, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect
def _unbind_log(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id")
