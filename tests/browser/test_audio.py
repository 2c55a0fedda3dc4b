"""Two sounds on one clock: what is heard, where it is, and how loud, told by what comes out."""

import itertools
import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from annotate.models import Asset, Project
from tests.browser.judging import JudgePage, judge_project, opened_pair
from tests.browser.playables import make_sound, tone

# Listens at the loudspeaker: `heard()` is how loud the last 20 ms were and the pitch that is strongest now.
LISTEN = """() => {
  const connect = AudioNode.prototype.connect;
  const start = AudioBufferSourceNode.prototype.start;
  window.starts = [];
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && this.context instanceof AudioContext) {
      const context = this.context;
      if (!context.ear) {
        context.ear = context.createAnalyser();
        context.ear.fftSize = 1024;
        context.ear.smoothingTimeConstant = 0;
        window.ear = context.ear;
      }
      connect.call(this, context.ear);
    }
    return connect.call(this, target, ...rest);
  };
  AudioBufferSourceNode.prototype.start = function (...when) {
    window.starts.push(when);
    return start.apply(this, when);
  };
  window.heard = () => {
    const samples = new Float32Array(ear.fftSize), strengths = new Float32Array(ear.frequencyBinCount);
    ear.getFloatTimeDomainData(samples);
    ear.getFloatFrequencyData(strengths);
    const level = Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
    const hertz = strengths.indexOf(Math.max(...strengths)) * ear.context.sampleRate / ear.fftSize;
    return [level, hertz];
  };
}"""

LOW, HIGH = 500.0, 2000.0


@pytest.fixture
def project(page: Page) -> Project:
    page.add_init_script(f"({LISTEN})()")
    return judge_project(pairs=0, task_type="text_to_audio")


def opened(page: Page, project: Project, sign_in, first: Asset, second: Asset) -> JudgePage:
    judge = opened_pair(page, project, sign_in, first, second, task_type="text_to_audio")
    expect(page.locator(".view.sound .note:not(:empty)")).to_have_count(0)
    return judge


def two(project: Project, seconds: float = 4, **fields) -> tuple[Asset, Asset]:
    """A low tone and a high one."""
    return make_sound(project, tone(LOW, seconds), **fields), make_sound(
        project, tone(HIGH, seconds), **fields
    )


def views(page: Page) -> list[Locator]:
    return [page.locator(f"#body-{side} .view.sound") for side in "ab"]


def position(page: Page) -> float:
    return float(page.get_by_role("slider", name="Position").input_value())


def pitch(page: Page) -> float:
    hertz: float = page.evaluate("() => heard()[1]")
    return LOW if abs(hertz - LOW) < 100 else HIGH if abs(hertz - HIGH) < 100 else hertz


def test_nothing_sounds_by_itself(page: Page, project: Project, sign_in) -> None:
    opened(page, project, sign_in, *two(project))
    page.wait_for_timeout(200)
    assert page.evaluate("() => [typeof ear, starts.length]") == ["undefined", 0]
    assert position(page) == 0


def test_one_key_changes_over_at_the_same_place_without_a_gap(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))
    judge.press(" ")
    page.wait_for_timeout(600)
    before = pitch(page)
    assert before in (LOW, HIGH)
    starts = page.evaluate("() => starts")
    assert len(starts) == 2 and starts[0] == starts[1], "both run, from one sample of one clock"
    # Listened to all through the change: never silent, and the clock goes on as if nothing had happened.
    found = page.evaluate(
        """() => new Promise(resolve => {
          const track = document.querySelector("#tools .track"), levels = [];
          const from = { time: Number(track.value), now: ear.context.currentTime };
          const timer = setInterval(() => levels.push(heard()[0]), 2);
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "h", bubbles: true }));
          setTimeout(() => {
            clearInterval(timer);
            resolve([Math.min(...levels), Number(track.value) - from.time, ear.context.currentTime - from.now]);
          }, 500);
        })"""
    )
    softest, moved, passed = found
    assert softest > 0.2, "a tone of 0.35 with no hole in it"
    assert moved == pytest.approx(passed, abs=0.04)
    assert pitch(page) == ({LOW, HIGH} - {before}).pop()
    assert page.evaluate("() => starts.length") == 2, "nothing was started anew"
    assert [view.get_attribute("data-heard") for view in views(page)] == ["false", "true"]
    expect(page.get_by_role("button", name="Hear: B")).to_be_visible()


def test_the_louder_one_is_turned_down_until_one_wants_it_as_it_is(
    page: Page, project: Project, sign_in
) -> None:
    soft = make_sound(project, tone(LOW, 4, 0.2), loudness=-20.0)
    loud = make_sound(project, tone(LOW, 4, 0.4), loudness=-14.0)
    judge = opened(page, project, sign_in, soft, loud)

    def gains() -> list[float]:
        return sorted(float(view.get_attribute("data-gain") or -1) for view in views(page))

    def levels() -> list[float]:
        found = []
        for _ in range(2):
            page.wait_for_timeout(150)
            found.append(page.evaluate("() => heard()[0]"))
            judge.press("h")
        return sorted(found)

    assert gains() == pytest.approx([10 ** (-6 / 20), 1])
    judge.press(" ")
    page.wait_for_timeout(300)
    same = levels()
    assert same[1] / same[0] == pytest.approx(1, abs=0.03)
    expect(page.get_by_role("button", name="Loudness matched")).to_have_attribute("aria-pressed", "true")
    judge.press("q")
    expect(page.get_by_role("button", name="Loudness as it is")).to_have_attribute("aria-pressed", "false")
    assert gains() == [1, 1]
    apart = levels()
    assert apart[1] / apart[0] == pytest.approx(2, rel=0.05)


def test_silence_has_no_loudness_to_match(page: Page, project: Project, sign_in) -> None:
    silent = make_sound(project, tone(LOW, 1, 0), loudness=None)
    opened(page, project, sign_in, silent, make_sound(project, tone(LOW, 1)))
    expect(page.get_by_role("button", name="Loudness unknown")).to_be_disabled()
    assert [view.get_attribute("data-gain") for view in views(page)] == ["1", "1"]


def test_seeking_by_waveform_and_keys(page: Page, project: Project, sign_in) -> None:
    judge = opened(
        page, project, sign_in, make_sound(project, tone(LOW, 4)), make_sound(project, tone(HIGH, 2))
    )
    wave = page.locator("#body-b .wave canvas")
    box = wave.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert position(page) == pytest.approx(3, abs=0.02)
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 10, steps=4)
    page.mouse.up()
    assert position(page) == pytest.approx(2, abs=0.02)
    judge.press("ArrowRight")
    assert position(page) == pytest.approx(3, abs=0.02)
    judge.press("Home")
    assert position(page) == 0
    judge.press(" ")
    page.wait_for_timeout(300)
    judge.press("ArrowRight", "ArrowRight")
    page.wait_for_timeout(200)
    judge.press(" ")
    assert 2.3 < position(page) < 3.2


def test_a_marked_range_repeats(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))
    track = page.get_by_role("slider", name="Position")
    track.fill("1")
    judge.press("i")
    track.fill("1.4")
    judge.press("o", " ")
    page.wait_for_timeout(100)
    seen = page.evaluate(
        """() => new Promise(resolve => {
          const track = document.querySelector("#tools .track"), seen = [];
          const timer = setInterval(() => seen.push([Number(track.value), heard()[0]]), 15);
          setTimeout(() => { clearInterval(timer); resolve(seen); }, 1500);
        })"""
    )
    places = [place for place, _ in seen]
    assert min(places) >= 1 and max(places) <= 1.4
    assert sum(later < before for before, later in itertools.pairwise(places)) >= 3
    assert min(level for _, level in seen[10:]) > 0.2, "it repeats without a gap"


def test_it_ends_and_begins_again(page: Page, project: Project, sign_in) -> None:
    judge = opened(
        page, project, sign_in, make_sound(project, tone(LOW, 0.6)), make_sound(project, tone(HIGH, 0.4))
    )
    judge.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    assert position(page) == pytest.approx(0.6, abs=0.01)
    judge.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert position(page) < 0.5


def test_long_sounds_play_undecoded_and_in_step(page: Page, project: Project, sign_in) -> None:
    page.add_init_script(
        "window.elements = []; const Made = Audio; window.Audio = function (url) { const one = new Made(url); elements.push(one); return one; }"
    )
    judge = opened(page, project, sign_in, *two(project, seconds=301))
    page.wait_for_function("() => elements.length === 2 && elements.every(one => one.readyState >= 3)")
    expect(page.get_by_role("button", name="Spectrogram: only up to 5 min")).to_be_disabled()
    page.get_by_role("slider", name="Position").fill("200")
    judge.press(" ")
    page.wait_for_timeout(1500)
    state = "() => elements.map(one => [one.currentTime, one.muted, one.volume])"
    (first, muted, _), (second, other_muted, _) = page.evaluate(state)
    assert 200.5 < first < 203 and abs(first - second) < 0.04
    assert (muted, other_muted) == (False, True)
    judge.press("h")
    assert [one[1] for one in page.evaluate(state)] == [True, False]
    assert page.evaluate("() => starts.length") == 0


def test_a_phone_shows_both_waveforms(page: Page, project: Project, sign_in) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, project, sign_in, *two(project))
    for view in views(page):
        expect(view).to_be_visible()
    expect(page.locator("#flip")).to_be_hidden()


def test_a_sound_that_does_not_load_says_so(page: Page, project: Project, sign_in, watch) -> None:
    watch.allow("404")
    first, second = two(project, seconds=1)
    second.derivatives.get(kind="web").delete()
    opened_pair(page, project, sign_in, first, second, task_type="text_to_audio")
    expect(page.get_by_text("This sound did not load.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Try again"))).to_be_visible()


@pytest.mark.parametrize("seconds", [12, 301])
def test_a_sound_that_breaks_off_says_so_and_goes_on_where_it_was(
    page: Page, project: Project, sign_in, watch, seconds: float
) -> None:
    """A long one, or a short one at another speed: both are fetched as they play."""
    watch.allow("404")
    gone: list[str] = []

    def answer(route: Route) -> None:
        if gone:
            route.fulfill(status=404)
        else:
            route.continue_()

    page.route("**/media/*/*/web", answer)
    judge = opened(page, project, sign_in, *two(project, seconds=seconds))
    gone.append("from now on")
    if seconds == 301:
        page.get_by_role("slider", name="Position").fill("250")  # far beyond what is fetched ahead
    else:
        page.get_by_role("button", name="Faster").click()
    expect(page.get_by_text("This sound did not load.")).to_have_count(2)
    gone.clear()
    for _ in "ab":
        page.get_by_role("button", name=re.compile("Try again")).first.click()
    expect(page.locator(".failed")).to_have_count(0)
    expect(page.locator(".view.sound .note:not(:empty)")).to_have_count(0)
    before = position(page)
    if seconds == 301:
        assert before == pytest.approx(250, abs=0.1)
    judge.press(" ")
    page.wait_for_function(
        "before => Number(document.querySelector('#tools .track').value) > before + 0.3", arg=before
    )
    assert position(page) < before + 20


def test_other_speeds_go_on_from_the_same_place(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project, seconds=12))

    def pace() -> float:
        """Seconds of sound a second."""
        moved: float = page.evaluate(
            """() => new Promise(resolve => {
              const track = document.querySelector("#tools .track"), now = performance.now(), at = Number(track.value);
              setTimeout(() => resolve((Number(track.value) - at) / (performance.now() - now) * 1000), 600);
            })"""
        )
        return moved

    judge.press(" ")
    page.wait_for_function("() => Number(document.querySelector('#tools .track').value) > 0.4")
    before = position(page)
    judge.press(">")
    expect(page.get_by_role("status", name="Speed")).to_have_text("1.5\u00d7")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function(f"() => Number(document.querySelector('#tools .track').value) > {before} + 0.3")
    assert pace() == pytest.approx(1.5, abs=0.3)
    judge.press("<", "<", "<")
    page.wait_for_timeout(200)
    assert pace() == pytest.approx(0.5, abs=0.2)
    started = page.evaluate("() => starts.length")
    judge.press(">", ">")
    page.wait_for_function(f"() => starts.length === {started} + 2")  # the samples sound again, both sides
    assert before < position(page) < before + 6
    assert pace() == pytest.approx(1, abs=0.2)
    assert pitch(page) in (LOW, HIGH)


def test_a_spectrogram_shows_the_pitch_of_either_side(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))
    expect(page.locator(".spectrogram")).to_have_count(0)
    judge.press("t")
    found = []
    for side in views(page):
        canvas = side.locator(".spectrogram canvas")
        row = """canvas => {
          const { width, height } = canvas, paint = canvas.getContext("2d");
          const { data } = paint.getImageData(width >> 1, 0, 1, height);
          const dark = [...Array(height).keys()].map(row => data[4 * row + 3]);
          return Math.max(...dark) ? height - 1 - dark.indexOf(Math.max(...dark)) : null;
        }"""
        expect(canvas).to_have_js_property("height", 128)
        found.append(60 * (16000 / 60) ** (canvas.evaluate(row) / 128))
        expect(side.locator(".wave")).to_be_hidden()
    assert sorted(found) == pytest.approx([LOW, HIGH], rel=0.06)
    box = views(page)[0].locator(".spectrogram").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    assert position(page) == pytest.approx(2, abs=0.05)
    judge.press("t")
    expect(page.locator(".spectrogram")).to_have_count(0)
    expect(page.locator(".wave").first).to_be_visible()
