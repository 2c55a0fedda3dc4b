"""Media in an object store: pages fetch them there by signed links, and sign them anew when those have died."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, Request, Route, expect

from annotate.models import Asset, Project
from tests.browser.conftest import Watch, serving
from tests.browser.judging import JudgePage, make_image, opened_pair, picture
from tests.browser.playables import RATE, cube_document, make_model, make_sound, make_video, tone
from tests.browser.test_nine_tasks import shown
from tests.factories import make_project
from tests.stores import Store

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
