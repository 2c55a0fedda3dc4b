"""manage.py make_demo: a project with pairs of every task type, made by code. docs/demo.md tells what is in it."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotate.actions.demo import SLUG, start_demo
from annotate.actions.erasure import erase_demo
from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.management.terminal import run_with_bar
from annotate.models import Job, JobKind, JobState, Pair, Project


class Command(BaseCommand):
    help = "Make the demo project, or go on where it was interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--again",
            action="store_true",
            help="erase the demo, with all that was done in it, and make it anew",
        )

    def handle(self, *args: Any, again: bool, **options: Any) -> None:
        project = Project.objects.filter(slug=SLUG).first()
        if project and not project.demo:
            raise CommandError(f"The project {SLUG!r} is a real one: there is no room for a demo beside it.")
        try:
            if project and again:
                erase_demo(by=None, project=project)
                project = None
            job = self._job(project)
            if job.state == JobState.DONE:
                self.stdout.write("The demo is there. With --again it is erased and made anew.")
                return
            run_with_bar(job, unit=" steps")
        except (Refused, AlreadyRunning) as error:
            raise CommandError(str(error)) from None
        pairs = Pair.objects.filter(project=job.project).count()
        self.stdout.write(f"The demo is made: {pairs:,} pairs in the project {SLUG!r}.")

    def _job(self, project: Project | None) -> Job:
        if project:
            return Job.objects.get(project=project, kind=JobKind.DEMO)
        try:
            return start_demo(by=None, send_it=False)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
