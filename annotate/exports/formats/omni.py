"""The benchmark in the columns of OmniRewardBench: Parquet with embedded media, and JSON beside media_data/."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from annotate.exports.files import new_file
from annotate.exports.formats.base import Format, Kind, Output, Writing, in_folder, shards
from annotate.exports.formats.turns import prompt_text
from annotate.exports.media import MediaFolder
from annotate.exports.parquet import schema_of, write_parquet
from annotate.exports.records import TOLD, Medium, Record
from annotate.exports.tasks import MADE
from annotate.models import Modality, Partition, TaskType

# How a medium stands in a column: pictures and sound are embedded, with their path in a column beside. A mesh
# is published as a picture: its turntable sheet, beside which the mesh itself lies in media_data.
_KIND = {
    Modality.IMAGE: "image",
    Modality.MESH: "image",
    Modality.AUDIO: "audio",
    Modality.VIDEO: "string",
}


def columns(task_type: str) -> dict[str, str]:
    """Name and kind (see parquet.KINDS) of a config's columns, in order: the published ones, then what the label rests on."""
    made = MADE[TaskType(task_type)]
    named = dict.fromkeys(("prompt", "model1", "model2", "criteria", "criteria_preference", "id"), "string")
    for modality in made.prompt:
        named |= _column(modality, modality)
    for name in ("response1", "response2"):
        named |= _column(name, made.response[0]) if made.response else {name: "string"}
    return named | TOLD


def _column(name: str, modality: Modality) -> dict[str, str]:
    kind = _KIND[modality]
    return {name: kind} if kind == "string" else {name: kind, f"{name}_path": "string"}


def row(record: Record, media: MediaFolder) -> dict[str, Any]:
    """One row of the JSON form: media by their path relative to media_data."""
    cells: dict[str, Any] = {
        "prompt": prompt_text(record.turns),
        "model1": record.response1.model,
        "model2": record.response2.model,
        "criteria": record.criterion,
        "criteria_preference": str(record.label),
        "id": record.id,
    }
    for name, medium in _media(record):
        cells |= dict.fromkeys(_column(name, medium.modality), media.put_picture(medium))
    for name, side in (("response1", record.response1), ("response2", record.response2)):
        cells.setdefault(name, side.text)
    return cells | record.told()


def _media(record: Record) -> list[tuple[str, Medium]]:
    """The media of a record with the column each stands in."""
    found = [(str(medium.modality), medium) for medium in record.media]
    for name, side in (("response1", record.response1), ("response2", record.response2)):
        if side.medium:
            found.append((name, side.medium))
    return found


class OmniRewardBench(Format):
    says = (
        "the benchmark, in the columns of OmniRewardBench and after them what each label rests on. `<config>/*.parquet`"
        " carries pictures and sound within; `<config>_preferences.json` names them by their path in `media_data/`."
    )
    partitions = (Partition.RESERVE,)
    task_types = tuple(task for task in TaskType.values if task != TaskType.OTHER)
    one_medium = bare = True
    folder = "bench"

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield from shards(kind, f"{kind.task_type}/{kind.split}", partial(_parquet, kind.task_type))
        yield Output(f"{kind.task_type}_preferences.json", kind.parts, partial(_json, kind.task_type))

    def configs(self, kinds: list[Kind]) -> list[dict[str, Any]]:
        return [
            {
                "config_name": kind.task_type,
                "data_files": [
                    {
                        "split": kind.split,
                        "path": in_folder(self.folder, f"{kind.task_type}/{kind.split}-*.parquet"),
                    }
                ],
            }
            for kind in kinds
        ]


def _parquet(task_type: str, path: Path, records: Iterable[Record], writing: Writing) -> None:
    named, media = columns(task_type), writing.media

    def embedded(record: Record) -> dict[str, Any]:
        cells = row(record, media)
        for name, medium in _media(record):
            if named[name] != "string":
                cells[name] = media.embed(medium)
        return cells

    write_parquet(path, schema_of(named), (embedded(record) for record in records))


def _json(task_type: str, path: Path, records: Iterable[Record], writing: Writing) -> None:
    """A list of rows, one a line."""
    order = list(columns(task_type))
    with new_file(path) as file:
        separator = b"[\n"
        for record in records:
            cells = row(record, writing.media)
            line = json.dumps({name: cells[name] for name in order}, ensure_ascii=False)
            file.write(separator + line.encode())
            separator = b",\n"
        file.write(b"\n]\n")


FORMAT = OmniRewardBench()
