"""What protects every answer in the browser: on pages, errors, the admin, the API, media and cookies alike."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import OperationalError
from django.test import Client

from tests.factories import make_user
from tests.paths import ROOT
from tests.security.permissions import EXPECTED
from tests.security.test_permissions import path_of
from tests.security.world import World, make_world


def policy_of(response: Any) -> dict[str, set[str]]:
    """The content security policy: directive -> sources."""
    given = response.headers["Content-Security-Policy"]
    return {name: set(rest) for name, *rest in (part.split() for part in given.split(";") if part.strip())}


def hold_guarded(response: Any, where: str) -> None:
    """Fail unless the answer carries every protection."""
    policy = policy_of(response)
    unsafe = {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:"}
    assert not unsafe & set().union(*policy.values()), where
    if "sandbox" in policy:  # media: nothing may run, whatever the bytes turn out to be
        assert policy["default-src"] == {"'none'"} and policy["sandbox"] == set(), where
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin", where
    else:
        assert policy["default-src"] == {"'self'"}, where
        assert policy.get("script-src", {"'self'"}) == {"'self'"}, where
        for directive in ("frame-ancestors", "base-uri", "object-src"):
            assert policy[directive] == {"'none'"}, where
        assert policy["form-action"] == {"'self'"}, where
    assert response.headers["X-Content-Type-Options"] == "nosniff", where
    assert response.headers["X-Frame-Options"] == "DENY", where
    assert response.headers["Referrer-Policy"] == "same-origin", where
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin", where
    assert not {"Server", "X-Powered-By", "Access-Control-Allow-Origin"} & set(response.headers), where


@pytest.fixture
def world(db: None) -> Iterator[World]:
    yield make_world()


@pytest.mark.parametrize("role", ["anonymous", "root"])
def test_every_answer_to_a_get_is_guarded(role: str, world: World) -> None:
    client = world.client(role)
    for route, case, method, _ in EXPECTED:
        if method == "GET":
            path = path_of(route, case, role, world)
            response = client.get(path)
            hold_guarded(response, path)
            # Media alone are kept, by the browser, for minutes.
            assert re.search("no-store|private, max-age=300", response.headers["Cache-Control"]), path


@pytest.mark.django_db
def test_errors_are_guarded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    asked = {
        404: client.get("/no/such/page/"),
        403: client.post("/login/"),
        405: client.get("/logout/"),
        400: client.get("/", headers={"Host": "evil.example"}),
        401: client.get("/api/v1/projects/"),
    }

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("canary of a traceback")

    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", fail)
    asked[500] = client.get("/health")
    for status, response in asked.items():
        assert response.status_code == status
        hold_guarded(response, str(status))
        assert b"canary" not in response.content and b"Traceback" not in response.content


@pytest.mark.django_db
def test_a_database_that_is_away_is_no_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("no connection to canary:secret@host")

    monkeypatch.setattr("django.db.backends.base.base.BaseDatabaseWrapper.cursor", fail)
    response = Client(raise_request_exception=False).get("/health")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert b"canary" not in response.content


@pytest.mark.django_db
def test_cookies_stay_with_the_server() -> None:
    make_user("ada", password="right horse")
    client = Client()
    client.get("/login/")
    client.post("/login/", {"username": "ada", "password": "right horse"})
    session = client.cookies[configured.SESSION_COOKIE_NAME]
    assert session["httponly"] and session["samesite"] == "Lax" and session["domain"] == ""
    assert client.cookies["csrftoken"]["samesite"] == "Lax"


@pytest.mark.django_db
def test_a_link_in_another_host_is_made_for_nobody() -> None:
    for headers in ({"Host": "evil.example"}, {"Host": "localhost", "X-Forwarded-Host": "evil.example"}):
        response = Client(raise_request_exception=False).get("/", headers=headers)
        assert "evil" not in repr(response.headers) and b"evil" not in response.content


_ASK = """
import json, django
from django.conf import settings
from django.test import Client, RequestFactory
from django.core.management import call_command
django.setup()
call_command("check", "--deploy", "--fail-level", "WARNING")
named = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "DEBUG")
client = Client(headers={"Host": "evenhand.example.org"})
plain, health = client.get("/login/"), client.get("/health")
secure = client.get("/login/", headers={"X-Forwarded-Proto": "https", "Host": "evenhand.example.org"})
print(json.dumps({
    **{name: getattr(settings, name) for name in named},
    "plain": [plain.status_code, plain.headers["Location"]],
    "health": health.status_code,
    "secure": [secure.status_code, secure.headers["Strict-Transport-Security"]],
    "cookie": bool(secure.cookies["csrftoken"]["secure"]),
}))
"""


def test_behind_tls_cookies_and_pages_go_by_https_alone(tmp_path: Path) -> None:
    """In a process of its own, with the environment of a deployment."""
    environ = {name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"} | {
        "HTTPS": "true",
        "DEBUG": "false",
        "ALLOWED_HOSTS": "evenhand.example.org",
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP",
        "DATA_DIR": str(tmp_path),
        "STATIC_ROOT": str(configured.STATIC_ROOT),
        "PYTHONPATH": str(ROOT),
    }
    told = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", _ASK],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout.splitlines()[-1]) == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "DEBUG": False,
        "plain": [301, "https://evenhand.example.org/login/"],
        "health": 200,
        "secure": [200, "max-age=31536000; includeSubDomains; preload"],
        "cookie": True,
    }
