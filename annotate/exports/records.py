"""The record that every format is written from: a labelled comparison with its content, read from frozen rows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from annotate.exports.choice import NO_LIMITS, Candidate, Filters, Limits, limited_by
from annotate.models import Modality, Release
from annotate.stats.labels import Label, Origin, Settled
from annotate.tallies import TALLY

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


def named(source: str, external_id: str, criterion_key: bytes) -> str:
    """The name of a pair under a criterion in every file of a release."""
    pair = f"{source}/{external_id}" if source else external_id
    return f"{pair}/{criterion_key.hex()[:8]}"


@dataclass(frozen=True, slots=True)
class Part:
    """The frozen comparisons that one file holds: those of a task type and partition with first <= id <= last that the
    recipe's filters and these limits take."""

    task_type: str
    partition: str
    first: int
    last: int
    rows: int
    limits: Limits = NO_LIMITS


_RECORDS = f"""
SELECT c.id, p.source, p.external_id, q.id, q.turns, r1.text, r1.asset_id, r1.model_name,
       r2.text, r2.asset_id, r2.model_name, t.text, t.text_key, tally.*, c.settled,
       c.kept_out, n.language, p.id, c.written
FROM (SELECT * FROM annotate_frozencomparison
      WHERE release_id = %(release)s AND task_type = %(task_type)s AND partition = %(partition)s
        AND id BETWEEN %(first)s AND %(last)s
      ORDER BY id LIMIT %(batch)s) c
JOIN annotate_pair p ON p.id = c.pair_id
JOIN annotate_need n ON n.id = p.need_id
JOIN annotate_prompt q ON q.id = p.prompt_id
JOIN annotate_response r1 ON r1.id = p.response1_id
JOIN annotate_response r2 ON r2.id = p.response2_id
JOIN annotate_criterion t ON t.id = c.criterion_id
CROSS JOIN LATERAL (
    SELECT {TALLY}, count(*) FILTER (WHERE verdict NOT IN ('response1', 'response2', 'tie'))
    FROM annotate_frozenjudgment f JOIN annotate_judgment j ON j.id = f.judgment_id
    WHERE f.comparison_id = c.id AND f.standing = 'counted'
) tally
ORDER BY c.id
"""


def settled_of(release: Release) -> Settled:
    """What becomes of settled comparisons. Releases that were begun before there were any ignore them."""
    return Settled(release.recipe.get("settled", Settled.IGNORE))


def records(release: Release, part: Part) -> Iterator[Record]:
    """The part's comparisons in order, read in batches."""
    filters, first = Filters(release), part.first
    steps = tuple(dict.fromkeys(step for step, _ in part.limits.found))
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                _RECORDS,
                {
                    "release": release.pk,
                    "task_type": part.task_type,
                    "partition": part.partition,
                    "first": first,
                    "last": part.last,
                    "batch": BATCH,
                },
            )
            rows = cursor.fetchall()
        taken = []
        for row in rows:
            key = bytes(row[12])
            candidate = Candidate(
                part.task_type, part.partition, row[19], key, row[18], row[13:16], row[17], row[21]
            )
            decision = filters.decide(candidate)
            if decision.reason:
                continue
            limited = limited_by(steps, row[1], part.task_type, key)
            if inclusion := part.limits.inclusion(named(row[1], row[2], key), limited):
                taken.append((row, key, decision, inclusion))
        prompt_media, assets = _media([row for row, *_ in taken])
        for row, key, decision, inclusion in taken:
            yield Record(
                number=row[0],
                partition=part.partition,
                pair=row[20],
                source=row[1],
                external_id=row[2],
                task_type=part.task_type,
                language=row[19],
                turns=json.loads(row[4]),
                media=tuple(assets[asset] for asset in prompt_media.get(row[3], ())),
                response1=Side(row[5], assets.get(row[6]), row[7]),
                response2=Side(row[8], assets.get(row[9]), row[10]),
                criterion=row[11],
                criterion_key=key,
                label=Label(decision.label),
                origin=decision.origin,
                tally=row[13:16],
                aside=row[16],
                inclusion=inclusion,
            )
        if len(rows) < BATCH:
            return
        first = rows[-1][0] + 1


def _media(rows: list[tuple[Any, ...]]) -> tuple[dict[int, list[int]], dict[int | None, Medium]]:
    """The assets of each prompt, in order, and every asset that the rows need."""
    prompts: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prompt_id, asset_id FROM annotate_promptasset WHERE prompt_id = ANY (%s)"
            " ORDER BY prompt_id, position",
            [[row[3] for row in rows]],
        )
        for prompt, asset in cursor.fetchall():
            prompts.setdefault(prompt, []).append(asset)
        wanted = {row[i] for row in rows for i in (6, 9) if row[i]}.union(*prompts.values())
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
