"""The head's posterior against an oracle, and its probabilities against what happens."""

import numpy as np
import pytest

from workers.evaluation.thresholds import best_threshold, call
from workers.reward_models import head, rao_kupper
from workers.reward_models.base import Floats, Verdicts
from workers.reward_models.head import Differences, Head

Matrix = np.ndarray


def drawn(margins: Floats, threshold: float, rng: np.random.Generator) -> Verdicts:
    """Verdicts as Rao and Kupper have them."""
    first, second, _ = rao_kupper.probabilities(margins, threshold)
    chance = rng.random(len(margins))
    return np.where(chance < first, 1, np.where(chance > 1 - second, -1, 0)).astype(np.int8)


def seen(rows: Matrix) -> Differences:
    return Differences(rows.astype(np.float32), np.zeros((len(rows), 0), dtype=np.float32))


def criteria(count: int) -> tuple[list[str], Matrix]:
    """As many that have nothing in common."""
    return [f"criterion {n}" for n in range(count)], np.eye(count, 3 * 8, dtype=np.float32)


@pytest.mark.parametrize("labels", [60, 400])
def test_the_posterior_of_one_weight_is_the_integral(labels: int) -> None:
    """One criterion and one feature: of all pairs of weight and threshold the posterior can be added up."""
    rng = np.random.default_rng(labels)
    rows = rng.normal(size=(labels, 1))
    rows /= np.sqrt((rows**2).mean())  # of spread 1: standardising changes nothing
    verdicts = drawn(0.9 * rows[:, 0], 0.5, rng)
    names, vectors = criteria(1)
    found = Head.fit(names, vectors, np.zeros(labels, dtype=np.intp), seen(rows), verdicts)

    weights, thresholds = np.linspace(-2, 4, 301), np.linspace(0.01, 2.5, 125)
    logs = np.array(
        [[rao_kupper.log_likelihood(rows[:, 0] * w, t, verdicts).sum() for t in thresholds] for w in weights]
    )
    # What all criteria share and what the one's cluster adds are two weights on one feature: together twice the prior.
    logs += -(weights[:, None] ** 2) / (2 * 2 * found.prior)
    logs += (head._SHAPE - 1) * np.log(thresholds) - head._RATE * thresholds
    share = np.exp(logs - logs.max()).sum(axis=1)
    share /= share.sum()
    mean = float(share @ weights)
    deviation = float(np.sqrt(share @ (weights - mean) ** 2))

    told = found.score(names, vectors, np.zeros(1, dtype=np.intp), seen(np.ones((1, 1))))
    assert told.margin[0] == pytest.approx(mean, abs=0.15 * deviation)
    assert np.sqrt(told.variance[0]) == pytest.approx(deviation, rel=0.08)


@pytest.fixture(scope="module")
def world() -> dict[str, np.ndarray]:
    """Ten features under six criteria, weights from the prior, verdicts with ties."""
    rng = np.random.default_rng(11)
    rows, place = rng.normal(size=(4000, 10)), rng.integers(6, size=4000)
    weights = rng.normal(0, 0.5, size=(6, 10))
    margins = (rows * weights[place]).sum(axis=1)
    return {"rows": rows, "place": place, "verdicts": drawn(margins, 0.6, rng)}


def fitted(world: dict[str, np.ndarray], kept: np.ndarray) -> Head:
    return Head.fit(*criteria(6), world["place"][kept], seen(world["rows"][kept]), world["verdicts"][kept])


def test_probabilities_hold_what_they_promise(world: dict[str, np.ndarray]) -> None:
    """After 300 verdicts the weights are still in doubt: that doubt belongs into the probabilities."""
    found = fitted(world, np.arange(4000) < 300)
    rest = np.arange(4000) >= 300
    scored = found.score(*criteria(6), world["place"][rest], seen(world["rows"][rest]))
    for promised, verdict in ((scored.p_first, 1), (scored.p_second, -1), (scored.p_tie, 0)):
        happened = world["verdicts"][rest] == verdict
        order = np.argsort(promised)
        for part in np.array_split(order, 5):
            assert happened[part].mean() == pytest.approx(promised[part].mean(), abs=0.08)
        assert happened.mean() == pytest.approx(promised.mean(), abs=0.03)


def test_a_model_of_ties_is_no_worse_than_a_threshold_and_finds_the_planted_one(
    world: dict[str, np.ndarray],
) -> None:
    learnt, rest = np.arange(4000) < 1500, np.arange(4000) >= 1500
    labels = world["verdicts"][rest]
    found = fitted(world, learnt)
    assert found.threshold == pytest.approx(0.6, abs=0.1)
    scored = found.score(*criteria(6), world["place"][rest], seen(world["rows"][rest]))
    likeliest = np.stack([scored.p_second, scored.p_tie, scored.p_first]).argmax(axis=0) - 1

    plain = fitted(world, learnt & (world["verdicts"] != 0))
    assert plain.threshold < 0.05  # without ties it is Bradley and Terry's model

    def margins(kept: np.ndarray) -> Floats:
        return plain.score(*criteria(6), world["place"][kept], seen(world["rows"][kept])).margin

    called = call(margins(rest), best_threshold(margins(learnt), world["verdicts"][learnt]))
    assert (likeliest == labels).mean() >= (called == labels).mean()
