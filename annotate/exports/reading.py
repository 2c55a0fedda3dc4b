"""How a release asks for rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from annotate.actions.jobs import give_back


@contextmanager
def by_key() -> Iterator[None]:
    """Rows are read by their keys, some thousand at a time. The planner would rather scan whole tables for these, in several
    processes, and what that costs grows with the tables.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0")
    try:
        yield
    finally:
        give_back("RESET enable_seqscan; RESET max_parallel_workers_per_gather")
