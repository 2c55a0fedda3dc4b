"""What a release will consist of: which files hold which rows, what is left out and why, and the agreement.

Made anew whenever a release is begun or resumed. It follows from the frozen rows and the recipe alone, so a
resumed release is cut into the same files.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from annotate.actions.jobs import Refused
from annotate.exports.records import Part, settled_of
from annotate.exports.tasks import misfit
from annotate.models import Partition, Release, TaskType
from annotate.stats.agreement import Agreement, agreement
from annotate.stats.labels import LEFT_OUT, NO_LABEL, USABLE, Label, Origin, final_label, label_of
from annotate.stats.patterns import gathered
from annotate.tallies import TALLY

ROWS_A_FILE = 50_000
MEDIA_A_FILE = 256 * 2**20  # bytes of media embedded in one Parquet file
JUDGMENTS_A_FILE = 100_000
_BATCH = 10_000
_MISFITS_NAMED = 5

_SCAN = f"""
SELECT c.id, c.task_type, c.partition, c.leaks, p.source, p.external_id,
       ARRAY(SELECT a.modality::text FROM annotate_promptasset m JOIN annotate_asset a ON a.id = m.asset_id
             WHERE m.prompt_id = p.prompt_id ORDER BY m.position),
       a1.modality, r1.text <> '', a2.modality, r2.text <> '',
       media.size, media.undrawn, tally.*, c.settled
FROM (SELECT * FROM annotate_frozencomparison
      WHERE release_id = %s AND id > %s ORDER BY id LIMIT %s) c
JOIN annotate_pair p ON p.id = c.pair_id
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
    """Parts are in the order of their files. Counters count comparisons, but `standings`: judgments."""

    bench: list[Part] = field(default_factory=list)
    train: list[Part] = field(default_factory=list)  # validation too
    raw: list[Part] = field(default_factory=list)
    labelled: list[Part] = field(default_factory=list)  # of labels with where they come from
    labels: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # partition, task type, label
    excluded: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # partition, task type, reason
    settled: Counter[tuple[str, str]] = field(default_factory=Counter)  # of those labels, by reviewers
    overruled: Counter[tuple[str, str]] = field(default_factory=Counter)  # and other than people's
    tallies: Counter[tuple[str, str, tuple[int, ...]]] = field(default_factory=Counter)
    standings: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Rows to write: two forms of bench and train each, the labels and the judgments."""
        once = sum(part.rows for part in self.raw + self.labelled)
        return 2 * sum(part.rows for part in self.bench + self.train) + once

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

    def __init__(self, task_type: str, partition: str, rows: int) -> None:
        self.parts: list[Part] = []
        self._of = (task_type, partition)
        self._limit = rows
        self._first = self._last = self._rows = self._media = 0

    def add(self, number: int, rows: int = 1, media: int = 0) -> None:
        if self._rows and (self._rows + rows > self._limit or self._media + media > MEDIA_A_FILE):
            self.close()
        self._first = self._first or number
        self._last, self._rows, self._media = number, self._rows + rows, self._media + media

    def close(self) -> list[Part]:
        if self._rows:
            self.parts.append(Part(*self._of, self._first, self._last, self._rows))
        self._first = self._rows = self._media = 0
        return self.parts


def make_plan(release: Release, tell: Callable[[], None]) -> Plan:
    """Look at every frozen comparison once. `tell` is called every few thousand.

    Raises:
        Refused: labelled pairs cannot be written in the columns of their task type, or hold meshes that are not
            drawn; the message names some.
    """
    plan = Plan()
    min_labels: dict[str, int] = release.recipe["min_labels"]
    kept: dict[tuple[str, str], _Cutter] = {}
    how = settled_of(release)
    raw, labels = _Cutter("", "", JUDGMENTS_A_FILE), _Cutter("", "", ROWS_A_FILE)
    misfits: dict[str, str] = {}
    without_sheet: dict[str, None] = {}
    for row in _scan(release, tell):
        number, task_type, partition, leaks, source, external_id, prompt, *responses = row[:11]
        media, undrawn, judgments = row[11:14]
        tally = row[14:17]
        bench = partition == Partition.RESERVE
        plan.tallies[partition, task_type, tally] += 1
        if judgments:
            raw.add(number, judgments)
        people = label_of(tally, min_labels[partition])
        label, origin = final_label(people, row[17], how)
        if judgments or row[17]:
            labels.add(number)
        reason = _reason(label, leaks=leaks, bench=bench, task_type=task_type)
        if reason:
            plan.excluded[partition, task_type, reason] += 1
            continue
        if problem := misfit(task_type, prompt, [tuple(responses[:2]), tuple(responses[2:])], bench=bench):
            misfits.setdefault(f"{source}/{external_id}", problem)
            continue
        if undrawn:
            without_sheet.setdefault(f"{source}/{external_id}")
            continue
        plan.labels[partition, task_type, label] += 1
        if origin == Origin.SETTLED:
            plan.settled[partition, task_type] += 1
            plan.overruled[partition, task_type] += people.found and people != label
        key = (partition, task_type)
        kept.setdefault(key, _Cutter(task_type, partition, ROWS_A_FILE)).add(number, media=media)
    if misfits:
        named = "; ".join(
            f"pair {name}: {problem}" for name, problem in list(misfits.items())[:_MISFITS_NAMED]
        )
        raise Refused(
            f"{len(misfits)} pairs cannot be released as what their task type says ({named}). Import them under"
            " their right task type, or leave their source out."
        )
    if without_sheet:
        named = ", ".join(list(without_sheet)[:_MISFITS_NAMED])
        raise Refused(
            f"{len(without_sheet)} pairs hold meshes without a turntable sheet, which is what meshes are published"
            f" as ({named}). Make what is missing: manage.py derive_media --project {release.project.slug}. Why a mesh cannot be"
            " drawn stands beside it in admin; a source that holds such can be left out."
        )
    for key in sorted(kept):
        (plan.bench if key[0] == Partition.RESERVE else plan.train).extend(kept[key].close())
    plan.raw, plan.labelled = raw.close(), labels.close()
    plan.standings = _standings(release)
    return plan


def _reason(label: Label | str, *, leaks: bool, bench: bool, task_type: str) -> str:
    """Why a comparison is in no file but the judgments'; empty if it is."""
    if label not in USABLE:
        return label
    if leaks:
        return "leaks"
    if bench and task_type == TaskType.OTHER:
        return "no_config"
    if not bench and label == Label.TIE:
        return "no_side"
    return ""


REASONS = {
    Label.TOO_FEW: "fewer usable verdicts than min_labels",
    Label.NO_CONSENSUS: "the most frequent verdicts are equally frequent",
    LEFT_OUT: "settled by reviewers, and such are left out here",
    NO_LABEL: "reviewers decided that nobody can tell",
    "leaks": "its prompt, prompt group or media also stand in reserve (or, for train, in validation)",
    "no_config": "another mix of media than the nine configs of the benchmark",
    "no_side": "a tie, and a preference row needs a chosen side",
}


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
