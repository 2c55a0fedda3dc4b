"""What keeps a command from its work is said in one line: what, where and how to mend it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from annotate.models import Job
from tests.factories import make_project
from tests.imports.reading import row
from tests.paths import ROOT
from tests.processes import environ_on_test_database
from tests.test_local_servers import eventually
from webapp.management.commands.up import answers


def nobodys_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def complaint(*arguments: str, environ: Mapping[str, str] | None = None) -> str:
    """The line with which `manage.py ARGUMENTS` fails, the only one that it says."""
    ended = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | (environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", [("up",), ("migrate",), ("verify",)])
def test_a_database_that_is_not_there(command: tuple[str, ...]) -> None:
    port = nobodys_port()
    url = f"postgresql://somebody:secret@127.0.0.1:{port}/evenhand"
    begun = time.monotonic()
    line = complaint(*command, environ={"DATABASE_URL": url, "PORT": str(nobodys_port())})
    assert time.monotonic() - begun < 9  # nobody waits for the pool to give up
    assert line.startswith("manage.py: PostgreSQL (DATABASE_URL) does not let us in: ")
    assert f'"127.0.0.1", port {port} failed: Connection refused' in line
    assert "secret" not in line


def test_a_database_url_that_is_none() -> None:
    line = complaint("verify", environ={"DATABASE_URL": "postgresql://somebody:secret@[half/evenhand"})
    assert line == (
        "manage.py: DATABASE_URL is not an address of PostgreSQL: give postgresql://USER:PASSWORD@HOST:PORT/NAME"
    )


def test_a_database_without_our_tables(db: None) -> None:
    url = make_conninfo(environ_on_test_database()["DATABASE_URL"], dbname="postgres")
    line = complaint("verify", environ={"DATABASE_URL": url})
    assert line.startswith('manage.py: the database is not of this version (relation "annotate_')
    assert line.endswith("run manage.py migrate")


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("PORT", "abc", "Not a valid integer"),
        ("PORT", "99999", "Must be greater than or equal to 1 and less than or equal to 65535"),
        ("PORT", "0", "Must be greater than or equal to 1 and less than or equal to 65535"),
        ("WEB_WORKERS", "0", "Must be greater than or equal to 1"),
        ("DATABASE_POOL", "-1", "Must be greater than or equal to 1"),
        ("LOG_FORMAT", "xml", "Must be one of: json, text"),
        ("LOG_LEVEL", "LOUD", "Must be one of: DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("DEBUG", "perhaps", "Not a valid boolean"),
    ],
)
def test_a_wrong_setting(variable: str, value: str, why: str) -> None:
    line = complaint("check", environ={variable: value})
    assert line == f'manage.py: Environment variable "{variable}" invalid: {why}'


def test_a_data_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    environ = {"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": ""}
    line = complaint("verify", environ=environ)
    assert (
        line
        == f"manage.py: {tmp_path}/data cannot be used: File exists. Is DATA_DIR right, and ours to write in?"
    )


def test_up_without_redis(db: None) -> None:
    port = nobodys_port()
    environ = environ_on_test_database() | {
        "PORT": str(nobodys_port()),
        "REDIS_URL": f"redis://:secret@127.0.0.1:{port}/0",
    }
    for options in ((), ("--check",)):
        line = complaint("up", *options, environ=environ)
        assert line.startswith("manage.py: Redis (REDIS_URL) does not answer: ")
        assert f"connecting to 127.0.0.1:{port}. Connection refused" in line
        assert "secret" not in line


def test_up_with_a_redis_url_that_is_none(db: None) -> None:
    environ = environ_on_test_database() | {"PORT": str(nobodys_port()), "REDIS_URL": "localhost:6379"}
    line = complaint("up", environ=environ)
    assert (
        line
        == "manage.py: REDIS_URL is not an address of Redis: give redis://HOST:PORT/0 or unix://PATH?db=0"
    )


def test_workers_are_asked_though_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery

    away = Celery("away", broker=f"redis://127.0.0.1:{nobodys_port()}/0", set_as_current=False)
    away.conf.broker_transport_options = {"max_retries": 0, "socket_connect_timeout": 1}
    monkeypatch.setattr("workers.celery.app", away)
    assert answers("tasks") is False


@contextmanager
def database_closed_to(application: str) -> Iterator[None]:
    """Others lose their connections to the test's database, and get no new ones."""
    name = connection.settings_dict["NAME"]
    elsewhere = make_conninfo(environ_on_test_database()["DATABASE_URL"], dbname="postgres")
    with psycopg.connect(elsewhere, autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            ended = server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name = %s",
                [name, application],
            )
            assert ended.fetchall()
            yield
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_during_an_import(tmp_path: Path) -> None:
    project = make_project(slug="cut-off")
    path = tmp_path / "p.jsonl"
    with path.open("w") as file:
        for n in range(40_000):
            file.write(json.dumps(row(n)) + "\n")
    environ = environ_on_test_database()
    environ["DATABASE_URL"] += " application_name=importing"
    command = [sys.executable, "manage.py", "import_pairs", str(path), "--project", "cut-off"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert eventually(lambda: Job.objects.filter(project=project, done__gt=0).exists(), 60)
        with database_closed_to("importing"):
            _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    [line] = said.splitlines()
    # What the driver says of it depends on whether it was reading or writing at that moment.
    assert line.startswith("manage.py: PostgreSQL (DATABASE_URL) broke off: ")
    assert line.endswith("give the same command again.")
