"""Which judgments count, and how many say what, by comparison: the one place that decides it.

The unit is a pair under a canonical criterion. Where criteria were merged their comparisons are one, and an
annotator who judged several of them counts once, by the canonical one if they judged it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from annotate.leaks import KEPT_FROM
from annotate.models import Partition, Project
from annotate.stats.labels import USABLE
from annotate.visible import visible

# Of judgment j: it is meant as a label. What was asked again, has a known answer or was training tells of its annotator alone.
FOR_LABELS = "(SELECT l.kind = 'label' FROM annotate_claim l WHERE l.id = j.claim_id) IS NOT FALSE"

# Of judgment j and the exclusion e of its annotator that holds: it is excluded.
_BY = "(e.since IS NULL OR j.created_at >= e.since)"
# Of judgment j: its annotator is excluded from labels, wholly or from a moment before it on.
EXCLUDED = f"""EXISTS (SELECT FROM annotate_exclusion e
                      WHERE e.annotator_id = j.annotator_id AND e.lifted_at IS NULL AND {_BY})"""

# merged: each criterion of project %(project)s that was merged, and the one it counts as. Its canonical one may itself
# have been merged since: the chain is followed to its end.
_MERGED = """
RECURSIVE chain AS (
    SELECT id, canonical_id AS root, 1 AS length FROM annotate_criterion
    WHERE project_id = %(project)s AND canonical_id IS NOT NULL
    UNION ALL
    SELECT chain.id, c.canonical_id, chain.length + 1
    FROM chain JOIN annotate_criterion c ON c.id = chain.root
    WHERE c.canonical_id IS NOT NULL AND chain.length < 100
), merged AS (
    SELECT DISTINCT ON (id) id, root FROM chain ORDER BY id, length DESC
)
"""

# units: every visible comparison of project %(project)s with its pair and canonical criterion, but those by a criterion
# that a moderator rejected: what is no criterion has no label; and those that nobody is asked about and nobody has judged, as
# models write (actions/writing.py): they are no question to people.
# standings: every visible judgment of these, and how it stands (models.Standing). What was said in training and quiz is none:
# it was said to learn, and no release holds it.
STANDINGS = f"""
{_MERGED}, units AS (
    SELECT c.id AS comparison_id, c.pair_id, COALESCE(m.root, c.criterion_id) AS criterion_id,
           m.root IS NULL AS canonical, p.task_type, p.partition
    FROM annotate_comparison c
    JOIN annotate_pair p ON p.id = c.pair_id
    LEFT JOIN merged m ON m.id = c.criterion_id
    JOIN annotate_criterion r ON r.id = COALESCE(m.root, c.criterion_id) AND r.state <> 'rejected'
    WHERE p.project_id = %(project)s AND {visible("c")} AND {visible("p")}
      AND (r.state NOT IN ('proposed', 'own')
           OR EXISTS (SELECT FROM annotate_judgment o WHERE o.comparison_id = c.id))
      AND (%(sources)s::text[] IS NULL OR p.source = ANY (%(sources)s))
), standings AS (
    SELECT u.pair_id, u.criterion_id, u.task_type, u.partition, j.id AS judgment_id, j.verdict,
           j.annotator_id, j.strength, j.seconds, j.created_at, l.flip,
           CASE WHEN EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id) THEN 'revised'
                WHEN j.verdict = 'retracted' THEN 'retracted'
                WHEN l.kind <> 'label' THEN l.kind
                WHEN e.id IS NOT NULL AND {_BY} THEN 'excluded'
                WHEN s.head_id IS NULL THEN 'waiting'
                WHEN row_number() OVER (PARTITION BY u.pair_id, u.criterion_id, j.annotator_id, s.head_id IS NULL
                                        ORDER BY u.canonical DESC, u.comparison_id) > 1 THEN 'twin'
                ELSE 'counted' END AS standing
    FROM units u
    JOIN annotate_judgment j ON j.comparison_id = u.comparison_id
    LEFT JOIN annotate_claim l ON l.id = j.claim_id
    LEFT JOIN annotate_seat s ON s.head_id = j.id
    LEFT JOIN annotate_exclusion e ON e.annotator_id = j.annotator_id AND e.lifted_at IS NULL
    WHERE {visible("j")} AND (l.kind IN ('training', 'quiz')) IS NOT TRUE
)
"""

# settled: of the units, those that reviewers settled, how, and how many of them decided so. Where criteria were merged the
# canonical comparison's resolution counts, else the newest. Who withdrew counts for one each time they decided.
SETTLED = """
settled AS (
    SELECT DISTINCT ON (u.pair_id, u.criterion_id) u.pair_id, u.criterion_id, r.verdict,
           (SELECT count(DISTINCT same.reviewer_id) + count(*) FILTER (WHERE same.reviewer_id IS NULL)
            FROM annotate_resolution same
            WHERE same.comparison_id = r.comparison_id AND same.verdict = r.verdict
              AND same.id > COALESCE((SELECT max(o.id) FROM annotate_resolution o
                                      WHERE o.comparison_id = r.comparison_id AND o.verdict = 'reopened'), 0)
           )::int AS reviewers
    FROM units u JOIN annotate_resolution r ON r.comparison_id = u.comparison_id
    WHERE r.verdict <> 'reopened'
      AND NOT EXISTS (SELECT FROM annotate_resolution n WHERE n.supersedes_id = r.id)
    ORDER BY u.pair_id, u.criterion_id, u.canonical DESC, r.created_at DESC, r.id DESC
)
"""

# The tally of usable verdicts, in the order of stats.labels.USABLE.
TALLY = """
    count(*) FILTER (WHERE verdict = 'response1'),
    count(*) FILTER (WHERE verdict = 'response2'),
    count(*) FILTER (WHERE verdict = 'tie')
"""


def canonical_criteria(project: Project) -> dict[int, int]:
    """Of each criterion that was merged, the one it counts as."""
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {_MERGED} SELECT id, root FROM merged", {"project": project.pk})
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Unit:
    """A pair under a canonical criterion, and its usable counted verdicts in the order of USABLE.

    Where reviewers settled it, all of them count as what was decided.
    """

    pair_id: int
    criterion_id: int
    group: int  # of its prompt
    counts: tuple[int, int, int]
    newest: tuple[datetime, UUID]  # of its judgments


def judged_units(project: Project, partition: Partition) -> list[Unit]:
    """What of a partition has a usable counted verdict, in one snapshot, in the order of pairs and criteria.

    Without the pairs that share something with a partition before it: no release has them there either. And without
    what nobody can tell, as reviewers decided.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {STANDINGS}, {SETTLED}, {KEPT_FROM}, counted AS (
                SELECT s.* FROM standings s
                WHERE s.standing = 'counted' AND s.partition = %(partition)s
                  AND s.pair_id NOT IN (SELECT id FROM kept_from)
                  AND s.verdict IN ('response1', 'response2', 'tie')
            )
            SELECT t.pair_id, t.criterion_id, p.group, t.r1, t.r2, t.tie, g.verdict, t.newest_at, t.newest_id
            FROM (SELECT pair_id, criterion_id, {TALLY}, max(created_at),
                         (array_agg(judgment_id ORDER BY created_at DESC, judgment_id))[1]
                  FROM counted GROUP BY pair_id, criterion_id)
                 t (pair_id, criterion_id, r1, r2, tie, newest_at, newest_id)
            JOIN annotate_pair p ON p.id = t.pair_id
            LEFT JOIN settled g ON g.pair_id = t.pair_id AND g.criterion_id = t.criterion_id
            WHERE g.verdict IS DISTINCT FROM 'cannot_tell'
            ORDER BY t.pair_id, t.criterion_id
            """,
            {"project": project.pk, "sources": None, "partition": partition},
        )
        return [
            Unit(pair, criterion, group, _as_settled((r1, r2, tie), settled), (at, judgment))
            for pair, criterion, group, r1, r2, tie, settled, at, judgment in cursor.fetchall()
        ]


def _as_settled(counts: tuple[int, int, int], settled: str | None) -> tuple[int, int, int]:
    if settled is None:
        return counts
    first, second, tie = (sum(counts) if settled == label else 0 for label in USABLE)
    return first, second, tie
