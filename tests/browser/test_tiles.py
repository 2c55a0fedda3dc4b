"""Images larger than a screen: at 1:1 each pixel of the screen is one of the image, and only what is in view is fetched."""

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Request, expect

from annotate.models import Asset, Project
from tests.browser.conftest import Watch
from tests.browser.judging import JudgePage, judge_project, make_image, make_large, opened_pair, picture

Pixels = npt.NDArray[np.int16]

WIDTH, HEIGHT = 6000, 4000
KEPT = 96  # tiles of one picture, as static/js/viewers/tiles.js says


def patterned(shift: int) -> Pixels:
    """Every pixel unlike those beside it, and each place unlike every other of its row and column."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    board = (x + y + shift) % 2 * 255
    # The squares: no tile is like another one.
    return np.stack([board, (x * 7 + (x // 64) ** 2) % 256, (y * 5 + (y // 64) ** 2) % 256], axis=2).astype(
        np.int16
    )


PATTERNS = [patterned(0), patterned(1)]


def coded(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8), "RGB").save(out, "PNG", compress_level=1)
    return out.getvalue()


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [coded(pixels) for pixels in PATTERNS]


@pytest.fixture
def project() -> Project:
    return judge_project(pairs=0, task_type="text_to_image")


@pytest.fixture
def judge(page: Page, project: Project, files: list[bytes], sign_in) -> JudgePage:
    page.emulate_media(reduced_motion="reduce")
    first, second = (make_large(project, content) for content in files)
    return opened_large(page, project, sign_in, first, second)


def opened_large(page: Page, project: Project, sign_in, first: Asset, second: Asset) -> JudgePage:
    judge = opened_pair(page, project, sign_in, first, second, task_type="text_to_image")
    expect(page.locator("#sides .side .view.image .layer > img")).to_have_count(2)
    return judge


def pane(page: Page, side: str) -> Locator:
    return page.locator(f"#body-{side} .view.image")


def whole(canvas: Locator) -> None:
    """All tiles in view are there."""
    expect(canvas).to_be_visible()
    expect(canvas).to_have_attribute("data-lacks", "0")


def seen(page: Page, view: Locator, width: int = 320, height: int = 240) -> Pixels:
    """The middle of what a view shows, free of marks at its edges."""
    box = view.bounding_box()
    assert box
    left, top = box["x"] + (box["width"] - width) // 2, box["y"] + (box["height"] - height) // 2
    shot = page.screenshot(clip={"x": round(left), "y": round(top), "width": width, "height": height})
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(np.int16)


def tile_of(request: Request) -> str:
    return request.headers["range"]


def place_of(pixels: Pixels, of: Pixels) -> tuple[int, int] | None:
    """Where a piece of one of the images is, exactly: (left, top), or nowhere."""
    height, width = pixels.shape[:2]
    row, column = (
        pixels[0, 0, 2],
        pixels[0, 0, 1],
    )  # the blue is the same along a row, the green along a column
    for top in np.flatnonzero(of[: 1 - height, 0, 2] == row):
        for left in np.flatnonzero(of[0, : 1 - width, 1] == column):
            if (of[top : top + 2, left : left + width] == pixels[:2]).all() and (
                of[top : top + height, left : left + width] == pixels
            ).all():
                return int(left), int(top)
    return None


def test_at_one_to_one_each_pixel_is_one_of_the_image(page: Page, judge: JudgePage) -> None:
    judge.press("z", "i")
    for side in "ab":
        whole(pane(page, side).locator(".layer > canvas"))
        expect(pane(page, side).locator(".note")).to_have_text("6000 \u00d7 4000 pixels, shown at 100%")

    def places() -> list[tuple[int, int] | None]:
        shots = [seen(page, pane(page, side)) for side in "ab"]
        found = [[place_of(shot, pattern) for pattern in PATTERNS] for shot in shots]
        assert [sum(place is not None for place in places) for places in found] == [1, 1]
        assert found[0].index(None) != found[1].index(None)  # a pattern each
        return [next(place for place in places if place) for places in found]

    first = places()
    assert first[0] == first[1]  # both sides show the same place
    judge.press("ArrowRight", "ArrowRight", "ArrowDown")
    for side in "ab":
        whole(pane(page, side).locator(".layer > canvas"))
    second = places()
    assert second[0] == second[1] == (first[0][0] + 120, first[0][1] + 60)  # type: ignore[index]


def test_fitted_it_is_the_whole_image(page: Page, judge: JudgePage) -> None:
    """The image that was made for that is enough: no tile is fetched."""
    tiles: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/tiles"):
            tiles.append(tile_of(request))

    page.on("request", note)
    judge.press("z")
    whole(pane(page, "a").locator(".layer > canvas"))
    judge.press("f")
    tiles.clear()
    for side in "ab":
        expect(pane(page, side).locator(".layer > canvas")).to_be_hidden()
        box, room = pane(page, side).locator(".layer > img").bounding_box(), pane(page, side).bounding_box()
        assert box and room and box["width"] == pytest.approx(min(room["width"], room["height"] * 1.5), abs=1)
        # Of a board of black and white, smaller than itself, a grey is left; the colours go on from left to right.
        assert abs(seen(page, pane(page, side))[..., 0].mean() - 127) < 6
    assert not tiles
    # Nearer, but not at its own pixels: a smaller level, as Pillow makes it.
    judge.press("z", *["-"] * 4)
    for side in "ab":
        whole(pane(page, side).locator(".layer > canvas"))
        assert abs(seen(page, pane(page, side))[..., 0].mean() - 127) < 6


def test_one_over_the_other_at_one_to_one(page: Page, judge: JudgePage) -> None:
    judge.press("z", "d", "t", "t")
    over = page.locator("#sides .together")
    canvases = over.locator(".layer > canvas")
    expect(canvases).to_have_count(2)
    for n in range(2):
        whole(canvases.nth(n))
    expect(page.get_by_role("button", name="Difference 1 times as bright")).to_be_visible()
    # One board is the other's negative; all else is alike.
    assert (seen(page, over) == (255, 0, 0)).all()
    judge.press("b")
    blink = seen(page, over)
    judge.press("c")
    other = seen(page, over)
    assert (blink[..., 0] == 255 - other[..., 0]).all() and (blink[..., 1:] == other[..., 1:]).all()
    judge.press("w")
    halves = seen(page, over)
    middle = halves.shape[1] // 2
    pieces = halves[:, : middle - 30], halves[:, middle + 30 :]
    (left, right) = ([place_of(piece, pattern) for pattern in PATTERNS] for piece in pieces)
    assert left.index(None) != right.index(None)


def test_the_loupe_shows_pixels_while_the_whole_is_fitted(page: Page, judge: JudgePage) -> None:
    judge.press("l")
    for side in "ab":
        loupe = pane(page, side).locator(".loupe")
        whole(loupe.locator("canvas"))
        box = loupe.bounding_box()
        assert box
        # Two pixels of the screen are one of the image: nothing between black and white.
        assert set(np.unique(seen(page, loupe, 60, 60)[..., 0])) == {0, 255}
    expect(pane(page, "a").locator("> .layer > canvas")).to_be_hidden()


def test_a_walk_over_the_largest_image_keeps_little(page: Page, project: Project, sign_in) -> None:
    """Each tile is fetched when it comes into view; what was in view long ago is let go, and fetched anew if need be."""
    board = np.zeros((8192, 8192), np.uint8)
    board[::512] = board[:, ::512] = 200
    out = io.BytesIO()
    Image.fromarray(board).save(out, "PNG", compress_level=1)
    asset = make_large(project, out.getvalue())
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/a/tiles"):
            asked.append(tile_of(request))

    page.on("request", note)
    judge = opened_large(page, project, sign_in, asset, asset)
    judge.press("z", *["-"] * 3)  # just above a half: as many tiles as there can be
    canvas = pane(page, "a").locator(".layer > canvas")
    whole(canvas)
    in_view = len(asked)
    assert 4 <= in_view <= 24
    box = pane(page, "a").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(right: int, down: int) -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x - right, y - down)
        page.mouse.up()
        whole(canvas)
        assert int(canvas.get_attribute("data-kept") or "") <= KEPT

    for _ in range(12):
        drag(-200, -150)
    for row in range(5):
        for _ in range(16):
            drag(250 if row % 2 == 0 else -250, 0)
        drag(0, 190)
    assert len(set(asked)) > KEPT
    assert canvas.get_attribute("data-kept") == str(KEPT)


def test_what_left_the_view_before_it_came_is_not_waited_for(page: Page, judge: JudgePage) -> None:
    holding = True
    page.route("**/a/tiles", lambda route: None if holding else route.continue_())
    asked: list[str] = []
    given_up: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/a/tiles"):
            (given_up if request.failure else asked).append(tile_of(request))

    page.on("request", note)
    page.on("requestfailed", note)
    with page.expect_event("request", lambda _: len(asked) == 3):
        judge.press("z")
    canvas = pane(page, "a").locator(".layer > canvas")
    whole(pane(page, "b").locator(".layer > canvas"))
    first = set(asked)
    assert len(asked) == 3  # no more at once
    # What is not there yet is drawn from the image: all of it is seen at once, unsharp.
    assert int(canvas.get_attribute("data-lacks") or "") >= 3
    assert 100 < seen(page, pane(page, "a"))[..., 0].mean() < 155
    with page.expect_event("requestfailed", lambda _: first <= set(given_up)):
        judge.press(*["ArrowRight"] * 40)
    holding = False
    judge.press(*["ArrowLeft"] * 25)  # away from whatever is still held
    whole(canvas)
    shot = seen(page, pane(page, "a"))
    assert any(place_of(shot, pattern) for pattern in PATTERNS)


def test_a_tile_that_failed_is_fetched_again(page: Page, judge: JudgePage, watch: Watch) -> None:
    watch.allow("Failed to load resource")
    page.route(
        "**/a/*",
        lambda route: route.abort() if route.request.url.endswith(("tiles", "levels")) else route.continue_(),
    )
    judge.press("z", "i")
    whole(pane(page, "b").locator(".layer > canvas"))
    expect(pane(page, "a").locator(".note")).to_have_text(
        "6000 \u00d7 4000 pixels, shown at 100%, still sharpening"
    )
    page.unroute("**/a/*")
    whole(pane(page, "a").locator(".layer > canvas"))
    expect(pane(page, "a").locator(".note")).to_have_text("6000 \u00d7 4000 pixels, shown at 100%")


def test_an_image_without_tiles_says_that_it_is_a_copy(page: Page, project: Project, sign_in) -> None:
    """It came before there were any."""
    first, second = (make_image(project, picture(colour, (640, 480))) for colour in ((9, 9, 99), (9, 99, 9)))
    for asset in (first, second):
        asset.probe = {"width": 6400, "height": 4800}
        asset.save()
    judge = opened_large(page, project, sign_in, first, second)
    judge.press("z", "i")
    told = "6400 \u00d7 4800 pixels, shown at 100%, from a copy of 640 \u00d7 480"
    expect(page.locator(".view.image .note")).to_have_text([told, told])
    loaded: list[str] = page.evaluate(
        "() => performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert not [name for name in loaded if "/tiles" in name]


def test_a_small_image_loads_no_code_for_tiles_and_is_as_sharp(page: Page, project: Project, sign_in) -> None:
    pieces = [
        pattern[:481, :639] for pattern in PATTERNS
    ]  # odd: half a pixel would be left over on each side
    first, second = (make_image(project, coded(piece)) for piece in pieces)
    judge = opened_large(page, project, sign_in, first, second)
    judge.press("z")
    found = [[place_of(seen(page, pane(page, side)), piece) for piece in pieces] for side in "ab"]
    assert [sum(place is not None for place in places) for places in found] == [1, 1]
    loaded: list[str] = page.evaluate(
        "() => performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert not [name for name in loaded if "/tiles" in name]


def test_a_box_on_a_large_image_stands_on_its_pixels(page: Page, judge: JudgePage) -> None:
    """Evidence is told in parts of the image: its rectangle is where the tiles are."""
    judge.press("z")
    canvas = pane(page, "a").locator(".layer > canvas")
    whole(canvas)
    box, view = pane(page, "a").locator(".layer > img").bounding_box(), pane(page, "a").bounding_box()
    assert box and view and (box["width"], box["height"]) == pytest.approx((WIDTH, HEIGHT), abs=0.01)
    shot = seen(page, pane(page, "a"))
    place = place_of(shot, PATTERNS[0]) or place_of(shot, PATTERNS[1])
    assert place
    left = round(view["x"] + (view["width"] - shot.shape[1]) // 2 - box["x"])
    top = round(view["y"] + (view["height"] - shot.shape[0]) // 2 - box["y"])
    assert place == pytest.approx((left, top), abs=1)
