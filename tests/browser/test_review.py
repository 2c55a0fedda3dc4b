"""A conflict is settled by keys alone, on a page that shows the responses and what each verdict rests on."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.actions.review import send_back
from annotate.models import Comment, Comparison, Project, Resolution, ReviewItem, Role, User
from tests.browser.judging import CLARITY, image_pair
from tests.browser.looking import LOOKS, clean
from tests.factories import judge, make_annotator, make_comparison, make_member, make_pair, make_project


def conflict(project: Project, **fields: Any) -> Comparison:
    """One that two people judged differently; one of them points at words."""
    pair = make_pair(
        project, response1="The first **answer** is short.", response2="The second one.", **fields
    )
    comparison = make_comparison(pair, CLARITY, k=2)
    anchor = {"response": "response1", "kind": "text", "start": 4, "end": 9, "quote": "first"}
    ada = make_annotator(project, make_member(project))
    judge(comparison, "response1", ada, strength=2, rationale="It is short.", evidence={"anchors": [anchor]})
    judge(comparison, "response2", make_annotator(project, make_member(project)), strength=1, flip=True)
    return comparison


@pytest.fixture
def project() -> Project:
    return make_project(slug="robots", name="Kitchen robots")


def opened(page: Page, sign_in: Callable[[User], None], project: Project) -> None:
    """The first conflict of the queue, whatever is shown of it on screen."""
    sign_in(make_member(project, Role.REVIEWER))
    page.goto(f"/review/{project.slug}/")
    page.locator(".conflicts a").first.click()
    expect(page.locator("#work")).to_be_visible()
    expect(page.locator("#body-a")).to_contain_text("The first answer")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_the_pages_look_as_they_should(
    look: tuple[Any, int, int], page: Page, sign_in: Callable[[User], None], project: Project
) -> None:
    theme, width, height = look
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    conflict(project)
    sign_in(make_member(project, Role.REVIEWER))
    page.goto("/review/robots/?kind=model")
    clean(page, "a queue without conflicts")
    page.goto("/review/robots/")
    clean(page, "the queue")
    page.locator(".conflicts a").first.click()
    expect(page.locator("#body-a")).to_contain_text("The first answer")
    clean(page, "a conflict")
    page.locator("#commenting textarea").fill("What do you think?")
    page.get_by_role("button", name="Say it").click()
    expect(page.locator(".comments")).to_contain_text("What do you think?")
    page.locator("[value=tie]").check()
    page.locator("#reason").fill("Both are.")
    page.locator("#settle-it").click()
    page.goto("/review/robots/?state=settled")
    page.locator(".conflicts a").first.click()
    expect(page.get_by_role("heading", name="Settled: tie")).to_be_visible()
    expect(page.locator("#body-a")).to_contain_text("The first answer")
    clean(page, "a settled one")


def test_it_is_settled_by_keys_alone(page: Page, sign_in: Callable[[User], None], project: Project) -> None:
    conflicts = [conflict(project) for _ in range(3)]
    opened(page, sign_in, project)
    marked = "() => [...(CSS.highlights.get('evidence-a') ?? [])].map(String)"
    page.wait_for_function(f"() => ({marked})().join() === 'first'")

    page.keyboard.press("j")
    page.wait_for_url(f"**/{conflicts[1].pk}/")
    expect(page.locator("#body-a")).to_contain_text("The first answer")
    page.keyboard.press("k")
    page.wait_for_url(f"**/{conflicts[0].pk}/")
    expect(page.locator("#body-a")).to_contain_text("The first answer")
    page.keyboard.press("3")
    expect(page.locator("[value=response2]")).to_be_checked()
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("The second is right: 1, 2, 3.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**/{conflicts[1].pk}/")
    expect(page.get_by_role("status").first).to_have_text("Settled: response 2.")
    found = Resolution.objects.get()
    assert (found.comparison, found.verdict) == (conflicts[0], "response2")
    assert found.reason == "The second is right: 1, 2, 3."
    expect(page.locator("#accept")).to_have_count(0)  # one each: there is no majority


def test_places_lead_to_the_words_and_can_stand_alone(
    page: Page, sign_in: Callable[[User], None], project: Project
) -> None:
    comparison = conflict(project)
    anchor = {"response": "response2", "kind": "text", "start": 4, "end": 10, "quote": "second"}
    Comparison.objects.filter(pk=comparison.pk).update(k=3)
    comparison.refresh_from_db()
    judge(comparison, "response1", evidence={"anchors": [anchor]})
    opened(page, sign_in, project)
    both = "() => ['a', 'b'].map((side) => [...(CSS.highlights.get(`evidence-${side}`) ?? [])].map(String).join()).join('|')"
    page.wait_for_function(f"() => ({both})() === 'first|second'")
    page.get_by_role("button", name="Only the evidence of").last.click()
    page.wait_for_function(f"() => ({both})() === '|second'")
    page.get_by_role("button", name="Only the evidence of").last.click()
    page.wait_for_function(f"() => ({both})() === 'first|second'")
    page.get_by_role("button", name="A “first”").click()


def test_pictures_are_shown_to_reviewers(
    page: Page, sign_in: Callable[[User], None], project: Project
) -> None:
    comparison = image_pair(project, CLARITY).comparisons.get()
    comparison.k = 2
    comparison.save()
    judge(
        comparison,
        "response1",
        evidence={
            "anchors": [
                {"response": "response2", "kind": "box", "x": 0.2, "y": 0.2, "width": 0.4, "height": 0.4}
            ]
        },
    )
    judge(comparison, "response2")
    sign_in(make_member(project, Role.REVIEWER))
    page.goto(f"/review/robots/{comparison.pk}/")
    for side in ("a", "b"):
        image = page.locator(f"#body-{side} img")
        expect(image).to_have_attribute("src", f"/media/review/{comparison.pk}/{side}/web")
    expect(page.locator("#body-b .anchor-box")).to_be_visible()


def test_what_was_said_counts_as_read(page: Page, sign_in: Callable[[User], None], project: Project) -> None:
    from annotate import review

    comparison = conflict(project)
    user = make_member(project, Role.MANAGER)
    me = make_annotator(project, user)
    other = make_annotator(project, make_member(project, Role.REVIEWER))
    now = comparison.created_at
    Comment.objects.create(comparison=comparison, author=me, text="Mine.", created_at=now)
    Comment.objects.create(comparison=comparison, author=other, text="Theirs.", created_at=now)
    assert review.unread(user) == {project.pk: 1}
    sign_in(user)
    with page.expect_response(lambda answer: answer.request.method == "POST") as told:
        page.goto(f"/review/robots/{comparison.pk}/")
    assert told.value.status == 204
    assert review.unread(user) == {}


def test_who_is_asked_to_look_again_changes_their_verdict(
    page: Page, sign_in: Callable[[User], None], project: Project
) -> None:
    user = make_member(project)
    annotator = make_annotator(project, user, judged_pairs=1)
    comparison = make_comparison(make_pair(project, response1="The first answer.", queued=True), CLARITY, k=2)
    judgment = judge(comparison, "response1", annotator, strength=2)
    judge(comparison, "response2")
    reviewer = make_member(project, Role.REVIEWER)
    send_back(
        by=reviewer,
        project=project,
        comparison_id=comparison.pk,
        judgment_id=judgment.pk,
        text="Look at the <second> line.",
    )
    sign_in(user)
    page.goto("/")
    page.get_by_role("link", name="1 unread comment").click()
    expect(page.locator(".comments")).to_contain_text("Look at the <second> line.")
    clean(page, "comments")
    page.get_by_role("link", name="Look at the pair again").click()
    expect(page.locator("#asked")).to_contain_text("Look at the <second> line.")
    expect(page.locator("#lease")).to_have_text("Judged before: a change is kept as a revision")
    expect(page.locator("#work")).to_be_visible()
    clean(page, "a pair that is to be looked at again")
    page.locator(".scale .b").first.click()
    with page.expect_response("**/submit/"):
        page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_be_hidden()
    judgment.refresh_from_db()
    assert judgment.superseded_by.verdict == "response2"
    assert ReviewItem.objects.get().state == "open"
