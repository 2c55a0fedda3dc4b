"""Every page that a GET answers, in a browser: no violation of the policy, no error, no foreign request.

The pages are those of the permission table, so that none is forgotten; the fixture `page` fails on what it hears.
"""

from collections.abc import Callable

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, expect

from annotate.models import User
from tests.browser.conftest import Watch
from tests.browser.looking import accessible
from tests.security.permissions import EXPECTED
from tests.security.test_permissions import path_of
from tests.security.world import ROLES, make_world

_LEAST = {"anonymous": 0, "stranger": 30, "annotator": 4, "reviewer": 30, "manager": 60, "root": 80}


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_quiet(role: str, page: Page, watch: Watch, sign_in: Callable[[User], None]) -> None:
    watch.allow("status of (403|404)")  # pages that say so are pages too
    world = make_world()
    if role in world.users:
        sign_in(world.users[role])
    walked = set()
    for route, case, method, statuses, _ in EXPECTED:
        path = path_of(route, case, role, world)
        expected = statuses[ROLES.index(role)]
        if method != "GET" or case == "theirs" or path in walked or expected not in (200, 403, 404):
            continue
        if not page.request.get(path).headers.get("content-type", "").startswith("text/html"):
            continue  # JSON, a medium, or a download
        walked.add(path)
        shown = page.goto(path, wait_until="load")
        assert shown and shown.status == expected, path
        expect(page.locator("h1").first, path).to_be_attached()
        page.wait_for_timeout(20)  # what its scripts do at once
        assert watch.errors == [], path
    # Scarcely fewer than the table has: the walk must not fail to find its pages.
    assert len(walked) > _LEAST[role]


@pytest.mark.parametrize("template", ["400", "403", "403_csrf", "404", "500", "locked"])
def test_pages_of_errors_are_accessible(template: str, page: Page, watch: Watch) -> None:
    """Rendered here: most of these errors a test cannot bring about."""
    watch.allow("status of")
    body = render_to_string(f"{template}.html")
    page.route("**/broken/", lambda route: route.fulfill(status=500, body=body, content_type="text/html"))
    page.goto("/broken/")
    expect(page.locator("h1")).to_be_visible()
    accessible(page, template)
