"""Freeze a project's labels and write them as a benchmark, training rows and raw judgments."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import AlreadyRunning, Refused, unlimited_statements
from annotate.actions.releases import ReleaseOptions, recipe_of, start_release
from annotate.exports import files
from annotate.exports.build import build
from annotate.exports.formats import NAMES
from annotate.exports.push import place_of
from annotate.exports.push import push as send_release
from annotate.exports.recipe import FILE, NEAR_DUPLICATES, Deal, Recipe, RecipeError, default_text, parse
from annotate.management.terminal import Bar, run_with_bar
from annotate.models import JobState, Judgment, Project, Release, Resolution
from annotate.quality import exclusions_changed
from annotate.stats.labels import Settled


def _shares(given: str, seed: int) -> Deal:
    """What --split says.

    Raises:
        CommandError: it is not of that form.
    """
    try:
        shares = {
            name.strip(): float(share) for name, share in (part.split("=") for part in given.split(","))
        }
        test, validation = shares.pop("test"), shares.pop("validation", 0.0)
    except (ValueError, KeyError):
        shares = {given: 0.0}
    if shares:
        raise CommandError(f"--split is {given!r}: give it as test=0.1,validation=0.1.")
    try:
        return Deal(test, validation, seed)
    except ValueError as error:
        raise CommandError(f"--split {error}") from None


class Command(BaseCommand):
    help = (
        "Freeze the project's labels and write them into DIR as a recipe says: without one DIR/bench (OmniRewardBench) and"
        " DIR/train (TRL), with DIR/labels, DIR/raw, README.md, RECIPE.yaml and MANIFEST.json. Killed at any moment, the same"
        " command goes on and ends in the same bytes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", metavar="SLUG")
        parser.add_argument("--out", type=Path, metavar="DIR", help="empty, or to be made")
        parser.add_argument(
            "--recipe",
            type=Path,
            metavar="FILE",
            help="what it is to hold, as YAML; the options below go before it",
        )
        parser.add_argument(
            "--print-recipe",
            action="store_true",
            help="print the recipe that holds where none is given, with what may stand in each place, and stop",
        )
        parser.add_argument(
            "--formats",
            default="",
            metavar="NAMES",
            help=f"separated by commas: {', '.join(NAMES)} (default: omni,trl)",
        )
        parser.add_argument(
            "--min-labels",
            type=int,
            metavar="N",
            help="usable verdicts that a label needs (default: as many as the project asks for)",
        )
        parser.add_argument(
            "--source",
            action="append",
            default=[],
            metavar="NAME",
            help="pairs of this source only; repeatable",
        )
        parser.add_argument(
            "--settled",
            type=Settled,
            choices=list(Settled),
            default=None,
            help="what becomes of what reviewers settled: it is the label (use), it is left out (leave_out), or"
            " people's verdicts alone count (ignore)",
        )
        parser.add_argument(
            "--groups",
            action="store_true",
            help="tell how groups of annotators judged, and which ones the annotator of a judgment was in",
        )
        parser.add_argument(
            "--near-duplicates",
            nargs="+",
            choices=[*NEAR_DUPLICATES, "none"],
            help="of what nearly the same stands on one side of the splits only (default: as the recipe says, else text and image)",
        )
        parser.add_argument(
            "--split",
            metavar="test=SHARE,validation=SHARE",
            help="deal test, validation and train anew, stratified by task type and tie, instead of by the partitions that"
            " imports fixed",
        )
        parser.add_argument(
            "--split-seed", type=int, default=0, metavar="N", help="another one deals another way"
        )
        parser.add_argument(
            "--hold-out-model",
            action="append",
            default=[],
            metavar="NAME",
            help="rows with a response of this model stand in test or nowhere; repeatable",
        )
        parser.add_argument(
            "--hold-out-criterion",
            action="append",
            default=[],
            metavar="TEXT",
            help="rows by this criterion stand in test or nowhere; repeatable",
        )
        parser.add_argument(
            "--against",
            nargs="+",
            type=Path,
            default=[],
            metavar="FILE",
            help="other benchmarks, in any layout that import_pairs recognises: what stands in both is listed in"
            " contamination.jsonl",
        )
        parser.add_argument(
            "--drop-contaminated",
            action="store_true",
            help="and pairs that hold any of it stand in no split",
        )
        parser.add_argument(
            "--push",
            metavar="s3://BUCKET/PREFIX",
            help="when it is finished send it there too, and read it back; what was sent before is not sent again",
        )
        parser.add_argument(
            "--processes",
            type=int,
            metavar="N",
            help="that write (default: one for each CPU up to four, where there is enough to write)",
        )
        parser.add_argument(
            "--release",
            type=UUID,
            metavar="ID",
            help="write an earlier release again, from its frozen rows: the same bytes",
        )

    def handle(
        self,
        *,
        project: str | None,
        out: Path | None,
        recipe: Path | None,
        print_recipe: bool,
        formats: str,
        min_labels: int | None,
        source: list[str],
        settled: Settled | None,
        groups: bool,
        near_duplicates: list[str] | None,
        split: str | None,
        split_seed: int,
        hold_out_model: list[str],
        hold_out_criterion: list[str],
        against: list[Path],
        drop_contaminated: bool,
        push: str | None,
        processes: int | None,
        release: UUID | None,
        **options: Any,
    ) -> None:
        if print_recipe:
            self.stdout.write(default_text(), ending="")
            return
        if project is None or out is None:
            raise CommandError("Give --project SLUG and --out DIR.")
        try:
            found = Project.objects.get(slug=project)
        except Project.DoesNotExist:
            known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
            raise CommandError(f"There is no project {project!r}. Projects: {known or 'none yet'}.") from None
        chosen = ReleaseOptions(
            min_labels=min_labels,
            sources=tuple(source),
            settled=settled,
            groups=groups,
            formats=tuple(dict.fromkeys(filter(None, (name.strip() for name in formats.split(","))))),
            recipe=_read(recipe) if recipe else Recipe(),
            near_duplicates=None
            if near_duplicates is None
            else tuple(name for name in near_duplicates if name != "none"),
            deal=_shares(split, split_seed) if split else None,
            hold_out_models=tuple(hold_out_model),
            hold_out_criteria=tuple(hold_out_criterion),
            against=tuple(path.resolve() for path in against),
            drop_contaminated=drop_contaminated,
        )
        if processes is not None and processes < 1:
            raise CommandError(f"--processes is {processes}: give 1 or more.")
        try:
            if push:
                place_of(push)
            if release:
                manifest = self._again(found, release, out, chosen, processes)
            else:
                manifest = self._make(found, out.resolve(), chosen, processes)
            if push:
                self._push(out, push)
        except (Refused, AlreadyRunning) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror or error}") from error
        self._report(manifest, out)

    def _make(
        self, project: Project, out: Path, options: ReleaseOptions, processes: int | None
    ) -> dict[str, Any]:
        release = self._begin(project, out, options)
        release.job.spec |= {"processes": processes}
        release.job.save(update_fields=["spec"])
        job = run_with_bar(release.job, unit=" rows")
        if job.state != JobState.DONE:
            raise CommandError(f"{job} is {job.state}. {job.error}")
        release.refresh_from_db()
        assert release.manifest
        return release.manifest

    def _begin(self, project: Project, out: Path, options: ReleaseOptions) -> Release:
        """The release that `out` holds the beginning of, or a new one.

        The directory is marked first and names the release, so that a kill in between leaves nothing that
        the same command would not go on with.
        """
        held = files.release_in(out)
        if held is None:
            recipe_of(project, options)  # refuses what is wrong before anything is written
            files.mark(out, held := uuid4())
        release = Release.objects.select_related("job").filter(pk=held).first()
        if release is None:
            if files.is_finished(out):
                raise Refused(
                    f"{out} holds finished release {held} of another installation. Give an empty directory."
                )
            return start_release(by=None, project=project, options=options, directory=out, release_id=held)
        if release.project_id != project.pk:
            raise Refused(f"{out} holds a release of another project. Give an empty directory.")
        if release.recipe != recipe_of(project, options):
            raise Refused(
                f"{out} holds a release with other options, or by another recipe ({json.dumps(release.recipe, ensure_ascii=False)}; its"
                f" {FILE} says the recipe, once it is finished). Give the same, or an empty directory."
            )
        if files.is_finished(out) and release.job.state == JobState.DONE:
            # A worker may have ended what was killed here. But what is asked for may also be a newer release.
            assert release.frozen_at
            since = {"created_at__gt": release.frozen_at, "comparison__pair__project": project}
            if (
                Judgment.objects.filter(**since).exists()
                or Resolution.objects.filter(**since).exists()
                or exclusions_changed(project.pk, release.frozen_at)
            ):
                raise Refused(
                    f"{out} holds finished release {held}, and something was judged or settled since, or other judgments"
                    " count. For a new release give an empty directory."
                )
            self.stdout.write(f"{out} holds this release already, and nothing was judged since.")
        if release.directory != str(out):
            Release.objects.filter(pk=release.pk).update(directory=str(out))  # it was moved
        return release

    def _again(
        self, project: Project, release_id: UUID, out: Path, options: ReleaseOptions, processes: int | None
    ) -> dict[str, Any]:
        if options != ReleaseOptions():
            raise CommandError(
                "--release writes what was frozen then: leave out every option but --project and --out."
            )
        release = Release.objects.filter(pk=release_id, project=project).first()
        if release is None or release.frozen_at is None:
            raise CommandError(f"Project {project.slug} has no frozen release {release_id}.")
        with unlimited_statements(), Bar(unit=" rows") as bar:
            return build(release, out, bar.tell, processes=processes)

    def _push(self, out: Path, url: str) -> None:
        with Bar(unit=" files") as bar:
            sent = send_release(out, url, lambda step: bar.tell(step=step[-60:]))
        self.stdout.write(f"{url} holds it: {sent} files were sent, and all were read back.")

    def _report(self, manifest: dict[str, Any], out: Path) -> None:
        for part in ("bench", "train", "validation"):
            for task_type, counts in manifest["counts"][part].items():
                labels = ", ".join(f"{name} {count}" for name, count in counts["labels"].items()) or "no rows"
                excluded = ", ".join(f"{name} {count}" for name, count in counts["excluded"].items())
                self.stdout.write(
                    f"{part} {task_type}: {labels}{f' (left out: {excluded})' if excluded else ''}"
                )
        self.stdout.write(self.style.SUCCESS(f"Release {manifest['release']} is in {out}"))


def _read(path: Path) -> Recipe:
    try:
        return parse(path.read_text("utf-8"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8, from byte {error.start} on: save it as such.") from None
    except RecipeError as error:
        raise CommandError(f"{path} is no recipe:\n{error}") from None
