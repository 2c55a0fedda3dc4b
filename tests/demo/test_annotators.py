"""Simulated annotators judge by the rules that docs/demo.md states: chances, biases, ties, and what is alike each time."""

import math
from collections import Counter

import pytest

from annotate.demo.annotators import PEOPLE, Person, chances, verdict
from annotate.demo.rules import Asked, Trait, Traits, chance

FAITHFUL = Asked("Which one?", Trait.FAITHFUL)
BRIEF = Asked("Which is shorter?", Trait.FULL, -1)
THROWS = 4000
BY_NAME = {person.name: person for person in PEOPLE}


def rates(person: Person, asked: Asked, first: Traits, second: Traits) -> dict[str, float]:
    """The share of each verdict among many, but for those who cannot tell."""
    rng = chance("test", person.name, asked.text)
    found = Counter(verdict(person, asked, first, second, rng)["verdict"] for _ in range(THROWS))
    usable = THROWS - found["cannot_tell"]
    return {name: found[name] / usable for name in ("a", "b", "tie")}


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
@pytest.mark.parametrize("levels", [(4, 1), (2, 2), (1, 2)])
def test_win_rates_follow_the_chances(person: Person, levels: tuple[int, int]) -> None:
    first, second = (Traits(faithful=level) for level in levels)
    expected = dict(zip(("a", "b", "tie"), chances(person, FAITHFUL, first, second), strict=True))
    assert sum(expected.values()) == pytest.approx(1)
    for name, rate in rates(person, FAITHFUL, first, second).items():
        spread = math.sqrt(expected[name] * (1 - expected[name]) / THROWS)
        assert rate == pytest.approx(expected[name], abs=4 * spread), name


def test_the_better_response_wins_by_its_criterion_and_loses_by_the_opposite() -> None:
    ada = BY_NAME["demo-ada"]
    long_and_right, short_and_wrong = Traits(faithful=4, full=4), Traits(faithful=1, full=0)
    assert chances(ada, FAITHFUL, long_and_right, short_and_wrong)[0] > 0.9
    assert chances(ada, BRIEF, long_and_right, short_and_wrong)[1] > 0.9


def test_without_a_bias_sides_do_not_matter_and_with_one_they_do() -> None:
    good, bad = Traits(faithful=3), Traits(faithful=2)
    for person in PEOPLE:
        a, b, tie = chances(person, FAITHFUL, good, bad)
        exchanged = chances(person, FAITHFUL, bad, good)
        assert ((a, b, tie) == pytest.approx((exchanged[1], exchanged[0], exchanged[2]))) != bool(person.lean)
    dmitri = BY_NAME["demo-dmitri"]
    assert chances(dmitri, FAITHFUL, bad, bad)[0] > 2 * chances(dmitri, FAITHFUL, bad, bad)[1]


def test_chloe_prefers_what_is_lively_whatever_is_asked() -> None:
    pale, vivid = Traits(lively=0), Traits(lively=4)
    assert chances(BY_NAME["demo-chloe"], FAITHFUL, vivid, pale)[0] > 0.6
    assert chances(BY_NAME["demo-ben"], FAITHFUL, vivid, pale)[0] < 0.5


def test_who_hurries_sees_less() -> None:
    good, bad = Traits(faithful=4), Traits(faithful=0)
    assert chances(BY_NAME["demo-ada"], FAITHFUL, good, bad)[0] > 0.95
    assert chances(BY_NAME["demo-eva"], FAITHFUL, good, bad)[0] < 0.75


def test_ties_say_whether_both_are_good() -> None:
    rng = chance("ties")
    farid = BY_NAME["demo-farid"]
    kinds = {
        level: {
            found["tie_kind"]
            for _ in range(200)
            if (found := verdict(farid, FAITHFUL, Traits(faithful=level), Traits(faithful=level), rng))[
                "verdict"
            ]
            == "tie"
        }
        for level in (0, 4)
    }
    assert kinds == {0: {"both_bad"}, 4: {"both_good"}}
