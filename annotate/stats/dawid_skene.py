"""Labels and annotators judged together: the model of Dawid and Skene (1979), fitted by expectation maximisation.

Each comparison has one true verdict; each annotator has a confusion matrix, the probability of saying one verdict
where another is true. A tie is a verdict like the two others. Labels come out as probabilities, and an annotator who
is often wrong, or wrong in a way of their own, weighs accordingly.

A habit of sides is a habit of what is seen: where it is known which response stood left, the matrix is of the sides.
An annotator who mostly says "left" then tells something when saying "right", instead of nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.stats.estimates import Estimate, Floats, Ints, share
from annotate.stats.patterns import counted

SMOOTHING = 0.5
_LEAST = 1e-10  # no probability is smaller, so that its logarithm is a number


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What was found. Rows of `confusion` are true verdicts and columns said ones, both as seen; each adds up to 1."""

    posterior: Floats  # (units, values)
    prior: Floats  # (values,)
    confusion: Floats  # (raters, values, values)
    right: Floats  # (raters,) of their verdicts, how many are expected to be true
    verdicts: Ints  # (raters,)
    iterations: int
    converged: bool
    objective: float  # log-likelihood, and what the smoothing adds

    def reliability(self, rater: int) -> Estimate:
        """The expected share of true verdicts, with Wilson's interval as if the labels were known."""
        return share(float(self.right[rater]), int(self.verdicts[rater]), "No usable verdict.")


def dawid_skene(
    units: Ints,
    raters: Ints,
    values: Ints,
    *,
    n_units: int,
    n_raters: int,
    n_values: int = 3,
    exchanged: NDArray[np.bool_] | None = None,
    smoothing: float = SMOOTHING,
    tolerance: float = 1e-5,
    most: int = 200,
) -> Aggregated:
    """Fit the model to verdicts, one a row: unit, rater and value, each counted from 0.

    Args:
        exchanged: verdicts given with the sides exchanged, for which values 0 and 1 stood in each other's place.
        smoothing: so many verdicts of each kind are added to each row of each matrix: a uniform Dirichlet prior,
            which keeps whoever judged little from being taken for perfect or hopeless. 0 is maximum likelihood.
        tolerance: it has converged when no probability of a matrix or of the prior moves by more.

    It begins from the share of votes. That makes the majority right in the mean, as it must be for the names of
    the verdicts to mean anything: annotators who are mostly wrong cannot be told from a world turned round.
    """
    swap = np.arange(n_values)
    swap[[0, 1]] = 1, 0
    turned = np.zeros(len(units), dtype=bool) if exchanged is None else exchanged
    said = np.where(turned, swap[values], values)
    # Verdicts of one rater on what they said and how the sides stood share a row of the table of logarithms.
    place = (raters * n_values + said) * 2 + turned
    cells = n_raters * n_values * 2
    kinds = range(n_values)
    votes = counted(units, values, n_units, n_values).T.astype(np.float64)
    posterior = votes / np.maximum(votes.sum(axis=0), 1)  # (values, units): each value's is one run of memory
    prior: Floats = np.empty(0)
    confusion: Floats = np.empty(0)
    tallies: Floats = np.empty(0)
    objective, done, iteration = -np.inf, False, 0
    while iteration < most and not done:
        iteration += 1
        # How often each rater said what, when each verdict was true, as the responses stand; then as seen.
        table = np.empty((n_values, cells))
        for true in kinds:
            table[true] = np.bincount(place, posterior[true].take(units), minlength=cells)
        by_sides = table.reshape(n_values, n_raters, n_values, 2)
        tallies = (by_sides[..., 0] + by_sides[swap][..., 1]).transpose(1, 0, 2)
        smoothed = np.maximum(tallies + smoothing, _LEAST)
        before = prior, confusion
        prior = np.maximum(posterior.sum(axis=1) / max(n_units, 1), _LEAST)
        confusion = smoothed / smoothed.sum(axis=2, keepdims=True)

        logs = np.log(confusion).transpose(1, 0, 2)  # (true, raters, said)
        table = np.stack([logs, logs[swap]], axis=3).reshape(n_values, cells)
        scores = np.empty((n_values, n_units))
        for true in kinds:
            scores[true] = np.bincount(units, table[true].take(place), minlength=n_units)
        scores += np.log(prior)[:, None]
        top = scores.max(axis=0)
        posterior = np.exp(scores - top)
        sums = posterior.sum(axis=0)
        posterior /= sums
        objective = float((top + np.log(sums)).sum() + smoothing * np.log(confusion).sum())
        done = iteration > 1 and all(
            float(np.abs(new - old).max(initial=0)) < tolerance
            for new, old in zip((prior, confusion), before, strict=True)
        )
    return Aggregated(
        posterior=np.ascontiguousarray(posterior.T),
        prior=prior,
        confusion=confusion,
        right=np.trace(tallies, axis1=1, axis2=2),
        verdicts=np.bincount(raters, minlength=n_raters),
        iterations=iteration,
        converged=done,
        objective=objective,
    )
