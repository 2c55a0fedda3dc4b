"""How a criterion acts on a head: by what all criteria share, by what criteria like it share, and by itself alone.

A criterion's code is (1, soft memberships in clusters of like criteria, OWN at its own place if it has one), shape (J,).
A head's weights are then linear in the code: w(criterion) = sum over j of code_j w_j.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from workers.reward_models.exact import rowwise
from workers.reward_models.features import minilm
from workers.reward_models.features.cache import FeatureCache

Floats = npt.NDArray[np.float64]

# At most so many clusters, and so many criteria with an effect of their own: they bound a head's size.
MAX_CLUSTERS = 24
MAX_OWN = 8
# A criterion gets an effect of its own from this many labels on.
OWN_LABELS = 5
# How large such an effect is expected to be, where that of its cluster is 1.
OWN = 0.5
# How sharply a criterion belongs to its nearest clusters.
_SHARPNESS = 20.0

# What criteria are worded with rather than about: to MiniLM sentences are alike for such words too.
_WORDING = frozenset(
    "a an and are as at be been by do does for from good has have if in into is it its less more most much many no not"
    " of on or over than that the their them there they this to very was well which with without wins win prefer"
    " better best few fewer free never nothing none lack lacks avoids avoid response answer"
    " reply responses answers replies".split()
)
_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")


def criterion_vectors(criteria: Sequence[str], cache: FeatureCache) -> npt.NDArray[np.float32]:
    """Each criterion's embedding beside that of its content words alone, shape (n, 2 minilm.WIDTH)."""
    whole = minilm.embeddings(criteria, cache)
    return np.column_stack([whole, minilm.embeddings([_content(one) for one in criteria], cache)])


def _content(criterion: str) -> str:
    """Without the words in _WORDING; the whole where nothing else is left. Other languages keep theirs."""
    return " ".join(word for word in _WORD.findall(criterion.lower()) if word not in _WORDING) or criterion


def asked_number(criterion: str) -> int:
    """A number for what is asked, for cells: comparisons under different criteria are no duplicates."""
    return crc32(criterion.encode())


@dataclass(frozen=True)
class CriterionBasis:
    """`middle` (width,) is the mean vector of the criteria that were learnt from, `centres` (clusters, width) are unit
    vectors from it to the clusters, `own` the criteria with an effect of their own."""

    middle: npt.NDArray[np.float32]
    centres: npt.NDArray[np.float32]
    own: tuple[str, ...]

    @classmethod
    def of(
        cls, criteria: Sequence[str], vectors: npt.NDArray[np.float32], labels: Counter[str]
    ) -> "CriterionBasis":
        """The basis for distinct `criteria` with their vectors and their numbers of labels."""
        ordered = vectors[np.argsort(criteria)]
        # What all criteria of a project have in common tells none from another.
        middle = ordered.mean(axis=0)
        centres = _cluster(_units(ordered - middle), MAX_CLUSTERS)
        # Whoever is alone in a cluster has its effects for itself already.
        members = (_units(vectors - middle) @ centres.T).argmax(axis=1)
        shared = np.bincount(members, minlength=len(centres))[members] > 1
        frequent = [c for c, among in zip(criteria, shared, strict=True) if among and labels[c] >= OWN_LABELS]
        frequent.sort(key=lambda c: (-labels[c], c))
        return cls(middle, centres, tuple(frequent[:MAX_OWN]))

    @property
    def size(self) -> int:
        return 1 + len(self.centres) + len(self.own)

    def codes(self, criteria: Sequence[str], vectors: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
        """The codes of `criteria`, shape (n, size); and of each the share of a prior variance that its weights have
        besides, shape (n,): the farther it lies from every cluster the more, none where its own effect was learnt."""
        codes = np.zeros((len(criteria), self.size))
        codes[:, 0] = 1
        from_middle = _units(vectors - self.middle)
        similarity = rowwise(from_middle, self.centres.T.astype(np.float64))
        near = _SHARPNESS * similarity
        near = np.exp(near - near.max(axis=1, keepdims=True))
        codes[:, 1 : 1 + len(self.centres)] = near / near.sum(axis=1, keepdims=True)
        # Half the square of the distance: of unit vectors 1 - cosine, and the middle itself is at home in itself.
        lengths = [(some.astype(np.float64) ** 2).sum(axis=1) for some in (from_middle, self.centres)]
        distance = (lengths[0][:, None] + lengths[1]) / 2 - similarity
        doubt = np.clip(distance.min(axis=1), 0, 1)
        place = {criterion: 1 + len(self.centres) + n for n, criterion in enumerate(self.own)}
        for row, criterion in enumerate(criteria):
            if criterion in place:
                codes[row, place[criterion]] = OWN
                doubt[row] = 0
        return codes, doubt


def _units(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Of length 1; of what is nothing but rounding, 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 1e-5, vectors / np.maximum(lengths, 1e-5), 0).astype(np.float32)


def _cluster(vectors: npt.NDArray[np.float32], most: int) -> npt.NDArray[np.float32]:
    """Centres by spherical k-means, begun with the vectors that are farthest from each other: nothing is drawn."""
    chosen = [0]
    nearest = vectors @ vectors[0]
    while len(chosen) < min(most, len(vectors)) and nearest.min() < 0.99:
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    centres = vectors[chosen]
    for _ in range(20):
        members = (vectors @ centres.T).argmax(axis=1)
        sums = np.stack([vectors[members == n].sum(axis=0) for n in range(len(centres))])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres).astype(np.float32)
    return centres
