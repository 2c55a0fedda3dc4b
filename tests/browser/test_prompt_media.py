"""What a prompt holds is looked at and heard where it stands; viewers are fetched only when a pair needs them."""

import re

from playwright.sync_api import Page, expect

from tests.browser.judging import CLARITY, JudgePage, judge_project, make_image, picture, text_pair
from tests.browser.playables import cube_document, make_model, make_sound, make_video, tone
from tests.factories import make_comparison, make_member, make_pair


def fetched(page: Page) -> set[str]:
    """Names of the scripts that the page has fetched when it had use for them; what several of them share has no name."""
    urls: list[str] = page.evaluate("() => performance.getEntriesByType('resource').map(entry => entry.name)")
    found = (re.search(r"/js/([a-z-]+)-[0-9A-Z]{8}\.", url) for url in urls)
    return {match[1] for match in found if match} - {"chunk"}


def test_a_pair_of_texts_fetches_no_other_viewer(page: Page, sign_in) -> None:
    project = judge_project(pairs=1)
    sign_in(make_member(project))
    JudgePage(page, project).open()
    expect(page.locator("#body-b .read")).to_be_visible()
    page.wait_for_timeout(300)
    assert fetched(page) == {"text"}, "nor what formulas, code and differences need"


def test_a_video_is_played_by_key_beside_two_texts(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, task_type="text_video_to_text")
    text_pair(project, CLARITY, media=[make_video(project, sound=tone(440, 2))])
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    video = page.get_by_role("group", name="Prompt: video").locator("video")
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 3")
    assert video.evaluate("video => video.paused")
    judge.press(" ")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.2")
    expect(page.get_by_role("button", name="Sound on")).to_be_visible()
    judge.press("h", " ")
    expect(page.get_by_role("button", name="Sound off")).to_be_visible()
    assert video.evaluate("video => video.paused && video.muted")
    judge.press("p")
    expect(video).to_be_hidden()
    judge.press("1")
    expect(page.locator("#judged")).to_have_text("1 of 1 judged")


def test_sounds_images_and_models_each_with_tools_of_their_own(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, task_type="text_audio_to_text")
    media = [
        make_sound(project, tone(440, 2)),
        make_image(project, picture((90, 90, 200))),
        make_image(project, picture((200, 90, 90))),
        make_model(project, *cube_document()),
    ]
    text_pair(project, CLARITY, media=media)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    sound, one, two, model = (
        page.get_by_role("group", name=name, exact=True)
        for name in ("Prompt: sound", "Prompt: image 1", "Prompt: image 2", "Prompt: 3D model")
    )
    for figure in (sound, one, two, model):
        expect(figure.get_by_role("toolbar")).to_be_visible()
    expect(sound.locator(".note")).to_have_text("")
    judge.press(" ")  # the first one's keys act from anywhere
    expect(sound.get_by_role("button", name="Pause")).to_be_visible()
    two.locator(".view.image").focus()
    judge.press("z", "+")  # the keys of the one that has the focus
    expect(two.locator("output")).to_have_text("125%")
    expect(one.locator("output")).not_to_have_text("125%")
    model.locator(".view.model").focus()
    expect(model.locator(".view.model")).to_have_attribute("data-drawn", re.compile(r"\d"))
    judge.press("c")
    expect(model.locator("output")).to_have_text("Front")
    one.get_by_role("button", name="Larger").click()
    box = one.locator(".stage").bounding_box()
    assert box and box["height"] > 300
    expect(page.locator("#sides")).to_be_hidden()
    expect(two).to_be_hidden()
    one.get_by_role("button", name="Smaller").click()
    expect(page.locator("#sides")).to_be_visible()


def test_of_a_long_talk_the_newest_turn_is_in_sight(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    said = [("user", "First question."), ("assistant", "\n\n".join(f"Line {n}." for n in range(60)))]
    turns = [{"role": role, "text": text} for role, text in (*said, ("user", "The newest question."))]
    text_pair(project, CLARITY, prompt=turns)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    first, newest = (page.get_by_text(text) for text in ("First question.", "The newest question."))
    expect(newest).to_be_in_viewport()
    box, asked = newest.bounding_box(), page.locator("#prompt .asked").bounding_box()
    assert box and asked and asked["y"] <= box["y"] <= asked["y"] + asked["height"] - box["height"] + 1
    page.locator("#prompt .asked").focus()
    page.keyboard.press("Home")
    page.wait_for_function(
        "() => document.querySelector('#prompt .asked').scrollTop === 0"
    )  # it glides there
    expect(first).to_be_in_viewport()
    judge.press("p")
    expect(newest).to_be_visible()
    expect(first).to_be_hidden()
    expect(page.get_by_text("Line 1.", exact=True)).to_be_hidden()
    judge.press("p")
    expect(newest).to_be_in_viewport()
    expect(first).not_to_be_in_viewport()


def test_the_prompt_falls_silent_with_its_pair(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, task_type="text_video_to_text")
    text_pair(project, CLARITY, media=[make_video(project, frames=90)])
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 3")
    judge.press(" ", "0", "Enter")
    expect(page.locator("#blank h2")).to_have_text("Nothing to judge now")
    expect(page.locator("video")).to_have_count(0)


def test_an_edited_image_stands_beside_its_source_with_one_zoom(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, task_type="text_image_to_image")
    source, red, green = (
        make_image(project, picture(colour)) for colour in ((90, 90, 200), (200, 30, 30), (30, 160, 60))
    )
    pair = make_pair(project, media=[source], response1=red, response2=green, task_type="text_image_to_image")
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    images = page.locator("#sides img")
    expect(images).to_have_count(3)
    expect(page.get_by_role("region", name="Source")).to_be_visible()
    expect(page.locator("#prompt img")).to_have_count(0)

    def transforms() -> set[str]:
        return {image.evaluate("image => image.style.transform") for image in images.all()}

    assert len(transforms()) == 1
    fitted = transforms()
    judge.press("z", "+", "+", "ArrowRight")
    assert len(transforms()) == 1 and transforms() != fitted
    page.set_viewport_size({"width": 390, "height": 844})
    shown = page.locator("#sides .side:visible")
    for name in ("Source", "Response A", "Response B", "Source"):
        expect(shown).to_have_accessible_name(re.compile(name))
        judge.press("x")


def test_sides_of_two_kinds_have_tools_of_their_own(page: Page, sign_in) -> None:
    project = judge_project(pairs=0)
    pair = make_pair(
        project,
        response1=make_sound(project, tone(440, 2)),
        response2=make_image(project, picture((9, 9, 99))),
    )
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    expect(page.locator("#tools")).to_be_hidden()
    sound = page.locator(".side", has=page.locator(".view.sound"))
    image = page.locator(".side", has=page.locator(".view.image"))
    expect(sound.get_by_role("button", name="Play", exact=True)).to_be_visible()
    image.locator(".view.image").focus()
    judge.press("z")
    expect(image.locator("output")).to_have_text("100%")


def test_the_list_of_keys_names_those_of_the_viewer(page: Page, sign_in) -> None:
    project = judge_project(pairs=0, task_type="text_video_to_text")
    text_pair(project, CLARITY, media=[make_video(project)])
    pair = make_pair(project, response1=make_video(project), response2=make_video(project, size=(128, 96)))
    make_comparison(pair, CLARITY)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    for _ in range(2):
        expect(page.locator("video").first).to_be_visible()
        group = "Prompt" if page.locator("#prompt video").count() else "Look"
        judge.press("?")
        listed = page.get_by_role("dialog", name="Keys").locator(
            "section", has=page.get_by_role("heading", name=group)
        )
        expect(listed).to_contain_text("Play or pause")
        expect(listed).to_contain_text("A frame on")
        expect(listed).to_contain_text("A loop begins here")
        judge.press("Escape", "0")
        judge.submit()
