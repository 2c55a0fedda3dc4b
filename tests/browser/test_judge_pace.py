"""A session tells its pace, and after a long stretch that a break is due."""

import re

from playwright.sync_api import Page, expect

from tests.browser.judging import JudgePage, judge_project
from tests.factories import make_member

MINUTE = 60_000  # ms


def test_pace_and_a_break_that_is_due(page: Page, sign_in) -> None:
    project = judge_project(pairs=5)
    sign_in(make_member(project))
    page.clock.install()
    judge = JudgePage(page, project).open()
    rest = page.locator("#rest")

    def work(minutes: int) -> None:
        for _ in range(2 * minutes):
            judge.press("k")
            page.clock.run_for(MINUTE // 2)

    for _ in range(3):
        judge.ready()
        work(1)
        judge.press("0", "0")
        judge.submit()
    # The page's clock goes by itself, too: as long as this machine takes for it.
    expect(page.locator("#pace")).to_have_text(re.compile("3 now, [5-9]\\d s each"))
    work(45)
    expect(rest).to_be_hidden()
    work(4)
    expect(rest).to_contain_text(re.compile("You have judged for 5[0-2] minutes."))
    page.get_by_role("button", name="Close").click()
    work(5)
    expect(rest).to_be_hidden()
    page.clock.run_for(7 * MINUTE)  # a break
    work(45)
    expect(rest).to_be_hidden()
