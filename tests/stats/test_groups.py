"""Differences of groups: published and closed-form values, what must not matter, and how often chance alone is called out."""

from itertools import permutations
from math import comb, factorial, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.stats.groups import EXACT, Difference, _ways, adjusted, deals, homogeneity, table_p

Ints = Any


def on_one_unit(table: list[list[int]]) -> tuple[Ints, Ints, Ints, Ints]:
    counts = np.array(table)
    group_of = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
    values = np.concatenate([np.repeat(np.arange(counts.shape[1]), row) for row in counts])
    return np.zeros(len(values), dtype=np.int64), np.arange(len(values)), values, group_of


def test_fishers_tea() -> None:
    """Fisher (1935): 3 of 4 cups right, two-sided p = 34/70 = 0.486; 4 of 4, p = 2/70 = 0.029."""
    found = homogeneity(*on_one_unit([[3, 1], [1, 3]]))
    assert found.exact and found.p == pytest.approx(34 / 70)
    # 10 of 16 pairs between and 6 of 12 within disagree.
    assert found.effect.value == pytest.approx(10 / 16 - 6 / 12)
    assert table_p(((4, 0), (0, 4))) == pytest.approx(2 / 70)


@given(st.integers(2, 6))
def test_two_camps_in_closed_form(size: int) -> None:
    found = homogeneity(*on_one_unit([[size, 0], [0, size]]))
    assert found.effect.value == 1 and found.p == pytest.approx(2 / comb(2 * size, size))


@given(st.integers(2, 5), st.integers(0, 5), st.integers(0, 5))
def test_equal_groups_and_two_values_are_fishers_exact_test(size: int, one: int, other: int) -> None:
    one, other = min(one, size), min(other, size)
    total = one + other

    def probability(of_first: int) -> float:
        return comb(size, of_first) * comb(size, total - of_first) / comb(2 * size, total)

    possible = range(max(0, total - size), min(size, total) + 1)
    seen = probability(one)
    fisher = sum(probability(n) for n in possible if probability(n) <= seen * (1 + 1e-9))
    assert table_p(((one, size - one), (other, size - other))) == pytest.approx(fisher)


judged = st.integers(3, 6).flatmap(
    lambda raters: st.tuples(
        st.lists(st.integers(0, 2), min_size=raters, max_size=raters).filter(lambda g: len(set(g)) > 1),
        st.lists(
            st.lists(st.one_of(st.none(), st.integers(0, 2)), min_size=raters, max_size=raters),
            min_size=1,
            max_size=5,
        ),
    )
)


def arrays(rows: list[list[int | None]]) -> tuple[Ints, Ints, Ints]:
    found = [(u, r, v) for u, row in enumerate(rows) for r, v in enumerate(row) if v is not None]
    units, raters, values = (
        (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
        if found
        else (np.empty(0, dtype=np.int64),) * 3
    )
    return units, raters, values


def numerator(rows: list[list[int | None]], groups: tuple[int, ...]) -> tuple[float, float]:
    """The effect's numerator and denominator, as its definition says it."""
    above = below = 0.0
    for row in rows:
        said = [(g, v) for g, v in zip(groups, row, strict=True) if v is not None]
        pairs = [(a[0] != b[0], a[1] != b[1]) for i, a in enumerate(said) for b in said[i + 1 :]]
        apart = [differ for between, differ in pairs if between]
        within = [differ for between, differ in pairs if not between]
        if apart and within:
            weight = len(apart) * len(within) / len(pairs)
            above += weight * (sum(apart) / len(apart) - sum(within) / len(within))
            below += weight
    return above, below


@settings(max_examples=60, deadline=None)
@given(judged)
def test_as_the_definition_and_all_permutations_say(case: tuple[list[int], list[list[int | None]]]) -> None:
    groups, rows = case
    dense = np.unique(groups, return_inverse=True)[1]
    found = homogeneity(*arrays(rows), dense)
    above, below = numerator(rows, tuple(groups))
    if not below:
        assert found.effect.value is None and found.p is None and found.why
        return
    assert found.effect.value == pytest.approx(above / below)
    all_of_them = [numerator(rows, way)[0] for way in permutations(groups)]
    assert found.exact
    assert found.p == pytest.approx(np.mean([one >= above - 1e-9 for one in all_of_them]))


@settings(max_examples=60, deadline=None)
@given(judged, st.randoms())
def test_names_and_order_do_not_matter(case: tuple[list[int], list[list[int | None]]], chance: Any) -> None:
    groups, rows = case
    dense = np.unique(groups, return_inverse=True)[1]
    units, raters, values = arrays(rows)
    plain = homogeneity(units, raters, values, dense)
    raters_as = np.array(chance.sample(range(len(groups)), len(groups)))
    renamed = np.empty(len(groups), dtype=np.int64)
    renamed[raters_as] = dense.max() - dense
    order = np.array(chance.sample(range(len(units)), len(units)), dtype=np.int64)
    again = homogeneity(7 - units[order], raters_as[raters[order]], (values[order] + 1) % 3, renamed)
    assert (again.p is None) == (plain.p is None)
    if plain.p is not None and again.p is not None:
        assert again.p == pytest.approx(plain.p)
        assert again.effect.value == pytest.approx(plain.effect.value)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_every_way_to_deal_is_there_once(sizes: list[int]) -> None:
    ways = deals(tuple(sizes))
    expected = factorial(sum(sizes)) // prod(factorial(size) for size in sizes)
    assert len(ways) == _ways(tuple(sizes)) == expected == len({tuple(row) for row in ways.tolist()})
    assert all((np.bincount(row, minlength=len(sizes)) == sizes).all() for row in ways)


def test_without_two_groups_or_pairs_of_one_there_is_a_reason() -> None:
    alone = homogeneity(*on_one_unit([[3, 1]]))
    assert (alone.p, alone.effect.value) == (None, None) and "two groups" in alone.why
    apart = homogeneity(*on_one_unit([[1, 0], [0, 1]]))
    assert apart.p is None and "two of one group" in apart.why
    assert homogeneity(*on_one_unit([[3, 0], [3, 0]])).p == 1


def simulated(seed: int, *, shift: float, people: int = 24, units: int = 60) -> Difference:
    """Everybody leans by a taste of their own; the second half by `shift` more. Three judge each unit."""
    rng = np.random.default_rng(seed)
    group_of = np.arange(people) % 2
    taste = np.clip(0.5 + rng.normal(0, 0.25, people) + np.where(group_of, shift, -shift), 0.02, 0.98)
    raters = np.concatenate([rng.choice(people, 3, replace=False) for _ in range(units)])
    values = (rng.random(len(raters)) < taste[raters]).astype(np.int64)
    return homogeneity(np.repeat(np.arange(units), 3), raters, values, group_of, seed=seed)


def test_tastes_of_single_people_are_no_difference_of_groups() -> None:
    """At 5 % about 5 % of projects without any difference of groups are called different, though people differ."""
    found = [simulated(seed, shift=0) for seed in range(120)]
    assert not any(one.exact for one in found)  # there are more than EXACT ways: this tests the drawn ones
    called = sum(one.p is not None and one.p <= 0.05 for one in found)
    assert 0 <= called <= 13, "more than two standard errors above 6"


def test_a_planted_difference_is_found_and_within_its_interval() -> None:
    found = [simulated(seed, shift=0.3, units=400) for seed in range(10)]
    assert all(one.p is not None and one.p < 0.01 and one.effect.low > 0 for one in found)  # type: ignore[operator]


def test_hard_units_that_one_group_happened_to_get_are_no_difference() -> None:
    """Group 0 judged easy units, group 1 hard ones, and a few both: within a unit, all are alike."""
    rng = np.random.default_rng(1)
    rows = []
    for unit in range(400):
        hard = unit % 2
        people = [0, 1, 2, 4] if not hard else [4, 5, 6, 0]
        rows += [(unit, one, int(rng.random() < (0.5 if hard else 0.02))) for one in people]
    units, raters, values = (np.array(column) for column in zip(*rows, strict=True))
    group_of = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = homogeneity(units, raters, values, group_of)
    assert found.effect.value is not None and abs(found.effect.value) < 0.06
    assert found.effect.low < 0 < found.effect.high and found.p > 0.05  # type: ignore[operator]


def test_the_same_verdicts_give_the_same_figures() -> None:
    assert simulated(3, shift=0.1) == simulated(3, shift=0.1)
    assert _ways((12, 12)) > EXACT


def test_benjamini_and_hochbergs_own_example() -> None:
    """Their 1995 paper, section 4: of 15 p values the four smallest are significant at q = 0.05."""
    p = np.array(
        [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
         0.7590, 1.0]
    )  # fmt: skip
    found = adjusted(p)
    assert (found <= 0.05).sum() == 4
    assert found[:4] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625])
    assert adjusted(p[::-1])[::-1] == pytest.approx(found)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_values_step_up_as_the_procedure_does(p: list[float]) -> None:
    found = adjusted(np.array(p))
    assert (found >= np.array(p) - 1e-12).all() and (found <= 1).all()
    for q in (0.01, 0.05, 0.2):
        ordered = sorted(p)
        passed = [n for n, one in enumerate(ordered, start=1) if one <= q * n / len(p) * (1 - 1e-12)]
        assert (found <= q * (1 - 1e-12)).sum() >= (max(passed) if passed else 0)
