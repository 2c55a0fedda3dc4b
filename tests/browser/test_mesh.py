"""3D models through one camera: linked, drawn only when something changed, and back after a lost context."""

import re
import struct

import pytest
from playwright.sync_api import Locator, Page, expect

from annotate.models import Asset, Project
from tests.browser.judging import CLARITY, JudgePage, judge_project, opened_pair
from tests.browser.playables import cube_document, make_model, points_document
from tests.factories import make_comparison, make_member, make_pair

# How many pixels show the model or its shadow, and their mean colour.
PIXELS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0, red = 0, blue = 0, dark = 0;
  for (let n = 0; n < data.length; n += 4) {
    if (data[n + 3] < 200) continue;
    count += 1; red += data[n]; blue += data[n + 2]; dark += data[n] + data[n + 1] + data[n + 2] < 200 ? 1 : 0;
  }
  return { share: count * 4 / data.length, red: red / count, blue: blue / count, dark: dark / count };
}"""

RED, BLUE = (0.8, 0.1, 0.1), (0.1, 0.1, 0.8)


@pytest.fixture
def project() -> Project:
    return judge_project(pairs=0, task_type="text_to_3D")


def opened(page: Page, project: Project, sign_in, first: Asset, second: Asset) -> JudgePage:
    judge = opened_pair(page, project, sign_in, first, second, task_type="text_to_3D")
    for view in views(page):
        expect(view).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=20_000)
    return judge


def two(project: Project) -> tuple[Asset, Asset]:
    """A small red cube and one that is a hundred times as large, and blue."""
    return (
        make_model(project, *cube_document(1, RED), faces=12, vertices=8),
        make_model(project, *cube_document(100, BLUE), faces=12, vertices=8),
    )


def views(page: Page) -> list[Locator]:
    return [page.locator(f"#body-{side} .view.model") for side in "ab"]


def pixels(page: Page) -> list[dict[str, float]]:
    still(page)
    return [view.locator("canvas").evaluate(PIXELS) for view in views(page)]


def still(page: Page) -> None:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def cameras(page: Page) -> list[str | None]:
    still(page)
    return [view.get_attribute("data-camera") for view in views(page)]


def test_models_of_any_size_fill_their_panes_alike(page: Page, project: Project, sign_in) -> None:
    opened(page, project, sign_in, *two(project))
    red, blue = sorted(pixels(page), key=lambda one: one["blue"])
    assert red["red"] > red["blue"] + 50 and blue["blue"] > blue["red"] + 50
    assert red["share"] == pytest.approx(blue["share"], rel=0.01) and red["share"] > 0.05
    expect(page.locator(".view.model .still")).to_have_count(0)


def test_drags_and_keys_turn_both(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))
    seen = [cameras(page)]
    box = page.locator("#body-b").bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 130, steps=3)
    page.mouse.up()
    seen.append(cameras(page))
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 100, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    seen.append(cameras(page))
    page.mouse.wheel(0, -200)
    seen.append(cameras(page))
    for key in ("ArrowLeft", "ArrowUp", "+", "-", "-", "c"):
        judge.press(key)
        seen.append(cameras(page))
    assert all(first == second for first, second in seen)
    assert len({first for first, _ in seen}) == len(seen) - 1, "one step in and one out, else all differ"
    judge.press("f")
    assert cameras(page) == seen[0]


def test_all_can_be_done_by_clicks_without_a_drag(page: Page, project: Project, sign_in) -> None:
    opened(page, project, sign_in, *two(project))
    bar = page.get_by_role("toolbar", name="Both sides")
    first = cameras(page)[0]
    seen = [first]
    for name in ("Turn left", "Turn up", "In", "Next view: front, right, back, left, top, below"):
        bar.get_by_role("button", name=name, exact=True).click()
        seen.append(cameras(page)[0])
    expect(bar.get_by_role("status")).to_have_text("Front")
    bar.get_by_role("button", name="Arrows turn").click()
    bar.get_by_role("button", name="Move right").click()
    seen.append(cameras(page)[0])
    assert len(set(seen)) == len(seen)
    bar.get_by_role("button", name="Reset").click()
    assert cameras(page)[0] == first
    for button in bar.get_by_role("button").all():
        box = button.bounding_box()
        assert box and box["width"] >= 24 and box["height"] >= 24


def test_views_have_names_and_keys(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))
    for name in ("Front", "Right", "Back", "Left", "Top", "Below", "Front"):
        judge.press("c")
        expect(page.locator("#tools output")).to_have_text(name)
    judge.press("Shift+C")
    expect(page.locator("#tools output")).to_have_text("Below")
    for button, name in (("Side view", "Right"), ("Top view", "Top"), ("Front view", "Front")):
        direct = page.get_by_role("toolbar", name="Both sides").get_by_role("button", name=button)
        expect(direct).not_to_have_attribute("aria-pressed", "true")
        direct.click()
        expect(page.locator("#tools output")).to_have_text(name)
        expect(direct).to_have_attribute("aria-pressed", "true")
        assert len(set(cameras(page))) == 1


def test_textured_plain_wireframe_and_normals(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))
    textured = pixels(page)
    judge.press("w")
    plain = pixels(page)
    judge.press("w")
    wire = pixels(page)
    expect(page.get_by_role("button", name="Wireframe")).to_be_visible()
    assert all(abs(one["red"] - one["blue"]) > 50 for one in textured)
    assert all(abs(one["red"] - one["blue"]) < 5 for one in plain + wire)
    assert all(lines["dark"] > flat["dark"] for lines, flat in zip(wire, plain, strict=True))
    judge.press("w")
    normals = pixels(page)
    expect(page.get_by_role("button", name="Normals")).to_be_visible()
    assert all(one["blue"] > 140 for one in normals), "what faces the eye is blue, whatever its own colour"
    judge.press("w")
    again = pixels(page)
    assert [one["red"] for one in again] == pytest.approx([one["red"] for one in textured], abs=1)


def test_metal_mirrors_grey_surroundings(page: Page, project: Project, sign_in) -> None:
    """Under one lamp and nothing to mirror, metal would be black."""
    documents = [cube_document(1, RED) for _ in range(2)]
    for (document, _), roughness in zip(documents, (0.15, 0.9), strict=True):
        document["materials"][0]["pbrMetallicRoughness"] |= {
            "metallicFactor": 1,
            "roughnessFactor": roughness,
        }
    judge = opened(page, project, sign_in, *(make_model(project, *document) for document in documents))
    smooth, rough = pixels(page)
    for one in (smooth, rough):
        assert one["red"] > 90 and one["red"] > one["blue"] + 40
    assert smooth["red"] != pytest.approx(rough["red"], abs=2)
    # What is mirrored stays with the camera, as the light does: a quarter of a turn shows a cube the same.
    judge.press(*["ArrowLeft"] * 6)
    for then, now in zip((smooth, rough), pixels(page), strict=True):
        assert now["red"] == pytest.approx(then["red"], abs=1.5)


def test_what_moves_moves_when_asked_on_one_clock(page: Page, project: Project, sign_in) -> None:
    """Two cubes that grow to twice their size within a second."""
    assets = []
    for colour in (RED, BLUE):
        document, binary = cube_document(1, colour)
        floats = struct.pack("<8f", 0, 1, 1, 1, 1, 2, 2, 2)
        views, accessors = document["bufferViews"], document["accessors"]
        start = len(binary)
        views += [
            {"buffer": 0, "byteOffset": start, "byteLength": 8},
            {"buffer": 0, "byteOffset": start + 8, "byteLength": 24},
        ]
        accessors += [
            {
                "bufferView": len(views) - 2,
                "componentType": 5126,
                "count": 2,
                "type": "SCALAR",
                "min": [0],
                "max": [1],
            },
            {"bufferView": len(views) - 1, "componentType": 5126, "count": 2, "type": "VEC3"},
        ]
        document["buffers"][0]["byteLength"] = start + len(floats)
        sampler = {"input": len(accessors) - 2, "output": len(accessors) - 1}
        channel = {"sampler": 0, "target": {"node": 0, "path": "scale"}}
        document["animations"] = [{"samplers": [sampler], "channels": [channel]}]
        assets.append(make_model(project, document, binary + floats))
    judge = opened(page, project, sign_in, *assets)
    rest = pixels(page)
    area = page.locator(".view.model canvas").first.evaluate("canvas => canvas.width * canvas.height")
    assert rest[0]["share"] == pytest.approx(rest[1]["share"], rel=0.01)
    judge.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function(
        """share => {
          const canvas = document.querySelector(".view.model canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((value, n) => n % 4 === 3 && value > 200).length > share;
        }""",
        arg=rest[0]["share"] * 1.3 * area,
    )
    judge.press(" ")
    moved = pixels(page)
    assert moved[0]["share"] == pytest.approx(moved[1]["share"], rel=0.01)
    assert moved[0]["share"] > rest[0]["share"] * 1.2


def test_nothing_is_drawn_while_nothing_changes(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))

    def settled() -> list[str | None]:
        """How often each was drawn, once they are drawn no more: a busy machine takes a while."""
        for _ in range(15):
            before = [view.get_attribute("data-drawn") for view in views(page)]
            page.wait_for_timeout(500)
            if [view.get_attribute("data-drawn") for view in views(page)] == before:
                return before
        raise AssertionError("They are drawn on and on.")

    before = settled()
    judge.press("t")
    for view, then in zip(views(page), before, strict=True):
        page.wait_for_function(
            "([view, then]) => Number(view.dataset.drawn) > then + 2",
            arg=[view.element_handle(), int(then or 0)],
        )
    judge.press("t")
    settled()


def test_numbers_of_faces_are_told_only_when_asked(page: Page, project: Project, sign_in) -> None:
    judge = opened(page, project, sign_in, *two(project))
    notes = page.locator(".view.model .note")
    expect(notes).to_have_text(["", ""])
    judge.press("i")
    expect(notes).to_have_text(["12 faces, 8 vertices"] * 2)


def test_a_cloud_of_points_is_drawn(page: Page, project: Project, sign_in) -> None:
    cloud = make_model(project, *points_document(), points=True, vertices=500, faces=0)
    judge = opened(page, project, sign_in, cloud, make_model(project, *cube_document()))
    shares = sorted(one["share"] for one in pixels(page))
    assert 0.001 < shares[0] < 0.05 < shares[1]
    judge.press("i")
    expect(page.locator(".view.model .note", has_text="500 points")).to_have_count(1)


def test_a_lost_context_comes_back(page: Page, project: Project, sign_in) -> None:
    page.add_init_script("""
      for (const kind of [HTMLCanvasElement, OffscreenCanvas]) {
        const getContext = kind.prototype.getContext;
        kind.prototype.getContext = function (name, ...options) {
          const context = getContext.call(this, name, ...options);
          if (name === "webgl2") window.graphics = context.getExtension("WEBGL_lose_context");
          return context;
        };
      }
    """)
    judge = opened(page, project, sign_in, *two(project))
    before = pixels(page)
    page.evaluate("() => window.graphics.loseContext()")
    notes = page.locator(".view.model .note")
    expect(notes.first).to_have_text("The graphics stopped; they come back by themselves")
    judge.press("ArrowLeft")
    assert pixels(page) == before, "the last picture stays"
    page.evaluate("() => window.graphics.restoreContext()")
    expect(notes).to_have_text(["", ""])
    judge.press("f")
    after = pixels(page)
    for then, now in zip(before, after, strict=True):
        assert now["share"] == pytest.approx(then["share"], rel=0.01)
        assert now["red"] == pytest.approx(then["red"], abs=2)


@pytest.mark.parametrize(
    "extension, words",
    [
        ("KHR_draco_mesh_compression", "compressed with Draco"),
        ("KHR_texture_basisu", "textures are in Basis"),
    ],
)
def test_what_the_page_cannot_open_is_said(
    page: Page, project: Project, sign_in, extension: str, words: str
) -> None:
    document, binary = cube_document()
    document |= {"extensionsUsed": [extension], "extensionsRequired": [extension]}
    pair = make_pair(
        project,
        response1=make_model(project, document, binary),
        response2=make_model(project, *cube_document()),
        task_type="text_to_3D",
    )
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    JudgePage(page, project).open()
    expect(page.get_by_text("This 3D model did not load.")).to_be_visible()
    expect(page.get_by_text(words)).to_be_visible()
