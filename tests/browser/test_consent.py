"""The judge page goes to the consent page when it must, with nothing lost, and comes back after agreeing."""

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from annotate.actions.consents import answer_consent, make_consent_text
from annotate.actions.groups import make_group
from annotate.models import Consent, Judgment, Role
from tests.browser.conftest import Watch
from tests.browser.judging import CLARITY, JudgePage, judge_project, text_pair
from tests.browser.looking import LOOKS, clean
from tests.factories import make_annotator, make_member

TEXT = """# What we keep

Your **verdicts**, for [research](https://example.org/).

<img src=x onerror="document.title='broken in'"><script>document.title='broken in'</script>

[a trap](javascript:document.title='broken%20in')
"""
NO_LINE = r"net::ERR_(INTERNET_DISCONNECTED|FAILED|CONNECTION)"
ASKED = "409"  # what the console says of the claim that is refused


def test_asked_before_the_first_pair_and_back_after_agreeing(page: Page, sign_in, watch: Watch) -> None:
    watch.allow(ASKED)
    project = judge_project(pairs=3)
    make_consent_text(by=None, project=project, text=TEXT)
    sign_in(make_member(project))
    page.goto(f"/judge/{project.slug}/")
    page.wait_for_url(re.compile("/consent/"))
    expect(page.locator("#consent-text h1")).to_have_text("What we keep")
    expect(page.locator("#consent-text strong")).to_have_text("verdicts")
    expect(page.locator("#consent-text").get_by_role("link")).to_have_count(1)  # the trap leads nowhere
    assert page.locator("#consent-text :is(img, script)").count() == 0
    assert "broken in" not in page.title()
    page.get_by_role("button", name="I agree").click()
    page.wait_for_url(re.compile("/judge/"))
    expect(page.locator("#sides")).to_be_visible()
    assert Consent.objects.get().given


def test_declining_leads_home_and_can_be_undone(page: Page, sign_in, watch: Watch) -> None:
    project = judge_project(pairs=3)
    make_consent_text(by=None, project=project, text=TEXT)
    sign_in(make_member(project))
    page.goto(f"/consent/{project.slug}/")
    page.get_by_role("button", name="I decline").click()
    expect(page.get_by_role("status").filter(has_text="You declined")).to_be_visible()
    page.get_by_role("link", name="Consent to").click()
    expect(page.get_by_text("You declined this on")).to_be_visible()
    page.get_by_role("button", name="I agree").click()
    page.wait_for_url(re.compile("/judge/"))
    expect(page.locator("#sides")).to_be_visible()


def test_a_new_version_loses_neither_draft_nor_answers(
    page: Page, context: BrowserContext, sign_in, watch: Watch
) -> None:
    """Pairs in hand are finished first, what waits is sent, and only then is the page left."""
    watch.allow(f"{NO_LINE}|{ASKED}")
    project = judge_project(pairs=0, claims_in_hand=2)
    for _ in range(5):
        text_pair(project, CLARITY)
    make_consent_text(by=None, project=project, text=TEXT)
    user = make_member(project)
    answer_consent(user=user, project=project, version=1, given=True)
    sign_in(user)
    judge = JudgePage(page, project).open()
    page.wait_for_load_state("networkidle")
    make_consent_text(by=None, project=project, text="A new text.")
    context.set_offline(True)
    judge.press("1")
    judge.submit()
    judge.press("1")
    judge.submit()
    expect(judge.state).to_have_text("Offline, 2 waiting")
    context.set_offline(False)
    page.wait_for_url(re.compile("/consent/"))
    assert Judgment.objects.count() == 2
    expect(page.locator("#consent-text")).to_have_text("A new text.")
    page.get_by_role("button", name="I agree").click()
    page.wait_for_url(re.compile("/judge/"))
    expect(page.locator("#sides")).to_be_visible()


def test_a_draft_survives_the_way_to_the_page_and_back(page: Page, sign_in, watch: Watch) -> None:
    watch.allow(ASKED)
    project = judge_project(pairs=3, claims_in_hand=1)
    make_consent_text(by=None, project=project, text=TEXT)
    user = make_member(project)
    answer_consent(user=user, project=project, version=1, given=True)
    sign_in(user)
    judge = JudgePage(page, project).open()
    judge.press("1")
    expect(judge.state).to_have_text("Saved on this computer")
    make_consent_text(by=None, project=project, text="A new text.")
    page.goto(f"/consent/{project.slug}/")
    page.get_by_role("button", name="I agree").click()
    page.wait_for_url(re.compile("/judge/"))
    expect(page.locator("#judged")).to_have_text("1 of 2 judged")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_the_pages_look_right(look: Any, page: Page, sign_in) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = judge_project(pairs=2)
    make_consent_text(by=None, project=project, text=TEXT)
    manager = make_member(project, Role.MANAGER)
    make_group(by=None, project=project, kind="language", name="Korean", asked=True)
    sign_in(manager)
    page.goto(f"/consent/{project.slug}/")
    expect(page.locator("#consent-text.rendered")).to_be_visible()
    clean(page, "consent")
    answer_consent(user=manager, project=project, version=1, given=True)
    for path, heading in (
        (f"/dashboard/{project.slug}/consent/", "consent"),
        (f"/dashboard/{project.slug}/audit/", "audit trail"),
        (f"/dashboard/{project.slug}/groups/", "groups"),
        ("/", "Projects"),
    ):
        page.goto(path)
        expect(page.locator("h1")).to_contain_text(heading)
        clean(page, path)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_the_page_to_withdraw_looks_right(look: Any, page: Page, sign_in, watch: Watch) -> None:
    watch.allow("400")
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    project = judge_project(pairs=2)
    user = make_member(project)
    make_annotator(project, user)
    sign_in(user)
    page.goto("/")
    clean(page, "home with a way out")
    page.get_by_role("link", name="Withdraw from").click()
    clean(page, "withdraw")
    page.get_by_label("Your password").fill("wrong")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("alert")).to_be_visible()
    clean(page, "withdraw, wrong password")
    page.get_by_label("Your password").fill("pass")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("status").filter(has_text="You have withdrawn")).to_be_visible()
