"""Agreement: published figures, and what is undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.stats.agreement import agreement

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units,
# five values, some missing. Published: nominal alpha 0.743.
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


def tallies(observers: list[list[int]]) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    units = list(zip(*observers, strict=True))
    return np.array([[unit.count(value) for value in range(1, 6)] for unit in units])


def test_krippendorffs_own_example() -> None:
    found = agreement(tallies(OBSERVERS))
    assert found.alpha == pytest.approx(0.743, abs=0.0005)
    assert (found.comparisons, found.verdicts, found.pairable) == (12, 41, 11)
    assert found.unanimous == 8


def test_two_observers_two_values() -> None:
    found = agreement(tallies(BINARY))
    assert found.alpha == pytest.approx(0.095, abs=0.0005)
    assert found.percent == pytest.approx(60)


def test_percent_is_the_mean_share_of_agreeing_pairs() -> None:
    assert agreement(np.array([[2, 1, 0], [3, 0, 0]])).percent == pytest.approx((100 / 3 + 100) / 2)


def test_one_verdict_each_tells_nothing() -> None:
    found = agreement(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]]))
    assert (found.comparisons, found.pairable, found.percent, found.alpha) == (2, 0, None, None)


def test_a_single_value_leaves_alpha_undefined() -> None:
    found = agreement(np.array([[3, 0, 0], [2, 0, 0]]))
    assert (found.percent, found.alpha) == (100, None)


def test_nothing_at_all() -> None:
    assert agreement(np.empty((0, 3), dtype=np.int64)).alpha is None


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=30))
def test_alpha_is_one_only_for_perfect_agreement(rows: list[tuple[int, int, int]]) -> None:
    found = agreement(np.array(rows))
    if found.alpha is not None:
        assert found.alpha <= 1 + 1e-9
        assert (found.alpha == pytest.approx(1)) == (found.unanimous == found.pairable)
