"""Labels that no judgment makes: of criteria that models wrote, what these say of them, where nobody has judged.

Frozen like everything else, beside what people said of the criteria that they looked at: a sample of all of them.
"""

from collections import Counter
from typing import Any

from django.db import connection

from annotate.models import CriterionState, Release
from annotate.visible import visible

# After tallies.STANDINGS and SETTLED. written: pairs under a canonical criterion with the side that wins as the model that wrote
# it says, and which one; not where people have judged or settled it, not where two models' labels differ under merged criteria.
WRITTEN = f"""
written AS (
    SELECT c.pair_id, r.id AS criterion_id, p.task_type, min(o.label) AS label,
           left(string_agg(DISTINCT n.writer, ', ' ORDER BY n.writer), 200) AS writer
    FROM annotate_criteriarun n
    JOIN annotate_proposal o ON o.run_id = n.id
    JOIN annotate_comparison c ON c.id = o.comparison_id
    JOIN annotate_pair p ON p.id = c.pair_id
    LEFT JOIN merged m ON m.id = c.criterion_id
    JOIN annotate_criterion r ON r.id = COALESCE(m.root, c.criterion_id) AND r.state <> 'rejected'
    WHERE n.project_id = %(project)s AND o.state = 'accepted' AND {visible("p")}
      AND (%(sources)s::text[] IS NULL OR p.source = ANY (%(sources)s))
      AND NOT EXISTS (SELECT FROM standings s
                      WHERE s.standing = 'counted' AND s.pair_id = c.pair_id AND s.criterion_id = r.id)
      AND NOT EXISTS (SELECT FROM settled d WHERE d.pair_id = c.pair_id AND d.criterion_id = r.id)
    GROUP BY 1, 2, 3 HAVING min(o.label) = max(o.label)
)
"""

_SHOWN = """
SELECT r.state, count(DISTINCT r.id)
FROM annotate_criteriarun n JOIN annotate_proposal o ON o.run_id = n.id AND o.sampled
JOIN annotate_criterion r ON r.id = o.criterion_id
WHERE n.project_id = %s GROUP BY 1
"""


def written_in(release: Release) -> dict[str, Any] | None:
    """What is kept of it with the release that was just frozen; None: no model wrote anything in it.

    `writers`: labels by the model that wrote their criterion. `looked_at`: of the project's criteria that models wrote and
    people were to look at, how many they accepted, rejected, and have not looked at yet.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT writer, count(*) FROM annotate_frozencomparison WHERE release_id = %s AND written <> ''"
            ' GROUP BY 1 ORDER BY writer COLLATE "C"',
            [release.pk],
        )
        writers = dict(cursor.fetchall())
        cursor.execute(_SHOWN, [release.project_id])
        states = Counter[str](dict(cursor.fetchall()))
    if not writers:
        return None
    rejected, waiting = states.pop(CriterionState.REJECTED, 0), states.pop(CriterionState.PROPOSED, 0)
    looked_at = {"accepted": states.total(), "rejected": rejected, "waiting": waiting}
    return {"writers": writers, "looked_at": looked_at}
