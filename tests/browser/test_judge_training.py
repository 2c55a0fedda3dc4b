"""Training with feedback and the quiz, passed and failed, on the judge page."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from annotate.actions.gold import mark_gold
from annotate.models import Claim, Judgment, Project, Qualification, Role
from tests.browser.conftest import Watch
from tests.browser.judging import JudgePage
from tests.browser.looking import LOOKS, clean
from tests.factories import make_annotator, make_comparison, make_member, make_pair
from tests.queue.controls import control
from tests.queue.trying import answered, claim, gated, trained, tried

NO_LINE = r"net::ERR_(INTERNET_DISCONNECTED|FAILED|CONNECTION)"


def begun(page: Page, project: Project, title: str = "First, some training") -> JudgePage:
    """The page, with what is told before the first pair behind it."""
    page.goto(f"/judge/{project.slug}/")
    return begin(JudgePage(page, project), title)


def begin(judge: JudgePage, title: str) -> JudgePage:
    expect(judge.page.locator("#blank h2")).to_have_text(title)
    judge.press("Enter")
    return judge.ready()


def key_of(judge: JudgePage, right: bool = True) -> str:
    """The key that says the known answer, which is response 1, or its opposite, on the scale of five."""
    first_is_a = "The first answer" in judge.page.locator("#body-a").inner_text()
    return "1" if first_is_a == right else "5"


def answer(judge: JudgePage, right: bool = True) -> None:
    judge.press(key_of(judge, right), "Enter")


def feedback(page: Page) -> Any:
    return page.locator(".feedback")


def project_of(**fields: Any) -> Project:
    return gated(scale=5, guidelines="Read both.", **fields)


def test_training_with_feedback_then_the_quiz_is_passed_and_pairs_count(page: Page, sign_in) -> None:
    project = project_of(training=2, quiz=2)
    sign_in(make_member(project))
    judge = begun(page, project)
    expect(page.locator("#count")).to_have_text("Training: 1 of 2")
    answer(judge, right=False)
    expect(feedback(page)).to_contain_text("Not as it is known")
    expect(feedback(page)).to_contain_text("Rule 1.")
    expect(page.locator("#submit-words")).to_have_text("Go on")
    judge.press("1", "U", "S")  # nothing of it changes the answer
    expect(judge.hint).to_have_text("What was answered in training and quiz stands.")
    expect(feedback(page)).to_be_visible()
    judge.press("Enter")
    expect(page.locator("#count")).to_have_text("Training: 2 of 2")
    answer(judge)
    expect(feedback(page)).to_contain_text("As it is known")
    judge.press("Enter")
    expect(page.locator("#blank h2")).to_have_text("Now a short quiz")
    expect(page.locator("#blank")).to_contain_text("2 answers are asked for. 2 must be right")
    judge.press("Enter")
    judge.ready()
    for n in (1, 2):
        expect(page.locator("#count")).to_have_text(f"Quiz: {n} of 2")
        answer(judge)
    begin(judge, "You are in")
    expect(page.locator("#count")).to_have_text("0 of 8")
    assert feedback(page).count() == 0
    judge.press("1")
    judge.submit()
    judge.saved()
    assert Qualification.objects.get().way == "quiz"
    assert Claim.objects.filter(kind="label", outcome="submitted").count() == 1
    assert not Claim.objects.filter(kind="training", read_at=None).exists()


def test_feedback_stays_over_a_reload_and_over_a_lost_connection(
    page: Page, context: BrowserContext, sign_in, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    project = project_of(training=2, quiz=1)
    sign_in(make_member(project))
    judge = begun(page, project)
    answer(judge)
    expect(feedback(page)).to_be_visible()
    page.reload()
    expect(feedback(page)).to_contain_text("As it is known")
    expect(feedback(page)).to_contain_text("Rule 1.")
    judge.press("Enter")
    expect(page.locator("#count")).to_have_text("Training: 2 of 2")
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    answer(judge, right=False)
    expect(judge.hint).to_contain_text("on its way")
    assert feedback(page).count() == 0
    context.set_offline(False)
    expect(feedback(page)).to_contain_text("Not as it is known")
    assert Judgment.objects.count() == 2
    judge.press("Enter")
    expect(page.locator("#blank h2")).to_have_text("Now a short quiz")


def test_a_failed_quiz_is_told_kindly_and_another_attempt_can_be_made(
    page: Page, sign_in, watch: Watch
) -> None:
    watch.allow("409")
    project = project_of(training=0, quiz=2, quiz_attempts=2, quiz_wait=0, quiz_share=1)
    sign_in(make_member(project))
    judge = begun(page, project, "Now a short quiz")
    answer(judge, right=False)
    expect(page.locator("#count")).to_have_text("Quiz: 2 of 2")
    answer(judge)
    expect(page.locator("#blank h2")).to_have_text("Now a short quiz")
    expect(page.locator("#blank")).to_contain_text("You had 1 of 2 right in the quiz; 2 are needed.")
    expect(page.locator("#blank")).to_contain_text("You have one attempt")
    judge.press("Enter")
    judge.ready()
    answer(judge, right=False)
    expect(page.locator("#count")).to_have_text("Quiz: 2 of 2")
    answer(judge, right=False)
    expect(page.locator("#blank h2")).to_have_text("The quiz")
    expect(page.locator("#blank")).to_contain_text("You had 0 of 2 right in the quiz; 2 are needed.")
    expect(page.locator("#blank")).to_contain_text("they can let you in")
    assert not Claim.objects.filter(kind="label").exists()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_it_looks_right(look: Any, page: Page, sign_in, watch: Watch) -> None:
    watch.allow("409")
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = project_of(training=1, quiz=1, quiz_attempts=1)
    sign_in(make_member(project))
    page.goto(f"/judge/{project.slug}/")
    judge = JudgePage(page, project)
    expect(page.locator("#blank h2")).to_be_visible()
    clean(page, "before training")
    begin(judge, "First, some training")
    clean(page, "training")
    answer(judge, right=False)
    expect(feedback(page)).to_be_visible()
    clean(page, "feedback")
    page.screenshot(path=f"/tmp/quiz-feedback-{theme}.png")
    judge.press("Enter")
    expect(page.locator("#blank h2")).to_have_text("Now a short quiz")
    clean(page, "before the quiz")
    page.screenshot(path=f"/tmp/quiz-before-{theme}.png")
    begin(judge, "Now a short quiz")
    answer(judge, right=False)
    expect(page.locator("#blank h2")).to_have_text("The quiz")
    clean(page, "failed")
    page.screenshot(path=f"/tmp/quiz-failed-{theme}.png")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_the_managers_page_looks_right_and_works_by_keys(look: Any, page: Page, sign_in) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = gated(training=2, quiz=1, quiz_wait=0, attention_share=0.5)
    for _ in range(3):
        annotator = make_annotator(project, make_member(project))
        trained(annotator)
        tried(annotator, False)
        claim(annotator)
    check = make_comparison(
        make_pair(project, prompt="Choose the one that says first."), "Which do you like?"
    )
    mark_gold(by=None, comparison=check, verdict="response1", kind="attention")
    Project.objects.filter(pk=project.pk).update(qualify=False)
    other = make_annotator(project)
    found = control(other)
    assert found
    answered(found, right=False)
    sign_in(make_member(project, Role.MANAGER))
    page.goto(f"/dashboard/{project.slug}/training/")
    expect(page.get_by_text("Most get it wrong")).to_have_count(1)
    expect(page.get_by_role("table", name="Missed checks")).to_contain_text(other.pseudonym)
    clean(page, "training")
    page.screenshot(path=f"/tmp/quiz-manager-{theme}.png", full_page=True)
    down = page.get_by_role("button", name="Down training 1?")
    down.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is number 2 of the set now")
    page.get_by_role("button", name="Ask everybody again").click()
    expect(page.get_by_role("status")).to_contain_text("Round 2")
