"""What commands at the terminal have in common: a job's progress as a bar, and what went wrong with media."""

import sys
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from annotate.actions.jobs import run_job
from annotate.models import Asset, Job, Project

_SHOWN = 10


def run_with_bar(job: Job, *, unit: str) -> Job:
    """Run a job to its end in this process, showing how far it is where somebody looks.

    Raises:
        Refused, AlreadyRunning: as run_job.
    """
    bar: tqdm[Any] = tqdm(unit=unit, unit_scale=True, disable=not sys.stderr.isatty(), leave=False)

    def progress(job: Job) -> None:
        bar.total = job.total
        bar.set_postfix_str(job.step, refresh=False)
        bar.update(job.done - bar.n)

    with bar:
        return run_job(job.pk, progress=progress, by_hand=True)


def tell_problems(command: BaseCommand, project: Project) -> None:
    """Name the media that cannot be shown: pairs with them are asked of nobody."""
    failed = Asset.objects.filter(project=project, prepared=False).exclude(problem="").order_by("pk")
    for asset in failed[:_SHOWN]:
        command.stderr.write(f"Asset {asset.pk} of {project.slug} ({asset.media_type}) {asset.problem}")
    if (count := failed.count()) > _SHOWN:
        command.stderr.write(f"... and {count - _SHOWN:,} more: see Assets in the admin.")
