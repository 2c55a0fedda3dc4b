"""A server of another version takes the place of the one whose page is kept for work without a network."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import BrowserContext, Page

from annotate.models import User
from tests.browser.conftest import Watch, free_port, serving
from tests.browser.judging import JudgePage, comes_true
from tests.browser.test_judge_offline import NO_LINE, project_of, stored, take
from tests.factories import make_user

STYLE = "css/judge.css"


class Installation:
    """A web server that keeps its address over an upgrade."""

    def __init__(self) -> None:
        self._port = free_port()
        self._running = ExitStack()

    def start(self, environ: dict[str, str]) -> str:
        self.stop()
        return self._running.enter_context(serving(environ, self._port))

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def installation() -> Iterator[Installation]:
    made = Installation()
    yield made
    made.stop()


@pytest.fixture
def web_server(installation: Installation, django_db_setup: None, static_files: None) -> str:
    return installation.start({})


def newer(root: Path) -> Path:
    """The static files of a version that draws the judge page in another colour."""
    shutil.copytree(settings.STATIC_ROOT, root)
    manifest = root / "staticfiles.json"
    named = json.loads(manifest.read_text())
    named["paths"][STYLE] = "css/judge.another.css"
    (root / "css/judge.another.css").write_text((root / STYLE).read_text() + "\n:root { color: navy; }\n")
    manifest.write_text(json.dumps(named))
    return root


def shells(page: Page) -> set[str]:
    return {name for name in stored(page)["caches"] if "shell" in name}


def test_a_new_version_takes_the_place_of_the_kept_one(
    context: BrowserContext,
    page: Page,
    sign_in: Callable[[User], None],
    watch: Watch,
    installation: Installation,
    tmp_path: Path,
) -> None:
    watch.allow(NO_LINE)
    user = make_user("ada")
    sign_in(user)
    project = project_of(user, 6)
    judge = JudgePage(page, project).open()
    take(judge, 5)
    [before] = shells(page)
    installation.start({"STATIC_ROOT": str(newer(tmp_path / "static"))})
    judge.open()
    comes_true(
        page, "async () => (await caches.keys()).filter((name) => name.includes('shell')).length === 2"
    )
    assert before in shells(page)  # this tab may still need it
    page.goto("/")
    comes_true(page, "async name => !(await caches.has(name))", before)
    context.set_offline(True)
    judge.open()
    assert page.evaluate("getComputedStyle(document.documentElement).color") == "rgb(0, 0, 128)"
