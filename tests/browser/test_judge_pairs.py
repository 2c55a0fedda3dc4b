"""Judging by keyboard: each verdict is found under the right response, whichever side it was shown on."""

import re

from playwright.sync_api import Page, expect

from annotate.models import Broken, Claim, Criterion, Judgment, Outcome, TieKind, Verdict
from tests.browser.judging import CLARITY, TRUTH, JudgePage, heads, image_pair, judge_project, text_pair
from tests.factories import make_member

# The colour of the pixel in the middle of an image on screen, as the page itself decoded it.
PIXEL = """image => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""


def response_on(page: Page, side: str) -> str:
    """Which response stands there, told by what one sees alone."""
    body = page.locator(f"#body-{side}")
    expect(body.locator("img").or_(body.locator("p")).first).to_be_visible()
    if body.locator("img").count():
        image = body.locator("img")
        image.evaluate("image => image.decode()")
        red, green, _ = image.evaluate(PIXEL)
        return "response1" if red > green else "response2"
    return "response1" if "first" in body.inner_text() else "response2"


def test_unequal_verdicts_on_text_and_images_flipped_and_not(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    pairs = {"text": text_pair(project, prompt="Explain."), "image": image_pair(project, prompt="Draw.")}
    expected = []
    for _ in range(2):  # the second annotator of a pair sees it the other way round
        user = make_member(project)
        sign_in(user)
        judge = JudgePage(page, project).open()
        for _ in pairs:
            kind = "image" if judge.prompt == "Draw." else "text"
            if kind == "image":
                expect(page.locator("#sides img")).to_have_count(2)
            shown = {side: response_on(page, side) for side in "ab"}
            first, second = judge.question.inner_text(), judge.lines.first.inner_text()
            assert first in (CLARITY, TRUTH) and second.startswith((CLARITY, TRUTH))
            judge.press("2")
            expect(judge.question).not_to_have_text(first)
            judge.press("6")
            judge.submit()
            expected.append((user.pk, pairs[kind].pk, first, shown["a"], 2))
            expected.append((user.pk, pairs[kind].pk, second.split("\n")[0], shown["b"], 1))
        judge.saved()
        expect(page.locator("#blank h2")).to_have_text("Nothing to judge now")
    found = [
        (
            row.annotator.user_id,
            row.comparison.pair_id,
            row.comparison.criterion.text,
            row.verdict,
            row.strength,
        )
        for row in Judgment.objects.select_related("annotator", "comparison__criterion")
    ]
    assert sorted(found) == sorted(expected)
    flips = [set(Claim.objects.filter(pair=pair).values_list("flip", flat=True)) for pair in pairs.values()]
    assert flips == [{True, False}] * 2


def test_ties_cannot_tell_not_applicable_tags_and_broken_media(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, tags=["off topic", "made up"])
    criteria = ["One is calmer.", "One is sharper.", "One is brighter.", "One is sung.", "One is truer."]
    pair = image_pair(project, *criteria)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    broken = response_on(page, "b")
    judge.press("4", "5", "0", "/", "2", "1", "2", "Escape", "9", "m")
    expect(page.get_by_role("group", name="Which is broken?")).to_be_visible()
    judge.press("b")
    expect(judge.lines).to_have_text(
        [
            re.compile("Both good$"),
            re.compile("Both bad$"),
            re.compile("Cannot tell$"),
            re.compile("off topic Not applicable$"),
        ]
    )
    judge.submit()
    judge.saved()
    found = heads(pair)
    assert [(found[c].verdict, found[c].tie_kind, found[c].broken) for c in criteria] == [
        (Verdict.TIE, TieKind.BOTH_GOOD, ""),
        (Verdict.TIE, TieKind.BOTH_BAD, ""),
        (Verdict.CANNOT_TELL, "", ""),
        (Verdict.NOT_APPLICABLE, "", ""),
        (Verdict.MEDIA_BROKEN, "", Broken(broken)),
    ]
    assert {text: row.tags for text, row in found.items() if row.tags} == {"One is sung.": ["off topic"]}


def test_scales_of_three_and_five_points(page: Page, sign_in) -> None:
    for scale, names, key, strength in (
        (3, ["A better", "Tie", "B better"], "3", None),
        (5, ["A much better", "A better", "Tie", "B better", "B much better"], "5", 3),
    ):
        project = judge_project(pairs=0, scale=scale, split_ties=False)
        pair = text_pair(project, CLARITY)
        sign_in(make_member(project))
        judge = JudgePage(page, project).open()
        radios = page.get_by_role("radiogroup", name=CLARITY).get_by_role("radio")
        assert [radio.get_attribute("aria-label") for radio in radios.all()] == names
        shown = response_on(page, "b")
        judge.press(key)
        judge.submit()
        judge.saved()
        head = heads(pair)[CLARITY]
        assert (head.verdict, head.strength) == (shown, strength)


def test_arrows_walk_the_scale_and_space_chooses(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    text_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    radios = page.get_by_role("radio")
    radios.first.focus()
    judge.press("ArrowRight", "ArrowRight")
    expect(radios.nth(2)).to_be_focused()
    assert page.locator("[aria-checked=true]").count() == 0
    judge.press("Space")
    expect(page.get_by_role("radio", name="A slightly better")).to_be_checked()
    judge.press("Enter")  # on a radio it submits: the radio itself is chosen by Space
    judge.saved()
    expect(page.locator("#blank")).to_be_visible()
    assert Judgment.objects.get().strength == 1


def test_rationale_and_a_criterion_of_ones_own(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    pair = text_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("r")
    page.keyboard.type("2 reasons: short, and right.")  # digits are text here, not verdicts
    judge.press("Escape", "1", "n")
    page.keyboard.type("  It   sounds kind.  ")
    judge.press("Enter")
    expect(judge.question).to_have_text("It sounds kind.")
    shown = response_on(page, "b")
    judge.press("8")
    judge.submit()
    judge.saved()
    found = heads(pair)
    assert found[CLARITY].rationale == "2 reasons: short, and right."
    own = found["It sounds kind."]
    assert (own.verdict, own.strength, own.authored) == (shown, 3, True)
    assert Criterion.objects.get(text="It sounds kind.").author == own.annotator


def test_required_authoring_is_asked_for(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, authoring="required")
    pair = text_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("1", "Enter")
    expect(judge.hint).to_have_text(
        "This project asks for a criterion of your own: press N, write it and judge it."
    )
    judge.press("n")
    page.keyboard.type("It is brief.")
    judge.press("Escape", "Enter")  # written but left: it becomes a criterion all the same
    expect(judge.hint).to_have_text("Judge the criterion that you wrote, or remove it.")
    judge.press("8")
    judge.submit()
    judge.saved()
    assert set(heads(pair)) == {CLARITY, "It is brief."}


def test_no_field_where_authoring_is_off(page: Page, sign_in) -> None:
    project = judge_project(pairs=1, authoring="off")
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("n")
    assert page.locator(".write").count() == 0


def test_unjudged_criteria_are_left_only_on_purpose(page: Page, sign_in) -> None:
    project = judge_project(pairs=1)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("Enter")
    expect(judge.hint).to_have_text("Judge at least one criterion, or skip the pair.")
    judge.press("1", "Enter")
    expect(judge.hint).to_have_text("One criterion is not judged. Press Enter again to leave it to others.")
    assert Judgment.objects.count() == 0
    judge.press("Enter")
    expect(page.locator("#blank")).to_be_visible()
    judge.saved()
    assert Judgment.objects.count() == 1


def test_skip_with_a_reason(page: Page, sign_in) -> None:
    project = judge_project(pairs=2)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    first = judge.prompt
    judge.press("s", "4", "Tab", "Shift+Tab", "Tab")
    page.keyboard.type("Which note?")
    judge.press("Control+Enter")
    expect(page.locator("#prompt .asked p")).not_to_have_text(first)
    judge.saved()
    claim = Claim.objects.get(outcome=Outcome.SKIPPED)
    assert (claim.skip_reason, claim.note) == ("unclear", "Which note?")
    assert Judgment.objects.count() == 0


def test_undo_brings_the_last_pair_back_to_revise(page: Page, sign_in) -> None:
    project = judge_project(pairs=3)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    first = judge.prompt
    judge.press("1", "r")
    page.keyboard.type("Plain.")
    judge.press("Escape", "2")
    # The reasons belong to the second criterion, which was open while they were typed.
    judge.submit()
    judge.saved()
    expect(page.locator("#count")).to_have_text("1 of 3")
    judge.press("u")
    expect(page.locator("#prompt .asked p")).to_have_text(first)
    expect(page.locator("#count")).to_have_text("0 of 3")
    expect(page.get_by_role("textbox", name="Why")).to_have_count(0)
    judge.press("j")
    expect(page.get_by_role("textbox", name="Why")).to_have_value("Plain.")
    shown = response_on(page, "b")
    judge.press("8")
    judge.submit()
    judge.saved()
    head = Judgment.objects.get(superseded_by__isnull=True, rationale="Plain.")
    assert (head.verdict, head.strength) == (shown, 3)
    assert head.supersedes is not None and head.supersedes.verdict == Verdict.RETRACTED
    assert Judgment.objects.filter(superseded_by__isnull=True).count() == 2
    expect(page.locator("#count")).to_have_text("1 of 3")


def test_undo_after_a_reload_and_of_an_own_criterion(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    pair = text_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("1", "n")
    page.keyboard.type("It is brief.")
    judge.press("Enter", "8")
    judge.submit()
    judge.saved()
    page.reload()
    expect(page.locator("#blank h2")).to_have_text("Nothing to judge now")
    judge.press("u")
    judge.ready()
    expect(page.locator("#judged")).to_have_text("2 of 2 judged")
    judge.press("4")
    judge.submit()
    judge.saved()
    assert Judgment.objects.filter(comparison__pair=pair, verdict=Verdict.RETRACTED).count() == 2
    assert {text: row.verdict for text, row in heads(pair).items()}.keys() == {CLARITY, "It is brief."}
    assert [row.verdict for row in heads(pair).values()].count(Verdict.TIE) == 1


def test_the_next_pair_and_its_images_are_fetched_ahead(page: Page, sign_in, watch) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    project = judge_project(pairs=0)
    for _ in range(3):
        image_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#sides img")).to_have_count(2)
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter(e => e.name.includes('/media/')).length >= 4"
    )
    before = page.locator("#body-a img").element_handle()
    page.context.set_offline(True)
    judge.press("1")
    judge.submit()
    expect(page.locator("#sides img")).to_have_count(2)
    assert page.locator("#body-a img").evaluate(
        "(image, before) => image !== before && image.naturalWidth > 0", before
    )
    page.context.set_offline(False)
    judge.saved()
    assert Judgment.objects.count() == 1


def test_zoom_and_pan_are_linked(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    image_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    images = page.locator("#sides img")
    expect(images).to_have_count(2)

    def transforms() -> list[str]:
        return [image.evaluate("image => image.style.transform") for image in images.all()]

    fitted = transforms()
    assert fitted[0] == fitted[1]
    judge.press("z")
    expect(page.locator("#tools output")).to_have_text("100%, linked")
    for _ in range(6):
        judge.press("+")
    zoomed = transforms()
    judge.press("ArrowRight")
    box = page.locator("#body-b").bounding_box()
    assert box
    moved = transforms()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.wheel(0, -200)
    wheeled = transforms()
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 90)
    page.mouse.up()
    dragged = transforms()
    seen = [fitted, zoomed, moved, wheeled, dragged]
    assert all(one[0] == one[1] for one in seen)
    assert len({one[0] for one in seen}) == 5
    judge.press("f")
    assert transforms() == fitted


def test_text_of_strangers_asks_for_nothing_and_runs_nothing(page: Page, sign_in, watch) -> None:
    hostile = (
        "<img src=x onerror=alert(1)> ![pixel](https://evil.example/p.png) [link](https://evil.example/)"
        " [bad](javascript:alert(1)) [own](/logout/)\n\n| a | b |\n|:-:|--:|\n| 1 | 2 |\n\n<style>body{display:none}</style>"
    )
    project = judge_project(pairs=0, guidelines=hostile)
    text_pair(project, CLARITY, prompt=hostile, response1=hostile, response2="The second, first of all.")
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    links = page.locator("#sides a")
    expect(links).to_have_count(1)
    assert links.evaluate("a => [a.href, a.rel, a.target]") == [
        "https://evil.example/",
        "noopener noreferrer nofollow",
        "_blank",
    ]
    assert page.locator("#sides img, #sides style, #sides [style]").count() == 0
    expect(page.locator("#sides .picture")).to_have_text("Picture: pixel")
    judge.press("g")
    expect(page.get_by_role("dialog", name="Guidelines").get_by_role("table")).to_be_visible()


def test_pairs_that_come_while_there_are_none_are_counted(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    sign_in(make_member(project))
    page.goto(f"/judge/{project.slug}/")
    expect(page.locator("#blank h2")).to_have_text("Nothing to judge now")
    expect(page.locator("#count")).to_have_text("0 of 0")
    text_pair(project, prompt="Explain.")
    JudgePage(page, project).look_again()
    expect(page.locator("#count")).to_have_text("0 of 1")


def test_a_key_in_the_instant_after_a_dialog_is_not_for_its_button(page: Page, sign_in) -> None:
    project = judge_project()
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    left = page.evaluate(
        """async () => {
          const dialog = document.getElementById("guidelines");
          dialog.showModal();
          const button = dialog.querySelector("button");
          button.focus();
          dialog.close();
          await null; // but no frame is drawn
          return document.activeElement === button;
        }"""
    )
    assert not left
    before = judge.prompt
    judge.press("G", "Escape", "1", "1")
    judge.submit()
    assert judge.prompt != before
