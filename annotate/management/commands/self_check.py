"""manage.py self_check: does a release come back as it was, once it is imported and exported again? See docs/release.md."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.exports.round_trip import self_check
from annotate.exports.verify import NoRelease
from annotate.management.terminal import run_with_bar
from annotate.models import Job, JobState


def _run(job: Job, unit: str) -> Job:
    done = run_with_bar(job, unit=unit)
    if done.state != JobState.DONE:
        raise Refused(f"{done} is {done.state}. {done.error}")
    return done


class Command(BaseCommand):
    help = (
        "Import the rows of a release in Evenhand's own format into a project made for it, export that again and compare:"
        " equal but for pseudonyms, or the first difference. The project is erased afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "directory", type=Path, metavar="DIR", help="a release with `evenhand` among its formats"
        )

    def handle(self, *, directory: Path, **options: Any) -> None:
        try:
            found = self_check(directory, _run)
        except (NoRelease, Refused, AlreadyRunning) as error:
            raise CommandError(str(error)) from None
        left = (
            f" ({found.unlabelled:,} comparisons were not compared: reviewers settled them, and their judgments alone say no"
            " label)"
            if found.unlabelled
            else ""
        )
        if found.difference:
            raise CommandError(f"{directory} does not come back as it was: {found.difference}.{left}")
        self.stdout.write(
            self.style.SUCCESS(
                f"{directory} comes back as it was: {found.rows:,} pairs, equal but for pseudonyms.{left}"
            )
        )
