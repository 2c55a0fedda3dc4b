"""Statements that PostgreSQL plans once a connection: those that an annotator waits for.

Django writes values into its statements, so that each is planned anew; for the way to the next pair that takes
longer than running it. Here values are bound, the plan is kept, and it is one for all values (plan_cache_mode in
the settings): the walks are written so that there is only one good plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models
from django.db.backends.postgresql.base import ServerBindingCursor

M = TypeVar("M", bound=models.Model)


@contextmanager
def prepared_cursor() -> Iterator[Any]:
    """A psycopg cursor whose statements are prepared when first used. Nothing in them but parameters may vary."""
    connection.ensure_connection()
    raw = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
    with connection._prepare_cursor(raw) as cursor:  # type: ignore[attr-defined]
        yield cursor


@cache
def columns(model: type[models.Model], alias: str) -> str:
    """The columns of a model as it reads them itself, to be selected from `alias`."""
    fields = model._meta.concrete_fields
    odd = [field.name for field in fields if hasattr(field, "from_db_value")]
    assert not odd, f"{model.__name__}.{odd} must be converted: such a model is read by its manager"
    return ", ".join(f'{alias}."{field.column}"' for field in fields)


def made(model: type[M], row: Sequence[Any]) -> M:
    """The object of a row of `columns`."""
    return model.from_db(connection.alias, [field.attname for field in model._meta.concrete_fields], row)


def fetch(model: type[M], where: str, names: Mapping[str, Any]) -> M | None:
    """The object that meets the condition on `o`, by a prepared statement."""
    with prepared_cursor() as cursor:
        cursor.execute(f"SELECT {columns(model, 'o')} FROM {model._meta.db_table} o WHERE {where}", names)
        row = cursor.fetchone()
    return made(model, row) if row else None
