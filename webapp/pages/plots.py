"""Plots as marks: rectangles and circles placed in per cent of the plot's width, so that they need no script and no style.

A template draws them (templates/plot.html); static/js/dashboard.js copies them to a picture as they stand.
"""

from dataclasses import dataclass, field
from typing import Any

HEIGHT = 20  # of a line, in CSS pixels
_MIDDLE = HEIGHT / 2


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle, or with `r` a circle around (x, y): x and width in per cent, the others in pixels."""

    kind: str  # its class in dashboard.css
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    r: float = 0.0


@dataclass(frozen=True, slots=True)
class Plot:
    height: float
    says: str  # for who cannot see it
    marks: list[Mark] = field(default_factory=list)


def interval(
    found: dict[str, Any], says: str, low: float, high: float, reference: float | None = None
) -> Plot:
    """A value as a dot on a line from `low` to `high`, its interval as a bar; what lies beyond stands at the end."""

    def place(value: float) -> float:
        return round(100 * min(max((value - low) / (high - low), 0), 1), 3)

    marks = [Mark("axis", 0, _MIDDLE - 0.5, 100, 1)]
    if reference is not None:
        marks.append(Mark("reference", place(reference), 2, 0.15, HEIGHT - 4))
    if found["low"] is not None:
        begin, end = place(found["low"]), place(found["high"])
        marks.append(Mark("interval", begin, _MIDDLE - 2, max(round(end - begin, 3), 0.2), 4))
    if found["value"] is not None:
        marks.append(Mark("value", place(found["value"]), _MIDDLE, r=4.5))
    return Plot(HEIGHT, says, marks)


def part(done: int, of: int, says: str) -> Plot:
    """How much of something is done, as a bar that is filled."""
    share = 100 * min(done / of, 1) if of else 0
    return Plot(
        HEIGHT,
        says,
        [Mark("track", 0, _MIDDLE - 3, 100, 6), Mark("bar", 0, _MIDDLE - 3, round(share, 3), 6)],
    )


def bars(values: list[int], says: str, height: float = 96) -> Plot:
    """A bar a value, in their order, the highest as high as the plot; a few are no broader than those of a month."""
    top, step = max(values, default=0) or 1, 100 / max(len(values), 30)
    marks = [Mark("axis", 0, height - 1, 100, 1)]
    for n, value in enumerate(values):
        tall = round((height - 1) * value / top, 2)
        marks.append(Mark("bar", round(n * step, 3), height - 1 - tall, round(0.8 * step, 3), tall))
    return Plot(height, says, marks)


def series(found: list[dict[str, Any]], says: str, low: float, high: float, height: float = 120) -> Plot:
    """A dot a figure, in their order, with its interval upright; a line at each end of the scale and in its middle."""

    def place(value: float) -> float:
        return round(4 + (height - 8) * (1 - min(max((value - low) / (high - low), 0), 1)), 2)

    step = 100 / max(len(found), 1)
    marks = [Mark("axis", 0, place(value) - 0.5, 100, 1) for value in (low, (low + high) / 2, high)]
    for n, one in enumerate(found):
        x = round((n + 0.5) * step, 3)
        if one["low"] is not None:
            marks.append(
                Mark(
                    "interval",
                    x - 0.15,
                    place(one["high"]),
                    0.3,
                    max(place(one["low"]) - place(one["high"]), 1),
                )
            )
        if one["value"] is not None:
            marks.append(Mark("value", x, place(one["value"]), r=3.5))
    return Plot(height, says, marks)
