"""What came of several campaigns: mean curves with intervals, and the labels that a policy saves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Student's t for a two-sided 95 % interval, by degrees of freedom; beyond, that of ten.
_T = (np.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class Curve:
    """Accuracies of several seeds at the same numbers of labels: (labels,) and (seeds, labels)."""

    labels: Floats
    accuracy: Floats

    @property
    def mean(self) -> Floats:
        mean: Floats = self.accuracy.mean(axis=0)
        return mean

    @property
    def half(self) -> Floats:
        """Half of the 95 % interval of the mean; NaN for a single seed."""
        return half(self.accuracy)


def half(values: Floats) -> Floats:
    """Half of the 95 % interval of the mean over rows, by Student's t."""
    n = len(values)
    if n < 2:
        return np.full(values.shape[1:], np.nan)
    found: Floats = _T[min(n - 1, 10)] * values.std(axis=0, ddof=1) / np.sqrt(n)
    return found


def curve(runs: Sequence[tuple[Sequence[int], Sequence[float]]], step: int = 50) -> Curve:
    """Runs of (labels, accuracies) on one grid, read between their points by straight lines; as far as all of them went."""
    first = max(labels[0] for labels, _ in runs)
    last = min(labels[-1] for labels, _ in runs)
    grid = np.unique(np.append(np.arange(-(-first // step) * step, last + 1, step), last)).astype(np.float64)
    return Curve(grid, np.stack([np.interp(grid, labels, accuracy) for labels, accuracy in runs]))


def rising(values: Floats) -> Floats:
    """The nearest curve that never falls (isotonic regression by pooling adjacent violators)."""
    levels: list[tuple[float, int]] = []
    for value in values.tolist():
        levels.append((value, 1))
        while len(levels) > 1 and levels[-2][0] >= levels[-1][0]:
            (a, m), (b, n) = levels[-2:]
            levels[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.concatenate([np.full(n, value) for value, n in levels])


def labels_to_reach(labels: Floats, accuracy: Floats, goal: float) -> float:
    """Where a curve, made to rise, first reaches the goal, between its points; infinite if it does not."""
    smooth = rising(accuracy)
    over = np.flatnonzero(smooth >= goal)
    if not len(over):
        return float("inf")
    at = int(over[0])
    if not at:
        return float(labels[0])
    part = (goal - smooth[at - 1]) / (smooth[at] - smooth[at - 1])
    return float(labels[at - 1] + part * (labels[at] - labels[at - 1]))


@dataclass(frozen=True)
class Saving:
    """A policy beside chance, seed by seed: `share` of chance's labels that reach what chance reaches with `at` labels,
    with its 95 % interval by resampling seeds; `gain` in accuracy at as many labels, and half its interval."""

    at: int
    share: float
    low: float
    high: float
    gain: float
    gain_half: float

    @property
    def worse(self) -> bool:
        """Worse than chance by more than its interval."""
        return self.gain + self.gain_half < 0


def saving(policy: Curve, chance: Curve, at: int, rounds: int = 2000) -> Saving:
    """Curves of the same seeds, in the same order. A mean that never gets there counts as all of its labels."""
    at = int(min(at, policy.labels[-1], chance.labels[-1]))

    def share(seeds: npt.NDArray[np.integer]) -> float:
        # What chance reaches is read from its rising curve, too: a peak of it would be no fair goal.
        theirs = rising(chance.accuracy[seeds].mean(axis=0))
        goal = float(np.interp(at, chance.labels, theirs))
        mine = labels_to_reach(policy.labels, policy.accuracy[seeds].mean(axis=0), goal)
        return min(mine, float(policy.labels[-1])) / at

    n = len(policy.accuracy)
    rng = np.random.default_rng(0)
    shares = [share(rng.integers(n, size=n)) for _ in range(rounds if n > 1 else 0)]
    low, high = np.quantile(shares, (0.025, 0.975)) if shares else (np.nan, np.nan)
    gains = np.array(
        [
            [np.interp(at, policy.labels, mine) - np.interp(at, chance.labels, theirs)]
            for mine, theirs in zip(policy.accuracy, chance.accuracy, strict=True)
        ]
    )
    return Saving(
        at, share(np.arange(n)), float(low), float(high), float(gains.mean()), float(half(gains)[0])
    )
