"""Which judgments count, and how many say what, by comparison: the one place that decides it.

The unit is a pair under a canonical criterion. Where criteria were merged their comparisons are one, and an
annotator who judged several of them counts once, by the canonical one if they judged it.
"""

from dataclasses import dataclass

from django.db import connection

from annotate.models import Project

_SEEN = """({0}.data_import_id IS NULL
     OR EXISTS (SELECT FROM annotate_dataimport i WHERE i.id = {0}.data_import_id AND i.visible))"""

# units: every visible comparison of project %(project)s with its pair and canonical criterion.
# standings: every visible judgment of these, and how it stands (models.Standing).
# A criterion's canonical one may itself have been merged since: `merged` follows the chain to its end.
STANDINGS = f"""
RECURSIVE chain AS (
    SELECT id, canonical_id AS root, 1 AS length FROM annotate_criterion
    WHERE project_id = %(project)s AND canonical_id IS NOT NULL
    UNION ALL
    SELECT chain.id, c.canonical_id, chain.length + 1
    FROM chain JOIN annotate_criterion c ON c.id = chain.root
    WHERE c.canonical_id IS NOT NULL AND chain.length < 100
), merged AS (
    SELECT DISTINCT ON (id) id, root FROM chain ORDER BY id, length DESC
), units AS (
    SELECT c.id AS comparison_id, c.pair_id, COALESCE(m.root, c.criterion_id) AS criterion_id,
           m.root IS NULL AS canonical, p.task_type, p.partition
    FROM annotate_comparison c
    JOIN annotate_pair p ON p.id = c.pair_id
    LEFT JOIN merged m ON m.id = c.criterion_id
    WHERE p.project_id = %(project)s AND {_SEEN.format("c")} AND {_SEEN.format("p")}
      AND (%(sources)s::text[] IS NULL OR p.source = ANY (%(sources)s))
), standings AS (
    SELECT u.pair_id, u.criterion_id, u.task_type, u.partition, j.id AS judgment_id, j.verdict,
           CASE WHEN EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id) THEN 'revised'
                WHEN j.verdict = 'retracted' THEN 'retracted'
                WHEN l.repeat_of_id IS NOT NULL THEN 'repeat'
                WHEN s.head_id IS NULL THEN 'waiting'
                WHEN row_number() OVER (PARTITION BY u.pair_id, u.criterion_id, j.annotator_id, s.head_id IS NULL
                                        ORDER BY u.canonical DESC, u.comparison_id) > 1 THEN 'twin'
                ELSE 'counted' END AS standing
    FROM units u
    JOIN annotate_judgment j ON j.comparison_id = u.comparison_id
    LEFT JOIN annotate_claim l ON l.id = j.claim_id
    LEFT JOIN annotate_seat s ON s.head_id = j.id
    WHERE {_SEEN.format("j")}
)
"""

# The tally of usable verdicts, in the order of stats.labels.USABLE.
TALLY = """
    count(*) FILTER (WHERE verdict = 'response1'),
    count(*) FILTER (WHERE verdict = 'response2'),
    count(*) FILTER (WHERE verdict = 'tie')
"""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many comparisons of a task type and criterion have these counts, in the order of USABLE."""

    task_type: str
    criterion_id: int
    counts: tuple[int, int, int]
    times: int


def tallies(project: Project) -> list[Tally]:
    """The project's counted judgments as they stand now, in one snapshot; as many rows as there are patterns."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {STANDINGS}, tally (task_type, criterion_id, r1, r2, tie) AS (
                SELECT task_type, criterion_id, {TALLY} FROM standings
                WHERE standing = 'counted' GROUP BY pair_id, criterion_id, task_type
            )
            SELECT task_type, criterion_id, r1, r2, tie, count(*) FROM tally
            GROUP BY task_type, criterion_id, r1, r2, tie ORDER BY task_type, criterion_id, r1, r2, tie
            """,
            {"project": project.pk, "sources": None},
        )
        return [
            Tally(task, criterion, (r1, r2, tie), n) for task, criterion, r1, r2, tie, n in cursor.fetchall()
        ]
