"""The embedded reward model: frozen features, one linear head for each form that responses have. Seconds on a CPU.

A form is what the sides are made of ("text", "image", "image+text"). Forms share no feature, so each has its head; of
a form that nobody has judged the model says what it knows: nothing, with much to learn.
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
    Ranking,
    Scored,
    UnfitArtefact,
    Verdicts,
    check_verdicts,
)
from workers.reward_models.criteria import CriterionBasis, criterion_vectors
from workers.reward_models.features import minilm, text
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.features.media import media_features, signal_features
from workers.reward_models.head import Differences, Head, Reduction
from workers.reward_models.settings import SettingsError

# Of a form without a head: the doubt about a margin, and how even a comparison must be to tie.
_UNKNOWN_VARIANCE = 1.0
_UNKNOWN_THRESHOLD = 0.5
_ARRAYS = ("weights", "covariance", "directions", "scales", "middle", "centres", "groups")


@dataclass(frozen=True)
class BuiltinModel:
    """Heads by form. The seed of the Protocol is of no use here: nothing is drawn by chance."""

    heads: dict[str, Head]
    # Verdicts that each head was trained on.
    labels: dict[str, int]

    name: ClassVar[str] = "builtin"
    # Raised whenever the same artefact would be read otherwise.
    version: ClassVar[str] = "3"
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
        if settings:
            raise SettingsError(f"{min(settings)}: the embedded model has nothing to set")
        check_verdicts(items, verdicts)
        return cls.fit(describe(items, cache), verdicts)

    @classmethod
    def fit(cls, described: "Described", verdicts: Verdicts) -> Self:
        """Train on items whose features are at hand."""
        heads, labels = {}, {}
        for form, part in described.parts.items():
            heads[form] = Head.fit(
                described.criteria,
                described.vectors,
                described.place[part.rows],
                part.differences,
                verdicts[part.rows],
            )
            labels[form] = len(part.rows)
        return cls(heads, labels)

    def score(self, items: Sequence[Compared], *, cache: FeatureCache) -> Scored:
        return self.score_described(describe(items, cache))

    def score_described(self, described: "Described") -> Scored:
        """Score items whose features are at hand."""
        columns = [np.empty(len(described.place)) for _ in range(6)]
        cell = np.empty(len(described.place), dtype=np.int64)
        for form, part in described.parts.items():
            scored = (
                self.heads[form].score(
                    described.criteria, described.vectors, described.place[part.rows], part.differences
                )
                if form in self.heads
                else _unknown(part.differences)
            )
            for column, found in zip(columns, _columns(scored), strict=True):
                column[part.rows] = found
            if scored.cell is not None:
                cell[part.rows] = scored.cell
        margin, p_first, p_second, p_tie, variance, bald = columns
        return Scored(margin, p_first, p_second, p_tie, variance, bald, cell)

    def features(self, items: Sequence[Compared], *, cache: FeatureCache) -> Features:
        """Named features, then what is said, of each form that the items have."""
        parts = describe(items, cache).parts
        return Features(
            {
                _layout(form): (part.rows, np.column_stack([part.differences.named, part.differences.said]))
                for form, part in parts.items()
            }
        )

    def reads(self, layout: str) -> bool:
        form = layout.rpartition("-")[0]
        try:
            return layout == _layout(form)
        except LookupError:  # no form that this version knows
            return False

    def ranking(self, layout: str, criteria: Sequence[str], *, cache: FeatureCache) -> Ranking:
        form = layout.rpartition("-")[0]
        if form not in self.heads:
            return _ranked_by_nothing(form)
        head = self.heads[form]
        return head.ranking(criteria, criterion_vectors(criteria, cache), len(head.reduction.scales))

    def save(self, path: Path) -> None:
        tensors: dict[str, npt.NDArray[Any]] = {}
        forms = {}
        for form, head in sorted(self.heads.items()):
            arrays = (
                head.weights,
                head.covariance,
                head.reduction.directions,
                head.reduction.scales,
                head.basis.middle,
                head.basis.centres,
                head.basis.groups,
            )
            tensors |= {
                f"{form}/{name}": np.ascontiguousarray(array)
                for name, array in zip(_ARRAYS, arrays, strict=True)
            }
            forms[form] = {
                "features": _feature_versions(form),
                "own_criteria": head.basis.own,
                "threshold": head.threshold,
                "prior": head.prior,
                "labels": self.labels[form],
            }
        config = {"backend": self.name, "version": self.version, "embeddings": minilm.VERSION, "forms": forms}
        # One entry only: the header's order, and so the file's bytes, are then always the same.
        save_file(tensors, path, metadata={"config": json.dumps(config, sort_keys=True)})

    @classmethod
    def load(cls, path: Path) -> Self:
        try:
            with safe_open(path, framework="numpy") as file:
                config = json.loads((file.metadata() or {}).get("config", "{}"))
                _check(config, path, cls)
                heads = {
                    form: _head(saved, *(file.get_tensor(f"{form}/{name}") for name in _ARRAYS))
                    for form, saved in config["forms"].items()
                }
        except (SafetensorError, ValueError) as error:
            raise UnfitArtefact(f"{path} is not a saved reward model: {error}.") from error
        return cls(heads, {form: saved["labels"] for form, saved in config["forms"].items()})


@dataclass(frozen=True)
class Part:
    """The items of one form: their places among all, and what differs between their sides."""

    rows: npt.NDArray[np.intp]
    differences: Differences


@dataclass(frozen=True)
class Described:
    """Items as heads see them, whatever the head: kept, it spares the features at the next refit.

    Item i stands under criteria[place[i]]; `vectors` are the criteria's embeddings.
    """

    criteria: list[str]
    vectors: npt.NDArray[np.float32]
    place: npt.NDArray[np.intp]
    parts: dict[str, Part]


def describe(items: Sequence[Compared], cache: FeatureCache) -> Described:
    """The features of items. New texts and files cost a model's and a decoder's time, known ones nearly nothing."""
    criteria = sorted({item.criterion for item in items})
    places = {criterion: place for place, criterion in enumerate(criteria)}
    forms: dict[str, list[int]] = {}
    for row, item in enumerate(items):
        forms.setdefault(_form(item), []).append(row)
    return Described(
        criteria,
        criterion_vectors(criteria, cache),
        np.array([places[item.criterion] for item in items], dtype=np.intp),
        {
            form: Part(np.array(rows, dtype=np.intp), _differences(form, [items[row] for row in rows], cache))
            for form, rows in sorted(forms.items())
        },
    )


def _form(item: Compared) -> str:
    sides = (item.first, item.second)
    blocks = {side.medium.modality for side in sides if side.medium}
    if not blocks or any(side.text.strip() for side in sides):
        blocks.add("text")
    return "+".join(sorted(blocks))


def _differences(form: str, items: list[Compared], cache: FeatureCache) -> Differences:
    sides = [item.first for item in items] + [item.second for item in items]
    named, said = [], np.zeros((len(items), 0), dtype=np.float32)
    for block in form.split("+"):
        if block == "text":
            texts = [side.text for side in sides]
            asked = [item.prompt_text for item in items] * 2
            meant = minilm.embeddings(texts, cache)
            rows = text.text_features(asked, [item.criterion for item in items] * 2, texts, meant, cache)
            said = _less(meant)
        else:
            of_block = [
                side.medium if side.medium and side.medium.modality == block else None for side in sides
            ]
            rows = media_features(block, of_block, cache)
        named.append(_less(rows))
    return Differences(np.column_stack(named), said)


def _less(sides: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """First sides less second sides; what is unknown of either differs by nothing."""
    half = len(sides) // 2
    difference: npt.NDArray[np.float32] = np.nan_to_num(sides[:half] - sides[half:])
    return difference


def _columns(scored: Scored) -> list[Floats]:
    return [scored.margin, scored.p_first, scored.p_second, scored.p_tie, scored.variance, scored.bald]


def _unknown(differences: Differences) -> Scored:
    """Nothing is known of what matters: nearly the same is only what has the same features."""
    count = len(differences.named)
    rows = np.column_stack([differences.named, differences.said])
    cell = np.array(
        [int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), signed=True) for row in rows],
        dtype=np.int64,
    )
    margin, variance = np.zeros(count), np.full(count, _UNKNOWN_VARIANCE)
    predicted = rao_kupper.predict(margin, variance, _UNKNOWN_THRESHOLD)
    return Scored(margin, predicted.first, predicted.second, predicted.tie, variance, predicted.bald, cell)


def _ranked_by_nothing(form: str) -> Ranking:
    said = minilm.WIDTH if "text" in form.split("+") else 0

    def rank(place: npt.NDArray[np.intp], rows: npt.NDArray[np.float32]) -> Scored:
        named = rows.shape[1] - said
        return _unknown(Differences(rows[:, :named], rows[:, named:]))

    return rank


def _layout(form: str) -> str:
    """LookupError for a form that is none."""
    versions = "/".join([minilm.VERSION, *_feature_versions(form)])
    return f"{form}-{hashlib.sha256(versions.encode()).hexdigest()[:12]}"


def _feature_versions(form: str) -> list[str]:
    return [text.VERSION if block == "text" else signal_features(block).version for block in form.split("+")]


def _check(config: dict[str, Any], path: Path, model: type[BuiltinModel]) -> None:
    wanted = {"backend": model.name, "version": model.version, "embeddings": minilm.VERSION}
    for key, value in wanted.items():
        if config.get(key) != value:
            raise UnfitArtefact(
                f"{path} has {key} {config.get(key)!r}, this code reads {value!r}: train the model anew."
            )
    for form, saved in config["forms"].items():
        if saved["features"] != _feature_versions(form):
            raise UnfitArtefact(
                f"{path} was trained on features {saved['features']} of {form}, "
                f"this code makes {_feature_versions(form)}: train the model anew."
            )


def _head(
    saved: dict[str, Any],
    weights: Floats,
    covariance: Floats,
    directions: Floats,
    scales: Floats,
    middle: npt.NDArray[np.float32],
    centres: npt.NDArray[np.float32],
    groups: npt.NDArray[np.float32],
) -> Head:
    return Head(
        CriterionBasis(middle, centres, groups, tuple(saved["own_criteria"])),
        Reduction(directions, scales),
        weights,
        covariance,
        saved["threshold"],
        saved["prior"],
    )
