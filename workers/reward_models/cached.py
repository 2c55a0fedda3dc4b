"""The backend "cached": a small head over what a large model has seen, for the time until that is trained again.

A large model that keeps features (`KeepsFeatures`) leaves its reduced last hidden state of each response under each criterion
in the feature cache when it scores. Here a linear head with a Gaussian posterior (Laplace's) learns from their differences,
in seconds and without the large model; what that has not looked at is left out, and said.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from workers.reward_models import rao_kupper
from workers.reward_models.base import (
    Compared,
    Features,
    Floats,
    NothingToLearn,
    Ranking,
    Scored,
    Side,
    UnfitArtefact,
    Verdicts,
    check_verdicts,
)
from workers.reward_models.cells import cells
from workers.reward_models.criteria import asked_number
from workers.reward_models.exact import rowwise
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.head import CLIP, most_evident
from workers.reward_models.settings import SettingsError

Matrix = npt.NDArray[np.float32]
NOT_SEEN = "the large model has not scored it"


def side_key(item: Compared, side: Side) -> bytes:
    """What a response under a criterion is kept by: all that a large model is shown of it."""
    media = [medium.sha256.hex() if medium else None for medium in (*item.prompt_media, side.medium)]
    return hashlib.sha256(json.dumps([item.prompt_text, item.criterion, side.text, media]).encode()).digest()


@dataclass(frozen=True)
class CachedModel:
    """Posterior of the weights over d standardised differences of features.

    Attributes:
        kept: the version of the features.
        scales: (d,), one over their spread, 0 where nothing differed. weights: (d,). covariance: (d, d).
    """

    kept: str
    scales: Floats
    weights: Floats
    covariance: Floats
    threshold: float
    prior: float

    name: ClassVar[str] = "cached"
    # Raised whenever the same artefact would be read otherwise.
    version: ClassVar[str] = "1"
    at_once: ClassVar[int] = 2048

    @classmethod
    def train(
        cls,
        items: Sequence[Compared],
        verdicts: Verdicts,
        *,
        cache: FeatureCache,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        check_verdicts(items, verdicts)
        kept = (settings or {}).get("features")
        if not isinstance(kept, str) or not kept or len(settings or {}) != 1:
            raise SettingsError(
                "features: must name the features that a large revision keeps, and nothing else"
            )
        seen, differences = _differences(items, kept, cache)
        if not len(seen):
            raise NothingToLearn(
                "The large model has scored none of what was judged: manage.py score_pairs --all lets it."
            )
        return cls.fit(kept, differences, np.asarray(verdicts)[seen])

    @classmethod
    def fit(cls, kept: str, differences: Matrix, verdicts: Verdicts) -> Self:
        """Learn from n verdicts on differences of features, (n, d)."""
        spread = np.sqrt((differences.astype(np.float64) ** 2).mean(axis=0))
        scales = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-6)
        phi = np.clip(differences * scales, -CLIP, CLIP)
        found = most_evident(np.ones((1, 1)), np.zeros(len(phi), dtype=np.intp), phi, verdicts)
        covariance = np.linalg.inv(found.precision)[:-1, :-1]
        return cls(
            kept, scales, found.at[:-1], (covariance + covariance.T) / 2, float(found.at[-1]), found.prior
        )

    def score(self, items: Sequence[Compared], *, cache: FeatureCache) -> Scored:
        seen, differences = _differences(items, self.kept, cache)
        phi = np.zeros((len(items), len(self.scales)))
        phi[seen] = np.clip(differences * self.scales, -CLIP, CLIP)
        margin = (phi * self.weights).sum(axis=1)
        variance = (rowwise(phi, self.covariance) * phi).sum(axis=1)
        asked = np.array([asked_number(item.criterion) for item in items], dtype=np.int64)
        without = dict.fromkeys(np.setdiff1d(np.arange(len(items)), seen).tolist(), NOT_SEEN)
        return self._said(phi, margin, variance, asked).leaving_out(without)

    def features(self, items: Sequence[Compared], *, cache: FeatureCache) -> Features:
        seen, differences = _differences(items, self.kept, cache)
        without = dict.fromkeys(np.setdiff1d(np.arange(len(items)), seen).tolist(), NOT_SEEN)
        return Features({self.kept: (seen, differences)} if len(seen) else {}, without)

    def reads(self, layout: str) -> bool:
        return layout == self.kept

    def ranking(self, layout: str, criteria: Sequence[str], *, cache: FeatureCache) -> Ranking:
        asked = np.array([asked_number(criterion) for criterion in criteria], dtype=np.int64)
        scales, weights = self.scales.astype(np.float32), self.weights.astype(np.float32)
        covariance = self.covariance.astype(np.float32)

        def rank(place: npt.NDArray[np.intp], rows: Matrix) -> Scored:
            phi = np.clip(rows * scales, -CLIP, CLIP)
            variance = np.einsum("nd,nd->n", phi @ covariance, phi)
            return self._said(
                phi, (phi @ weights).astype(np.float64), variance.astype(np.float64), asked[place]
            )

        return rank

    def _said(
        self, phi: npt.NDArray[np.floating], margin: Floats, variance: Floats, asked: npt.NDArray[np.int64]
    ) -> Scored:
        variance = np.maximum(variance, 0.0)
        predicted = rao_kupper.predict(margin, variance, self.threshold)
        return Scored(margin, *predicted[:3], variance, predicted.bald, cells(phi, asked))

    def save(self, path: Path) -> None:
        config = {
            "backend": self.name,
            "version": self.version,
            "features": self.kept,
            "threshold": self.threshold,
            "prior": self.prior,
        }
        tensors = {"scales": self.scales, "weights": self.weights, "covariance": self.covariance}
        # One entry only: the header's order, and so the file's bytes, are then always the same.
        save_file(
            {name: np.ascontiguousarray(array) for name, array in tensors.items()},
            path,
            metadata={"config": json.dumps(config, sort_keys=True)},
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        try:
            with safe_open(path, framework="numpy") as file:
                config = json.loads((file.metadata() or {}).get("config", "{}"))
                for key, value in {"backend": cls.name, "version": cls.version}.items():
                    if config.get(key) != value:
                        raise UnfitArtefact(
                            f"{path} has {key} {config.get(key)!r}, this code reads {value!r}: train the model anew."
                        )
                scales, weights, covariance = (
                    file.get_tensor(name) for name in ("scales", "weights", "covariance")
                )
        except (SafetensorError, ValueError) as error:
            raise UnfitArtefact(f"{path} is not a saved reward model: {error}.") from error
        return cls(config["features"], scales, weights, covariance, config["threshold"], config["prior"])


def _differences(
    items: Sequence[Compared], kept: str, cache: FeatureCache
) -> tuple[npt.NDArray[np.intp], Matrix]:
    """The places of the items of which both sides are kept, and the first sides' features less the second ones'."""
    keys = [(side_key(item, item.first), side_key(item, item.second)) for item in items]
    rows = cache.get(kept, list({key for pair in keys for key in pair}))
    seen = [n for n, (first, second) in enumerate(keys) if first in rows and second in rows]
    if not seen:
        return np.zeros(0, dtype=np.intp), np.zeros((0, 0), dtype=np.float32)
    sides = (np.stack([rows[keys[n][side]] for n in seen]).astype(np.float32) for side in (0, 1))
    first, second = sides
    return np.array(seen, dtype=np.intp), first - second
