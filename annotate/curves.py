"""Curves of a training, as they stand in its job: thinned while they grow, so that a long one is no longer than a short one."""

from collections.abc import Mapping
from typing import Any

NAMES = ("loss", "accuracy", "validation_loss", "validation_accuracy")
MOST = 200  # points of a curve
KEY = "curves"  # where they stand in the job's spec

# The last step that it tells of, the mean over its steps, and how many those are.
Point = list[float]


class Curves:
    """By name a point for every so many steps. A training that goes on from a checkpoint tells some steps again: what stands
    from there on is forgotten."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self._points: dict[str, list[Point]] = {
            name: [list(point) for point in (kept or {}).get(name, [])] for name in NAMES
        }
        self._last = max((points[-1][0] for points in self._points.values() if points), default=0)

    def add(self, step: int, steps: int, figures: Mapping[str, float]) -> None:
        """What was found in this step, of so many."""
        if step <= self._last:
            for name, points in self._points.items():
                self._points[name] = [point for point in points if point[0] < step]
        self._last = step
        width = max(1, -(-steps // MOST))
        for name in figures.keys() & set(NAMES):
            points = self._points[name]
            if points and (points[-1][0] - 1) // width == (step - 1) // width:
                _, mean, count = points[-1]
                points[-1] = [step, mean + (figures[name] - mean) / (count + 1), count + 1]
            else:
                points.append([step, figures[name], 1])

    def points(self, name: str) -> list[tuple[int, float]]:
        return [(int(step), value) for step, value, _ in self._points[name]]

    def as_json(self) -> dict[str, list[Point]]:
        return {name: points for name, points in self._points.items() if points}

    def __bool__(self) -> bool:
        return any(self._points.values())
