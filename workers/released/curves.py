"""What training did, step by step: one CSV, and pictures of loss and accuracy."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.reward_models.large.looks import Look
from workers.simulation.curves import Curve
from workers.simulation.plots import draw_curves

CSV, LOSS, ACCURACY = "curves.csv", "loss.png", "accuracy.png"
_LEVELS = 10  # lines of the grid, at most


def write_curves(folder: Path, losses: Sequence[float], looks: Sequence[Look]) -> list[str]:
    """The names of the files written: none without a step, no accuracy where nothing was watched."""
    if not losses:
        return []
    seen = {look.step: look for look in looks}
    with (folder / CSV).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("step", "training_loss", "validation_loss", "validation_accuracy"))
        for step, loss in enumerate(losses, start=1):
            look = seen.get(step)
            rows.writerow((step, loss, look.loss if look else "", look.accuracy if look else ""))
    curves = {"training": _curve(range(1, len(losses) + 1), losses)}
    if looks:
        curves["validation"] = _curve([look.step for look in looks], [look.loss for look in looks])
    values = [value for one in curves.values() for value in one.mean]
    says = "negative log-likelihood of a verdict"
    draw_curves(
        folder / LOSS, "Loss", curves, x="steps", y=says, grid=_grid(max(values) - min(values)), falling=True
    )
    if not looks:
        return [CSV, LOSS]
    accuracy = _curve([look.step for look in looks], [look.accuracy for look in looks])
    draw_curves(folder / ACCURACY, "Accuracy on the validation split", {"validation": accuracy}, x="steps")
    return [CSV, LOSS, ACCURACY]


def _grid(span: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that makes no more than _LEVELS lines."""
    least = max(span, 1e-6) / _LEVELS
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= least))


def _curve(steps: Sequence[int], values: Sequence[float]) -> Curve:
    return Curve(np.array(steps, dtype=np.float64), np.array([values], dtype=np.float64))
