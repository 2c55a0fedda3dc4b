"""manage.py eval_bench: how often a judge is right on a benchmark."""

import json
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from annotate.actions.evaluations import keep_evaluation
from annotate.learning import newest_revision
from annotate.management.terminal import Bar
from annotate.modalities.sandbox import MediaSandbox
from annotate.models import Project, Revision
from workers import artefacts
from workers.evaluation import answers as answer_files
from workers.evaluation import asking, results
from workers.evaluation.answers import Answers
from workers.evaluation.benches import NAMED, Bench, BenchError, load
from workers.evaluation.measures import measure
from workers.evaluation.renditions import Renditions
from workers.features import feature_cache
from workers.reward_models.base import JudgeBroken, UnfitArtefact
from workers.reward_models.judge import ChatJudge, JudgeSpec, SpecError
from workers.reward_models.reply_cache import DirectoryReplies

_JUDGES = """\
judges:
  FILE.yaml, FILE.json   an OpenAI-compatible endpoint, as docs/evaluate.md describes it
  local:FOLDER           a judge that train_judge wrote, run here
  rm:PROJECT[/NUMBER]    a registered revision of a project's reward model, the newest by default
  rm:FOLDER              a reward model that train_rm --out wrote; say ./FOLDER where it stands beside you
  verdicts:FILE          JSON lines of id and verdict
  scores:FILE            JSON lines of id and margin, or score1 and score2
"""


class Command(BaseCommand):
    help = "Evaluate a judge on a benchmark: accuracy with and without ties, by task, with intervals."

    def create_parser(self, *args: Any, **options: Any) -> Any:
        parser = super().create_parser(*args, **options)
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = _JUDGES
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--bench",
            required=True,
            metavar="DIR|NAME[:PATH]",
            help=f"a release's folder, or {', '.join(NAMED)}",
        )
        parser.add_argument("--judge", required=True, metavar="SPEC", help="see below")
        parser.add_argument(
            "--out", required=True, type=Path, metavar="DIR", help="where the results are written"
        )
        parser.add_argument(
            "--against", type=Path, metavar="DIR", help="earlier results to compare with, row by row"
        )
        parser.add_argument(
            "--keep", metavar="PROJECT", help="keep the results on this project's page of judges"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        keeper = _project(options["keep"]) if options["keep"] else None
        try:
            results.check_out(options["out"])
            bench = load(options["bench"], default=settings.DATA_DIR / "benches")
            answers = self._answers(options["judge"], bench)
            measured = measure(bench.rows, answers)
            found = self._told(bench, answers) | measured.results
            found["seconds"] = round(time.monotonic() - began, 1)
            if options["against"]:
                found["against"] = results.against(options["against"], bench, measured.hits)
            results.write(options["out"], found, bench, answers, measured)
        except (BenchError, SpecError, JudgeBroken, answer_files.AnswersError, results.ResultsError) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The same command goes on: what was answered is kept.") from None
        self._say(found, options["out"])
        if keeper:
            keep_evaluation(by=None, project=keeper, results=found)
            self.stdout.write(f"Kept with {keeper.slug}: /dashboard/{keeper.slug}/judges/")

    def _answers(self, asked: str, bench: Bench) -> Answers:
        kind, _, rest = asked.partition(":")
        labels = {row.id: row.label for row in bench.rows}
        if kind == "verdicts":
            return answer_files.verdicts_from(Path(rest), labels)
        if kind == "scores":
            return answer_files.scores_from(Path(rest), labels)
        if kind == "local":
            return self._local(Path(rest), bench)
        if kind == "rm" and rest.startswith(("/", "./", "../")):
            return self._folder(Path(rest), bench)
        if kind == "rm":
            revision = _revision(rest)
            try:
                model = artefacts.load(revision)
            except artefacts.Unusable as error:
                raise CommandError(f"{revision} cannot be used. {error}") from None
            title = f"{revision.project.slug}/{revision.number}"
            about = {"backend": revision.backend, "revision": title, "judgments": revision.judgments}
            return self._with_items(
                bench,
                lambda items, tell: asking.score(model, title, about, bench, items, feature_cache(), tell),
            )
        path = Path(asked)
        judge = ChatJudge.from_spec(
            _spec(path), DirectoryReplies(settings.DATA_DIR / "replies"), beside=path.parent
        )
        return self._with_items(bench, lambda items, tell: asking.ask(judge, bench, items, tell))

    def _folder(self, folder: Path, bench: Bench) -> Answers:
        try:
            model = artefacts.load_folder(folder)
        except artefacts.Unusable as error:
            raise CommandError(str(error)) from None
        about = {"backend": model.name, "folder": folder.name}
        return self._with_items(
            bench,
            lambda items, tell: asking.score(model, folder.name, about, bench, items, feature_cache(), tell),
        )

    def _local(self, folder: Path, bench: Bench) -> Answers:
        # Slow: never at the top of a module.
        from workers.reward_models.generative.local import LocalJudge

        try:
            judge = LocalJudge.load(folder)
        except UnfitArtefact as error:
            raise CommandError(str(error)) from None
        return self._with_items(bench, lambda items, tell: asking.ask(judge, bench, items, tell))

    def _with_items(self, bench: Bench, work: Callable[[asking.Items, asking.Tell], Answers]) -> Answers:
        with ExitStack() as stack:
            sandbox = stack.enter_context(MediaSandbox())
            bar = stack.enter_context(Bar("rows"))
            items = asking.Items(bench, Renditions(settings.DATA_DIR / "renditions", sandbox))
            stack.callback(items.close)
            done = 0

            def tell(rows: int) -> None:
                nonlocal done
                done += rows
                bar.tell(done=done)

            bar.tell(done=0, total=len(bench.rows))
            return work(items, tell)

    def _told(self, bench: Bench, answers: Answers) -> dict[str, Any]:
        told: dict[str, Any] = {
            "format": results.FORMAT,
            "at": timezone.now().isoformat(timespec="seconds"),
            "bench": {"name": bench.name, "digest": bench.digest, "rows": len(bench.rows)},
            "judge": {"title": answers.title, "kind": answers.kind, **answers.about},
        }
        if answers.tokens:
            told |= {"tokens": answers.tokens, "cost": answers.cost, "spent": answers.spent}
        return told

    def _say(self, found: dict[str, Any], out: Path) -> None:
        counts = found["counts"]["all"]
        self.stdout.write(f"{found['judge']['title']} on {found['bench']['name']}: {counts['rows']:,} rows")
        for protocol, words in (("without_ties", "without ties"), ("with_ties", "with ties")):
            one = found["accuracy"].get(protocol)
            if one and one["headline"]:
                way = one["ways"][one["headline"]]
                means = [
                    f"{mean} {way[mean]['value']:.3f} ({way[mean]['low']:.3f} to {way[mean]['high']:.3f})"
                    for mean in ("macro", "micro")
                    if way[mean]
                ]
                self.stdout.write(
                    f"Accuracy {words} [{one['headline']}]: {', '.join(means) or 'no task is supported'}"
                )
        self.stdout.write(
            f"No verdict: {counts['unreadable']:,} unreadable, {counts['error']:,} errors,"
            f" {counts['unsupported']:,} unsupported"
        )
        for protocol, one in found.get("against", {}).get("differences", {}).items():
            if one["macro"]:
                self.stdout.write(
                    f"Against {found['against']['title']}, {protocol.replace('_', ' ')}: macro {one['macro']['value']:+.3f}"
                    f" ({one['macro']['low']:+.3f} to {one['macro']['high']:+.3f}), p {one['p_macro']:.4f}"
                )
        self.stdout.write(f"Written: {out}/report.md, report.html, results.json, rows.jsonl")


def _project(slug: str) -> Project:
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise CommandError(f"There is no project {slug!r}.")
    return project


def _revision(asked: str) -> Revision:
    slug, _, number = asked.partition("/")
    project = _project(slug)
    if not number:
        newest = newest_revision(project)
        if newest is None:
            raise CommandError(f"{slug} has no revision yet: manage.py train_rm --project {slug}")
        return newest
    found = (
        Revision.objects.filter(project=project, number=int(number)).first() if number.isdecimal() else None
    )
    if found is None:
        raise CommandError(f"{slug} has no revision {number}.")
    return found


def _spec(path: Path) -> JudgeSpec:
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise CommandError(
            f"{path}: no judge is called so. Give a specification (.yaml, .json), rm:PROJECT, verdicts:FILE or scores:FILE."
        )
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise CommandError(f"{path} is no {path.suffix[1:].upper()}: {error}") from None
    try:
        return JudgeSpec.from_json(values)
    except SpecError as error:
        raise CommandError(f"{path}: {error}") from None
