"""A sensitive pair: till one asks, nothing of it is seen, heard or judged; then it is silent until one asks again."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Claim, Judgment, Modality, Pair, Project
from tests.browser.judging import CLARITY, JudgePage, judge_project, make_image, picture, text_pair
from tests.browser.playables import make_sound, make_video, tone
from tests.factories import make_comparison, make_member, make_pair

# How many media play, and how many can be heard. Sounds that lie in memory are played by no element: see `heard`.
PLAYS = "() => [...document.querySelectorAll('video')].filter(one => !one.paused).length"
HEARS = "() => [...document.querySelectorAll('video')].filter(one => !one.muted).length"
READY = "() => [...document.querySelectorAll('video')].every(one => one.readyState >= 3)"

# Counts what a page starts to play in memory, before any of it does.
COUNTED = """() => {
  window.started = 0;
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...at) { window.started += 1; return start.apply(this, at); };
}"""


def videos(project: Project) -> dict[str, Any]:
    return {f"response{n}": make_video(project, frames=30 * n, sound=tone(440 * n, n)) for n in (1, 2)}


def sounds(project: Project) -> dict[str, Any]:
    return {f"response{n}": make_sound(project, tone(440 * n, 2)) for n in (1, 2)}


def two_kinds(project: Project) -> dict[str, Any]:
    return {
        "response1": make_sound(project, tone(440, 2)),
        "response2": make_video(project, sound=tone(440, 2)),
    }


def asked_of_media(project: Project) -> dict[str, Any]:
    media = [make_image(project, picture((200, 30, 30))), make_video(project, sound=tone(440, 2))]
    return {"media": media, "response1": "One.", "response2": "Another."}


def opened(page: Page, project: Project, sign_in, made: Callable[[Project], dict[str, Any]]) -> JudgePage:
    pair = make_pair(project, sensitive=True, **made(project))
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    page.add_init_script(f"({COUNTED})()")
    page.goto(f"/judge/{project.slug}/")
    expect(page.locator("#veil")).to_be_visible()
    return JudgePage(page, project)


@pytest.fixture
def project() -> Project:
    return judge_project(pairs=0)


@pytest.mark.parametrize("made", [videos, sounds, two_kinds, asked_of_media])
def test_under_the_veil_no_key_and_no_click_plays_shows_or_judges(
    page: Page, project: Project, sign_in, made: Any
) -> None:
    judge = opened(page, project, sign_in, made)
    page.wait_for_function(READY)
    for hidden in ("#tools button", "#dock button", "#prompt .media img", "#prompt .media video"):
        for one in page.locator(hidden).all():
            expect(one).to_be_hidden()
    judge.press(" ", "h", "1", "i", "o", "l", "m", "Enter", "y", "p", "p", "Tab", " ")
    expect(judge.hint).to_contain_text("V shows it, S skips it")
    expect(page.locator("#veil")).to_be_visible()
    expect(page.locator("#submit")).to_be_disabled()
    expect(page.locator("#judged")).to_have_text("0 of 1 judged")
    for place in ("#sides", "#prompt"):
        box = page.locator(place).bounding_box()
        assert box
        page.mouse.click(box["x"] + box["width"] - 60, box["y"] + box["height"] - 20)
    judge.press("Space")
    assert (page.evaluate(PLAYS), page.evaluate(HEARS), page.evaluate("() => started")) == (0, 0, 0)
    assert not Judgment.objects.exists()


@pytest.mark.parametrize("by_mouse", [True, False], ids=["mouse", "keys"])
@pytest.mark.parametrize("made", [videos, sounds, asked_of_media])
def test_one_act_uncovers_all_of_it_and_it_plays_silently_until_one_asks_to_hear(
    page: Page, project: Project, sign_in, made: Any, by_mouse: bool
) -> None:
    judge = opened(page, project, sign_in, made)

    def act(name: str, key: str) -> None:
        button = page.get_by_role("button", name=name).first
        if by_mouse:
            button.click()
        else:
            expect(button).to_be_visible()
            judge.press(key)

    act("Show it", "v")
    expect(page.locator("#veil")).to_be_hidden()
    expect(page.locator("#dock .scale")).to_be_visible()
    if made is asked_of_media:
        expect(page.locator("#prompt .media img").first).to_be_visible()
    else:
        expect(page.locator("#tools")).to_be_visible()
    page.wait_for_function(READY)
    expect(page.locator(".note:not(:empty)")).to_have_count(0)
    if (
        made is asked_of_media and not by_mouse
    ):  # the image's keys go first; the video's act where the focus is
        page.get_by_role("group", name="Prompt: video").get_by_label("Position").focus()
    act("Play", "Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    if made is sounds:
        assert [view.get_attribute("data-heard") for view in page.locator(".view.sound").all()] == [
            "false"
        ] * 2
    assert page.evaluate(HEARS) == 0
    act("Sound", "h")
    if made is sounds:
        expect(page.locator(".view.sound[data-heard=true]")).to_have_count(1)
    else:
        page.wait_for_function(f"() => ({HEARS})() === 1")


def test_a_covered_pair_is_skipped_as_any_other(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, videos)
    text_pair(project, CLARITY)
    judge.press("s", "3", "Enter")
    judge.ready()
    expect(page.locator("#veil")).to_be_hidden()  # the next one is not covered
    judge.saved()
    skipped = Claim.objects.get(outcome="skipped")
    asset = skipped.pair.response1.asset
    assert asset and asset.modality == Modality.VIDEO and not Judgment.objects.exists()
    judge.press("1")  # and its keys act
    expect(page.locator("#judged")).to_have_text("1 of 1 judged")


def test_a_pair_that_comes_back_is_covered_again(page: Page, project: Project, sign_in) -> None:
    pair: Pair = text_pair(project, CLARITY, sensitive=True)
    sign_in(make_member(project))
    page.goto(f"/judge/{project.slug}/")
    judge = JudgePage(page, project)
    expect(page.locator("#veil")).to_be_visible()
    judge.press("v", "1")
    judge.submit()
    judge.saved()
    judge.press("u")
    expect(page.locator("#veil")).to_be_visible()
    judge.press("2", "Enter")
    expect(judge.hint).to_contain_text("covered")
    judge.press("v")
    expect(page.locator("#body-a")).to_contain_text("answer")
    expect(page.locator("#judged")).to_have_text("1 of 1 judged")
    assert Judgment.objects.filter(comparison__pair=pair).count() == 2  # the verdict and its retraction
