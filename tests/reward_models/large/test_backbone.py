"""Backbones are loaded strictly, lazily, and told from one another."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from workers.reward_models.base import UnfitArtefact
from workers.reward_models.large import backbone
from workers.reward_models.large.settings import LargeSettings
from workers.reward_models.settings import SettingsError


def load(folder: Path) -> backbone.Backbone:
    return backbone.load(LargeSettings(str(folder)))


@pytest.fixture
def copy(vl: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(vl, tmp_path / "copy"))


def change(folder: Path, drop: str = "", add: dict[str, torch.Tensor] | None = None) -> None:
    path = folder / "model.safetensors"
    tensors = {key: tensor for key, tensor in load_file(path).items() if not drop or drop not in key}
    save_file(tensors | (add or {}), path, metadata={"format": "pt"})


def test_missing_keys_are_named(copy: Path) -> None:
    change(copy, drop="layers.1.mlp.up_proj")
    with pytest.raises(UnfitArtefact, match=r"missing: .*layers\.1\.mlp\.up_proj\.weight"):
        load(copy)


def test_keys_left_over_are_named(copy: Path) -> None:
    change(copy, add={"model.layers.7.mlp.strange.weight": torch.zeros(2)})
    with pytest.raises(UnfitArtefact, match=r"left over: .*strange\.weight"):
        load(copy)


def test_keys_of_another_shape_are_named(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["text_config"]["intermediate_size"] = 40
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnfitArtefact, match=r"up_proj|size mismatch|shape"):
        load(copy)


def test_the_output_layer_is_not_wanted_and_a_head_is_found(copy: Path, vl: Path) -> None:
    change(copy, drop="lm_head", add={"score.weight": torch.full((1, 32), 0.25)})
    model = load(copy)
    assert torch.equal(model.own_head["score.weight"], torch.full((1, 32), 0.25))
    assert not load(vl).own_head


def test_what_is_no_model_is_said(tmp_path: Path, words: Path) -> None:
    with pytest.raises(UnfitArtefact, match=r"there is no config\.json"):
        load(tmp_path)
    with pytest.raises(UnfitArtefact, match="nothing is downloaded here"):
        load(Path("nobody/nothing"))
    other = Path(shutil.copytree(words, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(UnfitArtefact, match=r"type .bert. are not known here. Known are: llama, qwen2"):
        load(other)
    (other / "tokenizer.json").unlink()
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnfitArtefact, match=r"has no tokenizer\.json"):
        load(other)


def test_a_backbone_is_told_from_another(copy: Path, vl: Path) -> None:
    assert backbone.revision(copy) == backbone.revision(vl)
    tensors = load_file(copy / "model.safetensors")
    first = next(iter(tensors))
    change(copy, add={first: tensors[first] + 1})
    assert backbone.revision(copy) != backbone.revision(vl)


def test_transformers_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys, workers.reward_models.base as base\n"
        "base.backend('transformers')\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'transformers'])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert told.stdout.strip() == "[]", told.stderr


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], "is a mapping of fields, not list"),
        ({}, "backbone: is missing"),
        ({"backbone": "x", "bakcbone": "y"}, "bakcbone: no such field. There are: backbone, head"),
        ({"backbone": 3}, "backbone: is 3; must be text"),
        ({"backbone": "x", "method": "all"}, "method: is 'all'; must be lora or head or full or none"),
        ({"backbone": "x", "template": ["a"]}, "template: is .'a'.; must be criterion-last or omni-reward"),
        ({"backbone": "x", "epochs": 1.5}, "epochs: is 1.5; must be a whole number"),
        ({"backbone": "x", "epochs": 0}, "epochs: is 0; must be at least 1"),
        ({"backbone": "x", "learning_rate": True}, "learning_rate: is True; must be a number"),
        ({"backbone": "x", "learning_rate": float("nan")}, "learning_rate: is nan"),
        (
            {"backbone": "x", "calibration_share": 0.9},
            "calibration_share: is 0.9; must be at least 0 and at most 0.5",
        ),
        ({"backbone": "x", "lora_targets": "q_proj"}, "lora_targets: is 'q_proj'; must be a list of str"),
        ({"backbone": "x", "lora_targets": ["qkv"]}, "lora_targets: 'qkv' is none of q_proj"),
        ({"backbone": "x", "adapter": "/nowhere"}, "adapter: there is no file or folder /nowhere"),
        (
            {"backbone": "x", "batch": 3, "processes": 2},
            "batch: 3 pairs cannot be shared evenly by 2 processes",
        ),
        (
            {"backbone": "x", "sharded": True},
            "sharded: wants processes of 2 or more, and method lora or full",
        ),
    ],
)
def test_what_is_wrong_in_a_specification_is_said(values: object, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        LargeSettings.from_json(values)
