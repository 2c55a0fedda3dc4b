"""Every judged comparison with its label and where that comes from; beside it how people's verdicts are distributed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotate.exports.columns import copied
from annotate.exports.parquet import write_tables
from annotate.exports.records import Part, named, settled_of
from annotate.models import Release
from annotate.stats.labels import USABLE, Settled, final_label, label_of
from annotate.tallies import TALLY

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("pair", pa.string()),
        ("task_type", pa.string()),
        ("partition", pa.string()),
        ("criterion", pa.string()),
        ("label", pa.string()),
        ("origin", pa.string()),
        ("writer", pa.string()),
        ("reviewers", pa.int16()),
        ("settled", pa.string()),
        ("label_of_people", pa.string()),
        ("response1", pa.int16()),
        ("response2", pa.int16()),
        ("tie", pa.int16()),
        ("cannot_tell", pa.int16()),
        ("not_applicable", pa.int16()),
        ("media_broken", pa.int16()),
    ]
)
_BATCH = 5000  # comparisons
_ROWS_A_GROUP = 20_000

_READ = {
    "number": pa.int64(),
    **{name: SCHEMA.field(name).type for name in ("source", "pair", "task_type", "partition", "criterion")},
    "key": pa.string(),
    **{name: SCHEMA.field(name).type for name in ("settled", "reviewers")},
    "written": pa.string(),
    "writer": pa.string(),
    "judgments": pa.int64(),
    **{name: SCHEMA.field(name).type for name in SCHEMA.names[12:]},
}

_LABELS = f"""
SELECT c.id, p.source, p.external_id, c.task_type, c.partition, t.text, encode(t.text_key, 'hex'),
       NULLIF(c.settled, ''), c.reviewers, NULLIF(c.written, ''), NULLIF(c.writer, ''), tally.*
FROM (SELECT * FROM annotate_frozencomparison
      WHERE release_id = %(release)s AND id BETWEEN %(first)s AND %(last)s ORDER BY id LIMIT %(batch)s) c
JOIN annotate_pair p ON p.id = c.pair_id
JOIN annotate_criterion t ON t.id = c.criterion_id
CROSS JOIN LATERAL (
    SELECT count(*), {TALLY},
           count(*) FILTER (WHERE verdict = 'cannot_tell'),
           count(*) FILTER (WHERE verdict = 'not_applicable'),
           count(*) FILTER (WHERE verdict = 'media_broken')
    FROM (SELECT CASE WHEN f.standing = 'counted' THEN j.verdict END AS verdict
          FROM annotate_frozenjudgment f JOIN annotate_judgment j ON j.id = f.judgment_id
          WHERE f.comparison_id = c.id) verdicts
) tally
ORDER BY c.id
"""


def _tables(release: Release, part: Part, tell: Callable[[int], None]) -> Iterator[pa.Table]:
    min_labels = release.recipe["min_labels"]
    names = {"release": release.pk, "first": part.first, "last": part.last, "batch": _BATCH}
    decided = _Decided(settled_of(release))
    while True:
        read = copied(_LABELS, names, _READ)
        labelled = pc.or_(pc.is_valid(read["settled"]), pc.is_valid(read["written"]))
        rows = read.filter(pc.or_(pc.greater(read["judgments"], 0), labelled))
        columns = {name: rows[name] for name in rows.column_names}
        columns["id"] = pa.array(
            [
                named(source, pair, bytes.fromhex(key))
                for source, pair, key in zip(
                    *(columns[name].to_pylist() for name in ("source", "pair", "key")), strict=True
                )
            ],
            pa.string(),
        )
        found = [
            decided.of(tuple(tally), settled or "", written or "", min_labels[partition])
            for *tally, settled, written, partition in zip(
                *(columns[name].to_pylist() for name in (*USABLE, "settled", "written", "partition")),
                strict=True,
            )
        ]
        for place, name in enumerate(("label", "origin", "label_of_people")):
            columns[name] = pa.array([one[place] for one in found], pa.string())
        yield pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
        tell(rows.num_rows)
        if read.num_rows < _BATCH:
            return
        names["first"] = read["number"][-1].as_py() + 1


class _Decided:
    """Label, origin and the label of people by tally, what was settled and what a model wrote: few differ among many rows."""

    def __init__(self, how: Settled) -> None:
        self._how = how
        self._known: dict[tuple[Any, ...], tuple[str | None, str, str | None]] = {}

    def of(
        self, tally: tuple[int, ...], settled: str, written: str, min_labels: int
    ) -> tuple[str | None, str, str | None]:
        key = (tally, settled, written, min_labels)
        if key not in self._known:
            people = label_of(tally, min_labels)
            label, origin = final_label(people, settled, self._how, written)
            self._known[key] = (
                str(label) if label in USABLE else None,
                str(origin),
                str(people) if people.found else None,
            )
        return self._known[key]


def write_labels(path: Path, release: Release, part: Part, tell: Callable[[int], None]) -> None:
    """One row for each comparison that somebody judged or settled or whose criterion a model wrote, also for those that are
    in no other file.

    `label` is empty where there is none. `origin` says whether it is people's, was settled by `reviewers` of them, or is that
    of the model that wrote the criterion, `writer`;
    what was settled and what people's verdicts alone come to stand beside it whatever the recipe makes of them, and the
    counts are those of the counted verdicts, untouched.
    """
    write_tables(path, SCHEMA, _tables(release, part, tell), _ROWS_A_GROUP)
