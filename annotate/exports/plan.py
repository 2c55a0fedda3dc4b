"""What a release will consist of: which files hold which rows, what is left out and why, and the agreement.

Made anew whenever a release is begun or resumed. It follows from the frozen rows and the recipe alone, so a
resumed release is cut into the same files.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from annotate.actions.jobs import Refused
from annotate.exports.choice import (
    NO_LIMITS,
    STEPS,
    Candidate,
    Filters,
    Limits,
    Rows,
    limited_by,
    recipe_in,
    steps_of,
)
from annotate.exports.figures import Figures, figures_of
from annotate.exports.formats import format_named
from annotate.exports.recipe import Recipe
from annotate.exports.records import Part, named
from annotate.exports.tasks import misfit
from annotate.models import Partition, Release
from annotate.stats.agreement import Agreement, agreement
from annotate.stats.labels import Origin
from annotate.stats.patterns import gathered
from annotate.tallies import TALLY

ROWS_A_FILE = 50_000
MEDIA_A_FILE = 256 * 2**20  # bytes of media embedded in one Parquet file
JUDGMENTS_A_FILE = 100_000
_BATCH = 10_000
_MISFITS_NAMED = 5

_SCAN = f"""
SELECT c.id, c.task_type, c.partition, c.kept_out, p.source, p.external_id, n.language, t.text_key,
       ARRAY(SELECT a.modality::text FROM annotate_promptasset m JOIN annotate_asset a ON a.id = m.asset_id
             WHERE m.prompt_id = p.prompt_id ORDER BY m.position),
       a1.modality, r1.text <> '', a2.modality, r2.text <> '',
       media.size, media.undrawn, tally.*, c.settled, c.pair_id, c.written
FROM (SELECT * FROM annotate_frozencomparison
      WHERE release_id = %s AND id > %s ORDER BY id LIMIT %s) c
JOIN annotate_pair p ON p.id = c.pair_id
JOIN annotate_need n ON n.id = p.need_id
JOIN annotate_criterion t ON t.id = c.criterion_id
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
CROSS JOIN LATERAL (
    SELECT count(*) AS judgments, {TALLY}
    FROM (SELECT CASE WHEN f.standing = 'counted' THEN j.verdict END AS verdict
          FROM annotate_frozenjudgment f JOIN annotate_judgment j ON j.id = f.judgment_id
          WHERE f.comparison_id = c.id) verdicts
) tally
ORDER BY c.id
"""


@dataclass
class Plan:
    """Parts are in the order of their files. Counters count comparisons, but `standings`: judgments.

    `there`: what the filters left, before the mix took of it what it has room for.
    """

    recipe: Recipe = field(default_factory=Recipe)
    bench: list[Part] = field(default_factory=list)
    train: list[Part] = field(default_factory=list)  # validation too
    raw: list[Part] = field(default_factory=list)
    labelled: list[Part] = field(default_factory=list)  # of labels with where they come from
    labels: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # partition, task type, label
    excluded: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # partition, task type, reason
    there: Counter[tuple[str, str]] = field(default_factory=Counter)  # partition, task type
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)  # of those labels
    settled: Counter[tuple[str, str]] = field(default_factory=Counter)  # of those labels, by reviewers
    overruled: Counter[tuple[str, str]] = field(default_factory=Counter)  # and other than people's
    written: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # of those labels, by models
    tallies: Counter[tuple[str, str, tuple[int, ...]]] = field(default_factory=Counter)
    standings: Counter[str] = field(default_factory=Counter)
    figures: Figures = field(default_factory=Figures)

    def agreements(self, partition: str | None = None) -> dict[str, Agreement]:
        """Agreement by task type, and of "all", over every frozen comparison whether or not it has a label."""
        tasks: dict[str, list[tuple[tuple[int, ...], int]]] = {}
        for (part, task_type, tally), times in sorted(self.tallies.items()):
            if partition in (None, part):
                tasks.setdefault(task_type, []).append((tally, times))
        if tasks:
            tasks["all"] = [entry for entries in tasks.values() for entry in entries]
        return {
            task: agreement(gathered([tally for tally, _ in entries], [times for _, times in entries]))
            for task, entries in tasks.items()
        }


class _Cutter:
    """Cuts one run of rows into parts that are not too large."""

    def __init__(self, task_type: str, partition: str, rows: int, limits: Limits = NO_LIMITS) -> None:
        self.parts: list[Part] = []
        self._of, self._limits = (task_type, partition), limits
        self._limit = rows
        self._first = self._last = self._rows = self._media = 0

    def add(self, number: int, rows: int = 1, media: int = 0) -> None:
        if self._rows and (self._rows + rows > self._limit or self._media + media > MEDIA_A_FILE):
            self.close()
        self._first = self._first or number
        self._last, self._rows, self._media = number, self._rows + rows, self._media + media

    def close(self) -> list[Part]:
        if self._rows:
            self.parts.append(Part(*self._of, self._first, self._last, self._rows, self._limits))
        self._first = self._rows = self._media = 0
        return self.parts


class _Taken:
    """The rows of one part that the filters left, in order, and what of them the mix has room for."""

    def __init__(self, recipe: Recipe, partition: str) -> None:
        self._mix, self._seed = recipe.mix(partition), recipe.seed
        self._steps = steps_of(self._mix)
        self._rows = Rows(self._steps, self._seed)
        self._partition = partition
        self._numbers, self._pairs, self._media, self._kinds = (array("q") for _ in range(4))
        self._names: dict[tuple[str, str, Origin, bool], int] = {}

    def add(
        self,
        number: int,
        pair: int,
        media: int,
        kind: tuple[str, str, Origin, bool],
        name: str,
        limited: dict[str, str],
    ) -> None:
        """A row; `kind`: its task type, its label, where that comes from, and whether reviewers said otherwise than people."""
        self._numbers.append(number)
        self._pairs.append(pair)
        self._media.append(media)
        self._kinds.append(self._names.setdefault(kind, len(self._names)))
        self._rows.add(name, limited)

    def limited(self, source: str, task_type: str, criterion_key: bytes) -> dict[str, str]:
        return limited_by(self._steps, source, task_type, criterion_key)

    def into(self, plan: Plan) -> None:
        """Count the rows and cut those that are taken into parts."""
        limits, left_out = Limits.of(self._mix, self._seed, self._rows)
        kinds, kept = list(self._names), dict[str, _Cutter]()
        last = 0
        rows = zip(self._numbers, self._pairs, self._media, self._kinds, strict=True)
        for at, (number, pair, media, code) in enumerate(rows):
            task_type, label, origin, overruled = kinds[code]
            key = (self._partition, task_type)
            plan.there[key] += 1
            if step := left_out[at]:
                plan.excluded[*key, STEPS[step - 1]] += 1
                continue
            plan.labels[*key, label] += 1
            plan.pairs[key] += pair != last  # rows of a pair stand together
            last = pair
            plan.written[*key, label] += origin == Origin.MODEL
            if origin == Origin.SETTLED:
                plan.settled[key] += 1
                plan.overruled[key] += overruled
            if task_type not in kept:
                kept[task_type] = _Cutter(task_type, self._partition, ROWS_A_FILE, limits)
            kept[task_type].add(number, media=media)
        parts = [part for task_type in sorted(kept) for part in kept[task_type].close()]
        (plan.bench if self._partition == Partition.RESERVE else plan.train).extend(parts)


def make_plan(release: Release, tell: Callable[[], None]) -> Plan:
    """Look at every frozen comparison once. `tell` is called every few thousand.

    Raises:
        Refused: labelled pairs cannot be written in the columns of a format that they are to stand in, or hold meshes
            that are not drawn; the message names some.
    """
    plan = Plan(recipe_in(release))
    filters = Filters(release)
    formats = [format_named(name) for name in plan.recipe.formats]
    taken = {partition: _Taken(plan.recipe, partition) for partition in sorted(Partition.values)}
    raw, labels = _Cutter("", "", JUDGMENTS_A_FILE), _Cutter("", "", ROWS_A_FILE)
    misfits: dict[str, str] = {}
    without_sheet: dict[str, None] = {}
    for row in _scan(release, tell):
        number, task_type, partition, kept_out, source, external_id, language, key, prompt, *responses = row[
            :13
        ]
        media, undrawn, judgments = row[13:16]
        tally, settled = row[16:19], row[19]
        plan.tallies[partition, task_type, tally] += 1
        if judgments:
            raw.add(number, judgments)
        written = row[21]
        if judgments or settled or written:
            labels.add(number)
        candidate = Candidate(task_type, partition, language, bytes(key), kept_out, tally, settled, written)
        decision = filters.decide(candidate)
        if decision.reason:
            plan.excluded[partition, task_type, decision.reason] += 1
            continue
        writing = [one for one in formats if one.takes(task_type, partition)]
        problem = misfit(
            task_type,
            prompt,
            [tuple(responses[:2]), tuple(responses[2:])],
            one_medium=any(one.one_medium for one in writing),
            bare=any(one.bare for one in writing),
        )
        if problem:
            misfits.setdefault(f"{source}/{external_id}", problem)
            continue
        if undrawn:
            without_sheet.setdefault(f"{source}/{external_id}")
            continue
        overruled = (
            decision.origin == Origin.SETTLED and decision.people.found and decision.people != decision.label
        )
        part = taken[partition]
        part.add(
            number,
            row[20],
            media,
            (task_type, str(decision.label), decision.origin, overruled),
            named(source, external_id, bytes(key)),
            part.limited(source, task_type, bytes(key)),
        )
    _refuse(release, misfits, without_sheet)
    for part in taken.values():
        part.into(plan)
    plan.raw, plan.labelled = raw.close(), labels.close()
    plan.standings = _standings(release)
    plan.figures = figures_of(release)
    return plan


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


def _scan(release: Release, tell: Callable[[], None]) -> Iterator[tuple[Any, ...]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_SCAN, [release.pk, after, _BATCH])
            rows = cursor.fetchall()
        yield from rows
        tell()
        if len(rows) < _BATCH:
            return
        after = rows[-1][0]


def _standings(release: Release) -> Counter[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.standing, count(*) FROM annotate_frozencomparison c"
            " JOIN annotate_frozenjudgment f ON f.comparison_id = c.id WHERE c.release_id = %s GROUP BY 1",
            [release.pk],
        )
        return Counter(dict(cursor.fetchall()))
