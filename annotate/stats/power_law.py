"""Learning curves as power laws: accuracy(n) = top - drop * n ** -decay, and what they say of labels to come.

The form is that which errors of learned models follow over orders of magnitude (Hestness et al., 2017, arXiv 1712.00409).
"""

import numpy as np

from annotate.stats.estimates import Estimate, Floats, undefined

_DECAYS = np.linspace(0.1, 1.0, 19)
_ROUNDS = 400
_LEAST_POINTS, _LEAST_SPAN = (
    4,
    4,
)  # of a curve, and how many times the first number of labels its last must be
_TOO_WIDE = 0.2  # an interval like this says nothing


def why_not(labels: Floats) -> str:
    """Why a curve at these numbers of labels says nothing of more; empty if it does."""
    if len(labels) < _LEAST_POINTS or labels[-1] < _LEAST_SPAN * labels[0]:
        return "It cannot be told yet: the curve is too short. Four points, the last at four times the labels of the first, are the least."
    return ""


def projected(labels: Floats, accuracy: Floats, half: Floats, at: Floats) -> list[Estimate]:
    """Accuracy at other numbers of labels, with 95 % intervals: curves fitted to the points as they might have come out.

    `half` is half of each point's 95 % interval; points weigh by it. A law falls nowhere and stays within 0 and 1.
    """
    if why := why_not(labels):
        return [undefined(why)] * len(at)
    spread = np.maximum(half / 1.96, 1e-3)
    rng = np.random.default_rng(0)
    tried = accuracy + spread * rng.normal(size=(_ROUNDS, len(labels)))
    tried[0] = accuracy
    top, drop, decay = _fit(labels, tried, spread)
    found = top[:, None] - drop[:, None] * at ** -decay[:, None]
    low, high = np.quantile(found, (0.025, 0.975), axis=0)
    told = []
    for n in range(len(at)):
        if high[n] - low[n] > _TOO_WIDE:
            told.append(
                undefined(
                    "It cannot be told: accuracies are too uncertain. More decided labels of the reserve would help."
                )
            )
        else:
            value = float(found[0, n])
            told.append(Estimate(value, min(float(low[n]), value), max(float(high[n]), value)))
    return told


def _fit(labels: Floats, curves: Floats, spread: Floats) -> tuple[Floats, Floats, Floats]:
    """(top, drop, decay) of the least weighted squares for each row of curves, 0 <= drop, top <= 1."""
    weight = spread**-2 / (spread**-2).sum()
    rounds = len(curves)
    best, least = np.zeros((3, rounds)), np.full(rounds, np.inf)
    for decay in _DECAYS:
        x = labels**-decay
        mean_x, mean_y = weight @ x, curves @ weight
        slope = (curves - mean_y[:, None]) @ (weight * (x - mean_x)) / (weight @ (x - mean_x) ** 2)
        drop = np.maximum(-slope, 0.0)
        top = mean_y + drop * mean_x
        over = top > 1  # then the line through 1 that fits best
        drop = np.where(over, (1 - curves) @ (weight * x) / (weight @ x**2), drop)
        top = np.minimum(top, 1.0)
        off = (top[:, None] - drop[:, None] * x - curves) ** 2 @ weight
        better = off < least
        best[:, better] = np.stack([top, drop, np.full(rounds, decay)])[:, better]
        least = np.where(better, off, least)
    return best[0], best[1], best[2]
