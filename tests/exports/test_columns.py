"""The benchmark's columns, for each of the nine configs, against a schema written here by hand."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

from annotate.models import Asset, Modality, Partition, Project
from tests.factories import judge, make_asset, make_comparison, make_pair, make_project
from tests.offline_datasets import Audio, Image, Value, load_dataset

pytestmark = pytest.mark.django_db

STRING, IMAGE, AUDIO = Value("string"), Image(), Audio()
COMMON = {
    "prompt": STRING,
    "model1": STRING,
    "model2": STRING,
    "criteria": STRING,
    "criteria_preference": STRING,
    "id": STRING,
}
TEXTS = {"response1": STRING, "response2": STRING}
IMAGES = {"response1": IMAGE, "response1_path": STRING, "response2": IMAGE, "response2_path": STRING}
AUDIOS = {"response1": AUDIO, "response1_path": STRING, "response2": AUDIO, "response2_path": STRING}
# What a label rests on, after the published columns.
TOLD = {
    **dict.fromkeys(
        ("verdicts_response1", "verdicts_response2", "verdicts_tie", "verdicts_aside", "annotators"),
        Value("int32"),
    ),
    "label_origin": STRING,
    "inclusion_probability": Value("float64"),
}
# As published: omitted here is nothing, and nothing is added.
FEATURES = {
    "text_to_text": {**COMMON, **TEXTS},
    "text_image_to_text": {**COMMON, "image": IMAGE, "image_path": STRING, **TEXTS},
    "text_video_to_text": {**COMMON, "video": STRING, **TEXTS},
    "text_audio_to_text": {**COMMON, "audio": AUDIO, "audio_path": STRING, **TEXTS},
    "text_to_image": {**COMMON, **IMAGES},
    "text_to_video": {**COMMON, **TEXTS},
    "text_to_audio": {**COMMON, **AUDIOS},
    "text_to_3D": {**COMMON, **IMAGES},
    "text_image_to_image": {**COMMON, "image": IMAGE, "image_path": STRING, **IMAGES},
}
ASKED = {
    "text_image_to_text": Modality.IMAGE,
    "text_video_to_text": Modality.VIDEO,
    "text_audio_to_text": Modality.AUDIO,
    "text_image_to_image": Modality.IMAGE,
}
ANSWERED = {
    "text_to_image": Modality.IMAGE,
    "text_to_video": Modality.VIDEO,
    "text_to_audio": Modality.AUDIO,
    "text_to_3D": Modality.IMAGE,
    "text_image_to_image": Modality.IMAGE,
}
SECRET = b"taken by Ada at 51.5 N"


def png(colour: str) -> bytes:
    """A picture with a word on who took it."""
    info = PngInfo()
    info.add_text("Author", SECRET.decode())
    out = io.BytesIO()
    Picture.new("RGB", (8, 6), colour).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def wav(colour: str) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(colour.encode() * 400)
    data = out.getvalue() + b"LIST" + (len(SECRET) + 4).to_bytes(4, "little") + b"INFO" + SECRET
    return data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]


def box(name: bytes, body: bytes) -> bytes:
    return (len(body) + 8).to_bytes(4, "big") + name + body


def mp4(colour: str) -> bytes:
    return (
        box(b"ftyp", b"isom\0\0\2\0isomiso2")
        + box(b"moov", box(b"mvhd", bytes([0] * 4) + b"\xd9" * 8 + bytes(88)) + box(b"udta", SECRET))
        + box(b"mdat", colour.encode() * 50)
    )


def medium(project: Project, modality: Modality, colour: str) -> Asset:
    made, extension, media_type = {
        Modality.IMAGE: (png, "png", "image/png"),
        Modality.AUDIO: (wav, "wav", "audio/wav"),
        Modality.VIDEO: (mp4, "mp4", "video/mp4"),
    }[modality]
    return make_asset(project, made(colour), modality=modality, extension=extension, media_type=media_type)


def judged_pair(project: Project, partition: Partition, colours: tuple[str, str, str]) -> None:
    task = project.task_type
    asked, first, second = colours
    media = [medium(project, ASKED[task], asked)] if task in ASKED else []
    responses: tuple[Any, Any] = ("The first.", "The second.")
    if task in ANSWERED:
        responses = (medium(project, ANSWERED[task], first), medium(project, ANSWERED[task], second))
    pair = make_pair(
        project,
        prompt=f"What is {asked}?",
        media=media,
        response1=responses[0],
        response2=responses[1],
        partition=partition,
    )
    judge(make_comparison(pair, "Which is truer?"), "response2")
    judge(make_comparison(pair, "Which is brighter?"), "response1")


@pytest.fixture(params=FEATURES)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A release of one task type: a pair of each partition under two criteria."""
    project = make_project(task_type=request.param)
    judged_pair(project, Partition.RESERVE, ("red", "orange", "yellow"))
    judged_pair(project, Partition.TRAIN, ("green", "cyan", "blue"))
    call_command(
        "export_bench", "--project", project.slug, "--out", str(tmp_path / "out"), "--min-labels", "1"
    )
    return request.param, tmp_path / "out"


def load(out: Path, config: str, split: str, cache: Path) -> Any:
    return load_dataset(str(out), config, split=split, cache_dir=str(cache))


def test_columns_and_features(released: tuple[str, Path], tmp_path: Path) -> None:
    task, out = released
    rows = load(out, task, "test", tmp_path / "cache")
    assert dict(rows.features) == FEATURES[task] | TOLD
    assert rows.column_names == [*FEATURES[task], *TOLD]
    assert rows.num_rows == 2
    for name, feature in FEATURES[task].items():
        if feature != STRING:
            rows = rows.cast_column(name, type(feature)(decode=False))
    rows = rows.to_list()
    by_criterion = {row["criteria"]: row["criteria_preference"] for row in rows}
    assert by_criterion == {"Which is truer?": "response2", "Which is brighter?": "response1"}
    assert (rows[0]["model1"], rows[0]["model2"], rows[0]["prompt"]) == ("model-x", "model-y", "What is red?")
    assert len({row["id"] for row in rows}) == 2


def test_json_form_names_the_same_media(released: tuple[str, Path]) -> None:
    task, out = released
    rows = json.loads((out / f"bench/{task}_preferences.json").read_text())
    (table,) = (pq.read_table(path).to_pylist() for path in (out / "bench" / task).glob("*.parquet"))
    assert len(rows) == len(table) == 2
    for row, embedded in zip(rows, table, strict=True):
        assert list(row) == [*FEATURES[task], *TOLD]
        assert {name: row[name] for name in TOLD} == {name: embedded[name] for name in TOLD}
        for name, feature in FEATURES[task].items():
            if feature == STRING:
                assert row[name] == embedded[name]
            else:
                assert row[name] == row[f"{name}_path"]
                content = (out / "bench/media_data" / row[name]).read_bytes()
                assert embedded[name] == {"bytes": content, "path": Path(row[name]).name}
        if task in ANSWERED:
            assert row["response1"] != row["response2"]


def test_media_are_the_coded_originals_without_metadata(released: tuple[str, Path]) -> None:
    task, out = released
    found = [path for path in out.rglob("media_data/*/*") if path.is_file()]
    assert bool(found) == (task in ASKED or task in ANSWERED)
    for path in found:
        data = path.read_bytes()
        assert SECRET not in data
        original = Asset.objects.get(sha256=bytes.fromhex(path.stem))
        if path.suffix == ".png":
            with Picture.open(io.BytesIO(data)) as picture:
                assert picture.getpixel((0, 0)) in [
                    Picture.new("RGB", (1, 1), name).getpixel((0, 0))
                    for name in ("red", "orange", "yellow", "green", "cyan", "blue")
                ]
        elif path.suffix == ".wav":
            with wave.open(io.BytesIO(data)) as file:
                assert file.getnframes() > 0
        else:
            assert len(data) == original.size
            assert b"\xd9" * 8 not in data
    for path in out.rglob("*.parquet"):
        assert SECRET not in b"".join(_binaries(pq.read_table(path).to_pylist()))


def _binaries(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [found for item in value for found in _binaries(item)] if isinstance(value, list) else []


def test_training_rows_load_with_their_media(released: tuple[str, Path], tmp_path: Path) -> None:
    task, out = released
    rows = load(out, f"train_{task}", "train", tmp_path / "cache")
    for name in rows.column_names:
        if "audios" in name:
            rows = rows.cast_column(name, [Audio(decode=False)])
    first, second = rows[0], rows[1]
    assert first["prompt"][0]["role"] == "system"
    plain = task == "text_to_text"
    system = [row["prompt"][0]["content"] for row in (first, second)]
    assert system == (
        ["Which is truer?", "Which is brighter?"]
        if plain
        else [[{"type": "text", "text": text}] for text in ("Which is truer?", "Which is brighter?")]
    )
    lines = [json.loads(line) for line in (out / f"train/{task}-train.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [first["id"], second["id"]]
    if task in ASKED:
        kind = ASKED[task]
        assert first["prompt"][1]["content"] == [
            {"type": kind, "text": None},
            {"type": "text", "text": "What is green?"},
        ]
        assert len(first[f"{kind}s"]) == 1
        assert (out / "train/media_data" / lines[0][f"{kind}s"][0]).exists()
    if task in ANSWERED:
        kind = ANSWERED[task]
        assert first["chosen"] == [{"role": "assistant", "content": [{"type": kind, "text": None}]}]
        # The two criteria were judged unequally: what was chosen by one was rejected by the other.
        assert lines[0][f"chosen_{kind}s"] == lines[1][f"rejected_{kind}s"]
        assert lines[0][f"chosen_{kind}s"] != lines[0][f"rejected_{kind}s"]
    elif plain:
        assert first["chosen"] == [{"role": "assistant", "content": "The second."}]
        assert second["chosen"] == [{"role": "assistant", "content": "The first."}]


def test_media_that_are_not_what_the_task_type_says_are_refused(tmp_path: Path) -> None:
    project = make_project(task_type="text_to_text")
    pair = make_pair(
        project,
        media=[medium(project, Modality.IMAGE, "red")],
        partition=Partition.RESERVE,
        external_id="odd",
    )
    judge(make_comparison(pair), "response1")
    with pytest.raises(CommandError, match="pair test/odd: its prompt carries image"):
        call_command(
            "export_bench", "--project", project.slug, "--out", str(tmp_path / "out"), "--min-labels", "1"
        )
