"""How often a model is right, and how far that figure may be trusted.

Comparisons of one prompt are not independent: intervals are bootstrapped by prompt group, never by comparison.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from workers.reward_models.base import Compared, Floats, Scored, Verdicts

_ROUNDS = 2000


@dataclass(frozen=True)
class Accuracy:
    """A share of hits with its 95% interval, over `n` comparisons of `groups` prompt groups."""

    value: float
    low: float
    high: float
    n: int
    groups: int


def accuracy(
    margins: Floats, verdicts: Verdicts, groups: Sequence[Hashable], *, seed: int = 0
) -> Accuracy | None:
    """Of what was not called a tie, how often the margin names the winner; a margin of 0 is half right.

    None where every verdict is a tie: there is nothing to be right about.
    """
    return _of_decided(_hits(margins, verdicts), verdicts, groups, seed)


def gain(
    margins: Floats, others: Floats, verdicts: Verdicts, groups: Sequence[Hashable], *, seed: int = 0
) -> Accuracy | None:
    """By how much `margins` are right more often than `others`, label by label: from -1 to 1.

    What both find easy or hard cancels out, so its interval is narrower than a comparison of two accuracies'. None
    where every verdict is a tie.
    """
    return _of_decided(_hits(margins, verdicts) - _hits(others, verdicts), verdicts, groups, seed)


def accuracy_with_ties(
    scored: Scored, verdicts: Verdicts, groups: Sequence[Hashable], *, seed: int = 0
) -> Accuracy | None:
    """How often the most probable of first, second and tie is the verdict."""
    likeliest = np.stack([scored.p_second, scored.p_tie, scored.p_first]).argmax(axis=0) - 1
    return interval((likeliest == verdicts).astype(np.float64), groups, seed=seed)


def interval(hits: Floats, groups: Sequence[Hashable], *, seed: int = 0) -> Accuracy | None:
    """The mean of hits with its bootstrap interval by group, which the mean lies in; None of nothing."""
    if not len(hits):
        return None
    number = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    places = np.array([number[group] for group in groups])
    sums = np.bincount(places, weights=hits)
    counts: npt.NDArray[np.float64] = np.bincount(places).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(_ROUNDS)
    for n in range(
        _ROUNDS
    ):  # one round at a time: a matrix of rounds x groups would not fit for a large reserve
        drawn = rng.integers(len(sums), size=len(sums))
        means[n] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(hits.mean())
    # The percentiles of few groups may leave out the mean itself.
    return Accuracy(mean, min(float(low), mean), max(float(high), mean), len(hits), len(sums))


def _hits(margins: Floats, verdicts: Verdicts) -> Floats:
    hits: Floats = (np.sign(margins) * verdicts + 1) / 2
    return hits


def _of_decided(hits: Floats, verdicts: Verdicts, groups: Sequence[Hashable], seed: int) -> Accuracy | None:
    decided = np.asarray(verdicts) != 0
    return interval(hits[decided], [g for g, kept in zip(groups, decided, strict=True) if kept], seed=seed)


def blind(items: Sequence[Compared]) -> list[Compared]:
    """The items without their criterion: what a model learns from them is what needs no criterion."""
    return [replace(item, criterion="") for item in items]
