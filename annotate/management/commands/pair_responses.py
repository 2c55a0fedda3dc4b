"""manage.py pair_responses: tables of prompts and answers into pairs, by a pairing design. See docs/import.md."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import Refused
from annotate.imports.pairing import Design
from annotate.imports.places import files_at
from annotate.imports.responses import AnswerTable, Counts, design_of
from annotate.management.pairing import add_pairing, pairing_of


class Command(BaseCommand):
    help = "Make pairs of the answers that models gave to prompts, as a file that import_pairs reads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "tables", nargs="+", metavar="TABLE", help="JSON, JSONL, CSV or Parquet, long or wide"
        )
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.jsonl")
        add_pairing(parser, default="balanced")
        parser.add_argument("--criterion", action="append", default=[], help="of every pair; may be repeated")

    def handle(self, *args: Any, **options: Any) -> None:
        spec = pairing_of(options)
        try:
            design = design_of(spec)
            with AnswerTable() as table:
                for place in options["tables"]:
                    for file in files_at(place)[0]:
                        table.read(file, spec.models)
                self._write(options["output"], table, design, options["criterion"])
                self._tell(table.counts)
        except Refused as error:
            raise CommandError(str(error)) from None

    def _write(self, path: Path, table: AnswerTable, design: Design, criteria: list[str]) -> None:
        """The whole file or none."""
        made = path.with_name(f"{path.name}.part")
        try:
            with made.open("w") as file:
                for row in table.pairs(design, criteria):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
            os.replace(made, path)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}.") from None
        finally:
            made.unlink(missing_ok=True)

    def _tell(self, counts: Counts) -> None:
        told = [f"{counts.pairs:,} pairs of {counts.answers:,} answers by {len(counts.seen):,} models"]
        told.append(f"to {counts.prompts:,} prompts.")
        self.stdout.write(" ".join(told))
        if counts.pairs:
            seen, first = counts.seen.values(), counts.first.values()
            self.stdout.write(
                f"Each model is in {min(seen):,} to {max(seen):,} pairs, and first in {min(first):,} to {max(first):,}."
            )
        if counts.lonely:
            self.stdout.write(f"{counts.lonely:,} prompts have no two answers that may meet: left out.")
        if counts.failed:
            self.stdout.write(f"{counts.failed:,} rows tell of an answer that never came: left out.")
