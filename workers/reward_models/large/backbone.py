"""A language model from a folder, loaded strictly: text in, with the media that its family can look at.

A family says where in the model the parts are; positions are the model's own. What a checkpoint holds too much or too
little is an error that names the keys: weights that were read half score plausibly and wrongly.
"""

import hashlib
import inspect
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from workers.reward_models.base import MediumRef, UnfitArtefact
from workers.reward_models.judge_media import RATE
from workers.reward_models.large import media
from workers.reward_models.large.settings import LargeSettings

_SEES = frozenset({"image", "video", "mesh"})
# Of embeddings that are kept. The same picture stands in many comparisons.
_KEPT_BYTES = 2 * 1024**3
# Parts of a checkpoint that a reward model has no use for; by these names and no others they may be left over.
_UNUSED = ("lm_head.weight", "talker.", "token2wav.", "code2wav.", "thinker.lm_head.weight")
_HEADS = ("score.weight", "v_head.summary.weight", "v_head.summary.bias")
_NAMES = {
    "vision_start": ("<|vision_start|>", "<|vision_bos|>"),
    "vision_end": ("<|vision_end|>", "<|vision_eos|>"),
    "audio_start": ("<|audio_bos|>", "<|audio_start|>"),
    "audio_end": ("<|audio_eos|>", "<|audio_end|>"),
}
_CLASSES = {
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen2_5_omni": "Qwen2_5OmniThinkerForConditionalGeneration",
    "qwen2_5_omni_thinker": "Qwen2_5OmniThinkerForConditionalGeneration",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "qwen3_vl_moe": "Qwen3VLMoeForConditionalGeneration",
    "qwen3_omni_moe": "Qwen3OmniMoeThinkerForConditionalGeneration",
    "qwen3_omni_moe_thinker": "Qwen3OmniMoeThinkerForConditionalGeneration",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "llama": "LlamaForCausalLM",
}
# Families that read the second of each step of a video as words.
_TIMED = ("qwen3_vl", "qwen3_vl_moe")


@dataclass(frozen=True)
class Embedded:
    """A medium as the language model takes it: one row a token, on the CPU; its grid for the positions.

    `deep`, (layers, tokens, width): what the tower's inner layers saw, which models of Qwen3's add to their first layers'
    states (DeepStack, arXiv 2406.04334).
    """

    kind: str  # image, video or audio
    rows: Tensor
    deep: Tensor | None = None
    thw: tuple[int, int, int] = (0, 0, 0)
    seconds: float = 0.0
    heard: int = 0  # frames of sound before the tower

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes + (0 if self.deep is None else self.deep.nbytes)


@dataclass
class Backbone:
    """
    Attributes:
        model: the whole model as its checkpoint names it, without its output layer.
        language: the decoder in it.
        modalities: what it can look at beside text.
        revision: digest of its configuration, its tokenizer and its weights' names, shapes and sizes.
    """

    model: Any
    language: Any
    tokenizer: Tokenizer
    modalities: frozenset[str]
    revision: str
    own_head: dict[str, Tensor]
    settings: LargeSettings
    device: torch.device
    extractor: Any = None
    colours: tuple[media.Colours, media.Colours] = media.CLIP
    _kept: OrderedDict[tuple[str, bytes], Embedded] = field(default_factory=OrderedDict)
    _bytes: int = 0
    looked: int = 0  # media that were sent through a tower

    @property
    def width(self) -> int:
        return int(self.language.config.hidden_size)

    @property
    def dtype(self) -> torch.dtype:
        return next(self.language.parameters()).dtype

    @property
    def computes_in_half(self) -> bool:
        """Weights of 32 bits that a GPU is training, which multiplies them in 16."""
        return self.device.type == "cuda" and self.dtype == torch.float32

    def embed(self, medium: MediumRef) -> Embedded:
        """A medium's rows, from what is kept or by its tower.

        Raises:
            ValueError: it cannot be opened, or this model cannot look at it.
        """
        if medium.modality not in self.modalities:
            raise ValueError(f"it cannot look at {medium.modality}")
        key = (medium.modality, medium.sha256)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            found = self._look(medium)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever a decoder throws is this item's fault, and no other's
            raise ValueError(
                f"{medium.modality} {medium.sha256.hex()[:12]} cannot be looked at: {error}"
            ) from error
        self._kept[key] = found
        self._bytes += found.nbytes
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.nbytes
        return found

    @torch.no_grad()
    def _look(self, medium: MediumRef) -> Embedded:
        self.looked += 1
        if medium.modality == "audio":
            return self._hear(media.sound(medium))
        vision = self.model.config.vision_config
        grid = media.Grid(
            vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size, *self.colours
        )
        if medium.modality == "video":
            seen = media.video(
                medium, grid, self.settings.frame_pixels, self.settings.fps, self.settings.most_frames
            )
        else:
            seen = media.image(medium, grid, self.settings.image_pixels)
        kind = "video" if medium.modality == "video" else "image"
        ask = getattr(self.model, f"get_{kind}_features", None) or getattr(
            self.model.model, f"get_{kind}_features"
        )
        answer = ask(
            torch.from_numpy(seen.patches).to(self.device, self.dtype),
            torch.tensor([seen.thw], device=self.device),
        )
        rows = getattr(answer, "pooler_output", answer)
        rows = torch.cat(list(rows)) if isinstance(rows, (tuple, list)) else rows
        inner = getattr(answer, "deepstack_features", None)
        deep = torch.stack([torch.cat(list(layer)) for layer in inner]).to("cpu") if inner else None
        return Embedded(kind, rows.to("cpu"), deep, seen.thw, seen.seconds)

    def _hear(self, samples: media.Floats) -> Embedded:
        heard = self.extractor(
            samples, sampling_rate=RATE, return_attention_mask=True, return_tensors="pt", padding="max_length"
        )
        answer = self.model.get_audio_features(
            heard["input_features"].to(self.device, self.dtype), heard["attention_mask"].to(self.device)
        )
        rows = answer if isinstance(answer, Tensor) else answer.last_hidden_state
        return Embedded("audio", rows.to("cpu"), heard=int(heard["attention_mask"].sum()))

    def placeholder(self, kind: str) -> int:
        """The id of the token that stands for one row of such a medium."""
        return int(getattr(self.model.config, f"{kind}_token_id"))

    def laid_out(self, medium: Embedded) -> list[int]:
        """The ids that a medium stands as: its placeholders between a beginning and an end. Qwen3-VL reads a video as
        steps of time, each after the words that tell its second."""
        which = "audio" if medium.kind == "audio" else "vision"
        begin, end = self._named(f"{which}_start"), self._named(f"{which}_end")
        held = [self.placeholder(medium.kind)] * len(medium.rows)
        if medium.kind != "video" or self.model.config.model_type not in _TIMED:
            return [begin, *held, end]
        steps, ids = medium.thw[0], []
        each = len(held) // steps
        for step in range(steps):
            said = f"<{(step + 0.5) * medium.seconds:.1f} seconds>"
            ids += [*self.tokenizer.encode(said, add_special_tokens=False).ids, begin, *held[:each], end]
        return ids

    def _named(self, what: str) -> int:
        for name in _NAMES[what]:
            if (found := self.tokenizer.token_to_id(name)) is not None:
                return int(found)
        raise UnfitArtefact(f"The tokenizer has none of {', '.join(_NAMES[what])}.")

    def positions(self, ids: Tensor, shown: list[Embedded]) -> Tensor:
        """Of one sequence (n,): shape (n,) or, of models that see, (3, n) by time, height and width; on the CPU."""
        if not shown:
            plain = torch.arange(len(ids))
            return plain.expand(3, -1) if self.modalities else plain
        asked: dict[str, Any] = {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None]}
        for kind in ("image", "video"):
            if grids := [one.thw for one in shown if one.kind == kind]:
                asked[f"{kind}_grid_thw"] = torch.tensor(grids)
        seconds = torch.tensor([one.seconds for one in shown if one.kind == "video"])
        heard = [one.heard for one in shown if one.kind == "audio"]
        index = getattr(self.model, "get_rope_index", None) or self.model.model.get_rope_index
        takes = inspect.signature(index).parameters
        if "mm_token_type_ids" in takes:
            types = torch.zeros_like(ids)
            types[ids == self.placeholder("image")] = 1
            types[ids == self.placeholder("video")] = 2
            asked["mm_token_type_ids"] = types[None]
        if len(seconds):
            asked["second_per_grids" if "second_per_grids" in takes else "second_per_grid_ts"] = seconds
        if heard:
            asked["audio_seqlens"] = torch.tensor(heard)
        found, _ = index(**asked)
        return Tensor(found)[:, 0].to("cpu")  # of Qwen3-Omni in parts: steps of time need not be whole

    def decode(
        self,
        embeds: Tensor,
        mask: Tensor,
        positions: Tensor,
        cache: Any = None,
        keep: bool = False,
        **deep: Any,
    ) -> Any:
        """Hidden states (batch, n, width) and, with `keep`, the keys and values of all layers. `deep`: see scoring.Padded."""
        named: dict[str, Any] = dict(deep)
        if cache is not None:
            takes = inspect.signature(type(self.language).forward).parameters
            named["cache" if "cache" in takes else "past_key_values"] = cache
        answer = self.language(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=positions,
            use_cache=keep or cache is not None,
            **named,
        )
        # Called past_key_values before transformers 5.24 or so.
        kept = answer.cache if hasattr(answer, "cache") else answer.past_key_values
        return answer.last_hidden_state, kept


def pick_device(rank: int = 0) -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", rank % torch.cuda.device_count())
    return torch.device("cpu")


def load(settings: LargeSettings, device: torch.device | None = None, *, talks: bool = False) -> Backbone:
    """`talks`: it keeps its output layer, and must have one.

    Raises:
        UnfitArtefact: it is not there, of a family that nobody knows here, or its keys are not those of its family.
    """
    import transformers  # slow: never at the top of a module

    device = device or pick_device()
    folder = folder_of(settings.backbone)
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    if config.model_type not in _CLASSES:
        raise UnfitArtefact(
            f"{folder}: models of type {config.model_type!r} are not known here. "
            f"Known are: {', '.join(sorted(_CLASSES))}."
        )
    if config.model_type in ("qwen2_5_omni", "qwen3_omni_moe"):
        config = config.thinker_config
    kind = getattr(transformers, _CLASSES[config.model_type])
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    level = transformers.utils.logging.get_verbosity()
    bars = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # what it would warn of is an error here
    try:
        model, told = kind.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UnfitArtefact(f"{folder} cannot be loaded: {' '.join(str(error).split())[:500]}") from error
    finally:
        transformers.utils.logging.set_verbosity(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()
    own_head = _check(folder, told, talks=talks)
    made = assemble(model, read_tokenizer(folder), settings, device, revision(folder), own_head, talks=talks)
    made.colours = _colours(folder, config.model_type)
    if "audio" in made.modalities:
        made.extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    return made


def assemble(
    model: Any,
    tokenizer: Tokenizer,
    settings: LargeSettings,
    device: torch.device,
    revision: str,
    own_head: dict[str, Tensor] | None = None,
    *,
    talks: bool = False,
) -> Backbone:
    """A backbone of a model at hand, which is frozen and, unless it talks, loses its output layer."""
    if not talks:
        model.lm_head = nn.Identity()  # a gigabyte that nobody asks
    model.requires_grad_(False)
    model.eval().to(device)
    language = decoder_of(model)
    sees = _SEES if hasattr(model.config, "vision_config") else frozenset()
    hears = frozenset({"audio"}) if hasattr(model.config, "audio_config") else frozenset()
    # What people write is text, also where it spells a special token.
    tokenizer.encode_special_tokens = True
    return Backbone(model, language, tokenizer, sees | hears, revision, own_head or {}, settings, device)


def decoder_of(model: Any) -> Any:
    """The language model in a model, which sees and hears beside it or does not."""
    language = model.model
    return (
        language if isinstance(getattr(language, "layers", None), nn.ModuleList) else language.language_model
    )


def folder_of(name: str) -> Path:
    """Where a backbone lies.

    Raises:
        UnfitArtefact: it is not on this machine.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir() and name.count("/") == 1 and not name.startswith((".", "/", "~")):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            folder = Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, ValueError):
            raise UnfitArtefact(
                f"The backbone {name} is neither a folder nor among the models on this machine: "
                "download it first; nothing is downloaded here."
            ) from None
    if not (folder / "config.json").is_file():
        raise UnfitArtefact(f"{folder} holds no model: there is no config.json.")
    return folder


def _check(folder: Path, told: dict[str, Any], *, talks: bool) -> dict[str, Tensor]:
    """The value head that the checkpoint carries itself, if it does. Nothing else may be missing or left over."""
    missing = [key for key in told["missing_keys"] if talks or key != "lm_head.weight"]
    over = [
        key for key in told["unexpected_keys"] if not key.startswith(_UNUSED) and not key.endswith(_HEADS)
    ]
    odd = [str(one[0] if isinstance(one, tuple) else one) for one in told.get("mismatched_keys") or []]
    problems = [
        f"{what}: {', '.join(sorted(keys)[:8])}{' and others' if len(keys) > 8 else ''}"
        for what, keys in (("missing", missing), ("left over", over), ("of another shape", odd))
        if keys
    ]
    if problems:
        raise UnfitArtefact(
            f"{folder}: its weights are not those of its configuration; {'; '.join(problems)}."
        )
    found: dict[str, Tensor] = {}
    if any(key.endswith(_HEADS) for key in told["unexpected_keys"]):
        from safetensors import safe_open

        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 (no mapping)
                    if key.endswith(_HEADS):
                        found[next(head for head in _HEADS if key.endswith(head))] = file.get_tensor(key)
    return found


def _colours(folder: Path, family: str) -> tuple[media.Colours, media.Colours]:
    """Mean and deviation by which the checkpoint was shown pictures; its family's where it does not tell."""
    path = folder / "preprocessor_config.json"
    told = json.loads(path.read_text()) if path.is_file() else {}
    mean, deviation = told.get("image_mean"), told.get("image_std")
    if mean is None or deviation is None:
        return media.PLAIN if family.startswith("qwen3") else media.CLIP
    for one in (mean, deviation):
        if (
            not isinstance(one, list)
            or len(one) != 3
            or not all(isinstance(part, (int, float)) for part in one)
        ):
            raise UnfitArtefact(f"{path}: image_mean and image_std must be three numbers each.")
    return (mean[0], mean[1], mean[2]), (deviation[0], deviation[1], deviation[2])


def read_tokenizer(folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise UnfitArtefact(f"{folder} has no tokenizer.json.")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def revision(folder: Path) -> str:
    """A digest that tells one backbone from another by what is quick to read: configuration, tokenizer, and the names,
    shapes and sizes of the weights with their first and last bytes."""
    digest = hashlib.sha256()
    config = json.loads((folder / "config.json").read_text())
    config.pop("_name_or_path", None)
    digest.update(json.dumps(config, sort_keys=True).encode())
    digest.update((folder / "tokenizer.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        if path.name == "value_head.safetensors":
            continue
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            digest.update(file.read(min(length, size)))
            for place in np.linspace(8 + min(length, size), max(size - 4096, 0), 64, dtype=np.int64):
                file.seek(int(place))
                digest.update(file.read(4096))
        digest.update(str(size).encode())
    return digest.hexdigest()
