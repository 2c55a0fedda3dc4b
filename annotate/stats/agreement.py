"""How far annotators agree: percent agreement and Krippendorff's alpha for nominal verdicts."""

from dataclasses import dataclass

import krippendorff
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Agreement:
    """Agreement over a set of comparisons. `percent` and `alpha` are None where they are not defined."""

    comparisons: int  # with at least one verdict
    verdicts: int
    pairable: int  # comparisons with two verdicts or more: only these tell agreement
    unanimous: int  # of the pairable ones
    percent: float | None  # mean over pairable comparisons of the share of agreeing pairs of verdicts, in %
    alpha: float | None


def agreement(tallies: NDArray[np.int64]) -> Agreement:
    """Agreement from verdict counts.

    Args:
        tallies: (comparisons, values): how many annotators gave each value. Missing verdicts are just absent.

    Alpha is undefined without a pairable comparison, and where only one value was ever used: there is then no
    variation that agreement could be told from.
    """
    totals = tallies.sum(axis=1)
    pairable = tallies[totals > 1]
    judged, verdicts = int((totals > 0).sum()), int(totals.sum())
    if not len(pairable):
        return Agreement(judged, verdicts, 0, 0, None, None)
    of = pairable.sum(axis=1)
    share = (pairable * (pairable - 1)).sum(axis=1) / (of * (of - 1))
    varied = (pairable.sum(axis=0) > 0).sum() > 1
    alpha = (
        float(krippendorff.alpha(value_counts=pairable, level_of_measurement="nominal")) if varied else None
    )
    return Agreement(
        comparisons=judged,
        verdicts=verdicts,
        pairable=len(pairable),
        unanimous=int((pairable.max(axis=1) == of).sum()),
        percent=float(share.mean() * 100),
        alpha=alpha,
    )
