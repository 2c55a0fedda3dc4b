"""Recipes: what is read, what is refused and how it is told, and what a release takes by them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from annotate.exports.choice import Rows, Taken, limited_by, steps_of, take
from annotate.exports.formats import NAMES
from annotate.exports.recipe import (
    NEAR_DUPLICATES,
    Deal,
    Mix,
    Recipe,
    RecipeError,
    Splits,
    Ties,
    Whose,
    default_text,
    parse,
)
from annotate.models import Partition, Project, TaskType
from annotate.stats.labels import Settled
from tests.factories import judge, make_comparison, make_pair, make_project

FULL = """\
version: 1
formats: [jsonl, csv]
sources: [mine, theirs]
task_types: [text_to_text]
languages: [German]
criteria: ["Which is clearer?"]
settled: leave_out
groups: true
seed: 7
bench: {min_judgments: 3, min_agreement: 0.66, ties: drop, caps: {source: 9}}
validation: {labels: models, quotas: {text_to_audio: 0}}
train:
  ties: both
  weights: {mine: 2, theirs: 0.5}
  quotas: {text_to_audio: 400}
  caps: {source: 100, criterion: 50}
licences: {mine: CC-BY-4.0}
splits:
  near_duplicates: none
  deal: {test: 0.2, validation: 0.1}
  hold_out: {models: [small]}
"""


def test_the_printed_recipe_is_the_one_that_holds_without_any() -> None:
    assert parse(default_text()) == parse("") == Recipe()


def test_everything_is_read() -> None:
    assert parse(FULL) == Recipe(
        formats=("jsonl", "csv"),
        sources=("mine", "theirs"),
        task_types=("text_to_text",),
        languages=("German",),
        criteria=("Which is clearer?",),
        settled=Settled.LEAVE_OUT,
        groups=True,
        seed=7,
        bench=Mix(min_judgments=3, min_agreement=0.66, ties=Ties.DROP, cap_source=9),
        validation=Mix(labels=Whose.MODELS, ties=Ties.DROP, quotas={"text_to_audio": 0}),
        train=Mix(
            labels=Whose.ALL,
            ties=Ties.BOTH,
            weights={"mine": 2.0, "theirs": 0.5},
            quotas={"text_to_audio": 400},
            cap_source=100,
            cap_criterion=50,
        ),
        licences={"mine": "CC-BY-4.0"},
        splits=Splits((), Deal(0.2, 0.1), ("small",)),
    )


unhurried = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
names = st.text(min_size=1, max_size=12)
mixes = st.builds(
    Mix,
    min_judgments=st.none() | st.integers(1, 9),
    min_agreement=st.floats(0, 1),
    ties=st.sampled_from(Ties),
    weights=st.dictionaries(names, st.floats(0, 1e6), max_size=3),
    quotas=st.dictionaries(st.sampled_from(TaskType.values), st.integers(0, 10**9), max_size=3),
    cap_source=st.none() | st.integers(1, 10**9),
    cap_criterion=st.none() | st.integers(1, 10**9),
)


def dealt(test: float, rest: float, seed: int) -> Deal:
    return Deal(test, rest * (1 - test) * 0.99, seed)


deals = st.builds(dealt, st.floats(0.001, 0.99), st.floats(0, 1), st.integers(0, 2**63 - 1))
several = st.lists(names, unique=True, max_size=3).map(tuple)
recipes = st.builds(
    Recipe,
    formats=st.lists(st.sampled_from(NAMES), unique=True, min_size=1).map(tuple),
    sources=several,
    task_types=st.lists(st.sampled_from(TaskType.values), unique=True).map(tuple),
    languages=several,
    criteria=several,
    settled=st.sampled_from(Settled),
    groups=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
    splits=st.builds(
        Splits,
        near_duplicates=st.lists(st.sampled_from(NEAR_DUPLICATES), unique=True).map(tuple),
        deal=st.none() | deals,
        hold_out_models=several,
        hold_out_criteria=several,
    ),
    bench=mixes,
    validation=mixes,
    train=mixes,
    licences=st.dictionaries(names, names, max_size=2),
)


@given(recipes)
@example(Recipe(sources=("\x85a", "b\u2028", "中文")))
@unhurried
def test_what_is_written_is_read_again(recipe: Recipe) -> None:
    """As the file in a release, and as what is kept in the database."""
    assert parse(recipe.as_yaml()) == recipe
    assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))) == recipe


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "formats: [omni]\nsedd: 1\n",
            "line 2, sedd: is no field of a recipe. Here there are: version, formats",
        ),
        (
            "splits: {deal: {test: 0.9, validation: 0.2}}\n",
            "line 1, splits.deal: leaves nothing for one of the splits",
        ),
        ("splits:\n  deal: {validation: 0.2}\n", "line 2, splits.deal: names no share of test"),
        (
            "splits: {near_duplicates: [sound]}\n",
            "line 1, splits.near_duplicates: is 'sound'; must be one of text, image",
        ),
        ("splits: {hold_out: {model: [a]}}\n", "line 1, splits.hold_out.model: is no field of a recipe"),
        ("seed: 1\nseed: 2\n", "line 2, seed: stands here twice"),
        ("version: 2\n", "line 1, version: is '2'; must be 1."),
        ("formats: [omni, parquet]\n", "line 1, formats: is 'parquet'; must be one of arena, csv"),
        ("formats: []\n", "line 1, formats: must be a list"),
        ("formats: [csv, csv]\n", "names 'csv' twice"),
        ("sources: mine\n", "line 1, sources: is 'mine'; must be all, or a list"),
        ("sources: [1]\n", "line 1, sources: is '1'; must be a text. Put it in quotes."),
        ("groups: maybe\n", "line 1, groups: is 'maybe'; must be one of true, false."),
        ("settled: no\n", "line 1, settled: is 'no'; must be one of use, leave_out, ignore."),
        ("train:\n  ties: half\n", "line 2, train.ties: is 'half'; must be one of keep, drop, both."),
        (
            "train:\n  min_agreement: 66\n",
            "line 2, train.min_agreement: is '66'; must be a number from 0 to 1.",
        ),
        ("train:\n  min_agreement: .nan\n", "must be a number from 0 to 1."),
        ("bench:\n  min_judgments: 0\n", "must be a whole number from 1 to 9, or project."),
        ("train:\n  caps: {sources: 3}\n", "line 2, train.caps.sources: is no field"),
        ("train:\n  caps: {source: 0}\n", "must be a whole number of at least 1, or none."),
        ("train:\n  quotas: {text_to_audio: many}\n", "train.quotas: text_to_audio is 'many'"),
        ("train:\n  quotas: {speech: 3}\n", "line 2, train.quotas: is 'speech'; must be one of text_to_text"),
        ("train: 3\n", "line 1, train: must hold fields: labels, min_judgments"),
        ("[1, 2]\n", "line 1, the recipe: must hold fields"),
        (
            "bench: {labels: people's}\n",
            'line 1, bench.labels: is "people\'s"; must be one of people, models, all.',
        ),
        ("train: {weights: [1\n", "line 2, column 1: this is no YAML"),
        ("a: &x [1]\nb: *x\n", "uses anchors"),
        ("a: !!python/object:os.system x\n", "line 1, a: is no field"),
        ("seed: !!python/object:os.system x\n", "line 1, seed: is 'x'; must be a whole number"),
        ("sources: [2020-99-99]\n", "line 1, sources: is '2020-99-99'; must be a text"),
        ("#" * 200_001, "has 200,001 characters"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse(text)
    assert said in str(error.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        parse("seed: x\nbench: {ties: x}\n" + "".join(f"f{n}: 1\n" for n in range(30)))
    told = str(error.value).splitlines()
    assert told[0].startswith("line 1, seed:") and told[1].startswith("line 2, bench.ties:")
    assert told[-1] == "... and 12 more."


# --- what the mix takes ------------------------------------------------------------------------------------------------


def taken(mix: Mix, rows: list[tuple[str, str, str]], seed: int = 0) -> tuple[list[int], Taken]:
    """Which of the rows (source, task type, criterion) are taken, and what was found of each."""
    found = Rows(steps_of(mix), seed)
    for number, (source, task_type, criterion) in enumerate(rows):
        found.add(f"row {number}", limited_by(steps_of(mix), source, task_type, criterion.encode()))
    of_each = take(mix, found)
    return np.flatnonzero(of_each.left_out == 0).tolist(), of_each


@given(
    st.builds(
        Mix,
        weights=st.dictionaries(st.sampled_from("abc"), st.integers(0, 5).map(float)),
        quotas=st.dictionaries(st.sampled_from(["t", "u"]), st.integers(0, 9)),
        cap_source=st.none() | st.integers(1, 9),
        cap_criterion=st.none() | st.integers(1, 9),
    ),
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["t", "u", "v"]), st.sampled_from("xyz"))),
    st.integers(0, 9),
)
@unhurried
def test_limits_are_kept_and_what_is_left_out_has_no_chance(
    mix: Mix, rows: list[tuple[str, str, str]], seed: int
) -> None:
    numbers, of_each = taken(mix, rows, seed)
    kept = [rows[number] for number in numbers]
    by_task, by_source, by_criterion = (Counter(row[at] for row in kept) for at in (1, 0, 2))
    for task, most in mix.quotas.items():
        assert by_task[task] <= most
    assert all(count <= (mix.cap_source or count) for count in by_source.values())
    assert all(count <= (mix.cap_criterion or count) for count in by_criterion.values())
    for number in range(len(rows)):
        assert (of_each.inclusion[number] > 0) == (number in numbers)


def test_nothing_is_left_out_for_nothing() -> None:
    rows = [("a", "t", "x")] * 5
    assert taken(Mix(quotas={"t": 5}, cap_source=5, cap_criterion=5, weights={"a": 3}), rows)[0] == list(
        range(5)
    )
    assert taken(Mix(), rows)[0] == list(range(5))


def test_weights_keep_the_proportion_and_repeat_nothing() -> None:
    rows = [("a", "t", "x")] * 100 + [("b", "t", "x")] * 30 + [("c", "t", "x")] * 7
    numbers, of_each = taken(Mix(weights={"a": 2, "b": 1, "nobody": 5}), rows)
    assert Counter(rows[number][0] for number in numbers) == {"a": 60, "b": 30, "c": 7}
    assert {of_each.inclusion[number] for number in numbers if number < 100} == {0.6}


def test_inclusion_probabilities_estimate_what_the_filters_left() -> None:
    """Horvitz and Thompson: over seeds, sums weighed by the inverse come to the number of rows that there were."""
    rows = [("a", "t", "x")] * 40 + [("b", "t", "y")] * 20
    mix = Mix(weights={"a": 1, "b": 1}, cap_criterion=10)
    sums = Counter[str]()
    for seed in range(30):
        numbers, of_each = taken(mix, rows, seed)
        for number in numbers:
            sums[rows[number][0]] += 1 / of_each.inclusion[number]
    assert sums["a"] / 30 == pytest.approx(40) and sums["b"] / 30 == pytest.approx(20)


def test_what_one_step_takes_says_nothing_of_the_next() -> None:
    """Of two sources of which the first step leaves a tenth and all, the second step takes its share of each alike."""
    rows = [("a", "t", "x")] * 1000 + [("b", "t", "x")] * 100
    numbers, _ = taken(Mix(weights={"a": 1, "b": 1}, quotas={"t": 100}), rows)
    of = Counter(rows[number][0] for number in numbers)
    assert (
        of.total() == 100 and 35 <= of["a"] <= 65
    )  # by chance beyond this in one of some 700 seeds, not in seed 0


def test_a_row_stays_in_a_larger_release_of_the_same_seed() -> None:
    rows = [("a", "t", "x")] * 50
    few, more = (set(taken(Mix(cap_source=most), rows)[0]) for most in (10, 20))
    assert few < more and few != set(taken(Mix(cap_source=10), rows, seed=1)[0])


# --- in a release ------------------------------------------------------------------------------------------------------


def export(project: Project, out: Path, recipe: str, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / f"{out.name}.yaml"
    path.write_text(recipe)
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--recipe", str(path))
    manifest: dict[str, Any] = json.loads((out / "MANIFEST.json").read_text())
    return manifest


def rows(out: Path, split: str = "train") -> list[dict[str, Any]]:
    path = out / f"jsonl/text_to_text-{split}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.django_db
def test_filters_are_counted_at_each_step_and_told_in_the_card(tmp_path: Path) -> None:
    project = make_project()
    judged: dict[str, tuple[str, list[str]]] = {
        "kept": ("Which is clearer?", ["response1"] * 3),
        "kept too": ("which is  CLEARER?", ["response2"] * 2 + ["cannot_tell"]),
        "other": ("Which is longer?", ["response1"] * 3),
        "two of three": ("Which is clearer?", ["response1", "response1", "response2"]),
        "tie": ("Which is clearer?", ["tie"] * 3),
        "few": ("Which is clearer?", ["response1"]),
    }
    for name, (criterion, verdicts) in judged.items():
        comparison = make_comparison(make_pair(project, external_id=name), criterion)
        for verdict in verdicts:
            judge(comparison, verdict)
    recipe = (
        "formats: [jsonl, trl]\ncriteria: ['Which is clearer?']\nlicences: {test: MIT}\n"
        "train: {min_judgments: 2, min_agreement: 0.7, ties: drop}\n"
    )
    manifest = export(project, tmp_path / "out", recipe, tmp_path)
    told = {row["pair"]: row for row in rows(tmp_path / "out")}
    assert set(told) == {"kept", "kept too"}
    assert (told["kept too"]["verdicts_aside"], told["kept too"]["annotators"]) == (1, 3)
    assert manifest["counts"]["train"]["text_to_text"]["excluded"] == {
        "criterion": 1,
        "too_few": 1,
        "disagreement": 1,
        "no_side": 1,
    }
    card = (tmp_path / "out/README.md").read_text()
    for line in (
        "| train | text_to_text | frozen |  | 6 |",
        "| train | text_to_text | `criterion` | 1 | 5 |",
        "| train | text_to_text | `too_few` | 1 | 4 |",
        "| train | text_to_text | `disagreement` | 1 | 3 |",
        "| train | text_to_text | `no_side` | 1 | 2 |",
        "| jsonl | train | text_to_text | 2 |",
        "| test | 6 | MIT |",
        "- criteria: Which is clearer?.",
    ):
        assert line in card, line
    assert "usable verdicts at least 2, of which at least 0.7 say the label" in card


@pytest.mark.django_db
def test_ties_in_both_orders_have_two_rows(tmp_path: Path) -> None:
    project = make_project()
    pair = make_pair(project, response1="one", response2="two", external_id="even")
    judge(make_comparison(pair), "tie")
    export(
        project, tmp_path / "out", "formats: [trl, jsonl]\ntrain: {min_judgments: 1, ties: both}\n", tmp_path
    )
    sided = [
        json.loads(line)
        for line in (tmp_path / "out/train/text_to_text-train.jsonl").read_text().splitlines()
    ]
    assert [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in sided] == [
        ("one", "two"),
        ("two", "one"),
    ]
    assert [row["id"].rsplit("/", 1)[1] for row in sided] == ["1", "2"]
    assert [row["label"] for row in rows(tmp_path / "out")] == ["tie"]
    assert "| trl | train | text_to_text | 2 |" in (tmp_path / "out/README.md").read_text()


@pytest.mark.django_db
def test_quotas_and_caps_and_the_coverage_of_the_card(tmp_path: Path) -> None:
    project = make_project()
    for number in range(12):
        pair = make_pair(project, source="a" if number < 8 else "b", partition=Partition.RESERVE)
        judge(make_comparison(pair), "response1")
    recipe = "formats: [jsonl]\nbench: {min_judgments: 1, quotas: {text_to_text: 10, text_to_audio: 5}, caps: {source: 4}}\n"
    manifest = export(project, tmp_path / "out", recipe, tmp_path)
    told = rows(tmp_path / "out", "test")
    assert Counter(row["source"] for row in told)["a"] == 4 and len(told) == 4 + sum(
        row["source"] == "b" for row in told
    )
    assert manifest["coverage"]["reserve"] == {
        "text_to_text": {"wanted": 10, "there": 12, "taken": len(told)},
        "text_to_audio": {"wanted": 5, "there": 0, "taken": 0},
    }
    excluded = manifest["counts"]["bench"]["text_to_text"]["excluded"]
    assert excluded["quotas"] == 2 and sum(excluded.values()) == 12 - len(told)
    for row in told:
        of_a = 8 if row["source"] == "a" else None
        assert 0 < row["inclusion_probability"] <= (10 / 12 if of_a is None else 10 / 12 * 4 / 6)
    card = (tmp_path / "out/README.md").read_text()
    assert f"| reserve | text_to_text | 10 | 12 | {len(told)} | {10 - len(told)} |" in card
    assert "| reserve | text_to_audio | 5 | 0 | 0 | 5 |" in card
    # The recipe of the release makes the same rows again.
    again = export(project, tmp_path / "again", (tmp_path / "out/RECIPE.yaml").read_text(), tmp_path)
    assert again["recipe"] == manifest["recipe"]
    assert rows(tmp_path / "again", "test") == told


@pytest.mark.django_db
def test_options_go_before_the_recipe(tmp_path: Path) -> None:
    project = make_project()
    judge(make_comparison(make_pair(project)), "response1")
    (tmp_path / "r.yaml").write_text(
        "formats: [csv]\ntrain: {min_judgments: 5, ties: both}\nsettled: ignore\n"
    )
    out = tmp_path / "out"
    options = ["--recipe", str(tmp_path / "r.yaml"), "--min-labels", "1", "--formats", "jsonl"]
    call_command("export_bench", "--project", project.slug, "--out", str(out), *options)
    kept = yaml.safe_load((out / "RECIPE.yaml").read_text())
    assert (kept["formats"], kept["settled"]) == (["jsonl"], "ignore")
    assert (kept["train"]["min_judgments"], kept["train"]["ties"]) == (1, "both")
    assert len(rows(out)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("train: {ties: half}\n", "line 1, train.ties: is 'half'"),
        ("sources: [nowhere]\n", "no pairs of source 'nowhere'"),
        ("train: {weights: {nowhere: 1}}\n", "no pairs of source 'nowhere'"),
        ("criteria: ['Which is odder?']\n", "no criterion 'Which is odder?'"),
    ],
)
def test_a_wrong_recipe_leaves_nothing_behind(recipe: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=said.replace("?", r"\?")):
        export(make_project(), tmp_path / "out", recipe, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.django_db
def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no format 'xml'\. There are: arena, csv"):
        call_command(
            "export_bench",
            "--project",
            make_project().slug,
            "--out",
            str(tmp_path / "out"),
            "--formats",
            "omni,xml",
        )


def test_the_recipe_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("export_bench", "--print-recipe")
    assert parse(capsys.readouterr().out) == Recipe()
