"""Battles in the columns of lmsys/chatbot_arena_conversations, a row for each label; beside them the criterion and whose label it is."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from annotate.exports.formats.base import Format, Kind, Output, Writing, in_folder, shards
from annotate.exports.media import FOLDER
from annotate.exports.parquet import schema_of, write_parquet
from annotate.exports.records import ORIGIN, Record, Side
from annotate.models import TaskType
from annotate.stats.labels import Label

_COLUMNS = {
    "question_id": "string",
    "model_a": "string",
    "model_b": "string",
    "winner": "string",
    "conversation_a": "messages",
    "conversation_b": "messages",
    "turn": "count",
    "language": "string",
    "criterion": "string",
    ORIGIN: "string",
}
_WINNER = {Label.RESPONSE1: "model_a", Label.RESPONSE2: "model_b", Label.TIE: "tie"}


class Arena(Format):
    says = (
        "labels as battles, in the columns of the Chatbot Arena's conversations: response1 is `model_a`; `images` are"
        " paths below the folder."
    )
    task_types = (TaskType.TEXT_TO_TEXT, TaskType.TEXT_IMAGE_TO_TEXT)

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield from shards(kind, kind.stem, partial(_write, _columns(kind.task_type)))

    def configs(self, kinds: list[Kind]) -> list[dict[str, Any]]:
        found: dict[str, list[dict[str, str]]] = {}
        for kind in kinds:
            path = in_folder(self.folder, f"{kind.stem}-*.parquet")
            found.setdefault(kind.task_type, []).append({"split": kind.split, "path": path})
        return [{"config_name": f"arena_{task}", "data_files": files} for task, files in found.items()]


def _columns(task_type: str) -> dict[str, str]:
    return _COLUMNS | ({"images": "strings"} if task_type == TaskType.TEXT_IMAGE_TO_TEXT else {})


def _write(columns: dict[str, str], path: Path, records: Iterable[Record], writing: Writing) -> None:
    def row(record: Record) -> dict[str, Any]:
        cells = (
            record.id,
            record.response1.model,
            record.response2.model,
            _WINNER[record.label],
            _conversation(record, record.response1),
            _conversation(record, record.response2),
            sum(turn["role"] == "user" for turn in record.turns),
            record.language or None,
            record.criterion,
            str(record.origin),
            [f"{FOLDER}/{writing.media.put_picture(medium)}" for medium in record.media],
        )
        return dict(zip(columns, cells, strict=False))

    write_parquet(path, schema_of(columns), (row(record) for record in records))


def _conversation(record: Record, side: Side) -> list[dict[str, str]]:
    said = [{"role": turn["role"], "content": turn["text"]} for turn in record.turns]
    return [*said, {"role": "assistant", "content": side.text}]


FORMAT = Arena()
