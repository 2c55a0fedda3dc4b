"""The health page, asked by supervisors and load balancers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import Client

from tests.paths import ROOT
from tests.test_failures import nobodys_port
from tests.test_local_servers import data_dir
from webapp.local.servers import Servers
from webapp.pages import health

__all__ = ["data_dir"]  # a fixture

# Asks the page whenever a line comes in, in a process whose settings are its own.
ASKER = """
import sys, time
import django
django.setup()
from django.test import Client
print("ready", flush=True)
for _ in sys.stdin:
    begun = time.monotonic()
    answer = Client().get("/health", HTTP_HOST="localhost")
    print(round(time.monotonic() - begun, 2), answer.status_code, answer.content.decode(), flush=True)
"""


@pytest.fixture(autouse=True)
def workers_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_asked_workers", (float("-inf"), ""))


@pytest.mark.django_db
def test_says_what_answers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[dict[str, Any]] = []

    def ping(**options: Any) -> list[dict[str, Any]]:
        questions.append(options)
        return [{"tasks@here": {"ok": "pong"}}]

    monkeypatch.setattr(health.app.control, "ping", ping)
    for _ in range(3):
        response = client.get("/health")
        assert response.status_code == 200
        assert response.json() == {"database": "up", "redis": "up", "workers": "up"}
    assert questions == [{"timeout": 0.5, "limit": 1}]  # whoever asks often asks the workers once


@pytest.mark.django_db
def test_without_workers_people_annotate_on(client: Client) -> None:
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"database": "up", "redis": "up", "workers": "down"}


@pytest.mark.django_db
def test_without_redis_people_annotate_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_redis", redis.Redis.from_url(f"redis://127.0.0.1:{nobodys_port()}/0"))
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"database": "up", "redis": "down", "workers": "unknown"}


@contextmanager
def asker(environ: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", ASKER],
        cwd=ROOT,
        env=environ | {"DJANGO_SETTINGS_MODULE": "webapp.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout and process.stdin
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def asked(process: "subprocess.Popen[str]") -> tuple[float, str]:
    """Seconds that the answer took, and the answer with its status."""
    assert process.stdout and process.stdin
    process.stdin.write("\n")
    process.stdin.flush()
    seconds, answer = process.stdout.readline().strip().split(" ", 1)
    return float(seconds), answer


def test_a_database_that_is_away_is_told_soon(data_dir: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environ |= {"DATA_DIR": str(data_dir)}
    servers = Servers(data_dir, environ)
    try:
        with asker(environ) as process:
            _, answer = asked(process)
            assert answer.startswith('200 {"database": "up", "redis": "up"')
            servers.release()
            seconds, answer = asked(process)
            assert answer == '503 {"database": "down"}' and seconds < 5
    finally:
        servers.release()
