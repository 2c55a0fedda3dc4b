"""Adapters and a value head learn a planted rule, are saved, loaded and go on as if nothing had happened."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.paths import ROOT
from tests.reward_models.large import tiny
from workers.reward_models.base import Compared, Side, UnfitArtefact, Verdicts
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.large import lora, training, value_head
from workers.reward_models.large.looks import best_of
from workers.reward_models.large.model import TransformersModel
from workers.reward_models.progress import Listener, heard_by

CACHE = MemoryCache()
QUICK = {
    "learning_rate": 0.02,
    "epochs": 3,
    "batch": 8,
    "micro_batch": 4,
    "lora_rank": 4,
    "lora_alpha": 8,
    "calibration_share": 0,
}


def words_rule(count: int, seed: int = 0) -> tuple[list[Compared], Verdicts]:
    """Under "loud" the response in capitals wins, under "quiet" the other; two alike tie."""
    rng = np.random.default_rng(seed)
    items, verdicts = [], []
    for n in range(count):
        said = "".join(rng.choice(list("abcdef"), 6))
        loud, quiet = Side(said.upper()), Side(said)
        wanted = int(rng.integers(2))
        criterion = ("quiet", "loud")[wanted]
        if n % 6 == 5:
            items.append(Compared(f"p{n}", criterion, loud, Side(said[::-1].upper())))
            verdicts.append(0)
            continue
        first_loud = bool(rng.integers(2))
        items.append(Compared(f"p{n}", criterion, *((loud, quiet) if first_loud else (quiet, loud))))
        verdicts.append(1 if first_loud == bool(wanted) else -1)
    return items, np.array(verdicts, dtype=np.int8)


def media_rule(count: int, sound: bool) -> tuple[list[Compared], Verdicts]:
    """The red picture wins; the prompts hold sound, video and a mesh's sheet besides."""
    rng = np.random.default_rng(1)
    items, verdicts = [], []
    for n in range(count):
        red, blue = tiny.image(n, colour=(220, 30, 30)), tiny.image(n, colour=(30, 30, 220))
        first = bool(rng.integers(2))
        prompt = [(), (tiny.video(1, frames=8),), (tiny.mesh(2),), (tiny.audio(3),)][n % (4 if sound else 3)]
        sides = Side(medium=red if first else blue), Side(medium=blue if first else red)
        items.append(Compared(f"draw {n}", "It is red", *sides, prompt_media=prompt))
        verdicts.append(1 if first else -1)
    return items, np.array(verdicts, dtype=np.int8)


def settings(folder: Path, **others: object) -> dict[str, object]:
    return {"backbone": str(folder)} | QUICK | others


def same(
    left: TransformersModel, right: TransformersModel, items: list[Compared], within: float = 1e-5
) -> None:
    one, other = left.score(items, cache=CACHE), right.score(items, cache=CACHE)
    for name in ("margin", "p_first", "p_tie", "variance", "bald"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=within), name


def test_words_are_learned_with_their_criterion(words: Path, tmp_path: Path) -> None:
    items, verdicts = words_rule(72)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=settings(words, epochs=8))
    assert np.mean(model.losses[-9:]) < 0.7 * np.mean(model.losses[:9])
    scored = model.score(items, cache=CACHE)
    decided = verdicts != 0
    assert (np.sign(scored.margin) == verdicts)[decided].mean() > 0.8
    assert scored.p_tie[~decided].mean() > scored.p_tie[decided].mean()
    assert np.allclose(scored.p_first + scored.p_second + scored.p_tie, 1)
    assert (scored.variance > 0).all() and (scored.bald > 0).all()

    swapped = model.score([item.swapped() for item in items], cache=CACHE)
    assert np.allclose(swapped.margin, -scored.margin, atol=1e-5)

    model.save(tmp_path / "model.safetensors")
    loaded = TransformersModel.load(tmp_path / "model.safetensors")
    again = loaded.score(items, cache=CACHE)
    assert np.array_equal(again.margin, scored.margin) and np.array_equal(again.variance, scored.variance)
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("kind", ["vl", "omni", "vl3", "omni3"])
def test_pictures_sound_and_video_end_to_end(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    items, verdicts = media_rule(24, sound="omni" in kind)
    asked = settings(request.getfixturevalue(kind), epochs=6)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked)
    assert np.mean(model.losses[-3:]) < 0.5 * np.mean(model.losses[:3])
    scored = model.score(items, cache=CACHE)
    assert (np.sign(scored.margin) == verdicts).mean() > 0.9
    # Scored together and alone, with the criteria fanned out and not.
    under = [
        Compared(i.prompt_text, c, i.first, i.second, "", i.prompt_media) for i in items[:4] for c in "abc"
    ]
    fanned, _, _ = model.values(under)
    alone = np.concatenate([model.values([one], fan_out=False)[0] for one in under])
    assert np.abs(fanned - alone).max() < 1e-5

    model.save(tmp_path / "model.safetensors")
    again = TransformersModel.load(tmp_path / "model.safetensors").score(items, cache=CACHE)
    assert np.array_equal(again.margin, scored.margin)


def test_what_it_cannot_look_at_is_said(vl: Path, omni: Path) -> None:
    items, verdicts = media_rule(8, sound=False)
    model = TransformersModel.train(
        items, verdicts, cache=CACHE, settings=settings(vl, epochs=1, method="head")
    )
    heard = Compared("What is it?", "right", Side("a"), Side("b"), prompt_media=(tiny.audio(1),))
    broken = tiny.image(1)
    gone = Side(medium=type(broken)(b"x" * 32, "image", {}))
    scored = model.score([items[0], heard, Compared("p", "c", gone, gone), items[1]], cache=CACHE)
    assert scored.without[1] == "it cannot look at audio"
    assert scored.without[2].startswith("image 787878787878 cannot be looked at")
    for column in (
        scored.margin,
        scored.p_first,
        scored.p_second,
        scored.p_tie,
        scored.variance,
        scored.bald,
    ):
        assert np.isnan(column).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="look at none of the items"):
        TransformersModel.train([heard], np.array([1], np.int8), cache=CACHE, settings=settings(vl))


@pytest.mark.parametrize("loss", ["rao_kupper", "bradley_terry"])
def test_a_head_alone_learns(words: Path, loss: str) -> None:
    items, verdicts = words_rule(36)
    asked = settings(words, method="head", loss=loss, epochs=20, learning_rate=0.1)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked)
    assert not model.adapter and model.losses[-1] < model.losses[0]
    assert len(model.losses) == 20 * (5 if loss == "rao_kupper" else 4), "ties are left out by Bradley-Terry"


def test_training_goes_on_where_it_was_interrupted(words: Path, tmp_path: Path, monkeypatch) -> None:
    items, verdicts = words_rule(24)
    asked = settings(words)
    whole = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked)
    kept = asked | {"checkpoints": str(tmp_path), "checkpoint_every": 4}
    steps: list[int] = []
    step = torch.optim.AdamW.step

    def dies(self, *args, **kwargs):
        steps.append(1)
        if len(steps) == 7:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", dies)
    with pytest.raises(KeyboardInterrupt):
        TransformersModel.train(items, verdicts, cache=CACHE, settings=kept)
    resumed = TransformersModel.train(items, verdicts, cache=CACHE, settings=kept)
    assert len(steps) == 7 + 9 - 4, "four steps were kept"
    assert resumed.losses == pytest.approx(whole.losses, abs=1e-6)
    same(whole, resumed, items)
    # What was trained otherwise is not gone on from.
    TransformersModel.train(items, -verdicts, cache=CACHE, settings=kept)
    assert len(steps) == 7 + 5 + 9


def test_batches_are_gathered_from_any_number_of_parts(words: Path) -> None:
    items, verdicts = words_rule(16)
    one, other = (
        TransformersModel.train(items, verdicts, cache=CACHE, settings=settings(words, micro_batch=size))
        for size in (8, 3)
    )
    assert one.losses == pytest.approx(other.losses, abs=1e-5)
    same(one, other, items, within=1e-3)


def test_two_processes_are_as_one(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    items, verdicts = words_rule(16)
    watched = words_rule(7, seed=3)
    asked = settings(words, epochs=2, head_dropout=0.2, watch_every=2)
    told: list[list[tuple[int, int, dict[str, float]]]] = [[], []]

    def heard(which: int) -> Listener:
        return lambda done, total, step, figures: told[which].append((done, total, dict(figures)))

    with heard_by(heard(0)):
        one = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked, watched=watched)
    with heard_by(heard(1)):
        two = TransformersModel.train(
            items, verdicts, cache=CACHE, settings=asked | {"processes": 2}, watched=watched
        )
    # Whoever listens hears of each step the same, whoever takes it.
    assert len(told[0]) == len(told[1]) == len(one.losses)
    for (*place, figures), (*same_place, same_figures) in zip(*told, strict=True):
        assert place == same_place and figures == pytest.approx(same_figures, abs=1e-5)
    assert told[0][1][2].keys() == {"loss", "accuracy", "validation_loss", "validation_accuracy"}
    assert [figures["loss"] for *_, figures in told[0]] == one.losses
    assert one.losses == pytest.approx(two.losses, abs=1e-5)
    assert [(look.step, look.accuracy) for look in one.looks] == [
        (look.step, look.accuracy) for look in two.looks
    ]
    assert [look.loss for look in one.looks] == pytest.approx([look.loss for look in two.looks], abs=1e-5)
    same(one, two, items, within=1e-3)


def test_who_listens_may_end_all_processes(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    items, verdicts = words_rule(16)
    asked = settings(words, epochs=5000, processes=2)

    def enough(done: int, total: int, step: str, figures: object) -> None:
        raise KeyboardInterrupt

    with heard_by(enough), pytest.raises(KeyboardInterrupt):
        TransformersModel.train(items, verdicts, cache=CACHE, settings=asked)
    assert not [one for one in torch.multiprocessing.active_children() if one.is_alive()]


def test_shards_are_as_one_and_kept_whole(
    words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Of fifteen pairs in parts of three one process has a part more than the other, which runs one that counts nothing.
    (items, verdicts), watched = words_rule(15), words_rule(7, seed=3)
    asked = settings(words, method="full", learning_rate=0.003, epochs=2, micro_batch=3, watch_every=2)
    one = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked, watched=watched)
    kept = asked | {"checkpoints": str(tmp_path), "checkpoint_every": 3}
    two = TransformersModel.train(
        items, verdicts, cache=CACHE, settings=kept | {"processes": 2, "sharded": True}, watched=watched
    )
    assert one.losses == pytest.approx(two.losses, abs=1e-4)
    assert [look.loss for look in one.looks] == pytest.approx([look.loss for look in two.looks], abs=1e-4)
    same(one, two, items, within=1e-3)
    # One process goes on from what two of them kept: there is nothing left to do, and the best weights are there.
    steps: list[int] = []
    again = TransformersModel.train(
        items,
        verdicts,
        cache=CACHE,
        settings=kept,
        watched=watched,
        told=lambda step, of, loss: steps.append(step),
    )
    assert not steps and again.looks == two.looks
    same(again, two, items)


def test_adapters_merged_are_as_beside(words: Path) -> None:
    from workers.reward_models.large import backbone
    from workers.reward_models.large.settings import LargeSettings

    model = backbone.load(LargeSettings(str(words)))
    made = lora.attach(model.language, ("q_proj", "down_proj"), 3, 6, seed=1)
    assert len(made) == 4
    generator = torch.Generator().manual_seed(2)
    for layer in made:
        layer.b.data = torch.randn(layer.b.shape, generator=generator)
    ids = torch.arange(40)[None]
    mask = torch.ones_like(ids)
    embeds = model.language.get_input_embeddings()(ids)
    with torch.inference_mode():
        beside, _ = model.decode(embeds, mask, ids)
        first = made[0]
        x = torch.randn(5, first.base.in_features)
        wanted = x @ first.base.weight.T + first.base.bias + 6 / 3 * x @ first.a.T @ first.b.T
        assert torch.allclose(first(x), wanted, atol=1e-5)
    saved = lora.tensors(model.language)
    lora.merge_attached(model.language)
    assert not lora.attached(model.language)
    with torch.inference_mode():
        merged, _ = model.decode(embeds, mask, ids)
    assert (beside - merged).abs().max() < 1e-4 * beside.abs().max()
    # Read from its file into a fresh backbone it is the same again.
    fresh = backbone.load(LargeSettings(str(words)))
    lora.merge(fresh.language, lora.of(saved, 3, 6, "here"), "here")
    with torch.inference_mode():
        loaded, _ = fresh.decode(embeds, mask, ids)
    assert (loaded - merged).abs().max() < 1e-5


def test_the_folder_is_in_the_published_layouts(words: Path, tmp_path: Path) -> None:
    items, verdicts = words_rule(16)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=settings(words, epochs=1))
    model.save_folder(tmp_path)
    head = load_file(tmp_path / "value_head.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in head.items()} == {
        "v_head.summary.weight": (1, 32),
        "v_head.summary.bias": (1,),
    }
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA" and config["r"] == 4 and config["lora_alpha"] == 8
    adapter = load_file(tmp_path / "adapter_model.safetensors")
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in adapter
    assert len(adapter) == 2 * 7 * 2
    # Somebody else's model, used as it is: only calibrated.
    as_it_is = TransformersModel.train(
        items,
        verdicts,
        cache=CACHE,
        settings={"backbone": str(words), "adapter": str(tmp_path), "head": str(tmp_path), "method": "none"},
    )
    assert np.allclose(as_it_is.values(items)[0], model.values(items)[0], atol=1e-5)
    assert not as_it_is.calibration.seen and as_it_is.calibration.labels == 16
    as_it_is.save(tmp_path / "model.safetensors")
    again = TransformersModel.load(tmp_path / "model.safetensors")
    same(as_it_is, again, items)


@pytest.mark.parametrize(
    ("change", "words_"),
    [
        ({"r": 5}, "has A .4, 32. and B .32, 4.; wanted are .5, 32."),
        ({"use_dora": True}, "use_dora is True"),
        ({"use_rslora": True}, "use_rslora is True"),
        ({"modules_to_save": ["score"]}, "modules_to_save is"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"lora_alpha": "no"}, "r and lora_alpha must be numbers"),
    ],
)
def test_adapters_of_another_arithmetic_are_refused(tmp_path: Path, words: Path, change, words_: str) -> None:
    _adapter(tmp_path, change)
    with pytest.raises(UnfitArtefact, match=words_):
        _merge(tmp_path, words)


@pytest.mark.parametrize(
    ("keys", "words_"),
    [
        (
            {"base_model.model.visual.blocks.0.attn.qkv.lora_A.weight": (4, 32)},
            "left over are base_model.model.visual",
        ),
        (
            {"base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight": (4, 32)},
            "B is missing of layers.9",
        ),
        (
            {f"base_model.model.model.layers.9.self_attn.q_proj.lora_{x}.weight": (4, 4) for x in "AB"},
            "no layer layers.9.self_attn.q_proj",
        ),
    ],
)
def test_adapters_of_other_layers_are_refused(tmp_path: Path, words: Path, keys, words_: str) -> None:
    _adapter(tmp_path, {}, {key: torch.zeros(shape) for key, shape in keys.items()})
    with pytest.raises(UnfitArtefact, match=words_):
        _merge(tmp_path, words)


def _adapter(folder: Path, change: dict, more: dict | None = None) -> None:
    from safetensors.torch import save_file

    config = lora.config(4, 8, ("q_proj",), "x") | change
    (folder / lora.CONFIG).write_text(json.dumps(config))
    key = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    save_file(
        {f"{key}A.weight": torch.zeros(4, 32), f"{key}B.weight": torch.zeros(32, 4)} | (more or {}),
        folder / lora.FILE,
    )


def _merge(folder: Path, words: Path) -> None:
    from workers.reward_models.large import backbone
    from workers.reward_models.large.settings import LargeSettings

    model = backbone.load(LargeSettings(str(words)))
    lora.merge(model.language, lora.read(folder), str(folder))


def test_the_losses_are_those_of_the_statistics() -> None:
    from workers.reward_models import rao_kupper

    margin, verdict = np.array([-2.0, 0.1, 3.0, 0.5]), np.array([1, 0, -1, 1])
    found = training.pair_loss(
        torch.tensor(margin), torch.tensor(verdict), torch.tensor(0.4, dtype=torch.float64)
    )
    assert np.allclose(found.numpy(), -rao_kupper.log_likelihood(margin, 0.4, verdict))
    plain = training.pair_loss(torch.tensor(margin), torch.tensor([1, 1, -1, -1]), None)
    assert np.allclose(plain.numpy(), np.log1p(np.exp(-margin * np.array([1, 1, -1, -1]))))


def test_heads_of_other_shapes_and_keys_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / value_head.FILE
    with pytest.raises(UnfitArtefact, match="There is no"):
        value_head.read(tmp_path, 32)
    path.with_suffix(".bin").write_bytes(b"x")
    with pytest.raises(UnfitArtefact, match=r"value_head\.bin is a pickle"):
        value_head.read(tmp_path, 32)
    for tensors, told in (
        (
            {"v_head.summary.weight": torch.zeros(1, 16)},
            "shapes .1, 16. and .1,.; this backbone wants .1, 32.",
        ),
        ({"score.weight": torch.zeros(2, 32)}, "shapes .2, 32."),
        (
            {"score.weight": torch.zeros(1, 32), "score.bias": torch.zeros(1)},
            "holds score.bias, score.weight",
        ),
        ({"v_head.summary.bias": torch.zeros(1)}, "holds v_head.summary.bias; a value head is"),
    ):
        save_file(tensors, path)
        with pytest.raises(UnfitArtefact, match=told):
            value_head.read(tmp_path, 32)
    save_file({"score.weight": torch.full((1, 32), 0.5)}, path)
    assert value_head.read(tmp_path, 32)(torch.ones(32)).item() == 16


def test_the_whole_decoder_is_trained_saved_and_loaded(words: Path, tmp_path: Path) -> None:
    items, verdicts = words_rule(24)
    asked = settings(words, method="full", learning_rate=0.003, head_dropout=0.1, epochs=4)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked)
    assert np.mean(model.losses[-3:]) < np.mean(model.losses[:3])
    before = load_file(words / "model.safetensors")
    after = model.backbone.language.state_dict()
    for name in ("embed_tokens.weight", "layers.0.self_attn.q_proj.weight", "norm.weight"):
        assert not torch.equal(after[name], before[f"model.{name}"]), f"{name} stood still"
    model.save(tmp_path / "model.safetensors")
    loaded = TransformersModel.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.values(items)[0], model.values(items)[0])
    model.save_folder(tmp_path / "out")
    written = load_file(tmp_path / "out" / "decoder.safetensors")
    assert torch.equal(written["norm.weight"], after["norm.weight"])
    # In parts of any size it is the same: what is blanked hangs on the pair and the step.
    other = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked | {"micro_batch": 3})
    assert other.losses == pytest.approx(model.losses, abs=1e-4)


def test_training_stops_where_watched_pairs_get_no_better(words: Path, tmp_path: Path) -> None:
    items, verdicts = words_rule(24)
    # What is watched says the opposite: each step away from the beginning makes it worse.
    watched = items, -verdicts
    asked = settings(words, watch_every=1, patience=2, epochs=8)
    model = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked, watched=watched)
    best = best_of(model.looks)
    assert [look.step for look in model.looks] == list(range(1, best.step + 3))
    assert len(model.losses) == best.step + 2 < 24
    # The weights kept are those of the best look, not the last ones.
    again = TransformersModel.train(
        items, verdicts, cache=CACHE, settings=asked | {"patience": 0}, watched=watched
    )
    assert len(again.looks) == 24 and best_of(again.looks) == best
    same(model, again, items)
    model.save(tmp_path / "model.safetensors")
    assert TransformersModel.load(tmp_path / "model.safetensors").looks == model.looks


KILLED = """
import json, os, signal, sys
import numpy as np, torch
from tests.reward_models.large.test_training import CACHE, words_rule
from workers.reward_models.large import training
from workers.reward_models.large.model import TransformersModel

torch.set_num_threads(1)
saves = 0
replace = os.replace

def killed(source, target):
    global saves
    replace(source, target)
    saves += str(target).endswith(training._FILE)
    if saves == 2:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = killed
items, verdicts = words_rule(24)
TransformersModel.train(items, verdicts, cache=CACHE, settings=json.loads(sys.argv[1]), watched=words_rule(8, seed=3))
"""


def test_killed_it_goes_on_to_the_same_model(words: Path, tmp_path: Path) -> None:
    items, verdicts = words_rule(24)
    watched = words_rule(8, seed=3)
    asked = settings(words, watch_every=2, head_dropout=0.1)
    whole = TransformersModel.train(items, verdicts, cache=CACHE, settings=asked, watched=watched)
    kept = asked | {"checkpoints": str(tmp_path), "checkpoint_every": 3}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(kept)], cwd=ROOT, capture_output=True, timeout=120
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    steps: list[int] = []
    resumed = TransformersModel.train(
        items,
        verdicts,
        cache=CACHE,
        settings=kept,
        watched=watched,
        told=lambda step, of, loss: steps.append(step),
    )
    assert steps == [7, 8, 9], "six steps were kept"
    assert resumed.losses == pytest.approx(whole.losses, abs=1e-6)
    assert [look.step for look in resumed.looks] == [2, 4, 6, 8, 9]
    same(whole, resumed, items)
