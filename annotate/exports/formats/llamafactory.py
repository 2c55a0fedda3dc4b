"""Preference rows as LLaMA-Factory reads them: sharegpt, `ranking: true`, described in dataset_info.json.

As its data/README.md documents them (llamafactory 0.9.5). It has no form for pairs whose *answers* are media: these
stand as Omni-RewardData publishes them, the medium asked about by its placeholder and both texts the prompt that it was
made from, which our own import reads back.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from annotate.exports.formats.base import Format, Kind, Output, Sided, Writing, write_lines
from annotate.exports.formats.turns import alternating, instructed, prompt_text
from annotate.exports.media import FOLDER
from annotate.exports.records import ORIGIN, Medium
from annotate.exports.tasks import MADE
from annotate.models import Modality, Partition, TaskType

_LISTS = {
    Modality.IMAGE: "images",
    Modality.MESH: "images",  # its sheet
    Modality.VIDEO: "videos",
    Modality.AUDIO: "audios",
}
_PLACEHOLDERS = {"images": "<image>", "videos": "<video>", "audios": "<audio>"}
_FROM = {"system": "system", "user": "human", "assistant": "gpt"}


class LlamaFactory(Format):
    says = (
        "preference rows for LLaMA-Factory, the criterion as system turn; `dataset_info.json` names each file's data set:"
        " give the folder as `dataset_dir`. Pairs of generated media are in the form of Omni-RewardData, whose own"
        " trainer reads it; LLaMA-Factory itself shows both answers' media to either side."
    )
    partitions = (Partition.VALIDATION, Partition.TRAIN)
    task_types = tuple(task for task in TaskType.values if task != TaskType.OTHER)
    sided = True
    bare = True

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield Output(f"{kind.stem}.jsonl", kind.parts, _write)

    def describing(self, kinds: list[Kind]) -> Iterator[tuple[str, bytes]]:
        info = {f"{kind.task_type}_{kind.split}": _described(kind) for kind in kinds}
        yield "dataset_info.json", json.dumps(info, indent=2).encode() + b"\n"


def _described(kind: Kind) -> dict[str, Any]:
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    made = MADE[TaskType(kind.task_type)]
    columns |= {_LISTS[one]: _LISTS[one] for one in made.prompt + made.response}
    return {
        "file_name": f"{kind.stem}.jsonl",
        "formatting": "sharegpt",
        "ranking": True,
        "columns": columns,
    }


def _write(path: Path, records: Iterable[Any], writing: Writing) -> None:
    def path_of(medium: Medium) -> str:
        return f"{FOLDER}/{writing.media.put_picture(medium)}"

    rows = (_row(sided, path_of) for sided in writing.sided(records))
    write_lines(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _row(sided: Sided, path_of: Callable[[Medium], str]) -> dict[str, Any]:
    record, made = sided.record, MADE[TaskType(sided.record.task_type)]
    turns = [{**turn, "text": _free(turn["text"])} for turn in instructed(record)]
    system = [turns.pop(0)] if turns and turns[0]["role"] == "system" else []
    lists: dict[str, Any] = {_LISTS[one]: [] for one in made.prompt + made.response}
    for medium in record.media:
        lists[_LISTS[medium.modality]].append(path_of(medium))
    if made.response:
        assert sided.chosen.medium and sided.rejected.medium  # the plan refuses pairs without
        name = _LISTS[sided.chosen.medium.modality]
        answers = [path_of(sided.chosen.medium), path_of(sided.rejected.medium)]
        human = "".join(_PLACEHOLDERS[one] * len(paths) for one, paths in lists.items() if one != name)
        human += _PLACEHOLDERS[name] * (len(lists[name]) + 1)
        # Media of the prompt stand before the answer's on either side; without any the list is flat.
        lists[name] = [[*lists[name], one] for one in answers] if lists[name] else answers
        turns = [{"role": "user", "text": human}]
        chosen = rejected = _free(prompt_text(record.turns))
    else:
        turns = alternating(turns)
        turns[0]["text"] = (
            "".join(_PLACEHOLDERS[one] * len(paths) for one, paths in lists.items()) + turns[0]["text"]
        )
        chosen, rejected = _free(sided.chosen.text), _free(sided.rejected.text)
    return {
        "id": sided.id,
        "conversations": [{"from": _FROM[turn["role"]], "value": turn["text"]} for turn in system + turns],
        "chosen": {"from": "gpt", "value": chosen},
        "rejected": {"from": "gpt", "value": rejected},
        ORIGIN: str(record.origin),
        **lists,
    }


def _free(text: str) -> str:
    """The text, in which what would be taken for a medium's placeholder is none: there is no way to quote it."""
    for placeholder in _PLACEHOLDERS.values():
        text = text.replace(placeholder, f"< {placeholder[1:-1]} >")
    return text


FORMAT = LlamaFactory()
