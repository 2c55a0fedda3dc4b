"""Ties after Rao and Kupper: closed forms, derivatives, and what one more label would teach."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.reward_models import rao_kupper

margins = st.floats(-30, 30)
thresholds = st.floats(1e-6, 10)


@given(margins, thresholds)
def test_probabilities_are_those_of_worths(margin: float, threshold: float) -> None:
    """In Rao and Kupper's own words: worths a and b, and a win only by the factor theta."""
    a, b, theta = math.exp(margin), 1.0, math.exp(threshold)
    first, second, tie = rao_kupper.probabilities(margin, threshold)
    assert first == pytest.approx(a / (a + theta * b), rel=1e-9)
    assert second == pytest.approx(b / (b + theta * a), rel=1e-9)
    assert tie == pytest.approx((theta**2 - 1) * a * b / ((a + theta * b) * (b + theta * a)), rel=1e-9)
    assert first + second + tie == pytest.approx(1, abs=1e-12)


def test_even_sides_tie_as_often_as_the_threshold_says() -> None:
    assert rao_kupper.probabilities(0.0, 0.7).tie == pytest.approx(math.tanh(0.35), rel=1e-12)


@given(margins, thresholds)
def test_swapping_exchanges_the_sides_exactly(margin: float, threshold: float) -> None:
    there, back = rao_kupper.probabilities(margin, threshold), rao_kupper.probabilities(-margin, threshold)
    assert (there.first, there.second) == (back.second, back.first)
    assert there.tie == pytest.approx(float(back.tie), rel=1e-15)


@pytest.mark.parametrize("verdict", [1, -1, 0])
@pytest.mark.parametrize(("margin", "threshold"), [(0.3, 0.2), (-2.0, 1.5), (8.0, 0.05)])
def test_derivatives_are_the_differences_of_the_likelihood(
    margin: float, threshold: float, verdict: int
) -> None:
    step = 1e-4

    def at(dm: int, dt: int) -> float:
        return float(rao_kupper.log_likelihood(margin + dm * step, threshold + dt * step, verdict))

    found = rao_kupper.derivatives(margin, threshold, verdict)
    assert found.m == pytest.approx((at(1, 0) - at(-1, 0)) / (2 * step), rel=1e-4, abs=1e-7)
    assert found.t == pytest.approx((at(0, 1) - at(0, -1)) / (2 * step), rel=1e-4, abs=1e-7)
    assert found.mm == pytest.approx((at(1, 0) - 2 * at(0, 0) + at(-1, 0)) / step**2, rel=1e-3, abs=1e-4)
    assert found.tt == pytest.approx((at(0, 1) - 2 * at(0, 0) + at(0, -1)) / step**2, rel=1e-3, abs=1e-4)
    mixed = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * step**2)
    assert found.mt == pytest.approx(mixed, rel=1e-3, abs=1e-4)


def test_without_uncertainty_there_is_nothing_to_learn() -> None:
    mean = np.array([-1.0, 0.0, 2.5])
    found = rao_kupper.predict(mean, np.zeros(3), 0.4)
    plain = rao_kupper.probabilities(mean, 0.4)
    for averaged, direct in zip(found[:3], plain, strict=True):
        np.testing.assert_allclose(averaged, direct, rtol=1e-12)
    np.testing.assert_allclose(found.bald, 0, atol=1e-12)


@pytest.mark.parametrize("variance", [0.1, 1.0, 25.0])
@pytest.mark.parametrize("mean", [-3.0, 0.0, 0.8])
def test_averages_and_information_are_the_integrals(mean: float, variance: float) -> None:
    margin = mean + math.sqrt(variance) * np.linspace(-9, 9, 40_001)
    density = np.exp(-((margin - mean) ** 2) / (2 * variance))
    density /= density.sum()
    each = rao_kupper.probabilities(margin, 0.5)
    averaged = [float(density @ p) for p in each]
    noise = sum(float(density @ (-p * np.log(p))) for p in each)
    information = sum(-p * math.log(p) for p in averaged) - noise

    found = rao_kupper.predict(np.array([mean]), np.array([variance]), 0.5)

    assert [float(p[0]) for p in found[:3]] == pytest.approx(averaged, abs=1e-4)
    assert float(found.bald[0]) == pytest.approx(information, abs=1e-4)


@given(st.lists(st.tuples(margins, st.floats(0, 50)), min_size=1, max_size=5), thresholds)
def test_predictions_of_exchanged_sides_are_exchanged_exactly(
    rows: list[tuple[float, float]], threshold: float
) -> None:
    mean, variance = np.array(rows).T
    there = rao_kupper.predict(mean, variance, threshold)
    back = rao_kupper.predict(-mean, variance, threshold)
    np.testing.assert_array_equal(there.first, back.second)
    np.testing.assert_array_equal(there.second, back.first)
    np.testing.assert_array_equal(there.tie, back.tie)
    np.testing.assert_array_equal(there.bald, back.bald)
    assert np.all(there.bald >= 0)
