"""Rows as in HPD v2 and as the loaders of HPSv2 read them: a prompt, two images, which of them people preferred."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from annotate.exports.formats.base import Format, Kind, Output, Writing, write_lines
from annotate.exports.formats.turns import prompt_text
from annotate.exports.media import FOLDER
from annotate.exports.records import ORIGIN, Record
from annotate.models import TaskType


class HPD(Format):
    says = (
        "image pairs as HPD v2 has them: `image_path` of response1 and response2 below the folder, `human_preference` 1 for"
        " the preferred one; the criterion beside them. It has no place for ties."
    )
    task_types = (TaskType.TEXT_TO_IMAGE,)
    sided = True
    bare = True

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield Output(f"{kind.stem}.json", kind.parts, _write)


def _write(path: Path, records: Iterable[Record], writing: Writing) -> None:
    def row(record: Record, id: str, first: bool) -> dict[str, Any]:
        media = (record.response1.medium, record.response2.medium)
        return {
            "id": id,
            "prompt": prompt_text(record.turns),
            "image_path": [f"{FOLDER}/{writing.media.put(medium)}" for medium in media if medium],
            "human_preference": [int(first), int(not first)],
            "criterion": record.criterion,
            ORIGIN: str(record.origin),
        }

    def lines() -> Iterator[str]:
        separator = "[\n"
        for sided in writing.sided(records):
            first = sided.chosen is sided.record.response1
            yield separator + json.dumps(row(sided.record, sided.id, first), ensure_ascii=False)
            separator = ",\n"
        yield "\n]\n" if separator == ",\n" else "[]\n"

    write_lines(path, lines())


FORMAT = HPD()
