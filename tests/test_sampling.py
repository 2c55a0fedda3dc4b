"""An epoch's draws: their probabilities are exact, their order stands, quotas hold, nobody is drawn twice."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.sampling import Chosen, epoch, fair_quotas

pools = st.lists(st.tuples(st.floats(0, 100), st.sampled_from("abc")), min_size=1, max_size=30).map(
    lambda rows: ([value for value, _ in rows], [group for _, group in rows])
)
seeds = st.integers(0, 2**32)
shares = st.sampled_from([0.0, 0.2, 1.0])
bounds = st.sampled_from([None, {"a": 0.2}, {"a": 0.5, "b": 0.1, "c": 0.3}])


def drawn(
    values: list[float],
    groups: list[str],
    want: int,
    seed: int,
    share: float = 0.2,
    quotas: dict[str, float] | None = None,
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


@given(pools, seeds, shares, st.sampled_from([0.5, 1.0, 2.0]))
def test_q_is_the_share_of_what_is_left(pool, seed, share, temperature) -> None:
    """Added up again from the definition: uniform 1/left, policy the weight over the weights left."""
    values, groups = pool
    weights = np.maximum(np.array(values) / (np.mean(values) or 1), 1e-6) ** (1 / temperature)
    left = set(range(len(values)))
    for draw in drawn(values, groups, len(values), seed, share, temperature=temperature):
        assert draw.pool_size == len(left)
        among = sum(weights[index] for index in left)
        expected = 1 / len(left) if draw.route == "uniform" else weights[draw.index] / among
        assert draw.q == pytest.approx(expected, rel=1e-6)
        left.remove(draw.index)


@given(pools, seeds, st.sampled_from([{"a": 0.2}, {"a": 0.5, "b": 0.1, "c": 0.3}]))
def test_no_prefix_exceeds_a_quota_while_another_group_has_room(pool, seed, quotas) -> None:
    values, groups = pool
    taken: Counter[str] = Counter()
    left = Counter(groups)
    for draw in drawn(values, groups, len(values), seed, quotas=quotas):
        group = groups[draw.index]
        if draw.route == "policy":
            number = taken.total() + 1

            def room(name: str, number: int = number) -> bool:
                return left[name] > 0 and taken[name] < max(1, np.ceil(quotas.get(name, 1.0) * number))

            open_ = [name for name in "abc" if room(name)] or [name for name in "abc" if left[name]]
            assert group in open_
            assert draw.pool_size == sum(left[name] for name in open_)
            taken[group] += 1
        left[group] -= 1


@given(pools, seeds)
@settings(max_examples=30)
def test_the_order_of_the_pool_changes_nothing(pool, seed) -> None:
    values, groups = pool
    backwards = epoch(range(len(values))[::-1], values[::-1], groups[::-1], 40, np.random.default_rng(seed))
    assert [len(values) - 1 - draw.index for draw in backwards] == [
        draw.index for draw in drawn(values, groups, 40, seed)
    ]


@pytest.mark.parametrize("quotas", [None, {"a": 0.4}])
def test_what_is_drawn_is_drawn_as_often_as_q_says(quotas) -> None:
    """Every way in which two draws may go, 12,000 times: chi-square against the product of their q's."""
    values, groups, share, times = [5.0, 3.0, 1.0, 1.0], ["a", "a", "b", "b"], 0.3, 12_000
    seen: Counter[tuple[tuple[int, str], ...]] = Counter()
    expected: dict[tuple[tuple[int, str], ...], float] = {}
    for seed in range(times):
        draws = drawn(values, groups, 2, seed, share, quotas)
        way = tuple((draw.index, draw.route) for draw in draws)
        seen[way] += 1
        expected[way] = float(
            np.prod([draw.q * (share if draw.route == "uniform" else 1 - share) for draw in draws])
        )
    assert sum(expected.values()) == pytest.approx(1, abs=1e-9)  # every way was seen, and the q's sum to 1
    square = sum((seen[way] - times * p) ** 2 / (times * p) for way, p in expected.items())
    freedom = len(expected) - 1
    # Three standard deviations above what chi-square has on average.
    assert square < freedom + 3 * np.sqrt(2 * freedom)


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
