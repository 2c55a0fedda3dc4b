"""Real files, whatever their format: imported, prepared, shown by their viewers, judged and released as they were."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from annotate.models import Project
from tests.browser.judging import CLARITY, JudgePage
from tests.browser.test_nine_tasks import shown
from tests.factories import make_member
from tests.media.contents import content, released
from tests.paths import SHARED_DATA, needs_shared_data

pytestmark = [needs_shared_data, pytest.mark.timeout(400)]
KINDS = ("image", "video", "audio", "mesh")


def test_every_real_file_is_shown_and_comes_out_again(page: Page, tmp_path: Path, sign_in) -> None:
    rows = []
    for kind in KINDS:
        files = sorted(f"{kind}/{path.name}" for path in (SHARED_DATA / kind).iterdir())
        files += files[:1] * (len(files) % 2)
        for number, (first, second) in enumerate(zip(files[::2], files[1::2], strict=True)):
            rows.append(
                {
                    "id": f"{kind}-{number}",
                    "task_type": "text_to_3D" if kind == "mesh" else f"text_to_{kind}",
                    "prompt": f"{kind} {number}",
                    "response1": {"media": first, "model": "one"},
                    "response2": {"media": second, "model": "two"},
                    "criteria": [CLARITY],
                }
            )
    source = tmp_path / "pairs.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call_command(
        "import_pairs",
        str(source),
        "--project=real",
        "--create",
        "--task-type=other",
        "--reserve-share=1",
        "--validation-share=0",
        f"--media={SHARED_DATA}",
    )
    project = Project.objects.get(slug="real")
    sign_in(make_member(project))
    judge = JudgePage(page, project).open()
    seen = []
    for _ in rows:
        kind = judge.prompt.split()[0]
        seen.append(judge.prompt)
        for side in "ab":
            shown(page.locator(f"#body-{side}"), kind)
        if kind in ("video", "audio"):
            judge.press(" ")
            page.wait_for_function("() => Number(document.querySelector('#tools .track').value) > 0.3")
        expect(page.locator(".failed")).to_have_count(0)
        judge.press("2")
        judge.submit()
    assert set(seen) == {row["prompt"] for row in rows}
    judge.saved()
    out = tmp_path / "out"
    call_command("export_bench", "--project=real", f"--out={out}", "--min-labels=1")
    given = [path.read_bytes() for kind in KINDS for path in (SHARED_DATA / kind).iterdir()]
    assert released(out) == {sha256(data).hexdigest(): content(data) for data in given}
