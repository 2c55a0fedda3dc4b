"""manage.py train_judge: train a judge that answers in words on the decided comparisons of a release."""

import hashlib
import shutil
import time
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from annotate.management.terminal import Bar
from workers.management.specs import read_spec
from workers.released import card, judge_card, presets
from workers.released.mix import Mix
from workers.released.reward_model import Lesson, lesson
from workers.released.rows import ReleaseError, read
from workers.reward_models.base import NothingToLearn, UnfitArtefact
from workers.reward_models.evaluation import interval
from workers.reward_models.settings import SettingsError


class Command(BaseCommand):
    help = (
        "Train a generative judge by GRPO on a release's training rows, each in both orders: a reply is worth whether its"
        " verdict is right and its form can be read. Stopped by the release's validation split, written to a folder."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--release", metavar="DIR", type=Path, required=True, help="an unpacked release")
        parser.add_argument("--base", metavar="PATH", help="folder of the language model to begin with")
        parser.add_argument("--lora", action="store_true", help="train adapters, whatever the preset says")
        parser.add_argument(
            "--preset", metavar="NAME", help=f"published settings: {', '.join(presets.names())}"
        )
        parser.add_argument(
            "--spec", metavar="FILE", type=Path, help="settings as YAML or JSON; over the preset's"
        )
        parser.add_argument(
            "--out", metavar="DIR", type=Path, required=True, help="a new folder for the judge"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        out: Path = options["out"]
        values = read_spec(options["spec"], options["preset"])
        if options["base"]:
            values["backbone"] = options["base"]
        if options["lora"]:
            values["method"] = "lora"
        work = out.resolve().with_name(f"{out.name}.checkpoints")
        values.setdefault("checkpoints", str(work))
        try:
            card.check_out(out)
            self._train(values, options["release"], out, work)
        except (
            card.FolderError,
            ReleaseError,
            NothingToLearn,
            SettingsError,
            UnfitArtefact,
            FloatingPointError,
        ) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The same command goes on from the last checkpoint.") from None
        shutil.rmtree(work, ignore_errors=True)

    def _train(self, values: dict[str, Any], place: Path, out: Path, work: Path) -> None:
        # Slow: never at the top of a module.
        from workers.reward_models.generative import training
        from workers.reward_models.generative.local import load_talker, save
        from workers.reward_models.generative.settings import JudgeSettings
        from workers.reward_models.large.training import fingerprint

        mix = Mix.from_json(values.pop("mix", {}))
        settings = JudgeSettings.from_json(values)
        release = read(place)
        talker = load_talker(settings)
        with lesson(release, mix) as found, Bar("steps") as bar:
            kept, left_out = _can_be_shown(talker, found)
            if not kept.items:
                raise NothingToLearn(f"This model can be shown none of the rows: {'; '.join(left_out)}.")
            words = hashlib.sha256(talker.template.system.encode()).hexdigest()
            name = fingerprint(
                settings,
                f"{talker.model.revision} {words}",
                [*kept.items, *kept.watched],
                np.concatenate([kept.verdicts, kept.watched_verdicts]),
                0,
            )
            work.mkdir(parents=True, exist_ok=True)
            rollouts = work / f"{name[:16]}.jsonl"
            began = time.monotonic()

            def told(step: int, steps: int, reward: float) -> None:
                bar.tell(done=step, total=steps, step=f"reward {reward:.3f}")

            bar.tell(step="drawing replies")
            with closing(judge_card.Rollouts(rollouts, kept.rows)) as heard:
                trained = training.train(
                    talker,
                    settings,
                    kept.items,
                    kept.verdicts,
                    seed=0,
                    name=name,
                    watched=(kept.watched, kept.watched_verdicts) if kept.watched else None,
                    told=told,
                    heard=heard.hear,
                )
            bar.tell(step="testing on the validation split")
            hits = training.hits(talker, settings, kept.watched, kept.watched_verdicts)
            groups = [row.row.group for row in kept.watched_rows[: len(hits)]]
            tested = interval(np.array(hits), groups)
            save(talker, settings, out)
        shutil.move(rollouts, out / judge_card.ROLLOUTS)
        learned = judge_card.LearnedJudge(
            settings.kept(),
            release,
            mix,
            len(kept.rows),
            left_out,
            training.FIGURES,
            trained.figures,
            trained.looks,
            tested,
            sorted(talker.model.modalities),
            time.monotonic() - began,
        )
        judge_card.write(out, learned)
        self.stdout.write(
            f"{len(trained.figures):,} steps on {len(kept.rows):,} rows of {release.project}'s release"
            f" {release.digest[:12]}; mean reward {trained.figures[0][0]:.3f} at first,"
            f" {trained.figures[-1][0]:.3f} at last"
        )
        for why, count in left_out.items():
            self.stdout.write(f"{count:,} rows are left out: {why}")
        if tested is not None:
            self.stdout.write(
                f"Right verdicts on {tested.n:,} validation rows, both orders: {tested.value:.3f}"
                f" (95 % interval {tested.low:.3f} to {tested.high:.3f}), chance 0.500"
            )
        self.stdout.write(f"Written: {out}/{card.CARD} and what it names")


def _can_be_shown(talker: Any, found: Lesson) -> tuple[Lesson, dict[str, int]]:
    """What this model can look at of the lesson, and how many rows it cannot, by why."""
    left_out = dict(found.left_out)

    def places(items: list[Any]) -> list[int]:
        kept = []
        for n, item in enumerate(items):
            try:
                talker.prompts([item])
                kept.append(n)
            except ValueError as error:
                left_out[str(error)] = left_out.get(str(error), 0) + 1
        return kept

    trained, watched = places(found.items), places(found.watched)
    return (
        Lesson(
            [found.rows[n] for n in trained],
            [found.items[n] for n in trained],
            found.verdicts[trained],
            [found.watched_rows[n] for n in watched],
            [found.watched[n] for n in watched],
            found.watched_verdicts[watched],
        ),
        left_out,
    )
