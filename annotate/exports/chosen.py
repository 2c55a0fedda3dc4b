"""What was decided of every frozen comparison: a table that is made once, and that everything after it reads.

It follows from the frozen rows and the recipe alone. Whoever leads a release keeps it beside the files while they are
written, so that others who help need not look at the frozen rows again.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from django.db import connection, transaction
from numpy.typing import NDArray

from annotate.actions.jobs import Refused
from annotate.exports.choice import (
    Candidate,
    Filters,
    Rows,
    Taken,
    limited_by,
    recipe_in,
    steps_of,
    take,
)
from annotate.exports.columns import copied
from annotate.exports.files import new_file
from annotate.exports.formats import format_named
from annotate.exports.named import named
from annotate.exports.reading import by_key
from annotate.exports.recipe import Recipe
from annotate.exports.tasks import MADE, misfit
from annotate.models import Partition, Release, TaskType
from annotate.stats.labels import Label, Origin
from annotate.tallies import TALLY

FILE = ".chosen.tmp"  # goes with all that is named so once the release is finished
_BATCH = 250_000  # comparisons; each time all judgments that there are may be hashed
_LOOKED_AT = 5_000  # comparisons whose media or names are asked for at a time
_MISFITS_NAMED = 5

# A row for each frozen comparison: what is its own, then what many have in common.
_SCAN = f"""
SELECT c.id, c.pair_id, COALESCE(t.judgments, 0), c.task_type, c.partition, c.kept_out, c.settled, c.written, c.reviewers,
       CASE WHEN %(by_language)s THEN (SELECT n.language FROM annotate_pair p JOIN annotate_need n ON n.id = p.need_id
                                       WHERE p.id = c.pair_id) ELSE '' END,
       CASE WHEN %(by_criterion)s THEN (SELECT encode(r.text_key, 'hex') FROM annotate_criterion r
                                        WHERE r.id = c.criterion_id) ELSE '' END,
       COALESCE(t.response1, 0), COALESCE(t.response2, 0), COALESCE(t.tie, 0),
       COALESCE(t.cannot_tell, 0), COALESCE(t.not_applicable, 0), COALESCE(t.media_broken, 0)
FROM annotate_frozencomparison c
LEFT JOIN (SELECT comparison_id, count(*), {TALLY},
                  count(*) FILTER (WHERE verdict = 'cannot_tell'),
                  count(*) FILTER (WHERE verdict = 'not_applicable'),
                  count(*) FILTER (WHERE verdict = 'media_broken')
           FROM (SELECT f.comparison_id, CASE WHEN f.standing = 'counted' THEN j.verdict END AS verdict
                 FROM annotate_frozenjudgment f JOIN annotate_judgment j ON j.id = f.judgment_id
                 WHERE f.comparison_id BETWEEN %(first)s AND %(last)s) verdicts
           GROUP BY comparison_id)
     t (comparison_id, judgments, response1, response2, tie, cannot_tell, not_applicable, media_broken)
     ON t.comparison_id = c.id
WHERE c.release_id = %(release)s AND c.id BETWEEN %(first)s AND %(last)s
ORDER BY c.id
"""
_NAMES = pa.dictionary(pa.int32(), pa.string())
_OWN = {"number": pa.int64(), "pair": pa.int64(), "judgments": pa.int32()}
_COMMON = {
    **dict.fromkeys(("task_type", "partition", "kept_out", "settled", "written"), _NAMES),
    "reviewers": pa.int32(),
    **dict.fromkeys(("language", "criterion"), _NAMES),
    **dict.fromkeys(
        ("response1", "response2", "tie", "cannot_tell", "not_applicable", "media_broken"), pa.int32()
    ),
}

# Pairs of a project that hold any medium.
_WITH_MEDIA = """
SELECT p.id FROM annotate_pair p JOIN annotate_promptasset m ON m.prompt_id = p.prompt_id
WHERE p.project_id = %(project)s
UNION SELECT p.id FROM annotate_response r JOIN annotate_pair p ON p.response1_id = r.id
WHERE r.project_id = %(project)s AND r.asset_id IS NOT NULL
UNION SELECT p.id FROM annotate_response r JOIN annotate_pair p ON p.response2_id = r.id
WHERE r.project_id = %(project)s AND r.asset_id IS NOT NULL
"""
_MEDIA = """
SELECT p.id, p.source, p.external_id,
       ARRAY(SELECT a.modality::text FROM annotate_promptasset m JOIN annotate_asset a ON a.id = m.asset_id
             WHERE m.prompt_id = p.prompt_id ORDER BY m.position),
       a1.modality, r1.text <> '', a2.modality, r2.text <> '', media.size, media.undrawn
FROM annotate_pair p
JOIN annotate_response r1 ON r1.id = p.response1_id
JOIN annotate_response r2 ON r2.id = p.response2_id
LEFT JOIN annotate_asset a1 ON a1.id = r1.asset_id
LEFT JOIN annotate_asset a2 ON a2.id = r2.asset_id
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(COALESCE(sheet.size, a.size)), 0)::bigint AS size,
           COALESCE(bool_or(a.modality = 'mesh' AND sheet.id IS NULL), false) AS undrawn
    FROM (SELECT r1.asset_id UNION ALL SELECT r2.asset_id
          UNION ALL SELECT m.asset_id FROM annotate_promptasset m WHERE m.prompt_id = p.prompt_id) used
    JOIN annotate_asset a ON a.id = used.asset_id
    LEFT JOIN annotate_derivative sheet ON sheet.asset_id = a.id AND sheet.kind = 'sheet'
) media
WHERE p.id = ANY (%(pairs)s)
"""
_NAMED = """
SELECT p.source, p.external_id, t.text_key
FROM annotate_frozencomparison c
JOIN annotate_pair p ON p.id = c.pair_id JOIN annotate_criterion t ON t.id = c.criterion_id
WHERE c.id = ANY (%(numbers)s) ORDER BY c.id
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What many comparisons have in common, and what was decided of them but for what the mix has room for.

    `tally`: usable counted verdicts, in the order of USABLE; `aside`: the other counted ones, those that say cannot_tell,
    not_applicable and media_broken. `written`: the label of the model that wrote the criterion, if one did. `label`: it, or why there is none; `reason`: why they are in no row, empty if they may be.
    """

    task_type: str
    partition: str
    settled: str
    written: str
    reviewers: int
    tally: tuple[int, int, int]
    aside: tuple[int, int, int]
    label: str
    people: str
    origin: str
    reason: str

    @property
    def overruled(self) -> bool:
        """Reviewers settled it otherwise than people."""
        return self.origin == Origin.SETTLED and Label(self.people).found and self.people != self.label


@dataclass(frozen=True)
class Chosen:
    """Every frozen comparison of a release, in its order.

    `case`: (rows,) the place of its Case in `cases`. `left_out`: (rows,) by which of STEPS the mix leaves it out, from 1; of
    what the filters left. `inclusion`: (rows,) the probability with which it is in a row, 0 where it is in none.
    `media`: (rows,) bytes of its media, 0 of a comparison without any, and of those that the filters take out.
    """

    number: NDArray[np.int64]
    pair: NDArray[np.int64]
    judgments: NDArray[np.int32]
    case: NDArray[np.int32]
    media: NDArray[np.int64]
    left_out: NDArray[np.int8]
    inclusion: NDArray[np.float64]
    cases: list[Case]

    def where(self, says: Callable[[Case], bool]) -> NDArray[np.bool_]:
        """(rows,): those of whose case it says so."""
        return np.array([says(case) for case in self.cases], dtype=bool)[self.case]

    def save(self, directory: Path) -> None:
        """Keep it beside the files of a release."""
        columns = {name: getattr(self, name) for name in _COLUMNS}
        cases = json.dumps([asdict(case) for case in self.cases]).encode()
        table = pa.table(columns).replace_schema_metadata({"cases": cases})
        with new_file(directory / FILE) as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)

    @classmethod
    def load(cls, directory: Path) -> "Chosen":
        """What was saved there. The columns stay on the disk, and are mapped into memory.

        Raises:
            FileNotFoundError: nothing was, or the release is finished.
        """
        with pa.memory_map(str(directory / FILE)) as source:
            table = pa.ipc.open_file(source).read_all()
        cases = [
            Case(**{**one, "tally": tuple(one["tally"]), "aside": tuple(one["aside"])})
            for one in json.loads(table.schema.metadata[b"cases"])
        ]
        return cls(**{name: table[name].combine_chunks().to_numpy() for name in _COLUMNS}, cases=cases)


_COLUMNS = ("number", "pair", "judgments", "case", "media", "left_out", "inclusion")


class _Cases:
    """The cases met so far, and what the filters decide of each."""

    def __init__(self, filters: Filters) -> None:
        self.cases: list[Case] = []
        self._known: dict[tuple[Any, ...], int] = {}
        self._filters = filters

    def of(self, read: pa.Table) -> NDArray[np.int32]:
        """(rows,) the case of each row of a scan."""
        columns = [read[name].combine_chunks() for name in _COMMON]
        codes = [
            (column.indices if pa.types.is_dictionary(column.type) else column).to_numpy().astype(np.int64)
            for column in columns
        ]
        _, first, inverse = np.unique(_combined(codes), return_index=True, return_inverse=True)
        some = read.select(list(_COMMON)).take(pa.array(first)).to_pylist()
        return np.array([self._place(tuple(row.values())) for row in some], dtype=np.int32)[inverse]

    def _place(self, row: tuple[Any, ...]) -> int:
        if row not in self._known:
            self._known[row] = len(self.cases)
            task_type, partition, kept_out, settled, written, reviewers, language, criterion, *counts = row
            first, second, tie, cannot_tell, not_applicable, media_broken = counts
            tally = (first, second, tie)
            decision = self._filters.decide(
                Candidate(
                    task_type,
                    partition,
                    language,
                    bytes.fromhex(criterion),
                    kept_out,
                    tally,
                    settled,
                    written,
                )
            )
            self.cases.append(
                Case(
                    task_type=task_type,
                    partition=partition,
                    settled=settled,
                    written=written,
                    reviewers=reviewers,
                    tally=tally,
                    aside=(cannot_tell, not_applicable, media_broken),
                    label=str(decision.label),
                    people=str(decision.people),
                    origin=str(decision.origin),
                    reason=str(decision.reason),
                )
            )
        return self._known[row]


def _combined(columns: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """(rows,) a number for each combination of what stands in the columns, which are not below 0."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    most = 1
    for column in columns:
        span = int(column.max(initial=0)) + 1
        if most * span >= 2**62:
            _, code = np.unique(code, return_inverse=True)
            most = int(code.max(initial=0)) + 1
        code, most = code * span + column, most * span
    return code


def choose(release: Release, tell: Callable[[], None]) -> Chosen:
    """Look at every frozen comparison once. `tell` is called every now and then.

    Raises:
        Refused: labelled pairs cannot be written in the columns of a format that they are to stand in, or hold meshes
            that are not drawn; the message names some.
    """
    recipe, filters = recipe_in(release), Filters(release)
    met = _Cases(filters)
    parts: dict[str, list[NDArray[Any]]] = {"number": [], "pair": [], "judgments": [], "case": []}
    for read in _scan(release, filters):
        for name in _OWN:
            parts[name].append(read[name].to_numpy())
        parts["case"].append(met.of(read))
        tell()
    kinds = {"number": np.int64, "pair": np.int64, "judgments": np.int32, "case": np.int32}
    own = {
        name: np.concatenate([np.zeros(0, kinds[name]), *arrays]).astype(kinds[name])
        for name, arrays in parts.items()
    }
    rows = len(own["number"])
    chosen = Chosen(
        **own,
        media=np.zeros(rows, np.int64),
        left_out=np.zeros(rows, np.int8),
        inclusion=np.zeros(rows),
        cases=met.cases,
    )
    pairs = copied(_WITH_MEDIA, {"project": release.project_id}, {"id": pa.int64()})["id"].to_numpy()
    with by_key():
        _look_at_media(release, recipe, chosen, pairs, tell)
        _make_room(recipe, chosen, tell)
    return chosen


def _scan(release: Release, filters: Filters) -> Iterator[pa.Table]:
    names = {"release": release.pk, "by_language": filters.by_language, "by_criterion": filters.by_criterion}
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT min(id), max(id) FROM (SELECT id FROM annotate_frozencomparison WHERE release_id = %s AND id > %s"
                " ORDER BY id LIMIT %s) c",
                [release.pk, after, _BATCH],
            )
            first, last = cursor.fetchone()
        if first is None:
            return
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '64MB'")  # for the hashes of this statement
            yield copied(_SCAN, names | {"first": first, "last": last}, _OWN | _COMMON)
        after = last


def _look_at_media(
    release: Release, recipe: Recipe, chosen: Chosen, pairs: NDArray[np.int64], tell: Callable[[], None]
) -> None:
    """Note the bytes of the media of what the filters left.

    Args:
        pairs: those that hold any.

    Raises:
        Refused: some fit no column, or are not drawn.
    """
    # A task type that asks for media may miss them.
    asked = chosen.where(lambda case: MADE[TaskType(case.task_type)] != MADE[TaskType.TEXT_TO_TEXT])
    passed = chosen.where(lambda case: not case.reason)
    at = np.flatnonzero(passed & (asked | np.isin(chosen.pair, pairs)))
    misfits: dict[str, str] = {}
    without_sheet: dict[str, None] = {}
    formats = [format_named(name) for name in recipe.formats]
    for start in range(0, len(at), _LOOKED_AT):
        some = at[start : start + _LOOKED_AT]
        with connection.cursor() as cursor:
            cursor.execute(_MEDIA, {"pairs": np.unique(chosen.pair[some]).tolist()})
            told = {row[0]: row[1:] for row in cursor.fetchall()}
        for place in some.tolist():
            source, external_id, prompt, kind1, has_text1, kind2, has_text2, size, undrawn = told[
                int(chosen.pair[place])
            ]
            case = chosen.cases[chosen.case[place]]
            writing = [one for one in formats if one.takes(case.task_type, case.partition)]
            problem = misfit(
                case.task_type,
                prompt,
                [(kind1, has_text1), (kind2, has_text2)],
                one_medium=any(one.one_medium for one in writing),
                bare=any(one.bare for one in writing),
            )
            if problem:
                misfits.setdefault(f"{source}/{external_id}", problem)
            elif undrawn:
                without_sheet.setdefault(f"{source}/{external_id}")
            chosen.media[place] = size
        tell()
    _refuse(release, misfits, without_sheet)


def _refuse(release: Release, misfits: dict[str, str], without_sheet: dict[str, None]) -> None:
    if misfits:
        shown = "; ".join(
            f"pair {name}: {problem}" for name, problem in list(misfits.items())[:_MISFITS_NAMED]
        )
        raise Refused(
            f"{len(misfits)} pairs cannot be released as what their task type says ({shown}). Import them under"
            " their right task type, leave their source out, or choose formats that have a place for them."
        )
    if without_sheet:
        shown = ", ".join(list(without_sheet)[:_MISFITS_NAMED])
        raise Refused(
            f"{len(without_sheet)} pairs hold meshes without a turntable sheet, which is what meshes are published"
            f" as ({shown}). Make what is missing: manage.py derive_media --project {release.project.slug}. Why a mesh cannot be"
            " drawn stands beside it in admin; a source that holds such can be left out."
        )


def _passed(case: Case, partition: str) -> bool:
    return case.partition == partition and not case.reason


def _make_room(recipe: Recipe, chosen: Chosen, tell: Callable[[], None]) -> None:
    """Note what of the rows that the filters left the mix takes, and with which probability."""
    for one in Partition.values:
        at = np.flatnonzero(chosen.where(partial(_passed, partition=one)))
        mix = recipe.mix(one)
        steps = steps_of(mix)
        if not steps:
            chosen.inclusion[at] = 1
            continue
        rows = Rows(steps, recipe.seed)
        for start in range(0, len(at), _LOOKED_AT):
            some = at[start : start + _LOOKED_AT]
            with connection.cursor() as cursor:
                cursor.execute(_NAMED, {"numbers": chosen.number[some].tolist()})
                named_rows = cursor.fetchall()
            for place, (source, external_id, key) in zip(some.tolist(), named_rows, strict=True):
                task_type = chosen.cases[chosen.case[place]].task_type
                limited = limited_by(steps, source, task_type, bytes(key))
                rows.add(named(source, external_id, bytes(key)), limited)
            tell()
        taken: Taken = take(mix, rows)
        chosen.left_out[at], chosen.inclusion[at] = taken.left_out, taken.inclusion
