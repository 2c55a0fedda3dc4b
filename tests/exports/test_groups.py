"""Groups in a release: only where they are chosen, as they were at freezing, and small ones nowhere."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from annotate.actions import groups
from annotate.models import AnnotatorGroup, FrozenMember, GroupMember, Project, Release
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    """Of a pair five plain people prefer response 1 and five others response 2; two are of a rare group too."""
    made = make_project(slug="grouped", k=9)
    people = [make_annotator(made) for _ in range(10)]
    plain, fancy, rare, empty = (
        groups.make_group(by=None, project=made, kind="taste", name=name)
        for name in ("plain", "fancy", "canary rare", "canary empty")
    )
    assert empty
    for n, one in enumerate(people):
        chosen = [plain if n < 5 else fancy, *([rare] if n > 7 else [])]
        groups.set_groups(by=None, annotator=one, groups=chosen)
    stranger = make_annotator(made)
    groups.set_groups(by=None, annotator=stranger, groups=[rare])  # has judged nothing: is not in the release
    for row, (first, second) in enumerate([(0, 5), (1, 6), (2, 7), (3, 8), (4, 9)]):
        comparison = make_comparison(make_pair(made, external_id=f"row-{row}"), "Which is nicer?", k=9)
        judge(comparison, "response1", people[first])
        judge(comparison, "response1", people[(first + 1) % 5])
        judge(comparison, "response2", people[second])
        judge(comparison, "cannot_tell", people[5 + (second + 1) % 5])
    return made


def export(out: Path, *options: str) -> dict[str, Any]:
    call_command("export_bench", "--project", "grouped", "--out", str(out), "--min-labels", "1", *options)
    manifest: dict[str, Any] = json.loads((out / "MANIFEST.json").read_text())
    return manifest


def raw(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("raw/*.parquet")) for row in pq.read_table(path).to_pylist()]


def whole(out: Path) -> bytes:
    """All that the release says, as it would be read."""
    tables = [repr(pq.read_table(path).to_pylist()).encode() for path in sorted(out.rglob("*.parquet"))]
    texts = [
        path.read_bytes() for path in sorted(out.rglob("*")) if path.suffix in (".json", ".md", ".jsonl")
    ]
    return b"".join([*tables, *texts])


def test_without_the_option_nothing_is_told_of_groups(project: Project, tmp_path: Path) -> None:
    manifest = export(tmp_path / "out")
    assert "groups" not in manifest and "groups" not in manifest["recipe"]
    assert "groups" not in raw(tmp_path / "out")[0] and not (tmp_path / "out/groups").exists()
    assert not FrozenMember.objects.exists()
    assert b"plain" not in whole(tmp_path / "out") and b"canary" not in whole(tmp_path / "out")


def test_distribution_by_group_with_opposite_winners_and_without_small_groups(
    project: Project, tmp_path: Path
) -> None:
    manifest = export(tmp_path / "out", "--groups")
    assert manifest["groups"] == [
        {"kind": "taste", "group": "fancy", "annotators": 5},
        {"kind": "taste", "group": "plain", "annotators": 5},
    ]
    votes = pq.read_table(tmp_path / "out/groups/votes.parquet").to_pylist()
    told = {
        (row["id"].split("/")[1], row["group"]): (row["response1"], row["response2"], row["tie"])
        for row in votes
    }
    assert told == {
        (f"row-{n}", group): (2, 0, 0) if group == "plain" else (0, 1, 0)
        for n in range(5)
        for group in ("plain", "fancy")
    }
    assert {tuple(row["groups"]) for row in raw(tmp_path / "out")} == {("taste: plain",), ("taste: fancy",)}
    assert b"canary" not in whole(tmp_path / "out")
    assert "groups/votes.parquet" in {entry["path"] for entry in manifest["files"]}
    assert "`groups/votes.parquet`" in (tmp_path / "out/README.md").read_text()


def test_written_again_it_is_the_same_whoever_is_in_a_group_by_now(project: Project, tmp_path: Path) -> None:
    manifest = export(tmp_path / "out", "--groups")
    release = Release.objects.get()
    GroupMember.objects.all().delete()
    AnnotatorGroup.objects.filter(name="plain").delete()
    call_command(
        "export_bench", "--project", "grouped", "--out", str(tmp_path / "again"), "--release", str(release.pk)
    )
    again = json.loads((tmp_path / "again/MANIFEST.json").read_text())
    assert again == manifest and whole(tmp_path / "again") == whole(tmp_path / "out")


def test_where_all_groups_are_small_the_file_is_empty(tmp_path: Path) -> None:
    made = make_project(slug="grouped")
    one = make_annotator(made)
    group = groups.make_group(by=None, project=made, kind="language", name="canary")
    groups.set_groups(by=None, annotator=one, groups=[group])
    judge(make_comparison(make_pair(made)), "tie", one)
    manifest = export(tmp_path / "out", "--groups")
    assert manifest["groups"] == [] and raw(tmp_path / "out")[0]["groups"] == []
    assert pq.read_table(tmp_path / "out/groups/votes.parquet").num_rows == 0
    assert b"canary" not in whole(tmp_path / "out")
