"""Two videos on one clock: what one does to it happens to both, on the same frame."""

import itertools
import re
from fractions import Fraction
from statistics import median
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from annotate.models import Asset, Project
from tests.browser.judging import CLARITY, JudgePage, judge_project, opened_pair
from tests.browser.playables import GREY_STEP, make_video, tone
from tests.factories import make_comparison, make_member, make_pair

# The frame that is on screen, told by its grey.
FRAME = """([video, step]) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 1, 1);
  return Math.round((context.getImageData(0, 0, 1, 1).data[0] - 16) / step);
}"""

# How far the two are apart at each frame of the screen, for as long as asked.
APART = """([first, second, seconds]) => new Promise(resolve => {
  const found = [];
  const until = performance.now() + seconds * 1000;
  const look = () => {
    found.push(Math.abs(first.currentTime - second.currentTime));
    if (performance.now() < until) requestAnimationFrame(look);
    else resolve(found);
  };
  look();
})"""


def pair_of_videos(project: Project) -> None:
    pair = make_pair(
        project,
        response1=make_video(project),
        response2=make_video(project, size=(128, 96)),
        task_type="text_to_video",
    )
    make_comparison(pair, CLARITY)


@pytest.fixture
def project() -> Project:
    return judge_project(pairs=0, task_type="text_to_video")


def opened(page: Page, project: Project, sign_in, first: Asset, second: Asset) -> JudgePage:
    """A pair of videos that never stands flipped: the first is side A."""
    judge = opened_pair(page, project, sign_in, first, second, task_type="text_to_video")
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.readyState >= 3)")
    return judge


def videos(page: Page) -> list[Locator]:
    return [page.locator(f"#body-{side} video") for side in "ab"]


def times(page: Page) -> list[float]:
    return [video.evaluate("video => video.currentTime") for video in videos(page)]


def settled(page: Page) -> None:
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.paused && !v.seeking)")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def frames(page: Page) -> list[int]:
    settled(page)
    return [video.evaluate(f"video => ({FRAME})([video, {GREY_STEP}])") for video in videos(page)]


def test_nothing_plays_by_itself_and_one_key_plays_both(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, make_video(project), make_video(project, size=(128, 96)))
    assert times(page) == [0, 0]
    expect(page.locator("video").first).to_have_attribute("poster", re.compile(r"/media/[^/]+/a/poster$"))
    judge.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.currentTime > 0.3)")
    judge.press(" ")
    settled(page)
    first, second = times(page)
    assert first == second > 0.3


def test_a_seek_moves_both(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, make_video(project), make_video(project, size=(128, 96)))
    page.get_by_role("slider", name="Position").fill("1.51")
    assert frames(page) == [45, 45]
    judge.press("ArrowLeft")
    assert frames(page) == [15, 15]
    judge.press("Home")
    assert frames(page) == [0, 0]


def test_a_step_lands_on_the_next_frame_of_either_side(page: Page, project: Project, sign_in) -> None:
    """At 30 and 24 frames a second: each press shows the next picture that changes, and both the right one."""
    rates = Fraction(30), Fraction(24)
    judge = opened(page, project, sign_in, *(make_video(project, frames=40, fps=rate) for rate in rates))
    moments = sorted({Fraction(n) / rate for rate in rates for n in range(40)})

    shown_first = page.locator("#body-a h2, #body-a video").last
    flipped = shown_first.evaluate("video => video.duration") > 1.5  # the slower one lasts longer
    order = rates[::-1] if flipped else rates

    def expected(moment: Fraction) -> list[int]:
        return [int(moment * rate) for rate in order]

    for moment in moments[1:9]:
        judge.press(".")
        assert frames(page) == expected(moment), f"at {float(moment):.4f}"
        shown = [view.get_attribute("data-time") for view in page.locator(".view.video").all()]
        ideal = [float(int(moment * rate) / rate) for rate in order]
        assert [float(time or -1) for time in shown] == pytest.approx(ideal, abs=1e-4)
    for moment in moments[7:3:-1]:
        judge.press(",")
        assert frames(page) == expected(moment), f"back at {float(moment):.4f}"


def test_they_keep_in_step_while_they_play(page: Page, project: Project, sign_in) -> None:
    first = make_video(project, frames=300, sound=tone(440, 10))
    judge = opened(page, project, sign_in, first, make_video(project, frames=250, fps=Fraction(25)))
    judge.press(" ")
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.currentTime > 0.8)")
    handles = [video.element_handle() for video in videos(page)]
    # The half of the time, since a busy machine drops frames; bench/page measures the drift of a minute.
    apart = page.evaluate(APART, [*handles, 3])
    assert median(apart) < 1 / 30
    # Thrown out of step, they come back by themselves.
    page.evaluate("([, video]) => { video.currentTime += 0.15 }", handles)
    page.wait_for_function(
        """([one, other]) => {
          window.inStep = Math.abs(one.currentTime - other.currentTime) < 1 / 30 ? (window.inStep ?? 0) + 1 : 0;
          return window.inStep > 15; // looks in a row
        }""",
        arg=handles,
    )
    assert not any(video.evaluate("video => video.paused || video.ended") for video in videos(page))


def test_the_shorter_one_holds_its_last_frame(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, make_video(project, frames=15), make_video(project, frames=45))
    for _ in range(2):
        judge.press("ArrowRight")
    page.get_by_role("slider", name="Position").fill("1")
    lengths = [video.evaluate("video => video.duration") for video in videos(page)]
    short = lengths.index(min(lengths))
    held, on = frames(page)[short], frames(page)[1 - short]
    assert (held, on) == (14, 30)
    notes = page.locator(".view.video .note")
    expect(notes.nth(short)).to_have_text("Over: holds its last frame")
    expect(notes.nth(1 - short)).to_have_text("")
    judge.press("Home", " ")
    page.wait_for_function("() => [...document.querySelectorAll('video')].some(v => v.currentTime > 1.2)")
    expect(notes.nth(short)).to_have_text("Over: holds its last frame")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # and both are over
    expect(page.get_by_role("status", name="Time")).to_have_text("0:01.50")


def test_one_key_says_whose_sound_is_heard(page: Page, project: Project, sign_in) -> None:
    first = make_video(project, sound=tone(440, 2))
    judge = opened(page, project, sign_in, first, make_video(project, sound=tone(880, 2)))
    button = page.get_by_role("button", name=re.compile("^Sound: "))
    for heard, muted in (
        ("A", [False, True]),
        ("B", [True, False]),
        ("none", [True, True]),
        ("A", [False, True]),
    ):
        expect(button).to_have_text(re.compile(f"^Sound: {heard}"))
        assert [video.evaluate("video => video.muted") for video in videos(page)] == muted
        judge.press("h")


def test_videos_without_sound_say_so(page: Page, project: Project, sign_in) -> None:
    opened(page, project, sign_in, make_video(project), make_video(project, size=(128, 96)))
    expect(page.get_by_role("button", name="No sound")).to_be_disabled()


def test_a_marked_range_repeats(page: Page, project: Project, sign_in) -> None:
    judge = opened(
        page, project, sign_in, make_video(project, frames=90), make_video(project, frames=90, size=(128, 96))
    )
    track = page.get_by_role("slider", name="Position")
    track.fill("1")
    judge.press("i")
    track.fill("1.5")
    judge.press("o")
    expect(page.get_by_role("button", name="Loop", exact=True)).to_have_attribute("aria-pressed", "true")
    judge.press(" ")
    page.wait_for_timeout(200)
    seen = page.evaluate(
        """() => new Promise(resolve => {
          const video = document.querySelector("video"), seen = [];
          const timer = setInterval(() => seen.push(video.currentTime), 20);
          setTimeout(() => { clearInterval(timer); resolve(seen); }, 1800);
        })"""
    )
    assert min(seen) >= 0.99 and max(seen) < 1.6
    assert sum(later < before for before, later in itertools.pairwise(seen)) >= 2
    judge.press("l", " ")
    expect(page.get_by_role("button", name="Loop", exact=True)).to_have_attribute("aria-pressed", "false")


def test_speeds_count_for_both(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, make_video(project), make_video(project, size=(128, 96)))
    judge.press("<", "<")
    expect(page.get_by_role("status", name="Speed")).to_have_text("0.5\u00d7")
    assert [video.evaluate("video => video.playbackRate") for video in videos(page)] == [0.5, 0.5]
    page.get_by_role("button", name="Faster").click(click_count=1)
    expect(page.get_by_role("status", name="Speed")).to_have_text("0.75\u00d7")


def test_when_one_waits_for_data_both_do(page: Page, project: Project, sign_in) -> None:
    waiting: list[Route] = []
    page.route("**/media/*/b/web", lambda route: waiting.append(route))
    pair_of_videos(project)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    page.wait_for_function("() => document.querySelector('#body-a video').readyState >= 3")
    judge.press(" ")
    expect(page.locator("#tools")).to_contain_text("Waits for B")
    assert videos(page)[0].evaluate("video => video.paused && video.currentTime < 0.01")
    for route in waiting:
        route.continue_()
    page.unroute("**/media/*/b/web")
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.currentTime > 0.3)")
    expect(page.locator("#tools")).not_to_contain_text("Waits")


def test_a_video_that_does_not_load_says_so(page: Page, project: Project, sign_in, watch) -> None:
    watch.allow("404")
    missing = make_video(project, size=(128, 96))
    missing.derivatives.get(kind="web").delete()
    pair = make_pair(project, response1=make_video(project), response2=missing, task_type="text_to_video")
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    JudgePage(page, project).open()
    expect(page.get_by_text("This video did not load.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_the_next_pair_is_fetched_while_this_one_is_judged(page: Page, project: Project, sign_in) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(2):
        pair_of_videos(project)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    shown = page.locator("#body-a video").get_attribute("src")

    def players() -> set[str]:
        return {urlsplit(url).path for url in asked if re.search("/media/[^/]+/[ab]/web$", url)}

    while len(players()) < 4:  # of two pairs; fails by the test's own time
        page.wait_for_timeout(50)
    before = len([url for url in asked if url.endswith("/web")])
    judge.press("1", "Enter")
    page.wait_for_function(
        "shown => document.querySelector('#body-a video')?.getAttribute('src') !== shown", arg=shown
    )
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.readyState >= 3)")
    assert len([url for url in asked if url.endswith("/web")]) == before, "what was fetched is what is shown"
