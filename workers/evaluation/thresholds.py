"""When a score is a tie: thresholds on |margin|, chosen by other rows, by a model of ties, or on the test set itself.

The last is how published tables are made (Deutsch et al. 2023, arXiv 2305.14324). It flatters, and so is never called
by another name than `test_set_optimum`.
"""

from dataclasses import dataclass

import numpy as np

from workers.evaluation.protocols import Flags, Floats, Verdicts, by_threshold
from workers.reward_models import rao_kupper


@dataclass(frozen=True)
class Threshold:
    """Ties are where |margin| <= epsilon; None: nothing is called a tie. `hits` of the rows it was chosen on."""

    epsilon: float | None
    hits: int


def best_threshold(margins: Floats, labels: Verdicts) -> Threshold:
    """The threshold with the most hits on these rows; of equal ones the smallest. O(n log n).

    Candidates are "no ties" and each |margin| that occurs: rows of one |margin| are called ties together, or not at
    all. A margin of exactly 0 names no winner: it is a tie whatever the threshold.
    """
    size = np.abs(margins)
    chosen = np.sign(margins) == labels
    none = int(chosen.sum())
    if not len(margins):
        return Threshold(None, 0)
    order = np.argsort(size, kind="stable")
    gained = np.cumsum((labels == 0).astype(np.int64)[order] - chosen[order])
    ends = np.flatnonzero(np.append(np.diff(size[order]) > 0, True))
    best = ends[int(np.argmax(gained[ends]))]
    if gained[best] <= 0:
        return Threshold(None, none)
    return Threshold(float(size[order][best]), none + int(gained[best]))


def call(margins: Floats, threshold: Threshold) -> Verdicts:
    """The verdicts under a threshold."""
    return by_threshold(margins, -1.0 if threshold.epsilon is None else threshold.epsilon)


def crosswise(margins: Floats, labels: Verdicts, first: Flags) -> Verdicts:
    """Verdicts of which none was called by a threshold that saw it: each half by the best threshold of the other.

    Where a half is empty there is nothing to choose by, and nothing is called a tie.
    """
    verdicts = np.empty(len(margins), dtype=np.int8)
    for half in (first, ~first):
        verdicts[half] = call(margins[half], best_threshold(margins[~half], labels[~half]))
    return verdicts


@dataclass(frozen=True)
class TieModel:
    """Rao and Kupper's model of scores: log-odds are `scale` times the margin, and ties lie within `threshold`."""

    scale: float
    threshold: float

    def verdicts(self, margins: Floats) -> Verdicts:
        """The likeliest of first, second and tie; of equally likely ones the decided, of the two sides none."""
        first, second, tie = rao_kupper.probabilities(self.scale * margins, self.threshold)
        side = np.sign(first - second)
        return np.where((tie > np.maximum(first, second)) | (side == 0), 0, side).astype(np.int8)

    def wins(self, margins: Floats) -> Floats:
        """The probability that response 1 wins, of rows that do not tie."""
        first, second, _ = rao_kupper.probabilities(self.scale * margins, self.threshold)
        return first / (first + second)


# The standard deviation, in log-odds of a margin of ordinary size, that a fitted scale is expected to stay within:
# without it a judge who is never wrong has no best scale.
_SCALE_PRIOR = 10.0
_LEAST_THRESHOLD, _STEPS = 1e-6, 100


def fit_ties(margins: Floats, labels: Verdicts) -> TieModel:
    """The maximum of Rao and Kupper's likelihood over scale (never negative) and threshold, by Newton's method.

    The log-likelihood is concave in both together. Without ties the
    threshold is the least there is; of no rows at all the scores are taken for log-odds.
    """
    if not len(margins):
        return TieModel(1.0, _LEAST_THRESHOLD)
    size = float(np.median(np.abs(margins))) or float(np.abs(margins).max()) or 1.0
    x = margins / size
    at, least = np.array([1.0, 0.5]), np.array([0.0, _LEAST_THRESHOLD])

    def objective(point: Floats) -> float:
        told = rao_kupper.log_likelihood(point[0] * x, point[1], labels).sum()
        return float(told - point[0] ** 2 / (2 * _SCALE_PRIOR**2))

    value = objective(at)
    for _ in range(_STEPS):
        found = rao_kupper.derivatives(at[0] * x, at[1], labels)
        gradient = np.array([(found.m * x).sum() - at[0] / _SCALE_PRIOR**2, found.t.sum()])
        mixed = (found.mt * x).sum()
        curvature = np.array(
            [[(found.mm * x * x).sum() - 1 / _SCALE_PRIOR**2, mixed], [mixed, found.tt.sum()]]
        )
        free = (at > least) | (gradient > 0)  # what stands at its bound and wants to pass it stays there
        step = np.zeros(2)
        step[free] = -np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        for _ in range(40):
            tried = np.maximum(at + step, least)
            better = objective(tried)
            if better >= value:
                break
            step /= 2
        else:
            break
        moved, at, gained, value = np.abs(tried - at).max(), tried, better - value, better
        if moved < 1e-9 or gained < 1e-12 * max(1.0, abs(value)):
            break
    return TieModel(float(at[0]) / size, float(at[1]))


def crosswise_ties(margins: Floats, labels: Verdicts, first: Flags) -> tuple[Verdicts, Floats]:
    """Verdicts and probabilities that response 1 wins, each half by the tie model fitted to the other."""
    verdicts, wins = np.empty(len(margins), dtype=np.int8), np.empty(len(margins))
    for half in (first, ~first):
        model = fit_ties(margins[~half], labels[~half])
        verdicts[half], wins[half] = model.verdicts(margins[half]), model.wins(margins[half])
    return verdicts, wins
