"""LURE puts means over chosen pairs right: checked by simulation against the truth, by the sampler's own draws."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.stats.estimates import Estimate
from annotate.stats.lure import Drawn, chains, reweighted, unweighted, weights
from workers.sampling import epoch, fair_quotas

TIMES = 1_500


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def table_of(rows: Sequence[tuple[float, ...]]) -> Drawn:
    epochs, place, pool, left, q, hits, counts = np.array(rows, dtype=float).T
    ints = [column.astype(np.int64) for column in (epochs, place, pool, left)]
    return Drawn(ints[0], ints[1], ints[2], ints[3], q, hits, counts)


def told(drawn: Drawn, how: Callable[[Drawn], Estimate] = reweighted) -> float:
    value = how(drawn).value
    assert value is not None
    return value


def campaign(
    hits: np.ndarray, counts: np.ndarray, epochs: int, want: int, seed: int, grow: int = 0, **rules: object
) -> Drawn:
    """Epochs over a population, each preferring what is like the hits that were found: as adaptive as can be.

    `grow`: so many at the end of the population join the pool after the first epoch."""
    rng = np.random.default_rng(seed)
    groups = np.arange(len(hits)) % 3
    near = np.where(hits > 0, 4.0, 1.0) * (1 + groups)
    left = np.arange(len(hits) - grow)
    columns: list[list[float]] = [[] for _ in range(7)]
    for number in range(1, epochs + 1):
        if number == 2:
            left = np.concatenate([left, np.arange(len(hits) - grow, len(hits))])
        found = np.mean(columns[5]) if columns[5] else 0.5
        told = epoch(
            left,
            near[left] ** (0.5 + found),
            [int(groups[n]) for n in left],
            want,
            rng,
            quotas=fair_quotas([0, 1, 2], slack=1.2),
            **rules,  # type: ignore[arg-type]
        )
        for place, draw in enumerate(told, 1):
            pair = left[draw.index]
            row = (number, place, len(left), draw.pool_size, draw.q, hits[pair], counts[pair])
            for column, one in zip(columns, row, strict=True):
                column.append(one)
        left = np.delete(left, [draw.index for draw in told])
    return table_of(list(zip(*columns, strict=True)))


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"temperature": 0.5},
        {"unknown": {2}},
        {"cells": "cells", "alike": 0.2},
        {"cells": "cells", "alike": 0.1, "unknown": {1, 2}, "uniform_share": 0.4},
    ],
)
@pytest.mark.parametrize("epochs", [1, 3])
def test_its_bias_is_within_its_standard_error(rules, epochs) -> None:
    """Quotas, exploration and near-duplicates in all of it: the mean of v y is exactly unbiased, and with it hits and
    counts, whose ratio `reweighted` tells."""
    size, want = 60, 8
    hits = (np.random.default_rng(7).random(size) < 0.35).astype(float)
    found, plain = [], []
    for seed in range(TIMES):
        mine = dict(rules)
        if "cells" in rules:
            # Of who is left in an epoch: numbered anew each time, as long as the pool is.
            mine.pop("cells")
            drawn = campaign_with_cells(hits, epochs, want, seed, **mine)
        else:
            drawn = campaign(hits, np.ones(size), epochs, want, seed, **mine)
        assert len(chains(drawn)) == 1
        found.append(float(weights(drawn.q, drawn.left, size) @ drawn.hits) / len(drawn))
        plain.append(told(drawn, unweighted))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - hits.mean()) < 3 * error
    # There is something to put right.
    assert abs(np.mean(plain) - hits.mean()) > 10 * error


def campaign_with_cells(hits: np.ndarray, epochs: int, want: int, seed: int, **rules: object) -> Drawn:
    """Pairs 0 to 4 are alike, 5 to 9, and so on."""
    rng, left, rows = np.random.default_rng(seed), np.arange(len(hits)), []
    near = np.where(hits > 0, 4.0, 1.0)
    for number in range(1, epochs + 1):
        told = epoch(
            left,
            near[left],
            [int(n) % 3 for n in left],
            want,
            rng,
            quotas=fair_quotas([0, 1, 2], 1.2),
            cells=left // 5,
            **rules,  # type: ignore[arg-type]
        )
        for place, draw in enumerate(told, 1):
            rows.append((number, place, len(left), draw.pool_size, draw.q, hits[left[draw.index]], 1.0))
        left = np.delete(left, [draw.index for draw in told])
    return table_of(rows)


def test_its_interval_holds_the_truth_and_ratios_are_nearly_unbiased() -> None:
    """Pairs with 0, 1 or 2 labels; a pool that grows after the first epoch: what joined is like what was there."""
    rng = np.random.default_rng(3)
    size = 240
    counts = rng.choice([0.0, 1.0, 2.0], size, p=[0.1, 0.6, 0.3])
    hits = rng.binomial(counts.astype(int), 0.7).astype(float)
    truth = hits.sum() / counts.sum()
    # The joining half has the same mean, so that both chains are about one figure.
    held = values = 0.0
    errors = []
    for seed in range(600):
        told = reweighted(campaign(hits, counts, 3, 25, seed))
        assert told.low is not None and told.high is not None and told.value is not None
        held += told.low <= truth <= told.high
        errors.append(told.value - truth)
        values += told.high - told.low
    assert held / 600 > 0.9
    assert abs(np.mean(errors)) < 0.01
    assert values / 600 < 0.4


@pytest.mark.parametrize(
    ("size", "epochs", "want", "mean", "rules"),
    [
        (240, 3, 25, 0.35, {}),
        (240, 3, 70, 0.35, {}),
        (120, 3, 36, 0.6, {}),
        (240, 1, 40, 0.9, {}),
        (240, 3, 25, 0.35, {"temperature": 0.5}),
        (240, 3, 60, 0.35, {"temperature": 0.5}),
    ],
    ids=["a part", "nearly all", "nearly all of few", "rare misses", "sharply", "sharply, most"],
)
def test_its_interval_is_as_wide_as_the_estimate_is_uncertain(size, epochs, want, mean, rules) -> None:
    """However much of the pool is drawn, and where most draws hit: 300 campaigns over one population."""
    hits = (np.random.default_rng(7).random(size) < mean).astype(float)
    told = [reweighted(campaign(hits, np.ones(size), epochs, want, seed, **rules)) for seed in range(300)]
    low, high, value = (np.array([getattr(one, name) for one in told]) for name in ("low", "high", "value"))
    held = float(((low <= hits.mean()) & (hits.mean() <= high)).mean())
    assert 0.92 <= held <= 0.98, held
    half = np.sqrt(np.mean((high - low) ** 2)) / 2
    # Two standard deviations, give or take what 300 of them and Wilson's interval of few are off by.
    assert half / (1.96 * np.std(value)) == pytest.approx(1, abs=0.15)


def test_chains_end_where_the_pool_grew() -> None:
    rng = np.random.default_rng(5)
    hits = (rng.random(90) < 0.5).astype(float)
    drawn = campaign(hits, np.ones(90), 3, 10, 0, grow=30)
    assert [len(rows) for rows in chains(drawn)] == [10, 20]
    half = np.tile((np.arange(45) % 3 == 0).astype(float), 2)  # both halves alike
    found = [told(campaign(half, np.ones(90), 3, 10, seed, grow=45)) for seed in range(800)]
    assert abs(np.mean(found) - half.mean()) < 0.015  # a ratio of 20 draws or 10


@given(st.integers(2, 40), st.integers(0, 10**6))
def test_drawn_to_the_end_it_is_the_mean(size, seed) -> None:
    hits = np.random.default_rng(seed).random(size)
    told = reweighted(campaign(hits, np.ones(size), 1, size, seed))
    assert told.value == pytest.approx(hits.mean())
    assert told.low == pytest.approx(told.value) and told.high == pytest.approx(told.value)


@given(st.integers(3, 60), st.integers(1, 59))
def test_uniform_draws_weigh_one(size, draws) -> None:
    left = np.arange(size, size - min(draws, size), -1)
    assert weights(1 / left, left, size) == pytest.approx(np.ones(len(left)))


def test_weights_are_those_of_the_paper() -> None:
    """By hand: N = 5, M = 3, q = .5, .25, .4."""
    told = weights(np.array([0.5, 0.25, 0.4]), ints(5, 4, 3), 5)
    by_hand = [1 + 2 / (5 - m) * (1 / ((5 - m + 1) * q) - 1) for m, q in ((1, 0.5), (2, 0.25), (3, 0.4))]
    assert told == pytest.approx(by_hand)
    assert all(a != b for a, b in pairwise(told))


def test_what_cannot_be_told_says_why() -> None:
    one, two = ints(1, 1), ints(1, 2)
    nothing = Drawn(one, two, ints(5, 5), ints(5, 4), np.array([0.2, 0.25]), np.zeros(2), np.zeros(2))
    assert "No pair" in reweighted(nothing).why and "No pair" in unweighted(nothing).why
    closed = Drawn(one, two, ints(5, 5), ints(5, 2), np.array([0.2, 0.5]), np.ones(2), np.ones(2))
    assert "left to chance" in reweighted(closed).why
    single = Drawn(ints(1), ints(1), ints(5), ints(5), np.array([0.2]), np.ones(1), np.ones(1))
    assert reweighted(single).value == 1 and "single" in reweighted(single).why
