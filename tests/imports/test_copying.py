"""Rows by COPY come out as they went in, and what they refer to is there, whoever checks it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from annotate.imports import write
from annotate.imports.copying import array_of_bytes, array_of_numbers, array_of_texts, copy
from annotate.imports.references import checked, may_check_at_once
from annotate.integrity import violations
from annotate.models import Pair, Response
from tests.factories import make_criterion, make_pair, make_project
from tests.imports.reading import import_files, write_lines

pytestmark = pytest.mark.django_db

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@given(
    st.lists(
        st.tuples(
            TEXTS | st.just("\\N") | st.just("a\tb\\\r\nc\\."),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.booleans(),
            st.binary(max_size=40),
        ),
        max_size=20,
    )
)
def test_what_is_copied_is_what_was_given(rows: list[tuple[str, int | None, bool, bytes]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE given (n serial, t text, i bigint, b boolean, d bytea, at timestamptz)"
        )
        now = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
        copy("given", "t, i, b, d", rows, {"at": now})
        cursor.execute("SELECT t, i, b, d, at FROM given ORDER BY n")
        found = [(t, i, b, bytes(d), at) for t, i, b, d, at in cursor.fetchall()]
        transaction.set_rollback(True)
    assert found == [(*row, now) for row in rows]


@given(
    st.lists(TEXTS | st.sampled_from(["NULL", "", '"', "\\", "{a,b}", " a "]), max_size=20),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
    st.lists(st.binary(max_size=40), max_size=20),
)
def test_arrays_are_what_was_given(texts: list[str], numbers: list[int], digests: list[bytes]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::text[], %s::bigint[], %s::bytea[]",
            [array_of_texts(texts), array_of_numbers(numbers), array_of_bytes(digests)],
        )
        found = cursor.fetchone()
    assert (found[0], found[1], [bytes(one) for one in found[2]]) == (texts, numbers, digests)


def test_more_than_a_block_is_copied_whole() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE given (n bigint, t text)")
        copy("given", "n, t", ((n, f"{n}" * 1000) for n in range(3000)))
        cursor.execute("SELECT count(*), sum(n), bool_and(t = repeat(n::text, 1000)) FROM given")
        assert cursor.fetchone() == (3000, 2999 * 1500, True)
        transaction.set_rollback(True)


def dangling() -> list[str]:
    """Every foreign key of the tables that imports copy into, where a row refers to nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text FROM pg_constraint c
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
            WHERE c.contype = 'f' AND cardinality(c.conkey) = 1
              AND c.conrelid IN ('annotate_prompt'::regclass, 'annotate_promptasset'::regclass,
                                 'annotate_response'::regclass, 'annotate_pair'::regclass,
                                 'annotate_comparison'::regclass)
            """
        )
        found = cursor.fetchall()
        assert len(found) >= 17
        lost = []
        for table, column, target in found:
            cursor.execute(
                f"SELECT count(*) FROM {table} r WHERE r.{column} IS NOT NULL"
                f" AND NOT EXISTS (SELECT FROM {target} t WHERE t.id = r.{column})"
            )
            if cursor.fetchone()[0]:
                lost.append(f"{table}.{column}")
        return lost


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "row by row"])
def test_an_import_refers_to_what_is_there(
    at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert may_check_at_once()
    monkeypatch.setattr(write, "may_check_at_once", lambda: at_once)
    project = make_project(reserve_share=0, validation_share=0)
    make_criterion(project, "Is it short?")
    rows: list[dict[str, Any]] = [
        {
            "id": str(number),
            "prompt": f"Prompt {number % 4}",
            "response1": {"text": "a\\b\tc", "model": "m"},
            "response2": "two\nlines",
            "criteria": [
                "Is it short?",
                {"text": "Is it new?", "judgments": [{"annotator": "p", "verdict": "tie"}]},
            ],
        }
        for number in range(9)
    ]
    import_files(project, write_lines(tmp_path / "rows.jsonl", rows), source="s")
    again = [row | {"criteria": ["Is it new?", "Is it later?"]} for row in rows]
    more = write_lines(tmp_path / "again.jsonl", [*again, rows[0] | {"id": "new"}])
    import_files(project, more, source="s")
    assert Pair.objects.filter(project=project).count() == 10
    assert set(Response.objects.values_list("text", flat=True)) == {"a\\b\tc", "two\nlines"}
    assert dangling() == []
    assert violations() == {}
    with connection.cursor() as cursor:  # nothing is left switched off
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone() == ("origin",)


def test_what_refers_to_a_row_that_is_gone_is_refused() -> None:
    pair = make_pair(make_project())
    gone = pair.prompt_id + 1000
    with (
        pytest.raises(IntegrityError, match="1 rows of annotate_prompt that an import refers to are gone"),
        transaction.atomic(),
        checked({"annotate_prompt": [pair.prompt_id, gone]}, at_once=True),
    ):
        raise AssertionError("nothing may be copied")
