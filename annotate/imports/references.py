"""Foreign keys of rows that come by COPY: checked for a whole batch at once, where PostgreSQL lets us.

A foreign key asks its table once for each row. For what an import brings that is half of all that PostgreSQL does, and asks
again and again for the same project, prompt and criterion. Here the rows that others refer to are looked up and locked once
(FOR KEY SHARE, as the keys themselves would), in the transaction that writes; then the rows are copied with the keys' triggers off.
Unique keys and checks stay on. A role that may not set `session_replication_role` has the keys check row by row, as ever.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, connection

# Referred-to rows by their table: all that the copied rows name, but for those that this transaction has made itself.
References = Mapping[str, Collection[int]]


def may_check_at_once() -> bool:
    """Whether this role may switch the triggers of foreign keys off: a superuser, or one with SET on the parameter."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        return bool(cursor.fetchone()[0])


@contextmanager
def checked(references: References, *, at_once: bool) -> Iterator[None]:
    """Within, rows may be copied that refer to these. With `at_once` the caller vouches that they refer to nothing else.

    Only for tables whose other triggers have nothing to do with new rows; call it in a transaction.

    Raises:
        IntegrityError: a row that is referred to is not there.
    """
    if not at_once:
        yield
        return
    with connection.cursor() as cursor:
        for table, ids in references.items():
            wanted = sorted(set(ids))
            if not wanted:
                continue
            cursor.execute(
                f"SELECT count(*) FROM (SELECT FROM {table} WHERE id = ANY (%s) ORDER BY id FOR KEY SHARE) found",
                [wanted],
            )
            if (found := cursor.fetchone()[0]) != len(wanted):
                raise IntegrityError(
                    f"{len(wanted) - found} rows of {table} that an import refers to are gone."
                )
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role TO DEFAULT")
