"""Every example of docs/import.md is imported as it stands."""

import json
import re
from pathlib import Path

import pytest
import yaml

from annotate.imports import checks
from annotate.imports.pairing import Design
from annotate.imports.places import local_file
from annotate.imports.responses import AnswerTable
from annotate.imports.schemas import detect
from annotate.imports.schemas.context import Context
from annotate.models import Judgment, Pair
from tests.factories import make_project
from tests.imports.reading import import_files, write_json
from tests.media.pictures import coded
from tests.paths import ROOT

pytestmark = pytest.mark.django_db

DOCS = (ROOT / "docs/import.md").read_text()


def example(heading: str, kind: str) -> str:
    """The code block of this kind below the heading."""
    _, section = DOCS.split(f"\n## {heading}\n", 1)
    found = re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


def test_own_layout(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/42.jpg").write_bytes(coded("JPEG"))
    path = write_json(tmp_path / "p.json", [json.loads(example("Evenhand's own layout", "json"))])
    assert import_files(make_project(), path, media=tmp_path).judgments_new == 2
    assert Pair.objects.get().source == "helpdesk"


def test_own_layout_as_csv(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(example("Evenhand's own layout", "csv"))
    made = import_files(make_project(), tmp_path / "p.csv")
    assert (made.pairs_new, made.judgments_new) == (1, 2)


def test_omni(tmp_path: Path) -> None:
    (tmp_path / "text_to_image").mkdir()
    for name in "ab":
        (tmp_path / f"text_to_image/1_{name}.png").write_bytes(coded("PNG"))
    row = json.loads(example("OmniRewardBench", "json"))
    path = write_json(tmp_path / "text_to_image_preferences.json", [row])
    assert import_files(make_project(), path, media=tmp_path).judgments_new == 1


def test_preference(tmp_path: Path) -> None:
    decoder = json.JSONDecoder()
    text, rows = example("chosen / rejected", "json"), []
    while text.strip():
        row, end = decoder.raw_decode(text.lstrip())
        rows.append(row)
        text = text.lstrip()[end:]
    import_files(make_project(), write_json(tmp_path / "p.json", rows))
    found = Judgment.objects.values_list("comparison__criterion__text", flat=True)
    assert len(rows) == 3 == Pair.objects.count() and "Prefer the answer that is shorter." in found


def test_published_rows(tmp_path: Path) -> None:
    """Each row of the table is of the layout that it stands under."""
    _, section = DOCS.split("\n## Published benchmarks and battles\n", 1)
    (tmp_path / "1.png").write_bytes(coded("PNG"))
    (tmp_path / "2.png").write_bytes(coded("PNG"))
    found: list[str] = []
    layout = ""
    for line in section.split("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if shown := re.search(r"`(\{.*\})`", line):
            layout = re.match(r"\| `(\w+)`", cells[0])[1] if "`" in cells[0] else layout  # type: ignore[index]
            path = write_json(tmp_path / f"{len(found)}.json", [json.loads(shown[1])])
            made = import_files(make_project(), path, media=tmp_path)
            assert made.judgments_new >= 1
            row = json.loads(shown[1])
            found.append(detect(set(row), Context("", "salt", "")))
            assert found[-1] == layout
    assert len(found) == 8


def test_tables_of_answers(tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_text(example("Responses to pairs", "json"))
    (tmp_path / "wide.csv").write_text(example("Responses to pairs", "csv"))
    with AnswerTable() as table:
        table.read(local_file(tmp_path / "long.jsonl"))
        assert table.counts.answers == 1
    with AnswerTable() as table:
        table.read(local_file(tmp_path / "wide.csv"))
        assert len(list(table.pairs(Design("all")))) == 3


def test_mapping_is_the_committed_example() -> None:
    shown = yaml.safe_load(example("Any other table, by a mapping", "yaml"))
    assert shown == yaml.safe_load((ROOT / "docs/examples/pandalm.yaml").read_text())


@pytest.mark.parametrize(
    "limit", [checks.MAX_TEXT, checks.MAX_CRITERION, checks.MAX_NAME, checks.MAX_METADATA, checks.MAX_MEDIA]
)
def test_limits_are_stated(limit: int) -> None:
    assert re.search(rf"\b{limit:,}\b", DOCS)
