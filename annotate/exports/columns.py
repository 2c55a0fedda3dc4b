"""Rows of a query as Arrow columns: PostgreSQL copies them out as CSV, and Arrow reads that without a Python object a cell."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.csv
from django.db import connection


def copied(query: str, parameters: Mapping[str, Any], types: Mapping[str, pa.DataType]) -> pa.Table:
    """What the query returns, its columns named and typed by `types` in their order.

    COPY writes NULL as nothing and an empty text in quotes, so that both come back as what they were.
    """
    out = io.BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)", parameters) as copy,
    ):
        for block in copy:
            out.write(block)
    if not out.tell():
        return pa.table({name: pa.array([], kind) for name, kind in types.items()})
    out.seek(0)
    return pyarrow.csv.read_csv(
        out,
        # One thread, and blocks that hold the longest row there may be: what comes out depends on the rows alone.
        read_options=pyarrow.csv.ReadOptions(
            column_names=list(types), use_threads=False, block_size=max(out.getbuffer().nbytes, 1)
        ),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict(types),
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def regrouped(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of so many, the last of what is left."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        while count >= rows:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, rows)
            waiting, count = [whole.slice(rows)], count - rows
    if count:
        yield pa.concat_tables(waiting)
