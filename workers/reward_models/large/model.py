"""The backend "transformers": a backbone with adapters and a value head, as the Protocol has it.

What is saved is what was trained: adapters, head and calibration, of some MB, or the whole decoder. The backbone stays
where it is, pinned by its digest.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import structlog
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from workers.reward_models.base import (
    Compared,
    Floats,
    NothingToLearn,
    Scored,
    UnfitArtefact,
    Verdicts,
    check_verdicts,
)
from workers.reward_models.cached import side_key
from workers.reward_models.evaluation import blind
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.large import backbone as backbones
from workers.reward_models.large import lora, training, value_head
from workers.reward_models.large.backbone import Backbone
from workers.reward_models.large.calibration import Calibration, Laplace
from workers.reward_models.large.encode import Encoded, Encoder
from workers.reward_models.large.looks import Look, Told
from workers.reward_models.large.reduction import SAMPLE, Reduction
from workers.reward_models.large.scoring import TooLarge, hidden
from workers.reward_models.large.settings import LargeSettings
from workers.reward_models.settings import SettingsError

log = structlog.get_logger(__name__)

# Comparisons whose media are held at a time.
_AT_ONCE = 256
# Fewer verdicts than these are no calibration: then those of training serve, and that is said.
_LEAST_CALIBRATION = 20
# What names of the decoder's own weights begin with in a saved model that was trained in full.
_FULL = "language."


@dataclass
class TransformersModel:
    settings: LargeSettings
    backbone: Backbone = field(repr=False)
    head: nn.Linear
    calibration: Calibration
    # The adapter that was trained, by PEFT's keys; it is merged into the backbone.
    adapter: dict[str, Tensor] = field(default_factory=dict, repr=False)
    losses: list[float] = field(default_factory=list, repr=False)
    looks: list[Look] = field(default_factory=list, repr=False)
    # Models from before it was fitted keep no features.
    reduction: Reduction | None = field(default=None, repr=False)

    name: ClassVar[str] = "transformers"
    # Raised whenever the same artefact would be read otherwise.
    version: ClassVar[str] = "1"
    at_once: ClassVar[int] = 128

    @property
    def modalities(self) -> frozenset[str]:
        return self.backbone.modalities

    @classmethod
    def train(
        cls,
        items: Sequence[Compared],
        verdicts: Verdicts,
        *,
        cache: FeatureCache,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        watched: tuple[Sequence[Compared], Verdicts] | None = None,
        told: Told | None = None,
    ) -> Self:
        """As the Protocol has it. `watched` are looked at and not learned from: training stops where they get no better,
        and keeps the weights that served them best. `told` hears step, steps and loss."""
        check_verdicts(items, verdicts)
        if settings is None:
            raise SettingsError(
                "backbone: is missing; a large model is trained by a specification (--spec FILE)"
            )
        asked = LargeSettings.from_json(settings)
        model = backbones.load(asked)
        if asked.adapter:
            lora.merge(model.language, lora.read(Path(asked.adapter)), asked.adapter)
        head = _start(asked, model, seed)
        usable = _usable(model, asked, items)
        if not usable:
            raise NothingToLearn("This model can look at none of the items: see the log for why.")
        items, verdicts = [items[n] for n in usable], np.asarray(verdicts)[usable]
        held, kept = _split(items, asked.calibration_share if asked.method != "none" else 1.0)
        seen = asked.method != "none" and len(held) < _LEAST_CALIBRATION
        if seen:
            held, kept = np.arange(len(items)), np.arange(len(items))
        made = cls(asked, model, head, Calibration(1.0, 1.0, 0, True))
        if asked.method != "none":
            dtype = model.dtype
            trained = _trained(model, head, items, verdicts, kept, watched, seed, told)
            made.head, made.losses, made.looks = trained.head, trained.losses, trained.looks
            if asked.method == "lora":
                made.adapter = lora.tensors(model.language)
                lora.merge_attached(model.language)
            elif asked.method == "full":
                model.language.to(dtype).requires_grad_(False)
        sample = _Sample()
        values, differences, _ = made.values([items[n] for n in held], sample)
        again = seen or asked.method == "none"
        learned = differences if again else made.values([items[n] for n in kept], sample)[1]
        made.calibration = Calibration.fit(
            values, verdicts[held], seen=seen, differences=differences, learned=learned
        )
        made.reduction = Reduction.of(sample.states(), made.head.weight.detach().float().cpu().numpy()[0])
        return made

    def score(self, items: Sequence[Compared], *, cache: FeatureCache) -> Scored:
        kept = _Kept(self.reduction, items) if self.reduction else None
        values, differences, without = self.values(items, kept)
        if kept:
            kept.put(cache)
        scored = self.calibration.scored(values, differences)
        return scored.leaving_out(without)

    @property
    def kept_features(self) -> str:
        return self.reduction.version if self.reduction else ""

    def values(
        self, items: Sequence[Compared], watch: "Watch | None" = None, *, fan_out: bool = True
    ) -> tuple[Floats, npt.NDArray[np.float32], dict[int, str]]:
        """Differences of values (n,) and of hidden states (n, width), and the places that have none, with why. `watch`
        is shown places and states of both sides, (places, 2, width)."""
        values = np.zeros(len(items))
        differences = np.zeros((len(items), self.backbone.width), dtype=np.float32)
        without: dict[int, str] = {}
        for start in range(0, len(items), _AT_ONCE):
            encoder = Encoder(self.backbone, self.settings.template, self.settings.max_tokens)
            places, encoded = [], []
            for place, item in enumerate(items[start : start + _AT_ONCE], start=start):
                try:
                    encoded += _sides(encoder, item)
                    places.append(place)
                except ValueError as error:
                    without[place] = str(error)
            if not places:
                continue
            try:
                states = hidden(self.backbone, encoded, self.settings.batch_tokens, fan_out=fan_out)
            except TooLarge as error:
                raise ValueError(str(error)) from error
            weight = self.head.weight.detach().double().cpu()[0]
            each = (states.double() @ weight).view(-1, 2)
            values[places] = (each[:, 0] - each[:, 1]).numpy()
            differences[places] = (states[::2] - states[1::2]).numpy()
            if watch:
                watch(places, states.view(len(places), 2, -1).numpy())
        return values, differences, without

    def save(self, path: Path) -> None:
        tensors = self.adapter | value_head.tensors(self.head) | self._decoder()
        found = self.calibration
        if found.laplace is not None:
            tensors["laplace.directions"] = torch.from_numpy(found.laplace.directions)
            tensors["laplace.gains"] = torch.from_numpy(found.laplace.gains)
        if self.reduction is not None:
            tensors["reduction.mean"] = torch.from_numpy(self.reduction.mean)
            tensors["reduction.directions"] = torch.from_numpy(
                np.ascontiguousarray(self.reduction.directions)
            )
        config = {
            "backend": self.name,
            "version": self.version,
            "settings": self.settings.kept(),
            "backbone": self.backbone.revision,
            "calibration": {
                "scale": found.scale,
                "threshold": found.threshold,
                "labels": found.labels,
                "seen": found.seen,
                "precision": found.laplace.precision if found.laplace else None,
            },
            "losses": self.losses,
            "looks": [[look.step, look.loss, look.accuracy] for look in self.looks],
        }
        # One entry only: the header's order, and so the file's bytes, are then always the same.
        save_file(tensors, path, metadata={"config": json.dumps(config, sort_keys=True)})

    def _decoder(self) -> dict[str, Tensor]:
        """Its own weights, where they were trained."""
        if self.settings.method != "full":
            return {}
        state = self.backbone.language.state_dict()
        return {f"{_FULL}{key}": tensor.cpu().contiguous() for key, tensor in state.items()}

    def save_folder(self, folder: Path) -> None:
        """The same as others read it: an adapter in PEFT's layout, a head in LLaMA-Factory's, and how to ask them.

        Of a decoder that was trained in full there is its file of weights, by the decoder's own names.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if decoder := self._decoder():
            save_file(
                {key.removeprefix(_FULL): tensor for key, tensor in decoder.items()},
                folder / "decoder.safetensors",
                metadata={"format": "pt"},
            )
        save_file(value_head.tensors(self.head), folder / value_head.FILE)
        if self.adapter:
            save_file(self.adapter, folder / lora.FILE)
            asked = lora.config(
                self.settings.lora_rank,
                self.settings.lora_alpha,
                self.settings.lora_targets,
                self.settings.backbone,
            )
            (folder / lora.CONFIG).write_text(json.dumps(asked, indent=2) + "\n")
        told = {
            "backbone_revision": self.backbone.revision,
            "template": self.settings.template,
            "scale": self.calibration.scale,
            "threshold": self.calibration.threshold,
        }
        (folder / "reward_model.json").write_text(json.dumps(told, indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        try:
            with safe_open(path, framework="pt") as file:
                config = json.loads((file.metadata() or {}).get("config", "{}"))
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError, ValueError) as error:
            raise UnfitArtefact(f"{path} is not a saved reward model: {error}.") from error
        for key, value in {"backend": cls.name, "version": cls.version}.items():
            if config.get(key) != value:
                raise UnfitArtefact(
                    f"{path} has {key} {config.get(key)!r}, this code reads {value!r}: train the model anew."
                )
        values = config["settings"] | {"lora_targets": list(config["settings"]["lora_targets"])}
        try:
            settings = LargeSettings.from_json(values | {"head": ""})
        except SettingsError as error:
            raise UnfitArtefact(f"{path}: {error}") from error
        model = backbones.load(settings)
        if model.revision != config["backbone"]:
            raise UnfitArtefact(
                f"{path} was trained on another backbone than {settings.backbone} holds now: "
                f"{config['backbone'][:12]}…, not {model.revision[:12]}…. Put that one back, or train anew."
            )
        told = config["calibration"]
        laplace = None
        if told["precision"] is not None:
            laplace = Laplace(
                tensors.pop("laplace.directions").numpy(),
                tensors.pop("laplace.gains").numpy(),
                told["precision"],
            )
        reduction = None
        if "reduction.mean" in tensors:
            reduction = Reduction(
                tensors.pop("reduction.mean").numpy(), tensors.pop("reduction.directions").numpy()
            )
        head = {key: tensors.pop(key) for key in (value_head.WEIGHT, value_head.BIAS) if key in tensors}
        if settings.adapter:
            lora.merge(model.language, lora.read(Path(settings.adapter)), settings.adapter)
        _put_decoder(model, tensors, path)
        if tensors:
            adapter = lora.of(tensors, settings.lora_rank, settings.lora_alpha, str(path))
            lora.merge(model.language, adapter, str(path))
        return cls(
            settings,
            model,
            value_head.of(head, model.width, str(path)).to(model.device),
            Calibration(told["scale"], told["threshold"], told["labels"], told["seen"], laplace),
            tensors,
            config["losses"],
            [Look(*look) for look in config.get("looks", [])],
            reduction,
        )


def _put_decoder(model: Backbone, tensors: dict[str, Tensor], path: Path) -> None:
    """Take the decoder's own weights out of `tensors`, if they are there, and put them in their place."""
    found = {key.removeprefix(_FULL): tensors.pop(key) for key in list(tensors) if key.startswith(_FULL)}
    if not found:
        return
    try:
        model.language.load_state_dict(found)
    except RuntimeError as error:
        raise UnfitArtefact(f"{path}: {' '.join(str(error).split())[:500]}") from error


# Is shown places and hidden states.
Watch = Callable[[Sequence[int], npt.NDArray[np.float32]], None]


class _Sample:
    """The first states that came by."""

    def __init__(self) -> None:
        self._some: list[npt.NDArray[np.float32]] = []
        self._count = 0

    def __call__(self, places: Sequence[int], states: npt.NDArray[np.float32]) -> None:
        if self._count < SAMPLE:
            self._some.append(states.reshape(-1, states.shape[2]))
            self._count += len(self._some[-1])

    def states(self) -> npt.NDArray[np.float32]:
        return np.concatenate(self._some)


class _Kept:
    """Reduced states by what was seen; without its criterion a response has the mean of all that it was scored under."""

    def __init__(self, reduction: Reduction, items: Sequence[Compared]) -> None:
        self._reduction, self._items = reduction, items
        self._rows: dict[bytes, npt.NDArray[np.float32]] = {}
        self._blind: dict[bytes, dict[bytes, npt.NDArray[np.float32]]] = {}

    def __call__(self, places: Sequence[int], states: npt.NDArray[np.float32]) -> None:
        for place, pair in zip(places, states, strict=True):
            item = self._items[place]
            [unasked] = blind([item])
            rows = self._reduction.apply(pair)
            for side, row in zip((item.first, item.second), rows, strict=True):
                key = side_key(item, side)
                self._rows[key] = row
                self._blind.setdefault(side_key(unasked, side), {})[key] = row

    def put(self, cache: FeatureCache) -> None:
        means = {key: np.mean(list(rows.values()), axis=0) for key, rows in self._blind.items()}
        rows = {key: row.astype(np.float16) for key, row in (means | self._rows).items()}
        cache.put(self._reduction.version, rows)


def _sides(encoder: Encoder, item: Compared) -> list[Encoded]:
    return [encoder(item, item.first), encoder(item, item.second)]


def _start(settings: LargeSettings, model: Backbone, seed: int) -> nn.Linear:
    """The head that training begins with, or that is used as it is."""
    if settings.head:
        head = value_head.read(Path(settings.head), model.width)
    elif model.own_head:
        head = value_head.of(model.own_head, model.width, settings.backbone)
    elif settings.backbone and (Path(settings.backbone).expanduser() / value_head.FILE).is_file():
        head = value_head.read(Path(settings.backbone).expanduser(), model.width)
    elif settings.method == "none":
        raise SettingsError(
            f"method: is none, and there is no head to use: {settings.backbone} has none, and head: names none"
        )
    else:
        head = value_head.new(model.width, seed)
    return head.to(model.device)


def _usable(model: Backbone, settings: LargeSettings, items: Sequence[Compared]) -> list[int]:
    """The places of items that this model can be asked about; the others are counted by why."""
    usable, why = [], dict[str, int]()
    for start in range(0, len(items), _AT_ONCE):
        encoder = Encoder(model, settings.template, settings.max_tokens)
        for place, item in enumerate(items[start : start + _AT_ONCE], start=start):
            try:
                _sides(encoder, item)
                usable.append(place)
            except ValueError as error:
                why[str(error)] = why.get(str(error), 0) + 1
    for reason, count in why.items():
        log.warning("items left out of training", count=count, why=reason)
    return usable


def _split(items: Sequence[Compared], share: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Places kept from training, and those trained on: a prompt with all that hangs on it on one side."""
    at = [int.from_bytes(sha256(item.prompt_text.encode()).digest()[:8]) / 2**64 for item in items]
    held = np.array(at) < share
    return np.flatnonzero(held), np.flatnonzero(~held)


def _trained(
    model: Backbone,
    head: nn.Linear,
    items: Sequence[Compared],
    verdicts: Verdicts,
    kept: npt.NDArray[np.intp],
    watched: tuple[Sequence[Compared], Verdicts] | None,
    seed: int,
    told: Told | None,
) -> training.Trained:
    settings = model.settings
    if settings.loss == "bradley_terry":
        kept = kept[verdicts[kept] != 0]
    if not len(kept):
        raise NothingToLearn(
            "There is nothing to train on: all verdicts are ties, and Bradley-Terry leaves those out."
        )
    chosen, said = [items[n] for n in kept], verdicts[kept]
    looked, seen = _watched(model, watched)
    name = training.fingerprint(
        settings, model.revision, [*chosen, *looked], np.concatenate([said, seen]), seed
    )

    def logged(step: int, steps: int, loss: float) -> None:
        if step == 1 or step % 10 == 0 or step == steps:
            log.info("training", step=step, steps=steps, loss=round(loss, 4))

    watching = training.Watched(_encoded(model, looked), seen) if looked else None
    return training.train(
        model,
        head,
        _encoded(model, chosen),
        said,
        seed=seed,
        name=name,
        watched=watching,
        told=told or logged,
    )


def _watched(
    model: Backbone, watched: tuple[Sequence[Compared], Verdicts] | None
) -> tuple[list[Compared], Verdicts]:
    """Those of the watched items that this model can look at and its loss can tell of."""
    if watched is None:
        return [], np.zeros(0, dtype=np.int8)
    items, verdicts = watched
    check_verdicts(items, verdicts)
    places = [
        n for n in _usable(model, model.settings, items) if verdicts[n] or model.settings.loss == "rao_kupper"
    ]
    if not places:
        raise NothingToLearn(
            "None of the items to watch can be looked at by this model: see the log for why."
        )
    return [items[n] for n in places], np.asarray(verdicts)[places]


def _encoded(model: Backbone, items: Sequence[Compared]) -> training.Pairs:
    """Both sides of an item; what many share is made once, what was looked at long ago goes."""
    encoder = Encoder(model, model.settings.template, model.settings.max_tokens)
    asked = 0

    def pairs(n: int) -> tuple[Encoded, Encoded]:
        nonlocal encoder, asked
        if (asked := asked + 1) > _AT_ONCE:
            encoder, asked = Encoder(model, model.settings.template, model.settings.max_tokens), 0
        first, second = _sides(encoder, items[n])
        return first, second

    return pairs
