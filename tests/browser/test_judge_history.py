"""Going back through what one judged: a change is a revision, and looking alone changes nothing."""

from playwright.sync_api import Page, expect

from annotate.models import Annotator, Judgment
from tests.browser.judging import CLARITY, TRUTH, JudgePage, heads, judge_project, text_pair
from tests.factories import make_member


def test_a_judged_pair_is_opened_again_and_revised(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    pairs = [text_pair(project, CLARITY, TRUTH, prompt=f"Ask {n}.") for n in range(4)]
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    done = []
    for _ in range(3):
        done.append(judge.prompt)
        judge.press("1", "8")
        judge.submit()
    judge.saved()
    at_hand = judge.prompt
    judge.press("1", ";")
    past = page.get_by_role("dialog", name="Pairs that you judged")
    expect(past.locator(".past > span:first-child")).to_have_text(done[::-1])
    expect(past.locator(".past").first.locator(".result")).to_have_text(["A much better", "B much better"])
    judge.press("Tab", "Tab", "Enter")  # the oldest of them
    expect(page.locator("#prompt .asked p")).to_have_text(done[0])
    expect(page.locator("#lease")).to_have_text("Judged before: a change is kept as a revision")
    expect(page.locator("#judged")).to_have_text("2 of 2 judged")
    judge.press("4")
    with page.expect_response("**/submit/"):
        judge.submit()
    # The pair in hand is back, with its draft.
    assert judge.prompt == at_hand
    expect(page.locator("#judged")).to_have_text("1 of 2 judged")
    revised = next(pair for pair in pairs if pair.prompt.turns[0]["text"] == done[0])
    rows = Judgment.objects.filter(comparison__pair=revised).order_by("created_at")
    assert [(row.verdict == "tie", row.supersedes_id is not None) for row in rows] == [
        (False, False),
        (False, False),
        (True, True),
    ]
    assert len(heads(revised)) == 2
    assert Annotator.objects.get().judged_pairs == 3
    before = Judgment.objects.count()
    for leave in ("Enter", "s"):  # nothing changed; changed, but left
        judge.press(";")
        past.get_by_role("button", name=done[1]).click()
        expect(page.locator("#prompt .asked p")).to_have_text(done[1])
        if leave == "s":
            judge.press("5")
        judge.press(leave)
        expect(page.locator("#prompt .asked p")).to_have_text(at_hand)
    judge.press(";")
    past.get_by_role("button", name=done[1]).click()
    expect(page.locator("#prompt .asked p")).to_have_text(done[1])
    expect(page.locator(".line .result, .now [aria-checked=true]").first).not_to_have_text("Both bad")
    judge.press("s")
    expect(page.locator("#prompt .asked p")).to_have_text(at_hand)
    expect(page.locator("#judged")).to_have_text("1 of 2 judged")
    judge.press("8")
    judge.submit()
    judge.saved()
    assert Judgment.objects.count() == before + 2
