"""How both sides were looked at goes with the verdict; a project may warn, or ask for all of it first."""

from playwright.sync_api import Page, expect

from annotate.models import Judgment, Project
from tests.browser.judging import CLARITY, JudgePage, image_pair, judge_project, text_pair
from tests.browser.playables import make_sound, tone
from tests.factories import make_comparison, make_member, make_pair

# Resolves once the draft on this computer says that all of both was seen.
KEPT = """async () => {
  const open = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result); });
  const db = await open(indexedDB.open("evenhand"));
  for (let kept = false; !kept; ) {
    const drafts = await open(db.transaction("drafts").objectStore("drafts").getAll());
    kept = drafts.some(({ viewing: { a, b } }) => a.seen === 1 && b.seen === 1);
    await new Promise(requestAnimationFrame);
  }
  db.close();
}"""
LONG = "\n\n".join(f"Paragraph {n}." for n in range(80))


def seen() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = Judgment.objects.latest("created_at").evidence["viewing"]
    return found


def test_a_text_that_was_not_read_to_its_end(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, viewing="warn")
    text_pair(project, CLARITY, response1=LONG, response2="Short.")
    text_pair(project, CLARITY, response1=LONG, response2="Short.")
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("1", "Enter")
    expect(judge.hint).to_contain_text("was read. Press Enter again to submit all the same.")
    judge.submit()
    judge.saved()
    assert seen()["response2"]["seen"] == 1 and 0 < seen()["response1"]["seen"] < 0.9
    Project.objects.update(viewing="require")
    page.reload()
    judge.ready().press("1", "Enter")
    told = page.get_by_role("dialog", name="Not all of it was seen")
    expect(told).to_contain_text("This project asks for 90% of both.")
    judge.press("Enter")  # to look at it, which is offered first
    expect(told).to_be_hidden()
    for scroller in page.locator("#sides .scroller").all():
        scroller.evaluate("element => element.scrollTo(0, element.scrollHeight)")
    page.evaluate(KEPT)
    page.reload()  # what was seen is part of the draft
    judge.ready()
    judge.submit()
    judge.saved()
    assert [one["seen"] for one in seen().values()] == [1, 1]


def test_a_sound_counts_where_it_was_heard_and_an_image_as_near_as_it_was_seen(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, viewing="require", task_type="text_to_audio")
    sounds = [make_sound(project, tone(hertz, 1.0)) for hertz in (500, 900)]
    make_comparison(make_pair(project, response1=sounds[0], response2=sounds[1]), CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator(".view.sound .note:not(:empty)")).to_have_count(0)
    judge.press("1", "Space")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    judge.press("Enter")
    told = page.get_by_role("dialog", name="Not all of it was seen")
    expect(told).to_contain_text("Of B 0% was played.")
    expect(told).not_to_contain_text("Of A")
    told.get_by_role("button", name="It does not load or play").click()
    judge.saved()
    sides = seen()
    assert sides.pop("failed") is True
    assert sorted(one["seen"] for one in sides.values()) == [0, 1]

    project = judge_project(pairs=0)
    image_pair(project, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#sides .view.image img").first).to_be_visible()
    judge.press("z", "+", "+", "f", "1")
    judge.submit()
    judge.saved()
    assert [(one["seen"], one["zoom"] > 1.5) for one in seen().values()] == [(1, True)] * 2
