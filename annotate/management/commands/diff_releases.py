"""manage.py diff_releases: what changed from one release to another. See docs/release.md."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.exports.differ import differences
from annotate.exports.verify import NoRelease


class Command(BaseCommand):
    help = "Say what changed from release OLD to release NEW: rows, labels, sides, media, settings. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("old", type=Path, metavar="OLD")
        parser.add_argument("new", type=Path, metavar="NEW")
        parser.add_argument("--json", action="store_true", help="all of it, for machines")

    def handle(self, *, old: Path, new: Path, **options: Any) -> None:
        try:
            found = differences(old, new)
        except NoRelease as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
            return
        for name in ("old", "new"):
            told = found[name]
            self.stdout.write(
                f"{name}: release {told['release']} of {told['project']}, frozen {told['frozen_at']}"
            )
        for task, kinds in found["rows"].items():
            for kind, told in kinds.items():
                changes = ", ".join(f"{change} {count}" for change, count in sorted(told["changes"].items()))
                self.stdout.write(f"{task}: {kind} {told['rows']:,}{f' ({changes})' if changes else ''}")
                self.stdout.write("".join(f"  {row}\n" for row in told["some"]), ending="")
        for kind, paths in found["media"].items():
            if paths:
                self.stdout.write(f"media {kind}: {len(paths):,}")
        for name, told in found["settings"].items():
            told = {side: json.dumps(value, ensure_ascii=False) for side, value in told.items()}
            self.stdout.write(f"setting {name}: {told['old']} before, {told['new']} now")
        if not any((found["rows"], *found["media"].values(), found["settings"])):
            self.stdout.write("Rows, media and settings are the same.")
