"""The head of the embedded model: z = code(criterion) x (phi_1 - phi_2), margins linear in z, a Gaussian posterior.

phi are standardised features of one side; nothing is added after the difference and every step from it on is odd, so
exchanged sides negate the margin exactly. The maximum of the Rao-Kupper likelihood with a Gaussian prior is found by
Newton's method (the objective is concave: it is the only one); the posterior around it is Laplace's, over all weights.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from workers.reward_models import rao_kupper
from workers.reward_models.base import Floats, Ranking, Scored, Verdicts
from workers.reward_models.cells import cells
from workers.reward_models.criteria import MAX_GROUPS, CriterionBasis, asked_number
from workers.reward_models.exact import rowwise
from workers.reward_models.grouping import grouped

Matrix = npt.NDArray[np.float32]

# Directions kept of the embeddings' differences: at most so many, and one for so many labels.
MAX_DIRECTIONS = 16
LABELS_A_DIRECTION = 12
# A direction of the embeddings counts less than a named feature: there are many, and most say nothing of quality.
# (Measured on planted texts with 300 labels: .61 accuracy at 1, .68 at a quarter, .69 at 0; at 800 labels .77, .82, .81.)
_MEANING = 0.3
# A standardised difference counts up to here: one freak of a file moves no margin by more.
CLIP = 4.0
# Prior variances of a weight. The evidence picks one: from the middle it is followed up or down while it grows.
_PRIORS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_MIDDLE = 4
# Newton's method stops when a step would gain less than this many nats.
_GAIN = 1e-6
# The prior of the tie threshold is Gamma(shape 2, rate 4): mean 0.5, zero at zero.
_SHAPE, _RATE = 2.0, 4.0


@dataclass(frozen=True)
class Differences:
    """phi_1 - phi_2 of n items, before standardising: the named features and the embeddings of what is said."""

    named: Matrix  # (n, number of names)
    said: Matrix  # (n, embedding width, or 0)


@dataclass(frozen=True)
class Reduction:
    """From differences to the d standardised ones that the head sees."""

    directions: Floats  # (embedding width, kept): principal directions over their spread, weighted
    scales: Floats  # (names,): one over the spread, 0 where nothing differed

    @classmethod
    def of(cls, differences: Differences) -> "Reduction":
        spread = np.sqrt((differences.named.astype(np.float64) ** 2).mean(axis=0))
        scales = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-6)
        said = differences.said.astype(np.float64)
        kept = min(MAX_DIRECTIONS, len(said) // LABELS_A_DIRECTION, said.shape[1])
        values, vectors = np.linalg.eigh(said.T @ said / max(len(said), 1))
        values, vectors = values[::-1][:kept], vectors[:, ::-1][:, :kept]
        kept = int((values > 1e-8).sum())
        return cls(_MEANING * vectors[:, :kept] / np.sqrt(values[:kept]), scales)

    @property
    def size(self) -> int:
        return self.directions.shape[1] + len(self.scales)

    def apply(self, differences: Differences) -> Floats:
        """Shape (n, size), each row by itself and odd in the difference."""
        said = rowwise(differences.said, self.directions)
        return np.clip(np.column_stack([said, differences.named * self.scales]), -CLIP, CLIP)


@dataclass(frozen=True)
class Head:
    """Posterior mean and covariance of the weights, over (code, feature) pairs in that order, and the threshold."""

    basis: CriterionBasis
    reduction: Reduction
    weights: Floats  # (J, d)
    covariance: Floats  # (J d, J d)
    threshold: float
    prior: float

    @classmethod
    def fit(
        cls,
        criteria: Sequence[str],
        vectors: Matrix,
        place: npt.NDArray[np.intp],
        differences: Differences,
        verdicts: Verdicts,
    ) -> "Head":
        """Learn from n verdicts; item i stands under criteria[place[i]]."""
        labels = Counter(
            {c: int(n) for c, n in zip(criteria, np.bincount(place, minlength=len(criteria)), strict=True)}
        )
        reduction = Reduction.of(differences)
        phi = reduction.apply(differences)
        basis = CriterionBasis.of(criteria, vectors)
        slopes, bends = _by_centre(basis.members(vectors)[place], len(basis.centres), phi, verdicts)
        groups = grouped(slopes, bends, basis.centres @ basis.centres.T, MAX_GROUPS)
        basis = basis.grouped(groups, criteria, vectors, labels)
        best = most_evident(basis.codes(criteria, vectors)[0], place, phi, verdicts)
        covariance = np.linalg.inv(best.precision)[:-1, :-1]
        weights = best.at[:-1].reshape(basis.size, reduction.size)
        return cls(basis, reduction, weights, (covariance + covariance.T) / 2, float(best.at[-1]), best.prior)

    def score(
        self, criteria: Sequence[str], vectors: Matrix, place: npt.NDArray[np.intp], differences: Differences
    ) -> Scored:
        """Scores of items; a criterion never met has the weights of its like, and as much doubt as it is unlike."""
        size = self.reduction.size
        codes, doubt = self.basis.codes(criteria, vectors)
        phi = self.reduction.apply(differences)
        blocks = self.covariance.reshape(self.basis.size, size, self.basis.size, size)
        margin, variance = np.zeros(len(phi)), np.zeros(len(phi))
        order = np.argsort(place, kind="stable")
        edges = np.searchsorted(place[order], np.arange(len(criteria) + 1))
        for n in range(len(criteria)):
            rows = order[edges[n] : edges[n + 1]]
            if not len(rows):
                continue
            some = phi[rows]
            spread = np.einsum("j,jdke,k->de", codes[n], blocks, codes[n], optimize=True)
            spread = spread + doubt[n] * self.prior * np.eye(size)
            margin[rows] = (some * (codes[n] @ self.weights)).sum(axis=1)
            variance[rows] = (rowwise(some, spread) * some).sum(axis=1)
        variance = np.maximum(variance, 0.0)
        predicted = rao_kupper.predict(margin, variance, self.threshold)
        asked = np.array([asked_number(criterion) for criterion in criteria], dtype=np.int64)
        return Scored(
            margin,
            predicted.first,
            predicted.second,
            predicted.tie,
            variance,
            predicted.bald,
            cells(phi, asked[place]),
        )

    def ranking(self, criteria: Sequence[str], vectors: Matrix, named: int) -> Ranking:
        """What scores rows of differences, `named` features first, then what is said: by products that are fast, and
        may differ from those of `score` in the last bits."""
        size = self.reduction.size
        codes, doubt = self.basis.codes(criteria, vectors)
        blocks = self.covariance.reshape(self.basis.size, size, self.basis.size, size)
        asked = np.array([asked_number(criterion) for criterion in criteria], dtype=np.int64)
        directions, scales = (
            self.reduction.directions.astype(np.float32),
            self.reduction.scales.astype(np.float32),
        )

        @cache
        def of(n: int) -> tuple[Matrix, Matrix]:
            """A criterion's weights, and its covariance."""
            spread = np.einsum("j,jdke,k->de", codes[n], blocks, codes[n], optimize=True)
            spread = spread + doubt[n] * self.prior * np.eye(size)
            return (codes[n] @ self.weights).astype(np.float32), spread.astype(np.float32)

        def rank(place: npt.NDArray[np.intp], rows: Matrix) -> Scored:
            phi = np.concatenate([rows[:, named:] @ directions, rows[:, :named] * scales], axis=1)
            np.clip(phi, -CLIP, CLIP, out=phi)
            margin, variance = np.empty(len(phi)), np.empty(len(phi))
            order = np.argsort(place, kind="stable")
            edges = np.flatnonzero(np.diff(place[order], prepend=-1)).tolist()
            for start, end in zip(edges, [*edges[1:], len(order)], strict=True):
                some = order[start:end]
                weights, spread = of(int(place[some[0]]))
                part = phi if len(some) == len(phi) else phi[some]
                margin[some] = part @ weights
                variance[some] = np.einsum("nd,nd->n", part @ spread, part)
            variance = np.maximum(variance, 0.0)
            predicted = rao_kupper.predict(margin, variance, self.threshold)
            return Scored(margin, *predicted[:3], variance, predicted.bald, cells(phi, asked[place]))

        return rank


def _by_centre(
    centre: npt.NDArray[np.intp], count: int, phi: Floats, verdicts: Verdicts
) -> tuple[Floats, Floats]:
    """Of the labels of each centre, how their log likelihood rises (count, d) and bends (count, d, d) in the weights,
    where these are what all labels together call for."""
    alike = most_evident(np.ones((1, 1)), np.zeros(len(phi), dtype=np.intp), phi, verdicts)
    by = rao_kupper.derivatives(phi @ alike.at[:-1], float(alike.at[-1]), verdicts)
    rows = [centre == n for n in range(count)]
    slopes = np.stack([by.m[some] @ phi[some] for some in rows])
    bends = np.stack([(phi[some] * -by.mm[some, None]).T @ phi[some] for some in rows])
    return slopes, bends


@dataclass(frozen=True)
class Mode:
    """The maximum under one prior variance: where, the precision there, and the log evidence of the labels."""

    at: Floats  # weights, then the threshold
    precision: Floats
    evidence: float
    prior: float


def most_evident(codes: Floats, place: npt.NDArray[np.intp], phi: Floats, verdicts: Verdicts) -> Mode:
    """The maximum under the prior that makes n verdicts likeliest: item i has the features phi[i] under the criterion
    codes[place[i]]."""
    return _Data(codes, place, phi, verdicts).most_evident()


class _Data:
    """Labels as Newton's method needs them. z is never written out: items of one criterion share its code, so sums
    over items are taken by criterion first, over (d, d), and spread over (J d, J d) by the codes."""

    def __init__(self, codes: Floats, place: npt.NDArray[np.intp], phi: Floats, verdicts: Verdicts) -> None:
        order = np.argsort(place, kind="stable")
        self.codes, self.place, self.phi, self.verdicts = codes, place[order], phi[order], verdicts[order]
        edges = np.searchsorted(self.place, np.arange(len(codes) + 1))
        self.groups = [slice(a, b) for a, b in pairwise(edges)]

    def most_evident(self) -> Mode:
        """The mode under that one of _PRIORS which makes the labels likeliest."""
        best = self._climb(
            _PRIORS[_MIDDLE], np.append(np.zeros(self.codes.shape[1] * self.phi.shape[1]), 0.5)
        )
        for way in (_PRIORS[_MIDDLE + 1 :], _PRIORS[:_MIDDLE][::-1]):
            first = best
            for prior in way:
                mode = self._climb(prior, best.at)
                if mode.evidence <= best.evidence:
                    break
                best = mode
            if best is not first:
                break
        return best

    def _climb(self, prior: float, begin: Floats) -> Mode:
        at, size = begin, len(begin) - 1
        height = self._height(at, prior)
        for _ in range(50):
            slope, precision = self._bend(at, prior)
            step = np.linalg.solve(precision, slope)
            if (gain := float(slope @ step)) < _GAIN:
                break
            length = 1.0
            # A full step may leave the concave function's safe ground, or the threshold's.
            while length > 1e-6:
                tried = at + length * step
                if tried[-1] > 0 and (reached := self._height(tried, prior)) >= height + 1e-4 * length * gain:
                    at, height = tried, reached
                    break
                length /= 2
            else:
                break
        evidence = height - size / 2 * np.log(prior) - float(np.linalg.slogdet(precision)[1]) / 2
        return Mode(at, precision, evidence, prior)

    def _margins(self, at: Floats) -> Floats:
        weights = self.codes @ at[:-1].reshape(self.codes.shape[1], -1)
        margins: Floats = (self.phi * weights[self.place]).sum(axis=1)
        return margins

    def _height(self, at: Floats, prior: float) -> float:
        likelihood = rao_kupper.log_likelihood(self._margins(at), at[-1], self.verdicts).sum()
        return float(
            likelihood - at[:-1] @ at[:-1] / (2 * prior) + (_SHAPE - 1) * np.log(at[-1]) - _RATE * at[-1]
        )

    def _bend(self, at: Floats, prior: float) -> tuple[Floats, Floats]:
        """The slope, and the negated Hessian."""
        threshold = float(at[-1])
        by = rao_kupper.derivatives(self._margins(at), threshold, self.verdicts)
        codes, size = self.codes, len(at)
        d = self.phi.shape[1]
        first = np.stack([by.m[rows] @ self.phi[rows] for rows in self.groups])
        mixed = np.stack([by.mt[rows] @ self.phi[rows] for rows in self.groups])
        square = np.stack([(self.phi[rows] * -by.mm[rows, None]).T @ self.phi[rows] for rows in self.groups])
        pairs = (codes[:, :, None] * codes[:, None, :]).reshape(len(codes), -1)
        spread = (pairs.T @ square.reshape(len(codes), -1)).reshape(codes.shape[1], codes.shape[1], d, d)
        slope, precision = np.empty(size), np.empty((size, size))
        slope[:-1] = (codes.T @ first).ravel() - at[:-1] / prior
        slope[-1] = by.t.sum() + (_SHAPE - 1) / threshold - _RATE
        precision[:-1, :-1] = spread.transpose(0, 2, 1, 3).reshape(size - 1, size - 1)
        precision[:-1, :-1] += np.eye(size - 1) / prior
        precision[:-1, -1] = precision[-1, :-1] = -(codes.T @ mixed).ravel()
        precision[-1, -1] = -by.tt.sum() + (_SHAPE - 1) / threshold**2
        return slope, precision
