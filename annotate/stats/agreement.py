"""How far annotators agree on comparisons that any number of them judged, each figure with its interval.

Percent agreement; Krippendorff's alpha (Computing Krippendorff's Alpha-Reliability, 2011), nominal and ordinal;
Fleiss' kappa and Gwet's AC1 and AC2 (Handbook of Inter-Rater Reliability, 4th edition, chapters 2, 3 and 5, which also
say how comparisons with different numbers of verdicts enter).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import comb
from typing import Any

import numpy as np

from annotate.stats.estimates import ROUNDS, Estimate, Floats, Ints, bootstrapped
from annotate.stats.patterns import Patterns

NOTHING_PAIRABLE = "No comparison has two verdicts or more."
NO_VARIATION = "Every verdict is the same: there is no variation that agreement could be told from."


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement over a set of comparisons, taking verdicts as names without order."""

    comparisons: int  # with at least one verdict
    verdicts: int
    pairable: int  # comparisons with two verdicts or more: only these tell agreement
    unanimous: int  # of the pairable ones
    percent: Estimate  # mean over pairable comparisons of the share of agreeing pairs of verdicts, in %
    alpha: Estimate
    fleiss: Estimate
    ac1: Estimate

    def as_json(self) -> dict[str, Any]:
        """Rounded beyond what means anything, so that the same comparisons are the same bytes on any machine."""
        return {
            name: value if isinstance(value, int) else value.as_json()
            for name, value in ((field.name, getattr(self, field.name)) for field in fields(self))
        }


@dataclass(frozen=True, slots=True)
class OrdinalAgreement:
    """Agreement where values have an order: to say "slightly better" of what is "much better" is nearly right."""

    alpha: Estimate
    ac2: Estimate


def agreement(patterns: Patterns, *, rounds: int = ROUNDS) -> Agreement:
    """Agreement on values without order; the columns of the patterns are all the values there could be."""
    judged = patterns.totals > 0
    pairable = patterns.pairable()
    why = NO_VARIATION if len(pairable.times) else NOTHING_PAIRABLE
    same = np.eye(patterns.counts.shape[1])
    percent = bootstrapped(
        pairable.times, lambda weights: 100 * _agreeing(pairable, weights, same), why=why, rounds=rounds
    )
    return Agreement(
        comparisons=int(patterns.times[judged].sum()),
        verdicts=int((patterns.totals * patterns.times).sum()),
        pairable=int(pairable.times.sum()),
        unanimous=int(pairable.times[pairable.counts.max(axis=1, initial=0) == pairable.totals].sum()),
        percent=percent,
        alpha=_alpha(pairable, ordinal=False, why=why, rounds=rounds),
        fleiss=_fleiss(patterns, why=why, rounds=rounds),
        ac1=_gwet(patterns, same, why=why, rounds=rounds),
    )


def ordinal_agreement(patterns: Patterns, *, rounds: int = ROUNDS) -> OrdinalAgreement:
    """Agreement on values whose order is that of the columns."""
    pairable = patterns.pairable()
    why = NO_VARIATION if len(pairable.times) else NOTHING_PAIRABLE
    return OrdinalAgreement(
        alpha=_alpha(pairable, ordinal=True, why=why, rounds=rounds),
        ac2=_gwet(patterns, ordinal_weights(patterns.counts.shape[1]), why=why, rounds=rounds),
    )


def ordinal_weights(values: int) -> Floats:
    """Gwet's ordinal weights (values, values): 1 for the same, 0 for the ends of the scale, by pairs between."""
    apart = np.array([comb(d + 1, 2) for d in range(values)], dtype=np.float64)
    steps = np.abs(np.subtract.outer(np.arange(values), np.arange(values)))
    weights: Floats = 1 - apart[steps] / max(apart[-1], 1)
    return weights


def _agreeing(patterns: Patterns, weights: Floats, credit: Floats) -> Floats:
    """The mean over comparisons of the share of pairs of verdicts that agree, by the credit that each pair has."""
    counts, of = patterns.counts, patterns.totals
    share = (counts * (counts @ credit - 1)).sum(axis=1) / (of * (of - 1))
    with np.errstate(invalid="ignore"):
        return (weights @ share) / weights.sum(axis=1)


def _alpha(pairable: Patterns, *, ordinal: bool, why: str, rounds: int) -> Estimate:
    counts, of = pairable.counts, pairable.totals
    values = counts.shape[1]
    # Coincidences within each pattern: ordered pairs of verdicts, each verdict counting once in all.
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(values)
    coincidences = (pairs / (of - 1)[:, None, None]).reshape(-1, values * values)

    def alpha(weights: Floats) -> Floats:
        seen = (weights @ coincidences).reshape(-1, values, values)
        by_value = seen.sum(axis=2)
        n = by_value.sum(axis=1)
        apart = _ordinal_distance(by_value) if ordinal else np.broadcast_to(1 - np.eye(values), seen.shape)
        observed = (seen * apart).sum(axis=(1, 2))
        expected = (by_value[:, :, None] * by_value[:, None, :] * apart).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(expected > 0, 1 - (n - 1) * observed / expected, np.nan)

    return bootstrapped(pairable.times, alpha, why=why, rounds=rounds)


def _ordinal_distance(by_value: Floats) -> Floats:
    """Krippendorff's: how many verdicts lie between two values, half of each of these two included, squared."""
    middle = by_value.cumsum(axis=1) - by_value / 2
    squared: Floats = (middle[:, :, None] - middle[:, None, :]) ** 2
    return squared


def _chance_corrected(
    patterns: Patterns, credit: Floats, by_chance: Callable[[Floats], Floats], *, why: str, rounds: int
) -> Estimate:
    """(observed - by chance) / (1 - by chance). Every judged comparison tells how common each value is.

    `by_chance`: how much agreement chance alone brings, (rounds,) from how common each value is, (rounds, values).
    """
    judged = patterns.totals > 0
    counts, times, of = patterns.counts[judged], patterns.times[judged], patterns.totals[judged]
    pairable = of > 1
    shares = counts / of[:, None]

    def corrected(weights: Floats) -> Floats:
        observed = _agreeing(Patterns(counts[pairable], times[pairable]), weights[:, pairable], credit)
        expected = by_chance((weights @ shares) / weights.sum(axis=1, keepdims=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)

    return bootstrapped(times if pairable.any() else times[:0], corrected, why=why, rounds=rounds)


def _fleiss(patterns: Patterns, *, why: str, rounds: int) -> Estimate:
    def by_chance(common: Floats) -> Floats:
        expected: Floats = (common**2).sum(axis=1)
        return expected

    credit = np.eye(patterns.counts.shape[1])
    return _chance_corrected(patterns, credit, by_chance, why=why, rounds=rounds)


def _gwet(patterns: Patterns, credit: Floats, *, why: str, rounds: int) -> Estimate:
    values = len(credit)

    def by_chance(common: Floats) -> Floats:
        expected: Floats = credit.sum() / (values * (values - 1)) * (common * (1 - common)).sum(axis=1)
        return expected

    return _chance_corrected(patterns, credit, by_chance, why=why, rounds=rounds)


def cohen(table: Ints, *, rounds: int = ROUNDS) -> Estimate:
    """Cohen's kappa (1960) of two annotators.

    Args:
        table: (values, values) how many comparisons the first gave the value of the row, and the second that of the
            column.
    """
    values = table.shape[0]

    def kappa(weights: Floats) -> Floats:
        shares = weights.reshape(-1, values, values) / weights.sum(axis=1)[:, None, None]
        observed = np.trace(shares, axis1=1, axis2=2)
        expected = (shares.sum(axis=1) * shares.sum(axis=2)).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)

    why = "Both always said the same one thing." if table.sum() else "They judged nothing in common."
    return bootstrapped(table.ravel(), kappa, why=why, rounds=rounds)
