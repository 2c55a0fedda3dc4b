"""manage.py score_pairs: score a project's comparisons by a revision of its reward model."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.actions.learning import start_scoring
from annotate.learning import newest_revision
from annotate.management.terminal import run_with_bar
from annotate.models import Project, Revision, Score


class Command(BaseCommand):
    help = "Score what may still be asked in a project, or everything, by a revision of its reward model."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="SLUG", required=True)
        parser.add_argument("--revision", metavar="N", type=int, help="its number; else the newest")
        parser.add_argument("--all", action="store_true", help="reserve, validation and drawn pairs, too")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        revision = self._revision(project, options["revision"])
        before = Score.objects.filter(revision=revision).count()
        job = start_scoring(by=None, revision=revision, everything=options["all"], send_it=False)
        try:
            job = run_with_bar(job, unit="comparisons")
        except Refused as error:
            raise CommandError(str(error)) from None
        except AlreadyRunning:
            raise CommandError("A worker is scoring this project just now. Try again soon.") from None
        for why, left_out in job.spec.get("left_out", {}).items():
            self.stdout.write(f"{left_out:,} are left out: {why}")
        if revision.ranks and not options["all"]:
            revision.refresh_from_db()
            ranked = sum(count for count, _ in (revision.pool or {}).values())
            self.stdout.write(
                f"{project.slug}: {ranked:,} comparisons are ranked by revision {revision.number}"
                f" ({job.done:,} of them described now)."
            )
            return
        count = Score.objects.filter(revision=revision).count()
        self.stdout.write(
            f"{project.slug}: {count:,} comparisons are scored by revision {revision.number}"
            f" ({count - before:,} of them now)."
        )

    def _revision(self, project: Project, number: int | None) -> Revision:
        if number is None:
            newest = newest_revision(project)
            if newest is None:
                raise CommandError(f"There is no revision yet: manage.py train_rm --project {project.slug}")
            return newest
        revision = Revision.objects.filter(project=project, number=number).first()
        if revision is None:
            raise CommandError(f"{project.slug} has no revision {number}.")
        return revision
