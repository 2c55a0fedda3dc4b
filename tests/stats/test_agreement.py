"""Agreement: published figures, another implementation's, and what is undefined."""

import time

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.stats.agreement import (
    NO_VARIATION,
    NOTHING_PAIRABLE,
    agreement,
    cohen,
    ordinal_agreement,
    ordinal_weights,
)
from annotate.stats.estimates import bootstrapped, share
from annotate.stats.patterns import Patterns, counted, gathered

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units,
# five values, some missing. Published: alpha 0.743 nominal, 0.815 ordinal. Gwet's irrCAC, which carries the same
# data as cac.raw4raters: Fleiss' kappa 0.76117, AC1 0.77544, AC2 with ordinal weights 0.89894.
_ = 0
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
# The same text, section A: two observers, ten units, two values. Published: alpha 0.095.
BINARY = [
    [1, 2, 1, 1, 1, 1, 1, 1, 2, 1],
    [2, 2, 2, 1, 1, 2, 1, 1, 1, 1],
]
# Fourteen raters, ten subjects, five categories: the example of Fleiss' kappa in most texts. Published: 0.210.
FOURTEEN = """
0 0 0 0 14;  0 2 6 4 2;  0 0 3 5 6;  0 3 9 2 0;  2 2 8 1 1
7 7 0 0 0;  3 2 6 3 0;  2 5 3 2 2;  6 5 2 1 0;  0 2 2 3 7
"""


def patterns(observers: list[list[int]]) -> Patterns:
    units = list(zip(*observers, strict=True))
    return gathered([[unit.count(value) for value in range(1, 6)] for unit in units])


def test_krippendorffs_and_gwets_example() -> None:
    found, ordinal = agreement(patterns(OBSERVERS)), ordinal_agreement(patterns(OBSERVERS))
    assert found.alpha.value == pytest.approx(0.743, abs=0.0005)
    assert found.fleiss.value == pytest.approx(0.76117, abs=0.000005)
    assert found.ac1.value == pytest.approx(0.77544, abs=0.000005)
    assert ordinal.alpha.value == pytest.approx(0.815, abs=0.0005)
    assert ordinal.ac2.value == pytest.approx(0.89894, abs=0.000005)
    assert (found.comparisons, found.verdicts, found.pairable, found.unanimous) == (12, 41, 11, 8)


def test_two_observers_two_values() -> None:
    found = agreement(patterns(BINARY))
    assert found.alpha.value == pytest.approx(0.095, abs=0.0005)
    assert found.percent.value == pytest.approx(60)


def test_fleiss_of_fourteen_raters() -> None:
    rows = [
        [int(count) for count in row.split()] for row in FOURTEEN.replace("\n", ";").split(";") if row.strip()
    ]
    assert agreement(gathered(rows)).fleiss.value == pytest.approx(0.210, abs=0.0005)


def test_cohens_own_example() -> None:
    # Cohen (1960), table 1: two psychologists, three diagnoses, 200 cases. Published: 0.492.
    assert cohen(np.array([[88, 14, 18], [10, 40, 10], [2, 6, 12]])).value == pytest.approx(0.492, abs=0.0005)


def test_what_is_rare_ruins_kappa_and_not_ac1() -> None:
    # Gwet's example of the paradox: 118 and 0 cases agreed on, 5 and 2 not. Published: kappa -0.0234, AC1 0.9408.
    found = agreement(gathered([[2, 0], [1, 1]], [118, 7]))
    assert cohen(np.array([[118, 5], [2, 0]])).value == pytest.approx(-0.0234, abs=0.0001)
    assert found.ac1.value == pytest.approx(0.9408, abs=0.0001)
    assert found.percent.value == pytest.approx(94.4)


def test_ordinal_weights_credit_what_is_near() -> None:
    assert ordinal_weights(4) == pytest.approx(
        np.array(
            [[1, 5 / 6, 1 / 2, 0], [5 / 6, 1, 5 / 6, 1 / 2], [1 / 2, 5 / 6, 1, 5 / 6], [0, 1 / 2, 5 / 6, 1]]
        )
    )


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=20))
def test_alpha_is_that_of_the_reference(rows: list[tuple[int, ...]]) -> None:
    counts = np.array(rows)
    found, ordinal = agreement(gathered(counts), rounds=2), ordinal_agreement(gathered(counts), rounds=2)
    pairable = counts[counts.sum(axis=1) > 1]
    if found.alpha.value is None:
        assert found.alpha.why == (NO_VARIATION if len(pairable) else NOTHING_PAIRABLE)
        assert (pairable.sum(axis=0) > 0).sum() < 2
        return
    nominal = krippendorff.alpha(value_counts=pairable, level_of_measurement="nominal")
    in_order = krippendorff.alpha(value_counts=pairable, level_of_measurement="ordinal")
    assert found.alpha.value == pytest.approx(float(nominal), abs=1e-9)
    assert ordinal.alpha.value == pytest.approx(float(in_order), abs=1e-9)
    assert (found.alpha.value == pytest.approx(1)) == (found.unanimous == found.pairable)


def test_percent_is_the_mean_share_of_agreeing_pairs() -> None:
    assert agreement(gathered([[2, 1, 0], [3, 0, 0]])).percent.value == pytest.approx((100 / 3 + 100) / 2)


def test_one_verdict_each_tells_nothing() -> None:
    found = agreement(gathered([[1, 0, 0], [0, 1, 0], [0, 0, 0]]))
    assert (found.comparisons, found.pairable) == (2, 0)
    for estimate in (found.percent, found.alpha, found.fleiss, found.ac1):
        assert (estimate.value, estimate.why) == (None, NOTHING_PAIRABLE)


def test_a_single_value_leaves_alpha_and_kappa_undefined() -> None:
    found = agreement(gathered([[3, 0, 0], [2, 0, 0]]))
    assert found.percent.value == 100
    assert found.ac1.value == 1
    assert (found.alpha.value, found.alpha.why) == (None, NO_VARIATION)
    assert (found.fleiss.value, found.fleiss.why) == (None, NO_VARIATION)
    assert cohen(np.array([[5, 0], [0, 0]])).why == "Both always said the same one thing."
    assert cohen(np.zeros((2, 2), dtype=np.int64)).why == "They judged nothing in common."


def test_nothing_at_all() -> None:
    found = agreement(gathered(np.empty((0, 3), dtype=np.int64)))
    assert (found.comparisons, found.alpha.why) == (0, NOTHING_PAIRABLE)


def test_a_single_comparison_has_no_interval() -> None:
    found = agreement(gathered([[2, 1, 0]])).percent
    assert found.value == pytest.approx(100 / 3)
    assert (found.low, found.why) == (None, "A single comparison has no interval.")


def test_the_bootstrap_is_that_of_the_comparisons_themselves() -> None:
    """By patterns, as by drawing one comparison after the other."""
    rng = np.random.default_rng(3)
    counts = counted(np.repeat(np.arange(200), 3), rng.choice(3, 600, p=[0.6, 0.3, 0.1]), 200, 3)
    found = agreement(gathered(counts), rounds=4000).alpha
    one_by_one = [
        krippendorff.alpha(value_counts=counts[rng.integers(200, size=200)], level_of_measurement="nominal")
        for _ in range(1000)
    ]
    low, high = np.quantile(one_by_one, (0.025, 0.975))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.012), pytest.approx(high, abs=0.012))


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Percent agreement of three who each say 1 with p = 0.8 and 2 else: p^2 + (1 - p)^2 in truth."""
    rng, hits = np.random.default_rng(5), 0
    for _ in range(200):
        ones = rng.binomial(3, 0.8, size=150)
        found = agreement(gathered(np.stack([ones, 3 - ones], axis=1)), rounds=300).percent
        assert found.low is not None and found.high is not None
        hits += found.low <= 68 <= found.high
    assert 0.89 <= hits / 200 <= 0.99


def test_a_share_has_wilsons_interval() -> None:
    found = share(7, 20)
    # Wilson (1927) for 7 of 20: 0.181 to 0.567.
    assert (found.value, found.low, found.high) == (
        0.35,
        pytest.approx(0.181, abs=0.001),
        pytest.approx(0.567, abs=0.001),
    )
    assert share(0, 5).low == 0 and share(5, 5).high == 1
    assert share(0, 0, "None judged.").why == "None judged."


def test_many_undefined_resamples_leave_no_interval() -> None:
    found = bootstrapped(
        np.array([1, 1]), lambda weights: np.where(weights[:, 0] == 1, 0.5, np.nan), why="nothing"
    )
    assert (found.value, found.low) == (0.5, None)
    assert "undefined for many resamples" in found.why


def test_values_are_merged() -> None:
    merged = gathered([[1, 0, 2], [0, 1, 2], [3, 0, 0]]).merged([0, 0, 1], 2)
    assert sorted(zip(merged.counts.tolist(), merged.times.tolist(), strict=True)) == [
        ([1, 2], 2),
        ([3, 0], 1),
    ]


def test_many_raters_and_values_are_gathered_too() -> None:
    """Beyond what fits into one number a row."""
    counts = np.random.default_rng(2).integers(0, 60, (40, 12)).repeat(2, axis=0)
    found = gathered(counts)
    assert (len(found.times), set(found.times.tolist())) == (40, {2})


def test_a_million_verdicts_take_no_longer_than_their_patterns() -> None:
    rng = np.random.default_rng(1)
    units, values = np.repeat(np.arange(333_334), 3), rng.choice(7, 1_000_002)
    began = time.process_time()
    found = gathered(counted(units, values, 333_334, 7))
    agreement(found.merged([0, 0, 0, 1, 2, 2, 2], 3))
    ordinal_agreement(found)
    assert time.process_time() - began < 2
