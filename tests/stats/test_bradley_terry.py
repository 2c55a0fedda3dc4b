"""Strengths of models: another implementation's figures, the likelihood of the reward models, and what is undefined."""

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.stats.bradley_terry import fit, leaderboard
from workers.reward_models import rao_kupper

# WINS[i][j]: how often i beat j. What evalica 0.4.2 makes of it (bradley_terry, tolerance 1e-12), as logarithms with
# mean 0.
WINS = [[0, 8, 5, 9], [3, 0, 6, 7], [4, 5, 0, 8], [2, 1, 3, 0]]
STRENGTHS = [0.708502837, 0.198065734, 0.137491891, -1.044060462]
EDGES = np.array([(i, j) for i in range(4) for j in range(i + 1, 4)])

Ints = NDArray[np.int64]


def test_without_ties_as_the_reference_has_it() -> None:
    seen = np.array([[(WINS[i][j], WINS[j][i], 0) for i, j in EDGES]], dtype=float)
    strengths, thresholds = fit(EDGES, seen, np.zeros(4, dtype=np.int64), prior_sd=np.inf)
    assert strengths[0] == pytest.approx(np.array(STRENGTHS), abs=1e-8)
    assert thresholds[0] == 0


def test_with_ties_it_is_the_likelihood_that_reward_models_learn_by() -> None:
    """No neighbour of what was found is more likely, by the functions of the reward models."""
    rng = np.random.default_rng(0)
    seen = rng.integers(1, 9, (1, len(EDGES), 3)).astype(float)
    strengths, thresholds = fit(EDGES, seen, np.zeros(4, dtype=np.int64), prior_sd=np.inf)

    def likelihood(theta: NDArray[np.float64], threshold: float) -> float:
        margin = theta[EDGES[:, 0]] - theta[EDGES[:, 1]]
        each = [rao_kupper.log_likelihood(margin, threshold, verdict) for verdict in (1, -1, 0)]
        return float((seen[0] * np.stack(each, axis=1)).sum())

    best = likelihood(strengths[0], thresholds[0])
    for step in (1e-3, 1e-5):
        for _ in range(50):
            theta, threshold = strengths[0] + step * rng.normal(size=4), thresholds[0] + step * rng.normal()
            assert likelihood(theta, threshold) <= best + 1e-9
    assert abs(strengths[0].mean()) < 1e-9


def world(theta: list[float], threshold: float, n: int, seed: int = 1) -> tuple[Ints, Ints, Ints, Ints]:
    """Comparisons of random models, three verdicts each."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, len(theta), (2, n))
    p = rao_kupper.probabilities(np.array(theta)[a] - np.array(theta)[b], threshold)
    counts = np.array([rng.multinomial(3, row) for row in np.stack([p.first, p.second, p.tie], axis=1)])
    return a, b, counts, np.ones(n, dtype=np.int64)


def test_planted_strengths_are_found_within_their_intervals() -> None:
    theta = [1.0, 0.5, 0.0, -0.5, -1.0]
    found = leaderboard(*world(theta, 0.4, 3000), models=5)
    assert [standing.model for standing in found.standings] == [0, 1, 2, 3, 4]
    assert [standing.rank for standing in found.standings] == [1, 2, 3, 4, 5]
    assert found.threshold == pytest.approx(0.4, abs=0.05)
    for standing in found.standings:
        strength = standing.strength
        assert strength.low is not None and strength.high is not None
        assert strength.low - 0.03 <= theta[standing.model] <= strength.high + 0.03
        assert 0.05 < strength.high - strength.low < 0.3
        assert standing.rank_low == standing.rank_high == standing.rank
    assert sum(standing.wins for standing in found.standings) == sum(s.losses for s in found.standings)


def test_models_alike_share_their_ranks() -> None:
    found = leaderboard(*world([0.0, 0.0, 0.0], 0.3, 300), models=3)
    assert {(standing.rank_low, standing.rank_high) for standing in found.standings} == {(1, 3)}


def test_verdicts_of_one_comparison_stay_together() -> None:
    """Three verdicts that always say the same are one piece of evidence, not three."""
    a, b, counts, times = world([0.4, 0.0], 0.3, 400)
    alike = np.eye(3, dtype=np.int64)[counts.argmax(axis=1)]
    single, triple = (leaderboard(a, b, alike * many, times, models=2).standings[0] for many in (1, 3))
    widths = [
        s.strength.high - s.strength.low for s in (single, triple) if s.strength.high and s.strength.low
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_the_order_of_sides_and_rows_is_nothing() -> None:
    a, b, counts, times = world([1.0, 0.0, -1.0], 0.4, 200)
    turned = np.random.default_rng(0).random(200) < 0.5
    order = np.random.default_rng(1).permutation(200)
    other = leaderboard(
        np.where(turned, b, a)[order],
        np.where(turned, a, b)[order],
        np.where(turned[:, None], counts[:, [1, 0, 2]], counts)[order],
        times,
        models=3,
    )
    assert other == leaderboard(a, b, counts, times, models=3)


def test_parts_that_never_met_are_not_ranked_against_each_other() -> None:
    first, second = np.array([0, 1, 3, 5]), np.array([1, 2, 4, 5])
    counts = np.array([[3, 1, 1], [3, 1, 0], [1, 3, 1], [9, 0, 0]])
    found = leaderboard(first, second, counts, np.array([9, 9, 9, 9]), models=7)
    assert "2 parts" in found.why
    assert [(s.part, s.model, s.rank) for s in found.standings] == [
        (0, 0, 1),
        (0, 1, 2),
        (0, 2, 3),
        (1, 4, 1),
        (1, 3, 2),
    ]
    for part in (0, 1):
        assert sum(s.strength.value or 0 for s in found.standings if s.part == part) == pytest.approx(0)


def test_who_never_lost_stays_finite_and_says_why() -> None:
    found = leaderboard(np.array([0]), np.array([1]), np.array([[1, 0, 0]]), np.array([50]), models=2)
    winner, loser = found.standings
    assert winner.strength.value is not None and 1 < winner.strength.value < 10
    assert winner.strength.why == "It never lost: only the prior keeps its strength finite."
    assert loser.strength.why == "It never won: only the prior keeps its strength finite."


def test_ties_alone_rank_nobody_higher() -> None:
    found = leaderboard(np.array([0]), np.array([1]), np.array([[0, 0, 2]]), np.array([10]), models=2)
    assert [standing.strength.value for standing in found.standings] == [pytest.approx(0), pytest.approx(0)]
    assert found.threshold > 1


def test_nothing_compared_says_why() -> None:
    nothing = np.empty(0, dtype=np.int64)
    found = leaderboard(nothing, nothing, np.empty((0, 3), dtype=np.int64), nothing, models=0)
    assert (found.standings, found.why) == (
        [],
        "No verdict compares the responses of two different named models.",
    )
