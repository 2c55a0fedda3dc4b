"""manage.py verify_release: is a release on this disk whole, and does it keep what it promises? See docs/release.md."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.exports.verify import NoRelease, verify
from annotate.management.terminal import Bar


class Command(BaseCommand):
    help = (
        "Check a release without a database: every file by its SHA-256, the schema, row counts, media, and that no pair,"
        " prompt or medium stands in two splits."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")

    def handle(self, *, directory: Path, **options: Any) -> None:
        try:
            with Bar(unit=" files") as bar:
                problems = verify(directory, lambda path: bar.tell(step=path[-60:]))
        except NoRelease as error:
            raise CommandError(str(error)) from None
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise CommandError(f"{directory} is not what its manifest says: {len(problems)} problems.")
        self.stdout.write(
            self.style.SUCCESS(f"{directory} is whole: files, rows, media and splits are right.")
        )
