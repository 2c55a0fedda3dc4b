"""Evidence in each kind of response: taken by mouse and by keys alone, drawn over the panes, kept, and drawn again."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Pair
from tests.browser.judging import CLARITY, JudgePage, heads, image_pair, judge_project, text_pair
from tests.browser.playables import cube_document, make_model, make_sound, tone
from tests.factories import make_comparison, make_member, make_pair

FIRST = "See [the **first** part](https://example.org/of/the/first) of it: \U0001f600 kind and *very* clear."
SECOND = "\u7b2c\u4e8c\u4e2a\u7b54\u6848\u66f4\u6e05\u695a\u3002 It is short, too."

# Selects from the start of one word to the middle of another, over whatever markup is between.
SELECT = """([root, from, to]) => {
  const at = (word, end) => {
    const walker = document.createTreeWalker(document.querySelector(root), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const found = walker.currentNode.data.indexOf(word);
      if (found >= 0) return [walker.currentNode, found + (end ? word.length - 1 : 0)];
    }
  };
  const range = document.createRange();
  range.setStart(...at(from, false));
  range.setEnd(...at(to, true));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""
# Whether the mark on B stands so far from the middle of its model's view, in parts of the view's shorter side.
MARKED = """([across, down]) => {
  const mark = document.querySelector("#body-b .anchor-point")?.getBoundingClientRect();
  if (!mark) return false;
  const view = document.querySelector("#body-b .view.model").getBoundingClientRect();
  const part = Math.min(view.width, view.height);
  const right = (mark.x + mark.width / 2 - view.x - view.width / 2) / part;
  const below = (mark.y + mark.height / 2 - view.y - view.height / 2) / part;
  return Math.abs(right - across) < 0.01 && Math.abs(below - down) < 0.01;
}"""
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
HIGHLIGHTED = """side => [...CSS.highlights.get(`evidence-${side}`)].map(range => range.toString())"""


def stored(pair: Pair) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = heads(pair)[CLARITY].evidence["anchors"]
    return found


def places(page: Page) -> Any:
    return page.get_by_role("group", name="Evidence given").locator(".place")


def test_words_of_a_text(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    pair = text_pair(project, CLARITY, response1=FIRST, response2=SECOND)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    first, second = ("a", "b") if "kind and" in page.locator("#body-a").inner_text() else ("b", "a")
    page.evaluate(SELECT, [f"#body-{first}", "first", "very"])
    page.get_by_role("button", name="Evidence").click()
    expect(places(page)).to_have_count(1)
    judge.press("a", second)
    field = page.get_by_role("textbox", name="Words of response")
    expect(field).to_be_focused()
    page.keyboard.type("nowhere in it")
    judge.press("Enter")
    expect(page.get_by_text("Not there.")).to_be_visible()
    field.fill("\u66f4\u6e05 ")
    judge.press("Enter")
    judge.press("a", second)
    page.keyboard.type("IT is shor")
    judge.press("Enter")
    expect(places(page)).to_have_count(3)
    page.get_by_role("button", name="Remove").nth(1).click()
    judge.press("1")
    drawn = [page.evaluate(HIGHLIGHTED, side) for side in (first, second)]
    assert drawn == [["first part of it: \U0001f600 kind and very"], ["It is short"]]
    judge.submit()
    judge.saved()
    quote = FIRST[FIRST.index("first") : FIRST.index("very") + 4]
    for one, of, said in zip(stored(pair), (FIRST, SECOND), (quote, "It is short"), strict=True):
        assert (one["kind"], one["quote"], of[one["start"] : one["end"]]) == ("text", said, said)
    assert [one["response"] for one in stored(pair)] == ["response1", "response2"]
    judge.press("u")
    expect(places(page)).to_have_count(2)
    assert [page.evaluate(HIGHLIGHTED, side) for side in (first, second)] == drawn


def test_a_box_on_an_image(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    pair = image_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    image = page.locator("#body-b .view.image img").first
    expect(image).to_be_visible()
    judge.press("a")
    extent = image.bounding_box()
    assert extent
    across, down = extent["x"] + extent["width"] / 4, extent["y"] + extent["height"] / 2
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across + 5, down + 5)
    page.mouse.move(extent["x"] + extent["width"] + 30, extent["y"] + extent["height"] + 30)
    page.mouse.up()
    expect(places(page)).to_have_count(1)
    judge.press("a", "a", "ArrowRight", "Shift+ArrowDown", "Enter")
    expect(places(page)).to_have_count(2)
    judge.press("2")
    box = page.locator("#body-b .anchor-box")

    def lies_on_the_image() -> float:
        drawn, whole = box.bounding_box(), image.bounding_box()
        assert drawn and whole
        assert drawn["x"] == pytest.approx(whole["x"] + whole["width"] / 4, abs=3)
        assert drawn["y"] == pytest.approx(whole["y"] + whole["height"] / 2, abs=3)
        assert drawn["width"] == pytest.approx(whole["width"] * 0.75, abs=4)
        return drawn["width"]

    before = lies_on_the_image()
    judge.press("+", "+")
    assert lies_on_the_image() > before * 1.4
    judge.submit()
    judge.saved()
    drawn, moved = stored(pair)
    assert {drawn["response"], moved["response"]} == {"response1", "response2"}
    expected = {"x": 0.25, "y": 0.5, "width": 0.75, "height": 0.5}
    assert {name: drawn[name] for name in expected} == pytest.approx(expected, abs=0.01)
    assert (moved["x"], moved["y"], moved["width"], moved["height"]) == (0.37, 0.35, 0.3, 0.32)
    judge.press("u")
    expect(page.locator(".anchor-box")).to_have_count(2)


def test_a_stretch_of_a_sound(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    sounds = [make_sound(project, tone(hertz, 3)) for hertz in (500, 900)]
    pair = make_pair(project, response1=sounds[0], response2=sounds[1], task_type="text_to_audio")
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator(".view.sound .note:not(:empty)")).to_have_count(0)
    judge.press("ArrowRight", "a", "b")
    expect(page.get_by_role("group", name="Evidence")).to_contain_text("From 0:01")
    judge.press("ArrowRight", "b")
    expect(places(page)).to_have_text(["B 0:01.00\u20130:02.00\u00d7"])
    expect(page.locator("#body-b .anchor-range")).to_be_visible()
    mark = page.locator("#body-b .anchor-range").bounding_box()
    wave = page.locator("#body-b .view.sound canvas").bounding_box()
    assert mark and wave
    assert mark["x"] == pytest.approx(wave["x"] + wave["width"] / 3, abs=1)
    assert mark["width"] == pytest.approx(wave["width"] / 3, abs=1)
    judge.press("Home")
    places(page).get_by_role("button").first.click()  # goes there
    expect(page.locator("#tools")).to_contain_text("0:01.00")
    judge.press("2")
    judge.submit()
    judge.saved()
    (range_,) = stored(pair)
    assert (range_["kind"], range_["start"], range_["end"]) == ("time", 1.0, 2.0)


def test_a_point_of_a_model(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, task_type="text_to_3D")
    bounds = [[-20.0] * 3, [20.0] * 3]
    models = [
        make_model(project, *cube_document(size, (0.1, n, 0.1)), bounds=bounds)
        for n, size in enumerate((20, 10))
    ]
    pair = make_pair(project, response1=models[0], response2=models[1], task_type="text_to_3D")
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    views = [page.locator(f"#body-{side} .view.model") for side in "ab"]
    for view in views:
        expect(view).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=20_000)
    judge.press("c", "a")  # from the front
    expect(page.get_by_role("group", name="Evidence")).to_contain_text("Click a point of a model")
    box = views[1].bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(box["x"] + 5, box["y"] + 5)  # beside the model: nothing is taken
    expect(page.locator("#announce")).to_have_text("Nothing of the model is there.")
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 40, middle[1], steps=3)  # turns it
    page.mouse.up()
    expect(places(page)).to_have_count(0)
    judge.press("c")
    page.mouse.click(middle[0] + 20, middle[1] - 10)
    expect(places(page)).to_have_count(1)
    # The panes give room to what the dock tells: the mark stands as far from the middle as the model shrank.
    page.wait_for_function(
        MARKED, arg=[20 / min(box["width"], box["height"]), -10 / min(box["width"], box["height"])]
    )
    judge.press("a", "a")  # by keys: a cross on A, the model turned under it
    expect(page.get_by_role("group", name="A cross on A")).to_be_focused()
    judge.press("c", "Enter")
    expect(places(page)).to_have_count(2)
    page.evaluate(FRAMES)
    camera = views[0].get_attribute("data-camera")
    judge.press("ArrowLeft", "ArrowUp", "+")
    expect(views[0]).not_to_have_attribute("data-camera", camera or "")
    places(page).get_by_role("button").nth(2).click()  # looks as it was taken
    expect(views[0]).to_have_attribute("data-camera", camera or "")
    judge.press("2")
    judge.submit()
    judge.saved()
    by_response = {one["response"]: one for one in stored(pair)}
    half = {"response1": 20, "response2": 10}
    for response, one in by_response.items():
        assert one["kind"] == "point" and set(one["camera"]) == {"turn", "lift", "away", "x", "y", "z"}
        assert max(abs(one[axis]) for axis in "xyz") == pytest.approx(half[response], rel=1e-4)
    assert len(by_response) == 2
    judge.press("u")
    expect(page.locator(".anchor-point")).to_have_count(2)
