"""What is decided of frozen comparisons as columns: the same however it is read, kept and read back; parts that are not too large."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions.releases import ReleaseOptions, start_release
from annotate.exports import chosen, files, plan
from annotate.exports.build import assist, build
from annotate.exports.choice import recipe_in
from annotate.exports.chosen import Chosen, choose
from annotate.exports.freeze import freeze
from annotate.exports.named import NAMED, named
from annotate.exports.plan import make_plan
from annotate.exports.recipe import Deal, Mix, Recipe, Splits, Ties
from annotate.models import FrozenComparison, Partition, Release
from tests.exports.test_killed import hashes, project_with_everything
from tests.factories import judge, make_comparison, make_pair, make_project


def same(one: Chosen, other: Chosen) -> bool:
    """Row by row: the order in which cases were met plays no part."""
    names = [name for name in chosen._COLUMNS if name != "case"]
    columns = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    cases = ([of.cases[place] for place in of.case] for of in (one, other))
    return columns and next(cases) == next(cases)


# --- combinations ------------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 5)),
        min_size=1,
        max_size=30,
    )
)
def test_rows_have_one_number_where_all_their_columns_are_alike(rows: list[tuple[int, ...]]) -> None:
    """Also where the product of the columns' sizes is more than a number of 64 bits holds."""
    code = chosen._combined([np.array(column) for column in zip(*rows, strict=True)]).tolist()
    for one in range(len(rows)):
        for other in range(len(rows)):
            assert (code[one] == code[other]) == (rows[one] == rows[other])


# --- parts -------------------------------------------------------------------------------------------------------------


def cut_one_by_one(
    rows: list[int], media: list[int], most: int, most_media: int
) -> list[tuple[int, int, int]]:
    """First, last and rows of each part, by the rule as it is told."""
    parts: list[list[int]] = []
    held = 0
    for number, (count, size) in enumerate(zip(rows, media, strict=True), 1):
        if not parts or parts[-1][2] + count > most or held + size > most_media:
            parts.append([number, number, 0])
            held = 0
        parts[-1][1], parts[-1][2], held = number, parts[-1][2] + count, held + size
    return [(first, last, count) for first, last, count in parts]


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=40),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_parts_are_cut_as_if_row_by_row(rows: list[tuple[int, int]], most: int, most_media: int) -> None:
    counts, media = [count for count, _ in rows], [size for _, size in rows]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plan, "MEDIA_A_FILE", most_media)
        parts = plan._cut(
            "", "", np.arange(1, len(rows) + 1), np.array(counts, int), most, np.array(media, int)
        )
    assert [(part.first, part.last, part.rows) for part in parts] == cut_one_by_one(
        counts, media, most, most_media
    )


# --- in a release ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_decided_does_not_depend_on_how_much_is_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_with_everything()
    mix = Mix(min_judgments=1, cap_source=30, ties=Ties.DROP)
    options = ReleaseOptions(recipe=Recipe(bench=mix, train=mix))
    release = start_release(by=None, project=project, options=options, directory=tmp_path / "at once")
    build(release, tmp_path / "at once", lambda **_: None, processes=1)
    release = Release.objects.get()
    whole = choose(release, lambda: None)
    assert (whole.left_out > 0).any() and (whole.media > 0).any() and len(whole.cases) > 3
    monkeypatch.setattr(chosen, "_BATCH", 7)
    monkeypatch.setattr(chosen, "_LOOKED_AT", 3)
    assert same(whole, choose(release, lambda: None))
    build(release, tmp_path / "by few", lambda **_: None, processes=1)
    assert hashes(tmp_path / "by few") == hashes(tmp_path / "at once")


@pytest.mark.django_db
def test_who_helps_reads_what_the_one_that_leads_decided(tmp_path: Path) -> None:
    project = project_with_everything()
    release = start_release(
        by=None, project=project, options=ReleaseOptions(min_labels=1), directory=tmp_path
    )
    files.mark(tmp_path, release.pk)
    freeze(release)
    release.refresh_from_db()
    assist(release.pk, tmp_path)  # nobody has decided anything yet
    assert not list(tmp_path.rglob("*.parquet"))
    decided = choose(release, lambda: None)
    decided.save(tmp_path)
    found = Chosen.load(tmp_path)
    assert same(found, decided)
    first, second = make_plan(release, decided), make_plan(release, found)
    assert first == second and first.bench and first.train
    # It is none of the release's files.
    assert files.files_in(tmp_path) == []


@pytest.mark.django_db
@pytest.mark.parametrize("source", ["", "mine", "a/b"])
def test_rows_have_the_same_name_in_sql(source: str) -> None:
    comparison = make_comparison(make_pair(make_project(), source=source, external_id="x/é'1"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {NAMED}, t.text_key FROM annotate_pair p, annotate_criterion t WHERE p.id = %s AND t.id = %s",
            [comparison.pair_id, comparison.criterion_id],
        )
        name, key = cursor.fetchone()
    assert name == named(source, "x/é'1", bytes(key))


# --- what was stored before --------------------------------------------------------------------------------------------

HELD = Splits((), Deal(0.25, 0.25, 3), ("model-a",), ("Which answer is better?",))
BESIDE: dict[str, Any] = {
    "near_duplicates": [],
    "split": {"test": 0.25, "validation": 0.25, "seed": 3},
    "hold_out": {"models": ["model-a"], "criteria": ["Which answer is better?"]},
}


def without_splits(recipe: Recipe) -> dict[str, Any]:
    return {name: value for name, value in recipe.as_json().items() if name != "splits"}


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        # In the recipe alone; there and beside it; beside a recipe that has no place for it; beside none.
        ({"recipe": Recipe(splits=HELD).as_json()}, Recipe(splits=HELD)),
        ({"recipe": Recipe(splits=HELD).as_json(), **BESIDE}, Recipe(splits=HELD)),
        ({"recipe": without_splits(Recipe(seed=4)), **BESIDE}, Recipe(seed=4, splits=HELD)),
        (BESIDE, Recipe(splits=HELD)),
        # Of the oldest nothing was nearly the same, nothing dealt and nothing held out.
        ({"recipe": without_splits(Recipe())}, Recipe(splits=Splits(()))),
        ({}, Recipe(splits=Splits(()))),
    ],
)
def test_recipes_of_earlier_releases_are_read(stored: dict[str, Any], read: Recipe) -> None:
    assert recipe_in(Release(recipe=stored)) == read


@pytest.mark.django_db
@pytest.mark.parametrize("with_splits", [True, False])
def test_a_release_that_was_begun_before_goes_by_what_stood_beside_its_recipe(
    tmp_path: Path, with_splits: bool
) -> None:
    project = make_project()
    for partition in Partition:
        for model in ("model-a", "model-b"):
            pair = make_pair(project, partition=partition)
            type(pair.response1).objects.filter(pk=pair.response1_id).update(model_name=model)
            judge(make_comparison(pair), "response1")
    options = ReleaseOptions(min_labels=1, hold_out_models=("model-a",))
    release = start_release(by=None, project=project, options=options, directory=tmp_path)
    assert "hold_out" not in release.recipe and "near_duplicates" not in release.recipe
    recipe = options.whole()
    before = release.recipe | {
        "version": 5,
        "near_duplicates": [],
        "hold_out": {"models": ["model-a"], "criteria": []},
        "recipe": recipe.as_json() if with_splits else without_splits(recipe),
    }
    Release.objects.filter(pk=release.pk).update(recipe=before)
    build(Release.objects.get(), tmp_path, lambda **_: None, processes=1)
    kept_out = FrozenComparison.objects.exclude(kept_out="").order_by("pk")
    assert [row.kept_out for row in kept_out] == ["held_out", "held_out"]
    assert {row.partition for row in kept_out} == {"validation", "train"}
    assert replace(recipe_in(release), splits=Splits()) == replace(recipe, splits=Splits())
