"""Each format as its tool reads it, for every task type that it has a place for, media decoded and compared."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pandas
import pytest

from annotate import sheets
from annotate.exports.formats import NAMES, format_named
from annotate.imports.schemas.context import OVERALL
from annotate.models import Judgment, Pair, Partition, Project, TaskType
from tests.exports.everything import (
    TASKS,
    TRUER,
    Media,
    decoded,
    decoded_file,
    make_everything,
    media_of,
    release,
)
from tests.factories import judge, make_comparison, make_pair, make_project
from tests.imports.reading import import_files
from tests.offline_datasets import Audio, Image, load_dataset

pytestmark = pytest.mark.django_db
SPLITS = {"test": "reserve", "train": "train"}
Checked = Callable[[Project, Path, Path], None]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def raw(rows: Any) -> list[dict[str, Any]]:
    """Rows of `datasets` with media as the bytes that they hold."""
    for name, feature in rows.features.items():
        for kind in (Image, Audio):
            if isinstance(feature, kind):
                rows = rows.cast_column(name, kind(decode=False))
            elif isinstance(getattr(feature, "feature", None), kind):
                rows = rows.cast_column(name, [kind(decode=False)])
    found: list[dict[str, Any]] = rows.to_list()
    return found


def embedded(cell: dict[str, Any]) -> Any:
    return decoded(cell["bytes"], cell["path"].rpartition(".")[2])


def omni(project: Project, out: Path, cache: Path) -> None:
    for task in TASKS:
        media = media_of(project, task, "reserve", pictures=True)
        rows = raw(load_dataset(str(out), task, split="test", cache_dir=str(cache)))
        preferred = {row["criteria"]: row["criteria_preference"] for row in rows}
        assert preferred == {TRUER: "response2", OVERALL: "response1", "Which is longer?": "tie"}
        for row in rows:
            assert row["inclusion_probability"] == 1.0
            assert row["annotators"] == row[f"verdicts_{row['criteria_preference']}"] == 1
            for name, expected in (("response1", media.response1), ("response2", media.response2)):
                assert _cell(row[name], out / "bench/media_data") == (expected or row[name])
            for name in {"image", "video", "audio"} & set(row):
                assert [_cell(row[name], out / "bench/media_data")] == media.prompt


def _cell(value: Any, folder: Path) -> Any:
    """A column of the benchmark: embedded, a path of a file, or text."""
    if isinstance(value, dict):
        return embedded(value)
    return decoded_file(folder / value) if (folder / value).is_file() else value


def trl(project: Project, out: Path, cache: Path) -> None:
    for task in TASKS:
        media = media_of(project, task, "train", pictures=True)
        rows = raw(load_dataset(str(out), f"train_{task}", split="train", cache_dir=str(cache)))
        told = lines(out / f"train/{task}-train.jsonl")
        assert [row["id"] for row in rows] == [row["id"] for row in told]
        for row in rows:
            truer = row["prompt"][0]["role"] == "system"
            assert len(row["prompt"]) == 1 + truer  # a general preference has no system turn
            chosen, rejected = (
                (media.response2, media.response1) if truer else (media.response1, media.response2)
            )
            for name, expected in (
                ("", media.prompt),
                ("chosen_", [chosen] if chosen else None),
                ("rejected_", [rejected] if rejected else None),
            ):
                found = [
                    embedded(one) if isinstance(one, dict) else decoded_file(out / "train/media_data" / one)
                    for kind in ("images", "videos", "audios")
                    for one in row.get(name + kind) or []
                ]
                assert found == (expected or [])


# LLaMA-Factory's data/README.md as of 0.9.5: what an entry of dataset_info.json for local preference data may say.
DATASET_INFO = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["file_name", "formatting", "ranking", "columns"],
        "additionalProperties": False,
        "properties": {
            "file_name": {"type": "string"},
            "formatting": {"const": "sharegpt"},
            "ranking": {"const": True},
            "columns": {
                "type": "object",
                "required": ["messages", "chosen", "rejected"],
                "additionalProperties": False,
                "properties": {
                    name: {"type": "string"}
                    for name in ("messages", "chosen", "rejected", "images", "videos", "audios")
                },
            },
        },
    },
}
MESSAGE = {
    "type": "object",
    "required": ["from", "value"],
    "additionalProperties": False,
    "properties": {"from": {"enum": ["system", "human", "gpt"]}, "value": {"type": "string"}},
}


def llamafactory(project: Project, out: Path, cache: Path) -> None:
    folder = out / "llamafactory"
    info = json.loads((folder / "dataset_info.json").read_text())
    jsonschema.validate(info, DATASET_INFO)
    assert set(info) == {f"{task}_train" for task in TASKS}
    for task in TASKS:
        entry = info[f"{task}_train"]
        path = folder / entry["file_name"]
        rows = load_dataset("json", data_files=str(path), split="train", cache_dir=str(cache)).to_list()
        assert rows == lines(path) and len(rows) == 2
        media = media_of(project, task, "train", pictures=True)
        for row in rows:
            turns, chosen, rejected = (
                row[entry["columns"][name]] for name in ("messages", "chosen", "rejected")
            )
            jsonschema.validate([*turns, chosen, rejected], {"type": "array", "items": MESSAGE})
            truer = turns[0]["from"] == "system"
            assert [turn["from"] for turn in turns] == ["system", "human"][not truer :]
            assert turns[0]["value"] == TRUER or not truer
            sides = [media.response2, media.response1] if truer else [media.response1, media.response2]
            found = [row[name] for name in ("images", "videos", "audios") if name in entry["columns"]]
            shown = sum(turns[-1]["value"].count(mark) for mark in ("<image>", "<video>", "<audio>"))
            if media.response1 is None:
                wanted = [media.prompt] if media.prompt else []
                assert chosen["value"] != rejected["value"] and shown == len(media.prompt)
            else:
                wanted = [[[*media.prompt, side] for side in sides]] if media.prompt else [sides]
                assert chosen["value"] == rejected["value"] == f"What is train of {task}?"
                assert shown == 1 + len(media.prompt)
            assert _each(found, lambda one: decoded_file(folder / one)) == wanted


def _each(value: Any, read: Callable[[str], Any]) -> Any:
    return [_each(one, read) for one in value] if isinstance(value, list) else read(value)


def rewardbench(project: Project, out: Path, cache: Path) -> None:
    for split, partition in SPLITS.items():
        rows = load_dataset(str(out), "rewardbench", split=split, cache_dir=str(cache)).to_list()
        by_criterion = {row["criterion"]: row for row in rows}
        assert set(by_criterion) == {TRUER, OVERALL}  # a tie has no place
        row = by_criterion[TRUER]
        assert (row["chosen"], row["rejected"]) == (f"Answer 2 of {partition}.", f"Answer 1 of {partition}.")
        assert (row["chosen_model"], row["rejected_model"], row["subset"]) == ("model-y", "model-x", "test")
        talks = load_dataset(
            "json",
            data_files=str(out / f"rewardbench/text_to_text-{split}.jsonl"),
            split="train",
            cache_dir=str(cache),
        ).to_list()
        said = {talk["id"]: talk for talk in talks}[row["id"]]
        # It knows no system turn: the criterion stands before what was asked.
        assert [turn["role"] for turn in said["chosen"]] == ["user", "assistant"]
        assert said["chosen"][0]["content"] == f"{TRUER}\n\n{row['prompt']}"
        assert said["chosen"][-1]["content"] == row["chosen"]
        assert said["chosen"][:-1] == said["rejected"][:-1] and said["prompt"] == row["prompt"]


def arena(project: Project, out: Path, cache: Path) -> None:
    for task in (TaskType.TEXT_TO_TEXT, TaskType.TEXT_IMAGE_TO_TEXT):
        (path,) = (out / "arena").glob(f"{task}-test-*.parquet")
        table = pandas.read_parquet(path)
        won = dict(zip(table["criterion"], table["winner"], strict=True))
        assert won == {TRUER: "model_b", OVERALL: "model_a", "Which is longer?": "tie"}
        assert table["turn"].tolist() == [1, 1, 1] and set(table["model_a"]) == {"model-x"}
        for row in table.to_dict("records"):
            conversation = [dict(turn) for turn in row["conversation_b"]]
            assert conversation[-1] == {"role": "assistant", "content": "Answer 2 of reserve."}
            if task == TaskType.TEXT_IMAGE_TO_TEXT:
                media = [decoded_file(out / "arena" / one) for one in row["images"]]
                assert media == media_of(project, task, "reserve").prompt
        assert load_dataset(str(out), f"arena_{task}", split="train", cache_dir=str(cache)).num_rows == 2


def hpd(project: Project, out: Path, cache: Path) -> None:
    for split, partition in SPLITS.items():
        rows = json.loads((out / f"hpd/text_to_image-{split}.json").read_text())
        media = media_of(project, "text_to_image", partition)
        assert [row["human_preference"] for row in rows] in ([[0, 1], [1, 0]], [[1, 0], [0, 1]])
        for row in rows:
            found = [decoded_file(out / "hpd" / path) for path in row["image_path"]]
            assert found == [media.response1, media.response2]
            assert row["human_preference"] == ([0, 1] if row["criterion"] == TRUER else [1, 0])
            assert row["prompt"] == f"What is {partition} of text_to_image?"


def jsonl(project: Project, out: Path, cache: Path) -> None:
    for task in TASKS:
        for split, partition in SPLITS.items():
            path = out / f"jsonl/{task}-{split}.jsonl"
            rows = load_dataset("json", data_files=str(path), split="train", cache_dir=str(cache)).to_list()
            assert len(pandas.read_json(path, lines=True)) == len(rows) == (3 if split == "test" else 2)
            for row in rows:
                assert row["label"] == {TRUER: "response2", OVERALL: "response1"}.get(row["criterion"], "tie")
                assert row["prompt"] == [{"role": "user", "text": f"What is {partition} of {task}?"}]
                assert row["verdicts_" + row["label"]] == row["annotators"] == 1
                assert _plain(row, out / "jsonl") == media_of(project, task, partition)


def _plain(row: dict[str, Any], folder: Path) -> Media:
    sides = [row[name] and decoded_file(folder / row[name]) for name in ("media1", "media2")]
    return Media([decoded_file(folder / one) for one in row["media"]], *sides)


def csv_(project: Project, out: Path, cache: Path) -> None:
    for task in TASKS:
        for split, partition in SPLITS.items():
            path = out / f"csv/{task}-{split}.csv"
            with path.open(newline="") as file:
                rows = [
                    {name: sheets.unquoted(cell) for name, cell in row.items()}
                    for row in csv.DictReader(file)
                ]
            table = pandas.read_csv(path, keep_default_na=False, dtype=str)
            assert table["id"].tolist() == [row["id"] for row in rows]
            for row in rows:
                assert (row["label"], row["task_type"]) == (
                    {TRUER: "response2", OVERALL: "response1"}.get(row["criterion"], "tie"),
                    task,
                )
                told = row | {
                    "media": json.loads(row["media"]),
                    **{name: row[name] or None for name in ("media1", "media2")},
                }
                assert _plain(told, out / "csv") == media_of(project, task, partition)


def evenhand(project: Project, out: Path, cache: Path) -> None:
    """Read by our own import in tests of round trips; here that it has a pair a line."""
    for task in TASKS:
        (row,) = lines(out / f"evenhand/{task}-test.jsonl")
        assert [len(one["judgments"]) for one in row["criteria"]] == [1, 1, 1]
        sides = [row[name].get("media") for name in ("response1", "response2")]
        folder = out / "evenhand/media_data"
        found = _plain({"media": row.get("media", []), "media1": sides[0], "media2": sides[1]}, folder)
        assert found == media_of(project, task, "reserve")


CHECKS: dict[str, Checked] = {
    "arena": arena,
    "csv": csv_,
    "evenhand": evenhand,
    "hpd": hpd,
    "jsonl": jsonl,
    "llamafactory": llamafactory,
    "omni": omni,
    "rewardbench": rewardbench,
    "trl": trl,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_format_loads_with_its_tool(name: str, tmp_path: Path) -> None:
    project = make_everything()
    out = release(project, tmp_path / "out", "--formats", name)
    folders = {path.name for path in out.iterdir() if path.is_dir()}
    assert folders == {format_named(name).folder, "labels", "raw"}
    CHECKS[name](project, out, tmp_path / "cache")
    manifest = json.loads((out / "MANIFEST.json").read_text())
    assert manifest["recipe"]["recipe"]["formats"] == [name]
    assert format_named(name).says in (out / "README.md").read_text()


# What our own import reads back, with what it does not keep: which response stood first, of a format that names the better
# one; the models, of one that has no place for them.
SIDED = {"rewardbench", "llamafactory", "trl"}
FILES = {
    "arena": "arena/*.parquet",
    "evenhand": "evenhand/*.jsonl",
    "hpd": "hpd/*.json",
    "llamafactory": "llamafactory/*-train.jsonl",
    "omni": "bench/*_preferences.json",
    "rewardbench": "rewardbench/*.parquet",
    "trl": "train/text_to_text-*.jsonl",
}


def labelled(project: Project, *, sided: bool) -> list[Any]:
    """Every label with what it is of: prompt, media, both sides in order or, `sided`, the better before the worse."""
    found = []
    for judgment in Judgment.objects.filter(comparison__pair__project=project).select_related(
        "comparison__criterion",
        "comparison__pair__response1__asset",
        "comparison__pair__response2__asset",
        "comparison__pair__prompt",
    ):
        pair, verdict = judgment.comparison.pair, judgment.verdict
        sides = [
            (one.text, one.asset and decoded(one.asset_bytes, one.asset.extension))
            for one in (_with_bytes(pair.response1), _with_bytes(pair.response2))
        ]
        if sided and verdict == "response2":
            sides.reverse()
        media = [bytes(one.asset.sha256) for one in pair.prompt.prompt_assets.all()]
        text = pair.prompt.turns[-1]["text"]
        found.append(
            (
                pair.task_type,
                text,
                len(media),
                judgment.comparison.criterion.text,
                "" if sided else verdict,
                repr(sides),
            )
        )
    return sorted(found)


def _with_bytes(response: Any) -> Any:
    from django.core.files.storage import default_storage

    if response.asset:
        with default_storage.open(response.asset.key) as file:
            response.asset_bytes = file.read()
    return response


@pytest.mark.parametrize("name", FILES)
def test_our_own_import_reads_back_what_a_format_says(name: str, tmp_path: Path) -> None:
    project = make_everything()
    out = release(project, tmp_path / "out", "--formats", name)
    folder = out / format_named(name).folder
    other = make_project(task_type=TaskType.TEXT_TO_TEXT)
    for path in sorted(out.glob(FILES[name])):
        task = path.name.split("-")[0].split("_preferences")[0]
        if task == TaskType.TEXT_TO_3D and name != "evenhand":
            continue  # published as pictures: what comes back is no mesh
        media = folder / "media_data" if name in ("omni", "evenhand", "trl") else folder
        import_files(
            other, path, media=media, task_type=task, layout="evenhand" if name == "evenhand" else "auto"
        )
    sided = name in SIDED
    one = format_named(name)
    wanted = [
        row
        for row in labelled(project, sided=sided)
        if any(
            one.takes(row[0], partition) and f"What is {partition} of" in row[1]
            for partition in ("reserve", "train")
        )
        and not (row[0] == TaskType.TEXT_TO_3D and name != "evenhand")
        and not (row[0] != TaskType.TEXT_TO_TEXT and name == "trl")
        and not (one.sided and row[3] == "Which is longer?")
    ]
    assert wanted and labelled(other, sided=sided) == wanted


def test_a_table_runs_nothing_and_gives_back_every_cell(tmp_path: Path) -> None:
    project = make_project()
    texts = ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "'quoted", "''twice", 'plain, with\n"lines"']
    for number, text in enumerate(texts):
        pair = make_pair(project, response1=text, response2=f"other {number}", external_id=str(number))
        judge(make_comparison(pair), "response1")
    out = release(project, tmp_path / "out", "--formats", "csv")
    content = (out / "csv/text_to_text-train.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert not [row for row in rows if row["response1"][0] in "=+-@\t\r"]
    assert [sheets.unquoted(row["response1"]) for row in rows] == texts


def test_turns_that_llamafactory_would_skip_are_one(tmp_path: Path) -> None:
    """It reads user and assistant in turn from user to user, and takes a medium's placeholder for one wherever it stands."""
    project = make_project()
    talks = {
        "kept": [("user", "a"), ("assistant", "b"), ("user", "c")],
        "ends": [("user", "a"), ("assistant", "b")],
        "twice": [("system", "s"), ("user", "a"), ("user", "an <image>")],
    }
    for name, talk in talks.items():
        prompt = [{"role": role, "text": text} for role, text in talk]
        judge(make_comparison(make_pair(project, prompt=prompt, external_id=name), TRUER), "response1")
    out = release(project, tmp_path / "out", "--formats", "llamafactory")
    rows = {row["id"].split("/")[1]: row for row in lines(out / "llamafactory/text_to_text-train.jsonl")}
    said = {
        name: [(turn["from"], turn["value"]) for turn in row["conversations"]] for name, row in rows.items()
    }
    assert said == {
        "kept": [("system", TRUER), ("human", "a"), ("gpt", "b"), ("human", "c")],
        "ends": [("system", TRUER), ("human", "User: a\n\nAssistant: b")],
        "twice": [("system", f"{TRUER}\n\ns"), ("human", "User: a\n\nUser: an < image >")],
    }


def test_the_archive_holds_every_format(tmp_path: Path) -> None:
    """Made by a worker, as from admin: the same files."""
    from django.core.files.storage import default_storage

    from annotate.actions.jobs import run_job
    from annotate.actions.releases import ReleaseOptions, start_release

    project = make_project()
    for partition in (Partition.RESERVE, Partition.TRAIN):
        judge(make_comparison(make_pair(project, partition=partition)), "response1")
    made = start_release(
        by=None,
        project=project,
        options=ReleaseOptions(min_labels=1, formats=("csv", "jsonl", "llamafactory")),
    )
    run_job(made.job_id)
    made.refresh_from_db()
    with default_storage.open(made.archive_key) as file, zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
    assert {
        "RECIPE.yaml",
        "csv/text_to_text-test.csv",
        "jsonl/text_to_text-train.jsonl",
        "llamafactory/dataset_info.json",
    } <= names
    assert Pair.objects.count() == 2
