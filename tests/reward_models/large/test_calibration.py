"""Scale, threshold and uncertainty: held against plain searches and the dense formula."""

import numpy as np
import pytest

from workers.reward_models import rao_kupper
from workers.reward_models.large.calibration import Calibration, Laplace, fit_scale


def drawn(count: int, scale: float, threshold: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values whose margins are `scale` times as large, with verdicts of the model."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, count)
    told = rao_kupper.probabilities(scale * values, threshold)
    chance = rng.random(count)
    verdicts = np.where(chance < told.first, 1, np.where(chance < told.first + told.second, -1, 0))
    return values, verdicts.astype(np.int8)


@pytest.mark.parametrize(("scale", "threshold"), [(0.2, 0.1), (1.0, 0.5), (3.0, 1.5)])
def test_what_was_planted_is_found(scale: float, threshold: float) -> None:
    found = fit_scale(*drawn(20_000, scale, threshold))
    assert found == pytest.approx((scale, threshold), rel=0.1)


def test_no_neighbour_is_better() -> None:
    values, verdicts = drawn(200, 2.0, 0.4)

    def worth(scale: float, threshold: float) -> float:
        likely = rao_kupper.log_likelihood(scale * values, threshold, verdicts).sum()
        unseen = 0.5 * rao_kupper.log_likelihood(np.zeros(3), threshold, np.array([0, 1, -1])).sum()
        return float(likely + unseen - 0.25 * (scale - 1) ** 2 / 2)

    scale, threshold = fit_scale(values, verdicts)
    best = worth(scale, threshold)
    for by in (1e-3, -1e-3):
        assert worth(scale + by, threshold) < best and worth(scale, threshold + by) < best


def test_labels_that_are_all_right_or_all_ties_leave_it_finite() -> None:
    values = np.linspace(-3, 3, 40)
    scale, threshold = fit_scale(values, np.sign(values).astype(np.int8))
    assert 1 < scale < 50 and 0 < threshold < 1
    scale, threshold = fit_scale(values, np.zeros(40, np.int8))
    assert np.isfinite([scale, threshold]).all() and threshold > 1
    assert fit_scale(np.zeros(0), np.zeros(0, np.int8))[0] == pytest.approx(1)


def test_a_model_that_says_the_opposite_is_turned_round() -> None:
    values = np.linspace(-1, 1, 30)
    scale, _ = fit_scale(values, -np.sign(values).astype(np.int8))
    assert scale < 0


def test_the_variance_is_that_of_the_dense_posterior() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(30, 12)).astype(np.float32)
    _, strengths, right = np.linalg.svd(rows, full_matrices=False)
    found = Laplace(right.T.astype(np.float32), strengths.astype(np.float64) ** 2, 3.0)
    asked = rng.normal(size=(5, 12)).astype(np.float32)
    covariance = np.linalg.inv(rows.T.astype(np.float64) @ rows + 3.0 * np.eye(12))
    assert np.allclose(found.variance(asked), np.einsum("ni,ij,nj->n", asked, covariance, asked), rtol=1e-4)


def test_what_was_not_seen_is_doubted_more() -> None:
    rng = np.random.default_rng(2)
    learned = rng.normal(size=(200, 8)).astype(np.float32)
    learned[:, 4:] = 0  # nothing was learned of the last four
    weights = np.r_[rng.normal(size=4), np.zeros(4)]
    values = learned @ weights
    verdicts = np.sign(values + rng.normal(size=200)).astype(np.int8)
    calibration = Calibration.fit(values, verdicts, seen=False, differences=learned, learned=learned)
    known, strange = np.eye(8, dtype=np.float32)[[0]], np.eye(8, dtype=np.float32)[[7]]
    scored = calibration.scored(np.zeros(2), np.concatenate([known, strange]))
    assert scored.variance[1] > 3 * scored.variance[0]
    assert scored.bald[1] > scored.bald[0]


def test_without_states_there_is_no_uncertainty() -> None:
    calibration = Calibration.fit(*drawn(50, 1, 0.3), seen=False)
    scored = calibration.scored(np.array([1.0, -1.0]), None)
    assert calibration.laplace is None and (scored.variance == 0).all() and np.allclose(scored.bald, 0)
