"""The main job from end to end: import, log in, judge by keyboard, export; each verdict under the right response."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from django.core.management import call_command
from playwright.sync_api import Page, expect

from annotate.models import Claim, Project
from tests.browser.judging import JudgePage, picture
from tests.browser.test_judge_pairs import response_on
from tests.factories import make_member, make_user

CALM, BOLD = "Feels calm and uncluttered.", "Is bold and full of detail."


def rows(media: Path) -> list[dict[str, Any]]:
    """One text and one image pair, each under the same two criteria."""
    (media / "one.png").write_bytes(picture((200, 30, 30)))
    (media / "two.png").write_bytes(picture((30, 160, 60)))
    criteria = [{"text": CALM, "k": 2}, {"text": BOLD, "k": 2}]
    return [
        {
            "id": "text-1",
            "task_type": "text_to_text",
            "prompt": "Explain.",
            "response1": {"text": "The first answer.", "model": "model-one"},
            "response2": {"text": "The second answer.", "model": "model-two"},
            "criteria": criteria,
        },
        {
            "id": "image-1",
            "task_type": "text_to_image",
            "prompt": "Draw.",
            "response1": {"media": "one.png", "model": "model-one"},
            "response2": {"media": "two.png", "model": "model-two"},
            "criteria": criteria,
        },
    ]


def log_in(page: Page, name: str, password: str) -> None:
    page.context.clear_cookies()
    page.goto("/login/")
    page.get_by_label("Name").press_sequentially(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("://[^/]+/$"))


def test_from_file_to_benchmark(page: Page, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    source = tmp_path / "pairs.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows(media)))
    call_command(
        "import_pairs",
        str(source),
        "--project=main-job",
        "--create",
        "--task-type=text_to_text",
        "--reserve-share=1",
        "--validation-share=0",
        f"--media={media}",
    )
    project = Project.objects.get(slug="main-job")
    # Both annotators find response 1 calmer and response 2 bolder; the second sees each pair the other way round.
    better = {CALM: "response1", BOLD: "response2"}
    for name in ("ada", "bo"):
        make_member(project, user=make_user(name, password="a long password"))
        log_in(page, name, "a long password")
        judge = JudgePage(page, project).open()
        for _ in range(2):
            if judge.prompt == "Draw.":
                expect(page.locator("#sides img")).to_have_count(2)
            first_is_a = response_on(page, "a") == "response1"
            for last in (False, True):
                criterion = judge.question.inner_text()
                chosen_is_a = (better[criterion] == "response1") == first_is_a
                judge.press("2" if chosen_is_a else "6")
                if not last:
                    expect(judge.question).not_to_have_text(criterion)
            judge.submit()
        judge.saved()
    for pair in project.pairs.all():
        assert set(Claim.objects.filter(pair=pair).values_list("flip", flat=True)) == {True, False}

    out = tmp_path / "release"
    call_command("export_bench", "--project=main-job", f"--out={out}", "--min-labels=2")
    for config in ("text_to_text", "text_to_image"):
        [shard] = (out / "bench" / config).glob("*.parquet")
        table = pq.read_table(shard).to_pylist()
        assert {row["criteria"]: row["criteria_preference"] for row in table} == better
        assert {(row["model1"], row["model2"]) for row in table} == {("model-one", "model-two")}
        listed = json.loads((out / "bench" / f"{config}_preferences.json").read_text())
        assert {row["criteria"]: row["criteria_preference"] for row in listed} == better
    raw = [p for p in (out / "raw").iterdir() if p.name.startswith("judgments")]
    assert raw and not list(out.rglob("*.tmp"))
