"""The record that every format is written from: a labelled comparison with its content, read from frozen rows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from annotate.exports.chosen import Chosen
from annotate.exports.named import named
from annotate.models import Modality
from annotate.stats.labels import Label, Origin

BATCH = 1000  # comparisons read at a time


@dataclass(frozen=True, slots=True)
class Medium:
    """An original file. `name` is where it stands in a release: named by content, not by who uploaded it."""

    asset_id: int
    sha256: str
    modality: Modality
    extension: str

    @property
    def name(self) -> str:
        return f"{self.modality}/{self.sha256}.{self.extension}"

    @property
    def picture(self) -> str:
        """Where what stands in columns of pictures lies: the file itself, or the turntable sheet beside a mesh."""
        return f"{self.modality}/{self.sha256}.png" if self.modality == Modality.MESH else self.name


@dataclass(frozen=True, slots=True)
class Side:
    """One response."""

    text: str
    medium: Medium | None
    model: str


@dataclass(frozen=True, slots=True)
class Record:
    """One comparison with its label.

    `tally`: its counted verdicts that say response1, response2, tie; `aside`: those that say none of them. An annotator
    counts once. `inclusion`: the probability with which the mix took it from what the filters left.
    """

    number: int
    partition: str
    pair: int
    source: str
    external_id: str
    task_type: str
    language: str
    turns: list[dict[str, str]]
    media: tuple[Medium, ...]
    response1: Side
    response2: Side
    criterion: str
    criterion_key: bytes
    label: Label
    origin: Origin
    tally: tuple[int, int, int]
    aside: int
    inclusion: float

    @property
    def id(self) -> str:
        """Names pair and criterion, the same in every release that holds them."""
        return named(self.source, self.external_id, self.criterion_key)

    def told(self) -> dict[str, Any]:
        """What its label rests on, in the columns of TOLD."""
        first, second, tie = self.tally
        cells = (
            first,
            second,
            tie,
            self.aside,
            sum(self.tally) + self.aside,
            str(self.origin),
            self.inclusion,
        )
        return dict(zip(TOLD, cells, strict=True))


ORIGIN = "label_origin"  # the column that says whose a label is: people, settled, model

# The columns of a row that tell what its label rests on, and their kind (see parquet.KINDS).
TOLD = {
    "verdicts_response1": "count",
    "verdicts_response2": "count",
    "verdicts_tie": "count",
    "verdicts_aside": "count",
    "annotators": "count",
    ORIGIN: "string",
    "inclusion_probability": "share",
}


@dataclass(frozen=True, slots=True)
class Part:
    """The frozen comparisons that one file holds: those with first <= id <= last; of a task type and partition only those of
    it that the recipe takes."""

    task_type: str
    partition: str
    first: int
    last: int
    rows: int


_CONTENT = """
SELECT c.id, p.id, p.source, p.external_id, n.language, q.id, q.turns::text, r1.text, r1.asset_id, r1.model_name,
       r2.text, r2.asset_id, r2.model_name, t.text, t.text_key
FROM annotate_frozencomparison c
JOIN annotate_pair p ON p.id = c.pair_id
JOIN annotate_need n ON n.id = p.need_id
JOIN annotate_prompt q ON q.id = p.prompt_id
JOIN annotate_response r1 ON r1.id = p.response1_id
JOIN annotate_response r2 ON r2.id = p.response2_id
JOIN annotate_criterion t ON t.id = c.criterion_id
WHERE c.id = ANY (%s)
ORDER BY c.id
"""


def records(chosen: Chosen, part: Part) -> Iterator[Record]:
    """The part's comparisons in order, read in batches."""
    begin, end = np.searchsorted(chosen.number, (part.first, part.last + 1))
    of_kind = [(case.task_type, case.partition) == (part.task_type, part.partition) for case in chosen.cases]
    at = begin + np.flatnonzero(np.array(of_kind)[chosen.case[begin:end]] & (chosen.inclusion[begin:end] > 0))
    labels = [
        (Label(case.label), Origin(case.origin), case.tally, sum(case.aside))
        if wanted and not case.reason
        else None
        for case, wanted in zip(chosen.cases, of_kind, strict=True)
    ]
    for start in range(0, len(at), BATCH):
        some = at[start : start + BATCH]
        with connection.cursor() as cursor:
            cursor.execute(_CONTENT, [chosen.number[some].tolist()])
            rows = cursor.fetchall()
        prompt_media, assets = _media([rows[place] for place in np.flatnonzero(chosen.media[some])])
        decided = zip(chosen.case[some].tolist(), chosen.inclusion[some].tolist(), strict=True)
        for row, (case, inclusion) in zip(rows, decided, strict=True):
            number, pair, source, external_id, language, prompt, turns = row[:7]
            text1, asset1, model1, text2, asset2, model2, criterion, key = row[7:]
            told = labels[case]
            assert told
            label, origin, tally, aside = told
            yield Record(
                number=number,
                partition=part.partition,
                pair=pair,
                source=source,
                external_id=external_id,
                task_type=part.task_type,
                language=language,
                turns=json.loads(turns),
                media=tuple(assets[asset] for asset in prompt_media.get(prompt, ())),
                response1=Side(text1, assets.get(asset1), model1),
                response2=Side(text2, assets.get(asset2), model2),
                criterion=criterion,
                criterion_key=bytes(key),
                label=label,
                origin=origin,
                tally=tally,
                aside=aside,
                inclusion=inclusion,
            )


def _media(rows: list[tuple[Any, ...]]) -> tuple[dict[int, list[int]], dict[int | None, Medium]]:
    """The assets of each prompt, in order, and every asset that the rows need."""
    prompts: dict[int, list[int]] = {}
    if not rows:
        return prompts, {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prompt_id, asset_id FROM annotate_promptasset WHERE prompt_id = ANY (%s)"
            " ORDER BY prompt_id, position",
            [[row[5] for row in rows]],
        )
        for prompt, asset in cursor.fetchall():
            prompts.setdefault(prompt, []).append(asset)
        wanted = {row[i] for row in rows for i in (8, 11) if row[i]}.union(*prompts.values())
        if not wanted:
            return prompts, {}
        cursor.execute(
            "SELECT id, sha256, modality, extension FROM annotate_asset WHERE id = ANY (%s)",
            [list(wanted)],
        )
        assets: dict[int | None, Medium] = {
            row[0]: Medium(row[0], bytes(row[1]).hex(), Modality(row[2]), row[3]) for row in cursor.fetchall()
        }
    return prompts, assets
