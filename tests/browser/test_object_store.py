"""Media in an object store: pages fetch them there by signed links, and sign them anew when those have died."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Page, Request, Route, expect

from annotate.models import Asset, Project
from tests.browser.conftest import Watch, serving
from tests.browser.judging import make_image, opened_pair, picture
from tests.browser.playables import cube_document, make_model, make_sound, make_video, tone, video_of
from tests.browser.test_nine_tasks import shown
from tests.factories import make_project
from tests.stores import Store

LONG = 301  # seconds: what static/js/viewers/sounds.js does not decode

pytestmark = pytest.mark.parametrize("store", ["object store"], indirect=True)


@pytest.fixture(scope="module")
def web_server(django_db_setup: None, static_files: None, s3_bucket: dict[str, str]) -> Iterator[str]:
    """One that keeps media in the bucket."""
    with serving(s3_bucket) as url:
        yield url


@pytest.fixture(autouse=True)
def endpoint(store: Store, watch: Watch) -> str:
    watch.trust(store.environ["S3_ENDPOINT_URL"])
    return store.environ["S3_ENDPOINT_URL"]


@pytest.fixture
def project(transactional_db: None, store: Store) -> Project:
    return make_project(salt="not flipped")


def responses(project: Project, modality: str) -> tuple[Asset, Asset]:
    if modality == "image":
        return make_image(project, picture((200, 30, 30))), make_image(project, picture((30, 160, 60)))
    if modality == "video":
        return make_video(project), make_video(project, size=(128, 96))
    if modality == "audio":
        return make_sound(project, tone(440, 2)), make_sound(project, tone(660, 1))
    return make_model(project, *cube_document()), make_model(project, *cube_document(2))


@pytest.mark.parametrize(
    ("modality", "kinds"),
    [
        ("image", {"web"}),
        ("video", {"web", "poster", "frames"}),
        ("audio", {"web", "peaks"}),
        ("mesh", {"web"}),
    ],
)
def test_every_viewer_shows_what_the_store_holds(
    page: Page, project: Project, sign_in: Any, endpoint: str, modality: str, kinds: set[str]
) -> None:
    fetched: set[str] = set()

    def note(request: Request) -> None:
        if request.url.startswith(endpoint) and request.redirected_from:
            fetched.add(request.redirected_from.url.rsplit("/", 1)[1])

    page.on("requestfinished", note)
    task_type = "text_to_3D" if modality == "mesh" else f"text_to_{modality}"
    judge = opened_pair(page, project, sign_in, *responses(project, modality), task_type=task_type)
    for side in "ab":
        shown(page.locator(f"#body-{side}"), modality)
    if modality in ("video", "audio"):
        judge.press(" ")
        page.wait_for_function("() => Number(document.querySelector('#tools .track').value) > 0.3")
    expect(page.locator(".failed")).to_have_count(0)
    assert kinds <= fetched


def large_video(project: Project, number: int) -> Asset:
    """Forty seconds of noise: some 20 MB, which browsers fetch piece by piece."""
    random = np.random.default_rng(number)
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as made:
        stream: Any = made.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(400):
            pixels = random.integers(0, 256, (240, 320, 3), dtype=np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        made.mux(stream.encode())
    return video_of(project, out.getvalue(), (320, 240), [n / 10 for n in range(400)])


def large_sound(project: Project, number: int) -> Asset:
    """Too long to be decoded as a whole, some 10 MB."""
    return make_sound(project, tone(440 + number, LONG))


@pytest.mark.parametrize(("make", "to"), [(large_video, 30), (large_sound, 250)], ids=["video", "audio"])
def test_a_link_that_died_is_signed_anew_and_playing_goes_on_where_it_was(
    page: Page,
    project: Project,
    sign_in: Any,
    watch: Watch,
    endpoint: str,
    make: Callable[[Project, int], Asset],
    to: int,
) -> None:
    watch.allow("403")
    links: set[str] = set()
    dead: set[str] = set()
    refused: list[tuple[str, str]] = []

    def answer(route: Route) -> None:
        if route.request.url in dead:
            refused.append((route.request.url, route.request.headers["range"]))
            route.fulfill(status=403)
        else:
            route.continue_()

    page.route(f"{endpoint}/**", answer)
    page.on("request", lambda request: links.add(request.url) if request.url.startswith(endpoint) else None)
    first, second = make(project, 1), make(project, 2)
    judge = opened_pair(page, project, sign_in, first, second, task_type=f"text_to_{first.modality}")
    judge.press(" ")
    reached = "time => Number(document.querySelector('#tools .track').value) > time"
    page.wait_for_function(reached, arg=1.5)  # a link that is made from now on is another one
    dead |= links
    page.get_by_role("slider", name="Position").fill(str(to))
    page.wait_for_function(reached, arg=to + 0.5)
    assert {url for url, _ in refused} <= dead and len({url for url, _ in refused}) == 2
    assert all(int(asked.removeprefix("bytes=").split("-")[0]) > 0 for _, asked in refused)
    expect(page.locator(".failed")).to_have_count(0)
    assert float(page.locator("#tools .track").input_value()) < to + 10
