"""How a criterion acts on a head: by what all criteria share, by what criteria like it share, and by itself alone.

A criterion's code is (1, soft memberships in clusters of like criteria, 1 at its own place if it has one), shape (J,).
A head's weights are then linear in the code: w(criterion) = sum over j of code_j w_j.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# At most so many clusters, and so many criteria with an effect of their own: they bound a head's size.
MAX_CLUSTERS = 8
MAX_OWN = 16
# A criterion gets an effect of its own from this many labels on.
OWN_LABELS = 5
# How sharply a criterion belongs to its nearest cluster: cosines of MiniLM differ by tenths.
_SHARPNESS = 12.0


@dataclass(frozen=True)
class CriterionBasis:
    """Cluster centres, unit vectors of shape (clusters, width), and the criteria with an effect of their own."""

    centres: npt.NDArray[np.float32]
    own: tuple[str, ...]

    @classmethod
    def of(
        cls, criteria: Sequence[str], vectors: npt.NDArray[np.float32], labels: Counter[str]
    ) -> "CriterionBasis":
        """The basis for distinct `criteria` with their embeddings and their numbers of labels."""
        frequent = sorted((c for c in criteria if labels[c] >= OWN_LABELS), key=lambda c: (-labels[c], c))
        return cls(_cluster(vectors[np.argsort(criteria)], MAX_CLUSTERS), tuple(frequent[:MAX_OWN]))

    @property
    def size(self) -> int:
        return 1 + len(self.centres) + len(self.own)

    def codes(self, criteria: Sequence[str], vectors: npt.NDArray[np.float32]) -> Floats:
        """The codes of `criteria`, shape (n, size)."""
        codes = np.zeros((len(criteria), self.size))
        codes[:, 0] = 1
        near = _SHARPNESS * (vectors[:, None, :] * self.centres).sum(axis=2, dtype=np.float64)
        near = np.exp(near - near.max(axis=1, keepdims=True))
        codes[:, 1 : 1 + len(self.centres)] = near / near.sum(axis=1, keepdims=True)
        place = {criterion: 1 + len(self.centres) + n for n, criterion in enumerate(self.own)}
        for row, criterion in enumerate(criteria):
            if criterion in place:
                codes[row, place[criterion]] = 1
        return codes


def _cluster(vectors: npt.NDArray[np.float32], most: int) -> npt.NDArray[np.float32]:
    """Centres by spherical k-means, begun with the vectors that are farthest from each other: nothing is drawn."""
    chosen = [0]
    nearest = vectors @ vectors[0]
    while len(chosen) < most and nearest.min() < 0.99:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    centres = vectors[chosen]
    for _ in range(20):
        members = (vectors @ centres.T).argmax(axis=1)
        sums = np.stack([vectors[members == n].sum(axis=0) for n in range(len(centres))])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres).astype(np.float32)
    return centres
