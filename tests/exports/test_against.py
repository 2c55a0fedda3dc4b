"""What other benchmarks hold too is found, listed, counted in the card, and left out where that is asked for."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from annotate.models import Derivative, FrozenComparison, Partition, Project
from tests.exports.test_splits import LONG, picture
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db

ANSWER = "The lamp has been dark for three weeks now, and children walk home under it every evening."


def export(project: Project, out: Path, *options: str) -> dict[str, Any]:
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--min-labels", "1", *options)
    manifest: dict[str, Any] = json.loads((out / "MANIFEST.json").read_text())
    return manifest


def listed(out: Path) -> list[tuple[str, str, str, str, int]]:
    rows = [json.loads(line) for line in (out / "contamination.jsonl").read_text().splitlines()]
    return [(row["pair"], row["what"], row["how"], row["file"], row["row"]) for row in rows]


@pytest.fixture
def project() -> Project:
    project = make_project()
    for name, prompt, response in [
        ("same", LONG.format("Mill"), ANSWER),
        ("near", LONG.format("Hill"), "No."),
        (
            "answered",
            "Name three rivers of Europe that flow into the Black Sea.",
            ANSWER + " Mend it.",
        ),
        ("clean", "How do plants turn light into sugar, and which colours do they use?", "Yes."),
    ]:
        pair = make_pair(
            project, prompt=prompt, response1=response, external_id=name, partition=Partition.RESERVE
        )
        judge(make_comparison(pair), "response1")
    return project


@pytest.fixture
def others(tmp_path: Path) -> tuple[Path, Path]:
    """RewardBench's columns as Parquet, and preference rows as JSON Lines: the second with a row that is none."""
    first = tmp_path / "rewardbench.parquet"
    row = {
        "id": 7,
        "prompt": LONG.format("Mill").upper(),
        "chosen": "Yes, and here is why, at length, with every detail.",
        "rejected": "no.",
        "chosen_model": "a",
        "rejected_model": "b",
        "subset": "chat",
    }
    pq.write_table(pa.Table.from_pylist([row]), first)
    second = tmp_path / "preferences.jsonl"
    preference = {"prompt": "What is with the lamp?", "chosen": ANSWER, "rejected": "No."}
    second.write_text(
        json.dumps(preference) + "\n" + json.dumps({"prompt": 3, "chosen": "a", "rejected": 5}) + "\n"
    )
    return first, second


def test_prompts_and_responses_that_stand_elsewhere_are_listed_and_counted(
    project: Project, others: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    manifest = export(project, out, "--against", *map(str, others))
    assert listed(out) == [
        ("test/answered", "response1", "near", "preferences.jsonl", 1),
        ("test/near", "prompt", "near", "rewardbench.parquet", 1),
        ("test/same", "prompt", "exact", "rewardbench.parquet", 1),
        ("test/same", "response1", "exact", "preferences.jsonl", 1),
    ]
    assert [(told["name"], told["rows"], told["unread_rows"]) for told in manifest["contamination"]] == [
        ("rewardbench.parquet", 1, 0),
        ("preferences.jsonl", 2, 1),
    ]
    assert manifest["contamination"][1]["found"] == {"response1 exact": 1, "response1 near": 1}
    card = (out / "README.md").read_text()
    assert "| rewardbench.parquet | 1 | prompt exact 1, prompt near 1 |" in card
    assert str(tmp_path) not in (out / "MANIFEST.json").read_text()
    assert not FrozenComparison.objects.exclude(kept_out="").exists()
    # Written again it needs the files no more.
    for path in others:
        path.unlink()
    again = tmp_path / "again"
    export_again = ("export_bench", "--project", project.slug, "--out", str(again))
    call_command(*export_again, "--release", manifest["release"])
    assert (again / "contamination.jsonl").read_bytes() == (out / "contamination.jsonl").read_bytes()
    call_command("verify_release", str(again))


def test_dropped_pairs_stand_in_no_split(project: Project, others: tuple[Path, Path], tmp_path: Path) -> None:
    manifest = export(project, tmp_path / "out", "--against", *map(str, others), "--drop-contaminated")
    counts = manifest["counts"]["bench"]["text_to_text"]
    assert counts == {"labels": {"response1": 1}, "excluded": {"contaminated": 3}}


def test_pictures_that_stand_elsewhere_are_found_by_their_bytes_and_by_their_looks(tmp_path: Path) -> None:
    project = make_project(task_type="text_to_image")
    same, near, clean = picture((50, 50), (110, 120)), picture((110, 50)), picture((40, 120), colour="pink")
    for name, content in (("same", same), ("near", near), ("clean", clean)):
        assets = [make_asset(project, one, extension="webp", media_type="image/webp")
                  for one in (content, picture(colour="red" if name == "same" else "blue"))]  # fmt: skip
        for asset in assets:
            with default_storage.open(asset.key) as file:
                made = ContentFile(file.read())
            key = default_storage.save("derivatives/picture", made)
            Derivative.objects.get_or_create(
                asset=asset,
                kind="thumb",
                defaults={"media_type": "image/webp", "size": made.size, "key": key},
            )
        pair = make_pair(project, response1=assets[0], response2=assets[1], external_id=name)
        judge(make_comparison(pair), "response1")
    media = tmp_path / "media_data"
    media.mkdir()
    (media / "one.webp").write_bytes(same)
    (media / "two.webp").write_bytes(picture((110, 50), quality=40, side=120))
    row = {
        "prompt": "Draw it.",
        "model1": "a",
        "model2": "b",
        "criteria": "Which is better?",
        "criteria_preference": "response1",
        "id": "x",
        "response1": "one.webp",
        "response1_path": "one.webp",
        "response2": "two.webp",
        "response2_path": "two.webp",
    }
    bench = tmp_path / "text_to_image_preferences.json"
    bench.write_text(json.dumps([row]))
    out = tmp_path / "out"
    export(project, out, "--against", str(bench), "--near-duplicates", "none")
    assert [match[:3] for match in listed(out)] == [
        ("test/near", "medium", "near"),
        ("test/same", "medium", "exact"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.jsonl", None, "No such file"),
        ("strange.jsonl", '{"x": 1}\n', "cannot be compared with"),
        ("notes.txt", "hello", "cannot be compared with"),
    ],
)
def test_what_cannot_be_compared_with_is_refused(
    name: str, content: str | None, message: str, project: Project, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(CommandError, match=message):
        export(project, tmp_path / "out", "--against", str(tmp_path / name))
    assert not (tmp_path / "out" / "MANIFEST.json").exists()
