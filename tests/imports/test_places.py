"""Where files of pairs may lie: folders, zips and S3 prefixes, with their media beside them; and what is refused there."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from annotate.actions.imports import start_import_of_upload
from annotate.actions.jobs import Refused, run_job
from annotate.imports import buckets, places
from annotate.imports.places import files_at
from annotate.models import Asset, JobState, Pair
from tests.factories import make_project
from tests.imports.reading import content, import_files, row, write_json, write_parquet
from tests.imports.test_media import picture_row, stored_files
from tests.media.pictures import coded, picture
from tests.stores import client

pytestmark = pytest.mark.django_db


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in rows)


def fill(root: Path) -> Path:
    """Two shards in folders, a picture that rows name, and what is no data."""
    (root / "data").mkdir(parents=True)
    (root / "a").mkdir()
    (root / "data" / "train-00000-of-00002.jsonl").write_text(lines(row(1), picture_row(2)))
    write_parquet(root / "data" / "train-00001-of-00002.parquet", [row(3), row(4)])
    (root / "a" / "cat.png").write_bytes(coded("PNG", picture(30, 20, seed=1)))
    (root / "dog.jpg").write_bytes(coded("JPEG", picture(30, 20, seed=2)))
    (root / "dataset_info.json").write_text("{}")
    (root / ".hidden.jsonl").write_text("not read")
    (root / "README.md").write_text("not read")
    return root


def zipped(root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root))
        archive.writestr("__MACOSX/data/._train.jsonl", "not read")
    return path


def expected(tmp_path: Path) -> dict[str, Any]:
    """What the same files come to when they are named one by one."""
    root = fill(tmp_path / "plain")
    project = make_project()
    import_files(project, *sorted((root / "data").iterdir()), media=root)
    return content(project)


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between projects: the salt's choices."""
    keyed = [pair[:10] for pair in found["pairs"]]
    return {**found, "pairs": keyed, "streams": None}


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_folder_and_a_zip_are_their_files(tmp_path: Path, kind: str) -> None:
    root = fill(tmp_path / "there")
    place = root if kind == "folder" else zipped(root, tmp_path / "there.zip")
    project = make_project(slug="there")
    call_command("import_pairs", str(place), "--project", "there")
    assert Pair.objects.filter(project=project).count() == 4
    assert set(Pair.objects.filter(project=project).values_list("source", flat=True)) == {"train"}
    assert Asset.objects.filter(project=project).count() == 2
    found = content(project)
    assert comparable(found) == comparable(expected(tmp_path))
    call_command("import_pairs", str(place), "--project", "there")
    assert content(project) == found


def test_a_prefix_of_a_bucket(
    tmp_path: Path, s3_bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = client(s3_bucket)
    monkeypatch.setattr(buckets, "client", lambda: s3)
    monkeypatch.setattr(buckets, "_PIECE", 64)  # so that every row takes several requests
    root = fill(tmp_path / "there")
    for file in root.rglob("*"):
        if file.is_file():
            s3.upload_file(str(file), "evenhand", f"sets/one/{file.relative_to(root)}")
    s3.put_object(Bucket="evenhand", Key="sets/oneself.jsonl", Body=b"not read")
    project = make_project(slug="there")
    call_command("import_pairs", "s3://evenhand/sets/one", "--project", "there")
    assert comparable(content(project)) == comparable(expected(tmp_path))
    # One object alone, with its media elsewhere.
    key = "s3://evenhand/sets/one/data/train-00000-of-00002.jsonl"
    other = make_project(slug="other")
    call_command("import_pairs", key, "--project", "other", "--media", str(root))
    assert Pair.objects.filter(project=other).count() == 2
    for url, words in (
        ("s3://", "name a bucket"),
        ("s3://evenhand/nothing", "no such object"),
        ("s3://evenhand/sets/one/a", "holds no file of pairs"),
        ("s3://not-there/x", "NoSuchBucket"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("import_pairs", url, "--project", "there")


def test_an_object_that_changes_meanwhile(
    tmp_path: Path, s3_bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = client(s3_bucket)
    monkeypatch.setattr(buckets, "client", lambda: s3)
    s3.put_object(Bucket="evenhand", Key="change/a.jsonl", Body=lines(row(1)).encode())
    ((file,), _) = files_at("s3://evenhand/change/a.jsonl")
    s3.put_object(Bucket="evenhand", Key="change/a.jsonl", Body=lines(row(2)).encode())
    with pytest.raises(Refused, match="has changed since"), places.opened(file) as opened:
        opened.read()


def link_in_folder(root: Path) -> Path:
    (root / "data").mkdir(parents=True)
    os.symlink("/etc/passwd", root / "data" / "a.jsonl")
    return root


def pipe_in_folder(root: Path) -> Path:
    root.mkdir()
    os.mkfifo(root / "a.jsonl")
    return root


def nothing_in_folder(root: Path) -> Path:
    root.mkdir()
    (root / "a.txt").write_text("x")
    return root


def archive(*entries: tuple[Any, bytes], method: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], Path]:
    def made(root: Path) -> Path:
        path = root.with_suffix(".zip")
        with zipfile.ZipFile(path, "w", method) as file:
            for name, data in entries:
                file.writestr(name, data)
        return path

    return made


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def encrypted(root: Path) -> Path:
    path = archive(("a.jsonl", lines(row(1)).encode()))(root)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(bytes(data))
    return path


def lying(root: Path) -> Path:
    """Says that it unpacks to less than it does."""
    path = archive(("a.jsonl", lines(*(row(n) for n in range(50))).encode()))(root)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    return path


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a link in a folder": (link_in_folder, "is a link"),
    "a pipe in a folder": (pipe_in_folder, "or no file"),
    "a folder of nothing": (nothing_in_folder, "holds no file of pairs"),
    "a zip of nothing": (archive(("a.txt", b"x")), "holds no file of pairs"),
    "a zip in a zip": (archive(("a.zip", b"PK")), "holds no file of pairs"),
    "a name that leads out": (archive(("../a.jsonl", b"{}")), "leads out"),
    "an absolute name": (archive((entry("/etc/a.jsonl"), b"{}")), "leads out"),
    "a link in a zip": (archive((entry("a.jsonl", 0o120777), b"/etc/passwd")), "symbolic link"),
    "an encrypted file": (encrypted, "encrypted"),
    "a bomb": (archive(("a.jsonl", b"\n" * 300_000_000)), "decompression bomb"),
    "a lie about its size": (lying, "cannot be unpacked|longer than its archive"),
    "no zip": (lambda root: write_json(root.with_suffix(".zip"), [1]), "no zip that can be read"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_must_not_be_followed(tmp_path: Path, case: str) -> None:
    make, words = HOSTILE[case]
    place = make(tmp_path / "there")
    make_project(slug="there")
    with pytest.raises(CommandError, match=words):
        call_command("import_pairs", str(place), "--project", "there")
    assert not Pair.objects.exists()


def test_an_uploaded_zip_of_rows_and_media(tmp_path: Path) -> None:
    before = stored_files()
    data = zipped(fill(tmp_path / "there"), tmp_path / "there.zip").read_bytes()
    project = make_project()
    begun = start_import_of_upload(by=None, project=project, uploads=[SimpleUploadedFile("set.zip", data)])
    assert [file["member"] for file in begun.spec["files"]] == [
        "data/train-00000-of-00002.jsonl",
        "data/train-00001-of-00002.parquet",
    ]
    assert run_job(begun.job_id).state == JobState.DONE
    assert Pair.objects.filter(project=project).count() == 4 and Asset.objects.count() == 2
    kept = {asset.key for asset in Asset.objects.all()}
    assert kept <= stored_files() - before and not any("set.zip" in name for name in stored_files())


def test_a_refused_zip_leaves_no_upload(tmp_path: Path) -> None:
    before = stored_files()
    data = archive(("a.txt", b"x"))(tmp_path / "there").read_bytes()
    with pytest.raises(Refused, match="holds no file of pairs"):
        start_import_of_upload(by=None, project=make_project(), uploads=[SimpleUploadedFile("set.zip", data)])
    assert stored_files() == before
