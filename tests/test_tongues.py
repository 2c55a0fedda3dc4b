"""The catalogs say all that the sources say, in every language, and servers and browsers are given them."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from babel.messages import Catalog
from django.test import Client
from django.urls import reverse
from django.utils import translation

from annotate.actions import queue
from annotate.models import AuditEntry, User
from tests.factories import make_annotator, make_comparison, make_member, make_pair, make_project, make_user
from tests.paths import ROOT
from webapp import tongues

CATALOGS = [(language, domain) for language in tongues.translated() for domain in tongues.SOURCES]
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+>")

# What managers alone see.
ENGLISH = {"criteria.js", "dashboard.js", "review.js", "admin/import-mapping.js", "admin/job-progress.js"}
SCRIPTS = ROOT / "static" / "js"
NAMED = ("label", "words", "title", "placeholder", '"aria-label"')
CODE = re.compile(r"[\[(]|: [a-z0-9-]+;")
MARKED = re.compile(r"\b(?:t|plural|inContext)\(\s*\"")


def forms(value: object) -> list[str]:
    return [str(form) for form in value] if isinstance(value, list | tuple) else [str(value)]


def problems(catalog: Catalog, sources: Catalog) -> list[str]:
    """What is wrong with a catalog, in words."""
    found = []
    wanted = {(message.context, str(message.id)) for message in sources if message.id}
    there = {(message.context, str(message.id)) for message in catalog if message.id}
    found += [f"missing: {name}" for name in sorted(map(str, wanted - there))]
    found += [f"in no source: {name}" for name in sorted(map(str, there - wanted))]
    found += [f"obsolete: {message.id}" for message in catalog.obsolete.values()]
    for message in catalog:
        if not message.id:
            continue
        if not tongues.is_translated(message):
            found.append(f"not translated: {message.id}")
            continue
        names = sorted(PLACEHOLDER.findall(forms(message.id)[-1]))
        for form in forms(message.string):
            if sorted(PLACEHOLDER.findall(form)) != names:
                found.append(f"other placeholders: {form}")
    return found


@pytest.mark.parametrize(("language", "domain"), CATALOGS)
def test_a_catalog_has_every_message_and_no_other(language: str, domain: str) -> None:
    """Else: `make messages`, then translate what is new in locale/."""
    assert problems(tongues.read_catalog(language, domain), tongues.gathered(domain)) == []


def test_what_is_wrong_with_a_catalog_is_found() -> None:
    sources, catalog = Catalog(), Catalog(locale="ko")
    for name in ("new", "good {n}", "guessed", "empty", "lost %(name)s", "<b>bold</b>"):
        sources.add(name)
    sources.add(("one", "{n} many"))
    catalog.add("good {n}", "{n} gut")
    catalog.add("guessed", "geraten", flags=["fuzzy"])
    catalog.add("empty", "")
    catalog.add("lost %(name)s", "verloren")
    catalog.add("<b>bold</b>", "fett")
    catalog.add(("one", "{n} many"), ("viele",))
    catalog.add("gone", "weg")
    assert problems(catalog, sources) == [
        "missing: (None, 'new')",
        "in no source: (None, 'gone')",
        "not translated: guessed",
        "not translated: empty",
        "other placeholders: verloren",
        "other placeholders: fett",
        "other placeholders: viele",
    ]


@pytest.mark.parametrize("domain", tongues.SOURCES)
def test_a_catalog_stands_as_make_messages_writes_it(domain: str, settings, tmp_path: Path) -> None:
    """So that two who gather messages change nothing but what they changed."""
    ours = Path(settings.LOCALE_PATHS[0])
    settings.LOCALE_PATHS = [tmp_path]
    for language in tongues.translated():
        path = tongues.catalog_path(language, domain)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ours / path.relative_to(tmp_path)).read_bytes())
    tongues.gather()
    for language in tongues.translated():
        path = tongues.catalog_path(language, domain)
        assert path.read_text() == (ours / path.relative_to(tmp_path)).read_text(), "run make messages"


def modules() -> list[str]:
    found = sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*.js"))
    return [name for name in found if name not in ENGLISH]


TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)
      | (?P<regex>(?<=[=(,:\[!&|?{};\n ])/(?![/*\s])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*)
      | (?P<name>[\w$]+)
      | (?P<sign>\S)""",
    re.DOTALL | re.VERBOSE,
)


def unmarked(name: str) -> list[str]:
    """Strings of a module that look like words for people and are no messages."""
    found = []
    before = ["", "", ""]  # what stands before a string, without other strings and commas
    for token in TOKENS.finditer((SCRIPTS / name).read_text()):
        if token.lastgroup == "string":
            text = re.sub(r"<[^>]*>|\$\{[^}]*\}", "", token[0][1:-1])
            words = re.search(r"^[A-Z][a-z]+ [a-z]|[a-z][.,] [A-Z]", text)
            if "${" in token[0] and not text.startswith("evenhand "):
                words = words or re.search(r"[A-Za-z]{2}[ ,.%:]* [a-z]{2}", text)
            named = before[-1] == ":" and before[-2] in NAMED and re.match("[A-Z][a-z]", text)
            message = before[-1] == "(" and before[-2] in tongues.KEYWORDS["javascript"]
            for_the_console = before[-1] == "(" and before[-2] in ("Error", "Unreachable")
            if (words or named) and not message and not for_the_console and not CODE.search(text):
                found.append(token[0])
        if (token.lastgroup in ("name", "sign") and token[0] != ",") or token[0] == '"aria-label"':
            before = [*before[-2:], token[0]]
    return found


@pytest.mark.parametrize("name", modules())
def test_what_a_module_says_are_messages(name: str) -> None:
    assert unmarked(name) == []


@pytest.mark.parametrize("name", modules())
def test_every_message_of_a_module_is_gathered(name: str) -> None:
    """The extractor knows JavaScript by its words alone: it must not lose its way in any module."""
    path = SCRIPTS / name
    found = list(tongues.messages_of(path, "javascript"))
    lines = [
        line for line in path.read_text().splitlines() if not line.lstrip().startswith(("//", "*", "/*"))
    ]
    assert len(found) == len(MARKED.findall("\n".join(lines)))


@pytest.mark.parametrize("name", modules())
def test_a_module_imports_what_it_says_its_messages_with(name: str) -> None:
    """A function that is missing would be missed only where the message is said."""
    source = re.sub(r"(?m)//.*$|^\s*/?\*.*$", "", (SCRIPTS / name).read_text())
    used = set(re.findall(r"\b(t|plural|inContext)\(\s*\"", source))
    imported = re.search(r"import \{([^}]*)\} from \"\.{1,2}/tongue\.js\"", source)
    assert used <= set(re.findall(r"\w+", imported[1] if imported else ""))


def test_files_are_made_for_servers_and_browsers() -> None:
    tongues.prepare()
    for language, domain in CATALOGS:
        assert tongues.catalog_path(language, domain).with_suffix(".mo").exists()
    assert tongues.prepare() is False, "nothing has changed"
    script = (ROOT / "build" / tongues.SCRIPTS / "ko.js").read_text()
    assert script.startswith("globalThis.evenhandTongue={form:(n)=>Number(0),catalog:{")
    assert '"Saved":"저장됨"' in script


@pytest.mark.django_db
def test_pages_follow_what_the_browser_asks_for(client: Client) -> None:
    for asked, language, title in (
        ("", "en", "Log in"),
        ("fr, ko;q=0.8, en;q=0.5", "ko", "로그인"),
        ("zh-CN,zh;q=0.9", "zh-hans", "登录"),
        ("fr", "en", "Log in"),
    ):
        page = client.get(reverse("login"), headers={"accept-language": asked}).content.decode()
        assert f'<html lang="{language}">' in page
        assert f"<h1>{title}</h1>" in page
        assert ("/static/tongues/" in page) == (language != "en")


@pytest.mark.django_db
def test_a_language_is_chosen_for_the_browser_and_for_the_account(client: Client) -> None:
    user = make_user("chooser")
    client.force_login(user, backend="webapp.sessions.Accounts")
    answer = client.post(reverse("language"), {"language": "ko", "next": "/password/"})
    assert (answer.status_code, answer["Location"]) == (302, "/password/")
    assert '<html lang="ko">' in client.get("/").content.decode()
    assert User.objects.get(pk=user.pk).language == "ko"
    assert AuditEntry.objects.get(deed="choose language").details == {"language": "ko"}
    client.post(reverse("language"), {"language": "ko"})
    assert AuditEntry.objects.filter(deed="choose language").count() == 1, "it was so before"

    elsewhere = Client(headers={"accept-language": "zh-CN"})
    assert '<html lang="zh-hans">' in elsewhere.get("/login/").content.decode()
    elsewhere.post("/login/", {"username": "chooser", "password": "pass"})
    assert '<html lang="ko">' in elsewhere.get("/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["tlh", "", "ko\r\nX: y", "en-gb"])
def test_a_language_that_is_not_spoken_changes_nothing(client: Client, language: str) -> None:
    user = make_user("chooser")
    client.force_login(user, backend="webapp.sessions.Accounts")
    client.post(reverse("language"), {"language": language})
    assert User.objects.get(pk=user.pk).language == ""
    assert '<html lang="en">' in client.get("/").content.decode()


@pytest.mark.django_db
def test_one_is_sent_to_no_other_site(client: Client) -> None:
    answer = client.post(reverse("language"), {"language": "ko", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"


@pytest.mark.django_db
def test_what_managers_see_is_in_one_language(client: Client) -> None:
    project = make_project()
    client.force_login(make_user("root", superuser=True), backend="webapp.sessions.Accounts")
    page = client.get(f"/dashboard/{project.slug}/", headers={"accept-language": "ko"})
    assert '<html lang="en">' in page.content.decode()
    assert page["Content-Language"] == "en"


@pytest.mark.django_db
def test_the_api_refuses_in_the_language_of_the_request(client: Client) -> None:
    project = make_project(state="paused")
    client.force_login(make_member(project), backend="webapp.sessions.Accounts")
    path = f"/api/v1/projects/{project.slug}/claims/"
    body = {"id": "00000000-0000-4000-8000-000000000001"}
    told = {}
    for language in ("en", "ko", "zh-hans"):
        answer = client.post(
            path, body, content_type="application/json", headers={"accept-language": language}
        )
        told[language] = answer.json()["error"]
    assert {error["code"] for error in told.values()} == {"not_open"}
    assert told["en"]["detail"] == "The project is paused."
    assert told["ko"]["detail"] == "프로젝트가 일시 중지되었습니다."
    assert told["zh-hans"]["detail"] == "项目已暂停。"


@pytest.mark.django_db
def test_how_many_pairs_one_holds_has_its_plural() -> None:
    project = make_project(claims_in_hand=1)
    for _ in range(2):
        make_comparison(make_pair(project))
    annotator = make_annotator(project)
    ids = [uuid4(), uuid4()]
    assert queue.claim_next(annotator=annotator, claim_id=ids[0])
    for language, told in (
        ("en", "You hold a pair already: judge or skip it first."),
        ("ko", "이미 1쌍을 배정받았습니다. 먼저 그중 하나를 평가하거나 건너뛰세요."),
    ):
        with translation.override(language), pytest.raises(queue.HandFull, match=re.escape(told)):
            queue.claim_next(annotator=annotator, claim_id=ids[1])
