"""Files that are broken or made to harm: an error that names the row, never half an import, never a hang."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.imports.files import comma_separated, json_lines, json_list, parquet, reader_of
from annotate.imports.record import FileError, RawRow
from annotate.models import Pair
from tests.factories import make_project
from tests.imports.reading import import_files, refusal, row, write_csv, write_json, write_parquet

GOOD = json.dumps(row(1))


def bad(inner: str) -> str:
    """A JSON row with `inner` put in as its metadata."""
    return json.dumps(row(2))[:-1] + f', "metadata": {inner}}}'


DEEP = "[" * 100_000 + "]" * 100_000
JSON_ROWS = {
    "NaN": (bad('{"x": NaN}'), "NaN"),
    "infinity": (bad('{"x": -Infinity}'), "Infinity"),
    "1e999": (bad('{"x": 1e999}'), "1e999"),
    "lone surrogate": (json.dumps(row(2, prompt="\ud800")), "surrogate"),
    "lone surrogate in metadata": (bad('{"\\ud800": 1}'), "surrogate"),
    "NUL": (json.dumps(row(2, response1="a\0b")), "NUL character at 2"),
    "NUL in metadata": (bad('{"x": "\\u0000"}'), "NUL"),
    "NUL in id": (json.dumps(row(2, id="a\0")), "NUL"),
    "duplicate keys": (json.dumps(row(2))[:-1] + ', "prompt": "again"}', "stands twice"),
    "not an object": ("[1]", "must be an object"),
    "huge integer": (bad('{"x": ' + "9" * 5000 + "}"), "number"),
    "10 MB prompt": (json.dumps(row(2, prompt="x" * 10_000_000)), "at most 1,000,000"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", JSON_ROWS)
def test_a_row_of_a_list_or_of_lines(tmp_path: Path, case: str) -> None:
    text, words = JSON_ROWS[case]
    as_list, as_lines = tmp_path / "a.json", tmp_path / "a.jsonl"
    as_list.write_text(f"[{GOOD}, {text}]")
    as_lines.write_text(f"{GOOD}\n{text}\n")
    for path in (as_list, as_lines):
        told = refusal(make_project(), path)
        assert "row 2" in told and words in told


@pytest.mark.django_db
def test_the_other_rows_are_taken_when_skipping(tmp_path: Path) -> None:
    texts = [GOOD, *(text for text, _ in JSON_ROWS.values()), bad(DEEP), "{broken", json.dumps(row(3))]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(texts))
    made = import_files(make_project(), path, on_error="skip")
    assert (made.pairs_new, made.rows_refused) == (2, len(texts) - 2)
    assert [one["row"] for one in made.report] == list(range(2, len(texts)))


BROKEN_FILES: dict[str, tuple[str, bytes, str]] = {
    "deep list": ("a.json", f"[{GOOD}, {bad(DEEP)}]".encode(), "nested too deep"),
    "no list": ("a.json", b'"text"', "must be a list"),
    "cut off": ("a.json", f"[{GOOD}, {GOOD[:40]}".encode(), "row 2"),
    "no comma": ("a.json", f"[{GOOD} {GOOD}]".encode(), "expected a comma"),
    "trailing comma": ("a.json", f"[{GOOD},]".encode(), "row 2"),
    "after the end": ("a.json", f"[{GOOD}] []".encode(), "follows the end"),
    "UTF-16 JSON": ("a.json", f"[{GOOD}]".encode("utf-16"), "save the file as UTF-8"),
    "UTF-16 lines": ("a.jsonl", GOOD.encode("utf-16"), "save the file as UTF-8"),
    "UTF-16 CSV": ("a.csv", "id,prompt\n1,x\n".encode("utf-16"), "save the file as UTF-8"),
    "Latin-1 JSON": ("a.json", '[{"id": "é"}]'.encode("latin-1"), "not UTF-8"),
    "Latin-1 CSV": ("a.csv", "id,prompt\n1,é\n".encode("latin-1"), "not UTF-8"),
    "unclosed quote": (
        "a.csv",
        b'id,prompt,response1,response2\n1,"x,y,z\n' + b"2,a,b,c\n" * 50,
        "never closed",
    ),
    "stray quote": ("a.csv", b'id,prompt,response1,response2\n1,"x"y,b,c\n', "row 2"),
    "column twice": ("a.csv", b"id,prompt,id\n1,x,2\n", "stands twice"),
    "empty": ("a.csv", b"", "the first line must name the columns"),
    "not Parquet": ("a.parquet", b"PAR1" + b"\0" * 100 + b"PAR1", "cannot be read"),
    "no reader": ("a.xlsx", b"PK", "what kind of file"),
    "unknown columns": ("a.json", b'[{"left": 1, "right": 2}]', "of no layout"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", BROKEN_FILES)
@pytest.mark.parametrize("on_error", ["abort", "skip"])
def test_a_broken_file_leaves_nothing(tmp_path: Path, case: str, on_error: str) -> None:
    name, data, words = BROKEN_FILES[case]
    (tmp_path / name).write_bytes(data)
    told = refusal(make_project(), tmp_path / name, on_error=on_error)
    assert name in told and words in told


@pytest.mark.django_db
def test_ragged_rows_are_row_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,prompt,response1,response2\n1,q,a,b\n2,q,a\n3,q,a,b,c\n\n4,q,a,b\n")
    made = import_files(make_project(), path, on_error="skip")
    assert [one["row"] for one in made.report] == [3, 4]
    assert "has 3 cells, the header has 4" in made.report[0]["problem"]
    assert set(Pair.objects.values_list("external_id", flat=True)) == {"1", "4"}


@pytest.mark.django_db
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_as_spreadsheets_write_them(tmp_path: Path, newline: str, delimiter: str) -> None:
    """A byte order mark, either newline, a newline within quotes, formulas: all of it is data."""
    lines = [
        "id,prompt,response1,response2",
        '1,"two\nlines, ""quoted""",=HYPERLINK(1),@SUM(1)',
        "2,-1,+1,ok",
    ]
    text = newline.join(lines) + newline
    if delimiter != ",":
        text = text.replace("lines, ", "lines and ").replace(",", delimiter)
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    project = make_project()
    import_files(project, tmp_path / "a.csv")
    first = Pair.objects.get(external_id="1")
    assert first.prompt.turns[0]["text"].startswith("two\nlines")
    assert (first.response1.text, first.response2.text) == ("=HYPERLINK(1)", "@SUM(1)")


@pytest.mark.django_db
def test_byte_order_marks_of_json(tmp_path: Path) -> None:
    for number, (name, text) in enumerate(
        [("a.json", f"[{json.dumps(row(1))}]"), ("a.jsonl", json.dumps(row(1)))]
    ):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert import_files(make_project(slug=f"bom-{number}"), tmp_path / name).pairs_new == 1


@pytest.mark.django_db
def test_a_misread_file_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.imports.run.MAX_REFUSED", 50)
    monkeypatch.setattr("annotate.imports.run.BATCH_ROWS", 20)
    path = write_json(tmp_path / "a.json", [row(n, response1=None) for n in range(200)])
    assert "More than 50 rows cannot be taken" in refusal(make_project(), path, on_error="skip")


def test_parquet_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    column = pyarrow.array(["x" * 1_000_000] * 64)
    table = pyarrow.table({"id": column})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    with (tmp_path / "a.parquet").open("rb") as file, pytest.raises(FileError, match="decompression bomb"):
        list(parquet.read(file))
    monkeypatch.setattr(parquet, "MAX_COLUMN_RATIO", 10**9)
    with (tmp_path / "a.parquet").open("rb") as file, pytest.raises(FileError, match="smaller row groups"):
        list(parquet.read(file, max_row_group=1024**2))


@pytest.mark.django_db
def test_parquet_of_other_types(tmp_path: Path) -> None:
    """Numbers and times where texts belong are row errors; a whole number as an id is taken."""
    given = {"id": 7, "prompt": "q", "response1": "a", "response2": 1.5}
    path = write_parquet(tmp_path / "a.parquet", [given])
    assert "row 1, response2: must be a text, is a number" in refusal(make_project(), path)
    import_files(make_project(), write_parquet(path, [{**given, "response2": "b"}]))
    assert Pair.objects.get().external_id == "7"


def read_all(reader: Callable[..., object], path: Path, data: bytes) -> list[RawRow]:
    path.write_bytes(data)
    with path.open("rb") as file:
        return list(reader(file))  # type: ignore[call-overload]


@pytest.mark.parametrize("reader", [json_list.read, json_lines.read, comma_separated.read, parquet.read])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300) | st.text(alphabet='[]{}",:\\0 \n\té', max_size=80).map(str.encode))
def test_any_bytes_are_rows_or_a_file_error(
    tmp_path: Path, reader: Callable[..., object], data: bytes
) -> None:
    try:
        rows = read_all(reader, tmp_path / "any", data)
    except FileError:
        return
    assert all(isinstance(one, RawRow) for one in rows)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.text(), JSON_VALUES, max_size=4), max_size=6),
    piece=st.integers(1, 40),
    ascii_only=st.booleans(),
)
def test_a_list_is_read_the_same_however_it_is_cut(
    tmp_path: Path, rows: list[dict[str, object]], piece: int, ascii_only: bool
) -> None:
    """Windows of a few bytes: every row falls on an edge somewhere."""
    text = json.dumps(rows, indent=1, ensure_ascii=ascii_only)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_list, "_PIECE", piece)
        found = read_all(json_list.read, tmp_path / "any", text.encode("utf-8", "surrogatepass"))
    assert [dict(one.values) for one in found] == json.loads(text)


def test_every_kind_of_file_has_its_reader() -> None:
    assert reader_of("A.JSONL") is json_lines.read and reader_of("x.tsv") is comma_separated.read


def test_csv_written_by_us_is_read_back(tmp_path: Path) -> None:
    rows = [{"id": "1", "text": 'a "quoted"\r\nline; with, all'}, {"id": "2", "text": "=1"}]
    with write_csv(tmp_path / "a.csv", rows).open("rb") as file:
        assert [dict(one.values) for one in comma_separated.read(file)] == rows
