"""Whether probabilities are what they say: of the rows held to be 80 % sure, are 80 % right?"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.evaluation.protocols import Floats, Verdicts


@dataclass(frozen=True)
class Bin:
    """Rows of like confidence: the mean confidence, the share that was right, how many."""

    confidence: float
    right: float
    n: int


@dataclass(frozen=True)
class Calibration:
    """Bins of confidence in the likelier side, from 0.5 to 1, and the expected calibration error (Naeini et al. 2015).

    Of `n` rows whose label is decided. Exchanging a row's sides changes nothing.
    """

    bins: tuple[Bin, ...]
    error: float
    n: int

    def as_json(self) -> dict[str, Any]:
        bins = [
            {"confidence": round(one.confidence, 6), "right": round(one.right, 6), "n": one.n}
            for one in self.bins
        ]
        return {"error": round(self.error, 6), "n": self.n, "bins": bins}


def calibration(first_wins: Floats, labels: Verdicts, *, bins: int = 10) -> Calibration | None:
    """Of probabilities that response 1 wins; ties are left out. None where every label is a tie."""
    decided = labels != 0
    p, won = first_wins[decided], labels[decided] > 0
    if not len(p):
        return None
    confidence = np.maximum(p, 1 - p)
    right = np.where(p == 0.5, 0.5, (p > 0.5) == won)
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    found = [
        Bin(float(confidence[rows].mean()), float(right[rows].mean()), int(rows.sum()))
        for one in range(bins)
        if (rows := place == one).any()
    ]
    error = sum(one.n * abs(one.confidence - one.right) for one in found) / len(p)
    return Calibration(tuple(found), float(error), len(p))
