"""The curves of a training: drawn while it runs, and afterwards; as lines and as a table."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.actions.jobs import create_job
from annotate.curves import KEY, Curves
from annotate.models import Job, JobKind, JobState, Role, User
from tests.browser.conftest import Watch
from tests.browser.looking import LOOKS, clean
from tests.factories import make_member, make_project, make_user

SignIn = Callable[[User], None]
STEPS = 120


def told(upto: int) -> dict[str, object]:
    """Figures of so many steps; the watched pairs are looked at every tenth."""
    curves = Curves()
    for step in range(1, upto + 1):
        figures = {"loss": 0.2 + 0.5 * math.exp(-step / 40), "accuracy": 1 - 0.5 * math.exp(-step / 30)}
        if step % 10 == 0:
            figures |= {
                "validation_loss": figures["loss"] + 0.05,
                "validation_accuracy": figures["accuracy"] - 0.1,
            }
        curves.add(step, STEPS, figures)
    return {KEY: curves.as_json()}


def note(job: Job, upto: int, state: JobState = JobState.RUNNING) -> None:
    Job.objects.filter(pk=job.pk).update(
        state=state,
        beat_at=timezone.now(),
        done=upto,
        total=STEPS,
        step=f"at step {upto}",
        spec=told(upto),
        ended_at=timezone.now() if state == JobState.DONE else None,
    )


@pytest.fixture
def training(page: Page, sign_in: SignIn) -> Job:
    project = make_project(slug="ours", name="Ours")
    sign_in(make_member(project, Role.MANAGER, make_user("boss", password=None)))
    job = create_job(by=None, project=project, kind=JobKind.TRAIN)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, beat_at=timezone.now(), step="reading judgments"
    )
    page.goto(reverse("admin:annotate_job_progress", args=[job.pk]))
    return job


def test_curves_grow_while_a_training_runs(page: Page, training: Job) -> None:
    heading = page.get_by_role("heading", name="Curves")
    expect(page.locator("[data-step]")).to_have_text("reading judgments")
    expect(heading).to_be_hidden()  # nothing is told yet
    note(training, 20)
    expect(heading).to_be_visible()
    loss = page.get_by_role("img", name="Loss over steps 1 to 20")
    expect(loss).to_have_attribute(
        "aria-label", "Loss over steps 1 to 20: training from 0.688 to 0.503, validation from 0.639 to 0.553"
    )
    expect(page.get_by_role("img", name="Accuracy over steps 1 to 20: training")).to_be_visible()
    # What is open stays open, what has the focus keeps it, while lines and rows go on.
    summary = page.get_by_text("The same as a table")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="20 0.5033")).to_be_visible()
    note(training, 120)
    expect(page.get_by_role("row", name="120 0.2249")).to_be_visible()
    expect(page.get_by_role("img", name="Loss over steps 1 to 120")).to_be_visible()
    expect(summary).to_be_focused()
    line = page.get_by_role("img", name="Loss").locator("polyline").first
    points = [tuple(map(float, one.split(","))) for one in (line.get_attribute("points") or "").split()]
    assert len(points) == 120 and points[0][0] == 0 and points[-1][0] == 100
    assert all(one[1] < other[1] for one, other in pairwise(points)), "it falls: y grows downward"
    # It ends: the page is loaded anew, and they are still there.
    note(training, 120, JobState.DONE)
    expect(page.locator("[data-state]")).to_have_text("done")
    expect(page.get_by_role("img", name="Loss over steps 1 to 120")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_they_look_right(page: Page, training: Job, watch: Watch, look: tuple[str, int, int]) -> None:
    watch.allow("inline style|widgets.*css")  # of axe itself
    note(training, 120, JobState.DONE)
    page.emulate_media(color_scheme=look[0])  # type: ignore[arg-type]
    page.set_viewport_size({"width": look[1], "height": look[2]})
    page.reload()
    page.get_by_text("The same as a table").click()
    clean(page, f"the curves of a training, {look[0]}")
    for plot in page.locator(".curve-plot").all():
        box = plot.bounding_box()
        assert box and box["width"] > 200 and box["height"] == 180
