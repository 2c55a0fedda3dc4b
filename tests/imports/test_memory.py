"""However large a file is, reading it takes no more memory."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.models import DataImport, Pair
from tests.factories import make_project
from tests.imports.reading import import_files, row, write_csv, write_json, write_lines, write_parquet

ROWS = 2000
TEXT = "word " * 800  # 4 kB an answer: 16 MB in all


def flat(number: int) -> dict[str, Any]:
    given = row(number, response1=f"{number} {TEXT}", response2=TEXT)
    return {key: value for key, value in given.items() if key != "criteria"} | {"criterion": "Clearer?"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("p.json", write_json),
        ("p.jsonl", write_lines),
        ("p.csv", write_csv),
        ("p.parquet", write_parquet),
    ],
)
def test_memory_is_bounded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    write: Callable[[Path, list[dict[str, Any]]], Path],
) -> None:
    monkeypatch.setattr("annotate.imports.run.BATCH_CHARACTERS", 1_000_000)
    path = write(tmp_path / name, [flat(n) for n in range(ROWS)])
    project = make_project()
    tracemalloc.start()
    try:
        made: DataImport = import_files(project, path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert made.pairs_new == Pair.objects.filter(project=project).count() == ROWS
    assert peak < 12_000_000, f"{peak:,} bytes for {path.stat().st_size:,} of {json.dumps(name)}"
