"""The main job from end to end, for all nine task types: import, log in, judge by keyboard, export.

Two annotators see each pair, the second with the sides exchanged; each verdict is found under the right response.
"""

import json
import re
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command
from playwright.sync_api import Locator, Page, expect

from annotate.models import Claim, Project, TaskType
from tests.browser.judging import JudgePage, picture
from tests.browser.playables import cube_document, encode_video, tone, wav
from tests.browser.test_judge_pairs import PIXEL
from tests.factories import make_member, make_user
from tests.media.contents import content, released
from tests.media.glb import glb

CALM, BOLD = "Feels calm and uncluttered.", "Is bold and full of detail."
RED, BLUE = (200, 30, 30), (30, 60, 200)
TASKS = [str(task) for task in TaskType if task != TaskType.OTHER]

# Whether anything is drawn in the last quarter of a waveform: the sounds share one scale of time, one is shorter.
REACHES = """canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(Math.floor(width * 0.75), 0, Math.floor(width * 0.25), height);
  return data.some((value, n) => n % 4 === 3 && value > 0);
}"""


def red_over_blue(visible: Locator) -> bool:
    red, _, blue = visible.evaluate(PIXEL)
    return bool(red > blue)


# By what the responses are made of: two files, and how the first is told from the second by what one sees.
Medium = tuple[str, Callable[[], tuple[bytes, bytes]], Callable[[Locator], bool]]
MEDIA: dict[str, Medium] = {
    "text": (
        "",
        lambda: (b"The first answer.", b"The second answer."),
        lambda body: "first" in body.inner_text(),
    ),
    "image": ("png", lambda: (picture(RED), picture(BLUE)), lambda body: red_over_blue(body.locator("img"))),
    "video": (
        "mp4",
        lambda: (encode_video(20, Fraction(25), colour=RED), encode_video(30, Fraction(30), colour=BLUE)),
        lambda body: red_over_blue(body.locator("video")),
    ),
    "audio": (
        "wav",
        lambda: (wav(tone(440, 2)), wav(tone(660, 1))),
        lambda body: bool(body.locator("canvas").evaluate(REACHES)),
    ),
    "mesh": (
        "glb",
        lambda: (glb(*cube_document(1, (0.8, 0.05, 0.05))), glb(*cube_document(5, (0.05, 0.05, 0.8)))),
        lambda body: red_over_blue(body.locator("canvas")),
    ),
}
ASKED = {"image": "image", "video": "video", "audio": "audio"}  # what may stand in a prompt beside its text


def modalities(task_type: str) -> tuple[str | None, str]:
    """What stands in the prompt beside text, and what the responses are."""
    asked, answered = task_type.removeprefix("text_").split("to_")
    return ASKED.get(asked.rstrip("_")), {"3D": "mesh"}.get(answered, answered)


def rows(media: Path) -> list[dict[str, Any]]:
    """A pair of each task type, under the same two criteria."""
    found = []
    for task_type in TASKS:
        asked, answered = modalities(task_type)
        extension, made, _ = MEDIA[answered]
        row: dict[str, Any] = {
            "id": task_type,
            "task_type": task_type,
            "prompt": f"Asked: {task_type}.",
            "criteria": [{"text": CALM, "k": 2}, {"text": BOLD, "k": 2}],
        }
        for number, (name, made_of) in enumerate(zip(("one", "two"), made(), strict=True), 1):
            response = {"model": f"model-{name}"}
            if extension:
                response["media"] = f"{task_type}-{name}.{extension}"
                (media / response["media"]).write_bytes(made_of)
            else:
                response["text"] = made_of.decode()
            row[f"response{number}"] = response
        if asked:
            asked_extension, asked_made, _ = MEDIA[asked]
            (media / f"{task_type}-prompt.{asked_extension}").write_bytes(asked_made()[1])
            row["media"] = [f"{task_type}-prompt.{asked_extension}"]
        found.append(row)
    return found


def assert_media_are_those_given(out: Path, media: Path, given: list[dict[str, Any]]) -> None:
    """In every row, in its place; each decoded to what it was; embedded as it lies beside the rows."""
    originals = {path.name: path.read_bytes() for path in media.iterdir()}
    digests = {name: sha256(data).hexdigest() for name, data in originals.items()}
    assert released(out) == {digests[name]: content(data) for name, data in originals.items()}
    for pair in given:
        asked, _ = modalities(pair["task_type"])
        files = {name: pair[name]["media"] for name in ("response1", "response2") if "media" in pair[name]}
        if asked:
            files[asked] = pair["media"][0]
        listed = json.loads((out / "bench" / f"{pair['task_type']}_preferences.json").read_text())
        table = pq.read_table(out / "bench" / pair["task_type"]).to_pylist()
        assert len(listed) == len(table) == 2
        for named, row in zip(listed, table, strict=True):
            assert {column: Path(named[column]).stem for column in files} == {
                column: digests[file] for column, file in files.items()
            }
            for column in files:
                path = out / "bench/media_data" / named[column]
                embedded = row[column]
                assert embedded == named[column] or embedded["bytes"] == path.read_bytes()
            for name in {"response1", "response2"} - set(files):
                assert named[name] == row[name] == pair[name]["text"]


def log_in(page: Page, name: str, password: str) -> None:
    page.context.clear_cookies()
    page.goto("/login/")
    page.get_by_label("Name").press_sequentially(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("://[^/]+/$"))


def first_is_a(page: Page, task_type: str) -> bool:
    """Whether response 1 stands on side A, told by what one sees alone."""
    _, answered = modalities(task_type)
    is_first = MEDIA[answered][2]
    for side in page.locator("#sides .side:not([hidden]) .body").all():
        shown(side, answered)
    first, second = (is_first(page.locator(f"#body-{side}")) for side in "ab")
    assert first != second
    return first


def shown(body: Locator, modality: str) -> None:
    """Waits until a side shows what it holds."""
    if modality == "image":
        expect(body.locator("img")).to_be_visible()
    elif modality == "video":
        expect(body.locator("[data-time]")).to_be_visible()
    elif modality == "audio":
        expect(body.locator(".note")).to_have_text("")
    elif modality == "mesh":
        expect(body.locator("[data-drawn]")).to_be_visible(timeout=20_000)


def judge_all(page: Page, project: Project, better: dict[str, str]) -> list[str]:
    """Judges until there is nothing left; what was judged, by task type."""
    judge = JudgePage(page, project).open()
    done = []
    for _ in TASKS:
        task_type = judge.prompt.removeprefix("Asked: ").removesuffix(".")
        done.append(task_type)
        asked, _ = modalities(task_type)
        if asked:
            place = page.locator("#body-source" if task_type == "text_image_to_image" else "#prompt .figure")
            shown(place, asked)
        a_is_first = first_is_a(page, task_type)
        for last in (False, True):
            criterion = judge.question.inner_text()
            chosen_is_a = (better[criterion] == "response1") == a_is_first
            judge.press("2" if chosen_is_a else "6")
            if not last:
                expect(judge.question).not_to_have_text(criterion)
        judge.submit()
    judge.saved()
    expect(page.locator("#blank h2")).to_have_text("Nothing to judge now")
    return done


@pytest.mark.timeout(400)  # eighteen pairs judged, half of them with media to load
def test_from_files_to_benchmark(page: Page, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    source = tmp_path / "pairs.jsonl"
    given = rows(media)
    source.write_text("".join(json.dumps(row) + "\n" for row in given))
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
        assert sorted(judge_all(page, project, better)) == sorted(TASKS)
    for pair in project.pairs.all():
        assert set(Claim.objects.filter(pair=pair).values_list("flip", flat=True)) == {True, False}

    out = tmp_path / "release"
    call_command("export_bench", "--project=main-job", f"--out={out}", "--min-labels=2")
    for config in TASKS:
        [shard] = (out / "bench" / config).glob("*.parquet")
        table = pq.read_table(shard).to_pylist()
        assert {row["criteria"]: row["criteria_preference"] for row in table} == better, config
        assert {(row["model1"], row["model2"]) for row in table} == {("model-one", "model-two")}
        listed = json.loads((out / "bench" / f"{config}_preferences.json").read_text())
        assert {row["criteria"]: row["criteria_preference"] for row in listed} == better
    assert_media_are_those_given(out, media, given)
    raw = [p for p in (out / "raw").iterdir() if p.name.startswith("judgments")]
    assert raw and not list(out.rglob("*.tmp"))
