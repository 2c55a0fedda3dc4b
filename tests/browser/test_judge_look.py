"""The judge page's rarer states: accessible in both themes and widths; focus always in sight; told to those who hear it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from annotate.models import Project, User
from tests.browser.judging import CLARITY, JudgePage, image_pair, judge_project, text_pair
from tests.browser.looking import LOOKS, clean
from tests.browser.playables import cube_document, make_model, make_sound, tone
from tests.factories import make_comparison, make_member, make_pair

# What of the focused element lies under the footer, or outside of the window, in parts of it.
COVERED = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  const footer = document.querySelector("footer");
  if (!box.width || footer.contains(one)) return 0;
  const end = Math.min(footer.getBoundingClientRect().top, innerHeight);
  const inside = Math.min(box.bottom, end) - Math.max(box.top, 0);
  return 1 - Math.max(0, inside) / box.height;
}"""
NAMED = """() => {
  const { activeElement: one } = document;
  return one === document.body ? "" : `${one.tagName} ${one.id} ${one.className} ${one.textContent.slice(0, 30)}`;
}"""


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def looked(page: Page, request: pytest.FixtureRequest) -> Page:
    theme, width, height = request.param
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": height})
    return page


def opened(page: Page, project: Project, sign_in: Callable[[User], None]) -> JudgePage:
    sign_in(make_member(project))
    return JudgePage(page, project).open()


def test_a_covered_pair_and_evidence_in_texts(looked: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    text_pair(project, CLARITY, sensitive=True)
    sign_in(make_member(project))
    looked.goto(f"/judge/{project.slug}/")
    judge = JudgePage(looked, project)
    expect(looked.locator("#veil")).to_be_visible()
    clean(looked, "a covered pair")
    judge.press("v", "a")
    clean(looked, "asking for evidence")
    judge.press("a")
    looked.keyboard.type("answer")
    clean(looked, "typing words")
    judge.press("Enter")
    clean(looked, "with evidence")


def test_images_laid_over_each_other(looked: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    image_pair(project, CLARITY)
    judge = opened(looked, project, sign_in)
    expect(looked.locator("#sides .view.image img")).to_have_count(2)
    for key, name in (("w", "wipe"), ("b", "blink"), ("d", "difference")):
        judge.press(key)
        expect(looked.locator(f".together[data-manner={name}]")).to_be_visible()
        clean(looked, name)
    judge.press("d", "l", "i")
    clean(looked, "loupe and sizes")
    judge.press("l", "a", "a")
    expect(looked.get_by_role("group", name="A box on A")).to_be_focused()
    clean(looked, "a box moved by keys")


def test_spectrograms_and_points_of_models(looked: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    sounds = [make_sound(project, tone(hertz, 1)) for hertz in (440, 660)]
    make_comparison(make_pair(project, response1=sounds[0], response2=sounds[1]), CLARITY)
    judge = opened(looked, project, sign_in)
    expect(looked.locator(".view.sound .note:not(:empty)")).to_have_count(0)
    judge.press("t")
    expect(looked.locator(".spectrogram").first).to_be_visible()
    clean(looked, "spectrograms")
    models = [make_model(project, *cube_document(size), bounds=[[-9] * 3, [9] * 3]) for size in (1, 2)]
    make_comparison(make_pair(project, response1=models[0], response2=models[1]), CLARITY)
    judge.press("1")
    judge.submit()
    judge.look_again()
    expect(looked.locator(".view.model[data-drawn]:visible").first).to_be_visible(timeout=20_000)
    judge.press("a", "a")
    expect(looked.locator(".anchor-cross")).to_be_focused()
    clean(looked, "a cross on a model")


def test_offline_a_break_refused_and_revising(
    looked: Page, context: BrowserContext, sign_in, watch: Any
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED|status of (409|400)")
    project = judge_project(pairs=0)
    for _ in range(3):
        text_pair(project, CLARITY)
    looked.clock.install()
    judge = opened(looked, project, sign_in)
    context.set_offline(True)
    offline = looked.locator("#disconnected")
    expect(offline).to_contain_text("You are offline. Judge on: nothing is lost.")
    judge.press("1")
    judge.submit()
    expect(offline).to_contain_text("One answer waits on this computer")
    clean(looked, "offline")
    context.set_offline(False)
    expect(offline).to_be_hidden()
    judge.saved()
    for _ in range(51):
        looked.keyboard.press("Shift")
        looked.clock.run_for(59_000)
    expect(looked.locator("#rest")).to_be_visible()
    clean(looked, "a break is due")
    looked.route(
        "**/submit/",
        lambda route: route.fulfill(
            status=400,
            json={"error": {"code": "invalid", "detail": "This answer is not taken.", "field": ""}},
        ),
    )
    judge.press("1")
    judge.submit()
    expect(looked.locator("#notice")).to_be_visible()
    clean(looked, "refused")
    looked.get_by_role("button", name="Look at it").click()
    expect(looked.get_by_role("dialog", name="Answers that the server did not take")).to_be_visible()
    clean(looked, "what was refused")
    judge.press("Escape", ";")
    looked.locator(".past").first.click()
    expect(looked.locator("#lease")).to_contain_text("a change is kept as a revision")
    clean(looked, "revising")


def test_not_seen_logged_out_and_in_another_tab(
    looked: Page, context: BrowserContext, sign_in, watch: Any
) -> None:
    watch.allow("status of 401")
    long = "\n\n".join(f"Paragraph {n}." for n in range(80))
    project = judge_project(pairs=0, viewing="require")
    text_pair(project, CLARITY, response1=long, response2=long)
    judge = opened(looked, project, sign_in)
    judge.press("1", "Enter")
    expect(looked.get_by_role("dialog", name="Not all of it was seen")).to_be_visible()
    clean(looked, "not all of it was seen")
    judge.press("Escape")
    context.clear_cookies()
    judge.press(";")
    expect(looked.get_by_role("dialog", name="Log in to go on")).to_be_visible()
    clean(looked, "logged out")
    sign_in(project.memberships.get().user)
    looked.reload()
    judge.ready()
    other = context.new_page()
    other.goto(f"/judge/{project.slug}/")
    expect(other.locator("#blank h2")).to_have_text("This project is open in another tab")
    clean(other, "open in another tab")
    other.get_by_role("button", name="Judge here").click()
    expect(looked.locator("#blank h2")).to_have_text("You went on in another tab")
    clean(looked, "went on in another tab")


def test_the_footer_never_covers_what_has_the_focus(looked: Page, sign_in) -> None:
    project = judge_project(pairs=0, tags=["made up", "off topic"])
    criteria = [f"Criterion number {n}, of so many words that it needs a line of its own." for n in range(9)]
    text_pair(project, CLARITY, *criteria)
    judge = opened(looked, project, sign_in)
    judge.press("1", "r", "Escape")
    looked.locator("body").evaluate("() => document.activeElement.blur()")
    visited: list[str] = []
    for _ in range(80):
        judge.press("Tab")
        name = looked.evaluate(NAMED)
        if not name or (len(visited) > 3 and name == visited[0]):
            break
        visited.append(name)
        assert looked.evaluate(COVERED) < 0.2, name
    assert len(visited) > 12


def test_what_happens_is_said_and_shown(page: Page, sign_in, watch: Any) -> None:
    watch.allow("status of 409")  # a pair that is taken back is one more in hand
    project = judge_project(pairs=3)
    judge = opened(page, project, sign_in)
    said = page.locator("#announce")
    done = page.locator("#done")
    judge.press("Enter")
    expect(said).to_have_text("Judge at least one criterion, or skip the pair.")
    expect(judge.hint).to_have_text("Judge at least one criterion, or skip the pair.")
    judge.press("1", "1")
    page.wait_for_load_state("networkidle")  # the next pair is in hand
    page.clock.install()
    judge.submit()
    expect(said).to_contain_text("Submitted. Next pair.")
    expect(done).to_have_text("Submitted. UndoU")
    judge.saved()
    page.clock.run_for(7_000)
    expect(done).to_have_text("")
    judge.press("2", "8", "s")
    expect(page.get_by_role("dialog", name="Why skip this pair?")).to_be_visible()
    judge.press("Enter")
    expect(said).to_contain_text("Skipped. Next pair.")
    expect(done).to_have_text("")
    judge.press("u")
    expect(said).to_have_text("The last pair is back, with your answers.")


def test_on_a_large_screen_texts_stand_in_the_middle_of_their_panes(page: Page, sign_in) -> None:
    page.set_viewport_size({"width": 3840, "height": 2160})
    project = judge_project(pairs=0)
    text_pair(project, CLARITY, response1="A sentence of some words. " * 80, response2="Another one. " * 80)
    opened(page, project, sign_in)
    for side in "ab":
        pane, column = (
            page.locator(f"#body-{side}").bounding_box(),
            page.locator(f"#body-{side} .read").bounding_box(),
        )
        assert pane and column
        left = column["x"] - pane["x"]
        right = pane["x"] + pane["width"] - column["x"] - column["width"]
        assert left == pytest.approx(right, abs=16) and column["width"] < 1000  # a scrollbar is 15 px
    widths = {
        round(box["width"])
        for one in page.locator(".sides > .side:visible").all()
        if (box := one.bounding_box())
    }
    assert len(widths) == 1


def test_what_a_tool_says_of_its_key_is_the_key_that_was_chosen(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    sounds = [make_sound(project, tone(hertz, 1)) for hertz in (440, 660)]
    make_comparison(make_pair(project, response1=sounds[0], response2=sounds[1]), CLARITY)
    judge = opened(page, project, sign_in)
    play = page.get_by_role("button", name="Play", exact=True)
    expect(play).to_have_attribute("aria-keyshortcuts", "Space")
    expect(play.locator("kbd")).to_have_text("Space")
    judge.press("?")
    page.get_by_role("button", name="Another key for Play or pause").click()
    judge.press("`")
    with page.expect_navigation():
        judge.press("Escape")
    judge.ready()
    expect(play).to_have_attribute("aria-keyshortcuts", "`")
    expect(play.locator("kbd")).to_have_text("`")
    expect(page.locator(".view.sound .note:not(:empty)")).to_have_count(0)
    judge.press("`")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
