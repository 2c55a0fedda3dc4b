"""After an import the planner knows how large the tables are: the plans that connections keep are renewed by it."""

from pathlib import Path

import pytest
from django.db import connection

from tests.factories import make_project
from tests.imports.reading import import_files, row, write_lines


@pytest.mark.django_db
def test_an_import_leaves_statistics_of_what_it_brought(tmp_path: Path) -> None:
    import_files(make_project(), write_lines(tmp_path / "pairs.jsonl", [row(n) for n in range(600)]))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples FROM pg_class WHERE relname LIKE 'annotate%' AND relkind = 'r'"
        )
        rows = dict(cursor.fetchall())
    for table in ("prompt", "response", "pair", "comparison", "draw"):
        assert rows[f"annotate_{table}"] > 0, table
    assert rows["annotate_comparison"] >= 600
