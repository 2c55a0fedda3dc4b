"""What the settings let go by now: ties to accounts, drafts and notes, records of failed logins. Beat does it every night."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from annotate.actions.jobs import unlimited_statements
from annotate.actions.retention import apply_retention, foreseen


class Command(BaseCommand):
    help = (
        "Cut ties of pseudonyms to accounts and forget drafts, notes and login records, as the settings say."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        with unlimited_statements():
            told = foreseen() if dry_run else apply_retention()
        for step, counts in told:
            what = ", ".join(f"{count:,} {name}" for name, count in counts.items())
            self.stdout.write(f"{step}: {what}")
        if not told:
            self.stdout.write("Nothing is due.")
