"""A whole campaign by the interface alone: from a file of prompts to a release, with everybody whom it takes.

Who does what is planned in campaign.py; what is in the release at the end is compared with that plan.
"""

import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from annotate.integrity import violations
from annotate.models import Annotator, Criterion, Pair, Project
from tests.browser import campaign as plan
from tests.browser.campaign import Campaign, Unit
from tests.browser.conftest import PATIENCE, Watch
from tests.browser.judging import JudgePage
from tests.browser.looking import clean
from tests.browser.test_nine_tasks import first_is_a, log_in
from tests.factories import make_user
from tests.workers.test_worker import Start, start_worker, until

__all__ = ["start_worker"]  # a fixture

PASSWORD = "bread needs 3 hours"
CONSENT = "# What we keep\n\nYour **verdicts**, under another name."
REASON = "Both do what was asked."
COMMENT = "Look at the colours once more, please."
KEYS = {"a": "2", "b": "7", "tie": "4", "cannot_tell": "0"}


@pytest.fixture
def newcomer(
    browser: Browser, web_server: str, context: BrowserContext, watch: Watch
) -> Iterator[Callable[[], Page]]:
    """Pages in browsers of other people."""
    opened: list[BrowserContext] = []

    def arrive() -> Page:
        fresh = browser.new_context(base_url=web_server, viewport={"width": 1280, "height": 800})
        fresh.set_default_timeout(PATIENCE)
        fresh.on("page", watch.follow)
        opened.append(fresh)
        return fresh.new_page()

    yield arrive
    for one in opened:
        one.close()


# The manager


def set_up(page: Page) -> Project:
    """A project whose every pair is kept as benchmark, and whose annotators may write what a moderator decides about."""
    page.goto(reverse("admin:annotate_project_add"))
    for field, value in {
        "name": "Bread",
        "slug": "bread",
        "reserve_share": "1",
        "validation_share": "0",
    }.items():
        page.locator(f"#id_{field}").fill(value)
    page.locator("#id_authored_sharing").select_option("review")
    page.locator("#id_guidelines").fill("# How to judge\n\nLook at both.")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    project = Project.objects.get()
    page.goto(f"/dashboard/{project.slug}/consent/")
    page.locator("#text").fill(CONSENT)
    page.get_by_role("button", name="Make it a new version").click()
    expect(page.get_by_text("Version 1 is asked for from now on.")).to_be_visible()
    clean(page, "the consent that is asked for")
    return project


def import_pairs(page: Page, project: Project, folder: Path) -> None:
    rows, media = plan.write_pairs(folder)
    to_project(page, project)
    page.get_by_role("link", name="Import", exact=True).click()
    page.locator("#id_uploads").set_input_files(rows)
    page.locator("#id_media_zip").set_input_files(media)
    clean(page, "the import that is asked for")
    page.get_by_role("button", name="Import").click()
    job_done(page)
    expect(page.get_by_role("row", name="New pairs")).to_contain_text(str(len(plan.PAIRS)))
    expect(page.get_by_role("row", name="Refused rows")).to_contain_text("0")
    clean(page, "the import that is done")
    until(lambda: not Pair.objects.filter(ready=False).exists())


def to_project(page: Page, project: Project) -> None:
    page.goto("/")
    page.get_by_role("link", name=f"Manage {project.name}").click()
    expect(page.locator("h1")).to_be_visible()


def job_done(page: Page) -> None:
    """The page follows its job by itself."""
    expect(page.get_by_role("status")).to_contain_text("done", timeout=60_000)
    expect(page.locator("progress")).to_have_js_property("position", 1)


def invite(page: Page, project: Project, role: str, people: int) -> str:
    """The path of a link for so many."""
    to_project(page, project)
    page.get_by_role("link", name="Invite by a link").click()
    page.locator("#id_role").select_option(role)
    page.locator("#id_uses").fill(str(people))
    page.get_by_role("button", name="Invite by a link").click()
    link = page.locator(".shown-once td").last.inner_text()
    clean(page, "a link")
    return urlsplit(link).path


def moderate(page: Page, project: Project) -> None:
    """Accepts one, merges what says the same into it, rejects one with a reason and takes one into the library."""
    page.goto(f"/projects/{project.slug}/criteria/")
    expect(page.locator("#rows li")).to_have_count(4)
    told, press = page.locator("#told"), page.keyboard.press

    def choose(text: str) -> None:
        row = page.locator("#rows li").filter(has=page.locator(".text", has_text=text))
        row.click()
        expect(row).to_have_attribute("aria-current", "true")

    choose(plan.ORDER)
    press("a")
    expect(told).to_have_text(f"Accepted: “{plan.ORDER}”.")
    choose(plan.ORDER_AGAIN)
    expect(page.locator("#details")).to_contain_text(plan.ORDER)
    press("m")
    expect(page.locator("#into-list li").first).to_contain_text(plan.ORDER)
    expect(page.locator("#into-list li").first).to_contain_text("alike")
    press("Enter")
    expect(told).to_have_text(f"Merged: “{plan.ORDER_AGAIN}”.")
    choose(plan.JUNK)
    press("r")
    page.keyboard.type("It says nothing.")
    press("Enter")
    expect(told).to_have_text(f"Rejected: “{plan.JUNK}”.")
    choose(plan.SOURCES)
    press("p")
    expect(told).to_have_text(f"Promoted: “{plan.SOURCES}”.")
    clean(page, "the criteria")
    found = {row.text: row for row in Criterion.objects.select_related("canonical")}
    assert found[plan.ORDER_AGAIN].canonical == found[plan.ORDER]
    assert (found[plan.JUNK].state, found[plan.JUNK].reason) == ("rejected", "It says nothing.")
    assert [found[text].in_library for text in (plan.ORDER, plan.SOURCES)] == [False, True]
    # What was decided stays to be read.
    page.goto(f"/projects/{project.slug}/criteria/?show=merged")
    expect(page.locator("#details")).to_contain_text(f"Merge into “{plan.ORDER}”")
    expect(page.locator("#details")).to_contain_text("by mara")
    expect(page.locator("#rows li")).to_have_text(re.compile(plan.ORDER_AGAIN.replace("?", r"\?")))


def release(page: Page, project: Project, folder: Path) -> Path:
    """The files of a release that was asked for on the project's page and made by a worker."""
    to_project(page, project)
    page.get_by_role("link", name="Export").click()
    clean(page, "the release that is asked for")
    page.get_by_role("button", name="Export").click()
    job_done(page)
    clean(page, "the release that is done")
    with page.expect_download() as loading:
        page.get_by_role("link", name="Download the archive").click()
    archive = folder / "release.zip"
    loading.value.save_as(archive)
    out = folder / "release"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(out)
    return out


# The annotators


class Person:
    """Somebody who got in by the link and judges as planned, by keys alone."""

    def __init__(self, name: str, page: Page, campaign: Campaign, project: Project) -> None:
        self.name, self.page, self.campaign, self.project = name, page, campaign, project
        self.judge = JudgePage(page, project)

    def join(self, path: str) -> None:
        page = self.page
        page.goto(path)
        page.get_by_label("Name").fill(self.name)
        for label in ("Password", "Password once more"):
            page.get_by_label(label, exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator(".message").filter(has_text="You are in")).to_be_visible()

    def begin(self) -> None:
        """Starts, is asked for the consent first, and agrees."""
        page = self.page
        page.get_by_role("link", name=f"Start judging {self.project.name}").click()
        page.wait_for_url(re.compile("/consent/"))
        expect(page.locator("#consent-text h1")).to_have_text("What we keep")
        clean(page, "consent")
        page.get_by_role("button", name="I agree").click()
        page.wait_for_url(re.compile("/judge/"))
        self.judge.ready()

    def judge_one(self, written: dict[str, str] | None = None) -> None:
        """Judges the pair on screen; `written`: criteria of one's own, and what one says of them."""
        judge = self.judge
        name = judge.prompt.split(":")[0]
        a_is_first = first_is_a(self.page, plan.PAIRS[name])
        # What one wrote oneself stands there too, judged; whoever wrote what was merged is asked what it was merged into.
        judged, all_there = map(int, re.findall(r"\d+", self.page.locator("#judged").inner_text()))
        asked = all_there - judged
        for n in range(asked):
            criterion = judge.question.inner_text()
            self._say(self.campaign.verdict(self.name, (name, criterion)), a_is_first)
            if n < asked - 1:
                expect(judge.question).not_to_have_text(criterion)
        for criterion, verdict in (written or {}).items():
            judge.press("n")
            self.page.keyboard.type(criterion)
            judge.press("Enter")
            expect(judge.question).to_have_text(criterion)
            self._say(verdict, a_is_first)
        judge.submit()

    def _say(self, verdict: str, a_is_first: bool) -> None:
        side = {"response1": "a" if a_is_first else "b", "response2": "b" if a_is_first else "a"}
        self.judge.press(KEYS[side.get(verdict, verdict)])

    def judge_all(self) -> None:
        self.page.goto("/")
        self.page.get_by_role("link", name=f"Go on judging {self.project.name}").click()
        self.judge.ready()
        while self.page.locator("#work").is_visible():
            self.judge_one()
        expect(self.page.locator("#blank h2")).to_have_text("Nothing to judge now")
        self.judge.saved()

    def look_again(self, unit: Unit) -> None:
        """Finds what the reviewer said, looks at the pair again and changes the verdict."""
        page, judge = self.page, self.judge
        page.goto("/")
        page.get_by_role("link", name="1 unread comment").click()
        expect(page.locator(".comments")).to_contain_text(COMMENT)
        clean(page, "comments")
        page.get_by_role("link", name="Look at the pair again").click()
        judge.ready()
        expect(page.locator("#asked")).to_contain_text(COMMENT)
        if judge.question.inner_text() != unit[1]:
            judge.lines.filter(has_text=unit[1]).click()
        expect(judge.question).to_have_text(unit[1])
        self._say(self.campaign.final(unit)[self.name], first_is_a(page, plan.PAIRS[unit[0]]))
        clean(page, "a pair that is to be looked at again")
        with page.expect_response("**/submit/"):
            judge.press("Enter")
        expect(page.locator("#asked")).to_be_hidden()


# The reviewer


def conflicts(page: Page, project: Project) -> dict[Unit, Locator]:
    """What the queue shows, and the link of each."""
    page.goto(f"/review/{project.slug}/")
    found = {}
    for row in page.locator("table.conflicts tbody tr").all():
        criterion = row.locator("a").inner_text()
        told = row.locator("small").first.inner_text()
        found[re.search(r"(\w+-\d):", told)[1], criterion] = row.locator("a")  # type: ignore[index]
    return found


def opened(page: Page, project: Project, unit: Unit) -> None:
    conflicts(page, project)[unit].click()
    expect(page.locator("#work")).to_be_visible()


def adjudicate(page: Page, project: Project) -> None:
    assert conflicts(page, project).keys() == plan.CONFLICTS
    clean(page, "the queue of conflicts")
    opened(page, project, plan.MAJORITY)
    clean(page, "a conflict")
    page.keyboard.press("m")
    expect(page.get_by_role("status").first).to_have_text("Settled as the majority says: response 1.")
    for unit, key, words in ((plan.THREE_MINDS, "2", "tie"), (plan.OVERRULED, "3", "response 2")):
        opened(page, project, unit)
        expect(page.locator("#accept")).to_have_count(int(unit == plan.OVERRULED))  # there is a majority
        page.keyboard.press(key)
        page.keyboard.press("r")
        page.keyboard.type(REASON)
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("status").first).to_have_text(f"Settled: {words}.")
    opened(page, project, plan.SENT_BACK)
    odd = page.locator("table.verdicts tbody tr").filter(
        has=page.locator(".result", has_text=re.compile("^A"))
    )
    expect(odd).to_have_count(1)
    pseudonym = odd.locator("th").inner_text()
    option = page.locator("#send-to option").filter(has_text=pseudonym)
    page.locator("#send-to").select_option(value=option.get_attribute("value"))
    page.locator("#send-text").fill(COMMENT)
    page.get_by_role("button", name="Send back and next").click()
    expect(page.get_by_role("status").first).to_be_visible()


# What came of it


def tables_of(text: str, heading: str) -> list[list[dict[str, str]]]:
    """The tables below a heading of the dataset card, each with its rows."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found: list[list[str]] = [[]]
    for line in section.split("\n"):
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [
        [dict(zip(_cells(head), _cells(line), strict=True)) for line in lines]
        for head, _, *lines in filter(None, found)
    ]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows_of(out: Path, pattern: str) -> list[dict[str, Any]]:
    return [row for file in sorted(out.glob(pattern)) for row in pq.read_table(file).to_pylist()]


def assert_labels(out: Path, campaign: Campaign) -> None:
    """Every judged comparison, merged criteria as one, with how people's verdicts are distributed and what was settled."""
    found = {(row["pair"], row["criterion"]): row for row in rows_of(out, "labels/*.parquet")}
    assert found.keys() == set(campaign.units())
    for unit, row in found.items():
        settled = plan.SETTLED.get(unit)
        assert {verdict: row[verdict] for verdict in campaign.counts(unit)} == campaign.counts(unit), unit
        of_people, label = campaign.of_people(unit), campaign.label(unit)
        assert row["label_of_people"] == (of_people if of_people in plan.USABLE else None), unit
        assert row["label"] == (label if label in plan.USABLE else None), unit
        assert (row["settled"], row["reviewers"]) == (settled, bool(settled)), unit
        assert row["origin"] == ("settled" if settled else "people"), unit
    benchmark = {
        (row["id"].split("/")[1], row["criteria"]): row["criteria_preference"]
        for task in set(plan.PAIRS.values())
        for row in rows_of(out, f"bench/{task}/*.parquet")
    }
    assert benchmark == {unit: campaign.label(unit) for unit in found if campaign.label(unit) in plan.USABLE}


def assert_judgments(out: Path, campaign: Campaign) -> None:
    """Everybody's every verdict, under one name of the release alone, and how it stands."""
    rows = rows_of(out, "raw/*.parquet")
    standings = Counter(row["standing"] for row in rows)
    units = list(campaign.units())
    assert standings == {"counted": 3 * len(units), "revised": 1, "twin": 1}
    by_person: dict[str, dict[Unit, str]] = {}
    for row in rows:
        if row["standing"] == "counted":
            by_person.setdefault(row["annotator"], {})[row["pair"], row["criterion"]] = row["verdict"]
    expected = [{unit: campaign.final(unit)[person] for unit in units} for person in plan.PEOPLE]
    assert sorted(map(repr, map(sorted, (one.items() for one in by_person.values())))) == sorted(
        map(repr, map(sorted, (one.items() for one in expected)))
    )
    [twin] = [row for row in rows if row["standing"] == "twin"]
    assert (twin["criterion"], twin["criterion_shown"]) == (plan.ORDER, plan.ORDER_AGAIN)
    [revised] = [row for row in rows if row["standing"] == "revised"]
    [newer] = [row for row in rows if row["supersedes"] == revised["judgment"]]
    assert ((newer["pair"], newer["criterion"]), newer["verdict"]) == (plan.SENT_BACK, "response2")
    assert revised["verdict"] == "response1"
    written = {row["criterion_shown"] for row in rows if row["authored"]}
    assert written == {plan.ORDER, plan.ORDER_AGAIN, plan.SOURCES}


def assert_nobody_is_named(out: Path) -> None:
    names = {*plan.PEOPLE, "rae", *Annotator.objects.values_list("pseudonym", flat=True)}
    told = "\n".join(
        [file.read_text() for file in out.rglob("*") if file.suffix in (".md", ".json", ".jsonl")]
        + [repr(rows_of(out, "**/*.parquet"))]
    )
    assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", told)]
    assert plan.JUNK not in told and COMMENT not in told and REASON not in told


def assert_card(out: Path, campaign: Campaign) -> None:
    """The report inside: what was filtered at which step, and how far people agree."""
    card = (out / "README.md").read_text()
    labels: Counter[tuple[str, str]] = Counter()
    for unit in campaign.units():
        labels[plan.PAIRS[unit[0]], campaign.label(unit)] += 1
    of_settled, of_labels, of_steps, *_ = tables_of(card, "Labels")
    assert {row["config"] for row in of_labels} == set(plan.PAIRS.values())
    for row in of_labels:
        left_out = {
            step["step"].strip("`"): step["left out"] for step in of_steps if step["config"] == row["config"]
        }
        for outcome in plan.USABLE:
            assert int(row[outcome]) == labels[row["config"], outcome], (row, outcome)
        for outcome in ("no_consensus", "too_few"):
            assert int(left_out.get(outcome, 0)) == labels[row["config"], outcome], (left_out, outcome)
    assert {(row["config"], row["settled"], row["other than people's"]) for row in of_settled} == {
        ("text_to_text", "2", "0"),
        ("text_to_image", "1", "1"),
    }
    [of_agreement] = tables_of(card, "Agreement")
    agreement = {row["config"]: row for row in of_agreement}
    assert agreement.keys() == {*plan.PAIRS.values(), "all"}
    for config, row in agreement.items():
        alpha = campaign.alpha(None if config == "all" else config)
        assert float(row["alpha"].split()[0]) == pytest.approx(alpha, abs=5e-5), config
    manifest = json.loads((out / "MANIFEST.json").read_text())
    assert {entry["path"] for entry in manifest["files"]} | {"MANIFEST.json"} == {
        str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()
    }


def look_at_quality(page: Page, project: Project) -> None:
    """The dashboard asks for statistics by itself."""
    page.goto(f"/dashboard/{project.slug}/")
    expect(page.get_by_role("heading", name="Agreement")).to_be_visible(timeout=60_000)
    clean(page, "the dashboard")
    for path in ("audit/", "groups/"):
        page.goto(f"/dashboard/{project.slug}/{path}")
        clean(page, path)


@pytest.mark.timeout(400)
def test_a_campaign_from_prompts_to_a_release(
    page: Page,
    watch: Watch,
    newcomer: Callable[[], Page],
    start_worker: Start,
    tmp_path: Path,
) -> None:
    watch.allow("409")  # the claim that is refused until somebody consented
    start_worker("workers.celery", queues="default,media,export")
    make_user("mara", superuser=True, password=PASSWORD)
    log_in(page, "mara", PASSWORD)
    project = set_up(page)
    import_pairs(page, project, tmp_path)

    campaign = Campaign()
    link = invite(page, project, "annotator", people=3)
    people = {name: Person(name, newcomer(), campaign, project) for name in plan.PEOPLE}
    written = {
        "ada": {plan.ORDER: "response1", plan.SOURCES: "response2"},
        "bo": {plan.ORDER_AGAIN: "response2"},
        "cy": {plan.JUNK: "response1"},
    }
    for name, person in people.items():
        person.join(link)
        person.begin()
        campaign.first = campaign.first or person.judge.prompt.split(":")[0]
        assert person.judge.prompt.startswith(f"{campaign.first}:")
        person.judge_one(written[name])
        person.judge.saved()
        clean(person.page, "a pair")

    moderate(page, project)
    for person in people.values():
        person.judge_all()

    reviewer = Person("rae", newcomer(), campaign, project)
    reviewer.join(invite(page, project, "reviewer", people=1))
    adjudicate(reviewer.page, project)
    people["cy"].look_again(plan.SENT_BACK)
    assert conflicts(reviewer.page, project).keys() == {plan.LEFT_OPEN}

    look_at_quality(page, project)
    out = release(page, project, tmp_path)
    assert_labels(out, campaign)
    assert_judgments(out, campaign)
    assert_nobody_is_named(out)
    assert_card(out, campaign)
    assert violations() == {}
