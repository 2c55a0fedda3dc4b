"""How groups of annotators judged, where a release's recipe tells of them.

Only of groups in which enough annotators have judged what the release holds; the others are not named anywhere. Opposite
winners stand side by side: a row for each comparison and group, and no label made of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.db import connection

from annotate.exports.named import named
from annotate.exports.parquet import write_parquet
from annotate.models import FrozenMember, Release
from annotate.stats.labels import USABLE

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task_type", pa.string()),
        ("partition", pa.string()),
        ("criterion", pa.string()),
        ("kind", pa.string()),
        ("group", pa.string()),
        *((str(label), pa.int32()) for label in USABLE),
    ]
)
_BATCH = 5000  # comparisons

# The counted usable verdicts of each group on each comparison, comparisons in the release's order.
_VOTES = """
SELECT c.id, p.source, p.external_id, t.text_key, c.task_type, c.partition, t.text, m.kind, m.name,
       count(*) FILTER (WHERE j.verdict = 'response1'), count(*) FILTER (WHERE j.verdict = 'response2'),
       count(*) FILTER (WHERE j.verdict = 'tie')
FROM (SELECT * FROM annotate_frozencomparison WHERE release_id = %(release)s AND id > %(after)s
      ORDER BY id LIMIT %(batch)s) c
JOIN annotate_frozenjudgment f ON f.comparison_id = c.id AND f.standing = 'counted'
JOIN annotate_judgment j ON j.id = f.judgment_id AND j.verdict IN ('response1', 'response2', 'tie')
JOIN annotate_frozenmember m ON m.release_id = %(release)s AND m.annotator_id = j.annotator_id
JOIN unnest(%(kinds)s::text[], %(names)s::text[]) told (kind, name) ON told.kind = m.kind AND told.name = m.name
JOIN annotate_pair p ON p.id = c.pair_id
JOIN annotate_criterion t ON t.id = c.criterion_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
ORDER BY c.id, m.kind COLLATE "C", m.name COLLATE "C"
"""


def sizes_told(release: Release) -> list[dict[str, Any]]:
    """The groups that may be told of: kind, group, and how many annotators of the release were in each."""
    smallest: int = release.recipe["groups"]["smallest"]
    members: dict[tuple[str, str], int] = {}
    for kind, name in FrozenMember.objects.filter(release=release).values_list("kind", "name"):
        members[kind, name] = members.get((kind, name), 0) + 1
    return [
        {"kind": kind, "group": name, "annotators": size}
        for (kind, name), size in sorted(members.items())
        if size >= smallest
    ]


def told_groups(release: Release) -> dict[int, list[str]]:
    """The groups of each annotator that may be told, as "kind: group"."""
    told = {(row["kind"], row["group"]) for row in sizes_told(release)}
    found: dict[int, list[str]] = {}
    members = FrozenMember.objects.filter(release=release).values_list("annotator_id", "kind", "name")
    for annotator, kind, name in sorted(members):
        if (kind, name) in told:
            found.setdefault(annotator, []).append(f"{kind}: {name}")
    return found


def write_votes(path: Path, release: Release) -> None:
    write_parquet(path, SCHEMA, _votes(release), 20_000)


def _votes(release: Release) -> Iterator[dict[str, Any]]:
    told = sizes_told(release)
    names = {"kinds": [row["kind"] for row in told], "names": [row["group"] for row in told]}
    after = 0
    while told:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT max(id) FROM (SELECT id FROM annotate_frozencomparison WHERE release_id = %s AND id > %s"
                " ORDER BY id LIMIT %s) c",
                [release.pk, after, _BATCH],
            )
            last = cursor.fetchone()[0]
            if last is None:
                return
            cursor.execute(_VOTES, {"release": release.pk, "after": after, "batch": _BATCH, **names})
            rows = cursor.fetchall()
        for _, source, external_id, key, *rest in rows:
            yield dict(zip(SCHEMA.names, (named(source, external_id, bytes(key)), *rest), strict=True))
        after = last
