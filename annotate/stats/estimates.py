"""A figure with its interval, or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDS = 1000
_Z = 1.959963984540054  # of a two-sided 95 % interval
_ENOUGH = 0.9  # of the resamples must have a value, or those that have one tell of something else


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval. Where one of them is missing, `why` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""

    def as_json(self) -> dict[str, float | str | None]:
        value, low, high = (
            None if one is None else round(one, 6) for one in (self.value, self.low, self.high)
        )
        return {"value": value, "low": low, "high": high, "why": self.why}


def undefined(why: str) -> Estimate:
    return Estimate(None, why=why)


def share(hits: float, of: float, why: str = "Nothing was counted.") -> Estimate:
    """hits / of, with Wilson's interval, which stays within 0 and 1 and means something for few.

    Neither need be whole: an expected number of hits is one, too, and an effective number of draws.
    """
    if not of:
        return undefined(why)
    p, z2 = hits / of, _Z**2
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * sqrt(p * (1 - p) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return Estimate(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)))


def bootstrapped(
    times: Ints, statistic: Callable[[Floats], Floats], *, why: str, rounds: int = ROUNDS, seed: int = 0
) -> Estimate:
    """A statistic of comparisons that come in patterns, with its percentile bootstrap interval over comparisons.

    Args:
        times: (patterns,) how many comparisons show each pattern. To draw as many comparisons with replacement is
            to draw these counts from a multinomial: the cost does not grow with the number of comparisons.
        statistic: of weights (rounds, patterns), a value for each round; NaN where it is undefined.
        why: what to say if it is undefined for the comparisons themselves.

    The same comparisons give the same interval: the seed is fixed.
    """
    of = int(times.sum())
    value = float(statistic(times[None, :].astype(np.float64))[0]) if of else np.nan
    if np.isnan(value):
        return undefined(why)
    if of < 2:
        return Estimate(value, why="A single comparison has no interval.")
    drawn = np.random.default_rng(seed).multinomial(of, times / of, size=rounds)
    values = statistic(drawn.astype(np.float64))
    found = values[~np.isnan(values)]
    if len(found) < _ENOUGH * rounds:
        return Estimate(value, why="Too few comparisons for an interval: it is undefined for many resamples.")
    low, high = np.quantile(found, (0.025, 0.975))
    return Estimate(value, float(low), float(high))
