"""What a large model keeps of what it scores, and the small head that learns from it."""

from pathlib import Path

import numpy as np
import pytest

from tests.reward_models.large.test_training import QUICK, words_rule
from workers.reward_models.base import KeepsFeatures, NothingToLearn, Ranker, UnfitArtefact
from workers.reward_models.cached import NOT_SEEN, CachedModel, side_key
from workers.reward_models.evaluation import blind
from workers.reward_models.features.cache import MemoryCache
from workers.reward_models.large.model import TransformersModel
from workers.reward_models.large.reduction import Reduction
from workers.reward_models.settings import SettingsError


@pytest.fixture(scope="module")
def large(words: Path) -> TransformersModel:
    items, verdicts = words_rule(48)
    settings = {**QUICK, "backbone": str(words), "method": "head", "epochs": 1}
    return TransformersModel.train(items, verdicts, cache=MemoryCache(), settings=settings)


def test_a_reduction_keeps_what_the_value_head_reads_and_where_states_differ_most() -> None:
    rng = np.random.default_rng(0)
    spread = np.linspace(5, 0.01, 300)
    states = (rng.normal(size=(600, 300)) * spread + 40).astype(np.float32)
    weight = rng.normal(size=300).astype(np.float32)
    reduction = Reduction.of(states, weight)
    assert reduction.directions.shape == (300, 256)
    assert np.allclose(reduction.directions.T @ reduction.directions, np.eye(256), atol=1e-4)
    reduced = reduction.apply(states)
    values = (states - states.mean(axis=0)) @ weight
    assert np.allclose(reduced[:, 0] * np.linalg.norm(weight), values, atol=1e-2)
    kept = (reduced.astype(np.float64) ** 2).sum() / (
        (states - states.mean(axis=0)).astype(np.float64) ** 2
    ).sum()
    assert kept > 0.98
    assert np.var(reduced[:, 1]) > np.var(reduced[:, 20]) > np.var(reduced[:, 200])
    # No more directions than there are, however narrow the model.
    assert Reduction.of(states[:, :8], weight[:8]).directions.shape == (8, 8)


def test_what_was_scored_is_kept_and_is_the_same_after_loading(
    large: TransformersModel, tmp_path: Path
) -> None:
    assert isinstance(large, KeepsFeatures)
    items, _ = words_rule(12, seed=5)
    cache, again = MemoryCache(), MemoryCache()
    scored = large.score(items, cache=cache)
    large.save(tmp_path / "model.safetensors")
    loaded = TransformersModel.load(tmp_path / "model.safetensors")
    assert loaded.kept_features == large.kept_features
    loaded.score(items[::-1], cache=again)
    keys = [side_key(item, side) for item in items for side in (item.first, item.second)]
    rows, same = cache.get(large.kept_features, keys), again.get(large.kept_features, keys)
    assert rows.keys() == same.keys() == set(keys)
    assert all(np.allclose(rows[key], same[key], atol=2e-2) for key in keys)
    # The first number is the value, in units of the head's length.
    first = [rows[side_key(item, item.first)][0] - rows[side_key(item, item.second)][0] for item in items]
    values = np.array(first, dtype=np.float64) * float(large.head.weight.norm().detach())
    assert np.corrcoef(values, scored.margin)[0, 1] > 0.99
    # Without its criterion a response has what it had under all of them.
    [unasked] = blind(items[:1])
    mean = cache.get(large.kept_features, [side_key(unasked, unasked.first)])
    assert np.allclose(
        mean[side_key(unasked, unasked.first)], rows[side_key(items[0], items[0].first)], atol=1e-2
    )


def test_a_head_on_kept_features_learns_ranks_and_is_even_handed(
    large: TransformersModel, tmp_path: Path
) -> None:
    cache = MemoryCache()
    items, verdicts = words_rule(160, seed=1)
    large.score(items, cache=cache)
    model = CachedModel.train(
        items[:120], verdicts[:120], cache=cache, settings={"features": large.kept_features}
    )
    assert isinstance(model, Ranker)
    scored = model.score(items, cache=cache)
    decided = verdicts[120:] != 0
    right = np.sign(scored.margin[120:][decided]) == verdicts[120:][decided]
    assert right.mean() > 0.8
    turned = model.score([item.swapped() for item in items], cache=cache)
    assert (turned.margin == -scored.margin).all() and (turned.p_first == scored.p_second).all()
    assert scored.cell is not None and turned.cell is not None
    assert (turned.bald == scored.bald).all() and (turned.cell == scored.cell).all()

    seen = model.features(items, cache=cache)
    [(layout, (places, rows))] = seen.rows.items()
    assert model.reads(layout) and not model.reads("phi-other") and len(places) == len(items)
    criteria = ["loud", "quiet"]
    rank = model.ranking(layout, criteria, cache=cache)
    ranked = rank(np.array([criteria.index(item.criterion) for item in items]), rows)
    for name in ("margin", "variance", "p_tie", "bald"):
        assert np.allclose(getattr(ranked, name), getattr(scored, name), atol=1e-4), name

    model.save(tmp_path / "model.safetensors")
    loaded = CachedModel.load(tmp_path / "model.safetensors")
    assert (loaded.score(items, cache=cache).margin == scored.margin).all()
    with pytest.raises(UnfitArtefact, match="backend 'cached'"):
        TransformersModel.load(tmp_path / "model.safetensors")
    (tmp_path / "broken").write_bytes(b"nothing")
    with pytest.raises(UnfitArtefact, match="is not a saved reward model"):
        CachedModel.load(tmp_path / "broken")


def test_what_the_large_model_has_not_seen_is_said(large: TransformersModel) -> None:
    cache = MemoryCache()
    items, verdicts = words_rule(20, seed=2)
    kept = {"features": large.kept_features}
    with pytest.raises(NothingToLearn, match="has scored none of what was judged"):
        CachedModel.train(items, verdicts, cache=cache, settings=kept)
    large.score(items[:16], cache=cache)
    model = CachedModel.train(items, verdicts, cache=cache, settings=kept)
    scored = model.score(items, cache=cache)
    assert scored.without == dict.fromkeys(range(16, 20), NOT_SEEN)
    assert np.isnan(scored.margin[16:]).all() and np.isfinite(scored.margin[:16]).all()
    assert model.features(items, cache=cache).without == scored.without
    for settings in (None, {}, {"features": ""}, {"features": "x", "more": 1}):
        with pytest.raises(SettingsError, match="features: must name"):
            CachedModel.train(items, verdicts, cache=cache, settings=settings)
