"""Freezing: one statement notes which comparisons and judgments a release consists of, and how they stood.

Everything after it reads these rows and content that never changes, so the files can be written at leisure,
again, or by another process, and come out the same.
"""

from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from annotate.exports.against import compare, files_of
from annotate.exports.sides import TABLE, criteria_held_out, decide
from annotate.exports.written import WRITTEN, written_in
from annotate.models import KeptOut, Release
from annotate.tallies import SETTLED, STANDINGS

_FREEZE = f"""
WITH {STANDINGS}, {SETTLED}, {WRITTEN}, comparisons AS (
    INSERT INTO annotate_frozencomparison (release_id, pair_id, criterion_id, task_type, partition, kept_out, settled,
                                           reviewers, written, writer)
    SELECT %(release)s, pair_id, criterion_id, task_type, partition, kept_out, settled, reviewers, written, writer
    FROM (SELECT u.pair_id, u.criterion_id, u.task_type, side.partition,
                 CASE WHEN side.kept_out = '' AND side.partition <> 'reserve' AND u.criterion_id = ANY (%(held_out)s)
                      THEN '{KeptOut.HELD_OUT.value}' ELSE side.kept_out END AS kept_out,
                 COALESCE(d.verdict, '') AS settled, COALESCE(d.reviewers, 0) AS reviewers,
                 COALESCE(w.label, '') AS written, COALESCE(w.writer, '') AS writer
          FROM (SELECT pair_id, criterion_id, task_type FROM units
                UNION SELECT pair_id, criterion_id, task_type FROM written) u
          JOIN {TABLE} side USING (pair_id)
          LEFT JOIN settled d USING (pair_id, criterion_id)
          LEFT JOIN written w USING (pair_id, criterion_id)) rows
    ORDER BY pair_id, criterion_id
    RETURNING id, pair_id, criterion_id
)
INSERT INTO annotate_frozenjudgment (comparison_id, judgment_id, standing)
SELECT c.id, s.judgment_id, s.standing
FROM comparisons c JOIN standings s USING (pair_id, criterion_id)
ORDER BY c.id, s.judgment_id
"""

_FREEZE_MEMBERS = """
INSERT INTO annotate_frozenmember (release_id, annotator_id, kind, name)
SELECT %(release)s, m.annotator_id, g.kind, g.name
FROM annotate_groupmember m JOIN annotate_annotatorgroup g ON g.id = m.group_id
WHERE g.project_id = %(project)s
  AND EXISTS (SELECT FROM annotate_frozencomparison c JOIN annotate_frozenjudgment f ON f.comparison_id = c.id
              JOIN annotate_judgment j ON j.id = f.judgment_id
              WHERE c.release_id = %(release)s AND j.annotator_id = m.annotator_id)
ORDER BY g.kind, g.name, m.annotator_id
"""


def freeze(release: Release, tell: Callable[..., None] = lambda **_: None) -> None:
    """Write the release's frozen rows, unless it has them. Being one statement it sees one moment of the data.

    Which side a pair stands on is decided right before; pairs that came in between are left to the next release.
    """
    if not Release.objects.filter(pk=release.pk, frozen_at=None).exists():
        return
    against = release.recipe.get("against")
    if not against:
        decide(release, set(), tell)
        _write(release, None)
        return
    with files_of(release) as paths:
        contamination, elsewhere = compare(release, paths, tell)
        decide(release, elsewhere if against["drop"] else set(), tell)
        _write(release, contamination)


@transaction.atomic
def _write(release: Release, contamination: dict[str, Any] | None) -> None:
    release = Release.objects.select_for_update().get(pk=release.pk)
    if release.frozen_at:
        return
    with connection.cursor() as cursor:
        # Right after a large import the planner still believes the project to be empty. Nested loops over what
        # it then takes for a row or two would never end; whole projects are for hash joins anyway.
        cursor.execute("SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'")
        cursor.execute(
            _FREEZE,
            {
                "project": release.project_id,
                "release": release.pk,
                "sources": release.recipe["sources"],
                "held_out": criteria_held_out(release),
            },
        )
        cursor.execute(f"DROP TABLE {TABLE}")
        if "groups" in release.recipe:
            cursor.execute(_FREEZE_MEMBERS, {"project": release.project_id, "release": release.pk})
        cursor.execute("SET LOCAL enable_nestloop = on")
        # The planner knows nothing yet of what has just been written, and would scan it whole for every batch.
        cursor.execute("ANALYZE annotate_frozencomparison; ANALYZE annotate_frozenjudgment")
    Release.objects.filter(pk=release.pk).update(
        frozen_at=timezone.now(), contamination=contamination, written=written_in(release)
    )
