"""Writing a criterion: advice and limits beside the field, and what the library has already to choose from."""

from playwright.sync_api import Page, expect

from annotate.models import Comparison, Criterion
from tests.browser.judging import CLARITY, JudgePage, heads, judge_project, text_pair
from tests.factories import make_criterion, make_member
from workers import embedding


def test_a_near_duplicate_is_chosen_instead_of_written_again(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, authored_most=2, authored_length=60, authored_k=3)
    pair = text_pair(project, CLARITY)
    known = [make_criterion(project, text) for text in ("The steps are in order.", "It names its sources.")]
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("1", "n")
    field = page.get_by_role("combobox", name="A criterion of your own")
    expect(page.locator("#advice")).to_contain_text("2 others are asked it too.")
    page.keyboard.type("Answer A is nicer")
    expect(page.locator("#advice")).to_contain_text("name the quality, not A or B")
    field.fill("Are the steps in the right order?")
    expect(page.get_by_role("option")).to_have_text([known[0].text])
    judge.press("ArrowDown")
    expect(page.get_by_role("option")).to_have_attribute("aria-selected", "true")
    judge.press("Enter")
    expect(judge.question).to_have_text(known[0].text)
    expect(field).to_have_value("")
    judge.press("2", "n")
    # What stands here already is opened, not added.
    page.keyboard.type("answer is easy to follow")
    page.get_by_role("option", name=CLARITY).click()
    expect(judge.question).to_have_text(CLARITY)
    judge.press("n")
    page.keyboard.type("x" * 70)
    expect(field).to_have_value("x" * 60)
    field.fill("It is  kind.")
    judge.press("Enter")
    expect(judge.question).to_have_text("It is kind.")
    expect(field).to_be_disabled()
    judge.press("8")
    judge.submit()
    judge.saved()
    assert heads(pair).keys() == {CLARITY, known[0].text, "It is kind."}
    assert Criterion.objects.filter(author__isnull=False).get().text == "It is kind."
    authored = Comparison.objects.filter(pair=pair, author__isnull=False)
    assert sorted(authored.values_list("criterion__text", "k")) == [("It is kind.", 3), (known[0].text, 3)]


def test_who_else_is_asked_is_said_by_the_projects_policy(page: Page, sign_in) -> None:
    project = judge_project(pairs=1, authored_sharing="review")
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("n")
    expect(page.locator("#advice")).to_contain_text("Others are asked it once a moderator has accepted it.")


def test_what_it_means_is_offered_when_a_worker_has_told(page: Page, sign_in) -> None:
    """There is none here until the test does its work: nothing is offered, and nobody waits."""
    project = judge_project(pairs=1)
    make_criterion(project, "The narrative holds the reader's interest.")
    embedding.embed_missing()
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("n")
    with page.expect_response("**/criteria/?like=*") as asked:
        page.get_by_role("combobox").fill("Which tale grips whoever hears it?")
    assert asked.value.json() == {"criteria": [], "pending": True}
    embedding.embed_typed("Which tale grips whoever hears it?")
    page.get_by_role("combobox").fill("Which tale grips whoever hears it? ")  # typed on
    expect(page.get_by_role("option")).to_have_text("The narrative holds the reader's interest.")
