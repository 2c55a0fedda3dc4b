"""A review item goes by the score of the current revision, or of the last one before it that has one; not by the newest
revision's, which nobody may have promoted.
"""

from django.db import migrations

# Of annotate/migrations/0021_review.py, with which revision's score counts left open.
ITEMS = """
-- Always by indexes: plans are kept, also those made while the tables were empty.
CREATE OR REPLACE FUNCTION evenhand_review(ids bigint[]) RETURNS void LANGUAGE plpgsql
SET enable_nestloop = on SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO annotate_reviewitem AS i (comparison_id, project_id, criterion_id, task_type, response1, response2,
                                          tie, other, people, model, strength, state)
    SELECT t.id, t.project_id, t.criterion_id, t.task_type, t.r1, t.r2, t.tie, t.other,
           f.people, f.model, greatest(f.people, f.model), t.state
    FROM (
        SELECT c.id, c.criterion_id, p.project_id, p.task_type, v.*, o.margin, o.variance,
               j.review_majority, j.review_against,
               v.r1 + v.r2 + v.tie AS usable, greatest(v.r1, v.r2, v.tie) AS most,
               v.r1 + v.r2 + v.tie + v.other >= c.k AS is_full,
               CASE WHEN EXISTS (SELECT FROM annotate_resolution r WHERE r.comparison_id = c.id
                                   AND r.verdict <> 'reopened'
                                   AND NOT EXISTS (SELECT FROM annotate_resolution n WHERE n.supersedes_id = r.id))
                    THEN 'settled'
                    WHEN EXISTS (SELECT FROM annotate_comment q
                                 JOIN annotate_seat s ON s.comparison_id = c.id AND s.head_id = q.revise_id
                                 WHERE q.comparison_id = c.id
                                   AND NOT EXISTS (SELECT FROM annotate_comment t WHERE t.retracts_id = q.id)
                                   AND NOT EXISTS (SELECT FROM annotate_comment a
                                                   WHERE a.comparison_id = c.id AND a.id > q.id
                                                     AND a.retracts_id IS NULL AND a.author_id = q.annotator_id
                                                     AND a.annotator_id = q.annotator_id))
                    THEN 'sent_back' ELSE 'open' END AS state
        FROM annotate_comparison c
        JOIN annotate_pair p ON p.id = c.pair_id
        JOIN annotate_project j ON j.id = p.project_id
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE g.verdict = 'response1') AS r1,
                   count(*) FILTER (WHERE g.verdict = 'response2') AS r2,
                   count(*) FILTER (WHERE g.verdict = 'tie') AS tie,
                   count(*) FILTER (WHERE g.verdict NOT IN ('response1', 'response2', 'tie')) AS other
            FROM annotate_seat s JOIN annotate_judgment g ON g.id = s.head_id
            WHERE s.comparison_id = c.id) v
        LEFT JOIN LATERAL (
            SELECT o.margin, o.variance FROM annotate_score o
            __JOIN__
            WHERE o.comparison_id = c.id ORDER BY __ORDER__ LIMIT 1) o ON true
        WHERE c.id = ANY (ids)
    ) t
    CROSS JOIN LATERAL (
        -- What the margin says against the majority: the mean of the logistic under its posterior, by MacKay's formula.
        SELECT CASE WHEN t.margin IS NULL THEN NULL
                    WHEN t.r1 > t.r2 AND t.r1 > t.tie THEN -1
                    WHEN t.r2 > t.r1 AND t.r2 > t.tie THEN 1 END
               * greatest(least(t.margin / sqrt(1 + pi() * t.variance / 8), 50), -50) AS against
    ) m
    CROSS JOIN LATERAL (
        SELECT CASE WHEN t.is_full AND t.usable > 1
                     AND (t.r1 > 0 AND t.r2 > 0 OR t.most < t.review_majority * t.usable)
                    THEN round((2 * t.r1 * t.r2 + (t.r1 + t.r2) * t.tie)::numeric / (t.usable * (t.usable - 1)), 6)
                    ELSE 0 END::float8 AS people,
               CASE WHEN t.is_full AND 1 / (1 + exp(-m.against)) >= t.review_against
                    THEN round((1 / (1 + exp(-m.against)))::numeric, 6) ELSE 0 END::float8 AS model
    ) f
    WHERE t.usable + t.other > 0 OR EXISTS (SELECT FROM annotate_reviewitem e WHERE e.comparison_id = t.id)
    ORDER BY t.id
    ON CONFLICT (comparison_id) DO UPDATE
    SET response1 = EXCLUDED.response1, response2 = EXCLUDED.response2, tie = EXCLUDED.tie, other = EXCLUDED.other,
        people = EXCLUDED.people, model = EXCLUDED.model, strength = EXCLUDED.strength, state = EXCLUDED.state;
    -- Of what nobody has judged any more nothing is kept, unless something was said or settled.
    DELETE FROM annotate_reviewitem i
    WHERE i.comparison_id = ANY (ids) AND i.response1 + i.response2 + i.tie + i.other = 0
      AND NOT EXISTS (SELECT FROM annotate_resolution r WHERE r.comparison_id = i.comparison_id)
      AND NOT EXISTS (SELECT FROM annotate_comment m WHERE m.comparison_id = i.comparison_id);
END $$;
"""
USED = "JOIN annotate_revision r ON r.id = o.revision_id AND r.state = 'ready' AND r.scored_at IS NOT NULL"


def items(used, order):
    return ITEMS.replace("__JOIN__", used).replace("__ORDER__", order)


class Migration(migrations.Migration):
    dependencies = [("annotate", "0034_datasets")]

    operations = [
        migrations.RunSQL(
            items(f"{USED} AND r.promoted_at IS NOT NULL", "r.promoted_at DESC, r.number DESC")
            + "SELECT count(evenhand_review(ids)) FROM ("
            " SELECT array_agg(comparison_id ORDER BY comparison_id) AS ids FROM annotate_reviewitem GROUP BY comparison_id / 500) t",
            items(USED, "r.number DESC"),
        )
    ]
