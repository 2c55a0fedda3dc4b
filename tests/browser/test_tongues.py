"""The annotator's pages in Korean and Chinese: nothing in English is left but data, nothing breaks, the choice lasts."""

import re
from collections.abc import Callable

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from playwright.sync_api import Browser, BrowserContext, Page, expect

from annotate.models import Project, User
from tests.browser.conftest import Watch
from tests.browser.judging import JudgePage, image_pair, judge_project, make_image, picture, text_pair
from tests.browser.playables import cube_document, make_model
from tests.browser.test_pages_look import clean
from tests.factories import make_member, make_user

SIZES = {1440: 900, 390: 844}
# Names that stay as they are: of the product, of keys, of the languages themselves, of a technique.
NAMES = {"Evenhand", "English", "Enter", "Esc", "Shift", "Space", "Home", "JavaScript", "Hz", "kHz"}
# Whatever somebody sees, hears or is told by a tooltip, with words of Latin letters in it.
SAID = """() => {
  const said = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const { parentElement: place, data } = walk.currentNode;
    if (!place.closest("script, style, noscript, template, kbd, [data-tex]") && shown(place)) said.push(data);
  }
  for (const element of document.body.querySelectorAll("*")) {
    if (!shown(element)) continue;
    for (const name of ["aria-label", "title", "placeholder", "alt", "aria-valuetext", "aria-description"])
      if (element.hasAttribute(name)) said.push(element.getAttribute(name));
  }
  said.push(document.title);
  return said.map((text) => text.trim()).filter((text) => /[A-Za-z]{2}/.test(text));
}"""

CRITERION = {"ko": "설명을 따라가기 쉽다.", "zh-hans": "说明容易理解。"}
PROJECT = {"ko": "주방 로봇", "zh-hans": "厨房机器人"}


def spoken(page: Page, where: str, *data: str) -> None:
    """Axe is content, nothing is too wide, and no English is left beside `data`."""
    clean(page, where)
    for text in page.evaluate(SAID):
        for name in data:
            text = text.replace(name, "")
        left = [word for word in re.findall("[A-Za-z]{2,}", text) if word not in NAMES]
        assert not left, f"{where}: {text!r}"


@pytest.fixture(params=["ko", "zh-hans"])
def tongue(request: pytest.FixtureRequest, context: BrowserContext) -> str:
    """A language that the browser asks for."""
    language: str = request.param
    context.set_extra_http_headers({"Accept-Language": language})
    return language


@pytest.fixture(params=SIZES)
def sized(request: pytest.FixtureRequest, page: Page) -> Page:
    page.set_viewport_size({"width": request.param, "height": SIZES[request.param]})
    return page


def project_in(tongue: str, **fields: object) -> Project:
    guidelines = CRITERION[tongue]
    return judge_project(pairs=0, **{"name": PROJECT[tongue], "guidelines": guidelines, **fields})


def pair_in(tongue: str, project: Project, **fields: object) -> None:
    text = CRITERION[tongue]
    text_pair(
        project,
        text,
        text * 2,
        **{"prompt": text, "response1": f"{text} 1", "response2": f"{text} 2", **fields},
    )


def test_server_pages(tongue: str, sized: Page, sign_in: Callable[[User], None], watch: Watch) -> None:
    watch.allow("404|403")
    page = sized
    page.goto("/login/")
    expect(page.locator("html")).to_have_attribute("lang", tongue)
    spoken(page, "login")
    page.locator("#id_username").fill("1")
    page.locator("#id_password").fill("2")
    page.locator(".go").click()
    expect(page.get_by_role("alert")).to_be_visible()
    spoken(page, "failed login")
    user = make_user("7")
    sign_in(user)
    page.goto("/")
    spoken(page, "no project")
    project = project_in(tongue, demo=True)
    pair_in(tongue, project)
    make_member(project, user=user)
    make_member(project_in(tongue, state="paused", slug="paused"), user=user)
    for path in ("/", "/password/", "/nowhere/"):
        page.goto(path)
        expect(page.locator("h1")).to_be_visible()
        spoken(page, path)
    page.goto("/password/")
    page.locator("#id_old_password").fill("wrong")
    page.locator("#id_new_password1").fill("7")
    page.locator("#id_new_password2").fill("8")
    page.locator(".go").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    spoken(page, "password refused")


@pytest.mark.parametrize("template", ["400", "403", "403_csrf", "404", "500", "locked"])
def test_pages_of_errors(template: str, tongue: str, page: Page, watch: Watch) -> None:
    watch.allow("status of")
    with translation.override(tongue):
        body = render_to_string(f"{template}.html")
    page.route("**/broken/", lambda route: route.fulfill(status=500, body=body, content_type="text/html"))
    page.goto("/broken/")
    expect(page.locator("h1")).to_be_visible()
    spoken(page, template)


def test_the_judge_page(tongue: str, sized: Page, sign_in: Callable[[User], None]) -> None:
    page = sized
    project = project_in(tongue, task_type="text_to_text", tags=["1", "2"], viewing="off", authored_k=3)
    image = make_image(project, picture((90, 90, 200)))
    pair_in(tongue, project, media=[image])
    sign_in(make_member(project, user=make_user("7")))
    judge = JudgePage(page, project).open()
    spoken(page, "first pair")
    judge.press("5", "r")
    spoken(page, "judged, giving reasons")
    judge.press("Escape", "m")
    spoken(page, "asking what is broken")
    judge.press("Escape", "/", "2")
    spoken(page, "tagging")
    judge.press("Escape", "a")
    spoken(page, "asking for evidence")
    judge.press("a")
    spoken(page, "typing words as evidence")
    judge.press("Escape", "n")
    page.get_by_role("combobox").fill("A가 더 정확하다." if tongue == "ko" else "A 更准确。")
    expect(page.locator(".advice")).to_have_class(re.compile("warn"))
    spoken(page, "naming a side")
    page.get_by_role("combobox").fill("5")
    judge.press("Enter")
    spoken(page, "a criterion of one's own")
    judge.press("d")
    spoken(page, "differences")
    for key, dialog in (("?", "shortcuts"), ("g", "guidelines"), ("s", "skip"), (";", "history")):
        judge.press(key)
        expect(page.locator(f"#{dialog}")).to_be_visible()
        spoken(page, dialog)
        judge.press("Escape")
    judge.press("k", *"000", "Enter")
    expect(page.locator("#blank h2")).to_be_visible()
    spoken(page, "nothing to judge")


def test_the_judge_page_of_images(tongue: str, sized: Page, sign_in: Callable[[User], None]) -> None:
    project = project_in(tongue, task_type="text_to_image")
    image_pair(project, CRITERION[tongue], prompt=CRITERION[tongue])
    sign_in(make_member(project, user=make_user("7")))
    JudgePage(sized, project).open()
    expect(sized.locator("#sides img").first).to_be_visible()
    spoken(sized, "a pair of images")


def test_a_sensitive_pair_and_pairs_taken_offline(
    tongue: str, context: BrowserContext, page: Page, sign_in: Callable[[User], None], watch: Watch
) -> None:
    """The catalog is kept too: without a network the page opens in the same language."""
    watch.allow("ERR_(INTERNET_DISCONNECTED|FAILED|CONNECTION)")
    project = project_in(tongue)
    for _ in range(2):
        pair_in(tongue, project, sensitive=True)
    sign_in(make_member(project, user=make_user("7")))
    judge = JudgePage(page, project)
    page.goto(f"/judge/{project.slug}/")
    expect(page.locator("#veil")).to_be_visible()
    spoken(page, "covered")
    judge.press("v")
    spoken(page, "uncovered")
    judge.press("'")
    dialog = page.locator("dialog#offline")
    spoken(page, "asked how many")
    page.keyboard.type("2")
    judge.press("Enter")
    expect(dialog.locator(".told")).to_contain_text({"ko": "2쌍", "zh-hans": "2 对"}[tongue], timeout=30_000)
    expect(dialog.locator(".back")).to_be_visible(timeout=30_000)
    spoken(page, "taken offline")
    judge.press("Escape")
    context.set_offline(True)
    page.reload()
    expect(page.locator("#disconnected")).to_be_visible(timeout=30_000)
    expect(page.locator("html")).to_have_attribute("lang", tongue)
    spoken(page, "without a network")
    context.set_offline(False)


def test_the_judge_page_of_models(tongue: str, page: Page, sign_in: Callable[[User], None]) -> None:
    project = project_in(tongue, task_type="text_to_3D")
    model = make_model(project, *cube_document(), faces=12, vertices=8)
    pair_in(tongue, project, response1=model, response2=model)
    sign_in(make_member(project, user=make_user("7")))
    judge = JudgePage(page, project).open()
    for side in "ab":
        view = page.locator(f"#body-{side} .view.model")
        expect(view).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=20_000)
    judge.press("i", "c")
    expect(page.locator(".view.model .note").first).to_have_text(re.compile(r"\d"))
    spoken(page, "a pair of models")


def test_answers_that_wait_are_told_at_home(
    tongue: str, page: Page, sign_in: Callable[[User], None], watch: Watch
) -> None:
    watch.allow("ERR_FAILED|Failed to load")
    project = project_in(tongue)
    for _ in range(2):
        pair_in(tongue, project)
    sign_in(make_member(project, user=make_user("7")))
    judge = JudgePage(page, project).open()
    page.route("**/submit/", lambda route: route.abort())
    judge.press("1", "1", "Enter")
    expect(judge.state).to_have_text({"ko": "오프라인, 1개 대기 중", "zh-hans": "离线，1 条待发送"}[tongue])
    page.goto("/")
    expect(page.locator("#waiting")).to_contain_text(
        {"ko": "답변 1개가 이 컴퓨터에 저장되어", "zh-hans": "您的 1 条答案已保存在这台电脑上"}[tongue]
    )
    spoken(page, "home")


def test_a_choice_lasts(page: Page, browser: Browser, web_server: str) -> None:
    make_user("7", password="a long enough one")
    page.goto("/login/?next=/password/")
    expect(page.locator("h1")).to_have_text("Log in")
    chosen = page.get_by_role("button", name="简体中文")
    chosen.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("登录")
    assert page.url.endswith("/login/?next=/password/")
    expect(chosen).to_have_attribute("aria-current", "true")
    expect(page.locator(".tongues button")).to_have_text(["English", "한국어", "简体中文"])
    page.reload()
    expect(page.locator("h1")).to_have_text("登录")

    def log_in(page: Page) -> None:
        page.locator("#id_username").fill("7")
        page.locator("#id_password").fill("a long enough one")
        page.locator(".go").click()

    log_in(page)
    expect(page.locator("h1")).to_have_text("修改密码")
    page.get_by_role("button", name="한국어").click()
    expect(page.locator("h1")).to_have_text("비밀번호 변경")
    # Another computer knows it as soon as it knows the account.
    other = browser.new_context(base_url=web_server)
    elsewhere = other.new_page()
    elsewhere.goto("/login/?next=/password/")
    expect(elsewhere.locator("h1")).to_have_text("Log in")
    log_in(elsewhere)
    expect(elsewhere.locator("h1")).to_have_text("비밀번호 변경")
    other.close()


def test_a_criterion_must_not_name_a_side_in_any_language(
    page: Page, sign_in: Callable[[User], None]
) -> None:
    project = judge_project(pairs=1)
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    judge.press("n")
    field, advice = page.get_by_role("combobox"), page.locator(".advice")
    for text, sided in (
        ("Response A is clearer.", True),
        ("A clear answer is given.", False),
        ("A가 더 명확하다.", True),
        ("응답 B의 설명이 자세하다.", True),
        ("B보다 문장이 짧다.", True),
        ("설명이 명확하다.", False),
        ("DNA가 정확히 그려져 있다.", False),
        ("A更清楚。", True),
        ("回答 B 的步骤完整。", True),
        ("比 A 更简短。", True),
        ("步骤的顺序正确。", False),
        ("DNA 的结构正确。", False),
    ):
        field.fill(text)
        expect(advice, text).to_have_class("advice warn" if sided else "advice")
