"""An epoch's draws: their probabilities are exact, their order stands, quotas hold, nobody is drawn twice."""

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.sampling.draws import ALIKE, EXPLORE_EVERY, Chosen, Groups, epoch, fair_quotas

pools = st.lists(st.tuples(st.floats(0, 100), st.sampled_from("abc")), min_size=1, max_size=30).map(
    lambda rows: ([value for value, _ in rows], [group for _, group in rows])
)
seeds = st.integers(0, 2**32)
shares = st.sampled_from([0.0, 0.2, 1.0])
bounds = st.sampled_from([None, {"a": 0.2}, {"a": 0.5, "b": 0.1, "c": 0.3}])


def drawn(
    values: list[float],
    groups: Groups,
    want: int,
    seed: int,
    share: float = 0.2,
    quotas: Mapping[Any, float] | None = None,
    temperature: float = 1.0,
) -> list[Chosen]:
    rng = np.random.default_rng(seed)
    return epoch(
        range(len(values)),
        values,
        groups,
        want,
        rng,
        uniform_share=share,
        quotas=quotas,
        temperature=temperature,
    )


@given(pools, seeds, shares, bounds)
def test_every_candidate_is_drawn_once_and_the_last_one_surely(pool, seed, share, quotas) -> None:
    values, groups = pool
    chosen = drawn(values, groups, len(values) + 5, seed, share, quotas)
    assert sorted(draw.index for draw in chosen) == list(range(len(values)))
    assert all(0 < draw.q <= 1 and draw.pool_size >= 1 for draw in chosen)
    assert chosen[-1].q == pytest.approx(1, rel=1e-6)


@given(pools, seeds, bounds, st.integers(0, 30))
def test_fewer_draws_are_the_beginning_of_more(pool, seed, quotas, want) -> None:
    values, groups = pool
    assert (
        drawn(values, groups, want, seed, quotas=quotas)
        == drawn(values, groups, 40, seed, quotas=quotas)[:want]
    )


@given(pools, seeds, shares, bounds)
def test_groups_by_number_are_drawn_from_as_by_name(pool, seed, share, quotas) -> None:
    values, groups = pool
    number = {name: 7 - place for place, name in enumerate("abc")}
    numbered = np.array([number[name] for name in groups])
    by_number = {number[name]: bound for name, bound in quotas.items()} if quotas else None
    by_name = drawn(values, groups, 40, seed, share, quotas)
    assert drawn(values, numbered, 40, seed, share, by_number) == by_name
    assert fair_quotas(numbered) == {number[name]: bound for name, bound in fair_quotas(groups).items()}


@given(pools, seeds, shares, st.sampled_from([0.5, 1.0, 2.0]))
def test_q_is_the_share_of_what_is_left(pool, seed, share, temperature) -> None:
    """Added up again from the definition: 1/left by chance, by the policy the weight over the weights left."""
    values, groups = pool
    weights = np.maximum(np.array(values) / (np.mean(values) or 1), 1e-6) ** (1 / temperature)
    left = set(range(len(values)))
    for draw in drawn(values, groups, len(values), seed, share, temperature=temperature):
        assert draw.pool_size == len(left)
        among = sum(weights[index] for index in left)
        expected = share / len(left) + (1 - share) * weights[draw.index] / among
        assert draw.q == pytest.approx(expected, rel=1e-6)
        left.remove(draw.index)


@given(
    pools, seeds, st.sampled_from([0.0, 0.2]), st.sampled_from([{"a": 0.2}, {"a": 0.5, "b": 0.1, "c": 0.3}])
)
def test_no_prefix_exceeds_a_quota_while_another_group_has_room(pool, seed, share, quotas) -> None:
    values, groups = pool
    weights = np.maximum(np.array(values) / (np.mean(values) or 1), 1e-6)
    taken: Counter[str] = Counter()
    left, remaining = Counter(groups), set(range(len(values)))
    for draw in drawn(values, groups, len(values), seed, share, quotas):
        group = groups[draw.index]
        number = taken.total() + 1

        def room(name: str, number: int = number) -> bool:
            return left[name] > 0 and taken[name] < max(1, np.ceil(quotas.get(name, 1.0) * number))

        open_ = [name for name in "abc" if room(name)] or [name for name in "abc" if left[name]]
        among = sum(weights[n] for n in remaining if groups[n] in open_)
        by_policy = weights[draw.index] / among if group in open_ else 0.0
        assert draw.q == pytest.approx(share / len(remaining) + (1 - share) * by_policy, rel=1e-6)
        assert draw.pool_size == (len(remaining) if share else sum(left[name] for name in open_))
        if draw.route == "policy":
            assert group in open_
            taken[group] += 1
        left[group] -= 1
        remaining.remove(draw.index)


@given(pools, seeds)
@settings(max_examples=30)
def test_the_order_of_the_pool_changes_nothing(pool, seed) -> None:
    values, groups = pool
    backwards = epoch(range(len(values))[::-1], values[::-1], groups[::-1], 40, np.random.default_rng(seed))
    assert [len(values) - 1 - draw.index for draw in backwards] == [
        draw.index for draw in drawn(values, groups, 40, seed)
    ]


def as_often_as_q_says(values, groups, want, share, times=12_000, least=11, **rules) -> None:
    """Every way in which the draws may go, `times` times: chi-square against the product of their q's.

    What comes next depends on the routes so far too, where there are quotas: a way is the pairs and the routes. A route
    has its own part of q: what is not the uniform share's is the policy's.
    """
    seen: Counter[tuple[tuple[int, str], ...]] = Counter()
    expected: dict[tuple[tuple[int, str], ...], float] = {}
    for seed in range(times):
        draws = epoch(
            range(len(values)),
            values,
            list(groups),
            want,
            np.random.default_rng(seed),
            uniform_share=share,
            **rules,
        )
        way = tuple((draw.index, draw.route) for draw in draws)
        seen[way] += 1
        by_chance = [share / (len(values) - before) for before in range(want)]
        expected[way] = float(
            np.prod(
                [
                    part if draw.route == "uniform" else draw.q - part
                    for draw, part in zip(draws, by_chance, strict=True)
                ]
            )
        )
    # Ways too rare for chi-square count as one, and with them those that were never seen.
    common = {way: times * p for way, p in expected.items() if times * p >= 5}
    rest = times - sum(common.values())
    assert rest > -1e-6  # the q's sum to no more than 1
    square = sum((seen[way] - often) ** 2 / often for way, often in common.items())
    freedom = len(common) - 1
    if rest >= 5:
        square += (times - sum(seen[way] for way in common) - rest) ** 2 / rest
        freedom += 1
    assert freedom >= least
    # Three and a half standard deviations above what chi-square has on average.
    assert square < freedom + 3.5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize(
    ("values", "groups", "want", "share", "quotas"),
    [
        ([5.0, 3.0, 1.0, 1.0], "aabb", 2, 0.3, None),
        ([5.0, 3.0, 1.0, 1.0], "aabb", 2, 0.3, {"a": 0.4}),
        # Groups that are full for a draw or two and open again.
        ([1.0, 1.0, 1.0, 1.0], "aabb", 3, 0.0, {"a": 0.5}),
        ([1.0, 1.0, 1.0, 1.0], "aabb", 3, 0.3, {"a": 0.5}),
        ([4.0, 2.0, 1.0, 1.0, 1.0], "aaabb", 4, 0.0, {"a": 0.5, "b": 0.5}),
        ([5.0, 1.0, 3.0, 1.0, 2.0, 1.0], "aabbcc", 4, 0.0, {"a": 0.4, "b": 0.34, "c": 0.34}),
        ([5.0, 1.0, 3.0, 1.0, 2.0], "aabbc", 5, 0.2, {"a": 0.34, "b": 0.34, "c": 0.5}),
        # Equal shares, of which one group cannot take its own.
        ([4.0, 2.0, 1.0, 1.0], "aaab", 4, 0.2, fair_quotas("ab")),
    ],
)
def test_what_is_drawn_is_drawn_as_often_as_q_says(values, groups, want, share, quotas) -> None:
    as_often_as_q_says(values, groups, want, share, quotas=quotas)


@pytest.mark.parametrize(
    ("rules", "share"),
    [
        ({"cells": [1, 1, 1, 2, 3], "alike": 0.3}, 0.0),
        ({"cells": [1, 1, 1, 2, 3], "alike": 0.3}, 0.3),
        ({"unknown": {"b"}}, 0.3),
        ({"cells": [1, 2, 1, 2, 3], "alike": 0.1, "unknown": {"b"}, "quotas": {"a": 0.5}}, 0.2),
    ],
)
def test_so_it_is_with_near_duplicates_and_new_criteria(rules, share) -> None:
    as_often_as_q_says([4.0, 2.0, 1.0, 3.0, 1.0], "aaabc", 4, share, **rules)


@given(pools, seeds, shares, bounds, st.sampled_from([(), ("a",), ("b", "c")]), st.integers(1, 6))
def test_the_probabilities_of_all_that_may_come_next_sum_to_one(
    pool, seed, share, quotas, unknown, kinds
) -> None:
    """At each place, of every candidate left: what the stored q of it would have been."""
    values, groups = pool
    cells = [n % kinds for n in range(len(values))]
    weights = (
        np.maximum(np.array(values) / (np.mean(values) or 1), 1e-6) if any(values) else np.ones(len(values))
    )
    taken: Counter[str] = Counter()
    remaining, explored = set(range(len(values))), set()
    for draw in epoch(
        range(len(values)),
        values,
        groups,
        len(values),
        np.random.default_rng(seed),
        uniform_share=share,
        quotas=quotas,
        unknown=unknown,
        cells=cells,
        alike=0.1,
    ):
        number = taken.total()
        left = {groups[n] for n in remaining}
        open_ = {name for name in left if name in unknown and name not in explored}
        if number % EXPLORE_EVERY or not open_:
            shared = quotas or {}
            open_ = {n for n in left if taken[n] < max(1, np.ceil(shared.get(n, 1.0) * (number + 1)))} or left
        among = sum(weights[n] for n in remaining if groups[n] in open_)
        q = {
            n: share / len(remaining) + (1 - share) * (weights[n] / among if groups[n] in open_ else 0.0)
            for n in remaining
        }
        assert sum(q.values()) == pytest.approx(1)
        assert draw.q == pytest.approx(q[draw.index], rel=1e-6)
        taken[groups[draw.index]] += draw.route == "policy"
        explored.add(groups[draw.index])
        remaining.remove(draw.index)
        weights = np.where(np.array(cells) == cells[draw.index], weights * 0.1, weights)
        if max(Counter(cells).values()) > 6:
            break  # what is drawn very often of one cell becomes no less likely for ever


def test_near_duplicates_do_not_fill_a_batch() -> None:
    """Nine tenths of what the policy weighs are copies of one comparison."""
    values, cells = [9.0] * 300 + [1.0] * 300, [7] * 300 + list(range(100, 400))
    copies = [
        sum(
            draw.index < 300
            for draw in epoch(
                range(600), values, ["a"] * 600, 40, np.random.default_rng(seed), cells=cells, alike=alike
            )
        )
        for alike in (1.0, ALIKE)
        for seed in range(20)
    ]
    assert np.mean(copies[:20]) > 27
    assert np.mean(copies[20:]) < 9


@given(seeds, st.integers(1, 4))
def test_new_criteria_are_explored_within_one_batch(seed, new) -> None:
    """However little the model makes of them, and however many pairs the others have; a batch is 20 draws."""
    groups = ["old"] * 500 + [f"new {n}" for n in range(new) for _ in range(2)]
    values = [5.0] * 500 + [0.0] * (2 * new)
    chosen = epoch(
        range(len(values)),
        values,
        groups,
        20,
        np.random.default_rng(seed),
        unknown=set(groups) - {"old"},
        quotas=fair_quotas(groups),
        uniform_share=0.0,
    )
    assert {groups[draw.index] for draw in chosen} == set(groups)


@given(seeds)
def test_a_fifth_is_left_to_chance(seed) -> None:
    chosen = drawn([1.0] * 400, ["a"] * 400, 300, seed)
    by_chance = sum(draw.route == "uniform" for draw in chosen)
    assert abs(by_chance - 60) < 5 * np.sqrt(300 * 0.2 * 0.8)


@given(seeds)
@settings(max_examples=20)
def test_blocks_are_seams_that_nothing_shows(seed) -> None:
    """Candidates beyond one block, of groups that end inside one: each q from its definition."""
    rng = np.random.default_rng(seed)
    values, groups = (
        rng.exponential(size=3000),
        [int(n) for n in rng.choice([0, 1, 2], 3000, p=[0.5, 0.45, 0.05])],
    )
    weights, left = np.maximum(values / values.mean(), 1e-6), np.ones(3000, dtype=bool)
    for draw in epoch(range(3000), values, groups, 60, rng):
        expected = 0.2 / left.sum() + 0.8 * weights[draw.index] / weights[left].sum()
        assert draw.q == pytest.approx(expected, rel=1e-9)
        left[draw.index] = False


@pytest.mark.parametrize(
    ("sizes", "quotas"),
    [({"a": 10, "b": 20}, {"a": 0.34}), ({"a": 6, "b": 12, "c": 12}, {"a": 0.2, "b": 0.4})],
)
def test_an_estimate_by_the_stored_q_is_unbiased_where_groups_close_and_open(sizes, quotas) -> None:
    """LURE (Farquhar, Gal and Rainforth, 2021) of the pool's mean from a part of it, on average over 3,000 epochs."""
    groups = [name for name, size in sizes.items() for _ in range(size)]
    pool, want, times = len(groups), 10, 3_000
    values = np.random.default_rng(7).uniform(0.5, 1.5, pool) * [
        3.0 if name == "a" else 1.0 for name in groups
    ]
    truth = values / values.max() + [name == "a" for name in groups]
    estimates, plain = [], []
    for seed in range(times):
        draws = drawn(values.tolist(), groups, want, seed, 0.2, quotas)
        found = truth[[draw.index for draw in draws]]
        weights = [
            1 + (pool - want) / (pool - m) * (1 / ((pool - m + 1) * draw.q) - 1)
            for m, draw in enumerate(draws, 1)
        ]
        assert [draw.pool_size for draw in draws] == list(range(pool, pool - want, -1))
        estimates.append(np.dot(weights, found) / want)
        plain.append(found.mean())
    error = np.std(estimates) / np.sqrt(times)
    assert abs(np.mean(estimates) - truth.mean()) < 3 * error
    # Without the q's the mean is far off: there is something to put right.
    assert abs(np.mean(plain) - truth.mean()) > 6 * np.std(plain) / np.sqrt(times)


def test_the_policy_prefers_what_teaches_most_and_a_low_temperature_more_so() -> None:
    values = list(np.linspace(0.01, 1, 200))
    ranks = [
        np.mean([d.index for d in drawn(values, ["a"] * 200, 40, 3, share=0.0, temperature=t)])
        for t in (100.0, 1.0, 0.05)
    ]
    assert all(a < b for a, b in pairwise(ranks))
    assert ranks[-1] > 165


def test_a_pool_that_teaches_nothing_is_drawn_evenly() -> None:
    chosen = drawn([0.0] * 4, ["a"] * 4, 1, 1, share=0.0)
    assert chosen[0].q == pytest.approx(0.25)


def test_an_empty_pool_gives_no_draws() -> None:
    assert drawn([], [], 5, 1) == []


def test_fair_quotas_keep_a_crowd_from_taking_all() -> None:
    groups = ["crowd"] * 900 + ["few"] * 50 + ["rare"] * 50
    quotas = fair_quotas(groups, slack=1.2)
    assert quotas == {"crowd": pytest.approx(0.4), "few": pytest.approx(0.4), "rare": pytest.approx(0.4)}
    chosen = drawn([1.0] * 1000, groups, 100, 5, share=0.0, quotas=quotas)
    assert Counter(groups[draw.index] for draw in chosen)["crowd"] == 40


@given(seeds)
def test_by_themselves_quotas_are_equal_shares_of_every_prefix(seed) -> None:
    """However much more is asked of one, and however much more the policy expects of it; what ends leaves the rest more."""
    sizes = {"crowd": 900, "few": 50, "rare": 4}
    groups = [name for name, size in sizes.items() for _ in range(size)]
    chosen = epoch(
        range(len(groups)),
        [9.0 if name == "crowd" else 0.1 for name in groups],
        groups,
        30,
        np.random.default_rng(seed),
        uniform_share=0.0,
        quotas=fair_quotas(groups),
    )
    taken: Counter[str] = Counter()
    for number, draw in enumerate(chosen[:12], 1):
        taken[groups[draw.index]] += 1
        assert max(taken.values()) <= -(-number // 3)
    assert Counter(groups[draw.index] for draw in chosen)["rare"] == 4


@pytest.mark.parametrize(
    ("ids", "values", "groups", "message"),
    [
        ([1, 2], [1.0], ["a", "a"], "2 ids, 1 acquisitions, 2 groups"),
        ([1, 1], [1.0, 1.0], ["a", "a"], "An id stands twice"),
        ([1], [float("nan")], ["a"], "finite number of 0 or more"),
        ([1], [-0.1], ["a"], "finite number of 0 or more"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(ids, values, groups, message) -> None:
    with pytest.raises(ValueError, match=message):
        epoch(ids, values, groups, 1, np.random.default_rng(0))


def test_a_hundred_thousand_candidates_are_drawn_in_seconds() -> None:
    rng = np.random.default_rng(2)
    groups = [int(n) for n in rng.integers(0, 200, 100_000)]
    chosen = epoch(
        range(100_000), rng.exponential(size=100_000), groups, 5_000, rng, quotas=fair_quotas(groups)
    )
    assert len({draw.index for draw in chosen}) == 5_000
