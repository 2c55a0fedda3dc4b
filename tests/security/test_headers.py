"""What protects answers in the browser that no table asks for: errors, cookies, links, and all of them behind TLS.

Those to every URL, method and role are looked at as they are asked, in test_permissions.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import OperationalError
from django.test import Client

from tests.factories import make_user
from tests.paths import ROOT
from tests.security.guarded import hold_guarded


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

    monkeypatch.setattr("webapp.pages.health.ConnectionPool.connection", fail)
    asked[500] = client.get("/health")
    for status, response in asked.items():
        assert response.status_code == status
        hold_guarded(response, str(status))
        assert b"canary" not in response.content and b"Traceback" not in response.content


@pytest.mark.django_db
def test_a_database_that_is_away_is_no_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("no connection to canary:secret@host")

    monkeypatch.setattr("webapp.pages.health.ConnectionPool.connection", fail)
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
