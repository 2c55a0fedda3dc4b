"""Tables of answers become pairs that an import takes: long or wide, in any order, by any design."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotate.actions.imports import start_import
from annotate.actions.jobs import run_job
from annotate.imports import run
from annotate.imports.places import local_file
from annotate.imports.responses import AnswerTable
from annotate.imports.spec import ImportSpec, PairingSpec
from annotate.models import Comparison, Pair
from tests.factories import make_project
from tests.imports.reading import (
    content,
    import_files,
    refusal,
    spec_of,
    write_csv,
    write_json,
    write_lines,
    write_parquet,
)

MODELS = ("alpha", "beta", "gamma")
LONG = [
    {"prompt": f"Question {n}?", "model": model, "response": f"{model} says {n}"}
    for model in MODELS
    for n in range(4)
]
WIDE = [{"prompt": f"Question {n}?", **{model: f"{model} says {n}" for model in MODELS}} for n in range(4)]
NESTED = [
    {"prompt": f"Question {n}?", "responses": {model: {"text": f"{model} says {n}"} for model in MODELS}}
    for n in range(4)
]


def paired(*tables: Path, **options: Any) -> list[dict[str, Any]]:
    output = tables[0].with_name("pairs.jsonl")
    call_command("pair_responses", *map(str, tables), "-o", str(output), **options)
    return [json.loads(line) for line in output.read_text().splitlines()]


def named(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["prompt"][0]["text"], row["response1"], row["response2"], row["id"]) for row in rows]


def test_long_wide_and_nested_are_the_same_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = paired(write_lines(tmp_path / "long.jsonl", LONG), design="all")
    told = capsys.readouterr().out
    assert "12 pairs of 12 answers by 3 models to 4 prompts." in told
    assert "Each model is in 8 to 8 pairs, and first in 4 to 4." in told
    assert len(long) == 12 and len({row["id"] for row in long}) == 12
    for table in (
        write_csv(tmp_path / "wide.csv", WIDE),
        write_parquet(tmp_path / "wide.parquet", WIDE),
        write_json(tmp_path / "nested.json", NESTED),
    ):
        assert named(paired(table, design="all")) == named(long)
    split = [write_lines(tmp_path / f"{n}.jsonl", LONG[n::3]) for n in range(3)]
    assert sorted(row["id"] for row in paired(*split, design="all")) == sorted(row["id"] for row in long)


@pytest.mark.django_db
def test_the_pairs_are_imported(tmp_path: Path) -> None:
    rows = paired(
        write_lines(tmp_path / "long.jsonl", LONG), design="balanced", per_prompt=1, criterion=["Clearer?"]
    )
    assert len(rows) == 4
    seen = Counter(row[side]["model"] for row in rows for side in ("response1", "response2"))
    assert max(seen.values()) - min(seen.values()) <= 1
    import_files(make_project(), tmp_path / "pairs.jsonl")
    pair = Pair.objects.select_related("response1", "prompt").first()
    assert pair and pair.response1.model_name in MODELS
    assert pair.response1.text == f"{pair.response1.model_name} says {pair.prompt.turns[0]['text'][9]}"
    assert Comparison.objects.count() == 4


def test_anchors_and_columns_named(tmp_path: Path) -> None:
    rows = [row | {"topic": "x"} for row in WIDE]
    table = write_csv(tmp_path / "wide.csv", rows)
    found = paired(table, design="anchors", anchors="beta", models="alpha,beta,gamma")
    assert len(found) == 8
    assert all("beta" in (row["response1"]["model"], row["response2"]["model"]) for row in found)
    with pytest.raises(CommandError, match="No answer is of the anchor 'delta'"):
        paired(table, design="anchors", anchors="delta", models="alpha,beta")
    with pytest.raises(CommandError, match=r"wide\.csv, row 2, omega: is no column"):
        paired(table, design="all", models="alpha,omega")


def test_what_is_missing_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*LONG, {"prompt": "Alone?", "model": "alpha", "response": "yes"}]
    rows.append({"prompt": "Failed?", "model": "alpha", "response": None, "error": "HTTP 500"})  # type: ignore[dict-item]
    paired(write_lines(tmp_path / "long.jsonl", rows), design="all")
    told = capsys.readouterr().out
    assert "1 prompts have no two answers" in told and "1 rows tell of an answer that never came" in told


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [LONG[0], LONG[0] | {"response": "other"}],
            "row 2, model: 'alpha' answered this prompt otherwise in",
        ),
        ([{"model": "a", "response": "x"}], "row 1, prompt: is missing"),
        ([{"prompt": "q", "model": "", "response": "x"}], "row 1, model: is empty"),
        ([{"prompt": "q", "model": "a", "response": 3}], "row 1, response: must be a text"),
        ([{"prompt": " ", "model": "a", "response": "x"}], "row 1, prompt: is empty"),
        (
            [LONG[0] | {"prompt_id": "1"}, LONG[1] | {"prompt_id": "1"}],
            "row 2, prompt_id: '1' stood for another prompt",
        ),
    ],
)
def test_rows_that_cannot_be_taken(tmp_path: Path, rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        paired(write_lines(tmp_path / "long.jsonl", rows))
    assert not (tmp_path / "pairs.jsonl").exists() and not list(tmp_path.glob("*.part"))


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="takes every pair"):
        paired(write_lines(tmp_path / "long.jsonl", LONG), design="all", per_prompt=2)


def test_the_same_answer_twice_is_one(tmp_path: Path) -> None:
    with AnswerTable() as table:
        table.read(local_file(write_lines(tmp_path / "a.jsonl", LONG)))
        table.read(local_file(write_lines(tmp_path / "b.jsonl", LONG)))
        assert table.counts.answers == 12


@pytest.mark.django_db
def test_an_import_makes_the_pairs_that_the_command_makes(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "answers.csv", WIDE)
    paired(table, design="balanced", per_prompt=2)
    project = make_project(salt="same")
    import_files(project, tmp_path / "pairs.jsonl", source="answers", criterion="Clearer?")
    other = make_project(salt="same")
    pairing = PairingSpec("balanced", 2)
    made = import_files(other, table, pairing=pairing, criterion="Clearer?")
    assert content(other) == content(project) and made.pairs_new == 8
    assert ImportSpec.from_json(made.spec).pairing == pairing
    again = import_files(other, table, pairing=pairing, criterion="Clearer?")
    assert (again.pairs_new, again.pairs_same) == (0, 8)


@pytest.mark.django_db
def test_an_import_of_answers_goes_on_where_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate.imports.run.BATCH_ROWS", 3)
    table = write_lines(tmp_path / "long.jsonl", LONG)
    spec = spec_of(table, pairing=PairingSpec("all"))
    whole, project = make_project(salt="same"), make_project(salt="same")
    run_job(start_import(by=None, project=whole, spec=spec, by_hand=True).job_id, by_hand=True)
    begun = start_import(by=None, project=project, spec=spec, by_hand=True)
    writing = run.write_batch
    written: list[Any] = []

    def killed(*args: Any) -> Any:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(writing(*args))
        return written[-1]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(run, "write_batch", killed)
        run_job(begun.job_id, by_hand=True)
    begun.refresh_from_db()
    assert (begun.pairs_new, begun.visible) == (6, False)
    assert start_import(by=None, project=project, spec=spec, by_hand=True) == begun
    run_job(begun.job_id, by_hand=True)
    begun.refresh_from_db()
    assert (begun.pairs_new, begun.visible) == (12, True)
    assert content(project) == content(whole)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([{"prompt": "Q", "model": "a", "response": 7}], {}, "t.jsonl, row 1, response: must be a text"),
        ([{"prompt": "Q", "model": "a", "response": "x"}], {}, "No prompt of 1 has two answers"),
        (LONG, {"pairing": PairingSpec("anchors")}, "anchors are named for the design anchors"),
        (LONG, {"pairing": PairingSpec("anchors", anchors=("delta",))}, "No answer is of the anchor 'delta'"),
        (LONG, {"layout": "omni"}, "goes with no layout"),
        (LONG, {"mapping": {"prompt": "prompt", "response1": "a", "response2": "b"}}, "and no mapping"),
    ],
)
def test_answers_that_cannot_be_imported(
    tmp_path: Path, rows: list[dict[str, Any]], options: dict[str, Any], words: str
) -> None:
    table = write_lines(tmp_path / "t.jsonl", rows)
    assert words in refusal(make_project(), table, **{"pairing": PairingSpec("all"), **options})


@pytest.mark.django_db
def test_answers_by_the_command(tmp_path: Path) -> None:
    project = make_project()
    table = write_csv(tmp_path / "wide.csv", [row | {"topic": "x"} for row in WIDE])
    given = ("import_pairs", str(table), "--project", project.slug, "--anchors", "beta")
    with pytest.raises(CommandError, match="--anchors says how answers become pairs"):
        call_command(*given)
    call_command(*given, "--design", "anchors", "--models", ",".join(MODELS))
    assert Pair.objects.filter(project=project).count() == 8
