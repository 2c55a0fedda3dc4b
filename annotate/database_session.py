"""What a database connection's session holds beyond a transaction, and how it is given back."""

from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError, connection


def give_back(statement: str, parameters: Sequence[int] = ()) -> None:
    """Undo what was set or locked for this session. Where the connection is gone, so is that: no new one is made."""
    if connection.connection is None:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
    except (DatabaseError, InterfaceError):
        connection.close()
