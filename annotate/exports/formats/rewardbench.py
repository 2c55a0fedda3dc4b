"""RewardBench, in two forms: the columns of the published set, and what the `rewardbench` command takes.

Published (card of allenai/reward-bench): prompt, chosen, chosen_model, rejected, rejected_model, subset, id; beside
them the criterion and whose label it is. The command (rewardbench 0.1.4, --dataset FILE --load_json): prompt as text; chosen and rejected as whole
conversations. It takes turns for the user's and the assistant's by their place, whatever their roles, and ends at a system turn: the
criterion begins the first user turn.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from annotate.exports.formats.base import Format, Kind, Output, Sided, Writing, in_folder, shards, write_lines
from annotate.exports.formats.turns import alternating, instructed, prompt_text
from annotate.exports.parquet import schema_of, write_parquet
from annotate.exports.records import ORIGIN, Record
from annotate.models import TaskType

_COLUMNS = (
    "prompt",
    "chosen",
    "chosen_model",
    "rejected",
    "rejected_model",
    "subset",
    "id",
    "criterion",
    ORIGIN,
)


class RewardBench(Format):
    says = (
        "text pairs in the columns of RewardBench (`*.parquet`; the subset is the source, the criterion a column of its"
        " own), and as conversations for `rewardbench --dataset FILE.jsonl --load_json`, the criterion before the first"
        " user turn: it knows no system turn."
    )
    task_types = (TaskType.TEXT_TO_TEXT,)
    sided = True

    def outputs(self, kind: Kind) -> Iterator[Output]:
        yield from shards(kind, kind.stem, _parquet)
        yield Output(f"{kind.stem}.jsonl", kind.parts, _conversations)

    def configs(self, kinds: list[Kind]) -> list[dict[str, Any]]:
        files = [
            {"split": kind.split, "path": in_folder(self.folder, f"{kind.stem}-*.parquet")} for kind in kinds
        ]
        return [{"config_name": "rewardbench", "data_files": files}] if files else []


def _parquet(path: Path, records: Iterable[Record], writing: Writing) -> None:
    schema = schema_of(dict.fromkeys(_COLUMNS, "string"))
    write_parquet(path, schema, (_row(sided) for sided in writing.sided(records)))


def _row(sided: Sided) -> dict[str, Any]:
    record = sided.record
    cells = (
        prompt_text(record.turns),
        sided.chosen.text,
        sided.chosen.model,
        sided.rejected.text,
        sided.rejected.model,
        record.source,
        sided.id,
        record.criterion,
        str(record.origin),
    )
    return dict(zip(_COLUMNS, cells, strict=True))


def _conversations(path: Path, records: Iterable[Record], writing: Writing) -> None:
    def line(sided: Sided) -> str:
        turns = instructed(sided.record)
        system = [turn["text"] for turn in turns if turn["role"] == "system"]
        turns = alternating([turn for turn in turns if turn["role"] != "system"])
        turns[0] = {"role": "user", "text": "\n\n".join([*system, turns[0]["text"]])}
        said = [{"role": turn["role"], "content": turn["text"]} for turn in turns]
        row = {
            "id": sided.id,
            "prompt": prompt_text(sided.record.turns),
            "chosen": [*said, {"role": "assistant", "content": sided.chosen.text}],
            "rejected": [*said, {"role": "assistant", "content": sided.rejected.text}],
            ORIGIN: str(sided.record.origin),
        }
        return json.dumps(row, ensure_ascii=False) + "\n"

    write_lines(path, (line(sided) for sided in writing.sided(records)))


FORMAT = RewardBench()
