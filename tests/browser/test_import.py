"""The page of an import: a table of no known layout is mapped in the browser, seen before anything is stored."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import LocatorAssertions, Page, expect

from annotate.actions.jobs import run_job
from annotate.models import DataImport, Judgment, Pair, Role, User
from tests.browser.conftest import Watch
from tests.browser.looking import LOOKS, clean
from tests.factories import make_member, make_project, make_user

SignIn = Callable[[User], None]
TABLE = (
    'task,one,two,won,who\n"Say <b>hi</b>",hi,"hello, you",L,ann\nSay bye,bye,,R,bob\nSay no,no,nope,X,ann\n'
)


@pytest.fixture
def desk(page: Page, sign_in: SignIn) -> Page:
    project = make_project(slug="ours", name="Ours")
    sign_in(make_member(project, Role.MANAGER, make_user("boss", password=None)))
    page.goto(reverse("admin:annotate_dataimport_add") + f"?project={project.pk}")
    return page


def choose(page: Page, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    page.locator("#id_uploads").set_input_files(tmp_path / name)


def said(page: Page) -> LocatorAssertions:
    return expect(page.locator("#desk").get_by_role("status"))


def test_a_table_is_mapped_by_the_keyboard_and_imported(desk: Page, tmp_path: Path) -> None:
    page = desk
    choose(page, tmp_path, "mine.csv", TABLE)
    said(page).to_contain_text("No layout has these columns")
    expect(
        page.get_by_role("region", name="The first rows").get_by_role("cell", name="hello, you")
    ).to_be_visible()
    # By the keyboard alone: typing the beginning of an option chooses it.
    page.get_by_label("Prompt (needed)").focus()
    page.keyboard.type("task")
    for label, column in (("Response 1 (needed)", "one"), ("Response 2 (needed)", "two")):
        page.get_by_label(label).focus()
        page.keyboard.type(column)
    said(page).to_contain_text("the first 3 rows come to 3 pairs")
    pair = page.get_by_role("article").first
    expect(pair).to_contain_text("Say <b>hi</b>")  # as text, and no markup
    page.get_by_label("Verdict", exact=True).select_option("won")
    page.get_by_label("“L” means").select_option("response1")
    page.get_by_label("“R” means").select_option("response2")
    page.get_by_label("Who gave it", exact=True).select_option("who")
    page.get_by_label("Criterion", exact=True).select_option("the same text in every row …")
    page.get_by_label("Criterion: the text").fill("Which is shorter?")
    expect(pair).to_contain_text("Which is shorter? — response1 (ann)")
    # What is chosen stands in the field that is sent.
    mapping = json.loads(page.locator("#id_mapping_text").input_value())
    assert mapping["verdicts"] == {"L": "response1", "R": "response2", "X": None}
    assert not DataImport.objects.exists() and not Pair.objects.exists()
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/progress/")
    made = DataImport.objects.get()
    run_job(made.job_id)
    assert Pair.objects.count() == 3
    assert sorted(Judgment.objects.values_list("verdict", flat=True)) == ["response1", "response2"]


def test_errors_are_told_by_row_and_field(desk: Page, tmp_path: Path) -> None:
    page = desk
    choose(
        page,
        tmp_path,
        "mine.csv",
        "id,prompt,response1,response2,criterion,annotator,verdict\n1,q,a,b,c,p,maybe\n2,,a,b,c,p,tie\n",
    )
    table = page.get_by_role("region", name="Rows that cannot be taken")
    expect(table.get_by_role("row").nth(1)).to_have_text(re.compile(r"2criterion.*verdictis 'maybe'"))
    expect(table.get_by_role("row").nth(2)).to_have_text(re.compile("3promptis empty"))
    said(page).to_contain_text("Read as evenhand")
    page.locator("#id_mapping_text").fill("prompt: [")
    said(page).to_contain_text("The mapping is not YAML")
    page.locator("#id_mapping_text").fill("prompt: prompt\nresponse1: response1")
    said(page).to_contain_text("response2 is missing")


def test_places_within_columns_are_chosen_and_errors_stand_beside_them(desk: Page, tmp_path: Path) -> None:
    page = desk
    rows = [
        {"ask": {"text": "Why?"}, "outputs": [{"text": "So."}, {"text": "No."}], "vote": {"best": "L"}},
        {"ask": {"text": "How?"}, "outputs": [{"text": "Thus."}], "vote": {"best": "L"}},
    ]
    choose(page, tmp_path, "mine.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    said(page).to_contain_text("No layout has these columns")
    page.get_by_label("Prompt (needed)").select_option("ask.text")
    page.get_by_label("Response 1 (needed)").select_option("outputs[0].text")
    page.get_by_label("Response 2 (needed)").select_option("outputs[1].text")
    said(page).to_contain_text("1 row cannot be taken")
    second = page.get_by_label("Response 2 (needed)")
    expect(second).to_have_accessible_description("Row 2: outputs has 1 entry here.")
    expect(second).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Response 1 (needed)")).to_have_attribute("aria-invalid", "false")
    page.get_by_label("Verdict", exact=True).select_option("vote.best")
    page.get_by_label("“L” means").select_option("response1")
    second.select_option("outputs[-1].text")
    said(page).to_contain_text("the first 2 rows come to 2 pairs.")
    expect(second).to_have_accessible_description("")
    expect(page.get_by_role("article").first).to_contain_text("Which response is better overall? — response1")


def test_the_mapping_of_an_earlier_import_is_offered_again(desk: Page, tmp_path: Path) -> None:
    page = desk
    choose(page, tmp_path, "mine.csv", TABLE)
    page.get_by_label("Prompt (needed)").select_option("task")
    page.get_by_label("Response 1 (needed)").select_option("one")
    page.get_by_label("Response 2 (needed)").select_option("two")
    said(page).to_contain_text("come to 3 pairs")
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/progress/")
    run_job(DataImport.objects.get().job_id)
    page.goto(reverse("admin:annotate_dataimport_add") + f"?project={DataImport.objects.get().project_id}")
    choose(page, tmp_path, "next.csv", TABLE.replace("bye", "goodbye"))
    page.get_by_label("Mapping of an earlier import").select_option(index=1)
    said(page).to_contain_text("come to 3 pairs")
    expect(page.get_by_label("Response 2 (needed)")).to_have_value("=two")
    # One that says more than the fields can is left as it is written.
    page.locator("#id_mapping_text").fill(
        "prompt: [{role: system, text: {value: x}}, {text: task}]\nresponse1: one\nresponse2: two"
    )
    expect(page.get_by_text("This mapping says more")).to_be_visible()
    said(page).to_contain_text("come to 3 pairs")
    page.get_by_role("button", name="choose afresh").click()
    expect(page.get_by_label("Prompt (needed)")).to_be_visible()


def test_a_table_of_answers_becomes_pairs(desk: Page, tmp_path: Path) -> None:
    page = desk
    rows = "".join(f"Question {n}?,alpha {n},beta {n},gamma {n}\n" for n in range(4))
    choose(page, tmp_path, "answers.csv", "prompt,alpha,beta,gamma\n" + rows)
    said(page).to_contain_text("No layout has these columns")
    page.get_by_label("Rows are").select_option("balanced")
    page.get_by_label("Pairs of a prompt").fill("2")
    page.get_by_label("Pairs of a prompt").blur()
    said(page).to_contain_text("Read as answers: the first 4 rows come to 8 pairs. Of the whole table")
    expect(page.get_by_role("heading", name="Which column means what")).to_be_hidden()
    expect(page.get_by_role("article").first).to_contain_text("Pair 1: answers")
    page.get_by_label("Rows are").select_option("anchors")
    said(page).to_contain_text("anchors are named for the design anchors")
    page.get_by_label("Anchors").fill("beta")
    page.get_by_label("Anchors").blur()
    page.get_by_label("Pairs of a prompt").fill("")
    page.get_by_label("Pairs of a prompt").blur()
    said(page).to_contain_text("come to 8 pairs")
    page.get_by_role("button", name="Import").click()
    page.wait_for_url("**/progress/")
    run_job(DataImport.objects.get().job_id)
    models = Pair.objects.values_list("response1__model_name", "response2__model_name")
    assert len(models) == 8 and all("beta" in pair for pair in models)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def test_it_looks_right(desk: Page, watch: Watch, tmp_path: Path, look: tuple[str, int, int]) -> None:
    watch.allow("inline style|widgets.*css")  # of axe itself, which follows what style sheets import
    page = desk
    page.emulate_media(color_scheme=look[0])  # type: ignore[arg-type]
    page.set_viewport_size({"width": look[1], "height": look[2]})
    choose(page, tmp_path, "mine.csv", TABLE + "Say,a,b,Y\n")
    page.get_by_label("Prompt (needed)").select_option("task")
    page.get_by_label("Response 1 (needed)").select_option("one")
    page.get_by_label("Response 2 (needed)").select_option("two")
    page.get_by_label("Verdict", exact=True).select_option("won")
    said(page).to_contain_text("1 row cannot be taken")
    clean(page, f"the mapping of an import, {look[0]}")


def test_a_large_file_is_seen_by_its_beginning(desk: Page, tmp_path: Path) -> None:
    page = desk
    row = {"id": "x", "prompt": "q é" * 200, "response1": "a" * 300, "response2": "b"}
    lines = "".join(json.dumps(row | {"id": str(n)}, ensure_ascii=False) + "\n" for n in range(3000))
    choose(page, tmp_path, "large.jsonl", lines)
    said(page).to_contain_text("the first 200 rows come to 200 pairs")
