"""What an import would come to, from a file's beginning: the same pairs as the import, and nothing stored."""

import io
import json
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.access import Denied
from annotate.actions.imports import preview_upload
from annotate.actions.jobs import Refused
from annotate.imports import preview as house
from annotate.imports.preview import ROWS, Preview, preview
from annotate.imports.schemas.context import Context
from annotate.imports.schemas.nested import MAX_PATHS
from annotate.models import DataImport, Pair, Role
from tests.factories import make_member, make_project
from tests.imports.reading import import_files, row, write_csv

MAPPING = {"prompt": "q", "response1": "a", "response2": "b"}


def seen(data: bytes, name: str = "a.jsonl", whole: bool = False, **options: Any) -> Preview:
    return preview(
        io.BytesIO(data), name, whole=whole, layout="auto", context=Context(name, "salt", "other", **options)
    )


def test_pairs_rows_and_errors() -> None:
    lines = [row(1), row(2, prompt=""), row(3, response1={"text": "x", "model": "m", "media": "a.png"})]
    told = seen("".join(json.dumps(one) + "\n" for one in lines).encode())
    assert (told.layout, told.rows_read, told.pairs_found, told.errors_found) == ("evenhand", 3, 2, 1)
    assert told.errors[0]["row"] == 2 and told.errors[0]["field"] == "prompt"
    assert [pair["id"] for pair in told.pairs] == ["r1", "r3"]
    assert told.pairs[1]["responses"][0] == {"text": "x", "model": "m", "media": "a.png"}
    assert told.columns[0] == "id" and told.rows[1]["cells"]["prompt"] == ""
    json.dumps(told.to_json())


@given(st.integers(min_value=0, max_value=3000), st.sampled_from(["a.jsonl", "a.json", "a.csv"]))
@settings(max_examples=150, deadline=None)
def test_wherever_the_beginning_ends_no_error_is_told_of_it(end: int, name: str) -> None:
    rows = [
        {"id": str(n), "prompt": "é 中 question", "response1": "a, b", "response2": '"c"'} for n in range(30)
    ]
    if name == "a.json":
        text = json.dumps(rows, ensure_ascii=False)
    elif name == "a.jsonl":
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
    else:
        text = "id,prompt,response1,response2\n" + "".join(
            f'{n},é 中 question,"a, b","""c"""\n' for n in range(30)
        )
    told = seen(text.encode()[:end], name)
    assert not told.errors and told.pairs_found == told.rows_read <= 30
    assert not told.problem or told.rows_read == 0
    assert [pair["turns"][0]["text"] for pair in told.pairs] == ["é 中 question"] * min(told.rows_read, 5)


def test_places_within_columns_are_told() -> None:
    rows = [
        {
            "q": {"text": f"Q{n}"},
            "out": [{"t": "x"}, {"t": "y"}],
            "won": {"by": "LR"[n % 2]},
            "many": [*range(9)],
        }
        for n in range(3)
    ]
    told = seen("".join(json.dumps(one) + "\n" for one in rows).encode())
    assert told.columns == ["q", "out", "won", "many"]
    assert told.nested[:5] == ["q.text", "out[0].t", "out[1].t", "out[-1].t", "won.by"]
    assert told.nested[5:] == ["many[0]", "many[1]", "many[2]", "many[3]", "many[-1]"]
    assert told.values["won.by"] == ["L", "R"] and "q" in told.values
    # All that is told can be mapped.
    table = b"q,out\n" + b'"{""text"": ""Q""}","[{""t"": ""x""}, {""t"": ""y""}]"\n'
    mapping = {"prompt": "q.text", "response1": "out[0].t", "response2": "out[-1].t"}
    told = preview(
        io.BytesIO(table),
        "a.csv",
        whole=True,
        layout="mapping",
        context=Context("a", "s", "other", mapping=mapping),
    )
    assert told.nested == ["q.text", "out[0].t", "out[1].t", "out[-1].t"]
    assert [side["text"] for side in told.pairs[0]["responses"]] == ["x", "y"]


def test_no_more_places_are_told_than_can_be_chosen_from() -> None:
    wide = {"all": {f"k{n}": {"deep": [n] * 9} for n in range(400)}}
    assert len(seen((json.dumps(wide) + "\n").encode()).nested) == MAX_PATHS


def test_a_whole_file_that_is_broken_says_so() -> None:
    assert "row 2" in seen(b'[{"id": 1}, {"id"', "a.json", whole=True).problem
    assert "of no layout that is known" in seen(b'{"x": 1}\n').problem
    assert seen(b"").problem == "" and seen(b"").rows_read == 0


def test_no_more_is_read_than_is_shown() -> None:
    told = seen(
        b"".join(json.dumps(row(n)).encode() + b"\n" for n in range(ROWS + 50)) + b"broken", whole=True
    )
    assert (told.rows_read, told.errors_found, len(told.pairs), len(told.rows)) == (ROWS, 0, 5, 10)


def test_parquet_that_unpacks_to_much_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"prompt": ["q" * 1000] * 1000}), file)
    assert "of no layout" in seen(file.getvalue(), "a.parquet", whole=True).problem
    monkeypatch.setattr(house, "MAX_ROW_GROUP", 10)
    assert "smaller row groups" in seen(file.getvalue(), "a.parquet", whole=True).problem


def sample(text: str = "q,a,b\nQ,x,y\n") -> SimpleUploadedFile:
    return SimpleUploadedFile("t.csv", text.encode())


@pytest.mark.django_db
def test_nothing_is_stored_and_earlier_mappings_are_told(tmp_path: Any) -> None:
    project = make_project()
    by = make_member(project, Role.MANAGER)
    told = preview_upload(by=by, project=project, sample=sample(), name="t.csv", whole=True, layout="mapping")
    assert told["layout"] == "" and told["columns"] == ["q", "a", "b"] and told["earlier"] == []
    told = preview_upload(
        by=by, project=project, sample=sample(), name="t.csv", whole=True, mapping_text=json.dumps(MAPPING)
    )
    assert (told["layout"], told["pairs_found"], told["mapping"]) == ("mapping", 1, MAPPING)
    assert not DataImport.objects.exists() and not Pair.objects.exists()
    # Without an id, a pair is named by what it holds: the same rows again are the same pairs.
    path = write_csv(tmp_path / "t.csv", [{"q": "Q", "a": "x", "b": "y"}])
    import_files(project, path, mapping=MAPPING)
    assert import_files(project, path, mapping=MAPPING).pairs_same == 1
    assert Pair.objects.get().external_id == told["pairs"][0]["id"]
    told = preview_upload(by=by, project=project, sample=sample(), name="t.csv", whole=True)
    assert [one["mapping"] for one in told["earlier"]] == [MAPPING]


@pytest.mark.django_db
def test_answers_are_shown_as_the_pairs_that_they_make() -> None:
    project = make_project()
    text = "prompt,alpha,beta\nWhy?,So.,No.\nHow?,Thus.,\n,x,y\n"
    asked: dict[str, Any] = {"by": None, "project": project, "name": "t.csv", "whole": True}
    told = preview_upload(**asked, sample=sample(text), design="all", criterion="Truer?")
    assert (told["layout"], told["problem"], told["pairs_found"]) == ("answers", "", 1)
    sides = {side["model"]: side["text"] for side in told["pairs"][0]["responses"]}
    assert sides == {"alpha": "So.", "beta": "No."}
    assert told["pairs"][0]["criteria"][0]["text"] == "Truer?"
    assert [(one["row"], one["field"]) for one in told["errors"]] == [(4, "prompt")]
    told = preview_upload(**asked, sample=sample(text), design="anchors", anchors="gamma")
    assert "No answer is of the anchor 'gamma'" in told["problem"]
    with pytest.raises(Refused, match="anchors are named for the design"):
        preview_upload(**asked, sample=sample(text), design="all", anchors="alpha")
    with pytest.raises(Refused, match="are of answers"):
        preview_upload(**asked, sample=sample(text), per_prompt=2)


@pytest.mark.django_db
def test_who_may_not_and_what_is_refused() -> None:
    project = make_project()
    with pytest.raises(Denied):
        preview_upload(
            by=make_member(project, Role.REVIEWER), project=project, sample=sample(), name="t.csv", whole=True
        )
    with pytest.raises(Refused, match="too large"):
        preview_upload(
            by=None,
            project=project,
            sample=sample("x" * (house.MAX_SAMPLE + 1)),
            name="t.csv",
            whole=False,
        )
    told = preview_upload(by=None, project=project, sample=sample(), name="t.xlsx", whole=True)
    assert "what kind of file" in told["problem"]
