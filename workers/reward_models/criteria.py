"""How a criterion acts on a head: by what all criteria share, by what its group shares, and by itself alone.

A criterion's code is (1, signed memberships in groups of criteria, OWN at its own place if it has one), shape (J,). A
head's weights are then linear in the code: w(criterion) = sum over j of code_j w_j. Criteria that ask for the opposite
of each other belong to one group with opposite signs: what is learnt of either is learnt of both.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import numpy.typing as npt

from workers.reward_models.exact import rowwise
from workers.reward_models.features import minilm
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.polarity import aspects

Floats = npt.NDArray[np.float64]

# At most so many places that criteria gather at by their words, so many groups of such places, and so many criteria
# with an effect of their own: they bound a head's size.
MAX_CENTRES = 32
MAX_GROUPS = 24
MAX_OWN = 8
# A criterion gets an effect of its own from this many labels on.
OWN_LABELS = 5
# How large such an effect is expected to be, where that of its group is 1.
OWN = 0.5
# How sharply a criterion belongs to its nearest centres.
_SHARPNESS = 20.0
# Chance makes cosines negative, too: to be the opposite counts as this much less near than to be the same.
OPPOSITE = 0.3
# How much of a criterion's vector is what it wants and does not want, the rest being the whole sentence.
_SIGNED = 0.7
# What criteria have in common tells none from another; but of so many criteria only half of it is believed.
_FEW = 3


def criterion_vectors(criteria: Sequence[str], cache: FeatureCache) -> npt.NDArray[np.float32]:
    """Embeddings of each criterion, of what it wants and of what it does not want, shape (n, 3 minilm.WIDTH)."""
    sides = [aspects(criterion) for criterion in criteria]
    wanted, unwanted = ([side[n] for side in sides] for n in range(2))
    return np.column_stack([minilm.embeddings(texts, cache) for texts in (criteria, wanted, unwanted)])


def asked_number(criterion: str) -> int:
    """A number for what is asked, for cells: comparisons under different criteria are no duplicates."""
    return crc32(criterion.encode())


@dataclass(frozen=True)
class CriterionBasis:
    """`middle` (2, width) is what the sentences of a project have in common, and what their aspects have; `centres`
    (places, 2 width) are unit vectors to where criteria gather; `groups` (places, groups) says to which group a centre
    belongs, and with which sign; `own` are the criteria with an effect of their own."""

    middle: npt.NDArray[np.float32]
    centres: npt.NDArray[np.float32]
    groups: npt.NDArray[np.float32]
    own: tuple[str, ...] = ()

    @classmethod
    def of(cls, criteria: Sequence[str], vectors: npt.NDArray[np.float32]) -> "CriterionBasis":
        """The basis for distinct `criteria` with their vectors, every centre a group by itself."""
        ordered = vectors[np.argsort(criteria)]
        middle = _in_common(ordered)
        centres = _cluster(_placed(ordered, middle), MAX_CENTRES)
        return cls(middle, centres, np.eye(len(centres), dtype=np.float32))

    def members(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """Each criterion's nearest centre, shape (n,)."""
        nearest: npt.NDArray[np.intp] = (_placed(vectors, self.middle) @ self.centres.T).argmax(axis=1)
        return nearest

    def grouped(
        self,
        groups: npt.NDArray[np.float32],
        criteria: Sequence[str],
        vectors: npt.NDArray[np.float32],
        labels: Counter[str],
    ) -> "CriterionBasis":
        """With these groups, and with effects of their own for the criteria that have labels enough."""
        group = np.abs(groups).argmax(axis=1)[self.members(vectors)]
        # Whoever is alone in a group has its effects for itself already.
        shared = np.bincount(group, minlength=groups.shape[1])[group] > 1
        frequent = [c for c, among in zip(criteria, shared, strict=True) if among and labels[c] >= OWN_LABELS]
        frequent.sort(key=lambda c: (-labels[c], c))
        return replace(self, groups=groups, own=tuple(frequent[:MAX_OWN]))

    @property
    def size(self) -> int:
        return 1 + self.groups.shape[1] + len(self.own)

    def codes(self, criteria: Sequence[str], vectors: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
        """The codes of `criteria`, shape (n, size); and of each the share of a prior variance that its weights have
        besides, shape (n,): the farther it lies from every centre and the opposite of every centre the more, none
        where its own effect was learnt."""
        count = self.groups.shape[1]
        codes = np.zeros((len(criteria), self.size))
        codes[:, 0] = 1
        placed = _placed(vectors, self.middle)
        similarity = rowwise(placed, self.centres.T.astype(np.float64))
        # Near the opposite of a centre it is the opposite of what the centre's criteria ask for.
        opposite = -similarity - OPPOSITE
        nearest = np.maximum(similarity, opposite)
        near, far = (
            np.exp(_SHARPNESS * (some - nearest.max(axis=1, keepdims=True)))
            for some in (similarity, opposite)
        )
        signed = (near - far) / (near + far).sum(axis=1, keepdims=True)
        codes[:, 1 : 1 + count] = rowwise(signed, self.groups.astype(np.float64))
        # Half the square of the distance: of unit vectors 1 - cosine, and what has no direction is at home in itself.
        lengths = [(some.astype(np.float64) ** 2).sum(axis=1) for some in (placed, self.centres)]
        distance = (lengths[0][:, None] + lengths[1]) / 2 - nearest
        doubt = np.clip(distance.min(axis=1), 0, 1)
        place = {criterion: 1 + count + n for n, criterion in enumerate(self.own)}
        for row, criterion in enumerate(criteria):
            if criterion in place:
                codes[row, place[criterion]] = OWN
                doubt[row] = 0
        return codes, doubt


def _in_common(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of the sentences and that of the aspects that are not empty, shape (2, width); nearer to nothing where
    there are few."""
    whole, *sides = np.split(vectors, 3, axis=1)
    aspects_ = np.concatenate(sides)
    aspects_ = aspects_[aspects_.any(axis=1)]
    means = [some.sum(axis=0) / (len(some) + _FEW) for some in (whole, aspects_)]
    return np.stack(means).astype(np.float32)


def _placed(vectors: npt.NDArray[np.float32], middle: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Unit vectors that criteria are compared by, shape (n, 2 width): the sentence less what all have in common, and
    what is wanted less what is not. A sentence and its opposite have nearly opposite second halves."""
    whole, *sides = np.split(vectors, 3, axis=1)
    wanted, unwanted = (np.where(side.any(axis=1, keepdims=True), side - middle[1], 0) for side in sides)
    parts = (
        np.sqrt(1 - _SIGNED) * _units(whole - middle[0]),
        np.sqrt(_SIGNED) * _units(wanted - unwanted),
    )
    return _units(np.column_stack(parts))


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
