"""Processes of our own that a test starts beside itself."""

import os

from django.db import connection
from psycopg.conninfo import make_conninfo


def environ_on_test_database() -> dict[str, str]:
    """The environment of a process that works on the test's database."""
    given = connection.settings_dict
    url = make_conninfo(dbname=given["NAME"], user=given["USER"], host=given["HOST"])
    return os.environ | {"DATABASE_URL": url}
