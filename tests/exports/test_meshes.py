"""Meshes are published as their turntable sheets, with the meshes themselves beside them."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image as Picture

from annotate.models import Asset, Derivative, Modality, Partition, Project
from tests.exports.test_columns import FEATURES, TOLD
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project
from tests.offline_datasets import Image, load_dataset

pytestmark = pytest.mark.django_db
SECRET = "modelled by Ada"


def mesh(project: Project, height: int, *, drawn: bool = True) -> Asset:
    """An OBJ with a note, and what stands for its sheet: one colour for each height."""
    text = f"# {SECRET}\nv 0 0 0\nv 1 0 0\nv 0 {height} 0\nf 1 2 3\n"
    asset = make_asset(
        project, text.encode(), modality=Modality.MESH, extension="obj", media_type="model/obj"
    )
    if drawn:
        picture = Picture.new("RGB", (8, 4), (height, 0, 0))
        file = ContentFile(b"")
        picture.save(file, "PNG")
        key = default_storage.save(f"assets/sheet-{asset.pk}", file)
        Derivative.objects.create(
            asset=asset, kind="sheet", media_type="image/png", size=file.tell(), key=key
        )
    return asset


def judged_pair(project: Project, partition: Partition, heights: tuple[int, int], **fields: Any) -> None:
    first, second = (mesh(project, height, **fields) for height in heights)
    pair = make_pair(
        project, response1=first, response2=second, partition=partition, external_id=f"tower-{heights[0]}"
    )
    judge(make_comparison(pair, "Which is taller?"), "response2")


def release(project: Project, out: Path) -> None:
    call_command("export_bench", "--project", project.slug, "--out", str(out), "--min-labels", "1")


def test_bench_columns_hold_sheets_and_media_data_holds_meshes(tmp_path: Path) -> None:
    project = make_project(task_type="text_to_3D")
    judged_pair(project, Partition.RESERVE, (1, 2))
    out = tmp_path / "out"
    release(project, out)
    rows = load_dataset(str(out), "text_to_3D", split="test", cache_dir=str(tmp_path / "cache"))
    assert dict(rows.features) == FEATURES["text_to_3D"] | TOLD
    (row,) = rows
    assert [row[name].getpixel((0, 0)) for name in ("response1", "response2")] == [(1, 0, 0), (2, 0, 0)]
    (named,) = json.loads((out / "bench/text_to_3D_preferences.json").read_text())
    for name, height in (("response1", 1), ("response2", 2)):
        path = named[name]
        assert path == named[f"{name}_path"] == row[f"{name}_path"]
        assert path.startswith("mesh/") and path.endswith(".png")
        sheet = out / "bench/media_data" / path
        with Picture.open(sheet) as picture:
            assert picture.getpixel((0, 0)) == (height, 0, 0)
        text = sheet.with_suffix(".obj").read_text()
        assert f"v 0 {height} 0" in text
        assert SECRET not in text
    listed = {entry["path"] for entry in json.loads((out / "MANIFEST.json").read_text())["files"]}
    assert len([path for path in listed if path.startswith("bench/media_data/mesh/")]) == 4


def test_training_rows_show_sheets_and_name_meshes(tmp_path: Path) -> None:
    project = make_project(task_type="text_to_3D")
    judged_pair(project, Partition.TRAIN, (1, 2))
    out = tmp_path / "out"
    release(project, out)
    (path,) = (out / "train/text_to_3D").glob("*.parquet")
    (row,) = pq.read_table(path).to_pylist()
    (line,) = [json.loads(text) for text in (out / "train/text_to_3D-train.jsonl").read_text().splitlines()]
    for side, height in (("chosen", 2), ("rejected", 1)):
        picture = [{"role": "assistant", "content": [{"type": "image", "text": None}]}]
        assert row[side] == line[side] == picture
        (sheet,), (name,) = line[f"{side}_images"], line[f"{side}_meshes"]
        assert row[f"{side}_meshes"] == [name]
        content = (out / "train/media_data" / sheet).read_bytes()
        assert row[f"{side}_images"] == [{"bytes": content, "path": Path(sheet).name}]
        assert f"v 0 {height} 0" in (out / "train/media_data" / name).read_text()
    rows = load_dataset(str(out), "train_text_to_3D", split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.features["chosen_images"] == [Image()] or rows.features["chosen_images"].feature == Image()


@pytest.mark.parametrize("partition", [Partition.RESERVE, Partition.TRAIN])
def test_a_mesh_without_a_sheet_is_refused_by_name(tmp_path: Path, partition: Partition) -> None:
    project = make_project(task_type="text_to_3D")
    judged_pair(project, partition, (1, 2), drawn=False)
    with pytest.raises(
        CommandError, match=r"test/tower-1\).*manage.py derive_media --project " + project.slug
    ):
        release(project, tmp_path / "out")
    assert not (tmp_path / "out/MANIFEST.json").exists()
    assert not list(tmp_path.rglob("*.parquet"))
