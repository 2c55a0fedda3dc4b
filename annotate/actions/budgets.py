"""What labels have bought: asked for, computed in the background (workers/budget.py), kept."""

from datetime import datetime
from typing import Any

from django.db import transaction

from annotate.access import Deed, require
from annotate.actions.jobs import create_job, send, unfinished_job
from annotate.models import UNFINISHED, Budget, Job, JobKind, Project, User


@transaction.atomic
def start_budget(*, by: User | None, project: Project, send_it: bool = True) -> Job:
    """A job that computes the project's budget as it stands when it begins. While one is unfinished, it is that one.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, project)
    if unfinished := unfinished_job(project, JobKind.BUDGET):
        return unfinished
    job = create_job(by=by, project=project, kind=JobKind.BUDGET)
    if send_it:
        send(job)
    return job


def unfinished_budget(project: Project) -> Job | None:
    return Job.objects.filter(project=project, kind=JobKind.BUDGET, state__in=UNFINISHED).first()


def last_budget_job(project: Project) -> Job | None:
    return Job.objects.filter(project=project, kind=JobKind.BUDGET).order_by("-pk").first()


def keep_budget(
    *, project: Project, read_at: datetime, judgments: int, seconds: float, content: dict[str, Any]
) -> None:
    """In the place of the one before."""
    Budget.objects.update_or_create(
        project=project,
        defaults={"read_at": read_at, "judgments": judgments, "seconds": seconds, "content": content},
    )
