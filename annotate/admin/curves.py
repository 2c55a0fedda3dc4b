"""The curves of a training as pictures of lines without a script or a style, and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotate.curves import KEY, Curves
from annotate.models import Job

_ROWS = 25  # of the table
_MARGIN = 4.0  # per cent of the height that no line enters, above and below

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Line:
    """`path`: of a polyline, `dots`: of circles; x and y in per cent of the picture, y downward."""

    kind: str
    name: str
    path: str
    dots: list[tuple[float, float]]


@dataclass(frozen=True)
class Picture:
    """`ticks`: from above, at the top, in the middle and at the bottom. `says`: for who cannot see it."""

    title: str
    says: str
    ticks: list[str]
    heights: list[float]
    first: int
    last: int
    lines: list[Line]


def pictures(job: Job) -> dict[str, Any] | None:
    """What admin/annotate/curves.html shows; None where the job has told no figures."""
    curves = Curves(job.spec.get(KEY))
    if not curves:
        return None
    names = {"training": "", "validation": "validation_"}
    drawn = []
    for title, name in (("Loss", "loss"), ("Accuracy", "accuracy")):
        series = {kind: curves.points(before + name) for kind, before in names.items()}
        found = {kind: points for kind, points in series.items() if points}
        if found:
            drawn.append(_picture(title, found, (0.0, 1.0) if name == "accuracy" else None))
    return {"pictures": drawn, "rows": _rows(curves), "validation": bool(curves.points("validation_loss"))}


def _picture(title: str, series: Mapping[str, Points], scale: tuple[float, float] | None) -> Picture:
    values = [value for points in series.values() for _, value in points]
    steps = [step for points in series.values() for step, _ in points]
    low, high = scale or (min(values), max(values))
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    first, last = min(steps), max(steps)

    def place(step: int, value: float) -> tuple[float, float]:
        x = 100 * (step - first) / max(last - first, 1)
        y = _MARGIN + (100 - 2 * _MARGIN) * (high - value) / (high - low)
        return round(x, 2), round(y, 2)

    lines = []
    told = []
    for kind, points in series.items():
        at = [place(step, value) for step, value in points]
        # A curve of many points is its line.
        dots = at if len(at) <= 25 else at[-1:]
        lines.append(Line(kind, kind, " ".join(f"{x},{y}" for x, y in at), dots))
        told.append(f"{kind} from {points[0][1]:.3f} to {points[-1][1]:.3f}")
    return Picture(
        title,
        f"{title} over steps {first} to {last}: {', '.join(told)}",
        [f"{value:.3g}" for value in (high, (low + high) / 2, low)],
        [_MARGIN, 50, 100 - _MARGIN],
        first,
        last,
        lines,
    )


def _rows(curves: Curves) -> list[list[Any]]:
    """Step, then loss and accuracy, in training and of what was watched: of the steps that were looked at, else of an even
    choice; the first and the last among them."""
    columns = [
        dict(curves.points(name)) for name in ("loss", "accuracy", "validation_loss", "validation_accuracy")
    ]
    steps, looks = sorted(columns[0]), sorted(columns[2])
    kept = _some(looks, _ROWS) or _some(steps, _ROWS)
    return [
        [step, *(column.get(step) for column in columns)] for step in sorted({*steps[:1], *kept, *steps[-1:]})
    ]


def _some(steps: list[int], most: int) -> list[int]:
    if len(steps) <= most:
        return steps
    return [steps[round(n * (len(steps) - 1) / (most - 1))] for n in range(most)]
