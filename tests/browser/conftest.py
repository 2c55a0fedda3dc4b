"""A real browser on the real web server, over the test's own database."""

import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from annotate.models import User
from webapp.local.supervisor import Child, Supervisor
from webapp.management.commands.up import is_healthy, web_command

PATIENCE = 20_000  # ms: what is waited for comes at once, but for a machine that has other work too
expect.set_options(timeout=PATIENCE)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, "no Chromium on PATH: `make test` installs it or says how"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(environ: dict[str, str], port: int | None = None) -> Iterator[str]:
    """The URL of a web server, as `manage.py up` starts it, on the database that this process tests with."""
    port = port or free_port()
    ours, tests = "/evenhand?", f"/{connection.settings_dict['NAME']}?"
    whole = os.environ | {"DATABASE_URL": os.environ["DATABASE_URL"].replace(ours, tests)} | environ
    command = web_command("127.0.0.1", port, workers=1, threads=4)
    log = Path(settings.DATA_DIR) / "log" / f"web-{port}.log"
    child = Child("web", command, log, whole)
    supervisor = Supervisor(print)
    try:
        supervisor.start(child)
        supervisor.until(lambda: is_healthy("127.0.0.1", port), child, 30)
        yield f"http://127.0.0.1:{port}"
    finally:
        supervisor.stop()


@pytest.fixture(scope="session")
def web_server(django_db_setup: None, static_files: None) -> Iterator[str]:
    with serving({}) as url:
        yield url


class Watch:
    """What went wrong in a page that its test did not announce: the test fails on it."""

    def __init__(self, origin: str) -> None:
        self._origins = {origin}
        self._allowed: list[re.Pattern[str]] = []
        self._seen: list[str] = []

    def allow(self, pattern: str) -> None:
        """The test brings about errors that match `pattern`, for example a 409 or an outage."""
        self._allowed.append(re.compile(pattern))

    def trust(self, origin: str) -> None:
        """Pages may fetch from there too."""
        self._origins.add(origin)

    @property
    def errors(self) -> list[str]:
        return [seen for seen in self._seen if not any(pattern.search(seen) for pattern in self._allowed)]

    def follow(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._seen.append(f"uncaught: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        # A violation of the content security policy is reported here too.
        if message.type == "error":
            self._seen.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        scheme, host = urlsplit(request.url)[:2]
        if scheme not in ("data", "blob") and f"{scheme}://{host}" not in self._origins:
            self._seen.append(f"foreign request: {request.url}")


@pytest.fixture
def context(browser: Browser, web_server: str, transactional_db: None) -> Iterator[BrowserContext]:
    """A fresh profile. Closed before the database is emptied."""
    fresh = browser.new_context(base_url=web_server, viewport={"width": 1280, "height": 800})
    fresh.set_default_timeout(PATIENCE)
    yield fresh
    fresh.close()
    _quiet()


def _quiet() -> None:
    """Waits for requests that outlive their page: emptying tables under them is a deadlock."""
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
    idle = 0
    while idle < 3:
        time.sleep(0.02)
        with connection.cursor() as cursor:
            cursor.execute(f"{busy} AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
            row = cursor.fetchone()
        idle = 0 if row and row[0] else idle + 1


@pytest.fixture
def watch(context: BrowserContext, web_server: str) -> Iterator[Watch]:
    """Follows every page of the context; the test fails on whatever it did not allow."""
    watching = Watch(web_server)
    context.on("page", watching.follow)
    yield watching
    assert not watching.errors, "\n".join(watching.errors)


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    return context.new_page()


@pytest.fixture
def sign_in(context: BrowserContext, web_server: str) -> Callable[[User], None]:
    """Signs the browser in as an account, without the login page."""

    def sign(user: User) -> None:
        client = Client()
        client.force_login(user, backend="webapp.sessions.Accounts")
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": web_server}])

    return sign
