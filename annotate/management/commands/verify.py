from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import unlimited_statements
from annotate.integrity import RULES, violations


class Command(BaseCommand):
    help = "Check the invariants of queue and judgments in the stored rows."

    def handle(self, *args: Any, **options: Any) -> None:
        with unlimited_statements():
            broken = violations()
        for rule, rows in broken.items():
            self.stderr.write(f"{rule}: {', '.join(map(str, rows))}")
        if broken:
            raise CommandError(f"{len(broken)} of {len(RULES)} invariants are broken.")
        self.stdout.write(f"All {len(RULES)} invariants hold.")
