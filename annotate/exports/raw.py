"""Every judgment, counted or not, under pseudonyms of this release alone and dated by the day."""

import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.db import connection

from annotate.exports.draws import DrawPlaces
from annotate.exports.groups import told_groups
from annotate.exports.parquet import write_parquet
from annotate.exports.records import Part
from annotate.models import Release

SCHEMA = pa.schema(
    [
        ("judgment", pa.string()),
        ("supersedes", pa.string()),
        ("annotator", pa.string()),
        ("source", pa.string()),
        ("pair", pa.string()),
        ("task_type", pa.string()),
        ("partition", pa.string()),
        ("criterion", pa.string()),
        ("criterion_shown", pa.string()),
        ("verdict", pa.string()),
        ("strength", pa.int8()),
        ("tie_kind", pa.string()),
        ("broken", pa.string()),
        ("rationale", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("evidence", pa.string()),
        ("standing", pa.string()),
        ("late", pa.bool_()),
        ("authored", pa.bool_()),
        ("shown_first", pa.string()),
        ("route", pa.string()),
        ("policy", pa.string()),
        ("epoch", pa.int64()),
        ("epoch_place", pa.int64()),
        ("epoch_pool", pa.int64()),
        ("q", pa.float64()),
        ("pool_size", pa.int64()),
        ("seconds", pa.float64()),
        ("date", pa.date32()),
    ]
)
# Only where the recipe tells of groups.
WITH_GROUPS = SCHEMA.append(pa.field("groups", pa.list_(pa.string())))
_BATCH = 5000  # comparisons
_ROWS_A_GROUP = 20_000

_JUDGMENTS = """
SELECT j.id, j.supersedes_id, j.annotator_id, p.source, p.external_id, c.task_type, c.partition, t.text, shown.text,
       j.verdict, j.strength, NULLIF(j.tie_kind, ''), NULLIF(j.broken, ''), NULLIF(j.rationale, ''), j.tags,
       NULLIF(j.evidence, '{}'::jsonb)::text, f.standing, j.late, j.authored,
       CASE l.flip WHEN true THEN 'response2' WHEN false THEN 'response1' END, d.route,
       NULLIF(d.policy, ''), d.epoch, NULL, NULL, d.q, d.pool_size,
       j.seconds, (j.created_at AT TIME ZONE 'UTC')::date, d.id
FROM (SELECT * FROM annotate_frozencomparison
      WHERE release_id = %s AND id BETWEEN %s AND %s ORDER BY id LIMIT %s) c
JOIN annotate_frozenjudgment f ON f.comparison_id = c.id
JOIN annotate_judgment j ON j.id = f.judgment_id
JOIN annotate_pair p ON p.id = c.pair_id
JOIN annotate_criterion t ON t.id = c.criterion_id
JOIN annotate_comparison judged ON judged.id = j.comparison_id
JOIN annotate_criterion shown ON shown.id = judged.criterion_id
LEFT JOIN annotate_claim l ON l.id = j.claim_id
LEFT JOIN annotate_draw d ON d.id = l.draw_id
ORDER BY c.id, f.id
"""


def pseudonymise(key: str, kind: str, name: object) -> str:
    """The name of an annotator or judgment in a release. Without the key it tells nothing of the real one."""
    return hmac.digest(bytes.fromhex(key), f"{kind} {name}".encode(), "sha256").hex()[:16]


def _rows(release: Release, part: Part, tell: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    key, names = release.pseudonym_key, SCHEMA.names
    groups = told_groups(release) if "groups" in release.recipe else None
    annotators: dict[int, str] = {}
    places = DrawPlaces(release.project)
    first = part.first
    while first <= part.last:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT max(id) FROM (SELECT id FROM annotate_frozencomparison"
                " WHERE release_id = %s AND id BETWEEN %s AND %s ORDER BY id LIMIT %s) c",
                [release.pk, first, part.last, _BATCH],
            )
            last = cursor.fetchone()[0] or part.last
            cursor.execute(_JUDGMENTS, [release.pk, first, last, _BATCH])
            rows = cursor.fetchall()
        stood = places.of([row[-1] for row in rows])
        for (judgment, supersedes, annotator, *rest, _), (place, pool) in zip(rows, stood, strict=True):
            if annotator not in annotators:
                annotators[annotator] = pseudonymise(key, "annotator", annotator)
            row = dict(
                zip(
                    names,
                    (
                        pseudonymise(key, "judgment", judgment),
                        supersedes and pseudonymise(key, "judgment", supersedes),
                        annotators[annotator],
                        *rest,
                    ),
                    strict=True,
                )
            )
            row |= {"epoch_place": place, "epoch_pool": pool}
            if groups is not None:
                row["groups"] = groups.get(annotator, [])
            yield row
        tell(len(rows))
        first = last + 1


def write_judgments(path: Path, release: Release, part: Part, tell: Callable[[int], None]) -> None:
    schema = WITH_GROUPS if "groups" in release.recipe else SCHEMA
    write_parquet(path, schema, _rows(release, part, tell), _ROWS_A_GROUP)
