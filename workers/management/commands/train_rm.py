"""manage.py train_rm: train a reward model on a project's judgments or on a release, and test it on what it did not see."""

import shutil
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.actions.learning import start_training
from annotate.management.terminal import Bar, run_with_bar
from annotate.models import Project, Revision
from workers import artefacts
from workers.management.specs import read_spec
from workers.released import card, presets
from workers.released.reward_model import LARGE, Asked, lesson, tested
from workers.released.rows import ReleaseError, read
from workers.reward_models.base import BACKENDS, NothingToLearn, RewardModel, UnfitArtefact
from workers.reward_models.settings import SettingsError


class Command(BaseCommand):
    help = (
        "Train a reward model: on a project's judgments, tested on its reserve and kept as a revision, or on a"
        " release, stopped by its validation split and written to a folder, or both."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--project", metavar="SLUG", help="the project that the model becomes a revision of"
        )
        parser.add_argument(
            "--release", metavar="DIR", type=Path, help="an unpacked release to learn from, not the project"
        )
        parser.add_argument("--backend", choices=sorted(BACKENDS))
        parser.add_argument(
            "--base", metavar="builtin|PATH", help="the embedded model, or the backbone of a large one"
        )
        parser.add_argument("--lora", action="store_true", help="train adapters, whatever the preset says")
        parser.add_argument(
            "--preset", metavar="NAME", help=f"published settings: {', '.join(presets.names())}"
        )
        parser.add_argument(
            "--spec",
            metavar="FILE",
            type=Path,
            help="the backend's settings, as YAML or JSON; over the preset's",
        )
        parser.add_argument(
            "--out", metavar="DIR", type=Path, help="with --release: a new folder for the model and its card"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        backend, settings = _asked(options)
        out: Path | None = options["out"]
        if options["release"] is None:
            if out is not None:
                raise CommandError(
                    "--out: wants --release; of a project's revision manage.py export_rm writes a folder."
                )
            if not options["project"]:
                raise CommandError("Say what to learn from: --project SLUG, --release DIR, or both.")
        elif not options["project"] and out is None:
            raise CommandError("--release: say where the model goes, --out DIR or --project SLUG, or both.")
        if out is not None:
            try:
                card.check_out(out)
            except card.FolderError as error:
                raise CommandError(f"--out: {error}") from None
        checkpoints = _checkpoints(out, backend, settings)
        revision = self._revision(options["project"], backend, settings) if options["project"] else None
        if out is not None:
            self._folder(out, backend, settings, revision)
            if checkpoints:
                shutil.rmtree(checkpoints, ignore_errors=True)

    def _revision(self, slug: str, backend: str, settings: dict[str, Any]) -> Revision:
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise CommandError(f"There is no project {slug!r}.")
        try:
            job = start_training(
                by=None, project=project, backend=backend, settings=settings or None, send_it=False
            )
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
        if revision.promoted_at is None:
            self.stdout.write(
                "It is not the current revision. Hold it against that one: manage.py compare_rm --project"
                f" {project.slug} --revision {revision.number}"
            )
        self.stdout.write(
            f"Score by it: manage.py score_pairs --project {project.slug} --revision {revision.number}"
        )
        return revision

    def _folder(self, out: Path, backend: str, settings: dict[str, Any], revision: Revision | None) -> None:
        """Train on the release, or take what was just trained on it, test it on the validation split, write it down."""
        asked = Asked.of(settings)
        assert asked
        try:
            release = read(asked.release)
            with lesson(release, asked.mix) as found, Bar("steps") as bar:
                began = time.monotonic()

                def told(step: int, steps: int, loss: float) -> None:
                    bar.tell(done=step, total=steps, step=f"loss {loss:.3f}")

                model: RewardModel
                if revision is None:
                    model = found.trained(backend, asked.settings, told=told)
                    seconds = time.monotonic() - began
                else:
                    model, seconds = artefacts.load(revision), revision.seconds
                bar.tell(step="testing on the validation split")
                seen = tested(model, found)
                card.write(out, card.Learned(model, release, asked.mix, found, seen, 0, seconds))
        except (
            ReleaseError,
            NothingToLearn,
            SettingsError,
            UnfitArtefact,
            FloatingPointError,
            artefacts.Unusable,
        ) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. The same command goes on from the last checkpoint, if there was one."
            ) from None
        self.stdout.write(
            f"Trained on {len(found.rows):,} rows of {release.project}'s release {release.digest[:12]}"
            f" in {seconds:.1f} s"
        )
        for why, count in found.left_out.items():
            self.stdout.write(f"{count:,} rows are left out: {why}")
        if seen is None:
            self.stdout.write("There is no validation row to test it on, and nothing stopped it early.")
        else:
            self.stdout.write(
                f"Accuracy on {seen.accuracy.n:,} validation rows: {seen.accuracy.value:.3f}"
                f" (95 % interval {seen.accuracy.low:.3f} to {seen.accuracy.high:.3f}); the longer text"
                f" {seen.longer.value:.3f}, chance 0.500"
            )
        self.stdout.write(f"Written: {out}/{card.CARD} and what it names")


def _asked(options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The backend, and its settings with the release that is learned from, if one is."""
    settings = read_spec(options["spec"], options["preset"])
    base, backend = options["base"], options["backend"]
    if base is not None:
        implied = "builtin" if base == "builtin" else LARGE
        if backend not in (None, implied):
            raise CommandError(f"--base: {base} is of the backend {implied}, not {backend}.")
        backend = implied
        if implied != "builtin":
            settings["backbone"] = base
    elif backend is None:
        backend = LARGE if options["preset"] or options["lora"] else "builtin"
    if options["lora"]:
        if backend != LARGE:
            raise CommandError(f"--lora: the backend {backend} has no adapters; give --base PATH.")
        settings["method"] = "lora"
    if options["release"] is None:
        return backend, settings
    if backend == "vllm":
        raise CommandError("--release: a served model is not trained; register it on a project's judgments.")
    if backend == LARGE:
        settings.setdefault("loss", "bradley_terry")  # no training row of a release is a tie
    return backend, settings | {"release": str(options["release"].resolve())}


def _checkpoints(out: Path | None, backend: str, settings: dict[str, Any]) -> Path | None:
    """Where a training that says nothing of it is kept while it runs: beside the folder that comes of it."""
    if out is None or backend != LARGE or settings.get("checkpoints"):
        return None
    place = out.resolve().with_name(f"{out.name}.checkpoints")
    settings["checkpoints"] = str(place)
    return place
