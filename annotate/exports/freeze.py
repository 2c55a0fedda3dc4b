"""Freezing: one statement notes which comparisons and judgments a release consists of, and how they stood.

Everything after it reads these rows and content that never changes, so the files can be written at leisure,
again, or by another process, and come out the same.
"""

from django.db import connection, transaction
from django.utils import timezone

from annotate.models import Release
from annotate.tallies import STANDINGS

# kept_from: pairs whose prompt, prompt group or media also stand in a partition that goes before theirs
# (reserve, then validation, then train). They leave the later side; nothing ever leaves reserve. The whole
# project is looked at, also where a release takes some sources only.
_FREEZE = f"""
WITH {STANDINGS}, ranked AS (
    SELECT p.id, p."group", p.prompt_id, p.response1_id, p.response2_id,
           array_position(ARRAY['reserve', 'validation', 'train'], p.partition::text) AS rank
    FROM annotate_pair p
    WHERE p.project_id = %(project)s
      AND (p.data_import_id IS NULL
           OR EXISTS (SELECT FROM annotate_dataimport i WHERE i.id = p.data_import_id AND i.visible))
), parts AS (
    SELECT id, rank, 'group' AS kind, "group" AS part FROM ranked
    UNION ALL SELECT id, rank, 'prompt', prompt_id FROM ranked
    UNION ALL SELECT r.id, r.rank, 'asset', a.asset_id
              FROM ranked r JOIN annotate_promptasset a ON a.prompt_id = r.prompt_id
    UNION ALL SELECT r.id, r.rank, 'asset', a.asset_id
              FROM ranked r JOIN annotate_response a ON a.id = r.response1_id WHERE a.asset_id IS NOT NULL
    UNION ALL SELECT r.id, r.rank, 'asset', a.asset_id
              FROM ranked r JOIN annotate_response a ON a.id = r.response2_id WHERE a.asset_id IS NOT NULL
), kept_from AS (
    SELECT DISTINCT parts.id FROM parts
    JOIN (SELECT kind, part, min(rank) AS first FROM parts GROUP BY kind, part) seen USING (kind, part)
    WHERE seen.first < parts.rank
), comparisons AS (
    INSERT INTO annotate_frozencomparison (release_id, pair_id, criterion_id, task_type, partition, leaks)
    SELECT %(release)s, u.pair_id, u.criterion_id, u.task_type, u.partition,
           u.pair_id IN (SELECT id FROM kept_from)
    FROM (SELECT DISTINCT pair_id, criterion_id, task_type, partition FROM units) u
    ORDER BY u.pair_id, u.criterion_id
    RETURNING id, pair_id, criterion_id
)
INSERT INTO annotate_frozenjudgment (comparison_id, judgment_id, standing)
SELECT c.id, s.judgment_id, s.standing
FROM comparisons c JOIN standings s USING (pair_id, criterion_id)
ORDER BY c.id, s.judgment_id
"""


@transaction.atomic
def freeze(release: Release) -> None:
    """Write the release's frozen rows, unless it has them. Being one statement it sees one moment of the data."""
    release = Release.objects.select_for_update().get(pk=release.pk)
    if release.frozen_at:
        return
    with connection.cursor() as cursor:
        # Right after a large import the planner still believes the project to be empty. Nested loops over what
        # it then takes for a row or two would never end; whole projects are for hash joins anyway.
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(
            _FREEZE,
            {
                "project": release.project_id,
                "release": release.pk,
                "sources": release.recipe["sources"],
            },
        )
        cursor.execute("SET LOCAL enable_nestloop = on")
        # The planner knows nothing yet of what has just been written, and would scan it whole for every batch.
        cursor.execute("ANALYZE annotate_frozencomparison; ANALYZE annotate_frozenjudgment")
    Release.objects.filter(pk=release.pk).update(frozen_at=timezone.now())
