"""manage.py train_rm: train a reward model on a project's judgments and test it on the reserve."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.actions.learning import start_training
from annotate.management.terminal import run_with_bar
from annotate.models import Project, Revision
from workers.reward_models.base import BACKENDS


class Command(BaseCommand):
    help = "Train a reward model on a project's judgments, test it on the reserve and keep it as a revision."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="SLUG", required=True)
        parser.add_argument("--backend", choices=sorted(BACKENDS), default="builtin")
        parser.add_argument(
            "--spec", metavar="FILE", type=Path, help="the backend's settings, as YAML or JSON"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        settings = _read(options["spec"])
        job = start_training(
            by=None, project=project, backend=options["backend"], settings=settings, send_it=False
        )
        if (job.spec["backend"], job.spec.get("settings")) != (options["backend"], settings):
            raise CommandError(
                f"{job} is unfinished, and trains {job.spec['backend']} otherwise: let it end or cancel it first."
            )
        try:
            job = run_with_bar(job, unit="model")
        except Refused as error:
            raise CommandError(str(error)) from None
        except AlreadyRunning:
            raise CommandError(
                "A worker is training this project's model just now. Try again soon."
            ) from None
        revision = Revision.objects.get(pk=job.spec["revision"])
        self.stdout.write(
            f"{project.slug}: revision {revision.number} ({revision.backend}), trained on"
            f" {revision.judgments:,} judgments of {revision.comparisons:,} comparisons"
            f" in {revision.seconds:.1f} s"
        )
        if revision.accuracy is None:
            self.stdout.write("The reserve has no decided label yet: nothing to test it on.")
        else:
            self.stdout.write(
                f"Accuracy on {revision.held_out:,} labels of the reserve: {revision.accuracy:.3f}"
                f" (95 % interval {revision.accuracy_low:.3f} to {revision.accuracy_high:.3f});"
                f" blind to the criterion {revision.blind_accuracy:.3f}, chance 0.500;"
                f" gain over blind {revision.gain:+.3f} ({revision.gain_low:+.3f} to {revision.gain_high:+.3f})"
            )
        self.stdout.write(f"Score by it: manage.py score_pairs --project {project.slug}")


def _read(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--spec: {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise CommandError(f"--spec: {path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not found:
        raise CommandError(f"--spec: {path} must hold a mapping of fields, such as 'backbone: models/qwen'")
    return found
