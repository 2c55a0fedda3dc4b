"""The browser tests' own eyes: what a page does wrong is seen."""

import contextlib

from playwright.sync_api import Error, Page

from tests.browser.conftest import Watch


def test_a_page_that_does_nothing_wrong_has_no_errors(page: Page, watch: Watch) -> None:
    watch.allow("favicon")  # this answer is no page, and names no icon
    page.goto("/health")
    assert page.locator("body").inner_text().startswith('{"database": "up"')
    assert watch.errors == []


def test_console_errors_foreign_requests_and_inline_scripts_are_seen(page: Page, watch: Watch) -> None:
    page.goto("/health")
    page.evaluate("console.error('spilt')")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p onclick=\"1\">')")
    page.evaluate("document.querySelector('p').click()")
    with contextlib.suppress(Error):  # nobody listens there
        page.goto("http://127.0.0.1:9/elsewhere")
    seen = "\n".join(watch.errors)
    for wrong in ("spilt", "foreign request: http://127.0.0.1:9/elsewhere", "Content Security Policy"):
        assert wrong in seen
    watch.allow(".")


def test_an_uncaught_error_is_seen(page: Page, watch: Watch) -> None:
    page.goto("/health")
    page.evaluate("setTimeout(() => { throw new Error('nobody caught me') }); null")
    page.wait_for_timeout(50)
    assert any("nobody caught me" in seen for seen in watch.errors)
    watch.allow("nobody caught me|favicon")
