"""Evenhand's own layout: the same pairs from JSON, JSON lines, CSV and Parquet."""

import re
from pathlib import Path
from typing import Any

import pytest

from annotate.models import Comparison, Criterion, Judgment, Pair, Seat
from annotate.models.pools import MAX_NEEDS
from tests.factories import make_project
from tests.imports.reading import (
    content,
    import_files,
    labels,
    refusal,
    row,
    write_csv,
    write_json,
    write_lines,
    write_parquet,
)

pytestmark = pytest.mark.django_db


def test_json_lines_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [
        row(n, criteria=[{"text": "Which is clearer?", "judgments": labels("response1", "tie")}])
        for n in range(30)
    ]
    files = {
        "json": write_json(tmp_path / "pairs.json", rows),
        "lines": write_lines(tmp_path / "pairs.jsonl", rows),
        "parquet": write_parquet(tmp_path / "pairs.parquet", rows),
    }
    told = []
    for path in files.values():
        project = make_project(salt="same", pseudonym_key="same")
        import_files(project, path)
        told.append(content(project))
    assert told[0] == told[1] == told[2]
    assert len(told[0]["pairs"]) == 30 and len(told[0]["judgments"]) == 60


def test_csv_writes_flat_what_json_nests(tmp_path: Path) -> None:
    flat = {"id": "1", "prompt": "Q", "response1": "=1+1", "response2": "", "model1": "m", "model2": "n"}
    said = {"criterion": "Which is shorter?", "annotator": "ann", "verdict": "response2", "strength": "2"}
    extra = {"metadata": '{"topic": "sums"}', "media": "", "group": "g", "sensitive": "true", "k": "2"}
    project = make_project(reserve_share=0, validation_share=0)
    import_files(project, write_csv(tmp_path / "pairs.csv", [{**flat, **said, **extra}]))
    pair = Pair.objects.get(project=project)
    assert (pair.response1.text, pair.response1.model_name, pair.response2.text) == ("=1+1", "m", "")
    assert pair.metadata == {"topic": "sums"} and pair.sensitive
    comparison = Comparison.objects.get(pair=pair)
    assert comparison.k == 2 and comparison.criterion.text == "Which is shorter?"
    judgment = Judgment.objects.get(comparison=comparison)
    assert (judgment.verdict, judgment.strength) == ("response2", 2)


def test_long_tables_gather_one_pair(tmp_path: Path) -> None:
    """A row for each criterion and annotator: one pair, its criteria and labels side by side."""
    base = {"id": "1", "prompt": "Q", "response1": "a", "response2": "b"}
    rows = [
        {**base, "criterion": criterion, "annotator": annotator, "verdict": verdict}
        for criterion in ("Clearer?", "Kinder?")
        for annotator, verdict in (("x", "response1"), ("y", "tie"), ("z", "response2"), ("w", "tie"))
    ]
    project = make_project(k=3)
    made = import_files(project, write_csv(tmp_path / "long.csv", rows))
    assert (made.pairs_new, made.judgments_new) == (1, 8)
    assert sorted(Comparison.objects.values_list("k", flat=True)) == [4, 4]
    assert Seat.objects.filter(head__isnull=False).count() == 8


def test_pairs_and_settings_of_a_row(tmp_path: Path) -> None:
    rows = [
        row(
            1,
            source="elsewhere",
            task_type="other",
            prompt=[{"role": "system", "text": "Be brief."}, {"role": "user", "content": "Hi"}],
            response1={"text": "Hello", "model": "m1", "metadata": {"temperature": 0.5}},
            criteria=["One?", {"text": "  Two \n spaced? ", "k": 5}],
            metadata={"n": 1},
        )
    ]
    project = make_project(k=2, reserve_share=0, validation_share=0)
    import_files(project, write_json(tmp_path / "pairs.json", rows))
    pair = Pair.objects.get(source="elsewhere", external_id="r1")
    assert pair.task_type == "other" and pair.partition == "train"
    assert pair.prompt.turns == [{"role": "system", "text": "Be brief."}, {"role": "user", "text": "Hi"}]
    assert pair.response1.metadata == {"temperature": 0.5}
    wanted = dict(Comparison.objects.values_list("criterion__text", "k"))
    assert wanted == {"One?": 2, "Two spaced?": 5}


def test_source_defaults_to_the_name_without_shard(tmp_path: Path) -> None:
    project = make_project()
    import_files(
        project,
        write_lines(tmp_path / "train-00000-of-00002.jsonl", [row(1)]),
        write_lines(tmp_path / "train-00001-of-00002.jsonl", [row(2)]),
    )
    assert set(Pair.objects.values_list("source", flat=True)) == {"train"}


def test_a_criterion_for_rows_without_one(tmp_path: Path) -> None:
    project = make_project()
    path = write_json(tmp_path / "pairs.json", [row(1, criteria=[]), row(2)])
    import_files(project, path, criterion="Which is better?", k=4)
    assert set(Criterion.objects.values_list("text", flat=True)) == {"Which is better?", "Which is clearer?"}
    assert set(Comparison.objects.values_list("k", flat=True)) == {4}


def test_labels_may_be_left_out(tmp_path: Path) -> None:
    criteria = [{"text": "Clearer?", "judgments": labels("tie", "tie")}]
    project = make_project()
    made = import_files(project, write_json(tmp_path / "p.json", [row(1, criteria=criteria)]), labels=False)
    assert made.judgments_new == 0 and not Judgment.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"id": None}, "id", "must be a text"),
        ({"id": " "}, "id", "is empty"),
        ({"respones1": "x"}, "respones1", "not known here"),
        ({"prompt": ""}, "prompt", "is empty"),
        ({"prompt": [{"role": "boss", "text": "x"}]}, "prompt[0].role", "must be one of"),
        ({"response2": None}, "response2", "is missing"),
        ({"response2": {"model": "m"}}, "response2", "neither text nor media"),
        ({"response1": "x" * 1_000_001}, "response1", "at most 1,000,000"),
        ({"task_type": "text_to_smell"}, "task_type", "must be one of"),
        ({"criteria": ["c" * 501]}, "criteria[0].text", "at most 500"),
        ({"criteria": [{"text": "c", "k": 10}]}, "criteria[0].k", "from 1 to 9"),
        (
            {"criteria": [{"text": "c", "k": 1, "judgments": labels("tie", "tie")}]},
            "criteria[0].k",
            "less than",
        ),
        (
            {"criteria": [{"text": "c", "judgments": labels(*["tie"] * 10)}]},
            "criteria[0].judgments",
            "at most 9",
        ),
        ({"criteria": [{"text": "c", "judgments": labels("left")}]}, "judgments[0].verdict", "one of"),
        (
            {"criteria": [{"text": "c", "judgments": [{"annotator": "a", "verdict": "tie", "strength": 2}]}]},
            "judgments[0].strength",
            "one response only",
        ),
        (
            {"criteria": [{"text": "c", "judgments": [{"annotator": "a", "verdict": "media_broken"}]}]},
            "judgments[0].broken",
            "names the broken side",
        ),
        ({"metadata": [1]}, "metadata", "must be an object"),
        ({"media": "cat.png"}, "media", "--media"),
    ],
)
def test_a_bad_row_is_named_with_field_and_remedy(
    tmp_path: Path, fields: dict[str, object], field: str, words: str
) -> None:
    path = write_json(tmp_path / "pairs.json", [row(1), row(2, **fields)])
    told = refusal(make_project(), path)
    assert "pairs.json, row 2, " in told and field in told and words in told


@pytest.mark.parametrize(
    ("fields", "language", "expertise", "any_of"),
    [
        ({}, "", [], False),
        ({"language": " Korean "}, "Korean", [], False),
        ({"expertise": ["medicine", "law"]}, "", ["law", "medicine"], False),
        ({"expertise": {"all": ["law"]}}, "", ["law"], False),
        ({"expertise": {"any": ["medicine", "law"]}}, "", ["law", "medicine"], True),
        ({"expertise": "medicine; law"}, "", ["law", "medicine"], False),
        ({"expertise": {"any": ["law"]}}, "", ["law"], False),
    ],
)
def test_what_a_row_asks_of_people(
    tmp_path: Path, fields: dict[str, Any], language: str, expertise: list[str], any_of: bool
) -> None:
    project = make_project()
    path = write_json(tmp_path / "p.json", [row(1, **fields)])
    import_files(project, path)
    need = Pair.objects.get().need
    assert (need.language, need.expertise, need.any_of) == (language, expertise, any_of)
    assert import_files(project, path).pairs_same == 1


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"language": ["ko"]}, "language: must be a text"),
        ({"language": "x" * 61}, "language: .* has more than 60 characters"),
        ({"expertise": 7}, "expertise: must be a list"),
        ({"expertise": {"some": ["law"]}}, "expertise: must be a list, "),
        ({"expertise": ["law", "Law"]}, "expertise: 'Law' stands there twice"),
        ({"expertise": ["law", ""]}, r"expertise\[1\]: is empty"),
        ({"expertise": [f"e{n}" for n in range(11)]}, "expertise: names 11; at most 10"),
    ],
)
def test_what_cannot_be_asked_of_people_is_told(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    assert re.search(problem, refusal(make_project(), write_json(tmp_path / "p.json", [row(1, **fields)])))


def test_rows_of_one_pair_ask_for_the_same_and_a_project_for_so_many_things(tmp_path: Path) -> None:
    rows = [row(1, language="ko"), row(1, language="en")]
    told = refusal(make_project(), write_json(tmp_path / "p.json", rows))
    assert "language: differs from that of another row" in told
    rows = [row(n, language=f"l{n}") for n in range(MAX_NEEDS + 1)]
    assert f"at most {MAX_NEEDS} different" in refusal(make_project(), write_json(tmp_path / "q.json", rows))
