"""A checkpoint with LLaMA-Factory's value head, as vLLM's native classes load it: one linear layer `score.weight`.

vLLM reads the files that model.safetensors.index.json names, makes a model for sequence classification of the native
class (`--convert classify`) and looks for the head at its top level. The bias is left out: in pairs it cancels.
"""

import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from workers.reward_models.base import UnfitArtefact
from workers.reward_models.large import lora, value_head

INDEX = "model.safetensors.index.json"
HEAD = "model-score.safetensors"
_LAYER = re.compile(r"(layers\.\d+\.(?:self_attn|mlp)\.\w+)\.weight$")
# Towers whose layers bear the decoder's names.
_TOWERS = ("visual.", "audio_tower.", "talker.", "token2wav.", "vpm.", "apm.", "tts.")
# Of MiniCPM-o 2.6, as it is published: what else a key may begin with is another model's.
_PARTS = ("llm.", "vpm.", "resampler.", "apm.", "audio_projection_layer.", "tts.")


def convert(source: Path, target: Path, *, head: Path | None = None, adapter: Path | None = None) -> float:
    """Write the checkpoint `source` to the new folder `target`. Returns the bias that is left out.

    `head`: where its value head lies, if not beside it. `adapter`: a folder in PEFT's layout, added to its layers.

    Files that do not change are linked where the disk allows it, else copied. Whoever is interrupted leaves a folder
    of another name, and no target.

    Raises:
        UnfitArtefact: the source is not a whole checkpoint of this layout, or the target is there.
    """
    if target.exists():
        raise UnfitArtefact(f"{target} is there already: name a new folder.")
    config = _json(source / "config.json")
    files = _weights(source)
    keys = {key: name for name, known in files.items() for key in known}
    _check(source, config, keys)
    width = config.get("hidden_size") or config.get("text_config", {}).get("hidden_size")
    if not isinstance(width, int):
        raise UnfitArtefact(f"{source}/config.json tells no hidden_size.")
    value = value_head.read(head or source, width)
    changes = _changes(source, keys, lora.read(adapter), str(adapter)) if adapter else {}
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    made.mkdir()
    for path in sorted(source.iterdir()):
        if path.name in (value_head.FILE, INDEX, "config.json", "value_head.bin") or path.name == ".git":
            continue
        if path.name in changes:
            _merge(path, made / _named(path.name), changes[path.name])
        else:
            _link(path, made / _named(path.name))
    save_file({"score.weight": value.weight.detach().contiguous()}, made / HEAD, metadata={"format": "pt"})
    index = {
        "metadata": {"total_size": sum(path.stat().st_size for path in made.glob("*.safetensors"))},
        "weight_map": {key: _named(name) for key, name in sorted(keys.items())} | {"score.weight": HEAD},
    }
    (made / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    labels = {"num_labels": 1, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}
    (made / "config.json").write_text(json.dumps(config | labels, indent=2) + "\n")
    os.rename(made, target)
    return float(value.bias.detach())


def _named(name: str) -> str:
    """Of a checkpoint in one file, which transformers would read alone and pass the index by, another name."""
    return "model-backbone.safetensors" if name == "model.safetensors" else name


def _weights(source: Path) -> dict[str, set[str]]:
    """The keys of each file of weights, by its header; what the index says must be there must be there."""
    files = {}
    for path in sorted(source.glob("*.safetensors")):
        if path.name == value_head.FILE:
            continue
        try:
            with safe_open(path, framework="pt") as file:
                files[path.name] = set(file.keys())
        except (SafetensorError, OSError) as error:
            raise UnfitArtefact(f"{path} is no safetensors file: {error}.") from error
    if not files:
        raise UnfitArtefact(f"{source} holds no *.safetensors.")
    if (source / INDEX).is_file():
        named = _json(source / INDEX).get("weight_map", {})
        gone = [key for key, name in named.items() if key not in files.get(name, ())]
        if gone:
            raise UnfitArtefact(
                f"{source}/{INDEX} names keys that are missing: {', '.join(sorted(gone)[:4])}."
            )
        files = {name: keys for name, keys in files.items() if name in set(named.values())}
    return files


def _check(source: Path, config: dict[str, Any], keys: dict[str, str]) -> None:
    if "score.weight" in keys:
        raise UnfitArtefact(f"{source} has a score.weight already: there is nothing to convert.")
    if "MiniCPMO" not in config.get("architectures", []):
        return
    if strange := sorted(key for key in keys if not key.startswith(_PARTS)):
        raise UnfitArtefact(
            f"{source}: left over are {', '.join(strange[:4])}, which MiniCPM-o does not have."
        )
    if lacking := [
        part for part in ("llm.", "vpm.", "resampler.") if not any(k.startswith(part) for k in keys)
    ]:
        raise UnfitArtefact(f"{source}: missing is all of {', '.join(f'{part}*' for part in lacking)}.")


def _changes(
    source: Path, keys: dict[str, str], adapter: lora.Adapter, where: str
) -> dict[str, dict[str, Tensor]]:
    """By file what is added to which key: each layer of the adapter is one layer of the decoder."""
    found: dict[str, list[str]] = {}
    for key in keys:
        if (match := _LAYER.search(key)) and not any(tower in key for tower in _TOWERS):
            found.setdefault(match[1], []).append(key)
    changes: dict[str, dict[str, Tensor]] = {}
    for layer, (a, b) in adapter.pairs.items():
        if len(found.get(layer, ())) != 1:
            raise UnfitArtefact(f"{where}: {source} has {len(found.get(layer, ()))} layers {layer}, not one.")
        (key,) = found[layer]
        changes.setdefault(keys[key], {})[key] = adapter.alpha / adapter.rank * (b.float() @ a.float())
    return changes


def _merge(path: Path, target: Path, changes: dict[str, Tensor]) -> None:
    tensors = load_file(path)
    for key, added in changes.items():
        if tensors[key].shape != added.shape:
            raise UnfitArtefact(
                f"{path}: {key} has shape {tuple(tensors[key].shape)}, its adapter {tuple(added.shape)}."
            )
        tensors[key] = (tensors[key].float() + added).to(tensors[key].dtype)
    save_file(tensors, target, metadata={"format": "pt"})


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnfitArtefact(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UnfitArtefact(f"{path} is no JSON object.")
    return found


def _link(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target)
        return
    try:
        os.link(path.resolve(), target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, target)
