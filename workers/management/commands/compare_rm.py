"""manage.py compare_rm: hold a revision of a project's reward model against another on the reserve, and promote it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.actions.learning import promote, start_comparison
from annotate.learning import current_revision
from annotate.management.terminal import run_with_bar
from annotate.models import Job, Project, Revision, RevisionState, RevisionTest


class Command(BaseCommand):
    help = "Hold a revision against the current one, or another, on the labels of the reserve."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="SLUG", required=True)
        parser.add_argument(
            "--revision", metavar="N", type=int, help="its number; else the newest that is not the other one"
        )
        parser.add_argument("--against", metavar="N", type=int, help="the other one; else the current")
        parser.add_argument(
            "--promote", action="store_true", help="make it the current one, whatever comes of it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        against = _numbered(project, options["against"]) if options["against"] else current_revision(project)
        if against is None:
            raise CommandError(f"{project.slug} has no current revision: say --against N.")
        candidate = (
            _numbered(project, options["revision"]) if options["revision"] else _newest(project, against)
        )
        try:
            self._run(
                start_comparison(by=None, candidate=candidate, against=against, send_it=False), "comparisons"
            )
            self._say(RevisionTest.objects.get(candidate=candidate, against=against))
            if options["promote"]:
                job = promote(by=None, revision=candidate, send_it=False)
                if job:
                    self._run(job, "comparisons")
                self.stdout.write(f"{candidate} is current, and has scored what may still be asked.")
        except Refused as error:
            raise CommandError(str(error)) from None

    def _run(self, job: Job, unit: str) -> None:
        try:
            run_with_bar(job, unit=unit)
        except AlreadyRunning:
            raise CommandError(f"A worker is at {job} just now. Try again soon.") from None

    def _say(self, test: RevisionTest) -> None:
        told = test.content
        self.stdout.write(
            f"{test.candidate} against {test.against} on {told['labels']:,} labels of the reserve,"
            f" {told['decided']:,} of them decided, of {told['groups']:,} prompts"
        )
        for name, one in told["protocols"].items():
            gained = one["difference"]
            self.stdout.write(
                f"Accuracy {name.replace('_', ' ')}: {_figure(one['candidate'])}, the other"
                f" {_figure(one['against'])}; difference {gained['value']:+.3f} ({gained['low']:+.3f} to"
                f" {gained['high']:+.3f}), p {one['p']:.4f}"
            )
        for who, count in told["left_out"].items():
            if count:
                self.stdout.write(f"{count:,} comparisons are left out: {who} cannot judge them.")
        self.stdout.write(f"{'It took over. ' if told['takes_over'] else ''}{told['why']}")


def _numbered(project: Project, number: int) -> Revision:
    revision = Revision.objects.filter(project=project, number=number).first()
    if revision is None:
        raise CommandError(f"{project.slug} has no revision {number}.")
    return revision


def _newest(project: Project, other: Revision) -> Revision:
    usable = Revision.objects.filter(project=project, state=RevisionState.READY).exclude(pk=other.pk)
    newest = usable.order_by("-number").first()
    if newest is None:
        raise CommandError(f"{project.slug} has no revision beside {other}: manage.py train_rm makes one.")
    return newest


def _figure(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
