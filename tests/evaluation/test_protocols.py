"""The protocols as arithmetic: against brute force, against the published tables, against another implementation."""

import json
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.paths import SHARED_DATA, needs_shared_data
from workers.evaluation.calibration import calibration
from workers.evaluation.intervals import figures, paired
from workers.evaluation.protocols import (
    FAILED,
    UNSUPPORTED,
    both_orders,
    by_sign,
    by_threshold,
    halves,
    joined,
    macro,
    supported_tasks,
    with_ties,
    without_ties,
)
from workers.evaluation.thresholds import best_threshold, call, crosswise, fit_ties

# arXiv 2510.23451, tables of accuracy (%): T2T, TI2T, TV2T, TA2T, T2I, T2V, T2A, T2-3D, TI2I, and "overall".
PUBLISHED = """
76.74 61.55 67.04 - 61.69 64.27 - 68.54 65.94 66.54
78.18 61.74 69.30 62.75 59.33 65.03 44.53 70.86 69.87 64.62
77.22 61.17 67.04 - 59.14 61.44 - 63.91 65.94 65.12
61.39 51.89 60.95 60.50 47.35 39.70 21.90 37.09 39.30 46.67
71.22 56.06 63.88 - 61.69 58.22 - 63.91 46.29 60.18
75.30 60.23 68.85 70.59 58.35 64.08 63.99 67.88 58.95 65.36
88.25 76.28 78.68 - 70.75 72.53 - 77.65 72.46 76.66
86.89 75.58 77.11 70.96 69.61 73.18 53.28 77.65 73.91 73.13
88.25 75.58 78.16 - 68.48 71.03 - 73.86 71.50 75.27
74.04 66.05 71.58 69.76 58.50 61.16 54.80 54.92 48.79 62.18
81.77 69.53 75.53 - 71.20 62.02 - 72.35 55.56 69.71
85.79 72.79 79.47 75.45 67.12 72.75 66.41 77.65 65.70 73.68
""".split("\n")[1:-1]
# Rows of each task in the benchmark, all and without ties.
ROWS = [417, 528, 443, 357, 509, 529, 411, 302, 229]
DECIDED = [366, 430, 380, 334, 441, 466, 396, 264, 207]

labels_of = lambda n: arrays(np.int8, n, elements=st.sampled_from([-1, 0, 1]))  # noqa: E731
verdicts_of = lambda n: arrays(np.int8, n, elements=st.sampled_from([-1, 0, 1, FAILED]))  # noqa: E731
# Few values, so that margins are often equal, in size or altogether, and 0.
margins_of = lambda n: arrays(np.float64, n, elements=st.sampled_from([-2.0, -1, -0.5, 0, 0.5, 1, 2, 3]))  # noqa: E731
scored = st.integers(0, 40).flatmap(lambda n: st.tuples(margins_of(n), labels_of(n)))


@pytest.mark.parametrize("line", PUBLISHED)
def test_published_overall_is_the_unweighted_mean_of_the_tasks_that_a_model_supports(line: str) -> None:
    *tasks, overall = line.split()
    found = macro([None if cell == "-" else float(cell) for cell in tasks])
    assert found == pytest.approx(float(overall), abs=0.0051)


def test_published_overall_is_not_the_mean_over_rows() -> None:
    """Of the nine-task models the two differ by more than rounding, so the test above tells them apart."""
    for line, rows in ((PUBLISHED[1], ROWS), (PUBLISHED[7], DECIDED)):
        *tasks, overall = map(float, line.split())
        micro = sum(a * n for a, n in zip(tasks, rows, strict=True)) / sum(rows)
        assert abs(micro - overall) > 0.2


def test_published_accuracies_are_hits_of_the_tasks_rows() -> None:
    """Each is a whole number of hits, so these are the sizes of the two protocols and a failure is a miss.

    One is not: Omni-RewardModel-R1's 81.77 of text to text without ties is 296 hits of 362 rows, not of 366.
    """
    odd = []
    for lines, rows in ((PUBLISHED[:6], ROWS), (PUBLISHED[6:], DECIDED)):
        for number, line in enumerate(lines):
            for task, (cell, n) in enumerate(zip(line.split(), rows, strict=False)):
                if cell != "-" and abs(100 * round(float(cell) / 100 * n) / n - float(cell)) > 0.0051:
                    odd.append((number, task, cell, n))
    assert odd == [(4, 0, "81.77", 366)]
    assert round(100 * 296 / 362, 2) == 81.77


def test_macro_of_nothing_is_nothing() -> None:
    assert macro([]) is None and macro([None]) is None


@given(st.integers(0, 30).flatmap(lambda n: st.tuples(verdicts_of(n), labels_of(n))))
def test_hits_are_what_a_loop_says(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    verdicts, labels = drawn
    assert with_ties(verdicts, labels).tolist() == [
        float(v == w) for v, w in zip(verdicts.tolist(), labels.tolist(), strict=True)
    ]
    found = without_ties(verdicts, labels)
    for verdict, label, hit in zip(verdicts.tolist(), labels.tolist(), found.tolist(), strict=True):
        if label == 0:
            assert np.isnan(hit)
        else:
            assert hit == (0.5 if verdict == 0 else float(verdict == label))


@given(scored)
def test_the_best_threshold_is_the_best_of_all_there_are(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    margins, labels = drawn
    found = best_threshold(margins, labels)
    tried = [-1.0, *np.abs(margins), *(np.abs(margins) + 0.1), *(np.abs(margins) - 0.1)]
    most = max(int(with_ties(by_threshold(margins, one), labels).sum()) for one in tried)
    assert with_ties(call(margins, found), labels).sum() == found.hits == most
    assert found.hits >= with_ties(by_sign(margins), labels).sum()


def test_no_ties_is_a_candidate() -> None:
    """The published scan never tries it: it calls at least the smallest margin a tie."""
    found = best_threshold(np.array([0.1, 2.0, -3.0]), np.array([1, 1, -1], dtype=np.int8))
    assert (found.epsilon, found.hits) == (None, 3)


def test_equal_margins_are_ties_together() -> None:
    """Between two rows of one |margin| no threshold lies: three hits of four are out of reach."""
    margins, labels = np.array([1.0, -1.0, 1.0, 5.0]), np.array([0, -1, 1, 1], dtype=np.int8)
    assert best_threshold(margins, labels).hits == 3  # no ties: the last three
    labels = np.array([0, 0, 1, 1], dtype=np.int8)
    assert best_threshold(margins, labels).epsilon == 1.0
    assert best_threshold(margins, labels).hits == 3


@given(scored)
def test_exchanged_sides_change_no_threshold(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    margins, labels = drawn
    assert best_threshold(margins, labels) == best_threshold(-margins, -labels)
    first = np.arange(len(margins)) % 2 == 0
    assert (crosswise(margins, labels, first) == -crosswise(-margins, -labels, first)).all()


@given(scored, st.data())
def test_a_threshold_never_sees_its_own_rows(
    drawn: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    """Whatever the labels of a half are, they change nothing of how that half is called."""
    margins, labels = drawn
    first = np.arange(len(margins)) % 2 == 0
    other = labels.copy()
    other[first] = data.draw(labels_of(int(first.sum())))
    assert (crosswise(margins, labels, first)[first] == crosswise(margins, other, first)[first]).all()


@given(st.lists(st.text(max_size=4), max_size=60))
def test_halves_keep_a_group_together_and_are_halves(groups: list[str]) -> None:
    first = halves(groups)
    assert len({(group, bool(one)) for group, one in zip(groups, first, strict=True)}) == len(set(groups))
    sizes = Counter({group: bool(one) for group, one in zip(groups, first, strict=True)}.values())
    assert abs(sizes[True] - sizes[False]) <= 1


def test_the_tie_model_finds_the_scale_and_threshold_that_labels_were_drawn_with() -> None:
    rng = np.random.default_rng(3)
    margins = rng.normal(scale=0.01, size=40_000)
    p_first, p_second = (1 / (1 + np.exp(-(sign * 200 * margins - 0.4))) for sign in (1, -1))
    drawn = rng.random(len(margins))
    labels = np.where(drawn < p_first, 1, np.where(drawn < p_first + p_second, -1, 0)).astype(np.int8)
    found = fit_ties(margins, labels)
    assert found.scale == pytest.approx(200, rel=0.03)
    assert found.threshold == pytest.approx(0.4, abs=0.015)
    told = calibration(found.wins(margins), labels)
    assert told is not None and told.error < 0.01


@given(scored)
def test_a_tie_model_is_found_for_any_rows(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    margins, labels = drawn
    found = fit_ties(margins, labels)
    assert found.scale >= 0 and 0 < found.threshold < np.inf
    turned = fit_ties(-margins, -labels)
    assert turned.scale == pytest.approx(found.scale, rel=1e-4, abs=1e-5)
    verdicts = found.verdicts(margins)
    assert np.isin(verdicts, (-1, 0, 1)).all()
    assert (found.verdicts(-margins) == -verdicts).all()
    if len(margins) and not (labels == 0).any() and (margins != 0).all() and found.scale > 1e-3:
        assert (verdicts == np.sign(margins)).all()


def test_both_orders() -> None:
    forward = np.array([1, 1, 0, -1, FAILED, 1, UNSUPPORTED], dtype=np.int8)
    backward = np.array([1, -1, 0, 0, 1, FAILED, UNSUPPORTED], dtype=np.int8)
    labels = np.array([1, 1, 0, -1, 1, 1, 1], dtype=np.int8)
    found = both_orders(forward, backward, labels)
    np.testing.assert_array_equal(found.consistent, [1, 0, 1, 0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found.both_correct, [1, 0, 1, 0, 0, 0, np.nan])
    # The second row took what stood first both times; the fourth what stood second, once.
    np.testing.assert_array_equal(found.leaning, [0, 1, 0, -0.5, np.nan, np.nan, np.nan])
    assert joined(forward, backward).tolist() == [1, 0, 0, 0, 1, 1, UNSUPPORTED]


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(labels_of(n), labels_of(n), labels_of(n))))
def test_both_orders_do_not_hang_on_which_response_is_called_first(drawn: tuple[np.ndarray, ...]) -> None:
    """To exchange the responses exchanges the two rounds: what stood first stays first."""
    forward, backward, labels = drawn
    found, turned = both_orders(forward, backward, labels), both_orders(-backward, -forward, -labels)
    np.testing.assert_array_equal(found.consistent, turned.consistent)
    np.testing.assert_array_equal(found.both_correct, turned.both_correct)
    np.testing.assert_array_equal(found.leaning, turned.leaning)
    assert (joined(forward, backward) == -joined(-backward, -forward)).all()
    assert (found.both_correct <= found.consistent).all()


def test_a_task_of_which_a_row_is_not_seen_is_not_supported() -> None:
    verdicts = np.array([1, UNSUPPORTED, FAILED, 0], dtype=np.int8)
    assert supported_tasks(["a", "b", "c", "b"], verdicts) == ["a", "c"]


rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("pqrs"), st.sampled_from([0.0, 0.5, 1.0, np.nan]))
)


@given(rows)
def test_figures_are_means_and_lie_in_their_intervals(drawn: list[tuple[str, str, float]]) -> None:
    values = np.array([value for *_, value in drawn], dtype=np.float64)
    tasks, groups = [task for task, *_ in drawn], [task + group for task, group, _ in drawn]
    found = figures(values, tasks, groups, rounds=50)
    means = {}
    for task in set(tasks):
        counted = [Fraction(value) for name, _, value in drawn if name == task and not np.isnan(value)]
        if counted:
            means[task] = sum(counted) / len(counted)
            assert found.tasks[task].value == pytest.approx(float(means[task]))
            assert found.tasks[task].n == len(counted)
    assert set(found.tasks) == set(means)
    for one in (*found.tasks.values(), found.macro, found.micro):
        if one is not None:
            assert one.low <= one.value <= one.high
    if means:
        assert found.macro is not None and found.micro is not None
        assert found.macro.value == pytest.approx(float(sum(means.values()) / len(means)))
        assert found.micro.value == pytest.approx(float(np.nanmean(values)))


def test_intervals_know_that_a_prompts_rows_go_together() -> None:
    """Ten rows a prompt that are all right or all wrong tell as much as one: the interval is that of 40 prompts."""
    rng = np.random.default_rng(1)
    of_prompt = (rng.random(40) < 0.7).astype(np.float64)
    apart = figures(of_prompt, ["t"] * 40, [str(n) for n in range(40)]).tasks["t"]
    tenfold = figures(of_prompt.repeat(10), ["t"] * 400, [str(n // 10) for n in range(400)]).tasks["t"]
    assert tenfold.high - tenfold.low == pytest.approx(apart.high - apart.low, abs=0.02)
    as_if = figures(of_prompt.repeat(10), ["t"] * 400, [str(n) for n in range(400)]).tasks["t"]
    assert as_if.high - as_if.low < 0.5 * (apart.high - apart.low)


def test_tasks_are_drawn_apart() -> None:
    """Two tasks that look alike are two: their mean is surer than either by a factor of about the root of two."""
    values = (np.random.default_rng(4).random(100) < 0.6).astype(np.float64)
    tasks, groups = ["a"] * 100 + ["b"] * 100, [str(n) for n in range(100)] * 2
    found = figures(np.tile(values, 2), tasks, groups)
    assert found.macro is not None
    one, both = found.tasks["a"], found.macro
    assert (both.high - both.low) == pytest.approx((one.high - one.low) / 2**0.5, rel=0.12)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held, rng = 0, np.random.default_rng(7)
    for run in range(200):
        values = (rng.random(240) < np.repeat([0.8, 0.5], 120)).astype(np.float64)
        found = figures(
            values, ["a"] * 120 + ["b"] * 120, [str(n) for n in range(240)], rounds=200, seed=run
        ).macro
        assert found is not None
        held += found.low <= 0.65 <= found.high
    assert 180 <= held <= 198  # of 200: 95 % less what percentiles of few rounds miss


def test_a_judge_is_not_better_than_itself_and_better_than_a_worse_one() -> None:
    rng = np.random.default_rng(2)
    good, tasks = (rng.random(400) < 0.8).astype(np.float64), ["a"] * 300 + ["b"] * 100
    groups = [str(n // 2) for n in range(400)]
    same = paired(good, good, tasks, groups)
    assert same.p_macro == same.p_micro == 1.0
    assert same.differences.macro is not None and same.differences.macro.value == 0
    worse = np.where(rng.random(400) < 0.25, 0.0, good)
    found = paired(good, worse, tasks, groups)
    assert found.p_macro is not None and found.p_macro < 0.001
    assert found.differences.macro is not None and found.differences.macro.low > 0
    turned = paired(worse, good, tasks, groups)
    assert turned.p_macro == pytest.approx(found.p_macro, abs=0.001)


def test_by_chance_as_often_as_it_says() -> None:
    """Judges of one strength: p under 0.05 once in twenty, though rows of a prompt go together."""
    rng = np.random.default_rng(11)
    small = 0
    for run in range(200):
        one, other = ((rng.random(60) < 0.6).repeat(5).astype(np.float64) for _ in range(2))
        groups = [str(n // 5) for n in range(300)]
        found = paired(one, other, ["t"] * 300, groups, rounds=2, flips=400, seed=run)
        assert found.p_micro is not None
        small += found.p_micro <= 0.05
    assert small <= 20  # 10 expected; as if rows were independent there would be over 60


def test_sign_flips_are_the_binomial_test_where_parts_are_equal() -> None:
    """Nine of ten prompts speak for one judge: 22 of 1024 ways are as far from even (a two-sided sign test)."""
    hits, others = np.array([1.0] * 9 + [0]), np.array([0.0] * 9 + [1])
    found = paired(hits, others, ["t"] * 10, [str(n) for n in range(10)], flips=40_000)
    assert found.p_micro == pytest.approx(22 / 1024, abs=0.003)


def test_calibration() -> None:
    assert calibration(np.array([0.7]), np.array([0], dtype=np.int8)) is None
    p = np.array([0.8] * 10 + [0.2] * 10 + [0.95])
    labels = np.array([1] * 8 + [-1] * 2 + [-1] * 6 + [1] * 4 + [0], dtype=np.int8)
    found = calibration(p, labels)
    assert found is not None
    assert found.n == 20
    assert [(round(one.confidence, 2), one.right, one.n) for one in found.bins] == [(0.8, 0.7, 20)]
    assert found.error == pytest.approx(0.1)


@given(scored)
def test_calibration_knows_no_sides(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    margins, labels = drawn
    p = 1 / (1 + np.exp(-margins))
    assert calibration(p, labels) == pytest.approx(calibration(p, labels))
    found, turned = calibration(p, labels), calibration(1 / (1 + np.exp(margins)), -labels)
    assert (found is None) == (turned is None)
    if found and turned:
        assert turned.error == pytest.approx(found.error)
        assert sum(one.n for one in found.bins) == found.n


@needs_shared_data
@pytest.mark.parametrize("seed", range(3))
def test_verdict_files_on_pandalm_against_another_implementation(seed: int) -> None:
    """PandaLM's own counting (compare verdicts with the majority of three) in plain Python, with exact fractions."""
    items = json.loads((SHARED_DATA / "text" / "pandalm-testset-v1.json").read_text())
    majorities = []
    for item in items:
        votes = Counter(str(item[f"annotator{n}"]) for n in (1, 2, 3))
        ((first, most), *_) = votes.most_common(1)
        assert most >= 2
        majorities.append(first)
    assert Counter(majorities) == {"1": 422, "2": 472, "0": 105}
    rng = np.random.default_rng(seed)
    said = [label if rng.random() < 0.7 else str(rng.choice(["0", "1", "2", "?"])) for label in majorities]

    right = sum(one == label for one, label in zip(said, majorities, strict=True))
    decided = [(one, label) for one, label in zip(said, majorities, strict=True) if label != "0"]
    of_decided = sum(
        (Fraction(1, 2) if one == "0" else Fraction(one == label) for one, label in decided), Fraction(0)
    )

    number = {"1": 1, "2": -1, "0": 0, "?": FAILED}
    verdicts = np.array([number[one] for one in said], dtype=np.int8)
    labels = np.array([number[label] for label in majorities], dtype=np.int8)
    tasks, groups = ["text_to_text"] * len(items), [str(item["idx"]) for item in items]
    all_rows = figures(with_ties(verdicts, labels), tasks, groups, rounds=20).micro
    no_ties = figures(without_ties(verdicts, labels), tasks, groups, rounds=20).micro
    assert all_rows is not None and no_ties is not None
    assert all_rows.value == pytest.approx(float(Fraction(right, len(items))))
    assert (no_ties.value, no_ties.n) == (pytest.approx(float(of_decided / len(decided))), 894)
