"""Nothing that was judged is lost or doubled: not by a cut line, a closed tab, a double click or an ended session."""

import json
import uuid
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import APIResponse, BrowserContext, Page, Route, expect

from annotate.actions.queue import expire_claims
from annotate.models import Claim, ClaimDraft, Judgment, Outcome, Verdict
from tests.browser.conftest import Watch
from tests.browser.judging import CLARITY, JudgePage, judge_project, text_pair
from tests.factories import make_member, make_user

NO_LINE = r"net::ERR_(INTERNET_DISCONNECTED|FAILED|CONNECTION)"


@pytest.fixture
def judge(page: Page, sign_in) -> JudgePage:
    """A pair on screen, of a project with ten pairs of one criterion; four in hand."""
    project = judge_project(pairs=0, claims_in_hand=4)
    for _ in range(10):
        text_pair(project, CLARITY)
    sign_in(make_member(project))
    return JudgePage(page, project).open()


def in_hand(page: Page, count: int) -> None:
    """Waits until the server holds as many claims for the page, and the page has them."""
    page.wait_for_load_state("networkidle")
    assert Claim.objects.filter(outcome=Outcome.HELD).count() == count


def submits(claim: str = "*") -> str:
    return f"**/api/v1/claims/{claim}/submit/"


def test_states_are_told_apart(judge: JudgePage, watch: Watch) -> None:
    watch.allow(NO_LINE)
    in_hand(judge.page, 4)
    expect(judge.state).to_have_text("Saved")
    judge.press("1")
    expect(judge.state).to_have_text("Saved on this computer")
    judge.page.context.set_offline(True)
    expect(judge.state).to_have_text("Offline")
    judge.submit()
    expect(judge.state).to_have_text("Offline, 1 waiting")
    judge.press("1")
    judge.submit()
    expect(judge.state).to_have_text("Offline, 2 waiting")
    judge.page.context.set_offline(False)
    judge.saved()
    assert Judgment.objects.count() == 2


def test_offline_to_the_last_pair_then_the_tab_closed_and_opened_again(
    judge: JudgePage, context: BrowserContext, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    page = judge.page
    in_hand(page, 4)
    context.set_offline(True)
    for _ in range(4):
        judge.press("1")
        judge.submit()
    expect(page.locator("#blank h2")).to_have_text("You are offline")
    expect(judge.state).to_have_text("Offline, 4 waiting")
    page.close()
    assert Judgment.objects.count() == 0
    context.set_offline(False)
    again = JudgePage(context.new_page(), judge.project).open()
    again.saved()
    expect(again.page.locator("#count")).to_have_text("4 of 10")
    assert Judgment.objects.count() == 4
    assert Claim.objects.filter(outcome=Outcome.SUBMITTED).count() == 4


def test_what_a_closed_tab_left_is_sent_from_the_projects_page(
    judge: JudgePage, context: BrowserContext, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    in_hand(judge.page, 4)
    context.set_offline(True)
    judge.press("1")
    judge.submit()
    judge.page.close()
    context.set_offline(False)
    home = context.new_page()
    with home.expect_response(submits()):
        home.goto("/")
    expect(home.locator("#waiting")).to_be_hidden()
    assert Judgment.objects.count() == 1


def test_an_answer_whose_acknowledgement_was_lost_is_stored_once(judge: JudgePage, watch: Watch) -> None:
    watch.allow(NO_LINE)
    sent: list[str] = []

    def lose_the_first(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) == 1:
            route.fetch()  # the server commits ...
            route.abort()  # ... and the page never hears of it
        else:
            route.continue_()

    judge.page.route(submits(), lose_the_first)
    judge.press("1")
    judge.submit()
    judge.saved()
    assert len(sent) == 2 and sent[0] == sent[1]
    assert Judgment.objects.count() == 1


def test_a_server_that_is_away_is_asked_again(judge: JudgePage, watch: Watch) -> None:
    watch.allow("503")
    tries = []

    def away_twice(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) < 3:
            route.fulfill(
                status=503, content_type="application/json", body='{"error": {"code": "database_away"}}'
            )
        else:
            route.continue_()

    judge.page.route(submits(), away_twice)
    judge.press("1")
    judge.submit()
    expect(judge.state).to_have_text("Server busy, 1 waiting")
    judge.saved()
    assert len(tries) == 3 and Judgment.objects.count() == 1


def test_double_clicks_and_doubled_keys_submit_once(judge: JudgePage) -> None:
    judge.press("1")
    first = judge.prompt
    judge.page.locator("#submit").dblclick()
    expect(judge.page.locator("#prompt .asked p")).not_to_have_text(first)
    judge.saved()
    second = judge.prompt
    judge.press("1")
    judge.page.evaluate(
        "() => { for (let i = 0; i < 3; i++) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter', bubbles: true})) }"
    )
    expect(judge.page.locator("#prompt .asked p")).not_to_have_text(second)
    judge.saved()
    assert Judgment.objects.count() == 2
    assert Claim.objects.filter(outcome=Outcome.SUBMITTED).count() == 2


def test_a_reload_restores_the_draft(page: Page, sign_in) -> None:
    project = judge_project(pairs=2)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    prompt, first = judge.prompt, judge.question.inner_text()
    judge.press("6", "r")
    page.keyboard.type("Because.")
    judge.press("Escape", "n")
    page.keyboard.type("Half a crit")
    expect(judge.state).to_have_text("Saved on this computer")
    page.reload()
    judge.ready()
    assert judge.prompt == prompt
    expect(judge.lines.first).to_contain_text(f"{first}B slightly better")
    expect(page.get_by_role("textbox", name="Why")).to_have_value("Because.")
    expect(page.get_by_role("combobox", name="A criterion of your own")).to_have_value("Half a crit")
    assert Claim.objects.count() == 2  # the same claims, no new ones
    judge.press("Escape", "2")
    page.get_by_role("combobox", name="A criterion of your own").fill("")
    judge.press("Escape")
    judge.submit()
    judge.saved()
    assert Judgment.objects.count() == 2


def test_another_computer_goes_on_with_the_draft(page: Page, sign_in) -> None:
    project = judge_project(pairs=1)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    first = judge.question.inner_text()
    with page.expect_response("**/draft/") as kept:
        judge.press("6", "r")
        page.keyboard.type("Because.")
    assert kept.value.status == 204
    page.goto("/password/")  # where no script has it open
    page.evaluate(
        "() => new Promise((done) => { indexedDB.deleteDatabase('evenhand').onsuccess = () => done(); })"
    )
    judge.open()
    expect(judge.lines.first).to_contain_text(f"{first}B slightly better")
    expect(page.get_by_role("textbox", name="Why")).to_have_value("Because.")
    judge.press("Escape", "2")
    judge.submit()
    judge.saved()
    assert sorted(Judgment.objects.values_list("rationale", flat=True)) == ["", "Because."]
    assert not ClaimDraft.objects.exists()


def test_of_two_computers_drafts_the_later_one_counts_whatever_their_clocks_say(page: Page, sign_in) -> None:
    project = judge_project(pairs=1)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    with page.expect_response("**/draft/"):
        judge.press("6", "r")
        page.keyboard.type("Ours.")
    draft = ClaimDraft.objects.get()
    ours = json.loads(draft.body)
    (row,) = [row for row in ours["rows"] if row["rationale"]]
    other = {**ours, "rows": [{**one, "rationale": "Theirs." if one == row else ""} for one in ours["rows"]]}
    day = 24 * 3600 * 1000
    for made, at, kept in ((day, -60_000, "Ours."), (-day, 60_000, "Theirs.")):
        draft.body = json.dumps(other | {"made": ours["made"] + made, "at": ours["at"] + at})
        draft.save()
        judge.open()
        expect(page.get_by_role("textbox", name="Why")).to_have_value(kept)


def test_leaving_and_coming_back_by_the_back_button(judge: JudgePage) -> None:
    page = judge.page
    in_hand(page, 4)
    prompt = judge.prompt
    judge.press("2")
    page.locator(".brand").click()
    expect(page.locator("h1")).to_have_text("Projects")
    page.go_back()
    judge.ready()
    assert judge.prompt == prompt
    expect(page.get_by_role("radio", name="A better", exact=True)).to_be_checked()
    judge.submit()
    judge.saved()
    assert Judgment.objects.count() == 1


def test_two_tabs_one_judges_and_nothing_is_doubled(judge: JudgePage, context: BrowserContext) -> None:
    prompt = judge.prompt
    judge.press("2")
    other = JudgePage(context.new_page(), judge.project)
    other.page.goto(f"/judge/{judge.project.slug}/")
    expect(other.page.locator("#blank h2")).to_have_text("This project is open in another tab")
    other.page.get_by_role("button", name="Judge here").click()
    other.ready()
    assert other.prompt == prompt
    expect(other.page.get_by_role("radio", name="A better", exact=True)).to_be_checked()
    expect(judge.page.locator("#blank h2")).to_have_text("You went on in another tab")
    judge.press("Enter")  # the tab that was left does nothing
    other.submit()
    other.saved()
    assert Judgment.objects.count() == 1
    judge.page.get_by_role("button", name="Judge here again").click()
    judge.page.get_by_role("button", name="Judge here").click()
    judge.ready()
    assert judge.prompt != prompt


def test_an_ended_session_asks_to_log_in_and_goes_on(judge: JudgePage, watch: Watch) -> None:
    watch.allow("401|400")
    page = judge.page
    judge.press("1")
    Session.objects.all().delete()
    judge.press("Enter")
    dialog = page.get_by_role("dialog", name="Log in to go on")
    expect(dialog).to_be_visible()
    page.keyboard.type("wrong")
    judge.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("correct")
    dialog.get_by_label("Password").fill("pass")
    judge.press("Enter")
    expect(dialog).to_be_hidden()
    judge.saved()
    assert Judgment.objects.count() == 1
    judge.press("1")
    judge.submit()
    judge.saved()
    assert Judgment.objects.count() == 2


def test_answers_wait_for_the_one_who_made_them(
    judge: JudgePage, context: BrowserContext, sign_in, watch: Watch
) -> None:
    watch.allow(f"40[1349]|{NO_LINE}")
    page = judge.page
    in_hand(page, 4)
    context.set_offline(True)
    judge.press("1")
    judge.submit()
    owner = Claim.objects.all()[0].annotator.user
    other = make_member(judge.project, user=make_user("somebody-else"))
    sign_in(other)
    context.set_offline(False)
    page.evaluate("() => dispatchEvent(new Event('focus'))")
    expect(page.get_by_role("dialog", name="Log in to go on")).to_be_visible()
    assert Judgment.objects.count() == 0
    judge.open().saved()  # the other one's own page: nothing of the first one's is sent
    assert Judgment.objects.count() == 0
    sign_in(owner)
    judge.open().saved()
    assert Judgment.objects.get().annotator.user == owner


def test_a_late_answer_is_kept(judge: JudgePage) -> None:
    judge.press("1")
    Claim.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    expire_claims()
    judge.submit()
    judge.saved()
    assert Judgment.objects.get().late


def test_a_refused_answer_can_be_opened_again(judge: JudgePage, watch: Watch) -> None:
    watch.allow("409")
    page = judge.page
    first = judge.prompt
    claim = Claim.objects.get(pair__prompt__turns__0__text=first)
    # Another device judged the same pair in the meantime: this page's answer is a fork.
    answer = {"id": str(uuid.uuid4()), "comparison": claim.comparison_ids[0], "verdict": "a", "strength": 1}
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    done = page.context.request.post(
        f"/api/v1/claims/{claim.pk}/submit/",
        data=json.dumps({"answers": [answer]}),
        headers={"Content-Type": "application/json", "X-CSRFToken": token},
    )
    assert done.ok, done.text()
    judge.press("8")
    judge.submit()
    expect(judge.state).to_have_text("1 answer refused")
    page.get_by_role("button", name="Look at it").click()
    dialog = page.get_by_role("dialog", name="Answers that the server did not take")
    expect(dialog).to_contain_text("newer answer of yours")
    dialog.get_by_role("button", name="Open it again").click()
    expect(page.locator("#prompt .asked p")).to_have_text(first)
    expect(page.get_by_role("radio", name="B much better")).to_be_checked()
    judge.submit()
    judge.saved()
    head = Judgment.objects.get(superseded_by__isnull=True)
    assert head.strength == 3 and str(head.supersedes_id) == answer["id"]


def test_undo_of_an_answer_that_did_not_get_through(judge: JudgePage, watch: Watch) -> None:
    watch.allow(NO_LINE)
    page = judge.page
    in_hand(page, 4)
    first = judge.prompt
    page.route(submits(), lambda route: route.abort())
    judge.press("1")
    judge.submit()
    page.unroute(submits())
    judge.press("u")
    expect(page.locator("#prompt .asked p")).to_have_text(first)
    expect(page.locator("[aria-checked=true]")).to_have_count(1)
    judge.press("8")
    judge.submit()
    judge.saved()
    head = Judgment.objects.get(superseded_by__isnull=True)
    assert head.strength == 3
    assert not Judgment.objects.exclude(pk=head.pk).exclude(comparison=head.comparison).exists()
    assert Judgment.objects.exclude(verdict=Verdict.RETRACTED).filter(superseded_by__isnull=True).count() == 1


def test_a_paused_project_says_so_and_goes_on_by_itself(judge: JudgePage, watch: Watch) -> None:
    watch.allow("409")
    page = judge.page
    in_hand(page, 4)
    type(judge.project).objects.update(state="paused")
    for _ in range(4):
        judge.press("1")
        judge.submit()
    expect(page.locator("#blank h2")).to_have_text("This project is paused")
    judge.saved()
    assert Judgment.objects.count() == 4
    type(judge.project).objects.update(state="open")
    judge.look_again()


def test_looking_again_is_not_answered_by_what_was_asked_before(judge: JudgePage, watch: Watch) -> None:
    watch.allow("409")
    page = judge.page
    in_hand(page, 4)
    type(judge.project).objects.update(state="paused")
    for _ in range(4):
        judge.press("1")
        judge.submit()
    judge.saved()
    page.wait_for_load_state("networkidle")
    asked: list[tuple[Route, APIResponse]] = []

    def hold_the_first(route: Route) -> None:
        if asked or route.request.method != "POST":
            route.continue_()
        else:
            asked.append((route, route.fetch()))

    page.route(f"**/projects/{judge.project.slug}/claims/", hold_the_first)
    again = page.get_by_role("button", name="Look again")
    again.click()
    while not asked:  # until the server has said that the project is paused; the page has not heard it
        page.wait_for_timeout(20)
    type(judge.project).objects.update(state="open")
    again.click()
    [(route, answer)] = asked
    assert answer.status == 409
    route.fulfill(response=answer)
    judge.ready()


def test_the_lease_is_extended_while_somebody_is_at_it(page: Page, sign_in) -> None:
    project = judge_project(pairs=1, lease_minutes=30)
    sign_in(make_member(project))
    page.clock.install()
    JudgePage(page, project).open()
    before = Claim.objects.get().expires_at
    with page.expect_response("**/heartbeat/"):
        page.clock.fast_forward("12:00")
        page.mouse.move(200, 200)
        page.mouse.move(210, 210)
    assert Claim.objects.get().expires_at > before
