"""Moderating criteria in a browser: by keys alone, many at once, undone, and told where somebody else was first."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.actions import moderation
from annotate.models import CriteriaRun, Criterion, Job, Project, Proposal, Role, User
from tests.browser.looking import LOOKS, clean
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
)

TEXTS = (
    "The steps are in the right order.",
    "Are the steps in a right order?",
    "It names its sources.",
    "asdf",
)


def project_with_a_queue() -> Project:
    project = make_project(slug="moderated", name="Moderated", authored_sharing="review")
    make_criterion(project, "The order of the steps is right.")
    author = make_annotator(project, pseudonym="heron")
    for text in TEXTS:
        criterion = make_criterion(project, text, state="proposed", in_library=False, author=author)
        comparison = make_comparison(make_pair(project, prompt="How do I bake bread?"), criterion)
        judge(comparison, "response1", author)
    return project


def states() -> dict[str, str]:
    return dict(Criterion.objects.values_list("text", "state"))


def row(page: Page, text: str) -> Any:
    return page.locator("#rows li").filter(has_text=text)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_a_queue_is_worked_off_by_keys(
    look: tuple[Any, int, int], page: Page, sign_in: Callable[[User], None]
) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    sign_in(make_member(project_with_a_queue(), Role.REVIEWER))
    page.goto("/projects/moderated/criteria/")
    told, current = page.locator("#told"), page.locator("#rows li[aria-current]")
    expect(current).to_contain_text(TEXTS[0])
    expect(current).to_contain_text("by heron")
    expect(page.locator("#details")).to_contain_text("The order of the steps is right.")
    clean(page, "a queue")

    press(page, "a")
    expect(told).to_have_text(f"Accepted: “{TEXTS[0]}”.")
    expect(current).to_contain_text(TEXTS[1])
    press(page, "m")
    expect(page.locator("#into-list li").first).to_contain_text("alike")
    clean(page, "merging")
    page.keyboard.type("order of")
    expect(page.locator("#into-list li")).to_have_count(1)
    press(page, "Enter")
    expect(told).to_have_text(f"Merged: “{TEXTS[1]}”.")
    expect(current).to_contain_text(TEXTS[2])
    press(page, "x", "x")  # both that are left
    expect(page.locator("[data-deed=reject]")).to_contain_text("Reject 2")
    press(page, "r")
    clean(page, "rejecting")
    page.keyboard.type("Not a criterion.")
    press(page, "Enter")
    expect(told).to_have_text("Rejected: 2.")
    expect(page.locator("[data-count=proposed]")).to_have_text("0")
    assert states() == {
        "The order of the steps is right.": "accepted",
        TEXTS[0]: "accepted",
        TEXTS[1]: "proposed",  # it goes by what it was merged into
        TEXTS[2]: "rejected",
        TEXTS[3]: "rejected",
    }
    press(page, "u")
    expect(told).to_have_text("Undone: 2.")
    press(page, "u")
    expect(told).to_have_text(f"Undone: “{TEXTS[1]}”.")
    assert not Criterion.objects.filter(canonical__isnull=False).exists()
    expect(page.locator("[data-count=proposed]")).to_have_text("3")
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    clean(page, "keys")
    page.get_by_label("Single keys act at once").uncheck()
    press(page, "Escape", "a")
    expect(told).to_have_text(f"Undone: “{TEXTS[1]}”.")
    page.goto("/projects/moderated/criteria/?show=retired")
    expect(page.locator("#nothing")).to_be_visible()
    clean(page, "an empty list")


def test_who_is_second_is_told_and_sees_what_was_decided(page: Page, sign_in: Callable[[User], None]) -> None:
    project = project_with_a_queue()
    sign_in(make_member(project, Role.MANAGER))
    page.goto("/projects/moderated/criteria/")
    expect(page.locator("#rows li")).to_have_count(4)
    moderation.reject_criterion(by=None, criterion=Criterion.objects.get(text=TEXTS[0]), reason="Vague.")
    page.locator("[data-deed=accept]").click()
    expect(page.locator("#told")).to_contain_text("Somebody decided")
    expect(row(page, TEXTS[0])).to_contain_text("because: Vague.")
    assert states()[TEXTS[0]] == "rejected"
    # Undone by who looks at it, though it was another's decision: the history tells.
    expect(page.locator("#details")).to_contain_text("by the system, because: Vague.")
    page.locator("#undo").click()
    expect(page.locator("#told")).to_contain_text("Undone")
    assert states()[TEXTS[0]] == "proposed"


def test_what_comes_meanwhile_is_told_and_shown(page: Page, sign_in: Callable[[User], None]) -> None:
    project = project_with_a_queue()
    sign_in(make_member(project, Role.REVIEWER))
    page.clock.install()
    page.goto("/projects/moderated/criteria/")
    expect(page.locator("#rows li")).to_have_count(4)
    make_criterion(project, "A fifth.", state="proposed", in_library=False)
    page.clock.fast_forward(6_000)
    expect(page.locator("[data-count=proposed]")).to_have_text("5")
    page.get_by_role("button", name="Show what is new").click()
    expect(page.locator("#rows li")).to_have_count(5)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_what_models_wrote_stands_with_what_they_said(
    look: tuple[Any, int, int], page: Page, sign_in: Callable[[User], None]
) -> None:
    theme, width, height = look
    project = make_project(slug="written", name="Written")
    job = Job.objects.create(kind="write", project=project, state="done")
    run = CriteriaRun.objects.create(project=project, job=job, digest="0" * 64, recipe={}, writer="scribe")
    pair = make_pair(project, prompt="How do I bake bread?", external_id="bread")
    criterion = make_criterion(project, "It is brief.", state="proposed", in_library=False)
    said = {"verdict": "response2", "detail": "", "rationale": "Few words."}
    Proposal.objects.create(
        run=run,
        pair=pair,
        n=1,
        text=criterion.text,
        label="response2",
        why="Two words against twenty.",
        state="accepted",
        sampled=True,
        criterion=criterion,
        comparison=make_comparison(pair, criterion),
        verdicts=[
            {**said, "judge": "first", "swapped": "response2", "agrees": True},
            {**said, "judge": "second", "swapped": "tie", "agrees": False},
        ],
    )
    sign_in(make_member(project, Role.REVIEWER))
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    page.goto("/projects/written/criteria/?show=written")
    expect(row(page, "It is brief.")).to_contain_text("by the model scribe")
    details = page.locator("#details")
    expect(details).to_contain_text("On test/bread, scribe: response 2 wins")
    expect(details).to_contain_text("Two words against twenty.")
    expect(details).to_contain_text("first: response 2, and response 2 in the other order")
    expect(details).to_contain_text("second: response 2, and tie in the other order")
    clean(page, "what models said")
    press(page, "a")
    expect(page.locator("#told")).to_contain_text("Accepted")
    assert states() == {"It is brief.": "accepted"}
