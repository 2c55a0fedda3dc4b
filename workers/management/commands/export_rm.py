"""manage.py export_rm: a large revision's adapter and value head as other programs read them."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.models import Project, Revision
from workers import artefacts
from workers.reward_models.large.model import TransformersModel


class Command(BaseCommand):
    help = "Write a large revision's adapter (PEFT) and value head (LLaMA-Factory) into a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="SLUG", required=True)
        parser.add_argument("--revision", metavar="N", type=int, help="its number; else the newest large one")
        parser.add_argument("--out", metavar="DIR", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        revisions = Revision.objects.filter(project=project, backend=TransformersModel.name)
        if options["revision"] is not None:
            revisions = revisions.filter(number=options["revision"])
        revision = revisions.order_by("-number").first()
        if revision is None:
            raise CommandError(
                f"{project.slug} has no such revision of the backend {TransformersModel.name}."
            )
        try:
            model = artefacts.load(revision)
        except artefacts.Unusable as error:
            raise CommandError(f"{revision} cannot be used. {error}") from None
        assert isinstance(model, TransformersModel)
        model.save_folder(options["out"])
        self.stdout.write(
            f"{options['out']}: {', '.join(sorted(path.name for path in options['out'].iterdir()))}"
        )
