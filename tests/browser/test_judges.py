"""The page of judges: to be read in both themes and widths, and used by keys alone."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.actions.evaluations import keep_evaluation
from annotate.models import Evaluation, Role
from tests.browser.looking import LOOKS, clean
from tests.evaluation.kept import results
from tests.factories import make_member, make_project

NINE = {
    task: 0.5 + n / 20
    for n, task in enumerate(
        (
            "text_to_text text_image_to_text text_video_to_text text_audio_to_text text_to_image text_to_video"
            " text_to_audio text_to_3D text_image_to_image"
        ).split()
    )
}


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_judges_are_compared(look: Any, page: Page, sign_in) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = make_project(slug="judged", name="Judged")
    for n, judge in enumerate(("ours/3", "Qwen2.5-VL-7B-Instruct", "who always takes the longer answer")):
        rights = {task: right - n / 10 for task, right in NINE.items()}
        told = results(
            judge,
            rights=rights,
            revision=f"{judge}@0123456789ab",
            unsupported="text_to_audio" if n == 1 else "",
        )
        keep_evaluation(by=None, project=project, results=told)
    sign_in(make_member(project, Role.MANAGER))
    page.goto("/dashboard/judged/")
    page.get_by_role("link", name="Judges").click()
    expect(page.get_by_role("heading", name="Judged: judges")).to_be_visible()
    clean(page, "judges")
    board = page.get_by_role("region", name="With ties on bench, 1, scrollable")
    names = board.get_by_role("rowheader").all_inner_texts()
    assert [name.split("\n")[0] for name in names] == [
        "ours/3",
        "who always takes the longer answer",
        "Qwen2.5-VL-7B-Instruct",
    ]
    expect(board.get_by_text("not supported")).to_have_count(1)
    # By keys: what is wider than the page can be scrolled, and results forgotten.
    board.focus()
    before = board.evaluate("one => one.scrollLeft")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => document.querySelectorAll('.wide')[1].scrollLeft > {before}")
    forget = board.get_by_role("button", name="Forget who always takes the longer answer")
    forget.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="are forgotten")).to_be_visible()
    assert Evaluation.objects.count() == 2
    clean(page, "judges after one is forgotten")


def test_nothing_is_kept_yet(page: Page, sign_in) -> None:
    project = make_project(slug="judged")
    sign_in(make_member(project, Role.MANAGER))
    page.goto("/dashboard/judged/judges/")
    expect(page.get_by_text("No results are kept yet.")).to_be_visible()
    clean(page, "no judges")
