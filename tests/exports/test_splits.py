"""Splits without leaks: nothing shared and nothing nearly the same on two sides, every side with its share."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from annotate import looks, minhash
from annotate.models import Asset, Derivative, FrozenComparison, Partition, Project
from annotate.splitting import assign, behind, components
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project

SHARES = np.array([0.2, 0.1, 0.7])

links = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 25)), max_size=60)


def arrays(found: list[tuple[int, int]]) -> tuple[Any, Any]:
    table = np.array(found, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


@given(links)
def test_components_are_what_any_chain_of_links_joins(found: list[tuple[int, int]]) -> None:
    """Against the plain union-find."""
    named = components(40, *arrays(found))
    holders: dict[int, list[int]] = {}
    for row, part in found:
        holders.setdefault(part, []).append(row)
    expected = list(range(40))
    pairs = [(rows[0], row) for rows in holders.values() for row in rows]
    for group in minhash.groups(pairs):
        for row in group:
            expected[row] = group[0]
    assert named.tolist() == expected


@given(links, st.lists(st.integers(0, 3), min_size=40, max_size=40), st.randoms(use_true_random=False))
def test_nothing_shared_stands_on_two_sides_and_the_order_plays_no_part(
    found: list[tuple[int, int]], strata: list[int], chance: Any
) -> None:
    row, part = arrays(found)
    weights = np.eye(4, dtype=np.int64)[strata]
    keys = np.arange(40, dtype=np.uint64) * np.uint64(7919) % np.uint64(41)
    sides = assign(components(40, row, part), keys, weights, SHARES)
    for one in np.unique(part):
        assert len(set(sides[row[part == one]])) == 1
    order = np.array(chance.sample(range(40), 40))
    place = np.argsort(order)
    shuffled = assign(components(40, place[row], part), keys[order], weights[order], SHARES)
    assert shuffled.tolist() == sides[order].tolist()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=120))
def test_every_side_has_its_share_of_every_stratum(strata: list[int]) -> None:
    """Rows that share nothing: to within one row."""
    count = len(strata)
    weights = np.eye(4, dtype=np.int64)[strata]
    sides = assign(np.arange(count), np.arange(count, dtype=np.uint64), weights, SHARES)
    for side, share in enumerate(SHARES):
        assert (np.abs(weights[sides == side].sum(axis=0) - share * weights.sum(axis=0)) <= 1 + 1e-9).all()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=60),
)
def test_components_are_never_further_from_their_share_than_one_of_them_is_large(
    made: list[tuple[int, int]],
) -> None:
    component = np.repeat(np.arange(len(made)), [size for _, size in made])
    weights = np.repeat(np.eye(4, dtype=np.int64)[[s for s, _ in made]], [size for _, size in made], axis=0)
    sides = assign(component, np.arange(len(component), dtype=np.uint64), weights, SHARES)
    for side, share in enumerate(SHARES):
        assert (np.abs(weights[sides == side].sum(axis=0) - share * weights.sum(axis=0)) <= 5 + 1e-9).all()


@given(links, st.lists(st.integers(0, 2), min_size=40, max_size=40))
def test_what_stays_where_it_was_shares_nothing_with_an_earlier_side(
    found: list[tuple[int, int]], ranks: list[int]
) -> None:
    row, part = arrays(found)
    rank = np.array(ranks)
    leave = behind(rank, row, part)
    assert not leave[rank == 0].any()
    for one in np.unique(part):
        rows = row[part == one]
        assert len(set(rank[rows[~leave[rows]]])) <= 1
    for left in np.flatnonzero(leave):
        assert any(rank[row[part == one]].min() < rank[left] for one in part[row == left])


def picture(*circles: tuple[int, int], colour: str = "white", quality: int = 90, side: int = 160) -> bytes:
    image = Image.new("RGB", (160, 160), colour)
    draw = ImageDraw.Draw(image)
    for x, y in circles:
        draw.ellipse((x - 30, y - 30, x + 30, y + 30), fill="navy")
    out = io.BytesIO()
    image.resize((side, side)).save(out, "WEBP", quality=quality)
    return out.getvalue()


def test_pictures_are_alike_in_other_sizes_and_qualities_and_not_by_one_colour() -> None:
    files = [
        picture((50, 50), (110, 120)),
        picture((50, 50), (110, 120), quality=40, side=96),
        picture((110, 50)),
        picture(colour="red"),
        picture(colour="orange"),
        picture(colour="red", quality=20),
    ]
    made = [looks.sketch(io.BytesIO(file)) for file in files]
    hashes = np.array([found for found, _ in made], dtype=np.uint64)
    small = np.stack([pixels for _, pixels in made])
    assert {tuple(sorted(pair)) for pair in looks.alike(hashes, small)} == {(0, 1), (3, 5)}


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 255)), min_size=2, max_size=12))
def test_no_pair_of_pictures_is_missed(made: list[tuple[int, int]]) -> None:
    """Against comparing each with each; half of them are made from another by a few bits."""
    hashes = [found for found, _ in made] + [found ^ 0b1001_0000_0001 for found, _ in made]
    light = [shade for _, shade in made] * 2
    small = np.array(light, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), dtype=np.uint8)
    expected = {
        (a, b)
        for a in range(len(hashes))
        for b in range(a + 1, len(hashes))
        if (hashes[a] ^ hashes[b]).bit_count() <= looks.BITS and abs(light[a] - light[b]) <= looks.APART
    }
    found = looks.alike(np.array(hashes, dtype=np.uint64), small)
    assert {tuple(sorted(pair)) for pair in found} == expected


def export(project: Project, out: Path, *options: str) -> dict[str, Any]:
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--min-labels", "1", *options)
    manifest: dict[str, Any] = json.loads((out / "MANIFEST.json").read_text())
    return manifest


def kept_out() -> dict[str, str]:
    return dict(FrozenComparison.objects.values_list("pair__external_id", "kept_out"))


LONG = "Write a letter to the council about the broken lamp in {} street, and ask when it will be mended."


@pytest.mark.django_db
def test_a_prompt_nearly_the_same_as_one_in_reserve_leaves_train(tmp_path: Path) -> None:
    project = make_project()
    for name, prompt, partition in [
        ("kept", LONG.format("Mill"), Partition.RESERVE),
        ("near", LONG.format("Hill"), Partition.TRAIN),
        ("shout", LONG.format("Mill").upper(), Partition.VALIDATION),
        (
            "other",
            "How do plants turn light into sugar, and which colours of it do they use?",
            Partition.TRAIN,
        ),
    ]:
        judge(
            make_comparison(make_pair(project, prompt=prompt, external_id=name, partition=partition)), "tie"
        )
    manifest = export(project, tmp_path / "out")
    assert kept_out() == {"kept": "", "near": "near_duplicate", "shout": "near_duplicate", "other": ""}
    assert manifest["counts"]["train"]["text_to_text"]["excluded"]["near_duplicate"] == 1
    export(project, tmp_path / "exact", "--near-duplicates", "none")
    assert FrozenComparison.objects.exclude(kept_out="").count() == 2


@pytest.mark.django_db
def test_the_same_words_about_other_pictures_are_another_prompt_and_pictures_are_compared(
    tmp_path: Path,
) -> None:
    project = make_project(task_type="text_image_to_text")

    def asset(content: bytes) -> Asset:
        made = make_asset(project, content, extension="webp", media_type="image/webp")
        key = default_storage.save(f"derivatives/{made.pk}", ContentFile(content))
        Derivative.objects.create(
            asset=made, kind="thumb", media_type="image/webp", size=len(content), key=key
        )
        return made

    for name, content, partition in [
        ("kept", picture((50, 50), (110, 120)), Partition.RESERVE),
        ("near", picture((50, 50), (110, 120), quality=50), Partition.TRAIN),
        ("other", picture((110, 50)), Partition.TRAIN),
    ]:
        pair = make_pair(project, prompt=LONG, media=[asset(content)], external_id=name, partition=partition)
        judge(make_comparison(pair), "response1")
    export(project, tmp_path / "out")
    assert kept_out() == {"kept": "", "near": "near_duplicate", "other": ""}


def dealt() -> dict[str, str]:
    return dict(FrozenComparison.objects.values_list("pair__external_id", "partition"))


@pytest.mark.django_db
def test_splits_are_dealt_anew_by_task_type_and_tie_with_what_is_shared_together(tmp_path: Path) -> None:
    project = make_project()
    for n in range(40):
        pair = make_pair(
            project, prompt=f"Prompt {n // 2}, {'abcdefghij' * 4}{n // 2 * 7919}", external_id=f"{n:02}"
        )
        judge(make_comparison(pair), "tie" if n % 4 < 2 else "response1")
    manifest = export(
        project, tmp_path / "out", "--split", "test=0.2,validation=0.1", "--near-duplicates", "none"
    )
    sides = dealt()
    assert all(sides[f"{n:02}"] == sides[f"{n + 1:02}"] for n in range(0, 40, 2))
    assert manifest["counts"]["bench"]["text_to_text"]["labels"] == {"response1": 4, "tie": 4}
    assert manifest["counts"]["validation"]["text_to_text"]["labels"] == {"response1": 2}
    assert manifest["counts"]["train"]["text_to_text"]["excluded"] == {"no_side": 14}
    assert manifest["recipe"]["recipe"]["splits"]["deal"] == {"test": 0.2, "validation": 0.1, "seed": 0}


@pytest.mark.django_db
def test_held_out_models_and_criteria_stand_in_test_or_nowhere(tmp_path: Path) -> None:
    project = make_project()
    for n in range(12):
        pair = make_pair(
            project,
            external_id=f"{n:02}",
            models=("new" if n < 3 else "old", "older"),
            partition=Partition.RESERVE if n == 0 else Partition.TRAIN,
        )
        judge(make_comparison(pair, "Which is kinder?" if n == 5 else "Which is clearer?"), "response1")
    held = ("--hold-out-model", "new", "--hold-out-criterion", "Which is kinder?")
    export(project, tmp_path / "out", *held)
    assert {name for name, why in kept_out().items() if why} == {"01", "02", "05"}
    assert set(kept_out().values()) == {"", "held_out"}
    export(project, tmp_path / "dealt", *held, "--split", "test=0.5", "--near-duplicates", "none")
    rows = json.loads((tmp_path / "dealt/bench/text_to_text_preferences.json").read_text())
    assert {"00", "01", "02", "05"} <= {row["id"].split("/")[1] for row in rows}
    assert len(rows) == 6


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "test=0.9,validation=0.1"), "leaves nothing"),
        (("--split", "half"), "give it as test="),
        (("--split", "test=0.1,dev=0.1"), "give it as test="),
        (("--hold-out-model", "nobody"), "no response of a model 'nobody'"),
        (("--hold-out-criterion", "Nothing."), "no criterion 'Nothing.'"),
    ],
)
def test_what_cannot_be_split_so_is_refused_before_anything_is_written(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=message):
        export(make_project(), tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
