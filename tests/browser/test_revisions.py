"""Revisions of a project's model in the browser: compared, promoted by keyboard, a judge's words read; in both looks."""

from collections.abc import Callable

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.learning import current_revision
from annotate.models import Project, Rationale, RevisionTest, Role, User
from tests.browser.looking import LOOKS, clean
from tests.factories import make_member, make_project
from tests.review.test_items import judged, make_revision, scored


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def looked(page: Page, request: pytest.FixtureRequest) -> Page:
    theme, width, height = request.param
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    return page


@pytest.fixture
def project(transactional_db: None) -> Project:
    project = make_project(name="Answers", promotion="better")
    comparison = judged(project, ["response1", "response1", "tie"])
    first = make_revision(
        project, 1, accuracy=0.7, accuracy_low=0.6, accuracy_high=0.8, held_out=90, blind_accuracy=0.5
    )
    second = make_revision(project, 2, backend="judge", promoted_at=None, settings={"model": "a-judge"})
    for revision, margin in ((first, 1.25), (second, -0.5)):
        scored(revision, comparison, margin)
    words = "The first names the river and the bridge; the second is shorter and says less."
    Rationale.objects.create(
        revision=second,
        comparison=comparison,
        forward=-1,
        backward=1,
        forward_text=words,
        backward_text=words,
        replies=3,
        cost=0.0005,
    )
    figure = {"value": 0.712345, "low": 0.65, "high": 0.78, "n": 90, "groups": 40}
    one = {"candidate": figure, "against": figure, "difference": figure, "p": 0.0123}
    RevisionTest.objects.create(
        candidate=second,
        against=first,
        read_at=timezone.now(),
        content={
            "protocols": {"without_ties": one, "with_ties": one},
            "takes_over": False,
            "why": "90 decided labels of the reserve are fewer than 100.",
            "left_out": {"judge 2": 3},
        },
    )
    return project


def test_revisions_are_looked_at_and_promoted_by_keyboard(
    looked: Page, project: Project, sign_in: Callable[[User], None]
) -> None:
    sign_in(make_member(project, Role.MANAGER))
    learning = reverse("admin:annotate_project_learning", args=[project.pk])
    looked.goto(learning)
    expect(looked.get_by_role("heading", name="Held against each other")).to_be_visible()
    clean(looked, "learning")
    pair = project.pairs.get()
    looked.goto(reverse("admin:annotate_pair_change", args=[pair.pk]))
    expect(looked.get_by_text("It said something else when the other response came first")).to_be_visible()
    clean(looked, "pair")
    for name in ("Train a large model", "Compare revisions"):
        looked.goto(learning)
        looked.get_by_role("link", name=name).click()
        expect(looked.locator("#content h1, #content-main")).to_have_count(2)
        clean(looked, name)
    looked.goto(learning)
    looked.get_by_role("link", name="Promote or roll back").press("Enter")
    looked.get_by_label("Revision").select_option(label="judge 2, judgments 1")
    clean(looked, "promote")
    looked.get_by_label("Nothing takes over by itself").press("Space")
    looked.get_by_role("button", name="Promote or roll back").press("Enter")
    expect(looked.locator(".messagelist .success")).to_contain_text("Judge 2 is current")
    current = current_revision(project)
    assert current and current.backend == "judge"
    project.refresh_from_db()
    assert project.promotion == "never"
