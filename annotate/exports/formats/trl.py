"""Training rows as TRL preference data: explicit prompt, conversational, the criterion as leading system turn."""

import json
from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from annotate.exports.formats.base import Format, Kind, Output, Sided, Writing, in_folder, shards, write_lines
from annotate.exports.formats.turns import instructed
from annotate.exports.parquet import schema_of, write_parquet
from annotate.exports.records import ORIGIN, Medium, Record, Side
from annotate.exports.tasks import MADE
from annotate.models import Modality, Partition, TaskType

_LISTS = {
    Modality.IMAGE: "images",
    Modality.VIDEO: "videos",
    Modality.AUDIO: "audios",
    Modality.MESH: "meshes",
}
# Pictures and sound are embedded in Parquet; the rest is named by its path in media_data. A mesh stands in two
# lists: its turntable sheet among the pictures, which its part of the message is, and itself among the meshes.
_KIND = {"images": "images", "audios": "audios", "videos": "strings", "meshes": "strings"}

Content = str | list[dict[str, str | None]]


@cache
def columns(task_type: str) -> dict[str, str]:
    """Name and kind (see parquet.KINDS) of a task type's columns.

    Where there are media, a message's content is a list of typed parts, and the media stand in lists in the
    order of their parts: of the prompt in `images` (videos ...), of the answers in `chosen_images` and
    `rejected_images`.
    """
    made = MADE[TaskType(task_type)]
    messages = "media_messages" if made.prompt or made.response else "messages"
    named = {"id": "string", "prompt": messages, "chosen": messages, "rejected": messages, ORIGIN: "string"}
    named |= {_LISTS[modality]: _KIND[_LISTS[modality]] for modality in made.prompt}
    for side in ("chosen", "rejected"):
        named |= {f"{side}_{_LISTS[modality]}": _KIND[_LISTS[modality]] for modality in made.response}
    return named


def row(sided: Sided) -> dict[str, Any]:
    """One preference row, its media as Medium."""
    record = sided.record
    plain = columns(record.task_type)["prompt"] == "messages"
    cells: dict[str, Any] = {
        "id": sided.id,
        "prompt": _prompt(record, plain),
        "chosen": [{"role": "assistant", "content": _answer(sided.chosen, plain)}],
        "rejected": [{"role": "assistant", "content": _answer(sided.rejected, plain)}],
        ORIGIN: str(record.origin),
    }
    for name in list(columns(record.task_type))[len(cells) :]:
        side, _, kind = name.rpartition("_")
        media = {"": record.media, "chosen": (sided.chosen.medium,), "rejected": (sided.rejected.medium,)}[
            side
        ]
        cells[name] = [medium for medium in media if medium and kind in _lists_of(medium)]
    return cells


def _lists_of(medium: Medium) -> tuple[str, ...]:
    own = _LISTS[medium.modality]
    return ("images", own) if medium.modality == Modality.MESH else (own,)


def _prompt(record: Record, plain: bool) -> list[dict[str, Any]]:
    """The turns after the criterion, the prompt's media in the first that the user says."""
    messages, media = [], record.media
    for turn in instructed(record):
        first = turn["role"] == "user"
        messages.append(
            {"role": turn["role"], "content": _content(media if first else (), turn["text"], plain)}
        )
        media = () if first else media
    return messages


def _answer(side: Side, plain: bool) -> Content:
    return _content((side.medium,) if side.medium else (), side.text, plain)


def _content(media: tuple[Medium, ...], text: str, plain: bool) -> Content:
    if plain:
        return text
    parts: list[dict[str, str | None]] = [
        {"type": _lists_of(medium)[0].removesuffix("s"), "text": None} for medium in media
    ]
    return [*parts, {"type": "text", "text": text}] if text or not media else parts


class TRL(Format):
    says = (
        "preference rows for training (TRL: explicit prompt, conversational), the criterion as leading system turn, none"
        " where it was asked which response is better and not by what; a split `validation` is kept apart. As Parquet,"
        " and as JSON lines that name media by their path in `media_data/`."
    )
    partitions = (Partition.VALIDATION, Partition.TRAIN)
    sided = True
    folder = "train"

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield from shards(kind, f"{kind.task_type}/{kind.split}", partial(_parquet, kind.task_type))
        yield Output(f"{kind.stem}.jsonl", kind.parts, partial(_jsonl, kind.task_type))

    def configs(self, kinds: list[Kind]) -> list[dict[str, Any]]:
        """One a task type, `train` before `validation`."""
        found: dict[str, list[dict[str, str]]] = {}
        for kind in sorted(kinds, key=lambda kind: (kind.task_type, kind.split)):
            path = in_folder(self.folder, f"{kind.task_type}/{kind.split}-*.parquet")
            found.setdefault(kind.task_type, []).append({"split": kind.split, "path": path})
        return [{"config_name": f"train_{task}", "data_files": splits} for task, splits in found.items()]


def _parquet(task_type: str, path: Path, records: Iterable[Record], writing: Writing) -> None:
    named, media = columns(task_type), writing.media

    def embedded(sided: Sided) -> dict[str, Any]:
        cells = row(sided)
        for name, kind in list(named.items())[5:]:
            cells[name] = [
                media.put(medium) if kind == "strings" else media.embed(medium) for medium in cells[name]
            ]
        return cells

    write_parquet(path, schema_of(named), (embedded(sided) for sided in writing.sided(records)))


def _jsonl(task_type: str, path: Path, records: Iterable[Record], writing: Writing) -> None:
    """One row a line; media by their path relative to media_data."""
    lists, media = list(columns(task_type))[5:], writing.media

    def line(sided: Sided) -> str:
        cells = row(sided)
        for name in lists:
            put = media.put_picture if name.endswith("images") else media.put
            cells[name] = [put(medium) for medium in cells[name]]
        return json.dumps(cells, ensure_ascii=False) + "\n"

    write_lines(path, (line(sided) for sided in writing.sided(records)))


FORMAT = TRL()
