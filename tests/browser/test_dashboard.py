"""A dashboard that is watched: it computes, shows what came of it, keeps itself new and can be taken along."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page, expect

from annotate.actions.jobs import run_job
from annotate.models import ClaimKind, Exclusion, Job, JobKind, Judgment, Project, Role, User
from tests.browser.looking import LOOKS, clean
from tests.factories import judge, make_annotator, make_comparison, make_member, make_pair, make_project


def judged_project() -> Project:
    project = make_project(slug="watched", name="Watched")
    people = [make_annotator(project, pseudonym=name) for name in ("Ada", "Bo", "Cy")]
    for n in range(8):
        pair = make_pair(project, models=("alpaca", "llama"))
        for criterion in ("Which answer is true?", "Which answer is brief?"):
            comparison = make_comparison(pair, criterion)
            for place, annotator in enumerate(people):
                judge(comparison, ("response1", "response2", "tie")[(n * (place + 1)) % 3], annotator)
    for first in Judgment.objects.filter(annotator=people[0])[:8]:
        judge(
            first.comparison,
            first.verdict,
            people[0],
            kind=ClaimKind.REPEAT,
            of=first,
            seated=False,
            flip=True,
        )
    left_out = make_annotator(project, pseudonym="Dee")
    Exclusion.objects.create(annotator=left_out, reason="Answers without looking.", made_at=timezone.now())
    return project


def computed() -> None:
    """What a worker does."""
    run_job(Job.objects.filter(kind=JobKind.REPORT, state="queued").latest("pk").pk, by_hand=True)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_it_computes_by_itself_and_is_taken_along(
    look: tuple[Any, int, int], page: Page, sign_in: Callable[[User], None], tmp_path: Path
) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    sign_in(make_member(judged_project(), Role.MANAGER))

    page.goto("/dashboard/watched/")
    expect(page.get_by_text("No statistics were computed yet.")).to_be_visible()
    clean(page, "nothing computed")
    # It asks for them by itself, and shows them when they are there.
    expect(page.locator("#state")).to_have_text("Computing: waiting for a worker")
    computed()
    expect(page.get_by_role("heading", name="Agreement")).to_be_visible()
    expect(page.get_by_role("row", name="Ada -")).to_contain_text("100 % (68 to 100) n 8")
    expect(page.get_by_role("row", name="Dee")).to_contain_text("Answers without looking.")
    clean(page, "statistics")
    page.locator("summary").last.click()
    clean(page, "another leaderboard")

    with page.expect_download() as loading:
        page.locator("[data-picture=agreement]").click()
    file = tmp_path / "agreement.png"
    loading.value.save_as(file)
    assert loading.value.suggested_filename == "watched-agreement.png"
    picture = np.asarray(Image.open(file).convert("L")).astype(int)
    sheet = page.locator("section[aria-labelledby=agreement]").bounding_box()
    assert sheet and abs(picture.shape[1] - 2 * sheet["width"]) <= 2
    assert (abs(picture - picture[2, 2]) > 60).sum() > 2_000, "its text and marks are drawn"

    page.get_by_role("button", name="Compute again").click()
    expect(page.locator("#state")).to_have_text("Computing: waiting for a worker")
    before = page.locator("#dashboard").get_attribute("data-read-at")
    computed()
    expect(page.locator("#dashboard")).not_to_have_attribute("data-read-at", before or "")
