"""Every judgment, counted or not, under pseudonyms of this release alone and dated by the day."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from django.db import connection

from annotate.exports.columns import copied
from annotate.exports.draws import DrawPlaces
from annotate.exports.groups import told_groups
from annotate.exports.parquet import write_tables
from annotate.exports.pseudonyms import Pseudonyms
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

# As the query gives them: what is made of ids here stands first, of draws last.
_READ = {
    "judgment": pa.string(),
    "supersedes": pa.string(),
    "annotator": pa.int64(),
    **{
        name: SCHEMA.field(name).type
        for name in SCHEMA.names[3:]
        if name not in ("tags", "epoch_place", "epoch_pool")
    },
    "tags": pa.string(),
    "draw": pa.int64(),
}

_JUDGMENTS = """
SELECT j.id, j.supersedes_id, j.annotator_id, p.source, p.external_id, c.task_type, c.partition, t.text, shown.text,
       j.verdict, j.strength, NULLIF(j.tie_kind, ''), NULLIF(j.broken, ''), NULLIF(j.rationale, ''),
       NULLIF(j.evidence, '{}'::jsonb)::text, f.standing, j.late, j.authored,
       CASE l.flip WHEN true THEN 'response2' WHEN false THEN 'response1' END, d.route,
       NULLIF(d.policy, ''), d.epoch, d.q, d.pool_size,
       j.seconds, (j.created_at AT TIME ZONE 'UTC')::date,
       CASE WHEN cardinality(j.tags) > 0 THEN to_json(j.tags)::text END, COALESCE(d.id, 0)
FROM (SELECT * FROM annotate_frozencomparison
      WHERE release_id = %(release)s AND id BETWEEN %(first)s AND %(last)s ORDER BY id) c
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


def _tables(release: Release, part: Part, tell: Callable[[int], None]) -> Iterator[pa.Table]:
    pseudonym = Pseudonyms(release.pseudonym_key)
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
        read = copied(_JUDGMENTS, {"release": release.pk, "first": first, "last": last}, _READ)
        columns = {name: read[name] for name in read.column_names}
        people = columns["annotator"].to_pylist()
        for annotator in set(people) - annotators.keys():
            annotators[annotator] = pseudonym.of("annotator", annotator)
        columns["annotator"] = pa.array([annotators[one] for one in people], pa.string())
        for name in ("judgment", "supersedes"):
            columns[name] = pa.array(
                [one and pseudonym.of("judgment", one) for one in columns[name].to_pylist()], pa.string()
            )
        tags = columns["tags"].to_pylist()
        columns["tags"] = pa.array([json.loads(one) if one else [] for one in tags], pa.list_(pa.string()))
        columns["epoch_place"], columns["epoch_pool"] = places.of(columns["draw"].to_numpy())
        schema = SCHEMA
        if groups is not None:
            columns["groups"] = pa.array([groups.get(one, []) for one in people], pa.list_(pa.string()))
            schema = WITH_GROUPS
        yield pa.table([columns[name] for name in schema.names], schema=schema)
        tell(read.num_rows)
        first = last + 1


def write_judgments(path: Path, release: Release, part: Part, tell: Callable[[int], None]) -> None:
    schema = WITH_GROUPS if "groups" in release.recipe else SCHEMA
    write_tables(path, schema, _tables(release, part, tell), _ROWS_A_GROUP)
