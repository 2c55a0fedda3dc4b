"""The second factor in a browser: its pages, the login page and the judge page's overlay; and a provider's login beside it."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, BrowserContext, Page, expect

from annotate.models import Judgment, Project, User
from tests.browser.conftest import PATIENCE, Watch, _quiet, serving
from tests.browser.judging import CLARITY, JudgePage, judge_project, text_pair
from tests.browser.looking import LOOKS, clean
from tests.browser.test_tongues import spoken
from tests.factories import make_member, make_user
from tests.security.apps import pass_time, shown, with_app
from tests.security.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, providing

LANGUAGES = ["ko", "zh-hans"]


def one_criterion() -> Project:
    """A project whose pairs are judged by one key."""
    project = judge_project(pairs=0)
    for _ in range(4):
        text_pair(project, CLARITY)
    return project


def type_code(page: Page, code: str) -> None:
    page.locator("#id_code").fill(code)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(("theme", "width", "height"), LOOKS)
def test_it_is_set_up_used_and_removed(theme: str, width: int, height: int, page: Page, watch: Watch) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": height})
    user = make_user("ada", password="pass")
    page.goto("/login/")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("pass")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Projects")
    page.goto("/password/")
    page.get_by_role("link", name="Second factor").click()
    clean(page, "none yet")
    page.get_by_role("link", name="Set up").click()
    expect(page.get_by_role("img", name="QR code of the key")).to_be_visible()
    assert page.locator(".qr svg path").evaluate("path => path.getBoundingClientRect().width > 150")
    clean(page, "setting up")
    secret = page.locator(".secret").inner_text().replace(" ", "")
    page.get_by_label("Password").fill("pass")
    type_code(page, "1")
    expect(page.get_by_role("alert")).to_have_text("That is not the code that the app shows now.")
    clean(page, "setting up with a wrong code")
    assert page.locator(".secret").inner_text().replace(" ", "") == secret
    page.get_by_label("Password").fill("pass")
    type_code(page, shown(secret))
    expect(page.locator(".codes li")).to_have_count(10)
    clean(page, "recovery codes")
    codes = page.locator(".codes li").all_inner_texts()
    page.get_by_role("link", name="I have them").click()
    page.get_by_role("button", name="Log out").click()
    pass_time(user)

    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("pass")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    clean(page, "asked for the code")
    type_code(page, "000000")
    expect(page.get_by_role("alert")).to_contain_text("wrong, or was used before")
    clean(page, "a wrong code")
    type_code(page, codes[0])
    expect(page.locator("h1")).to_have_text("Projects")
    page.goto("/second-factor/")
    expect(page.locator(".facts")).to_contain_text("9")
    clean(page, "set up")
    page.get_by_role("link", name="New recovery codes").click()
    clean(page, "new codes")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Remove").click()
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is wrong.")
    clean(page, "removing")
    page.get_by_label("Password").fill("pass")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Your second factor is removed.")


def test_the_overlay_asks_for_the_code_and_nothing_is_lost(
    page: Page, sign_in: Callable[[User], None], watch: Watch
) -> None:
    watch.allow("401|400")
    project = one_criterion()
    user = make_member(project, user=make_user("ada", password="pass"))
    secret, _ = with_app(user)
    sign_in(user)
    judge = JudgePage(page, project).open()
    judge.press("1")
    Session.objects.all().delete()
    judge.press("Enter")
    dialog = page.get_by_role("dialog", name="Log in to go on")
    expect(dialog).to_be_visible()
    page.keyboard.type("pass")
    judge.press("Enter")
    code = dialog.get_by_label("Code of the app")
    expect(code).to_be_focused()
    expect(dialog.get_by_label("Password")).to_be_hidden()
    clean(page, "overlay that asks for the code")
    page.keyboard.type("000000")
    judge.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("wrong, or was used before")
    code.fill(shown(secret))
    judge.press("Enter")
    expect(dialog).to_be_hidden()
    judge.saved()
    assert Judgment.objects.count() == 1
    # Once more: half a login that ran out begins with the password again, and a draft is where it was.
    judge.ready().press("1")
    Session.objects.all().delete()
    judge.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.type("pass")
    judge.press("Enter")
    expect(code).to_be_focused()
    Session.objects.all().delete()
    pass_time(user)
    page.keyboard.type(shown(secret))
    judge.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("took too long")
    expect(dialog.get_by_label("Password")).to_be_focused()
    judge.press("Enter")  # the password still stands there
    expect(code).to_be_focused()
    page.keyboard.type(shown(secret))
    judge.press("Enter")
    expect(dialog).to_be_hidden()
    judge.saved()
    assert Judgment.objects.count() == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_in_every_language(
    language: str, context: BrowserContext, page: Page, sign_in: Callable[[User], None]
) -> None:
    context.set_extra_http_headers({"Accept-Language": language})
    page.set_viewport_size({"width": 390, "height": 844})
    user = make_user("7", password="pass")
    sign_in(user)
    for path in ("/second-factor/", "/second-factor/set-up/"):
        page.goto(path)
        secret = page.locator(".secret").inner_text() if path.endswith("set-up/") else "-"
        spoken(page, path, *secret.split(), "QR")  # which may stand in the secret
    with_app(user)
    for path in ("/second-factor/", "/second-factor/codes/", "/second-factor/remove/"):
        page.goto(path)
        spoken(page, path)
    page.goto("/second-factor/codes/")
    page.locator("#id_password").fill("pass")
    page.keyboard.press("Enter")
    expect(page.locator(".codes li")).to_have_count(10)
    spoken(page, "recovery codes")
    context.clear_cookies()
    page.goto("/login/")
    page.locator("#id_username").fill("7")
    page.locator("#id_password").fill("pass")
    page.keyboard.press("Enter")
    type_code(page, "000000")
    expect(page.get_by_role("alert")).to_be_visible()
    spoken(page, "a wrong code")


@pytest.fixture
def provided(
    browser: Browser, web_server: str, transactional_db: None
) -> Iterator[tuple[BrowserContext, Provider]]:
    """A browser on a web server of its own, whose people log in through a provider alone."""
    with providing() as provider:
        environ = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "Example University",
            "OIDC_ONLY": "true",
        }
        with serving(environ) as url:
            context = browser.new_context(base_url=url, viewport={"width": 390, "height": 844})
            context.set_default_timeout(PATIENCE)
            watching = Watch(url)
            watching.trust(provider.issuer)
            watching.allow("401|403")
            context.on("page", watching.follow)
            yield context, provider
            context.close()
            _quiet()
            assert not watching.errors, "\n".join(watching.errors)


def test_a_provider_logs_in_on_the_login_page_and_beside_the_overlay(
    provided: tuple[BrowserContext, Provider],
) -> None:
    context, provider = provided
    page = context.new_page()
    project = one_criterion()
    user = make_member(project)
    provider.person |= {"email": "nobody@example.org"}
    page.goto(f"/judge/{project.slug}/")
    clean(page, "the provider alone")
    expect(page.get_by_label("Password")).to_have_count(0)
    page.get_by_role("link", name="Log in with Example University").click()
    expect(page.get_by_role("heading", name="Not logged in")).to_be_visible()
    clean(page, "no account")
    provider.person |= {"email": user.email}
    page.goto(f"/judge/{project.slug}/")
    page.get_by_role("link", name="Log in with Example University").click()
    judge = JudgePage(page, project).ready()
    judge.press("1")
    Session.objects.all().delete()
    judge.press("Enter")
    dialog = page.get_by_role("dialog", name="Log in to go on")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Password")).to_be_hidden()
    clean(page, "overlay with the provider alone")
    with context.expect_page() as opened:
        dialog.get_by_role("link", name="Log in with Example University").click()
    expect(opened.value.locator("h1")).to_have_text("Projects")
    opened.value.close()
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    expect(dialog).to_be_hidden()
    judge.saved()
    assert Judgment.objects.count() == 1
