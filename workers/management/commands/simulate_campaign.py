"""manage.py simulate_campaign: what a policy would have saved, replayed from labels that there are. docs/sampling.md."""

import csv
import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from annotate.actions.jobs import Refused
from annotate.actions.queue import READY_PER_ANNOTATOR
from annotate.exports.files import MANIFEST
from annotate.imports.places import local_file
from annotate.imports.schemas import LAYOUTS
from annotate.imports.spec import FileSpec, ImportSpec
from annotate.models import TaskType
from workers.features import feature_cache
from workers.sampling.policies import POLICIES
from workers.simulation import memory, planted, through_queue
from workers.simulation.curves import curve, saving
from workers.simulation.memory import CHANCE, Plan, Played
from workers.simulation.plots import draw_curves
from workers.simulation.released import write_rows
from workers.simulation.scratch import Scratch, scratch
from workers.simulation.world import world_of

_RUNS = "runs.json"


class Command(BaseCommand):
    help = (
        "Replay labels as if people were answering, once for each policy and seed, and write curves of what a model learns"
        " from how many of them. Done in projects that are thrown away; killed, the same command goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files", nargs="*", type=Path, metavar="FILE", help="labelled pairs, as import_pairs reads them"
        )
        parser.add_argument(
            "--release", type=Path, metavar="DIR", help="instead of files: a release that is unpacked here"
        )
        parser.add_argument(
            "--planted",
            type=int,
            metavar="PAIRS",
            help="instead of files: so many pairs of texts of the demo's kind, whose right answers are known",
        )
        parser.add_argument(
            "--out", type=Path, required=True, metavar="DIR", help="where curves and runs are written"
        )
        parser.add_argument(
            "--policies", nargs="+", default=[CHANCE, "powerbald"], choices=[CHANCE, *POLICIES]
        )
        parser.add_argument("--seeds", type=int, default=5)
        parser.add_argument("--labels", type=int, default=1000, help="judgments to end after")
        parser.add_argument("--batch", type=int, default=50, help="pairs between two refits")
        parser.add_argument(
            "--uniform-share", type=float, default=0.2, help="of a policy's draws, left to chance"
        )
        parser.add_argument(
            "--reserve-share", type=float, default=0.3, help="of the prompts, kept for testing"
        )
        parser.add_argument(
            "--through-queue",
            action="store_true",
            help="by claims and jobs, as people do it: slow, the same draws",
        )
        parser.add_argument("--media", type=Path, metavar="DIR|ZIP", help="where the rows' media paths lead")
        parser.add_argument("--layout", choices=("auto", *LAYOUTS), default="auto")
        parser.add_argument("--task-type", choices=TaskType.values, help="where the file does not say")
        parser.add_argument("--criterion", default="", help="for rows that name none")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < READY_PER_ANNOTATOR:
            raise CommandError(
                f"--batch: an import alone draws {READY_PER_ANNOTATOR} pairs. Give as many or more."
            )
        if not 0 <= options["uniform_share"] <= 1:
            raise CommandError("--uniform-share: a share lies between 0 and 1.")
        plan = Plan(batch=options["batch"], labels=options["labels"], uniform_share=options["uniform_share"])
        try:
            spec, of = self._spec(options)
        except Refused as error:
            raise CommandError(str(error)) from None
        out: Path = options["out"]
        out.mkdir(parents=True, exist_ok=True)
        wanted = [(policy, seed) for seed in range(options["seeds"]) for policy in options["policies"]]
        runs = _read(out / _RUNS, told := _told(of, plan, options))
        with tqdm(total=len(wanted) * plan.labels, unit="label", unit_scale=True, disable=None) as bar:
            for number, (policy, seed) in enumerate(wanted):
                bar.update(number * plan.labels - bar.n)
                if f"{policy} {seed}" in runs:
                    continue
                bar.set_postfix_str(f"{policy}, seed {seed}")
                try:
                    with scratch(spec, seed, options["reserve_share"]) as place:
                        done = _play(place, policy, seed, plan, options["through_queue"], bar)
                except Refused as error:
                    raise CommandError(str(error)) from None
                runs[f"{policy} {seed}"] = {"labels": done.labels, "accuracy": done.accuracy}
                _write(out / _RUNS, told, runs)
        self._tell(out, options, {key: runs[f"{key[0]} {key[1]}"] for key in wanted})

    def _spec(self, options: dict[str, Any]) -> tuple[ImportSpec, Sequence[FileSpec]]:
        """What is imported, and the files that say whether it is the same as before."""
        files, media, task_type = options["files"], options["media"], options["task_type"] or ""
        if sum((bool(files), bool(options["release"]), options["planted"] is not None)) != 1:
            raise CommandError(
                "Give files of labelled pairs, --release with the folder of a release, or --planted with a number of pairs."
            )
        if options["planted"] is not None:
            if options["planted"] < options["batch"]:
                raise CommandError(
                    f"--planted: give as many pairs as one batch has, {options['batch']}, or more."
                )
            files = [options["out"] / "planted.jsonl"]
            planted.write_rows(files[0], options["planted"])
        if release := options["release"]:
            rows = options["out"] / "released.jsonl"
            found = write_rows(release, rows)
            self.stdout.write(
                f"{found.labels:,} labels of the release are replayed. {found.without_content:,} are left out: ties and"
                " others that stand in no row with what was compared."
            )
            files, media = [rows], release
        specs = tuple(local_file(path) for path in files)
        spec = ImportSpec(
            files=specs,
            media=local_file(media) if media else None,
            layout=options["layout"],
            criterion=options["criterion"],
            task_type=task_type,
        )
        return spec, (local_file(release / MANIFEST),) if release else specs

    def _tell(self, out: Path, options: dict[str, Any], runs: dict[tuple[str, int], dict[str, Any]]) -> None:
        with (out / "curves.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["policy", "seed", "labels", "accuracy"])
            for (policy, seed), run in runs.items():
                table.writerows(
                    (policy, seed, *point) for point in zip(run["labels"], run["accuracy"], strict=True)
                )
        curves = {
            policy: curve(
                [(run["labels"], run["accuracy"]) for (name, _), run in runs.items() if name == policy],
                options["batch"],
            )
            for policy in options["policies"]
        }
        draw_curves(out / "curves.png", "What a model learns from how many labels", curves)
        for policy, found in curves.items():
            line = f"{policy}: {found.mean[-1]:.3f} after {found.labels[-1]:.0f} labels"
            if policy != CHANCE and CHANCE in curves:
                saved = saving(found, curves[CHANCE], options["labels"])
                line += (
                    f"; what chance reaches with {saved.at} it reaches with {saved.share:.0%} of them"
                    f" ({saved.low:.0%} to {saved.high:.0%}); {saved.gain:+.3f} at as many (± {saved.gain_half:.3f})"
                )
            self.stdout.write(line)
        self.stdout.write(f"Curves: {out / 'curves.png'}, {out / 'curves.csv'}")


def _play(place: Scratch, policy: str, seed: int, plan: Plan, queue: bool, bar: "tqdm[Any]") -> Played:
    if not place.known:
        raise Refused("The files hold no label: nothing can be replayed.")
    before = bar.n

    def tell(labels: int) -> None:
        bar.update(before + labels - bar.n)

    if queue:
        return through_queue.play(place.annotator, place.known, policy, seed, plan, tell)
    return memory.play(world_of(place.project, place.known, feature_cache()), policy, seed, plan, tell)


def _told(of: Sequence[FileSpec], plan: Plan, options: dict[str, Any]) -> dict[str, Any]:
    """What a run depends on besides policy and seed: runs of something else are not gone on with."""
    return {
        "files": [[file.name, file.size, file.modified] for file in of],
        "batch": plan.batch,
        "labels": plan.labels,
        "uniform_share": plan.uniform_share,
        "reserve_share": options["reserve_share"],
    }


def _read(path: Path, told: dict[str, Any]) -> dict[str, Any]:
    if not path.exists():
        return {}
    kept = json.loads(path.read_text())
    if kept["of"] != told:
        raise CommandError(f"{path} holds runs of other files or settings. Give another --out, or remove it.")
    runs: dict[str, Any] = kept["runs"]
    return runs


def _write(path: Path, told: dict[str, Any], runs: dict[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"of": told, "runs": runs}))
    new.replace(path)
