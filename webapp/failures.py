"""What commands say when something outside the code is wrong: one line with what, where and how to mend it."""

import os
from pathlib import Path

from webapp.local.process import ServerError, in_one_line
from webapp.local.servers import data_dir


def complaint(error: BaseException) -> str | None:
    """The line for an error that a person can mend; None if it is for whoever mends the code."""
    from django.db import InterfaceError, OperationalError, ProgrammingError
    from environs import EnvError
    from psycopg import OperationalError as DriverError
    from psycopg.errors import InvalidCatalogName, UndefinedColumn, UndefinedTable

    said = in_one_line(error)
    if isinstance(error, ServerError):
        return said
    if isinstance(error, EnvError):
        return said.replace("['", "").replace(".']", "")
    if isinstance(error, ProgrammingError) and isinstance(error.__cause__, UndefinedTable | UndefinedColumn):
        return f"the database is not of this version ({said}): run manage.py migrate"
    if isinstance(error, OperationalError | InterfaceError | DriverError) and not isinstance(
        error.__cause__, InvalidCatalogName
    ):
        where = "DATABASE_URL" if os.environ.get("DATABASE_URL") else f"{data_dir()}/postgres"
        return (
            f"PostgreSQL ({where}) broke off: {in_one_line(root(error))}. See that it runs and what it logs, then give the same"
            " command again."
        )
    if isinstance(error, OSError) and error.filename and is_ours(Path(os.fsdecode(error.filename))):
        return f"{error.filename} cannot be used: {error.strerror}. Is DATA_DIR right, and ours to write in?"
    return None


def root(error: BaseException) -> BaseException:
    """The first of the database's errors that led to this one: the last is often that it cannot be reached again."""
    from psycopg import Error

    first, before = error, error.__cause__ or error.__context__
    while before is not None:
        first = before if isinstance(before, Error) else first
        before = before.__cause__ or before.__context__
    return first


def is_ours(path: Path) -> bool:
    """True for DATA_DIR and what lies in it."""
    return path.absolute().is_relative_to(data_dir())
