"""A release is checked without a database, and two are told apart: every way in which one can be wrong is named."""

import hashlib
import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from annotate.exports.differ import differences
from annotate.exports.verify import SHOWN, NoRelease, verify
from annotate.models import Comparison, Pair, Partition, Project
from tests.exports.test_columns import judged_pair
from tests.factories import judge, make_comparison, make_pair, make_project


def export(project: Project, out: Path, *options: str) -> Path:
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--min-labels", "1", *options)
    return out


@pytest.fixture
def project(db: None) -> Project:
    project = make_project(task_type="text_image_to_image")
    judged_pair(project, Partition.RESERVE, ("red", "orange", "yellow"))
    judged_pair(project, Partition.TRAIN, ("green", "cyan", "blue"))
    for n, partition in enumerate((*Partition, Partition.TRAIN)):
        pair = make_pair(project, task_type="text_to_text", partition=partition, external_id=f"text-{n}")
        judge(make_comparison(pair), "response1")
    return project


@pytest.fixture
def release(project: Project, tmp_path: Path) -> Path:
    return export(project, tmp_path / "release")


def problems(directory: Path) -> list[str]:
    return verify(directory, lambda path: None)


def relisted(directory: Path) -> None:
    """The manifest lists the files as they are now: what is left to find is in the rows."""
    path = directory / "MANIFEST.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        content = (directory / entry["path"]).read_bytes()
        entry |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_text(json.dumps(manifest))


def test_a_whole_release_has_no_problems(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert problems(release) == []
    call_command("verify_release", str(release))
    assert "is whole" in capsys.readouterr().out
    (release / ".gitattributes").write_text("*.parquet filter=lfs")  # as a repository has it
    assert problems(release) == []
    manifest = json.loads((release / "MANIFEST.json").read_text())
    assert manifest["software"].startswith("Evenhand ")
    rows = {entry["path"]: entry.get("rows") for entry in manifest["files"]}
    assert rows["labels/labels-00000-of-00001.parquet"] == 8


def test_files_that_are_missing_changed_cut_or_strange_are_named(release: Path) -> None:
    raw, labels = (release / f"{p}-00000-of-00001.parquet" for p in ("raw/judgments", "labels/labels"))
    raw.unlink()
    labels.write_bytes(labels.read_bytes()[:-1])
    card = release / "README.md"
    card.write_bytes(card.read_bytes().swapcase())
    (release / "bench/extra.json").write_text("[]")
    told = "\n".join(problems(release))
    assert "raw/judgments-00000-of-00001.parquet: No such file" in told
    assert "labels/labels-00000-of-00001.parquet: has" in told
    assert "README.md: its SHA-256 is" in told
    assert "bench/extra.json: the manifest does not list it" in told
    assert "raw/: holds 0 rows, and the manifest counts 8 judgments" in told
    with pytest.raises(CommandError, match="is not what its manifest says"):
        call_command("verify_release", str(release), stderr=StringIO())


def test_rows_that_lost_their_media_are_named(release: Path) -> None:
    name = "bench/text_image_to_image_preferences.json"
    row, other = json.loads((release / name).read_text())
    row["response2"] = "image/none.png"
    (release / name).write_text(f"[\n{json.dumps(row)},\n{json.dumps(other)}\n]\n")
    path = release / "bench/text_image_to_image/test-00000-of-00001.parquet"
    table = pq.read_table(path)
    rows = [row | {"response1": {"bytes": b"", "path": "x.png"}} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    relisted(release)
    told = problems(release)
    assert f"{name} row 1: names image/none.png, which is not in bench/media_data." in told
    assert "bench/text_image_to_image/test-00000-of-00001.parquet row 1: response1 holds no bytes." in told


def test_what_stands_in_two_splits_is_named(release: Path) -> None:
    (bench,) = json.loads((release / "bench/text_to_text_preferences.json").read_text())
    train = release / "train/text_to_text-train.jsonl"
    first, second = (json.loads(line) for line in train.read_text().splitlines())
    first["prompt"][-1]["content"] = bench["prompt"]
    second["id"] = bench["id"]
    train.write_text(json.dumps(first) + "\n" + json.dumps(second) + "\n")
    relisted(release)
    told = problems(release)
    assert any("text_to_text-train.jsonl row 1 (train): the prompt" in problem for problem in told)
    assert any(
        "text_to_text-train.jsonl row 2 (train): the pair 'test/text-0'" in problem for problem in told
    )


def test_many_problems_of_a_kind_are_counted(release: Path) -> None:
    train = release / "train/text_to_text-train.jsonl"
    row = json.loads(train.read_text().splitlines()[0]) | {"images": ["image/none.png"]}
    train.write_text(f"{json.dumps(row)}\n" * (SHOWN + 5))
    relisted(release)
    assert "... and 5 more: media that are not there" in problems(release)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "has no MANIFEST.json"), ("{", "is not JSON"), ('{"format": "other/9"}', "of schema 'other/9'")],
)
def test_what_is_no_release_is_said_to_be_none(content: str | None, message: str, tmp_path: Path) -> None:
    if content:
        (tmp_path / "MANIFEST.json").write_text(content)
    with pytest.raises(CommandError, match=message):
        call_command("verify_release", str(tmp_path))


def test_an_unfinished_release_is_told_from_a_broken_one(release: Path) -> None:
    (release / ".unfinished.json").write_text("{}")
    with pytest.raises(NoRelease, match="unfinished"):
        problems(release)


def test_two_releases_are_told_apart(project: Project, release: Path, tmp_path: Path) -> None:
    for n in (2, 3):
        comparison = Comparison.objects.get(pair__external_id=f"text-{n}")
        judge(comparison, "response2")
        judge(comparison, "response2")
    judge(make_comparison(make_pair(project, task_type="text_to_text", external_id="new")), "tie")
    judged_pair(project, Partition.TRAIN, ("navy", "teal", "pink"))
    later = export(project, tmp_path / "later", "--near-duplicates", "none")
    found: dict[str, Any] = differences(release, later)
    criterion = Pair.objects.get(external_id="new").comparisons.get().criterion
    key = bytes(criterion.text_key).hex()[:8]
    text = found["rows"]["text_to_text"]
    assert text["added"]["some"] == [f"test/new/{key}"]
    assert text["other label"] == {
        "rows": 2,
        "changes": {"response1 to response2": 2},
        "some": [f"test/text-2/{key}", f"test/text-3/{key}"],
    }
    assert found["rows"]["text_image_to_image"]["added"]["rows"] == 2
    assert len(found["media"]["added"]) == 3
    assert found["settings"] == {"recipe.splits.near_duplicates": {"old": ["text", "image"], "new": []}}
    back = differences(later, release)
    assert back["rows"]["text_to_text"]["removed"]["rows"] == 1
    told = StringIO()
    call_command("diff_releases", str(release), str(later), stdout=told)
    assert "text_to_text: other label 2 (response1 to response2 2)" in told.getvalue()
    assert "setting recipe.splits.near_duplicates" in told.getvalue()
    same = StringIO()
    shutil.copytree(release, tmp_path / "copy")
    call_command("diff_releases", str(release), str(tmp_path / "copy"), stdout=same)
    assert "are the same" in same.getvalue()


def test_checking_asks_no_database(
    release: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a database was asked")

    with monkeypatch.context() as patched:
        patched.setattr(connection, "cursor", refuse)
        call_command("verify_release", str(release))
        call_command("diff_releases", str(release), str(release), "--json")
    assert '"settings": {}' in capsys.readouterr().out


@pytest.mark.django_db
def test_a_release_in_other_formats_alone_is_whole_too(tmp_path: Path) -> None:
    """Rows of the benchmark stand in `bench/` where that is one of the formats, and of its task types."""
    project = make_project(task_type="other")
    for name in ("text_to_text", "other"):
        pair = make_pair(project, task_type=name, partition=Partition.RESERVE)
        judge(make_comparison(pair), "response1")
    for formats in ("jsonl", "omni,jsonl"):
        out = export(project, tmp_path / formats, "--formats", formats)
        manifest = json.loads((out / "MANIFEST.json").read_text())
        assert {task: counts["labels"] for task, counts in manifest["counts"]["bench"].items()} == {
            "other": {"response1": 1},
            "text_to_text": {"response1": 1},
        }
        assert problems(out) == []
