"""More labels where annotators disagree: what a comparison whose k labels are all there wants then."""

from django.db import connection

from annotate.asked import asked
from annotate.prepared import prepared_cursor
from annotate.stats.labels import k_on_disagreement
from annotate.tallies import TALLY

# The comparisons of the pairs that have all their labels, may be given more, and what was said.
_FULL = f"""
    SELECT c.id, c.pair_id, c.k, o.k_more, o.k_most, said.heads, said.r1, said.r2, said.tie
    FROM annotate_comparison c
    JOIN annotate_pair p ON p.id = c.pair_id
    JOIN annotate_project o ON o.id = p.project_id
    CROSS JOIN LATERAL (
        SELECT count(*), {TALLY} FROM annotate_seat s JOIN annotate_judgment j ON j.id = s.head_id
        WHERE s.comparison_id = c.id) said (heads, r1, r2, tie)
    WHERE c.pair_id = ANY (%(pairs)s) AND {asked("c")} AND o.k_more > 0 AND c.k < o.k_most
      AND (p.partition <> 'reserve' OR o.k_more_reserve) AND said.heads >= c.k
"""


def ask_more(pair_ids: list[int]) -> set[int]:
    """Raise k of what is full and split by the project's rule, and return the pairs of it.

    The pairs are locked. What was raised is full no longer, so that it is raised once until its new labels are there;
    the caller seats who waits, asks again, and opens the pairs.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_FULL, {"pairs": pair_ids})
        full = cursor.fetchall()
    raised: dict[int, int] = {}
    pairs: set[int] = set()
    for comparison, pair, k, more, most, _, *tally in full:
        wanted = k_on_disagreement(tally, k, more, most)
        if wanted > k:
            raised[comparison] = wanted
            pairs.add(pair)
    if raised:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE annotate_comparison c SET k = new.k, extra = c.extra + new.k - c.k
                FROM unnest(%s::bigint[], %s::int[]) AS new (id, k) WHERE c.id = new.id
                """,
                [list(raised), list(raised.values())],
            )
    return pairs
