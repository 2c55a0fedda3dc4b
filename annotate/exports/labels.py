"""Every judged comparison with its label and where that comes from; beside it how people's verdicts are distributed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.db import connection

from annotate.exports.parquet import write_parquet
from annotate.exports.records import Part, named, settled_of
from annotate.models import Release
from annotate.stats.labels import USABLE, final_label, label_of
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

_LABELS = f"""
SELECT c.id, p.source, p.external_id, c.task_type, c.partition, t.text, t.text_key, c.settled, c.reviewers, tally.*
FROM (SELECT * FROM annotate_frozencomparison
      WHERE release_id = %s AND id BETWEEN %s AND %s ORDER BY id LIMIT %s) c
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


def _rows(release: Release, part: Part, tell: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    how, min_labels = settled_of(release), release.recipe["min_labels"]
    first = part.first
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_LABELS, [release.pk, first, part.last, _BATCH])
            rows = cursor.fetchall()
        written = 0
        for _, source, external_id, task_type, partition, criterion, key, settled, reviewers, *counts in rows:
            judgments, tally, others = counts[0], counts[1:4], counts[4:]
            if not (judgments or settled):
                continue
            people = label_of(tally, min_labels[partition])
            label, origin = final_label(people, settled, how)
            written += 1
            cells = (
                named(source, external_id, bytes(key)),
                source,
                external_id,
                task_type,
                partition,
                criterion,
                str(label) if label in USABLE else None,
                str(origin),
                reviewers,
                settled or None,
                str(people) if people.found else None,
                *tally,
                *others,
            )
            yield dict(zip(SCHEMA.names, cells, strict=True))
        tell(written)
        if len(rows) < _BATCH:
            return
        first = rows[-1][0] + 1


def write_labels(path: Path, release: Release, part: Part, tell: Callable[[int], None]) -> None:
    """One row for each comparison that somebody judged or settled, also for those that are in no other file.

    `label` is empty where there is none. `origin` says whether it is people's or was settled, by `reviewers` of them;
    what was settled and what people's verdicts alone come to stand beside it whatever the recipe makes of them, and the
    counts are those of the counted verdicts, untouched.
    """
    write_parquet(path, SCHEMA, _rows(release, part, tell), _ROWS_A_GROUP)
