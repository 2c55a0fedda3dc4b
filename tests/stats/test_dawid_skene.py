"""Dawid and Skene's model against another implementation's figures and a slow one of its own, and what it promises."""

import json
from collections import Counter
from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from numpy.typing import NDArray

from annotate.stats.dawid_skene import Aggregated, dawid_skene
from tests.paths import SHARED_DATA, needs_shared_data

# Twenty comparisons, five annotators, three verdicts; a dot is a missing one. What crowd-kit 1.4.2 (DawidSkene with
# n_iter=200, tol=-1e9, so that it does not stop early) makes of them: the prior, what each annotator gets right of each
# verdict, and the labels that are in doubt.
SMALL = """
00001 11.11 22222 01000 1.112 00.10 12111 2221. 00000 11101
020.0 11111 2.220 0010. 11211 00002 1111. 10000 21222 .1111
"""
SMALL_PRIOR = [0.400466054, 0.399533946, 0.2]
SMALL_RIGHT = [
    [0.874055459, 1.0, 1.0],
    [0.74945272, 0.8570962, 0.666666667],
    [0.856064933, 0.85696275, 1.0],
    [0.856510431, 0.875299284, 0.75],
    [0.713387653, 0.857460442, 0.666666667],
]
SMALL_DOUBTED = {
    1: [0.000506944, 0.999493056, 0.0],
    4: [0.003479163, 0.996520837, 0.0],
    9: [0.00355662, 0.99644338, 0.0],
    11: [8.5182e-05, 0.999914818, 0.0],
    19: [0.000675946, 0.999324054, 0.0],
}
# The same of PandaLM's 999 comparisons: verdicts 0 (tie), 1, 2 of annotators 1, 2, 3.
PANDALM_PRIOR = [0.105434136, 0.422602488, 0.471963376]
PANDALM_RIGHT = [
    [0.883312511, 0.97316537, 0.967573592],
    [0.958097949, 0.943954013, 0.95256105],
    [0.958907398, 0.951635741, 0.981264762],
]
PANDALM_SURE = 996.154818893  # the greatest probabilities of all labels together

Rows = NDArray[np.int64]  # (verdicts, 3): unit, rater, value


def fitted(rows: Rows, **options: float) -> Aggregated:
    units, raters, values = rows.T
    given = {"tolerance": 1e-13, "most": 20_000, "smoothing": 0.0} | options
    return dawid_skene(
        units,
        raters,
        values,
        n_units=int(units.max()) + 1,
        n_raters=int(raters.max()) + 1,
        smoothing=given["smoothing"],
        tolerance=given["tolerance"],
        most=int(given["most"]),
    )


def small() -> Rows:
    rows = enumerate(SMALL.split())
    return np.array([(unit, rater, int(c)) for unit, row in rows for rater, c in enumerate(row) if c != "."])


def right_of(found: Aggregated) -> NDArray[np.float64]:
    return np.diagonal(found.confusion, axis1=1, axis2=2)


def test_a_small_set_as_the_reference_has_it() -> None:
    found = fitted(small())
    assert found.converged
    assert found.prior == pytest.approx(np.array(SMALL_PRIOR), abs=1e-6)
    assert right_of(found) == pytest.approx(np.array(SMALL_RIGHT), abs=1e-6)
    for unit, probabilities in SMALL_DOUBTED.items():
        assert found.posterior[unit] == pytest.approx(np.array(probabilities), abs=1e-6)
    others = [unit for unit in range(20) if unit not in SMALL_DOUBTED]
    assert found.posterior[others].max(axis=1) == pytest.approx(np.ones(15), abs=1e-3)


@needs_shared_data
def test_pandalm_as_the_reference_has_it() -> None:
    published = json.loads((SHARED_DATA / "text" / "pandalm-testset-v1.json").read_text())
    rows = np.array(
        [(unit, n - 1, int(row[f"annotator{n}"])) for unit, row in enumerate(published) for n in (1, 2, 3)]
    )
    found = fitted(rows)
    assert found.prior == pytest.approx(np.array(PANDALM_PRIOR), abs=1e-6)
    assert right_of(found) == pytest.approx(np.array(PANDALM_RIGHT), abs=1e-6)
    assert found.posterior.max(axis=1).sum() == pytest.approx(PANDALM_SURE, abs=1e-6)
    # With what the pages use, the labels are those of the majority: these annotators are alike.
    assert Counter(fitted(rows, smoothing=0.5).posterior.argmax(axis=1).tolist()) == {0: 105, 1: 422, 2: 472}


def slowly(rows: Rows, smoothing: float, rounds: int) -> list[list[float]]:
    """The same model in the words of the paper, one probability after the other."""
    votes = [tuple(row) for row in rows.tolist()]
    units, raters = {u for u, _, _ in votes}, {r for _, r, _ in votes}
    truth = {
        u: [
            sum(v == c for unit, _, v in votes if unit == u) / sum(unit == u for unit, _, _ in votes)
            for c in range(3)
        ]
        for u in units
    }
    for _ in range(rounds):
        prior = [sum(truth[u][c] for u in units) / len(units) for c in range(3)]
        said = {
            (r, c, v): sum(truth[unit][c] for unit, rater, value in votes if (rater, value) == (r, v))
            + smoothing
            for r in raters
            for c in range(3)
            for v in range(3)
        }
        p = {(r, c, v): said[r, c, v] / sum(said[r, c, w] for w in range(3)) for r, c, v in said}
        for u in units:
            logs = [
                log(prior[c]) + sum(log(p[rater, c, value]) for unit, rater, value in votes if unit == u)
                for c in range(3)
            ]
            odds = [exp(one - max(logs)) for one in logs]
            truth[u] = [one / sum(odds) for one in odds]
    return [truth[u] for u in sorted(units)]


def test_smoothed_as_an_implementation_of_its_own_has_it() -> None:
    rows = small()
    slow = slowly(rows, smoothing=0.5, rounds=30)
    assert fitted(rows, smoothing=0.5, most=30, tolerance=0).posterior == pytest.approx(
        np.array(slow), abs=1e-9
    )


def crowd(seed: int, skills: list[float], comparisons: int = 400) -> tuple[Rows, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, comparisons, p=[0.45, 0.45, 0.1])
    units = np.repeat(np.arange(comparisons), len(skills))
    raters = np.tile(np.arange(len(skills)), comparisons)
    right = rng.random(len(units)) < np.array(skills)[raters]
    values = np.where(right, truth[units], rng.integers(0, 3, len(units)))
    return np.stack([units, raters, values], axis=1), truth


def test_every_step_is_uphill() -> None:
    rows, _ = crowd(1, [0.9, 0.6, 0.5, 0.4])
    climbed = [fitted(rows, smoothing=0.5, most=n, tolerance=0).objective for n in range(1, 25)]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(climbed))


def test_what_has_not_converged_says_so() -> None:
    rows, _ = crowd(1, [0.9, 0.6, 0.5, 0.4])
    assert not fitted(rows, most=2).converged
    assert fitted(rows, tolerance=1e-5).converged


def test_who_is_often_right_weighs_more() -> None:
    rows, truth = crowd(2, [0.97, 0.97, 0.3, 0.3, 0.3])
    found = fitted(rows, smoothing=0.5, tolerance=1e-5)
    reliability = [found.reliability(rater).value or 0 for rater in range(5)]
    assert min(reliability[:2]) > 0.9 > 0.7 > max(reliability[2:])
    assert (found.posterior.argmax(axis=1) == truth).mean() > 0.95


def test_who_says_little_is_not_taken_for_perfect() -> None:
    rows, _ = crowd(3, [0.9, 0.9])
    rows = np.vstack([rows, [[0, 2, rows[0, 2]]]])
    bold, careful = (fitted(rows, smoothing=smoothing, tolerance=1e-5) for smoothing in (0.0, 0.5))
    value = rows[0, 2]
    assert bold.confusion[2, value, value] > 0.99
    assert 0.4 < careful.confusion[2, value, value] < 0.7


def test_an_annotator_without_a_verdict_has_no_reliability() -> None:
    rows, _ = crowd(4, [0.9, 0.9])
    units, raters, values = rows.T
    found = dawid_skene(units, raters, values, n_units=400, n_raters=3)
    assert (found.reliability(2).value, found.reliability(2).why) == (None, "No usable verdict.")


def test_sides_exchanged_are_the_same_to_the_labels_of_who_has_no_habit() -> None:
    """Nothing depends on which response is called first."""
    rows, _ = crowd(5, [0.9, 0.7, 0.6])
    turned = rows.copy()
    turned[:, 2] = np.array([1, 0, 2])[rows[:, 2]]
    as_it_is, other = (fitted(r, smoothing=0.5, tolerance=1e-10) for r in (rows, turned))
    assert other.posterior[:, [1, 0, 2]] == pytest.approx(as_it_is.posterior, abs=1e-9)
    everything = np.ones(len(rows), dtype=bool)
    units, raters, values = rows.T
    seen = dawid_skene(
        units, raters, values, n_units=400, n_raters=3, exchanged=everything, tolerance=1e-10, most=5000
    )
    assert seen.posterior == pytest.approx(as_it_is.posterior, abs=1e-9)
    assert seen.confusion[:, [1, 0, 2]][:, :, [1, 0, 2]] == pytest.approx(as_it_is.confusion, abs=1e-9)
