"""Every page and state: no accessibility violation, both themes, both widths, nothing out of bounds."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import User
from tests.browser.judging import (
    CLARITY,
    JudgePage,
    image_pair,
    judge_project,
    make_image,
    picture,
    text_pair,
)
from tests.browser.looking import LOOKS, clean
from tests.factories import make_member


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def looked(page: Page, request: pytest.FixtureRequest) -> Page:
    theme, width, height = request.param
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    return page


def test_server_pages(looked: Page, sign_in: Callable[[User], None], watch) -> None:
    watch.allow("404|403")
    looked.goto("/login/")
    clean(looked, "login")
    looked.get_by_label("Name").fill("nobody")
    looked.get_by_label("Password").fill("nothing")
    looked.get_by_role("button", name="Log in").click()
    expect(looked.get_by_role("alert")).to_be_visible()
    clean(looked, "failed login")
    project = judge_project(pairs=2)
    user = make_member(project)
    make_member(judge_project(state="paused", name="Paused one"), user=user)
    sign_in(user)
    for path, heading in (
        ("/", "Projects"),
        ("/password/", "Change password"),
        ("/nowhere/", "Nothing here"),
    ):
        looked.goto(path)
        expect(looked.locator("h1")).to_have_text(heading)
        clean(looked, path)


def test_the_judge_page_in_every_state(looked: Page, sign_in: Callable[[User], None]) -> None:
    project = judge_project(pairs=0, task_type="text_image_to_text", tags=["made up", "off topic"])
    text_pair(
        project, CLARITY, "Another one.", "A third.", media=[make_image(project, picture((90, 90, 200)))]
    )
    image_pair(project, CLARITY, "Another one.")
    sign_in(make_member(project))
    judge = JudgePage(looked, project).open()
    expect(looked.locator("#prompt img, #sides img").first).to_be_visible()
    clean(looked, "first pair")
    judge.press("1", "5", "r")
    clean(looked, "judged, giving reasons")
    looked.keyboard.type("Because.")
    judge.press("Escape", "m")
    clean(looked, "asking what is broken")
    judge.press("Escape", "/", "2")
    clean(looked, "tagging")
    judge.press("Escape", "n")
    looked.keyboard.type("Another of them")
    expect(looked.get_by_role("option")).to_have_text("Another one.")
    clean(looked, "writing a criterion")
    looked.get_by_role("combobox").fill("A fourth.")
    judge.press("Enter")
    clean(looked, "a criterion of one's own")
    for key, name in (
        ("?", "Keys"),
        ("g", "Guidelines"),
        ("s", "Why skip this pair?"),
        (";", "Pairs that you judged"),
    ):
        judge.press(key)
        expect(looked.get_by_role("dialog", name=name)).to_be_visible()
        clean(looked, name)
        judge.press("Escape")
    judge.press("k", *"00000")  # each opens the next that is not judged
    judge.submit()
    clean(looked, "second pair")
    judge.press(*"000")
    judge.submit()
    expect(looked.locator("#blank h2")).to_have_text("Nothing to judge now")
    clean(looked, "nothing to judge")


def test_the_theme_follows_the_system_until_it_is_chosen(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/login/")
    theme = page.locator("html")
    expect(theme).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(theme).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Light or dark").click()
    expect(theme).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(theme).to_have_attribute("data-theme", "dark")


def test_a_phone_shows_one_side_flipped_in_place(page: Page, sign_in: Callable[[User], None]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    project = judge_project(pairs=0)
    long = "\n\n".join(f"Paragraph {n}." for n in range(80))
    text_pair(project, CLARITY, response1=f"The first. {long}", response2=f"The second. {long}")
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#body-a")).to_be_visible()
    expect(page.locator("#body-b")).to_be_hidden()
    page.locator("#body-a .scroller").evaluate("element => element.scrollTop = 700")
    judge.press("x")
    expect(page.locator("#body-a")).to_be_hidden()
    assert page.locator("#body-b .scroller").evaluate("element => element.scrollTop") == 700
    page.get_by_role("button", name="A", exact=True).click()
    expect(page.locator("#body-a")).to_be_visible()
    assert all(
        box["height"] >= 40 for radio in page.get_by_role("radio").all() if (box := radio.bounding_box())
    )


def test_single_keys_can_be_switched_off(page: Page, sign_in: Callable[[User], None]) -> None:
    project = judge_project(pairs=1)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("?")
    page.get_by_label("Single keys act at once").uncheck()
    judge.press("Escape", "1")
    expect(page.locator("#judged")).to_have_text("0 of 2 judged")
    page.reload()
    judge.ready().press("1")
    expect(page.locator("#judged")).to_have_text("0 of 2 judged")
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Single keys act at once").check()
    judge.press("Escape", "1")
    expect(page.locator("#judged")).to_have_text("1 of 2 judged")


def test_another_key_can_be_chosen(page: Page, sign_in: Callable[[User], None]) -> None:
    project = judge_project(pairs=1)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("?")
    told = page.locator("#shortcuts .told")
    page.get_by_role("button", name="Another key for Skip").click()
    judge.press("g")
    expect(told).to_have_text("G is taken: Guidelines.")
    page.get_by_role("button", name="Another key for Skip").click()
    for other, does in (("q", "Loudness matched"), ("=", "In"), ("v", "Show a sensitive pair")):
        judge.press(other)  # what is done elsewhere alone is taken too
        expect(told).to_contain_text(f"{other.upper()} is taken: {does}")
        page.get_by_role("button", name="Another key for Skip").click()
    judge.press("`")
    expect(told).to_have_text("` it is: \u201cSkip\u201d.")
    with page.expect_navigation():  # every key that is printed is printed anew
        judge.press("Escape")
    judge.ready()
    expect(page.locator("#skip-open kbd")).to_have_text("`")
    judge.press("s")
    expect(page.get_by_role("dialog")).to_have_count(0)
    judge.press("`")
    expect(page.get_by_role("dialog", name="Why skip this pair?")).to_be_visible()
    judge.press("Escape", "?")
    with page.expect_navigation():
        page.get_by_role("button", name="All as they were").click()
    judge.ready().press("s")
    expect(page.get_by_role("dialog", name="Why skip this pair?")).to_be_visible()
