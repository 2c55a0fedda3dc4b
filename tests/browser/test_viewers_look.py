"""Each viewer in both themes and widths: no accessibility violation, nothing out of bounds, targets large enough."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Pair, Project, User
from tests.browser.judging import CLARITY, JudgePage, judge_project, make_image, picture, text_pair
from tests.browser.looking import LOOKS, clean
from tests.browser.playables import cube_document, make_model, make_sound, make_video, tone
from tests.factories import make_comparison, make_member, make_pair


def videos(project: Project) -> Pair:
    long, short = make_video(project, frames=60, sound=tone(440, 2)), make_video(project, frames=30)
    return make_pair(project, response1=long, response2=short)


def sounds(project: Project) -> Pair:
    return make_pair(
        project, response1=make_sound(project, tone(440, 2)), response2=make_sound(project, tone(660, 1))
    )


def models(project: Project) -> Pair:
    small, large = cube_document(1), cube_document(9, (0.1, 0.1, 0.8))
    return make_pair(project, response1=make_model(project, *small), response2=make_model(project, *large))


def edits(project: Project) -> Pair:
    source, red, green = (
        make_image(project, picture(colour)) for colour in ((90, 90, 200), (200, 30, 30), (30, 160, 60))
    )
    return make_pair(project, media=[source], response1=red, response2=green)


def asked(project: Project) -> Pair:
    media = [make_video(project), make_sound(project, tone(440, 2)), make_model(project, *cube_document())]
    return text_pair(project, "The answer is brief.", media=media)


def mixed(project: Project) -> Pair:
    return make_pair(
        project,
        response1=make_sound(project, tone(440, 2)),
        response2=make_image(project, picture((9, 9, 99))),
    )


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
@pytest.mark.parametrize("made", [videos, sounds, models, edits, asked, mixed])
def test_a_viewer(
    page: Page,
    sign_in: Callable[[User], None],
    look: Any,
    made: Callable[[Project], Pair],
) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = judge_project(pairs=0)
    make_comparison(made(project), CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    tools = page.locator(".tools:visible")
    expect(tools.first).to_be_visible()
    clean(page, made.__name__)
    for target in page.locator(".tools button:visible, .tools input:visible").all():
        box = target.bounding_box()
        assert box and box["width"] >= 24 and box["height"] >= 24, target.inner_text()
    judge.press("?")
    clean(page, f"keys of {made.__name__}")
    judge.press("Escape", " ")
    page.wait_for_timeout(300)
    clean(page, f"{made.__name__}, playing")
