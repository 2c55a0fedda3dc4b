"""manage.py derive_media: make what viewers need of video, sound and 3D, wherever it is missing."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import Refused
from annotate.derivatives import retry_media
from annotate.management.terminal import run_with_bar, tell_problems
from annotate.models import Asset, Project


class Command(BaseCommand):
    help = "Make what viewers need of video, sound and 3D, wherever it is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="SLUG", help="else every project")
        parser.add_argument("--again", action="store_true", help="try also what could not be made before")

    def handle(self, *args: Any, **options: Any) -> None:
        projects = Project.objects.order_by("slug")
        if options["project"]:
            projects = projects.filter(slug=options["project"])
            if not projects:
                raise CommandError(f"There is no project {options['project']!r}.")
        for project in projects:
            waiting = Asset.objects.filter(project=project, prepared=False)
            if not (waiting if options["again"] else waiting.filter(problem="")).exists():
                continue
            job = retry_media(by=None, project=project, failed_too=options["again"], send_it=False)
            try:
                run_with_bar(job, unit="files")
            except Refused as error:
                raise CommandError(str(error)) from None
            left = waiting.filter(problem="").count()
            told = f", {left:,} more are in other hands" if left else ""
            self.stdout.write(
                f"{project.slug}: {Asset.objects.filter(project=project, prepared=True).count():,}"
                f" files are prepared{told}."
            )
            tell_problems(self, project)
