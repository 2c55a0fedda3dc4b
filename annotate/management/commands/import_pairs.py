"""manage.py import_pairs: files of pairs into a project. docs/import.md tells what the files may look like."""

import json
from argparse import ArgumentParser
from pathlib import Path, PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotate.actions.imports import read_mapping, start_import
from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.actions.projects import create_project
from annotate.imports.places import files_at, media_at
from annotate.imports.schemas import LAYOUTS
from annotate.imports.spec import ImportSpec
from annotate.management.pairing import add_pairing, pairing_of
from annotate.management.terminal import run_with_bar, tell_problems
from annotate.models import DataImport, Job, JobKind, JobState, Project, TaskType


class Command(BaseCommand):
    help = "Read pairs, with their criteria and judgments, from JSON, JSONL, CSV or Parquet into a project."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files",
            nargs="+",
            metavar="FILE",
            help="or a folder, a zip, or an s3:// prefix, with their media",
        )
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--create", action="store_true", help="make the project if there is none")
        parser.add_argument("--name", help="of the project made; else its slug")
        parser.add_argument("--reserve-share", type=float, help="of the project made: kept as benchmark")
        parser.add_argument("--validation-share", type=float, help="of the project made")
        parser.add_argument("--task-type", choices=TaskType.values, help="where the file does not say")
        parser.add_argument("--media", metavar="DIR|ZIP|s3://", help="where the rows' media paths lead")
        parser.add_argument("--mapping", type=Path, metavar="FILE.yaml", help="which column means what")
        parser.add_argument("--layout", choices=("auto", *LAYOUTS), default="auto")
        parser.add_argument("--on-error", choices=("abort", "skip"), default="abort")
        parser.add_argument("--report", type=Path, help="refused rows as JSON lines; else FILE.refused.jsonl")
        parser.add_argument("--source", default="", help="names the pairs together with their ids")
        parser.add_argument("--criterion", default="", help="for rows that name none")
        parser.add_argument("--k", type=int, help="labels wanted where the file does not say")
        parser.add_argument("--no-labels", action="store_true", help="leave the file's judgments out")
        add_pairing(parser, default=None)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            project = self._project(options)
            data_import = start_import(by=None, project=project, spec=self._spec(options), by_hand=True)
            report = options["report"] or Path(f"{PurePath(options['files'][0]).name}.refused.jsonl")
            try:
                self._run(data_import)
            except Refused:
                self._write_report(report, data_import)
                raise
            self._write_report(report, data_import)
            self._tell(data_import)
            self._prepare_media(project)
        except (Refused, AlreadyRunning) as error:
            raise CommandError(str(error)) from None

    def _project(self, options: dict[str, Any]) -> Project:
        slug = options["project"]
        project = Project.objects.filter(slug=slug).first()
        made = ("name", "reserve_share", "validation_share")
        if project:
            # The command that made the project may be given again, to go on after an interruption.
            if other := [name for name in made if options[name] not in (None, getattr(project, name))]:
                flag = "--" + other[0].replace("_", "-")
                raise CommandError(f"{flag} is for a new project; change {slug!r} in the admin.")
            return project
        if not options["create"]:
            raise CommandError(f"There is no project {slug!r}. Add --create to make it.")
        settings = {name: options[name] for name in made if options[name] is not None}
        if options["reserve_share"] is not None and options["validation_share"] is None:
            # So that --reserve-share 1 alone is a sum that fits.
            default = Project._meta.get_field("validation_share").get_default()
            settings["validation_share"] = min(default, round(1 - options["reserve_share"], 9))
        settings |= {"task_type": options["task_type"]} if options["task_type"] else {}
        try:
            return create_project(by=None, slug=slug, **{"name": slug, **settings})
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None

    def _spec(self, options: dict[str, Any]) -> ImportSpec:
        other = [name for name in ("per_prompt", "anchors", "models") if options[name]]
        if other and not options["design"]:
            flag = "--" + other[0].replace("_", "-")
            raise CommandError(f"{flag} says how answers become pairs: it goes with --design.")
        mapping = None
        if options["mapping"]:
            try:
                mapping = read_mapping(options["mapping"].read_text())
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"{options['mapping']}: {error}") from None
        files, media = [], None
        for place in options["files"]:
            found, own_media = files_at(place)
            files += found
            media = own_media if len(options["files"]) == 1 else None
        return ImportSpec(
            files=tuple(files),
            media=media_at(options["media"]) if options["media"] else media,
            layout=options["layout"],
            mapping=mapping,
            on_error=options["on_error"],
            source=options["source"],
            criterion=options["criterion"],
            task_type=options["task_type"] or "",
            k=options["k"],
            labels=not options["no_labels"],
            pairing=pairing_of(options) if options["design"] else None,
        )

    def _run(self, data_import: DataImport) -> None:
        if data_import.position:
            self.stderr.write(f"Import {data_import.pk} was interrupted: going on where it stopped.")
        run_with_bar(data_import.job, unit="B")

    def _prepare_media(self, project: Project) -> None:
        """What the import left to be done for its video, sound and 3D."""
        for job in Job.objects.filter(project=project, kind=JobKind.DERIVE, state=JobState.QUEUED):
            try:
                run_with_bar(job, unit="files")
            except AlreadyRunning:
                self.stderr.write("A worker is preparing the media.")
        tell_problems(self, project)

    def _write_report(self, path: Path, data_import: DataImport) -> None:
        data_import.refresh_from_db()
        if data_import.report:
            lines = (json.dumps(row, ensure_ascii=False) for row in data_import.report)
            path.write_text("".join(f"{line}\n" for line in lines))
            self.stderr.write(f"The refused rows are listed in {path}.")

    def _tell(self, data_import: DataImport) -> None:
        told = [f"{data_import.pairs_new:,} pairs new"]
        if data_import.pairs_same:
            told.append(f"{data_import.pairs_same:,} there already")
        told.append(f"{data_import.judgments_new:,} judgments new")
        if data_import.rows_refused:
            told.append(f"{data_import.rows_refused:,} rows refused")
        self.stdout.write(", ".join(told) + ".")
        if found := data_import.near_duplicates.get("prompts"):
            groups = data_import.near_duplicates["groups"]
            self.stdout.write(
                f"{found:,} new prompts are nearly the same as another, in {groups:,} groups; see job {data_import.job_id}."
            )
