"""What a withdrawal took from earlier releases is listed by the next one, in the names that those used, without persons."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from annotate.actions.withdrawal import withdraw_annotator
from annotate.models import Release
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project

pytestmark = pytest.mark.django_db


def test_the_next_release_lists_what_left_the_earlier_ones(tmp_path: Path) -> None:
    project = make_project()
    goes, stays = make_annotator(project), make_annotator(project)
    for name in ("a", "b"):
        comparison = make_comparison(make_pair(project, external_id=name))
        judge(comparison, "response1", goes)
        judge(comparison, "response2", stays)

    def export(name: str, *options: str) -> Path:
        call_command("export_bench", "--project", project.slug, "--out", str(tmp_path / name), *options)
        return tmp_path / name

    before = export("before")
    assert not (before / "withdrawn.jsonl").exists()
    held = pq.read_table(before / "raw").to_pylist()
    withdraw_annotator(by=None, annotator=goes)
    after = export("after")
    listed = [json.loads(line) for line in (after / "withdrawn.jsonl").read_text().splitlines()]
    first = Release.objects.earliest("frozen_at")
    gone = {row["judgment"] for row in held if row["verdict"] == "response1"}
    assert {row["judgment"] for row in listed} == gone
    assert {row["release"] for row in listed} == {str(first.pk)}
    ids = {row["id"] for row in pq.read_table(before / "labels").to_pylist()}
    assert {row["id"] for row in listed} == ids
    assert {tuple(row) for row in listed} == {("release", "id", "judgment", "removed")}
    assert json.loads((after / "MANIFEST.json").read_text())["counts"]["withdrawn"] == 2
    # What leaves later is the next one's to tell: the same release written again lists the same.
    withdraw_annotator(by=None, annotator=stays)
    again = export("again", "--release", str(Release.objects.latest("frozen_at").pk))
    assert (again / "withdrawn.jsonl").read_bytes() == (after / "withdrawn.jsonl").read_bytes()
