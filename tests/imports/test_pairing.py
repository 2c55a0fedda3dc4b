"""Pairing designs: each model comes up and stands first as often as the others, whatever the table."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.imports.pairing import Design, pairs_of

MODELS = "abcdefg"
TABLES = st.lists(st.sets(st.sampled_from(MODELS), max_size=6), max_size=25).map(
    lambda prompts: [(number, sorted(models)) for number, models in enumerate(prompts)]
)
DESIGNS = st.one_of(
    st.builds(Design, st.just("all"), seed=st.integers(0, 5)),
    st.builds(Design, st.sampled_from(["random", "balanced"]), st.integers(1, 8), seed=st.integers(0, 5)),
    st.builds(
        Design,
        st.just("anchors"),
        st.none() | st.integers(1, 5),
        st.frozensets(st.sampled_from(MODELS), min_size=1, max_size=2),
        st.integers(0, 5),
    ),
)


def expected_count(models: list[str], design: Design) -> int:
    n = len(models)
    anchors = len(design.anchors & set(models))
    most = anchors * (n - anchors) if design.kind == "anchors" else n * (n - 1) // 2
    return min(most, design.per_prompt) if design.per_prompt else most


def appearances(pairs: list[list[tuple[str, str]]]) -> Counter[str]:
    return Counter(model for some in pairs for pair in some for model in pair)


@given(TABLES, DESIGNS)
@settings(max_examples=400, deadline=None)
def test_any_table_and_any_design(table: list[tuple[int, list[str]]], design: Design) -> None:
    found = pairs_of(table, design)
    for (_, models), pairs in zip(table, found, strict=True):
        assert len(pairs) == expected_count(models, design)
        assert len({frozenset(pair) for pair in pairs}) == len(pairs)
        assert all(a != b and {a, b} <= set(models) for a, b in pairs)
        if design.kind == "anchors":
            assert all(len({a, b} & design.anchors) == 1 for a, b in pairs)
    # Each model stands first as often as second, or once more, or once less.
    first = Counter(a for pairs in found for a, _ in pairs)
    second = Counter(b for pairs in found for _, b in pairs)
    assert all(abs(first[model] - second[model]) <= 1 for model in MODELS)
    assert pairs_of(table, design) == found


@given(st.integers(2, 7), st.integers(1, 21), st.integers(1, 40), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_of_a_whole_table_each_model_comes_up_equally_often(m: int, n: int, prompts: int, seed: int) -> None:
    found = pairs_of([(p, MODELS[:m]) for p in range(prompts)], Design("balanced", n, seed=seed))
    counts = appearances(found)
    assert max(counts.values()) - min(counts[model] for model in MODELS[:m]) <= 1


@given(TABLES, st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_of_a_ragged_table_no_exchange_would_be_more_equal(
    table: list[tuple[int, list[str]]], n: int, seed: int
) -> None:
    found = pairs_of(table, Design("balanced", n, seed=seed))
    counts = appearances(found)
    for (_, models), pairs in zip(table, found, strict=True):
        taken = {frozenset(pair) for pair in pairs}
        for pair in taken:
            for other in map(frozenset, combinations(models, 2)):
                if other not in taken and len(pair | other) == 3:
                    (out,), (into,) = pair - other, other - pair
                    assert counts[out] - counts[into] <= 1


def test_what_chance_draws_for_a_prompt_does_not_depend_on_the_others() -> None:
    table = [(f"p{n}", MODELS) for n in range(30)]
    design = Design("random", 3, seed=7)
    alone = [{frozenset(pair) for pair in pairs_of([one], design)[0]} for one in table]
    assert alone == [{frozenset(pair) for pair in pairs} for pairs in pairs_of(table, design)]
    assert alone != [{frozenset(pair) for pair in p} for p in pairs_of(table, Design("random", 3, seed=8))]


def test_random_pairs_are_uniform() -> None:
    found = pairs_of([(n, MODELS[:4]) for n in range(6000)], Design("random", 1))
    counts = Counter(frozenset(pair) for pairs in found for pair in pairs)
    assert len(counts) == 6 and all(abs(count - 1000) < 150 for count in counts.values())  # 5 sigma


def test_a_large_table_takes_seconds() -> None:
    found = pairs_of([(n, MODELS) for n in range(20_000)], Design("balanced", 3))
    assert sum(map(len, found)) == 60_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "some"}, "no design 'some'"),
        ({"kind": "random"}, "needs the number"),
        ({"kind": "all", "per_prompt": 2}, "takes every pair"),
        ({"kind": "balanced", "per_prompt": 0}, "at least one"),
        ({"kind": "anchors"}, "anchors are named"),
        ({"kind": "random", "per_prompt": 1, "anchors": frozenset("a")}, "anchors are named"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Design(**options)  # type: ignore[arg-type]
