"""Comparisons that may end in a tie, after Rao and Kupper (1967): the margin m must pass a threshold t >= 0 to win.

P(first) = sigmoid(m - t), P(second) = sigmoid(-m - t), and what is left is a tie: expm1(2t) P(first) P(second).
The log-likelihood is concave in (m, t) together, which makes its maximum unique. All functions broadcast.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Where a Gaussian margin is averaged. Equal steps (the trapezoid rule) are exact to 1e-4 up to a variance of 25, where
# Gauss-Hermite nodes are off by 1e-3: they grow apart in the middle, and there the probabilities bend.
_NODES = np.linspace(-6.0, 6.0, 41)
_WEIGHTS = np.exp(-(_NODES**2) / 2)
_WEIGHTS /= _WEIGHTS.sum()
# Rows averaged at a time: (rows x nodes) stays within a few MB.
_ROWS = 4096


class Probabilities(NamedTuple):
    first: Floats
    second: Floats
    tie: Floats


class Derivatives(NamedTuple):
    """First and second derivatives of the log-likelihood by margin and threshold."""

    m: Floats
    t: Floats
    mm: Floats
    mt: Floats
    tt: Floats


class Predicted(NamedTuple):
    """Probabilities averaged over a Gaussian margin, and the mutual information of verdict and margin in nats."""

    first: Floats
    second: Floats
    tie: Floats
    bald: Floats


def probabilities(margin: npt.ArrayLike, threshold: npt.ArrayLike) -> Probabilities:
    m, t = np.asarray(margin, dtype=np.float64), np.asarray(threshold, dtype=np.float64)
    first, second = _sigmoid(m - t), _sigmoid(-m - t)
    # Not 1 - first - second: that loses every digit of a small threshold.
    return Probabilities(first, second, np.expm1(2 * t) * first * second)


def log_likelihood(margin: npt.ArrayLike, threshold: npt.ArrayLike, verdict: npt.ArrayLike) -> Floats:
    """Log probability of each verdict (1 first, -1 second, 0 tie)."""
    m, t, v = np.asarray(margin), np.asarray(threshold), np.asarray(verdict)
    first, second = -np.logaddexp(0.0, t - m), -np.logaddexp(0.0, t + m)
    with np.errstate(divide="ignore"):  # without a threshold a tie is impossible: minus infinity is right
        tie = np.log(np.expm1(2 * t)) + first + second
    picked: Floats = np.where(v > 0, first, np.where(v < 0, second, tie))
    return picked


def derivatives(margin: npt.ArrayLike, threshold: float, verdict: npt.ArrayLike) -> Derivatives:
    """Derivatives of `log_likelihood`; the threshold must be positive."""
    m, v = np.asarray(margin, dtype=np.float64), np.asarray(verdict)
    first, second = (v >= 0).astype(np.float64), (v <= 0).astype(np.float64)  # a tie counts as both
    p, q = _sigmoid(m - threshold), _sigmoid(-m - threshold)
    slope_first, slope_second = first * (1 - p), second * (1 - q)
    bend_first, bend_second = slope_first * p, slope_second * q
    tied, shrink = (v == 0).astype(np.float64), -np.expm1(-2 * threshold)
    return Derivatives(
        m=slope_first - slope_second,
        t=-slope_first - slope_second + tied * 2 / shrink,
        mm=-bend_first - bend_second,
        mt=bend_first - bend_second,
        tt=-bend_first - bend_second - tied * 4 * np.exp(-2 * threshold) / shrink**2,
    )


def predict(mean: Floats, variance: Floats, threshold: float) -> Predicted:
    """Average over margins of N(mean, variance), all of shape (n,).

    Averaged at |mean| and turned round afterwards: items with exchanged sides then get exactly exchanged answers.
    """
    out = [np.empty(len(mean)) for _ in range(4)]
    for start in range(0, len(mean), _ROWS):
        rows = slice(start, start + _ROWS)
        for target, part in zip(out, _predict(mean[rows], variance[rows], threshold), strict=True):
            target[rows] = part
    return Predicted(*out)


def _predict(mean: Floats, variance: Floats, threshold: float) -> Predicted:
    margins = np.abs(mean)[:, None] + np.sqrt(variance)[:, None] * _NODES
    each = probabilities(margins, threshold)
    averaged = [(p * _WEIGHTS).sum(axis=1) for p in each]
    noise = (sum(_entropy(p) for p in each) * _WEIGHTS).sum(axis=1)
    bald = np.maximum(sum(_entropy(p) for p in averaged) - noise, 0.0)
    more, less, tie = averaged
    level = (more + less) / 2
    first = np.where(mean > 0, more, np.where(mean < 0, less, level))
    second = np.where(mean > 0, less, np.where(mean < 0, more, level))
    return Predicted(first, second, tie, bald)


def _entropy(p: Floats) -> Floats:
    return -p * np.log(np.maximum(p, 1e-300))


def _sigmoid(x: Floats) -> Floats:
    # Without overflow on either side.
    small = np.exp(-np.abs(x))
    result: Floats = np.where(x >= 0, 1.0, small) / (1 + small)
    return result
