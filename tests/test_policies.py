"""What policies make of scores: the formulas by hand, who has no say, and what is nearly the same."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models import Policy
from workers.reward_models.cells import cells
from workers.sampling.policies import POLICIES, Candidates, acquisition, in_effect, temperature

margins = st.lists(st.floats(-30, 30), min_size=1, max_size=20)


def candidates(margin: list[float], p_tie: float = 0.1, **more: object) -> Candidates:
    n = len(margin)
    return Candidates(np.array(margin), np.full(n, p_tie), np.arange(n) / 10, **more)  # type: ignore[arg-type]


def test_what_a_project_may_choose_is_what_there_is() -> None:
    assert set(Policy.values) == set(POLICIES)
    with pytest.raises(LookupError, match="No policy is called 'guess'"):
        acquisition("guess", candidates([0.0]))


@given(margins, st.sampled_from(sorted(POLICIES)))
def test_worth_is_finite_never_negative_and_blind_to_the_sides(margin, policy) -> None:
    people = np.array([[2, 1, 0]] * len(margin))
    other = (np.array(margin) / 2, np.full(len(margin), 0.3))
    told = acquisition(policy, candidates(margin, people=people, others=[other]))
    assert told.shape == (len(margin),) and np.isfinite(told).all() and (told >= 0).all()
    swapped = candidates([-m for m in margin], people=people[:, [1, 0, 2]], others=[(-other[0], other[1])])
    assert acquisition(policy, swapped) == pytest.approx(told, abs=1e-9)


def test_margin_is_one_where_the_odds_are_even() -> None:
    told = acquisition("margin", candidates([0.0, np.log(3), -np.log(3), 40.0]))
    assert told == pytest.approx([1, 0.5, 0.5, 0], abs=1e-9)


def test_where_a_model_tells_no_uncertainty_entropy_takes_the_place_of_powerbald() -> None:
    # A served model or a judge: every mutual information is 0, and nothing would be drawn in proportion to it.
    even, sure = 0.0, 40.0
    silent = replace(candidates([even, sure, even], p_tie=0.0), bald=np.zeros(3))
    assert acquisition("powerbald", silent) == pytest.approx([np.log(2), 0, np.log(2)], abs=1e-9)
    assert in_effect("powerbald", silent) == "entropy" and in_effect("margin", silent) == "margin"
    certain_tie = replace(candidates([even], p_tie=1.0), bald=np.zeros(1))
    assert acquisition("powerbald", certain_tie) == pytest.approx([0], abs=1e-9)
    assert in_effect("powerbald", candidates([even, sure])) == "powerbald"


def test_powerbald_is_the_mutual_information_and_random_knows_nothing() -> None:
    assert acquisition("powerbald", candidates([3.0, 1.0])).tolist() == [0.0, 0.1]
    assert acquisition("random", candidates([3.0, 1.0])).tolist() == [1.0, 1.0]


def test_what_labels_teach_is_preferred_more_sharply_than_what_is_only_hard() -> None:
    told = candidates([3.0, 1.0])
    assert temperature("powerbald", told) < 1
    assert temperature("margin", told) == temperature("disagreement", told) == 1
    # Nor is entropy, where it takes the place of what a model does not tell.
    assert temperature("powerbald", replace(told, bald=np.zeros(2))) == 1


def test_disagreement_of_models_that_are_sure_of_opposites_is_ln_2() -> None:
    two = candidates(
        [50.0, 50.0, 0.3], p_tie=0.0, others=[(np.array([-50.0, 50.0, np.nan]), np.array([0, 0, np.nan]))]
    )
    assert acquisition("disagreement", two) == pytest.approx([np.log(2), 0, 0], abs=1e-9)


def test_disagreement_of_model_and_people() -> None:
    """By hand: people (5.5, 0.5, 0.5) / 6.5 beside a model that says the opposite, the same, and people who are silent."""
    people = np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0]])
    told = acquisition("disagreement", candidates([-4.0, -4.0, -4.0], p_tie=0.05, people=people))
    model = np.array([0.95 / (1 + np.exp(4)), 0.95 / (1 + np.exp(-4)), 0.05])
    said = np.array([5.5, 0.5, 0.5]) / 6.5

    def entropy(p: np.ndarray) -> float:
        return float(-(p * np.log(p)).sum())

    by_hand = entropy((model + said) / 2) - (entropy(model) + entropy(said)) / 2
    assert told[0] == pytest.approx(by_hand)
    assert told[0] > 10 * told[1] > 0 and told[2] == 0


def test_cells_hold_near_duplicates_and_no_others() -> None:
    rng = np.random.default_rng(4)
    looks, asked = rng.normal(size=(2000, 30)), rng.integers(0, 5, 2000)
    own = cells(looks, asked)
    assert (cells(-looks, asked) == own).all()  # sides exchanged
    assert (cells(looks[::-1], asked[::-1])[::-1] == own).all()  # whatever else is there
    assert (cells(looks + 0.01 * rng.normal(size=looks.shape), asked) == own).mean() > 0.85
    assert (cells(looks, asked + 1) == own).mean() < 0.01
    _, sizes = np.unique(own, return_counts=True)
    assert sizes.mean() < 1.2
    assert cells(np.zeros((0, 3)), np.zeros(0, dtype=int)).shape == (0,)
