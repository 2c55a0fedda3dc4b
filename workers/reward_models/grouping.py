"""Which criteria ask for the same, or for the opposite, told by how they are judged and by how they are worded.

Criteria are merged as long as the labels are likelier under common weights (of one sign or of opposite ones) than under
weights of their own: by Laplace's approximation of the evidence, with a prior by how alike their words are. The more
labels, the less the words count.
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from workers.reward_models.base import Floats
from workers.reward_models.criteria import OPPOSITE

Likeness = npt.NDArray[np.floating]

# The prior variance of what a group's weights have beyond the common ones.
_PRIOR = 0.1
# The log odds that two criteria ask for the same are linear in the cosine of their vectors: so steep, and even here.
_STEEP, _EVEN = 30.0, 0.2


def grouped(slopes: Floats, bends: Floats, likeness: Likeness, most: int) -> npt.NDArray[np.float32]:
    """Groups of n criteria, at most so many: shape (n, groups), 1 or -1 where a criterion belongs, 0 elsewhere.

    `slopes` (n, d) and `bends` (n, d, d) are the gradients and the negated Hessians of the log likelihoods of their labels
    in the weights, `likeness` (n, n) the cosines of their vectors.
    """
    return _Groups(slopes, bends, likeness).merged(most)


class _Groups:
    def __init__(self, slopes: Floats, bends: Floats, likeness: Likeness) -> None:
        count, self.width = slopes.shape
        self.signs = np.eye(count)  # (group, criterion)
        self.slopes, self.bends, self.likeness = slopes.copy(), bends.copy(), likeness
        self.alive = list(range(count))
        self.evidence = [self._evident(bends[n], slopes[n : n + 1])[0] for n in self.alive]
        self.gains = {pair: self._gain(*pair) for pair in combinations(self.alive, 2)}

    def merged(self, most: int) -> npt.NDArray[np.float32]:
        while self.gains:
            (one, other), (gain, sign) = max(self.gains.items(), key=lambda found: (found[1][0], found[0]))
            if gain <= 0 and len(self.alive) <= most:
                break
            self._merge(one, other, sign)
        groups: npt.NDArray[np.float32] = self.signs[self.alive].T.astype(np.float32)
        return groups

    def _merge(self, one: int, other: int, sign: int) -> None:
        self.signs[one] += sign * self.signs[other]
        self.slopes[one] += sign * self.slopes[other]
        self.bends[one] += self.bends[other]
        self.evidence[one] = self._evident(self.bends[one], self.slopes[one : one + 1])[0]
        self.alive.remove(other)
        self.gains = {pair: gain for pair, gain in self.gains.items() if not {one, other} & set(pair)}
        for third in self.alive:
            if third != one:
                pair = (min(one, third), max(one, third))
                self.gains[pair] = self._gain(*pair)

    def _gain(self, one: int, other: int) -> tuple[float, int]:
        """In nats, with the sign that gains more."""
        slopes = np.stack([self.slopes[one] + self.slopes[other], self.slopes[one] - self.slopes[other]])
        together = self._evident(self.bends[one] + self.bends[other], slopes)
        apart = self.evidence[one] + self.evidence[other]
        ones, others = self.signs[one], self.signs[other]
        members = np.abs(ones).sum() * np.abs(others).sum()
        cosine = float(ones @ self.likeness @ others / members)
        gains = [
            (float(evidence) - apart + _STEEP * (near - _EVEN), sign)
            for evidence, near, sign in zip(together, (cosine, -cosine - OPPOSITE), (1, -1), strict=True)
        ]
        return max(gains)

    def _evident(self, bend: Floats, slopes: Floats) -> Floats:
        """The log evidence of quadratic log likelihoods (k, d) with one Hessian, less what the priors have in common."""
        factor = np.linalg.cholesky(bend + np.eye(self.width) / _PRIOR)
        inner = np.linalg.solve(factor, slopes.T)
        volume = np.log(np.diag(factor)).sum() + self.width / 2 * np.log(_PRIOR)
        found: Floats = (inner**2).sum(axis=0) / 2 - volume
        return found
