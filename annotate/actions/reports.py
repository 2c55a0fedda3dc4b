"""The statistics of a project: asked for, computed in the background, kept."""

import time
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from annotate.access import Deed, require
from annotate.actions.jobs import Lease, create_job, send, unfinished_job
from annotate.models import UNFINISHED, Job, JobKind, JobState, Judgment, Project, Report, User
from annotate.quality import exclusions_changed
from annotate.reports import full_report

# A page that is watched asks for new statistics no sooner than this, or this many times what they took.
_PATIENCE = timedelta(seconds=60)
_TIMES = 20


@transaction.atomic
def start_report(*, by: User | None, project: Project, send_it: bool = True) -> Job:
    """A job that computes the project's statistics as they stand when it begins.

    While one is unfinished, it is that one: who asks twice is not served twice.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, project)
    if unfinished := unfinished_job(project, JobKind.REPORT):
        return unfinished
    job = create_job(by=by, project=project, kind=JobKind.REPORT)
    if send_it:
        send(job)
    return job


def unfinished_report(project: Project) -> Job | None:
    return Job.objects.filter(project=project, kind=JobKind.REPORT, state__in=UNFINISHED).first()


def is_outdated(report: Report | None) -> bool:
    """There are newer judgments, or others count, and it is time: a project of a million judgments is not read again every minute."""
    if report is None:
        return True
    due = report.read_at + max(_PATIENCE, timedelta(seconds=_TIMES * report.seconds))
    newer = Judgment.objects.filter(annotator__project=report.project_id, created_at__gt=report.read_at)
    imported = Job.objects.filter(
        project=report.project_id, kind=JobKind.IMPORT, state=JobState.DONE, ended_at__gt=report.read_at
    )
    return timezone.now() >= due and (
        newer.exists() or imported.exists() or exclusions_changed(report.project_id, report.read_at)
    )


def run(lease: Lease) -> None:
    """Compute and keep them. Killed anywhere, it begins anew: nothing is kept before all of it is there."""
    project = lease.job.project
    began, read_at = time.monotonic(), timezone.now()
    content = full_report(project, read_at.date(), lambda step: lease.beat(step=step, finishing=True))
    seconds = round(time.monotonic() - began, 2)
    verdicts = content["agreement"]["overall"]["verdicts"]
    Report.objects.update_or_create(
        project=project,
        defaults={"read_at": read_at, "verdicts": verdicts, "seconds": seconds, "content": content},
    )
