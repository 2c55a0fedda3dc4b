"""Rows as arrays: PostgreSQL packs them into long strings of bytes, which numpy reads as they are.

A million rows are then no million objects.
"""

from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

_PARTS = 64  # that rows are packed into: a string of bytes in PostgreSQL has an end


def packed(
    query: str, params: dict[str, Any], columns: dict[str, tuple[str, str]], *, hashed: bool = False
) -> NDArray[np.void]:
    """The rows of a query, which has places for what packs them and for the number of parts they are packed into.

    Of each column its type in the packed row (numpy's, big-endian) and the expression that packs it, never null.
    `hashed`: it reads a large part of its tables, whatever the planner thinks of its conditions.
    """
    layout = np.dtype([(name, kind) for name, (kind, _) in columns.items()])
    row = " || ".join(sql for _, sql in columns.values())
    select = f"SELECT string_agg({row}, ''::bytea), count(*)"
    with transaction.atomic(), connection.cursor() as cursor:
        # Sorts and hashes of all there is, for this statement alone.
        cursor.execute("SET LOCAL work_mem = '128MB'")
        if hashed:
            cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(query.format(packed=select, parts=_PARTS), params)
        parts = cursor.fetchall()
    data = b"".join(part for part, _ in parts)
    count = sum(count for _, count in parts)
    if len(data) != count * layout.itemsize:
        raise ValueError("A column of what was to be packed is null.")
    return np.frombuffer(data, dtype=layout)
