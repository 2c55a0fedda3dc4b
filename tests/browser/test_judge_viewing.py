"""How both sides were looked at goes with the verdict; a project may warn, or ask for all of it first."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from annotate.models import Judgment, Project
from tests.browser.judging import (
    CLARITY,
    JudgePage,
    image_pair,
    judge_project,
    make_image,
    picture,
    text_pair,
)
from tests.browser.playables import cube_document, make_model, make_sound, make_video, tone
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


def seen() -> dict[str, Any]:
    found: dict[str, Any] = Judgment.objects.latest("created_at").evidence["viewing"]
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
    page.wait_for_function(
        "() => [...document.querySelectorAll('#sides .view.image img')].filter(one => one.naturalWidth).length === 2"
    )
    judge.press("z", "+", "+", "f", "1")
    judge.submit()
    judge.saved()
    assert [(one["seen"], one["zoom"] > 1.5) for one in seen().values()] == [(1, True)] * 2


def played_to_its_end(page: Page, button: Any) -> None:
    button.click()
    expect(button).to_have_text(re.compile("Pause"))
    expect(button).to_have_text(re.compile("Play"), timeout=20_000)


def test_a_model_counts_once_it_is_drawn_and_from_where_it_was_looked_at(page: Page, sign_in, watch) -> None:
    watch.allow("404")
    project = judge_project(pairs=0, viewing="require", viewing_turned=0.25, task_type="text_to_3D")
    good = make_model(project, *cube_document())
    broken = make_model(project, *cube_document(2))
    make_comparison(make_pair(project, response1=good, response2=broken), CLARITY)
    broken.derivatives.filter(kind="web").delete()
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#sides .failed")).to_be_visible()
    expect(page.locator("#sides .view.model[data-drawn]")).to_have_count(1, timeout=20_000)
    side = "b" if page.locator("#body-b .failed").count() else "a"
    drawn = "AB".replace(side.upper(), "")
    judge.press("1", "Enter")
    told = page.get_by_role("dialog", name="Not all of it was seen")
    expect(told).to_contain_text(f"Of {side.upper()} 0% was seen.")
    expect(told).to_contain_text(f"{drawn} was seen from 1 of 12 directions.")
    expect(told).to_contain_text("3D models from 3 of 12 directions")
    judge.press(
        "Enter", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp", "+", "+", "Enter"
    )
    expect(told).to_contain_text(f"Of {side.upper()} 0% was seen.")
    expect(told).not_to_contain_text(f"{drawn} was seen")
    told.get_by_role("button", name="It does not load or play").click()
    judge.saved()
    response1, response2 = seen()["response1"], seen()["response2"]
    assert response2 == {"seen": 0} and response1["seen"] == 1
    assert response1["turned"] >= 0.25 and response1["lifted"] >= 0.33 and response1["zoom"] > 1.5


def test_a_video_beside_an_image_counts_as_played(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, viewing="require")
    video, image = make_video(project, frames=30), make_image(project, picture((9, 9, 99)))
    make_comparison(make_pair(project, response1=video, response2=image), CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#sides .view.image img")).to_be_visible()
    page.wait_for_function("() => document.querySelector('video').readyState >= 3")
    judge.press("1", "Enter")
    told = page.get_by_role("dialog", name="Not all of it was seen")
    expect(told).to_contain_text("0% was played")
    judge.press("Enter")
    video_side = page.locator(".side", has=page.locator("video"))
    played_to_its_end(page, video_side.locator("[aria-keyshortcuts=Space]"))
    judge.submit()
    judge.saved()
    assert seen()["response1"] == {"seen": 1, "ended": True}
    assert seen()["response2"]["seen"] == 1 and "ended" not in seen()["response2"]


def test_what_was_played_of_the_prompt_is_told(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    media = [
        make_image(project, picture((9, 9, 99))),
        make_sound(project, tone(440, 1)),
        make_video(project, frames=30),
    ]
    text_pair(project, CLARITY, media=media)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    sound = page.get_by_role("group", name="Prompt: sound")
    expect(sound.locator(".note")).to_have_text("")
    played_to_its_end(page, sound.locator("[aria-keyshortcuts=Space]"))
    judge.press("1")
    judge.submit()
    judge.saved()
    nothing, all_of_it, none = seen()["prompt"]
    assert (nothing, none) == (None, 0) and all_of_it > 0.9
    assert seen()["response1"] == {"seen": 1, "ended": True}
