"""The embedded model: the criterion decides, sides are interchangeable, what is saved is what was trained."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.reward_models.judged import BRIEF, THOROUGH, answers, longer_wins, under
from workers.reward_models import builtin
from workers.reward_models.base import Compared, RewardModel, Side, UnfitArtefact, backend
from workers.reward_models.builtin import BuiltinModel
from workers.reward_models.features.cache import MemoryCache


@pytest.fixture(scope="module")
def model(cache: MemoryCache) -> BuiltinModel:
    """Trained on judgments that call the short answer brief and the long one thorough, with ties between equals."""
    items = answers(40)
    even = [replace(item, second=item.first) for item in items[:12]]
    verdicts = longer_wins(items)
    return BuiltinModel.train(
        [*items, *under(items, THOROUGH), *even],
        np.concatenate([-verdicts, verdicts, np.zeros(12, dtype=np.int8)]),
        cache=cache,
    )


def test_the_registry_finds_it_and_names_what_there_is() -> None:
    assert backend("builtin") is BuiltinModel
    with pytest.raises(LookupError, match=r"No reward model is called 'bultin'\. There are: builtin"):
        backend("bultin")


def test_it_answers_the_protocol(model: BuiltinModel) -> None:
    assert isinstance(model, RewardModel)


def test_opposed_criteria_give_one_pair_margins_of_opposite_sign(
    model: BuiltinModel, cache: MemoryCache
) -> None:
    fresh = answers(20, seed=1)
    longer = longer_wins(fresh)
    assert np.all(model.score(fresh, cache=cache).margin * longer < -1)
    assert np.all(model.score(under(fresh, THOROUGH), cache=cache).margin * longer > 1)


def test_a_paraphrase_is_judged_as_its_like(model: BuiltinModel, cache: MemoryCache) -> None:
    fresh = answers(20, seed=1)
    longer = longer_wins(fresh)
    for paraphrase, sign in (("The answer is brief and short", -1), ("The answer goes into all details", 1)):
        margin = model.score(under(fresh, paraphrase), cache=cache).margin
        assert np.mean(margin * longer * sign > 0) > 0.9


def test_what_was_never_judged_is_more_uncertain(model: BuiltinModel, cache: MemoryCache) -> None:
    fresh = answers(20, seed=1)
    known = model.score(fresh, cache=cache)
    unmet = model.score(under(fresh, "It rhymes like a sonnet"), cache=cache)
    assert np.all(unmet.variance > known.variance)
    assert unmet.bald.mean() > known.bald.mean()


texts = st.sampled_from(
    [
        "",
        " ",
        "Yes.",
        "No!",
        "- one\n- two",
        "```\ncode\n```",
        "naïve café, 東京",
        "\U0001f980" * 9,
        "a " * 40,
    ]
)
compared = st.builds(
    Compared,
    st.just("Tell me about rivers"),
    st.sampled_from([BRIEF, THOROUGH, "It rhymes"]),
    st.builds(Side, texts),
    st.builds(Side, texts),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(compared, min_size=1, max_size=6))
def test_swapped_sides_negate_the_margin_exactly(
    model: BuiltinModel, cache: MemoryCache, items: list[Compared]
) -> None:
    there = model.score(items, cache=cache)
    # In another order and company: an item's score is its own.
    back = model.score([answers(1)[0], *(item.swapped() for item in reversed(items))], cache=cache)
    for mine, theirs, sign in (
        (there.margin, back.margin, -1),
        (there.p_first, back.p_second, 1),
        (there.p_second, back.p_first, 1),
        (there.p_tie, back.p_tie, 1),
        (there.variance, back.variance, 1),
        (there.bald, back.bald, 1),
    ):
        np.testing.assert_array_equal(mine, sign * theirs[:0:-1])


def test_exchanged_labels_train_the_same_model(cache: MemoryCache) -> None:
    items = answers(40)
    verdicts = longer_wins(items)
    one = BuiltinModel.train(items, verdicts, cache=cache)
    other = BuiltinModel.train([item.swapped() for item in items], -verdicts, cache=cache)
    np.testing.assert_allclose(other.heads["text"].weights, one.heads["text"].weights, atol=1e-9)


def test_it_is_saved_whole_and_the_same_training_saves_the_same_bytes(
    cache: MemoryCache, tmp_path: Path
) -> None:
    items = answers(40)
    for name in ("one", "two"):
        BuiltinModel.train(items, longer_wins(items), cache=cache, seed=7).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()

    trained = BuiltinModel.train(items, longer_wins(items), cache=cache, seed=7)
    loaded = BuiltinModel.load(tmp_path / "one")
    assert loaded.labels == {"text": 40}
    for mine, theirs in zip(
        builtin._columns(trained.score(items, cache=cache)),
        builtin._columns(loaded.score(items, cache=cache)),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "0"}, "version '0', this code reads '3': train the model anew"),
        ({"backend": "omni"}, "backend 'omni', this code reads 'builtin'"),
        ({"embeddings": "minilm-other"}, "embeddings 'minilm-other'"),
        ({"forms": {"text": {"features": ["text-0"]}}}, r"trained on features \['text-0'\] of text"),
    ],
)
def test_another_version_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    config = {"backend": "builtin", "version": "3", "embeddings": builtin.minilm.VERSION, "forms": {}}
    path = tmp_path / "model"
    save_file({"x": np.zeros(1)}, path, metadata={"config": json.dumps(config | change)})
    with pytest.raises(UnfitArtefact, match=message):
        BuiltinModel.load(path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(UnfitArtefact, match="is not a saved reward model"):
        BuiltinModel.load(tmp_path / "model")


def test_verdicts_that_fit_no_item_are_refused(cache: MemoryCache) -> None:
    items = answers(3)
    with pytest.raises(ValueError, match="3 items have 2 verdicts"):
        BuiltinModel.train(items, np.array([1, 0], dtype=np.int8), cache=cache)
    with pytest.raises(ValueError, match="A verdict is 1"):
        BuiltinModel.train(items, np.array([1, 0, 2], dtype=np.int8), cache=cache)
