"""A checkpoint with LLaMA-Factory's value head, as vLLM's native classes load it: one linear layer `score.weight`.

vLLM reads the files that model.safetensors.index.json names, makes a model for sequence classification of the native
class (`--convert classify`) and looks for the head at its top level. The bias is left out: in pairs it cancels.
"""

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from workers.reward_models.base import UnfitArtefact
from workers.reward_models.large import value_head

INDEX = "model.safetensors.index.json"
HEAD = "model-score.safetensors"
# Of MiniCPM-o 2.6, as it is published: what else a key may begin with is another model's.
_PARTS = ("llm.", "vpm.", "resampler.", "apm.", "audio_projection_layer.", "tts.")


def convert(source: Path, target: Path) -> float:
    """Write the checkpoint `source` to the new folder `target`. Returns the bias that is left out.

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
    head = value_head.read(source, width)
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    made.mkdir()
    for path in sorted(source.iterdir()):
        if path.name in (value_head.FILE, INDEX, "config.json", "value_head.bin") or path.name == ".git":
            continue
        _link(path, made / path.name)
    save_file({"score.weight": head.weight.detach().contiguous()}, made / HEAD, metadata={"format": "pt"})
    index = {
        "metadata": {"total_size": sum(path.stat().st_size for path in made.glob("*.safetensors"))},
        "weight_map": dict(sorted((keys | {"score.weight": HEAD}).items())),
    }
    (made / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    labels = {"num_labels": 1, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}
    (made / "config.json").write_text(json.dumps(config | labels, indent=2) + "\n")
    os.rename(made, target)
    return float(head.bias.detach())


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
