"""manage.py swift_rows: a release's rows for training a judge by GRPO in ms-swift."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.management.terminal import Bar
from workers.management.specs import read_spec
from workers.released import card, swift_rows
from workers.released.mix import Mix
from workers.released.reward_model import lesson
from workers.released.rows import ReleaseError, read
from workers.reward_models.base import NothingToLearn, UnfitArtefact
from workers.reward_models.settings import SettingsError


class Command(BaseCommand):
    help = (
        "Write the training and validation rows of a release as ms-swift reads them for GRPO: the words that judges are asked"
        " in, both orders, media as files, and the reward function. docs/reward-models.md has the command that trains."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--release", metavar="DIR", type=Path, required=True, help="an unpacked release")
        parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new folder")
        parser.add_argument(
            "--spec", metavar="FILE", type=Path, help="YAML with mix and template, as of train_judge"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Slow: never at the top of a module.
        from workers.reward_models.generative.local import template_of

        out: Path = options["out"]
        values = read_spec(options["spec"]) if options["spec"] else {}
        try:
            if unknown := sorted(values.keys() - {"mix", "template"}):
                raise SettingsError(f"{unknown[0]}: no such field; known are mix and template")
            card.check_out(out)
            template = template_of(values.get("template", ""))
            with (
                lesson(read(options["release"]), Mix.from_json(values.get("mix", {}))) as found,
                Bar("rows") as bar,
            ):
                written = swift_rows.write(
                    out, found, template, told=lambda done, total: bar.tell(done=done, total=total, step="")
                )
        except (card.FolderError, ReleaseError, NothingToLearn, SettingsError, UnfitArtefact) as error:
            raise CommandError(str(error)) from None
        for why, count in found.left_out.items():
            self.stdout.write(f"{count:,} rows are left out: {why}")
        told = ", ".join(f"{count:,} in {name}" for name, count in written.items())
        self.stdout.write(f"Written to {out}: {told}, both orders, and {swift_rows.REWARD}")
