"""How often a revision was right about labels that came after it had scored their comparisons, by the draws that led there."""

import numpy as np
from django.db import connection

from annotate.models import Revision, RevisionState
from annotate.stats.lure import Drawn

_DRAWN = """
    SELECT d.epoch, row_number() OVER (PARTITION BY d.epoch ORDER BY d.pos),
           max(d.pool_size) OVER (PARTITION BY d.epoch), d.pool_size, d.q, d.route = 'uniform',
           COALESCE(label.hits, 0), COALESCE(label.n, 0)
    FROM annotate_draw d
    CROSS JOIN LATERAL (
        SELECT sum((sign(s.margin) * sign(i.response1 - i.response2) + 1) / 2) AS hits, count(*) AS n
        FROM annotate_comparison c
        JOIN annotate_score s ON s.comparison_id = c.id AND s.revision_id = %(revision)s
        JOIN annotate_reviewitem i ON i.comparison_id = c.id AND i.response1 <> i.response2
        WHERE c.pair_id = d.pair_id
    ) label
    WHERE d.project_id = %(project)s AND d.q IS NOT NULL AND d.created_at > %(since)s
    ORDER BY d.id
"""


def tested_on_draws(revision: Revision) -> tuple[Drawn, np.ndarray]:
    """The draws by chance since it had scored the pool, hits and counts of decided labels, and which were uniform."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DRAWN, {"project": revision.project_id, "revision": revision.pk, "since": revision.scored_at}
        )
        rows = np.array([[float(cell) for cell in row] for row in cursor.fetchall()]).reshape(-1, 8)
    # What nobody was asked yet at the end of the queue is no draw yet: what is served is a prefix.
    judged = np.flatnonzero(rows[:, 7])
    rows = rows[: judged[-1] + 1] if len(judged) else rows[:0]
    epoch, place, pool, left = rows[:, :4].astype(np.int64).T
    return Drawn(epoch, place, pool, left, rows[:, 4], rows[:, 6], rows[:, 7]), rows[:, 5] > 0


def oldest_scored(project_id: int) -> Revision | None:
    """Of the revisions whose scores are kept the one after which most was drawn."""
    scored = Revision.objects.filter(project=project_id, state=RevisionState.READY, scored_at__isnull=False)
    return scored.order_by("number").first()
