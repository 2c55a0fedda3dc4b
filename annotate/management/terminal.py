"""What commands at the terminal have in common: a job's progress as a bar, and what went wrong with media."""

import time
from types import TracebackType
from typing import Any, Self

from django.core.management.base import BaseCommand
from tqdm import tqdm

from annotate.actions.jobs import AlreadyRunning, run_job
from annotate.models import Asset, Job, Project

LEASE_WAIT = 5.0  # seconds
_SHOWN = 10


class Bar:
    """How far work is and what it is at, on stderr where that is a terminal."""

    def __init__(self, unit: str) -> None:
        self._bar: tqdm[Any] = tqdm(unit=unit, unit_scale=True, disable=None, leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._bar.close()

    def show(self, job: Job) -> None:
        self.tell(done=job.done, total=job.total, step=job.step)

    def tell(self, *, done: int | None = None, total: int | None = None, step: str | None = None) -> None:
        if total is not None:
            self._bar.total = total
        if step is not None:
            self._bar.set_postfix_str(step, refresh=False)
        if done is not None:
            self._bar.update(done - self._bar.n)
        self._bar.refresh()


def run_with_bar(job: Job, *, unit: str) -> Job:
    """Run a job to its end in this process, showing how far it is where somebody looks.

    The lease of a process that was just killed ends when the server notices: it is waited for.

    Raises:
        Refused, AlreadyRunning: as run_job.
    """
    deadline = time.monotonic() + LEASE_WAIT
    with Bar(unit) as bar:
        while True:
            try:
                return run_job(job.pk, progress=bar.show, by_hand=True)
            except AlreadyRunning:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def tell_problems(command: BaseCommand, project: Project) -> None:
    """Name the media that cannot be shown: pairs with them are asked of nobody."""
    failed = Asset.objects.filter(project=project, prepared=False).exclude(problem="").order_by("pk")
    for asset in failed[:_SHOWN]:
        command.stderr.write(f"Asset {asset.pk} of {project.slug} ({asset.media_type}) {asset.problem}")
    if (count := failed.count()) > _SHOWN:
        command.stderr.write(f"... and {count - _SHOWN:,} more: see Assets in the admin.")
