"""What can be made of a row before the database is asked: its digests, what chance decides, its lines for COPY.

Whoever reads ahead makes it, while the database writes the rows before.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any

from annotate.imports import digests
from annotate.imports.copying import escaped
from annotate.imports.record import PairRow, Side
from annotate.models import Project


@dataclass(slots=True)
class Draft:
    """Of one row. `partition`: where its group goes if the project does not have it yet.

    Lines are parts of lines: what the database gives (ids) is put before them.
    """

    prompt: bytes
    digest: bytes
    group: int
    partition: str
    turns: str
    response1: str
    response2: str
    pair: str


# The columns of those lines.
TURNS = "digest, turns"
RESPONSE = "text, model_name, metadata"
PAIR = 'source, external_id, digest, task_type, sensitive, metadata, "group", shuffle'


class Drafts:
    """Those of one project's import. Touches no database."""

    def __init__(self, project: Project) -> None:
        self._chance = digests.Chance(project.salt)
        self._shares = (project.reserve_share, project.validation_share)

    def of_text(self, row: PairRow) -> Draft | None:
        """None of a row with media, whose files must be seen first."""
        made = digests.of_text(row)
        return self._of(row, *made) if made else None

    def of_media(self, row: PairRow, files: Sequence[bytes]) -> Draft:
        """`files`: the SHA-256 of each, in the order of `PairRow.media_refs`."""
        count = len(row.media)
        sides: list[bytes | None] = []
        for side in (row.response1, row.response2):
            sides.append(files[count] if side.media else None)
            count += side.media is not None
        prompt = digests.prompt_digest(row.turns, files[: len(row.media)])
        return self._of(row, prompt, digests.pair_digest(row, prompt, (sides[0], sides[1])))

    def _of(self, row: PairRow, prompt: bytes, digest: bytes) -> Draft:
        group = self._chance.group(row, prompt)
        return Draft(
            prompt,
            digest,
            group,
            self._chance.partition(group, *self._shares).value,
            f"\\\\x{prompt.hex()}\t{escaped(_turns(row.turns))}",
            _response(row.response1),
            _response(row.response2),
            f"{escaped(row.source)}\t{escaped(row.external_id)}\t\\\\x{digest.hex()}\t{row.task_type}"
            f"\t{'t' if row.sensitive else 'f'}\t{_json(row.metadata)}\t{group}"
            f"\t{self._chance.shuffle(row.source, row.external_id)}",
        )


def _response(side: Side) -> str:
    return f"{escaped(side.text)}\t{escaped(side.model)}\t{_json(side.metadata)}"


def _json(value: dict[str, Any]) -> str:
    return escaped(json.dumps(value)) if value else "{}"


def _turns(turns: Sequence[tuple[str, str]]) -> str:
    """As JSON. What json.dumps would write, in a tenth of its time."""
    return (
        "["
        + ", ".join(
            [
                f'{{"role": {encode_basestring_ascii(role)}, "text": {encode_basestring_ascii(text)}}}'
                for role, text in turns
            ]
        )
        + "]"
    )
