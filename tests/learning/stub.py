"""A reward model for tests, through the Protocol alone: what it says of an item stands in the item's texts."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from workers.reward_models import base
from workers.reward_models.base import Compared, Features, Ranking, Scored, UnfitArtefact, Verdicts
from workers.reward_models.features.cache import FeatureCache


class StubModel:
    """The longer response wins, under a criterion that says "short" the shorter one. A prompt that says "tells 0.3"
    has a mutual information of 0.3 nats, times the number of the model's labels modulo 7."""

    name: ClassVar[str] = "stub"
    version: ClassVar[str] = "1"
    at_once: ClassVar[int] = 2048

    def __init__(self, labels: int) -> None:
        self.labels = labels

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
        assert len(items) == len(verdicts)
        return cls(len(items))

    def score(self, items: Sequence[Compared], *, cache: FeatureCache) -> Scored:
        longer = np.array([len(item.first.text) - len(item.second.text) for item in items], dtype=float)
        wanted = np.array([-1.0 if "short" in item.criterion else 1.0 for item in items])
        told = np.array([tells(item.prompt_text) for item in items], dtype=float)
        half = np.full(len(items), 0.45)
        return Scored(longer * wanted, half, half, 1 - 2 * half, half, told * (self.labels % 7))

    def save(self, path: Path) -> None:
        config = json.dumps({"backend": self.name, "labels": self.labels})
        save_file({"nothing": np.zeros(1)}, path, metadata={"config": config})

    @classmethod
    def load(cls, path: Path) -> Self:
        try:
            with safe_open(path, framework="numpy") as file:
                return cls(json.loads(file.metadata()["config"])["labels"])
        except SafetensorError as error:
            raise UnfitArtefact(f"{path.name} is not a saved reward model: {error}.") from error


def tells(prompt: str) -> float:
    found = re.search(r"tells ([\d.e-]+)", prompt)
    return float(found[1]) if found else 0.01


def stand_in() -> None:
    """From now on in this process, what is trained by default is the stub."""
    base.BACKENDS["builtin"] = "tests.learning.stub:StubModel"


class RankingStub(StubModel):
    """The same of features: by how much the first response is longer, and what the prompt tells."""

    layout = "stub-1"

    def features(self, items: Sequence[Compared], *, cache: FeatureCache) -> Features:
        rows = [
            (len(item.first.text) - len(item.second.text), tells(item.prompt_text))
            for item in items
            if "blank" not in item.prompt_text
        ]
        seen = [n for n, item in enumerate(items) if "blank" not in item.prompt_text]
        without = {n: "it is blank" for n in range(len(items)) if n not in set(seen)}
        table = np.array(rows, dtype=np.float32).reshape(-1, 2)
        return Features({self.layout: (np.array(seen, dtype=np.intp), table)}, without)

    def reads(self, layout: str) -> bool:
        return layout == self.layout

    def ranking(self, layout: str, criteria: Sequence[str], *, cache: FeatureCache) -> Ranking:
        wanted = np.array([-1.0 if "short" in criterion else 1.0 for criterion in criteria])

        def rank(place: np.ndarray, rows: np.ndarray) -> Scored:
            half = np.full(len(rows), 0.45)
            told = rows[:, 1].astype(float) * (self.labels % 7)
            return Scored(rows[:, 0] * wanted[place], half, half, 1 - 2 * half, half, told)

        return rank
