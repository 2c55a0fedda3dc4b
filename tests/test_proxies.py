"""Whose address a request counts under: the client's where a trusted proxy names it, else whoever connects."""

import runpy
from typing import Any

import pytest

from tests.paths import ROOT


@pytest.mark.parametrize(
    ("trusted", "peer", "seen"),
    [
        ([], "10.0.0.7", "10.0.0.7"),
        (["10.0.0.7"], "10.0.0.7", "203.0.113.5"),
        (["10.0.0.0/8"], "10.0.0.7", "203.0.113.5"),
        (["10.0.0.7"], "198.51.100.1", "198.51.100.1"),
    ],
)
def test_a_client_is_named_by_trusted_proxies_only(
    settings: Any, monkeypatch: pytest.MonkeyPatch, trusted: list[str], peer: str, seen: str
) -> None:
    settings.TRUSTED_PROXIES = trusted
    monkeypatch.setattr(
        "django.core.wsgi.get_wsgi_application", lambda: lambda environ, _: environ["REMOTE_ADDR"]
    )
    application = runpy.run_path(str(ROOT / "webapp" / "wsgi.py"))["application"]
    # The client itself claims to come from 192.0.2.9; the proxy has added whom it saw.
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "192.0.2.9, 203.0.113.5"}
    assert application(environ, None) == seen
