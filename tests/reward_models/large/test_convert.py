"""manage.py convert_omni_reward, on a tiny checkpoint in the layout that Omni-RewardModel was published in."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from safetensors.torch import load_file, save_file

from tests.reward_models.large.test_training import CACHE, settings, words_rule
from workers.reward_models.base import UnfitArtefact
from workers.reward_models.large.convert import convert
from workers.reward_models.large.model import TransformersModel

WIDTH = 8


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """MiniCPM-o 2.6 in two shards with an index, its remote code, its tokenizer, and the head beside it."""
    folder = tmp_path / "OmniRewardModel"
    folder.mkdir()
    shards = {
        "model-00001-of-00002.safetensors": [
            "llm.model.embed_tokens.weight",
            "llm.lm_head.weight",
            "vpm.encoder.weight",
        ],
        "model-00002-of-00002.safetensors": [
            "resampler.query",
            "apm.layers.0.fc1.weight",
            "audio_projection_layer.linear1.weight",
            "tts.emb.weight",
        ],
    }
    for name, keys in shards.items():
        save_file({key: torch.randn(4, WIDTH) for key in keys}, folder / name, metadata={"format": "pt"})
    weight_map = {key: name for name, keys in shards.items() for key in keys}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    config = {"architectures": ["MiniCPMO"], "model_type": "minicpmo", "hidden_size": WIDTH, "version": "2.6"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "modeling_minicpmo.py").write_text("# remote code\n")
    head = {
        "v_head.summary.weight": torch.arange(float(WIDTH))[None],
        "v_head.summary.bias": torch.tensor([0.25]),
    }
    save_file(head, folder / "value_head.safetensors", metadata={"format": "pt"})
    return folder


def test_the_head_becomes_score_weight(
    released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "made" / "reward"
    call_command("convert_omni_reward", str(released), str(target))
    told = capsys.readouterr().out
    assert "its bias of +0.25 cancels in pairs" in told and "--convert classify" in told
    index = json.loads((target / "model.safetensors.index.json").read_text())
    assert index["weight_map"]["score.weight"] == "model-score.safetensors"
    assert len(index["weight_map"]) == 8
    # What the index names is there, whole and unchanged; nothing else is read by a server.
    for key, name in index["weight_map"].items():
        tensor = load_file(target / name)[key]
        if key == "score.weight":
            assert torch.equal(tensor, torch.arange(float(WIDTH))[None])
        else:
            assert torch.equal(tensor, load_file(released / name)[key])
    assert {path.name for path in target.glob("*.safetensors")} == set(index["weight_map"].values())
    config = json.loads((target / "config.json").read_text())
    assert (
        config["architectures"] == ["MiniCPMO"]
        and config["num_labels"] == 1
        and config["hidden_size"] == WIDTH
    )
    assert (target / "modeling_minicpmo.py").read_text() == "# remote code\n"
    # Files are linked: the one that was changed must be another.
    assert "num_labels" not in (released / "config.json").read_text()
    assert (released / "value_head.safetensors").is_file()
    assert [path.name for path in target.parent.iterdir()] == ["reward"], "nothing unfinished is left"


def test_one_file_without_an_index_is_converted_too(released: Path, tmp_path: Path) -> None:
    (released / "model.safetensors.index.json").unlink()
    (released / "model-00002-of-00002.safetensors").unlink()
    tensors = load_file(released / "model-00001-of-00002.safetensors")
    (released / "model-00001-of-00002.safetensors").rename(released / "model.safetensors")
    save_file(tensors | {"resampler.query": torch.zeros(2)}, released / "model.safetensors")
    assert convert(released, tmp_path / "reward") == 0.25
    index = json.loads((tmp_path / "reward" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"].values()) == {"model-backbone.safetensors", "model-score.safetensors"}


def test_what_is_wrong_is_said(released: Path, tmp_path: Path) -> None:
    def refused(words: str, target: str = "reward") -> None:
        with pytest.raises(CommandError, match=words):
            call_command("convert_omni_reward", str(released), str(tmp_path / target))
        assert not (tmp_path / "reward").exists()

    (tmp_path / "there").mkdir()
    refused("there is there already", "there")
    shard = released / "model-00002-of-00002.safetensors"
    whole = load_file(shard)
    save_file({key: tensor for key, tensor in whole.items() if key != "resampler.query"}, shard)
    refused(r"names keys that are missing: resampler\.query")
    (released / "model.safetensors.index.json").unlink()
    refused(r"missing is all of resampler\.\*")
    save_file(whole | {"visual.strange": torch.zeros(2)}, shard)
    refused(r"left over are visual\.strange")
    save_file(whole, shard)
    head = load_file(released / "value_head.safetensors")
    save_file(
        {"v_head.summary.weight": torch.zeros(1, 5)} | {"v_head.summary.bias": torch.zeros(1)},
        released / "value_head.safetensors",
    )
    refused("this backbone wants .1, 8.")
    (released / "value_head.safetensors").unlink()
    (released / "value_head.bin").write_bytes(b"pickle")
    refused(r"value_head\.bin is a pickle")
    save_file(head, released / "value_head.safetensors")
    (released / "config.json").write_text("[]")
    refused("is no JSON object")


def test_what_is_converted_needs_no_second_time(released: Path, tmp_path: Path) -> None:
    convert(released, tmp_path / "reward")
    with pytest.raises(UnfitArtefact, match=r"has a score\.weight already"):
        convert(tmp_path / "reward", tmp_path / "again")


def test_what_was_trained_here_is_added_to_its_backbone(vl: Path, tmp_path: Path) -> None:
    """As if vLLM had loaded it: the converted checkpoint alone says what backbone, adapter and head say together."""
    items, verdicts = words_rule(16)
    asked = settings(vl, epochs=1, learning_rate=0.05)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked)
    model.save_folder(tmp_path / "trained")
    bias = convert(vl, tmp_path / "reward", head=tmp_path / "trained", adapter=tmp_path / "trained")
    assert bias == pytest.approx(float(model.head.bias.detach()))
    alone = TransformersModel.train(
        items, verdicts, cache=CACHE, settings={"backbone": str(tmp_path / "reward"), "method": "none"}
    )
    assert not alone.adapter
    wanted = model.values(items)[0]
    assert abs(wanted).max() > 0.01
    assert np.allclose(alone.values(items)[0], wanted, atol=1e-5)
    plain = TransformersModel.train(
        items,
        verdicts,
        cache=CACHE,
        settings={"backbone": str(vl), "method": "none", "head": str(tmp_path / "trained")},
    )
    assert abs(plain.values(items)[0] - wanted).max() > 1e-3, "the adapter says something"


def test_an_adapter_of_other_layers_is_refused(words: Path, released: Path, tmp_path: Path) -> None:
    items, verdicts = words_rule(8)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=settings(words, epochs=1))
    model.save_folder(tmp_path / "trained")
    with pytest.raises(UnfitArtefact, match=r"has 0 layers layers\.0\.\w+\.\w+, not one"):
        convert(released, tmp_path / "reward", adapter=tmp_path / "trained")
    assert not (tmp_path / "reward").exists()
