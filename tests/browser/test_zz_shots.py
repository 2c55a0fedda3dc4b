import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.test_import import choose, said


@pytest.mark.parametrize("look", [("light", 1440, 900), ("dark", 390, 844)])
def test_shots(desk: Page, tmp_path: Path, look) -> None:
    page = desk
    page.emulate_media(color_scheme=look[0])
    page.set_viewport_size({"width": look[1], "height": look[2]})
    rows = [
        {
            "ask": {"text": "Why is the sky blue? " * 6},
            "outputs": [{"text": "So. " * 40, "by": "m1"}, {"text": "No." * 20, "by": "m2"}],
            "vote": {"best": "L"},
        },
        {"ask": {"text": "How?"}, "outputs": [{"text": "Thus.", "by": "m1"}], "vote": {"best": "X"}},
    ]
    choose(page, tmp_path, "mine.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    said(page).to_contain_text("No layout has these columns")
    page.get_by_label("Prompt (needed)").select_option("ask.text")
    page.get_by_label("Response 1 (needed)").select_option("outputs[0].text")
    page.get_by_label("Response 2 (needed)").select_option("outputs[1].text")
    page.get_by_label("Verdict", exact=True).select_option("vote.best")
    page.get_by_label("“L” means").select_option("response1")
    said(page).to_contain_text("1 row cannot be taken")
    page.screenshot(path=f"/tmp/imp/shot-{look[0]}-{look[1]}.png", full_page=True)
    rows = "".join(f"Question {n}?,alpha {n},beta {n},gamma {n}\n" for n in range(4))
    page.locator("#id_mapping_text").fill("")
    choose(page, tmp_path, "answers.csv", "prompt,alpha,beta,gamma\n" + rows)
    page.get_by_label("Rows are").select_option("all")
    said(page).to_contain_text("come to 12 pairs")
    page.screenshot(path=f"/tmp/imp/pair-{look[0]}-{look[1]}.png", full_page=True)
