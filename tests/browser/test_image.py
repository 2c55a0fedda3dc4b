"""Two images with one zoom: side by side, laid over each other, under the loupe, and as large as each other."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from annotate.models import Project
from tests.browser.judging import CLARITY, JudgePage, judge_project, make_image, picture
from tests.factories import make_comparison, make_member, make_pair

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 60), (90, 90, 200)


@pytest.fixture
def project() -> Project:
    return judge_project(pairs=0, task_type="text_to_image")


def opened(page: Page, project: Project, sign_in, *, source: bool = False) -> JudgePage:
    """Red is of 320 x 240 pixels, green of twice as many either way."""
    red, green = make_image(project, picture(RED)), make_image(project, picture(GREEN, (640, 480)))
    media = [make_image(project, picture(BLUE))] if source else []
    pair = make_pair(project, response1=red, response2=green, media=media, task_type="text_to_image")
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#sides .view.image")).to_have_count(3 if source else 2)
    return judge


def blinking(*colours: tuple[int, int, int], milliseconds: int = 200) -> bytes:
    """A WebP that shows one colour after the other."""
    first, *others = (Image.new("RGB", (320, 240), colour) for colour in colours)
    out = io.BytesIO()
    first.save(out, "WEBP", save_all=True, append_images=others, duration=milliseconds, loop=0, lossless=True)
    return out.getvalue()


def sides(page: Page) -> list[Locator]:
    return [page.locator(f"#body-{side} .view.image") for side in "ab"]


def drawn(view: Locator) -> tuple[float, float, float, float]:
    """Where the image stands in its view, and how large."""
    box, room = view.locator("> .layer > img").bounding_box(), view.bounding_box()
    assert box and room
    return (box["x"] - room["x"], box["y"] - room["y"], box["width"], box["height"])


def colour(page: Page, x: float) -> str:
    """What is seen at a part of the width of both sides, at half their height."""
    box = page.locator("#sides .together").bounding_box()
    assert box
    shot = page.screenshot(
        clip={"x": box["x"] + x * box["width"], "y": box["y"] + box["height"] * 0.3, "width": 1, "height": 1}
    )

    red, green, blue = Image.open(io.BytesIO(shot)).convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    names = {"red": RED, "green": GREEN, "blue": BLUE, "black": (0, 0, 0)}
    return min(
        names,
        key=lambda name: sum((a - b) ** 2 for a, b in zip(names[name], (red, green, blue), strict=True)),
    )


def shown(page: Page, side: str) -> str:
    """Which of the two colours a side shows."""
    image = page.locator(f"#body-{side} .view.image > .layer > img")
    return "red" if image.evaluate("image => image.naturalWidth") == 320 else "green"


def test_both_are_as_large_as_each_other_at_every_zoom(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in)
    bar = page.get_by_role("toolbar", name="Both sides")
    first, second = map(drawn, sides(page))
    assert first == pytest.approx(second, abs=0.6)
    judge.press("z")
    expect(bar.get_by_role("status")).to_have_text("100%, linked")
    first, second = map(drawn, sides(page))
    assert first == pytest.approx(second, abs=0.6) and first[2] == pytest.approx(640, abs=0.6)
    # What can be dragged can be pressed.
    places = [first[:2]]
    for name in ("Move right", "Move down", "Move left", "Move up"):
        bar.get_by_role("button", name=name).click()
        assert drawn(sides(page)[0]) == pytest.approx(drawn(sides(page)[1]), abs=0.6)
        places.append(drawn(sides(page)[0])[:2])
    assert len({(round(x), round(y)) for x, y in places}) == 4 and places[0] == pytest.approx(
        places[4], abs=1
    )
    # True sizes are told when one asks, and only then.
    notes = page.locator(".view.image .note")
    expect(notes).to_have_text(["", ""])
    judge.press("i")
    expect(notes.filter(has_text="320 \u00d7 240 pixels, shown at 200%")).to_have_count(1)
    expect(notes.filter(has_text="640 \u00d7 480 pixels, shown at 100%")).to_have_count(1)


def test_one_over_the_other(page: Page, project: Project, sign_in) -> None:
    page.emulate_media(reduced_motion="reduce")
    judge = opened(page, project, sign_in)
    a, b = shown(page, "a"), shown(page, "b")
    over = page.locator("#sides .together")
    expect(over).to_be_hidden()
    judge.press("w")
    expect(over).to_be_visible()
    assert [colour(page, x) for x in (0.45, 0.55)] == [a, b]
    judge.press("]", "]", "]")
    assert [colour(page, x) for x in (0.45, 0.55, 0.62)] == [a, a, a]
    page.get_by_role("slider", name="Where the wipe stands").fill("0.4")
    assert [colour(page, x) for x in (0.38, 0.45)] == [a, b]
    line = page.locator(".together .cut").bounding_box()
    assert line
    page.mouse.move(line["x"] + line["width"] / 2, line["y"] + line["height"] / 2)
    page.mouse.down()
    page.mouse.move(line["x"] + 200, line["y"] + line["height"] / 2, steps=3)
    page.mouse.up()
    assert colour(page, 0.45) == a
    judge.press("b")
    assert colour(page, 0.5) == a
    judge.press("c")
    assert colour(page, 0.5) == b
    judge.press("d")
    assert colour(page, 0.5) not in (a, b)
    expect(page.get_by_role("button", name="Difference 4 times as bright")).to_be_visible()
    judge.press("d")
    expect(over).to_be_hidden()
    page.emulate_media(reduced_motion="no-preference")
    judge.press("b")
    for expected in (b, a):  # it changes by itself
        expect(page.locator(f".together b.{'a' if expected == a else 'b'}")).to_be_visible()


def test_a_source_is_compared_with_either(page: Page, project: Project, sign_in) -> None:
    page.emulate_media(reduced_motion="reduce")
    judge = opened(page, project, sign_in, source=True)
    judge.press("w")
    couples = page.get_by_role("button", name=re.compile(" with "))
    for name in ("A with B", "Source with A", "Source with B", "A with B"):
        expect(couples).to_have_text(re.compile(f"^{name}"))
        expected = [shown(page, one.lower()) if one != "Source" else "blue" for one in name.split(" with ")]
        assert [colour(page, x) for x in (0.45, 0.55)] == expected
        judge.press("e")


def test_the_loupe_and_the_full_screen(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in)
    loupes = page.locator(".view.image .loupe:visible")
    expect(loupes).to_have_count(0)
    judge.press("l")
    expect(loupes).to_have_count(2)

    def places() -> list[tuple[int, int]]:
        found = []
        for side in sides(page):
            box, room = side.locator(".loupe").bounding_box(), side.bounding_box()
            assert box and room
            found.append((round(box["x"] - room["x"]), round(box["y"] - room["y"])))
        return found

    first = places()
    assert first[0] == first[1]
    judge.press("ArrowRight")
    second = places()
    assert second[0] == second[1] and second[0][0] > first[0][0]
    box = sides(page)[1].bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2 - 50, box["y"] + box["height"] / 2)
    third = places()
    assert third[0] == third[1] and third[0][0] < second[0][0]
    before = sides(page)[0].bounding_box()
    judge.press("y")
    expect(page.locator("#dock")).to_be_hidden()
    page.wait_for_function("() => document.fullscreenElement")
    large = sides(page)[0].bounding_box()
    assert before and large and large["height"] > before["height"] + 100
    judge.press("1", "y")
    expect(page.locator("#judged")).to_have_text("1 of 1 judged")
    expect(page.locator("#dock")).to_be_visible()


def shown_colours(page: Page) -> list[tuple[int, ...]]:
    """The colour in the middle of each side, on one and the same screenshot."""
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    middles = []
    for view in sides(page):
        box = view.bounding_box()
        assert box
        middles.append((int(box["x"] + box["width"] / 2), int(box["y"] + box["height"] / 2)))
    return [seen.getpixel(middle) for middle in middles]  # type: ignore[misc]


@pytest.mark.parametrize("reduced", ["reduce", "no-preference"])
def test_what_moves_stands_still_until_one_plays_both_together(
    page: Page, project: Project, sign_in, reduced: Any
) -> None:
    page.emulate_media(reduced_motion=reduced)
    first, second = (
        make_image(project, blinking(*colours), probe={"width": 320, "height": 240, "frames": 2})
        for colours in ((RED, GREEN), (RED, BLUE))
    )
    make_comparison(make_pair(project, response1=first, response2=second), CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#sides .view.image img")).to_have_count(2)

    reds = [RED, RED]
    for _ in range(6):  # longer than a frame lasts
        assert shown_colours(page) == reds
        page.wait_for_timeout(60)
    judge.press(" ")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    seen: set[Any] = set()
    for _ in range(200):
        now = tuple(sorted(shown_colours(page)))
        assert now in {(RED, RED), tuple(sorted((GREEN, BLUE)))}, (
            "both show their first, or both their second"
        )
        seen.add(now)
        if len(seen) == 2:
            break
    assert len(seen) == 2, "it moves"
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    for _ in range(6):
        assert shown_colours(page) == reds
        page.wait_for_timeout(60)
