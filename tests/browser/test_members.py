"""People in a real browser: they join by a link, are paused, have had enough for a day, and come from Prolific."""

import csv
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, expect

from annotate.actions.crowd import make_crowd_link
from annotate.actions.invitations import make_link
from annotate.actions.members import pause_member, resume_member
from annotate.models import Annotator, CrowdArrival, Judgment, Membership, Role, User
from tests.browser.conftest import Watch
from tests.browser.judging import JudgePage, judge_project
from tests.browser.looking import LOOKS, clean
from tests.factories import make_member, make_project, make_user

IDS = "PROLIFIC_PID=5f8a1b2c3d4e5f6a7b8c9d0e&STUDY_ID=60a1b2c3d4e5f6a7b8c9d0e1&SESSION_ID=61b2c3d4e5f6a7b8c9d0e1f2"


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def looked(page: Page, request: pytest.FixtureRequest) -> Page:
    theme, width, height = request.param
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    return page


def test_somebody_joins_by_a_link(looked: Page, watch: Watch, sign_in: Callable[[User], None]) -> None:
    project = make_project(name="Which answer is kinder")
    token = make_link(by=None, project=project, role=Role.ANNOTATOR, uses=2).token
    path = reverse("join", args=[token])
    looked.goto(path)
    expect(looked.locator("h1")).to_have_text(project.name)
    clean(looked, "join")
    looked.get_by_label("Name").fill("ada")
    looked.get_by_label("Password", exact=True).fill("12345678")
    looked.get_by_label("Password once more").fill("12345678")
    looked.keyboard.press("Enter")
    expect(looked.get_by_role("alert").first).to_be_visible()
    clean(looked, "a password that is too weak")
    looked.get_by_label("Password", exact=True).fill("correct horse battery")
    looked.get_by_label("Password once more").fill("correct horse battery")
    looked.keyboard.press("Enter")
    expect(looked.locator(".message").filter(has_text="You are in")).to_be_visible()
    expect(looked.locator("h2")).to_have_text(project.name)
    looked.goto(path)
    expect(looked.get_by_text("a member of this project already")).to_be_visible()
    clean(looked, "join as a member")
    sign_in(make_user(password=None))
    looked.goto(path)
    clean(looked, "join with an account")
    looked.get_by_role("button", name="Join").click()
    expect(looked.locator(".message").filter(has_text="You are in")).to_be_visible()
    assert project.memberships.count() == 2
    watch.allow("404")
    looked.goto(path)
    expect(looked.locator("h1")).to_have_text("This link opens nothing")
    clean(looked, "a link that is used up")


def test_a_manager_downloads_the_links(page: Page, sign_in: Callable[[User], None], tmp_path: Path) -> None:
    project = make_project()
    sign_in(make_member(project, Role.MANAGER))
    page.goto(reverse("admin:annotate_project_act", args=[project.pk, "invite"]))
    page.get_by_label("Rows").fill("ada@example.org,annotator\nbob@example.org,reviewer,expert")
    page.get_by_role("button", name="Invite by a list").click()
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download as CSV").click()
    kept = tmp_path / "links.csv"
    downloaded.value.save_as(kept)
    assert downloaded.value.suggested_filename == f"{project.slug}-links.csv"
    rows = list(csv.DictReader(kept.open(newline="")))
    assert [(row["email"], row["role"]) for row in rows] == [
        ("ada@example.org", "annotator"),
        ("bob@example.org", "reviewer"),
    ]
    page.context.clear_cookies()
    page.goto(urlsplit(rows[1]["link"]).path)
    expect(page.locator("h1")).to_have_text(project.name)


def test_who_is_paused_is_told_and_goes_on_when_resumed(
    page: Page, watch: Watch, sign_in: Callable[[User], None]
) -> None:
    watch.allow("409")
    project = judge_project(pairs=4)
    user = make_member(project)
    sign_in(user)
    judge = JudgePage(page, project).open()
    membership = Membership.objects.get(user=user)
    judge.press("1", "1")
    pause_member(by=None, membership=membership, reason="A talk first, please.")
    judge.press("Enter")  # what was begun is taken
    blank = page.locator("#blank")
    expect(blank).to_contain_text("You are paused here")
    expect(blank).to_contain_text("A talk first, please.")
    clean(page, "judge, paused")
    judge.saved()
    assert Judgment.objects.filter(annotator__user=user).count() == 2
    page.goto("/")
    expect(page.locator(".projects")).to_contain_text("A talk first, please.")
    clean(page, "home, paused")
    page.goto(f"/judge/{project.slug}/")
    expect(blank).to_contain_text("You are paused here")
    resume_member(by=None, membership=membership)
    page.get_by_role("button", name="Look again").click()
    judge.ready()


def test_who_has_judged_enough_for_a_day_is_told(
    page: Page, watch: Watch, sign_in: Callable[[User], None]
) -> None:
    watch.allow("409")
    project = judge_project(pairs=4, most_a_day=2)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    for _ in range(2):
        judge.press("1", "1")
        judge.submit()
    expect(page.locator("#blank")).to_contain_text("Enough for today")
    clean(page, "judge, enough")
    assert Annotator.objects.get().judged_pairs == 2


def test_a_participant_from_prolific_begins_judges_and_gets_the_code(
    looked: Page, watch: Watch, context: BrowserContext
) -> None:
    watch.allow("409")
    project = judge_project(
        pairs=5, crowd_open=True, crowd_pairs=2, crowd_code="C0DE-1", crowd_out_code="OUT-1"
    )
    key = make_crowd_link(by=None, project=project)
    link = f"{reverse('crowd', args=[project.slug])}?key={key}&{IDS}"
    looked.goto(link)
    expect(looked.locator("h1")).to_have_text(project.name)
    clean(looked, "arrival")
    looked.get_by_role("button", name="Begin").click()
    judge = JudgePage(looked, project).ready()
    expect(looked.locator("#count")).to_have_text("0 of 2")
    for _ in range(2):
        judge.press("1", "1")
        judge.submit()
    blank = looked.locator("#blank")
    expect(blank).to_contain_text("C0DE-1")
    back = looked.get_by_role("link", name="Back to Prolific")
    expect(back).to_have_attribute("href", "https://app.prolific.com/submissions/complete?cc=C0DE-1")
    clean(looked, "judge, all done")
    looked.goto("/")
    expect(looked.get_by_text("C0DE-1")).to_be_visible()
    clean(looked, "home, all done")
    assert CrowdArrival.objects.count() == 1 and Annotator.objects.get().judged_pairs == 2
    # Another browser with the same link is not let in.
    watch.allow("403")
    context.clear_cookies()
    looked.goto(link)
    looked.get_by_role("button", name="Begin").click()
    expect(looked.locator("h1")).to_have_text("You have begun in another browser")
    clean(looked, "arrival, elsewhere")
