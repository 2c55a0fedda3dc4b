"""Media of an import: found below their root only, stored once, under keys that tell nothing."""

import io
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage

from annotate.models import Asset, Derivative, Modality, Pair, Response
from tests.factories import make_project
from tests.imports.reading import content, import_files, refusal, row, write_json, write_parquet
from tests.media.pictures import coded, exif, picture, pixels
from tests.media.sandboxed import original_bytes, released_bytes
from tests.paths import SHARED_DATA, needs_shared_data

pytestmark = pytest.mark.django_db

CAT = coded("PNG", picture(30, 20, seed=1))
DOG = coded("JPEG", picture(30, 20, seed=2), exif=exif(6))


def picture_row(
    number: int = 1, first: str = "a/cat.png", second: str = "dog.jpg", **fields: object
) -> dict[str, Any]:
    return row(number, response1={"media": first, "model": "m1"}, response2={"media": second}, **fields)


def folder(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    (root / "a").mkdir(parents=True)
    (root / "a" / "cat.png").write_bytes(CAT)
    (root / "dog.jpg").write_bytes(DOG)
    return root


def zipped(tmp_path: Path, change: Callable[[zipfile.ZipFile], None] | None = None) -> Path:
    path = tmp_path / "media.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("media_data/a/cat.png", CAT)
        file.writestr("media_data/dog.jpg", DOG)
        if change:
            change(file)
    return path


def stored_files() -> set[str]:
    root = Path(default_storage.path("assets"))
    return {str(path.relative_to(root.parent)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make", [folder, zipped])
def test_from_a_folder_or_a_zip(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    project = make_project()
    rows = [picture_row(1), picture_row(2, media=["a/cat.png"]), picture_row(3, "dog.jpg", "a/cat.png")]
    before = stored_files()
    import_files(project, write_json(tmp_path / "p.json", rows), media=make(tmp_path))
    assert Asset.objects.filter(project=project).count() == 2
    assert Derivative.objects.filter(asset__project=project).count() == 4
    keys = {*Asset.objects.values_list("key", flat=True), *Derivative.objects.values_list("key", flat=True)}
    assert stored_files() - before == keys & stored_files()
    assert all(re.fullmatch(r"assets/[0-9a-f]{16}/[0-9a-f]{32}", key) for key in keys)
    cat = Asset.objects.get(project=project, media_type="image/png")
    dog = Asset.objects.get(project=project, media_type="image/jpeg")
    assert original_bytes(cat) == CAT and original_bytes(dog) == DOG
    assert (dog.probe["width"], dog.probe["height"]) == (20, 30)  # lying: turned upright
    assert pixels(released_bytes(dog)) == pixels(DOG) and b"SECRETCAMERA" not in released_bytes(dog)
    pair = Pair.objects.get(project=project, external_id="r2")
    assert list(pair.prompt.prompt_assets.values_list("asset", "position")) == [(cat.pk, 0)]
    assert pair.response1.asset == cat and pair.response2.asset == dog


def test_embedded_in_parquet_or_beside_json_is_the_same_content(tmp_path: Path) -> None:
    embedded = row(
        1,
        response1={"media": {"bytes": CAT, "path": "cat.png"}, "model": "m1"},
        response2={"media": {"bytes": DOG, "path": None}},
    )
    told: list[object] = []
    for path in (
        write_json(tmp_path / "p.json", [picture_row(1)]),
        write_parquet(tmp_path / "p.parquet", [embedded]),
    ):
        project = make_project(salt="same", pseudonym_key="same")
        import_files(project, path, media=folder(tmp_path) if not told else None)
        told.append(content(project))
    assert told[0] == told[1]


def test_again_stores_nothing(tmp_path: Path) -> None:
    project, root = make_project(), folder(tmp_path)
    path = write_json(tmp_path / "p.json", [picture_row(1)])
    import_files(project, path, media=root)
    before = stored_files()
    assert import_files(project, path, media=root).pairs_same == 1
    assert stored_files() == before


@needs_shared_data
def test_other_modalities_are_stored_as_they_are(tmp_path: Path) -> None:
    names = ["video/cockatoo.mp4", "audio/bach.ogg", "mesh/Duck.glb", "mesh/rabbit.obj"]
    rows = [row(n, response1={"media": name}, response2={"text": "nothing"}) for n, name in enumerate(names)]
    project = make_project()
    import_files(project, write_json(tmp_path / "p.json", rows), media=SHARED_DATA)
    for name in names:
        asset = Response.objects.get(project=project, asset__size=(SHARED_DATA / name).stat().st_size).asset
        assert (
            asset
            and asset.modality == name.split("/")[0]
            and original_bytes(asset) == (SHARED_DATA / name).read_bytes()
        )
    assert set(Asset.objects.values_list("modality", flat=True)) == {
        Modality.VIDEO,
        Modality.AUDIO,
        Modality.MESH,
    }


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("../secret.png", "leads out of the media folder"),
        ("a/../../secret.png", "leads out"),
        ("/etc/passwd", "leads out"),
        ("C:/secret.png", "leads out"),
        ("a\\..\\secret.png", "leads out"),
        ("link.png", "symbolic link"),
        ("linked/secret.png", "symbolic link"),
        ("missing.png", "is not in the media folder"),
        ("a", "is no file"),
        ("pipe", "is no file"),
        ("./", "is no path"),
        ("x" * 300, "is no path"),
        ("http://localhost/a.png", "is not in the media folder"),
        ("page.png", "no media file that is taken"),
        ("broken.png", "cannot be read as image/png"),
        ("empty.png", "no media file"),
    ],
)
def test_references_that_are_not_followed(tmp_path: Path, reference: str, words: str) -> None:
    root = folder(tmp_path)
    (tmp_path / "secret.png").write_bytes(CAT)
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "linked").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    (root / "page.png").write_bytes(b"<html><script>alert(1)</script></html>")
    (root / "broken.png").write_bytes(CAT[:-60])
    (root / "empty.png").touch()
    before = stored_files()
    path = write_json(tmp_path / "p.json", [picture_row(1), picture_row(2, first=reference)])
    told = refusal(make_project(), path, media=root)
    assert "row 2, response1.media" in told and words in told
    assert stored_files() == before


def _symlink(file: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("bad.png")
    info.external_attr = 0o120777 << 16
    file.writestr(info, "/etc/passwd")


def _twice(file: zipfile.ZipFile) -> None:
    file.writestr("bad.png", CAT)
    with pytest.warns(UserWarning):
        file.writestr("bad.png", DOG)


def _slip(file: zipfile.ZipFile) -> None:
    file.writestr("../bad.png", CAT)
    file.writestr("/bad.png", CAT)


def _bomb(file: zipfile.ZipFile) -> None:
    file.writestr("bad.png", CAT + b"\0" * (60 * 1024 * 1024))


@pytest.mark.parametrize(
    ("change", "reference", "words"),
    [
        (_symlink, "bad.png", "symbolic link"),
        (_twice, "bad.png", "stands twice"),
        (_slip, "../bad.png", "leads out"),
        (_slip, "bad.png", "is not in the media zip"),
        (_bomb, "bad.png", "at most 50 MB"),
    ],
)
def test_zips_that_are_not_followed(
    tmp_path: Path, change: Callable[[zipfile.ZipFile], None], reference: str, words: str
) -> None:
    path = write_json(tmp_path / "p.json", [picture_row(1, first=reference)])
    assert words in refusal(make_project(), path, media=zipped(tmp_path, change))


@pytest.mark.parametrize("at", ["flags", "size", "data"])
def test_zips_that_lie(tmp_path: Path, at: str) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bad.png", CAT)
    data = bytearray(written.getvalue())
    directory = data.index(b"PK\1\2")
    if at == "flags":  # encrypted
        data[6] |= 1
        data[directory + 8] |= 1
    elif at == "size":
        data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    else:
        data[60] ^= 0xFF
    (tmp_path / "m.zip").write_bytes(data)
    told = refusal(
        make_project(), write_json(tmp_path / "p.json", [picture_row(1, "bad.png")]), media=tmp_path / "m.zip"
    )
    assert "row 1, response1.media" in told


def test_a_zip_that_lists_too_much_is_not_read(tmp_path: Path) -> None:
    end = b"PK\5\6" + b"\0" * 4 + b"\xff\xff\xff\xff" + (2**31).to_bytes(4, "little") + b"\0" * 6
    (tmp_path / "m.zip").write_bytes(b"\0" * 100 + end)
    path = write_json(tmp_path / "p.json", [picture_row(1)])
    assert "files; at most" in refusal(make_project(), path, media=tmp_path / "m.zip")


def test_a_broken_picture_costs_its_rows_only(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "broken.png").write_bytes(CAT[:-60])
    rows = [picture_row(1), picture_row(2, second="broken.png"), picture_row(3, media=["broken.png"])]
    made = import_files(make_project(), write_json(tmp_path / "p.json", rows), media=root, on_error="skip")
    assert made.pairs_new == 1
    assert [(one["row"], one["field"]) for one in made.report] == [(2, "response2.media"), (3, "media[0]")]
