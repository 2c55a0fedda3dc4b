"""Training rows as TRL preference data: explicit prompt, conversational, the criterion as leading system turn."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from annotate.exports.files import new_file
from annotate.exports.media import MediaFolder
from annotate.exports.parquet import schema_of, write_parquet
from annotate.exports.records import Medium, Record, Side
from annotate.exports.tasks import MADE
from annotate.models import Modality, TaskType
from annotate.stats.labels import Label

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


def columns(task_type: str) -> dict[str, str]:
    """Name and kind (see parquet.KINDS) of a task type's columns.

    Where there are media, a message's content is a list of typed parts, and the media stand in lists in the
    order of their parts: of the prompt in `images` (videos ...), of the answers in `chosen_images` and
    `rejected_images`.
    """
    made = MADE[TaskType(task_type)]
    messages = "media_messages" if made.prompt or made.response else "messages"
    named = {"id": "string", "prompt": messages, "chosen": messages, "rejected": messages}
    named |= {_LISTS[modality]: _KIND[_LISTS[modality]] for modality in made.prompt}
    for side in ("chosen", "rejected"):
        named |= {f"{side}_{_LISTS[modality]}": _KIND[_LISTS[modality]] for modality in made.response}
    return named


def row(record: Record) -> dict[str, Any]:
    """One preference row, its media as Medium. The record's label must be a response."""
    plain = columns(record.task_type)["prompt"] == "messages"
    sides = (record.response1, record.response2)
    chosen, rejected = sides if record.label == Label.RESPONSE1 else reversed(sides)
    cells: dict[str, Any] = {
        "id": record.id,
        "prompt": _prompt(record, plain),
        "chosen": [{"role": "assistant", "content": _answer(chosen, plain)}],
        "rejected": [{"role": "assistant", "content": _answer(rejected, plain)}],
    }
    for name in list(columns(record.task_type))[len(cells) :]:
        side, _, kind = name.rpartition("_")
        media = {"": record.media, "chosen": (chosen.medium,), "rejected": (rejected.medium,)}[side]
        cells[name] = [medium for medium in media if medium and kind in _lists_of(medium)]
    return cells


def _lists_of(medium: Medium) -> tuple[str, ...]:
    own = _LISTS[medium.modality]
    return ("images", own) if medium.modality == Modality.MESH else (own,)


def _prompt(record: Record, plain: bool) -> list[dict[str, Any]]:
    """The turns after the criterion. A system turn of the prompt's own joins it: templates take but one."""
    system, turns = [record.criterion], list(record.turns)
    while turns and turns[0]["role"] == "system":
        system.append(turns.pop(0)["text"])
    messages = [{"role": "system", "content": _content((), "\n\n".join(system), plain)}]
    media = record.media
    for turn in turns:
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


def _wanted(records: Iterable[Record]) -> Iterable[Record]:
    """Those with a side to choose."""
    return (record for record in records if record.label != Label.TIE)


def write_train_parquet(path: Path, task_type: str, records: Iterable[Record], media: MediaFolder) -> None:
    named = columns(task_type)

    def embedded(record: Record) -> dict[str, Any]:
        cells = row(record)
        for name, kind in list(named.items())[4:]:
            cells[name] = [
                media.put(medium) if kind == "strings" else media.embed(medium) for medium in cells[name]
            ]
        return cells

    write_parquet(path, schema_of(named), (embedded(record) for record in _wanted(records)))


def write_train_jsonl(path: Path, task_type: str, records: Iterable[Record], media: MediaFolder) -> None:
    """One row a line; media by their path relative to media_data."""
    lists = list(columns(task_type))[4:]
    with new_file(path) as file:
        for record in _wanted(records):
            cells = row(record)
            for name in lists:
                put = media.put_picture if name.endswith("images") else media.put
                cells[name] = [put(medium) for medium in cells[name]]
            file.write(json.dumps(cells, ensure_ascii=False).encode() + b"\n")
