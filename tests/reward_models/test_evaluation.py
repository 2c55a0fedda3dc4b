"""Accuracy: ties stand apart, even margins are half right, intervals know that a prompt's comparisons go together."""

import numpy as np
import pytest

from tests.reward_models.judged import BRIEF, THOROUGH, answers, longer_wins, under
from workers.reward_models.base import Scored
from workers.reward_models.builtin import BuiltinModel
from workers.reward_models.evaluation import accuracy, accuracy_with_ties, blind, gain
from workers.reward_models.features.cache import MemoryCache


def test_ties_stand_apart_and_an_even_margin_is_half_right() -> None:
    found = accuracy(np.array([2.0, -1, 3, 0, 5]), np.array([1, -1, -1, 1, 0], dtype=np.int8), list("abcde"))
    assert found is not None
    assert (found.value, found.n, found.groups) == (2.5 / 4, 4, 4)


def test_of_ties_alone_there_is_no_accuracy() -> None:
    assert accuracy(np.array([1.0]), np.array([0], dtype=np.int8), ["a"]) is None


def test_gain_goes_label_by_label_and_is_surer_than_two_accuracies() -> None:
    """One model is right wherever the other is, and now and then besides: what both find hard says nothing of it."""
    rng = np.random.default_rng(5)
    verdicts, groups = np.ones(200, dtype=np.int8), list(range(200))
    others = rng.choice([-1.0, 1.0], size=200, p=[0.4, 0.6])
    margins = np.where(rng.random(200) < 0.2, 1.0, others)
    found = gain(margins, others, verdicts, groups)
    first, second = accuracy(margins, verdicts, groups), accuracy(others, verdicts, groups)
    assert found is not None and first is not None and second is not None
    assert found.value == pytest.approx(first.value - second.value)
    assert 0 < found.low < found.value < found.high
    assert first.low < second.high  # side by side nothing could be told
    swapped = gain(others, margins, verdicts, groups)
    assert swapped is not None and swapped.value == -found.value
    assert gain(margins, others, np.zeros(200, dtype=np.int8), groups) is None


def test_the_interval_is_as_wide_as_there_are_few_prompts() -> None:
    rng = np.random.default_rng(3)
    by_prompt = rng.choice([-1.0, 1.0], size=40, p=[0.3, 0.7])
    margins, verdicts = np.repeat(by_prompt, 10), np.ones(400, dtype=np.int8)
    together = accuracy(margins, verdicts, np.repeat(np.arange(40), 10).tolist())
    apart = accuracy(margins, verdicts, list(range(400)))
    assert together is not None and apart is not None
    assert together.value == apart.value
    width = 2 * 1.96 * np.sqrt(together.value * (1 - together.value) / 40)
    assert together.high - together.low == pytest.approx(width, rel=0.1)
    assert apart.high - apart.low == pytest.approx(width / np.sqrt(10), rel=0.1)


def test_with_ties_the_likeliest_of_three_counts() -> None:
    p = np.array([[0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.1, 0.6, 0.3]])
    scored = Scored(np.zeros(3), p[:, 0], p[:, 1], p[:, 2], np.zeros(3), np.zeros(3))
    found = accuracy_with_ties(scored, np.array([1, 0, 0], dtype=np.int8), "abc")
    assert found is not None and found.value == pytest.approx(2 / 3)


def test_who_is_blind_to_the_criterion_learns_nothing_from_opposed_ones(cache: MemoryCache) -> None:
    items = answers(40)
    both = [*items, *under(items, THOROUGH)]
    verdicts = np.concatenate([-longer_wins(items), longer_wins(items)])
    groups = [item.prompt_text for item in both]
    assert {item.criterion for item in blind(both)} == {""} and both[0].criterion == BRIEF
    seeing = BuiltinModel.train(both[::2], verdicts[::2], cache=cache)
    unseeing = BuiltinModel.train(blind(both[::2]), verdicts[::2], cache=cache)
    sighted = accuracy(seeing.score(both[1::2], cache=cache).margin, verdicts[1::2], groups[1::2])
    blinded = accuracy(unseeing.score(blind(both[1::2]), cache=cache).margin, verdicts[1::2], groups[1::2])
    assert sighted is not None and blinded is not None
    assert sighted.value > 0.95
    assert blinded.value == 0.5
