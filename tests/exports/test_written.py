"""Labels of models in a release: told apart from people's in every format, taken as the recipe says, never in the benchmark
unless it is asked for."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from annotate.actions.moderation import merge_criteria, reject_criterion
from annotate.actions.writing import Draft, keep_proposals, start_writing
from annotate.exports.formats import NAMES
from annotate.models import (
    Comparison,
    CriteriaRun,
    Criterion,
    Pair,
    Partition,
    Project,
    ProposalState,
    Release,
)
from annotate.tallies import judged_units
from tests.exports.test_settled import labels
from tests.factories import judge, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db

BRIEF, DETAIL, KIND = "It is brief.", "It goes into detail.", "Which is kinder?"
ANSWERS: dict[str, Any] = {"response1": "Yes.", "response2": "Yes, and there are several reasons for it."}


def run_of(project: Project, name: str = "writer-7b") -> CriteriaRun:
    return start_writing(by=None, project=project, recipe={}, digest=name, writer=name, send_it=False)


def write(run: CriteriaRun, pair: Pair, *drafts: tuple[str, str], sampled: bool = False) -> None:
    made = [Draft(text, label, "It is.", ProposalState.ACCEPTED, sampled=sampled) for text, label in drafts]
    keep_proposals(run=run, pair=pair.pk, drafts=made)


def export(project: Project, out: Path, recipe: str = "") -> dict[str, Any]:
    (out.parent / "recipe.yaml").write_text(recipe)
    call_command(
        "export_bench",
        *("--project", project.slug, "--out", str(out), "--recipe", str(out.parent / "recipe.yaml")),
    )
    manifest: dict[str, Any] = json.loads((out / "MANIFEST.json").read_text())
    return manifest


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def project() -> Project:
    """A pair in each partition that people judged by one criterion and a model wrote two for."""
    project = make_project(slug="written", k=1, reserve_k=1)
    run = run_of(project)
    for partition in Partition:
        pair = make_pair(project, partition=partition, external_id=str(partition), **ANSWERS)
        judge(make_comparison(pair, KIND, k=1), "response2")
        write(run, pair, (BRIEF, "response1"), (DETAIL, "response2"))
    return project


def test_models_labels_are_rows_of_train_alone_and_every_format_says_whose_they_are(
    project: Project, tmp_path: Path
) -> None:
    formats = f"formats: [{', '.join(name for name in NAMES if name != 'hpd')}]\n"
    manifest = export(project, tmp_path / "out", formats)
    out = tmp_path / "out"
    whose = {"people", "model"}
    (rows,) = out.glob("train/text_to_text/train-*.parquet")
    for train in (
        pq.read_table(rows).to_pylist(),
        lines(out / "train/text_to_text-train.jsonl"),
        lines(out / "llamafactory/text_to_text-train.jsonl"),
        lines(out / "rewardbench/text_to_text-train.jsonl"),
        lines(out / "jsonl/text_to_text-train.jsonl"),
        [
            row
            for path in out.glob("rewardbench/*-train-*.parquet")
            for row in pq.read_table(path).to_pylist()
        ],
        [row for path in out.glob("arena/*-train-*.parquet") for row in pq.read_table(path).to_pylist()],
    ):
        assert len(train) == 3 and {row["label_origin"] for row in train} == whose
    # The criterion is the system turn, and the side that the model named is the chosen one.
    chosen = {
        row["prompt"][0]["content"]: (row["chosen"][0]["content"], row["label_origin"])
        for row in pq.read_table(rows).to_pylist()
    }
    assert chosen == {
        BRIEF: (ANSWERS["response1"], "model"),
        DETAIL: (ANSWERS["response2"], "model"),
        KIND: (ANSWERS["response2"], "people"),
    }
    for name in ("bench/text_to_text_preferences.json", "jsonl/text_to_text-validation.jsonl"):
        found = json.loads((out / name).read_text()) if name.startswith("bench") else lines(out / name)
        assert [row["label_origin"] for row in found] == ["people"], name
    # Evenhand's own layout holds judgments, and these are none.
    (pair,) = lines(out / "evenhand/text_to_text-train.jsonl")
    assert [one["text"] for one in pair["criteria"]] == [KIND]

    assert manifest["counts"]["train"]["text_to_text"]["of_models"] == {"labels": 2}
    assert manifest["counts"]["bench"]["text_to_text"]["excluded"] == {"of_a_model": 2}
    assert manifest["written"]["writers"] == {"writer-7b": 6}
    card = (out / "README.md").read_text()
    assert "| writer-7b | 6 |" in card and "| train | text_to_text | 2 |" in card
    assert "| evenhand | train | text_to_text | 1 |" in card and "| trl | train | text_to_text | 3 |" in card
    # They count as nobody's: no judgment, no agreement, nothing that a model of ours learns from.
    assert manifest["counts"]["judgments"] == {"counted": 3}
    assert manifest["agreement"]["all"]["verdicts"] == 3
    assert len(judged_units(project, Partition.TRAIN)) == 1


def test_labels_tell_of_each_who_wrote_it(project: Project, tmp_path: Path) -> None:
    export(project, tmp_path / "out")
    rows = [
        row
        for path in (tmp_path / "out").glob("labels/labels-*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    told = {(row["pair"], row["criterion"]): (row["label"], row["origin"], row["writer"]) for row in rows}
    assert len(told) == 9
    assert told["reserve", BRIEF] == ("response1", "model", "writer-7b")
    assert told["reserve", KIND] == ("response2", "people", None)
    assert {row["label_of_people"] for row in rows if row["origin"] == "model"} == {None}


@pytest.mark.parametrize(
    ("whose", "origins", "left_out"),
    [
        ("people", ["people"], {"of_a_model": 2}),
        ("models", ["model", "model"], {"of_people": 1}),
        ("all", ["model", "model", "people"], {}),
    ],
)
def test_the_recipe_says_whose_labels_a_part_takes(
    project: Project, tmp_path: Path, whose: str, origins: list[str], left_out: dict[str, int]
) -> None:
    recipe = f"formats: [jsonl]\nbench: {{labels: {whose}}}\ntrain: {{labels: {whose}, min_judgments: 1}}\n"
    manifest = export(project, tmp_path / "out", recipe)
    for split, part in (("test", "bench"), ("train", "train")):
        rows = lines(tmp_path / f"out/jsonl/text_to_text-{split}.jsonl")
        assert sorted(row["label_origin"] for row in rows) == origins
        assert manifest["counts"][part]["text_to_text"]["excluded"] == left_out


def test_where_anybody_judged_it_the_label_is_no_models(tmp_path: Path) -> None:
    project = make_project(slug="judged", k=1)
    run, pair = run_of(project), make_pair(project, external_id="pair", **ANSWERS)
    write(run, pair, (BRIEF, "response1"), (DETAIL, "response2"), (KIND, "response2"))
    brief = Comparison.objects.get(criterion__text=BRIEF)
    judge(brief, "response2")
    judge(Comparison.objects.get(criterion__text=DETAIL), "cannot_tell")
    export(project, tmp_path / "out", "formats: [jsonl]")
    rows = {row["criterion"]: row for row in lines(tmp_path / "out/jsonl/text_to_text-train.jsonl")}
    assert {text: (row["label"], row["label_origin"]) for text, row in rows.items()} == {
        BRIEF: ("response2", "people"),
        KIND: ("response2", "model"),
    }


def test_what_moderators_reject_or_two_models_contradict_has_no_label(tmp_path: Path) -> None:
    project = make_project(slug="rejected", k=1)
    one, two = run_of(project, "one"), run_of(project, "two")
    pair, other = (make_pair(project, external_id=name, **ANSWERS) for name in ("pair", "other"))
    write(one, pair, (BRIEF, "response1"), (DETAIL, "response2"), sampled=True)
    write(two, pair, ("It is concise.", "response2"))
    write(two, other, ("It is concise.", "response1"))
    reject_criterion(by=None, criterion=Criterion.objects.get(text=DETAIL), reason="It is not.")
    merge_criteria(
        by=None,
        duplicate=Criterion.objects.get(text="It is concise."),
        into=Criterion.objects.get(text=BRIEF),
    )
    manifest = export(project, tmp_path / "out", "formats: [jsonl]")
    rows = lines(tmp_path / "out/jsonl/text_to_text-train.jsonl")
    assert [(row["pair"], row["criterion"], row["label"]) for row in rows] == [("other", BRIEF, "response1")]
    assert manifest["written"] == {
        "writers": {"two": 1},
        "looked_at": {"accepted": 0, "rejected": 1, "waiting": 1},
    }


def test_what_is_decided_after_the_freeze_changes_nothing(project: Project, tmp_path: Path) -> None:
    first = export(project, tmp_path / "first")
    reject_criterion(by=None, criterion=Criterion.objects.get(text=BRIEF), reason="It is not.")
    judge(Comparison.objects.get(criterion__text=DETAIL, pair__external_id="train"), "response1")
    release = Release.objects.get()
    call_command(
        "export_bench",
        *("--project", project.slug, "--out", str(tmp_path / "again"), "--release", str(release.pk)),
    )
    again = json.loads((tmp_path / "again/MANIFEST.json").read_text())
    assert again["files"] == first["files"]
    assert labels(tmp_path / "again") == labels(tmp_path / "first")


def test_a_held_out_criterion_of_a_model_stands_in_no_training_split(
    project: Project, tmp_path: Path
) -> None:
    held = f"formats: [jsonl]\nsplits: {{hold_out: {{criteria: ['{BRIEF}']}}}}\n"
    manifest = export(project, tmp_path / "out", held)
    assert {row["criterion"] for row in lines(tmp_path / "out/jsonl/text_to_text-train.jsonl")} == {
        DETAIL,
        KIND,
    }
    assert manifest["counts"]["train"]["text_to_text"]["excluded"] == {"held_out": 1}
