"""Projections of learning curves: laws are found again, noise widens, what says nothing is not told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.stats.power_law import projected

LABELS = np.array([25.0, 50, 100, 200, 400, 800])


@settings(deadline=None, max_examples=30)
@given(st.floats(0.7, 0.95), st.floats(0.3, 1.5), st.sampled_from([0.3, 0.5, 0.8]))
def test_a_law_is_found_again(top, drop, decay) -> None:
    curve = top - drop * LABELS**-decay
    at = np.array([900.0, 1800.0])
    for told, n in zip(projected(LABELS, curve, np.full(6, 0.002), at), at, strict=True):
        assert told.value is not None
        assert told.value == pytest.approx(top - drop * n**-decay, abs=0.01)
        assert told.low is not None and told.high is not None
        assert told.low <= told.value <= told.high and told.high <= 1


def test_the_interval_holds_what_comes() -> None:
    rng = np.random.default_rng(1)
    truth, held = 0.85 - 1.1 * LABELS**-0.5, 0
    for _ in range(100):
        [told] = projected(LABELS, truth + 0.015 * rng.normal(size=6), np.full(6, 0.0294), np.array([1800.0]))
        assert told.low is not None and told.high is not None
        held += told.low <= 0.85 - 1.1 * 1800**-0.5 <= told.high
    assert held >= 85


@pytest.mark.parametrize(
    ("labels", "half", "why"),
    [
        (LABELS[:3], 0.01, "too short"),
        (np.array([100.0, 120, 150, 200]), 0.01, "too short"),
        (LABELS, 0.4, "too uncertain"),
    ],
)
def test_what_says_nothing_is_not_told(labels, half, why) -> None:
    [told] = projected(labels, 0.8 - 1 / labels, np.full(len(labels), half), np.array([10_000.0]))
    assert told.value is None and why in told.why


def test_a_falling_curve_is_flat() -> None:
    [told] = projected(LABELS, np.linspace(0.8, 0.7, 6), np.full(6, 0.02), np.array([2000.0]))
    assert told.value == pytest.approx(0.75, abs=0.01)
