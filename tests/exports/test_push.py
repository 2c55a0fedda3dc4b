"""A release is sent into a bucket: whole, resumable, read back, and never over something else."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotate.actions.jobs import Refused
from annotate.exports import push as pushing
from annotate.exports.push import place_of, push
from annotate.models import Project
from tests.factories import judge, make_comparison, make_pair, make_project
from tests.stores import Store, client

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("store", ["object store"], indirect=True),
]


@pytest.fixture
def project(store: Store) -> Project:
    project = make_project()
    for _ in range(3):
        judge(make_comparison(make_pair(project)), "response1")
    return project


def export(project: Project, out: Path, *options: str) -> Path:
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--min-labels", "1", *options)
    return out


def in_bucket(s3: Any, prefix: str) -> dict[str, str]:
    found = s3.list_objects_v2(Bucket="evenhand", Prefix=prefix).get("Contents", [])
    return {
        one["Key"].removeprefix(prefix): hashlib.sha256(
            s3.get_object(Bucket="evenhand", Key=one["Key"])["Body"].read()
        ).hexdigest()
        for one in found
    }


def test_a_release_is_sent_whole_and_goes_on_where_it_was_killed(
    project: Project, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = client(store.environ)
    out = export(project, tmp_path / "out")
    entries = json.loads((out / "MANIFEST.json").read_text())["files"]
    steps: list[str] = []

    def dies(step: str) -> None:
        steps.append(step)
        if len(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(out, "s3://evenhand/r1", dies)
    assert "MANIFEST.json" not in in_bucket(s3, "r1/")
    assert push(out, "s3://evenhand/r1/", lambda step: None) == len(entries) + 1 - 2
    expected = {entry["path"]: entry["sha256"] for entry in entries}
    expected["MANIFEST.json"] = hashlib.sha256((out / "MANIFEST.json").read_bytes()).hexdigest()
    assert in_bucket(s3, "r1/") == expected
    assert push(out, "s3://evenhand/r1", lambda step: None) == 0


def test_large_files_go_in_parts(
    project: Project, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least part that stores take is five mebibytes."""
    out = export(project, tmp_path / "out")
    large = out / "bench.bin"
    large.write_bytes(bytes(range(256)) * (6 * 2**20 // 256))
    manifest = json.loads((out / "MANIFEST.json").read_text())
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    manifest["files"].append({"path": "bench.bin", "size": 6 * 2**20, "sha256": digest})
    (out / "MANIFEST.json").write_text(json.dumps(manifest))
    parts = pushing.TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)
    monkeypatch.setattr(pushing, "_PARTS", parts)
    push(out, "s3://evenhand/large", lambda step: None)
    s3 = client(store.environ)
    assert in_bucket(s3, "large/")["bench.bin"] == digest
    assert s3.head_object(Bucket="evenhand", Key="large/bench.bin")["ETag"].endswith('-2"')


def test_what_is_read_back_wrong_or_stands_there_already_is_refused(
    project: Project, store: Store, tmp_path: Path
) -> None:
    s3 = client(store.environ)
    out = export(project, tmp_path / "out", "--push", "s3://evenhand/r2")
    card = (out / "README.md").read_bytes()
    entry = {"sha256": hashlib.sha256(card).hexdigest()}
    s3.put_object(Bucket="evenhand", Key="r2/README.md", Body=card.swapcase(), Metadata=entry)
    with pytest.raises(Refused, match=r"r2/README.md is not what was sent"):
        push(out, "s3://evenhand/r2", lambda step: None)
    another = export(project, tmp_path / "another")
    with pytest.raises(Refused, match="holds release"):
        push(another, "s3://evenhand/r2", lambda step: None)
    s3.put_object(Bucket="evenhand", Key="r3/notes.txt", Body=b"mine")
    with pytest.raises(Refused, match="holds other files"):
        push(out, "s3://evenhand/r3", lambda step: None)
    with pytest.raises(CommandError, match="cannot be written"):
        export(project, tmp_path / "out", "--push", "s3://no-such-bucket/r")


@pytest.mark.parametrize("url", ["r1", "https://evenhand/r1", "s3:///r1", "s3://bucket/a?b"])
def test_only_places_in_an_object_store_are_taken(url: str, store: Store) -> None:
    with pytest.raises(Refused, match="give s3://bucket/prefix"):
        place_of(url)
