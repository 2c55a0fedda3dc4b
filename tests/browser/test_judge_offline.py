"""Pairs taken offline are judged without a network, in whatever tab, and nothing of them is lost, doubled or left behind."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, Route, expect

from annotate.actions import queue
from annotate.integrity import violations
from annotate.models import Claim, Judgment, Outcome, Project, User, Verdict
from tests.api.test_blindness import secrets_of
from tests.browser.conftest import Watch
from tests.browser.judging import CLARITY, JudgePage, comes_true, image_pair, judge_project, text_pair
from tests.browser.playables import make_video
from tests.browser.test_blindness import CANARIES
from tests.browser.test_pages_look import LOOKS, clean
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_user

NO_LINE = r"net::ERR_(INTERNET_DISCONNECTED|FAILED|CONNECTION)"

# All that the browser holds beside the page itself: what is kept in IndexedDB, what lies in caches, and the worker.
STORED = """async bodies => {
  const opened = indexedDB.open("evenhand");
  const db = await new Promise((done) => { opened.onsuccess = () => done(opened.result); });
  const all = (name) => new Promise((done) => {
    const asked = db.transaction(name).objectStore(name).getAll();
    asked.onsuccess = () => done(asked.result);
  });
  const found = { claims: await all("claims"), projects: await all("projects"), drafts: await all("drafts"), caches: {} };
  db.close();
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    found.caches[name] = {};
    for (const request of await cache.keys()) {
      const kept = await cache.match(request);
      const body = bodies && !name.includes("shell") ? await kept.text() : "";
      found.caches[name][new URL(request.url).pathname] = [[...kept.headers], kept.url, body];
    }
  }
  found.workers = (await navigator.serviceWorker.getRegistrations()).length;
  return found;
}"""
# A clock that runs thirty hours ahead.
AHEAD = """
  const real = Date;
  const shift = 30 * 3600 * 1000;
  window.Date = class extends real {
    constructor(...given) { if (given.length) super(...given); else super(real.now() + shift); }
    static now() { return real.now() + shift; }
  };
"""


@pytest.fixture
def ada(sign_in: Callable[[User], None], transactional_db: None) -> User:
    user = make_user("ada")
    sign_in(user)
    return user


def project_of(user: User, pairs: int, **fields: Any) -> Project:
    project = judge_project(pairs=0, **fields)
    for _ in range(pairs):
        text_pair(project, CLARITY)
    make_member(project, user=user)
    return project


def stored(page: Page, *, bodies: bool = False) -> Any:
    return page.evaluate(STORED, bodies)


def nothing_is_kept(page: Page) -> None:
    comes_true(
        page,
        "async () => !(await caches.keys()).length && !(await navigator.serviceWorker.getRegistrations()).length",
    )
    # One after the other they go.
    for _ in range(100):
        found = stored(page)
        if not found["claims"] and not found["projects"]:
            break
        page.wait_for_timeout(100)
    assert (found["claims"], found["projects"]) == ([], [])


def dialog_of(page: Page) -> Any:
    return page.get_by_role("dialog", name="Take pairs offline")


def take(judge: JudgePage, pairs: int) -> None:
    """By keyboard alone."""
    page = judge.page
    judge.press("'")
    dialog = dialog_of(page)
    expect(dialog.get_by_role("spinbutton", name="Pairs")).to_be_focused()
    page.keyboard.type(str(pairs))
    judge.press("Enter")
    expect(dialog).to_contain_text(f"Ready to work offline: {pairs} pair", timeout=30_000)
    judge.press("Escape")
    expect(dialog).to_be_hidden()


def judge_some(judge: JudgePage, pairs: int, key: str = "1") -> None:
    for _ in range(pairs):
        judge.press(key)
        judge.submit()


def held() -> int:
    return Claim.objects.filter(outcome=Outcome.HELD).count()


def draft_is_kept(page: Page, words: str) -> None:
    """Until the draft with these words is on the disk."""
    comes_true(
        page,
        """words => new Promise((done) => {
          const opened = indexedDB.open("evenhand");
          opened.onsuccess = () => {
            const asked = opened.result.transaction("drafts").objectStore("drafts").getAll();
            asked.onsuccess = () => { opened.result.close(); done(JSON.stringify(asked.result).includes(words)); };
          };
        })""",
        words,
    )


def test_thirty_judgments_offline_with_the_tab_closed_and_opened_again_are_thirty_rows(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    project = project_of(ada, 45)
    judge = JudgePage(page, project).open()
    take(judge, 30)
    assert held() == 30
    assert Claim.objects.earliest("expires_at").expires_at > timezone.now() + timedelta(hours=23)
    context.set_offline(True)
    judge_some(judge, 12)
    judge.press("8", "r")
    page.keyboard.type("Half a thought")
    expect(judge.state).to_have_text("Offline, 12 waiting")
    draft_is_kept(page, "Half a thought")
    begun = judge.prompt
    page.close()

    again = JudgePage(context.new_page(), project).open()
    expect(again.state).to_have_text("Offline, 12 waiting")
    assert again.prompt == begun
    expect(again.page.get_by_role("textbox", name="Why")).to_have_value("Half a thought")
    again.submit()
    judge_some(again, 17)
    expect(again.page.locator("#blank")).to_contain_text(
        "You have judged all the pairs that you took offline. 30 of"
    )
    expect(again.state).to_have_text("Offline, 30 waiting")
    again.page.close()

    last = context.new_page()
    last.goto(f"/judge/{project.slug}/")
    expect(last.locator("#blank h2")).to_have_text("You are offline")
    context.set_offline(False)
    JudgePage(last, project).ready().saved()
    assert Judgment.objects.count() == 30
    for judgment in Judgment.objects.select_related("claim"):
        assert judgment.claim
        first, second = (Verdict.RESPONSE1, Verdict.RESPONSE2)[:: -1 if judgment.claim.flip else 1]
        assert judgment.verdict == (second if judgment.rationale else first)
        assert judgment.strength == 3 and not judgment.late
    assert Judgment.objects.get(rationale="Half a thought").claim.pair.prompt.turns[-1]["text"] == begun  # type: ignore[union-attr]
    assert Claim.objects.filter(outcome=Outcome.SUBMITTED).count() == 30
    assert violations() == {}
    nothing_is_kept(last)


def test_a_session_that_ended_meanwhile_loses_nothing(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow(f"401|{NO_LINE}")
    project = project_of(ada, 8)
    judge = JudgePage(page, project).open()
    take(judge, 6)
    context.set_offline(True)
    judge_some(judge, 3)
    page.close()
    Session.objects.all().delete()
    context.set_offline(False)
    other = context.new_page()
    other.goto(f"/judge/{project.slug}/")  # there is a network: it is the login page
    expect(other.locator("h1")).to_have_text("Log in")
    assert len(stored(other)["claims"]) == 6
    other.get_by_label("Name").fill("ada")
    other.get_by_label("Password").fill("pass")
    other.get_by_role("button", name="Log in").click()
    again = JudgePage(other, project).ready()
    again.saved()
    assert Judgment.objects.count() == 3
    judge_some(again, 1)
    again.saved()  # or it would be this one that finds nobody logged in, and the dialog would come before the next
    Session.objects.all().delete()
    judge_some(again, 1)
    dialog = other.get_by_role("dialog", name="Log in to go on")
    dialog.get_by_label("Password").fill("pass")
    again.press("Enter")
    expect(dialog).to_be_hidden()
    again.saved()
    judge_some(again, 1)
    again.saved()
    assert Judgment.objects.count() == 6 and violations() == {}


# What is kept is cleared away slowly.
SLOW = """
  const open = caches.open.bind(caches);
  caches.open = async (name) => {
    await new Promise((done) => setTimeout(done, 3000));
    return open(name);
  };
"""


def test_what_was_judged_offline_is_not_shown_again_while_it_is_cleared_away(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    project = project_of(ada, 4)
    judge = JudgePage(page, project).open()
    take(judge, 4)
    context.set_offline(True)
    judged = []
    for _ in range(2):
        judged.append(judge.prompt)
        judge_some(judge, 1)
    page.close()
    context.set_offline(False)
    other = context.new_page()
    other.add_init_script(SLOW)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "GET":
            held.append(route)
        else:
            route.continue_()

    other.route(f"**/projects/{project.slug}/claims/", hold)  # what the server holds is not known yet
    again = JudgePage(other, project).open()
    assert again.prompt not in judged
    for route in held:
        route.continue_()
    again.saved()
    judge_some(again, 2)
    again.saved()
    assert Judgment.objects.count() == 4 and violations() == {}


def test_videos_play_and_seek_from_what_is_kept(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow(f"416|{NO_LINE}")
    project = project_of(ada, 0, task_type="text_to_video")
    pair = make_pair(
        project,
        response1=make_video(project),
        response2=make_video(project, size=(128, 96)),
        task_type="text_to_video",
    )
    make_comparison(pair, CLARITY)
    judge = JudgePage(page, project).open()
    take(judge, 1)
    page.close()
    context.set_offline(True)
    again = JudgePage(context.new_page(), project).open()
    page = again.page
    page.wait_for_function("() => [...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")
    page.evaluate(
        """() => Promise.all([...document.querySelectorAll("video")].map((video) => new Promise((done) => {
          video.onseeked = done;
          video.currentTime = 1.5;
        })))"""
    )
    times = page.evaluate("() => [...document.querySelectorAll('video')].map((video) => video.currentTime)")
    assert times == [1.5, 1.5]
    ranged = """async ([url, range]) => {
      const answer = await fetch(url, { headers: range ? { Range: range } : {} });
      return [answer.status, answer.headers.get("Content-Range"), [...new Uint8Array(await answer.arrayBuffer())]];
    }"""
    url = f"/media/{Claim.objects.get().pk}/a/web"
    status, _, whole = page.evaluate(ranged, [url, ""])
    size = len(whole)
    assert (status, size > 1000) == (200, True)
    for asked, start, end in (
        ("bytes=10-19", 10, 19),
        ("bytes=0-", 0, size - 1),
        ("bytes=-7", size - 7, size - 1),
        (f"bytes={size - 3}-{size + 50}", size - 3, size - 1),
    ):
        told = page.evaluate(ranged, [url, asked])
        assert told == [206, f"bytes {start}-{end}/{size}", whole[start : end + 1]], asked
    assert page.evaluate(ranged, [url, f"bytes={size}-"]) == [416, f"bytes */{size}", []]


def test_what_is_given_back_is_there_for_others_at_once(page: Page, ada: User) -> None:
    project = project_of(ada, 10, k=1)
    for pair in project.pairs.all():
        pair.comparisons.update(k=1)
    judge = JudgePage(page, project).open()
    take(judge, 10)
    other = make_annotator(project)
    assert queue.claim_next(annotator=other, claim_id=uuid4()) is None
    prompt = judge.prompt
    expect(page.get_by_role("button", name="10 offline")).to_be_visible()
    judge.press("'")
    page.get_by_role("button", name="Give back").click()
    expect(dialog_of(page)).to_contain_text("9 pairs given back.")
    assert judge.prompt == prompt
    assert Claim.objects.filter(outcome=Outcome.RELEASED, skip_reason="").count() == 9
    assert queue.claim_next(annotator=other, claim_id=uuid4())
    assert violations() == {}
    judge.press("Escape")
    expect(dialog_of(page)).to_be_hidden()
    judge_some(judge, 1)
    judge.saved()
    nothing_is_kept(page)


def test_somebody_else_finds_nothing_and_neither_does_who_comes_after_a_logout(
    context: BrowserContext, page: Page, ada: User, sign_in: Callable[[User], None], watch: Watch
) -> None:
    watch.allow(NO_LINE)
    project = project_of(ada, 0)
    for _ in range(4):
        image_pair(project, CLARITY)
    judge = JudgePage(page, project).open()
    take(judge, 3)
    found = stored(page)
    [kept] = [paths for name, paths in found["caches"].items() if name.startswith("evenhand-kept-")]
    assert len(found["claims"]) == 3
    assert set(kept) == {
        f"/judge/{project.slug}/",
        *(f"/media/{row['id']}/{side}/web" for row in found["claims"] for side in "ab"),
    }
    context.set_offline(True)
    judge_some(judge, 1)
    context.set_offline(False)
    judge.saved()
    page.goto("/")
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("h1")).to_have_text("Log in")
    nothing_is_kept(page)

    sign_in(ada)
    judge.open()
    take(judge, 2)
    sign_in(make_member(project))
    page.goto("/")
    nothing_is_kept(page)


def test_a_page_is_never_old_where_there_is_a_network(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    project = project_of(ada, 6)
    judge = JudgePage(page, project).open()
    take(judge, 3)
    Project.objects.update(name="Garden robots", guidelines="Read them twice.")
    judge.open()
    expect(page.locator("h1")).to_have_text("Garden robots")
    page.wait_for_function("() => document.getElementById('offline-open').textContent.includes('3 offline')")
    comes_true(
        page,
        "async path => (await (await caches.match(path)).text()).includes('Garden robots')",
        f"/judge/{project.slug}/",
    )
    context.set_offline(True)
    judge.open()
    expect(page.locator("h1")).to_have_text("Garden robots")
    judge.press("g")
    expect(page.get_by_role("dialog", name="Guidelines")).to_contain_text("Read them twice.")


def test_who_takes_nothing_has_no_service_worker(page: Page, ada: User) -> None:
    judge = JudgePage(page, project_of(ada, 3)).open()
    judge_some(judge, 1)
    judge.saved()
    nothing_is_kept(page)


def test_the_back_button_brings_the_page_back_offline(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    judge = JudgePage(page, project_of(ada, 6)).open()
    take(judge, 4)
    judge.press("2")
    expect(page.get_by_role("radio", name="A better", exact=True)).to_be_checked()
    prompt = judge.prompt
    page.locator(".brand").click()
    expect(page.locator("h1")).to_have_text("Projects")
    context.set_offline(True)
    page.go_back()
    judge.ready()
    assert judge.prompt == prompt
    expect(page.get_by_role("radio", name="A better", exact=True)).to_be_checked()


def test_an_answer_that_never_left_can_be_taken_back_offline(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow(NO_LINE)
    judge = JudgePage(page, project_of(ada, 6)).open()
    take(judge, 4)
    context.set_offline(True)
    judge_some(judge, 1)  # this one was tried: only the server can say whether it has it
    second = judge.prompt
    judge_some(judge, 1)
    expect(judge.state).to_have_text("Offline, 2 waiting")
    page.close()
    again = JudgePage(context.new_page(), judge.project).open()
    again.press("u")
    expect(again.page.locator("#prompt .asked p")).to_have_text(second)
    expect(again.page.get_by_role("radio", name="A much better")).to_be_checked()
    again.press("2")
    again.submit()
    expect(again.state).to_have_text("Offline, 2 waiting")
    context.set_offline(False)
    again.saved()
    assert list(Judgment.objects.order_by("strength").values_list("strength", flat=True)) == [2, 3]


def test_a_skewed_clock_ends_no_lease(context: BrowserContext, page: Page, ada: User, watch: Watch) -> None:
    watch.allow(NO_LINE)
    context.add_init_script(AHEAD)
    judge = JudgePage(page, project_of(ada, 5)).open()
    take(judge, 3)
    page.close()
    context.set_offline(True)
    again = JudgePage(context.new_page(), judge.project).open()
    expect(again.page.get_by_role("button", name="3 offline")).to_be_visible()
    assert again.page.locator("#lease").inner_text() == ""


def test_stopping_keeps_what_is_there_and_gives_the_rest_back(page: Page, ada: User) -> None:
    project = project_of(ada, 30)
    judge = JudgePage(page, project).open()
    asked: list[Route] = []

    def hold_the_second(route: Route) -> None:
        asked.append(route)
        if len(asked) != 2:
            route.continue_()

    page.route("**/offline/", hold_the_second)
    judge.press("'")
    judge.press("Enter")
    dialog = dialog_of(page)
    expect(dialog).to_contain_text("5 of 40 pairs")
    while len(asked) < 2:
        page.wait_for_timeout(20)
    dialog.get_by_role("button", name="Stop").click()
    with page.expect_response("**/give-back/"):
        asked[1].continue_()
    expect(dialog).to_contain_text("Ready to work offline: 5 pairs")
    assert held() == 5 and violations() == {}


def test_a_line_that_breaks_leaves_what_was_fetched(page: Page, ada: User, watch: Watch) -> None:
    watch.allow(NO_LINE)
    judge = JudgePage(page, project_of(ada, 12)).open()
    asked: list[Route] = []

    def cut_the_second(route: Route) -> None:
        asked.append(route)
        route.abort() if len(asked) == 2 else route.continue_()

    page.route("**/offline/", cut_the_second)
    judge.press("'")
    page.keyboard.type("10")
    judge.press("Enter")
    dialog = dialog_of(page)
    expect(dialog).to_contain_text("Ready to work offline: 5 pairs")
    expect(dialog).to_contain_text("The server does not answer.")
    dialog.get_by_role("spinbutton").fill("10")
    judge.press("Enter")
    expect(dialog).to_contain_text("Ready to work offline: 10 pairs")
    assert held() == 10


def test_a_queue_that_is_short_and_a_browser_that_is_full_say_so(
    context: BrowserContext, page: Page, ada: User, watch: Watch
) -> None:
    watch.allow("Quota|quota")
    judge = JudgePage(page, project_of(ada, 4)).open()
    judge.press("'")
    judge.press("Enter")
    dialog = dialog_of(page)
    expect(dialog).to_contain_text("Ready to work offline: 4 pairs")
    expect(dialog).to_contain_text("There are no more pairs for you now.")
    for _ in range(2):
        image_pair(judge.project, CLARITY)
    origin = page.evaluate("() => location.origin")
    devtools = context.new_cdp_session(page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": 1})
    dialog.get_by_role("spinbutton").fill("6")
    judge.press("Enter")
    expect(dialog).to_contain_text("This browser has no room for more.")
    expect(dialog).to_contain_text("Ready to work offline: 4 pairs")
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": origin})


def test_nothing_that_is_kept_tells_the_sides_apart(page: Page, ada: User) -> None:
    project = project_of(ada, 0)
    pairs = [
        text_pair(project, CLARITY, external_id="canary-read", **CANARIES),
        image_pair(project, CLARITY, external_id="canary-seen", **CANARIES),
    ]
    judge = JudgePage(page, project).open()
    take(judge, 2)
    found = stored(page, bodies=True)
    for name, files in found["caches"].items():
        if "shell" in name:
            files.clear()  # the same for everybody
    told = json.dumps(found)
    # In the page "flip" is what shows A or B on a small screen; numbers are too short to be told from others.
    secrets = [s for pair in pairs for s in secrets_of(pair) if s != "flip" and not s.isdigit()]
    assert len(secrets) > 8 and not [secret for secret in secrets if secret in told]
    assert '"flip":' not in told


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_every_state_of_the_dialog_is_for_everybody(
    look: tuple[str, int, int], page: Page, ada: User
) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": height})
    judge = JudgePage(page, project_of(ada, 8)).open()
    clean(page, "nothing taken")
    waiting: list[Route] = []
    page.route("**/offline/", lambda route: waiting.append(route))
    page.get_by_role("button", name=re.compile("Take offline")).click()
    dialog = dialog_of(page)
    clean(page, "asking how many")
    dialog.get_by_role("spinbutton").fill("5")
    dialog.get_by_role("button", name=re.compile("Take offline")).click()
    expect(dialog).to_contain_text("0 of 5 pairs")
    clean(page, "taking")
    while not waiting:
        page.wait_for_timeout(20)
    waiting[0].continue_()
    expect(dialog).to_contain_text("Ready to work offline: 5 pairs")
    clean(page, "taken")
    dialog.get_by_role("button", name="Close").click()
    clean(page, "with pairs taken")
    assert judge.project.slug
