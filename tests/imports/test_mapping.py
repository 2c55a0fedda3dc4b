"""Tables of other people's, read by a mapping; the real data sets that we know the answers of."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from annotate.actions.imports import read_mapping
from annotate.actions.jobs import Refused
from annotate.models import Comparison, Draw, Judgment, Pair, Seat
from tests.factories import make_project
from tests.imports.reading import import_files, refusal, write_csv, write_json, write_lines, write_parquet
from tests.paths import ROOT, SHARED_DATA, needs_shared_data

pytestmark = pytest.mark.django_db

PANDALM = read_mapping((ROOT / "docs/examples/pandalm.yaml").read_text())
TABLE = [
    {"n": "1", "ask": "Q1", "more": "", "one": "a", "two": "b", "who": "x", "best": "L", "why": "short"},
    {"n": "2", "ask": "Q2", "more": "M2", "one": "c", "two": "d", "who": "y", "best": "", "why": ""},
    {"n": "3", "ask": "Q3", "more": "M3", "one": "e", "two": "f", "who": "x", "best": "skip", "why": ""},
]
MAPPING: dict[str, Any] = {
    "source": "table",
    "task_type": "other",
    "id": "row-{n}",
    "prompt": [
        {"role": "system", "text": {"value": "Answer."}},
        {"role": "user", "text": "{ask}\n{more}"},
    ],
    "response1": {"text": "one", "model": {"value": "left"}},
    "response2": "two",
    "criterion": {"value": "Which is better?"},
    "labels": [{"annotator": "who", "verdict": "best", "rationale": "why"}],
    "verdicts": {"L": "response1", "R": "response2", "skip": None},
    "metadata": ["who"],
}


@needs_shared_data
def test_pandalm(tmp_path: Path) -> None:
    """999 pairs with three people's verdicts: every figure that is known of them comes out."""
    project = make_project(reserve_share=1, validation_share=0)
    made = import_files(project, SHARED_DATA / "text/pandalm-testset-v1.json", mapping=PANDALM)
    assert (made.pairs_new, made.judgments_new) == (999, 2997)
    assert set(Pair.objects.values_list("partition", flat=True)) == {"reserve"}
    assert Seat.objects.filter(head__isnull=False, k=3).count() == 2997
    assert not Draw.objects.exists()
    verdicts: dict[int, list[str]] = {}
    for comparison, verdict in Judgment.objects.values_list("comparison", "verdict"):
        verdicts.setdefault(comparison, []).append(verdict)
    majority = Counter(Counter(three).most_common(1)[0][0] for three in verdicts.values())
    assert majority == {"response1": 422, "response2": 472, "tie": 105}
    judges = list(project.annotators.values_list("pk", flat=True))
    assert len(judges) == 3
    models = set(Pair.objects.values_list("response1__model_name", flat=True))
    assert models <= {"llama-7b", "bloom-7b", "cerebras-gpt-6.7B", "pythia-6.9b", "opt-7b"}
    again = import_files(project, SHARED_DATA / "text/pandalm-testset-v1.json", mapping=PANDALM)
    assert (again.pairs_same, again.judgments_new) == (999, 0)


@needs_shared_data
def test_llmbar(tmp_path: Path) -> None:
    rows = yaml.safe_load((SHARED_DATA / "text/llmbar-natural.json").read_text())
    numbered = [{**row, "n": n} for n, row in enumerate(rows)]
    mapping = {
        "id": "n",
        "prompt": "input",
        "response1": "output_1",
        "response2": "output_2",
        "criterion": {"value": "Which output follows the instruction?"},
        "labels": ["label"],
        "verdicts": {"1": "response1", "2": "response2"},
        "k": 1,
    }
    import_files(make_project(), write_json(tmp_path / "llmbar.json", numbered), mapping=mapping)
    assert Counter(Judgment.objects.values_list("verdict", flat=True)) == {"response1": 42, "response2": 58}


def test_columns_templates_values_and_verdicts(tmp_path: Path) -> None:
    project = make_project(k=2)
    import_files(project, write_csv(tmp_path / "t.csv", TABLE), mapping=MAPPING)
    first = Pair.objects.get(source="table", external_id="row-1")
    assert first.prompt.turns == [{"role": "system", "text": "Answer."}, {"role": "user", "text": "Q1"}]
    assert (first.response1.model_name, first.task_type, first.metadata) == ("left", "other", {"who": "x"})
    judgment = Judgment.objects.get()
    assert (judgment.verdict, judgment.rationale) == ("response1", "short")
    assert Comparison.objects.count() == 3


def test_several_criteria_with_their_own_columns(tmp_path: Path) -> None:
    rows = [{"n": 1, "q": "Q", "a": "x", "b": "y", "true_1": "1", "true_2": "0", "kind_1": "2"}]
    mapping = {
        "id": "n",
        "prompt": "q",
        "response1": "a",
        "response2": "b",
        "criteria": [
            {"text": {"value": "Truer?"}, "labels": ["true_1", "true_2"], "k": 3},
            {"text": {"value": "Kinder?"}, "labels": ["kind_1"]},
        ],
        "verdicts": {"1": "response1", "2": "response2", "0": "tie"},
    }
    import_files(make_project(), write_csv(tmp_path / "t.csv", rows), mapping=mapping)
    found = Counter(Judgment.objects.values_list("comparison__criterion__text", "verdict"))
    assert found == {("Truer?", "response1"): 1, ("Truer?", "tie"): 1, ("Kinder?", "response2"): 1}


NESTED = {
    "meta": {"uid": "u1"},
    "chat": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
    "outputs": [{"text": "So.", "by": {"name": "m1"}}, {"text": "No.", "by": None}],
    "a.b": "dotted",
    "votes": {"ann": {"best": 2}},
}
NESTED_MAPPING = {
    "id": "meta.uid",
    "prompt": "{chat[-1].content} ({a.b})",
    "response1": {"text": "outputs[0].text", "model": "outputs[0].by.name"},
    "response2": {"text": {"column": "outputs[1].text"}, "model": "outputs[1].by.name"},
    "criterion": {"value": "Better?"},
    "labels": [{"annotator": {"value": "ann"}, "verdict": "votes.ann.best"}],
    "verdicts": {"1": "response1", "2": "response2"},
}


def test_places_within_columns(tmp_path: Path) -> None:
    cells = {key: json.dumps(value) if key != "a.b" else value for key, value in NESTED.items()}
    paths = [
        write_lines(tmp_path / "lines.jsonl", [NESTED]),
        write_csv(tmp_path / "cells.csv", [cells]),
        write_parquet(tmp_path / "columns.parquet", [NESTED]),
    ]
    for path in paths:
        project = make_project()
        import_files(project, path, mapping=NESTED_MAPPING, source="s")
        pair = Pair.objects.get(project=project)
        assert pair.external_id == "u1"
        assert pair.prompt.turns == [{"role": "user", "text": "Why? (dotted)"}]
        assert (pair.response1.text, pair.response1.model_name) == ("So.", "m1")
        assert (pair.response2.text, pair.response2.model_name) == ("No.", "")  # null on the way is null
        assert Judgment.objects.get(comparison__pair=pair).verdict == "response2"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("outputs[2].text", "outputs[2].text: outputs has 2 entries here"),
        ("outputs[0].texts", "outputs[0] has no 'texts' here. It has: text, by"),
        ("outputs.text", "leads on from outputs, which is a list here"),
        ("outputs[0].text.more", "leads on from outputs[0].text, which is a text here"),
        ("output[0].text", "the row has no such column. It has: meta, chat, outputs"),
        ("outputs[0]", "must be a text, is an object"),
        ("a.b.c", "the row has no such column"),
    ],
)
def test_a_place_that_is_not_there(tmp_path: Path, path: str, words: str) -> None:
    file = write_lines(tmp_path / "lines.jsonl", [NESTED])
    told = refusal(make_project(), file, mapping=NESTED_MAPPING | {"response1": path})
    assert words in told and "row 1" in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": None}, "id must be a column's name"),
        ({"ids": "n"}, "mapping: ids means nothing"),
        ({"prompt": [{"role": "boss", "text": "ask"}]}, "prompt[0].role must be one of"),
        ({"response1": {"model": "who"}}, "response1 needs text or media"),
        ({"verdicts": {"L": "left"}}, "verdicts.L is 'left'"),
        ({"labels": [{"verdict": "best"}]}, "annotator is missing"),
        ({"criterion": None, "criteria": []}, "not both"),
        ({"id": {"column": "n", "split": "-", "part": "x"}}, "part must be a whole number"),
    ],
)
def test_a_wrong_mapping_is_told_before_any_row(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = write_csv(tmp_path / "t.csv", TABLE)
    assert words in refusal(make_project(), path, mapping={**MAPPING, **change})


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"id": "number"}, "number", "no such column"),
        ({"verdicts": {"R": "response2"}}, "best", "is 'L'; the mapping's verdicts know R"),
        ({"response2": {"text": {"column": "two", "split": "_", "part": 3}}}, "two", "1 parts"),
    ],
)
def test_a_row_that_does_not_fit_its_mapping(
    tmp_path: Path, change: dict[str, Any], field: str, words: str
) -> None:
    told = refusal(make_project(), write_csv(tmp_path / "t.csv", TABLE), mapping={**MAPPING, **change})
    assert f"row 2, {field}: " in told and words in told


@pytest.mark.parametrize(
    "text",
    [
        "id: [",
        "just a text",
        "!!python/object/apply:os.system [id]",
        "a: &x [1]\nb: *x",
        "id: 2020-01-01",
        "x" * 100_001,
    ],
)
def test_yaml_that_is_no_mapping(text: str) -> None:
    with pytest.raises(Refused, match="mapping"):
        read_mapping(text)
