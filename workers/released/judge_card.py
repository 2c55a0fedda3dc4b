"""The folder of a trained judge besides its weights: what training did, every reply it drew, and the README.md."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from workers.released.card import CARD
from workers.released.mix import Mix
from workers.released.rows import Release, Row
from workers.reward_models.evaluation import Accuracy
from workers.reward_models.large.looks import Look
from workers.simulation.curves import Curve
from workers.simulation.plots import draw_curves

CSV, REWARD, ROLLOUTS = "curves.csv", "reward.png", "rollouts.jsonl"


class Rollouts:
    """Every reply as it is drawn, a line each: what was said, and what it was worth. Nothing is drawn anew to write it.

    A training that goes on from a checkpoint draws again what came after it: those lines are written once.
    """

    def __init__(self, path: Path, rows: Sequence[Row]) -> None:
        self._path, self._rows = path, rows
        path.touch()
        self._file: IO[str] | None = None

    def hear(self, rollout: Any) -> None:
        """`rollout`: of generative.training."""
        self._file = self._file or self._from(rollout.step)
        told = {
            "step": rollout.step,
            "id": self._rows[rollout.place].row.id,
            "turned": rollout.turned,
            "verdict": rollout.worth.verdict,
            "right": rollout.worth.right,
            "formed": rollout.worth.formed,
            "reward": rollout.reward,
            "reply": rollout.text,
        }
        self._file.write(json.dumps(told, ensure_ascii=False) + "\n")

    def _from(self, step: int) -> IO[str]:
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        # The last one of a process that was killed may be half a line.
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < step]
        self._path.write_text("".join(kept), encoding="utf-8")
        return self._path.open("a", encoding="utf-8")

    def close(self) -> None:
        if self._file:
            self._file.close()


@dataclass(frozen=True)
class LearnedJudge:
    """A judge's training, and what its card says of it. `validation`: right verdicts over both orders, by prompt."""

    settings: dict[str, Any]
    release: Release
    mix: Mix
    rows: int
    left_out: dict[str, int]
    names: Sequence[str]
    figures: Sequence[Sequence[float]]
    looks: Sequence[Look]
    validation: Accuracy | None
    modalities: Sequence[str]
    seconds: float


def write(folder: Path, learned: LearnedJudge) -> None:
    with (folder / CSV).open("w", newline="") as file:
        seen = {look.step: look.accuracy for look in learned.looks}
        rows = csv.writer(file)
        rows.writerow(("step", *learned.names, "validation_accuracy"))
        for step, figures in enumerate(learned.figures, start=1):
            rows.writerow((step, *figures, seen.get(step, "")))
    curves = {
        name: _curve(range(1, len(learned.figures) + 1), [one[place] for one in learned.figures])
        for place, name in enumerate(learned.names[:3])
    }
    if learned.looks:
        steps, found = [look.step for look in learned.looks], [look.accuracy for look in learned.looks]
        curves["validation accuracy"] = _curve(steps, found)
    draw_curves(
        folder / REWARD, "What replies were worth", curves, x="steps", y="mean over replies", grid=0.1
    )
    (folder / CARD).write_text(_card(learned), encoding="utf-8")


def _curve(steps: Sequence[int], values: Sequence[float]) -> Curve:
    return Curve(np.array(steps, dtype=np.float64), np.array([values], dtype=np.float64))


def _card(learned: LearnedJudge) -> str:
    found = learned.validation
    if found is None:
        accuracy = "The release has no validation row that it can be shown: nothing was tested."
    else:
        accuracy = (
            f"Right verdicts on the validation split, each row in both orders: {found.value:.3f} (95 % interval"
            f" {found.low:.3f} to {found.high:.3f}, {found.n:,} rows of {found.groups:,} prompts; a reply that cannot be read is"
            " wrong, 0.500 is chance). The weights kept are those that did best on this very split: it flatters. No benchmark"
            " had a part in it."
        )
    settings = "\n".join(
        f"| `{name}` | {value} |" for name, value in learned.settings.items() if value not in ("", None)
    )
    left = "".join(f"\n\nLeft out, {count:,}: {why}." for why, count in learned.left_out.items())
    return f"""\
# A judge in words, trained on {learned.release.project}

Shown a prompt, two responses and a criterion it says its reasons, then which is better.

## Data

{learned.rows:,} rows of a release of the project {learned.release.project}, each in both orders; SHA-256 of its manifest
`{learned.release.digest}`. Recipe: `{json.dumps(learned.mix.as_json())}`.{left}

## Training

GRPO (arXiv 2402.03300): a right verdict is worth 1, a well-formed reply `format_reward` more. {len(learned.figures):,} steps,
{learned.seconds:,.0f} s. `{CSV}` has each step, `{ROLLOUTS}` every reply that was drawn.

| field | value |
|---|---|
{settings}

![Reward by step]({REWARD})

## Accuracy

{accuracy}

## Limits

- It was never shown a tie: a release's training rows hold none. Asked with one offered, it answers untaught.
- Beside text it looks at: {", ".join(learned.modalities) or "nothing"}.
- Reasons that end in a right verdict are rewarded, not true reasons.

## Use

`manage.py eval_bench --bench DIR --judge local:THIS_FOLDER --out OUT` asks it here, one item at a time.
"""
