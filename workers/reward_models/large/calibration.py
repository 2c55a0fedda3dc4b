"""What turns differences of values into probabilities: a scale, a threshold of ties, and how sure the head is.

All are fitted on verdicts that training did not see. Uncertainty is a Laplace approximation of the head alone, its
prior chosen by those verdicts: what the backbone does not know of itself is not in it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from workers.reward_models import rao_kupper
from workers.reward_models.base import Floats, Scored, Verdicts

# Of the Laplace approximation, the directions that the labels tell most about.
_MOST_DIRECTIONS = 256
_MOST_ROWS = 4096
_PRECISIONS = np.logspace(-3, 5, 33)
# The scale's prior: without it labels that a model gets all right would make it infinitely sure.
_SCALE_PRECISION = 0.25
_LEAST_THRESHOLD = 1e-3


@dataclass(frozen=True)
class Laplace:
    """Posterior covariance (I - V diag(s / (s + p)) V') / p of the head's weights.

    Attributes:
        directions: V, (width, k) and orthonormal. gains: s, (k,). precision: p, of the prior.
    """

    directions: npt.NDArray[np.float32]
    gains: Floats
    precision: float

    def variance(self, differences: npt.NDArray[np.float32]) -> Floats:
        """Of the value's difference, shape (n,)."""
        along = (differences @ self.directions).astype(np.float64)
        whole = (differences.astype(np.float64) ** 2).sum(axis=1)
        known = (along**2 * (self.gains / (self.gains + self.precision))).sum(axis=1)
        out: Floats = np.maximum(whole - known, 0.0) / self.precision
        return out


@dataclass(frozen=True)
class Calibration:
    """The margin is `scale` times the difference of values; `threshold` is Rao and Kupper's.

    `labels`: how many verdicts it was fitted on; `seen`: training saw them too, so it flatters. Without `laplace` the
    variance is 0 everywhere, and says nothing.
    """

    scale: float
    threshold: float
    labels: int
    seen: bool
    laplace: Laplace | None = None

    @classmethod
    def fit(
        cls,
        values: Floats,
        verdicts: Verdicts,
        *,
        seen: bool,
        differences: npt.NDArray[np.float32] | None = None,
        learned: npt.NDArray[np.float32] | None = None,
    ) -> Self:
        """
        Args:
            values: differences of values, first less second, shape (n,).
            differences: of hidden states, (n, width), for uncertainty.
            learned: those that the head was trained on, (m, width).
        """
        scale, threshold = fit_scale(values, verdicts)
        laplace = None
        if differences is not None and learned is not None and len(differences) and len(learned):
            laplace = _laplace(values, differences, learned, verdicts, scale, threshold)
        return cls(scale, threshold, len(verdicts), seen, laplace)

    def scored(self, values: Floats, differences: npt.NDArray[np.float32] | None) -> Scored:
        margin = self.scale * values
        variance = np.zeros(len(values))
        if self.laplace is not None and differences is not None:
            variance = self.scale**2 * self.laplace.variance(differences)
        predicted = rao_kupper.predict(margin, variance, self.threshold)
        return Scored(margin, predicted.first, predicted.second, predicted.tie, variance, predicted.bald)


def fit_scale(values: Floats, verdicts: Verdicts) -> tuple[float, float]:
    """Scale and threshold of greatest posterior probability.

    Beside the verdicts stand half a tie and half a win of each side at margin 0, which nobody saw: they keep the
    threshold inside. The likelihood is concave in both, so that damped Newton steps find the one maximum.
    """
    margins = np.append(np.asarray(values, dtype=np.float64), np.zeros(3))
    said = np.append(np.asarray(verdicts), [0, 1, -1])
    weights = np.append(np.ones(len(values)), np.full(3, 0.5))

    def worth(scale: float, threshold: float) -> float:
        likely = rao_kupper.log_likelihood(scale * margins, threshold, said)
        return float((weights * likely).sum() - _SCALE_PRECISION * (scale - 1) ** 2 / 2)

    scale, threshold = 1.0, 0.3
    best = worth(scale, threshold)
    for _ in range(100):
        slope = rao_kupper.derivatives(scale * margins, threshold, said)
        gradient = np.array(
            [
                (weights * slope.m * margins).sum() - _SCALE_PRECISION * (scale - 1),
                (weights * slope.t).sum(),
            ]
        )
        mixed = (weights * slope.mt * margins).sum()
        bend = np.array(
            [
                [(weights * slope.mm * margins**2).sum() - _SCALE_PRECISION, mixed],
                [mixed, (weights * slope.tt).sum()],
            ]
        )
        step = np.linalg.solve(bend, -gradient)
        share = 1.0
        while share > 1e-9:
            asked = scale + share * step[0], threshold + share * step[1]
            if asked[1] > 0 and (found := worth(*asked)) >= best:
                break
            share /= 2
        else:
            break
        moved = abs(share * step).max()
        (scale, threshold), best = asked, found
        if moved < 1e-9:
            break
    return float(scale), float(max(threshold, _LEAST_THRESHOLD))


def _laplace(
    values: Floats,
    differences: npt.NDArray[np.float32],
    learned: npt.NDArray[np.float32],
    verdicts: Verdicts,
    scale: float,
    threshold: float,
) -> Laplace:
    """The prior's precision is the one under which the verdicts are most probable."""
    if len(learned) > _MOST_ROWS:
        chosen = np.random.default_rng(0).choice(len(learned), _MOST_ROWS, replace=False)
        learned = learned[np.sort(chosen)] * np.sqrt(len(learned) / _MOST_ROWS).astype(np.float32)
    # A decided verdict tells of its direction at most a quarter of its square.
    _, strengths, right = np.linalg.svd(0.5 * scale * learned, full_matrices=False)
    kept = strengths[:_MOST_DIRECTIONS] > strengths[0] * 1e-6 if len(strengths) else np.zeros(0, bool)
    directions = np.ascontiguousarray(right[:_MOST_DIRECTIONS][kept].T.astype(np.float32))
    gains = strengths[:_MOST_DIRECTIONS][kept].astype(np.float64) ** 2

    def worth(precision: float) -> float:
        variance = scale**2 * Laplace(directions, gains, precision).variance(differences)
        told = rao_kupper.predict(scale * values, variance, threshold)
        said = np.where(verdicts > 0, told.first, np.where(verdicts < 0, told.second, told.tie))
        return float(np.log(np.maximum(said, 1e-12)).sum())

    return Laplace(directions, gains, float(max(_PRECISIONS, key=worth)))
