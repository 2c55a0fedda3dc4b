"""Prompts that mean the same stand on one side of the splits, where a release asks for that."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from annotate import minhash, nearest
from annotate.exports.recipe import SAME_MEANING
from annotate.models import Partition, Project, TaskType
from annotate.sentences import NoSentences, embedded
from tests.exports.rewordings import OTHER, SAME
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project
from tests.media.pictures import coded, picture


def cosines(pairs: list[tuple[str, str]]) -> Any:
    first, second = (embedded([pair[side] for pair in pairs]).astype(np.float64) for side in (0, 1))
    return (first * second).sum(axis=1)


def test_the_default_finds_prompts_in_other_words_that_runs_of_bytes_do_not() -> None:
    """What the recipe says of its default."""
    assert (cosines(SAME) >= SAME_MEANING).sum() == 11
    assert (cosines(OTHER) >= SAME_MEANING).sum() == 1
    assert not any(minhash.resemblance(*pair) >= minhash.LIKE for pair in SAME)


@given(
    st.lists(st.lists(st.sampled_from((-1.0, 0.0, 0.5, 1.0)), min_size=3, max_size=3), max_size=40),
    st.sampled_from((0.5, 0.8, 0.95)),
    st.integers(1, 9),
)
def test_every_pair_is_compared_whatever_the_blocks(
    rows: list[list[float]], least: float, block: int
) -> None:
    """Against the plain union-find over all pairs."""
    vectors = np.array(rows, dtype=np.float32).reshape(-1, 3)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    told: list[int] = []
    before, nearest._BLOCK = nearest._BLOCK, block
    try:
        root = nearest.near_groups(vectors, least - 1e-6, told.append)
    finally:
        nearest._BLOCK = before
    near = vectors @ vectors.T >= least - 1e-6
    expected = list(range(len(vectors)))
    for group in minhash.groups((int(a), int(b)) for a, b in zip(*np.nonzero(near), strict=True) if a < b):
        for row in group:
            expected[row] = group[0]
    assert root.tolist() == expected
    assert told == sorted(told) and (not len(vectors) or told[-1] == len(vectors))


def reworded() -> Project:
    """In reserve a prompt, in train the same in other words and two that ask something else."""
    project = make_project(slug="reworded", k=1, reserve_k=1)
    (asked, again), (_, other) = SAME[11], OTHER[7]
    for name, text, partition in (
        ("asked", asked, Partition.RESERVE),
        ("again", again, Partition.TRAIN),
        ("other", other, Partition.TRAIN),
        ("else", SAME[0][0], Partition.TRAIN),
    ):
        pair = make_pair(project, prompt=text, external_id=name, partition=partition)
        judge(make_comparison(pair, k=1), "response1")
    return project


def export(project: Project, out: Path, *options: str) -> tuple[set[str], dict[str, Any]]:
    """The pairs in train, and the manifest."""
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--formats", "jsonl", *options)
    rows = [json.loads(line) for line in (out / "jsonl/text_to_text-train.jsonl").read_text().splitlines()]
    return {row["pair"] for row in rows}, json.loads((out / "MANIFEST.json").read_text())


@pytest.mark.django_db
def test_what_means_the_same_as_a_prompt_of_the_benchmark_leaves_train(tmp_path: Path) -> None:
    project = reworded()
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("splits: {near_duplicates: [text, image, meaning], same_meaning: 0.86}\n")
    train, manifest = export(project, tmp_path / "out", "--recipe", str(recipe))
    assert train == {"other", "else"}
    assert manifest["counts"]["train"]["text_to_text"]["excluded"] == {"near_duplicate": 1}
    assert manifest["recipe"]["recipe"]["splits"]["same_meaning"] == 0.86
    assert "cosine of their sentence embeddings of at least 0.86" in (tmp_path / "out/README.md").read_text()
    # As it stands without a recipe: nothing is compared by meaning, and the card says so.
    train, _ = export(project, tmp_path / "default")
    assert train == {"again", "other", "else"}
    assert "Prompts were not compared by what they mean." in (tmp_path / "default/README.md").read_text()
    call_command("verify_release", str(tmp_path / "out"))


@pytest.mark.django_db
def test_dealt_anew_what_means_the_same_is_dealt_together(tmp_path: Path) -> None:
    project = make_project(slug="dealt", k=1, reserve_k=1)
    for number, (one, other) in enumerate(SAME):
        for name, text in (("one", one), ("other", other)):
            pair = make_pair(project, prompt=text, external_id=f"{number}-{name}")
            judge(make_comparison(pair, k=1), "response1")
    found = [pair for pair, cosine in zip(range(len(SAME)), cosines(SAME), strict=True) if cosine >= 0.7]
    assert len(found) == 11
    recipe = tmp_path / "recipe.yaml"
    for seed in range(3):
        deal = f"deal: {{test: 0.4, validation: 0.2, seed: {seed}}}"
        recipe.write_text(f"splits: {{near_duplicates: [meaning], same_meaning: 0.7, {deal}}}\n")
        out = tmp_path / f"out{seed}"
        export(project, out, "--recipe", str(recipe))
        side = {
            json.loads(line)["pair"]: path.stem
            for path in out.glob("jsonl/*.jsonl")
            for line in path.read_text().splitlines()
        }
        assert len(set(side.values())) > 1
        assert all(side[f"{pair}-one"] == side[f"{pair}-other"] for pair in found)


@pytest.mark.django_db
def test_the_same_words_about_other_media_are_another_prompt(tmp_path: Path) -> None:
    project = make_project(slug="media", k=1, reserve_k=1, task_type=TaskType.TEXT_IMAGE_TO_TEXT)
    for name, partition in (("reserve", Partition.RESERVE), ("train", Partition.TRAIN)):
        shown = make_asset(project, coded("PNG", picture(seed=len(name))))
        pair = make_pair(project, prompt="What is it?", media=[shown], partition=partition, external_id=name)
        judge(make_comparison(pair, k=1), "response1")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("formats: [csv]\nsplits: {near_duplicates: [meaning]}\n")
    out = tmp_path / "out"
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--recipe", str(recipe))
    assert json.loads((out / "MANIFEST.json").read_text())["counts"]["train"]["text_image_to_text"][
        "labels"
    ] == {"response1": 1}


@pytest.mark.django_db
def test_without_the_model_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(texts: list[str]) -> Any:
        raise NoSentences("The sentence embeddings need the package x: run `make setup`.")

    monkeypatch.setattr("workers.embedding.sentences", missing)
    with pytest.raises(CommandError, match=r"cannot be compared by meaning.*make setup.*near_duplicates"):
        export(reworded(), tmp_path / "out", "--near-duplicates", "meaning")
