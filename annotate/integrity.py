"""Is the stored work what the rules say it must be? Asked in SQL, of the rows alone.

The keys of the tables make most of these impossible; this proves it on a running installation, after a restore,
and at the end of every race in the tests.
"""

from django.db import connection

from annotate.asked import asked_of_many
from annotate.derivatives import ALL_PREPARED
from annotate.tallies import EXCLUDED, FOR_LABELS

# Each statement returns the rows that break the rule named.
RULES = {
    "a comparison has more counted judgments than k": """
        SELECT c.id FROM annotate_comparison c JOIN annotate_seat s ON s.comparison_id = c.id
        WHERE s.head_id IS NOT NULL GROUP BY c.id HAVING count(*) > c.k""",
    "a seat stands beyond its comparison's k": """
        SELECT c.id FROM annotate_comparison c JOIN annotate_seat s ON s.comparison_id = c.id
        WHERE s.n > c.k OR s.k <> c.k""",
    "an annotator has two seats on a comparison": """
        SELECT comparison_id FROM annotate_seat GROUP BY comparison_id, annotator_id HAVING count(*) > 1""",
    "an annotator is counted twice on a comparison": """
        SELECT j.comparison_id FROM annotate_seat s JOIN annotate_judgment j ON j.id = s.head_id
        GROUP BY j.comparison_id, j.annotator_id HAVING count(*) > 1""",
    "a seat counts a judgment that was superseded or taken back": """
        SELECT s.comparison_id FROM annotate_seat s JOIN annotate_judgment j ON j.id = s.head_id
        WHERE j.verdict = 'retracted'
           OR EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id)""",
    "a seat counts a judgment of another comparison or annotator": """
        SELECT s.comparison_id FROM annotate_seat s JOIN annotate_judgment j ON j.id = s.head_id
        WHERE (j.comparison_id, j.annotator_id) IS DISTINCT FROM (s.comparison_id, s.annotator_id)""",
    "a free seat while a judgment waits for one": f"""
        SELECT j.id FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id
        WHERE j.verdict <> 'retracted' AND {FOR_LABELS} AND NOT {EXCLUDED}
          AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id)
          AND NOT EXISTS (SELECT FROM annotate_seat s
                          WHERE s.comparison_id = c.id AND s.annotator_id = j.annotator_id)
          AND (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id) < c.k""",
    "a seat is held by a claim that has ended": """
        SELECT s.comparison_id FROM annotate_seat s JOIN annotate_claim l ON l.id = s.claim_id
        WHERE s.head_id IS NULL AND l.closed_at IS NOT NULL""",
    "a claim that is not for labels holds a seat": """
        SELECT s.comparison_id FROM annotate_seat s JOIN annotate_claim l ON l.id = s.claim_id
        WHERE l.kind <> 'label'""",
    "a seat counts what was not said as a label": f"""
        SELECT s.comparison_id FROM annotate_seat s JOIN annotate_judgment j ON j.id = s.head_id
        WHERE NOT ({FOR_LABELS})""",
    "a seat counts a judgment of an excluded annotator": f"""
        SELECT s.comparison_id FROM annotate_seat s JOIN annotate_judgment j ON j.id = s.head_id
        WHERE {EXCLUDED}""",
    "a repeat of something else, or with the sides as they were": """
        SELECT l.id FROM annotate_claim l JOIN annotate_claim o ON o.id = l.repeat_of_id
        WHERE (l.annotator_id, l.pair_id) IS DISTINCT FROM (o.annotator_id, o.pair_id)
           OR l.flip = o.flip OR o.kind <> 'label' OR NOT l.comparison_ids <@ o.comparison_ids""",
    "a known answer under a criterion that has none": """
        SELECT g.id FROM annotate_gold g JOIN annotate_comparison c ON c.id = g.comparison_id
        JOIN annotate_criterion t ON t.id = c.criterion_id JOIN annotate_pair p ON p.id = c.pair_id
        WHERE (NOT t.objective AND g.kind <> 'attention') OR p.project_id <> g.project_id""",
    "somebody is in who failed the quiz, or in twice by it": """
        SELECT q.id FROM annotate_qualification q
        WHERE q.way = 'quiz' AND (SELECT count(*) FROM annotate_trial t
                                  WHERE t.qualification_id = q.id AND t.result = 'passed') <> 1""",
    "a claim of somebody else's trial, or of another set": """
        SELECT l.id FROM annotate_claim l JOIN annotate_trial t ON t.id = l.trial_id
        JOIN annotate_qualification q ON q.id = t.qualification_id
        WHERE q.annotator_id <> l.annotator_id OR t.part <> l.kind OR l.pair_id <> ALL (t.pair_ids)""",
    "a revision that passes from a label to what is none, or back": """
        SELECT j.id FROM annotate_judgment j JOIN annotate_judgment o ON o.id = j.supersedes_id
        LEFT JOIN annotate_claim l ON l.id = j.claim_id LEFT JOIN annotate_claim m ON m.id = o.claim_id
        WHERE COALESCE(l.kind, 'label') <> COALESCE(m.kind, 'label')""",
    "a comparison with a free seat that no draw offers": f"""
        SELECT c.id FROM annotate_comparison c
        JOIN annotate_pair p ON p.id = c.pair_id AND p.queued AND p.ready
        WHERE {asked_of_many("c")}
          AND (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id) < c.k
          AND NOT EXISTS (SELECT FROM annotate_draw d WHERE d.pair_id = c.pair_id AND d.open)""",
    "an open draw stands in another line than its pair belongs to": """
        SELECT d.id FROM annotate_draw d JOIN annotate_pair p ON p.id = d.pair_id
        WHERE d.open AND d.need_id <> p.need_id""",
    "a pair's need is of another project or task type": """
        SELECT p.id FROM annotate_pair p JOIN annotate_need n ON n.id = p.need_id
        WHERE (n.project_id, n.task_type) IS DISTINCT FROM (p.project_id, p.task_type)""",
    "a criterion is merged into one that was merged": """
        SELECT t.id FROM annotate_criterion t JOIN annotate_criterion r ON r.id = t.canonical_id
        WHERE r.canonical_id IS NOT NULL OR r.project_id <> t.project_id""",
    "a pair was drawn by chance twice": """
        SELECT pair_id FROM annotate_draw WHERE route IN ('uniform', 'policy', 'reserve')
        GROUP BY pair_id HAVING count(*) > 1""",
    "a draw by chance of a kept pair": """
        SELECT d.id FROM annotate_draw d JOIN annotate_pair p ON p.id = d.pair_id
        WHERE d.route IN ('uniform', 'policy') AND p.partition <> 'train'""",
    "a fork: a judgment superseded twice": """
        SELECT supersedes_id FROM annotate_judgment WHERE supersedes_id IS NOT NULL
        GROUP BY 1 HAVING count(*) > 1""",
    "a judgment that supersedes one of another annotator or comparison": """
        SELECT j.id FROM annotate_judgment j JOIN annotate_judgment o ON o.id = j.supersedes_id
        WHERE (j.annotator_id, j.comparison_id) IS DISTINCT FROM (o.annotator_id, o.comparison_id)""",
    "two first judgments of one claim on one comparison": """
        SELECT claim_id FROM annotate_judgment WHERE supersedes_id IS NULL AND claim_id IS NOT NULL
        GROUP BY claim_id, comparison_id HAVING count(*) > 1""",
    "a stream counts other than its pairs": """
        SELECT s.id FROM annotate_stream s
        JOIN LATERAL (SELECT count(*) AS total, count(*) FILTER (WHERE p.queued) AS queued
                      FROM annotate_pair p LEFT JOIN annotate_dataimport i ON i.id = p.data_import_id
                      WHERE p.project_id = s.project_id AND p.partition = s.partition AND p.ready
                        AND (i.id IS NULL OR i.visible)) found ON true
        WHERE (found.total, found.queued) IS DISTINCT FROM (s.total::bigint, s.queued::bigint)""",
    "a pair that no stream counts": """
        SELECT p.id FROM annotate_pair p LEFT JOIN annotate_dataimport i ON i.id = p.data_import_id
        WHERE p.ready AND (i.id IS NULL OR i.visible)
          AND NOT EXISTS (SELECT FROM annotate_stream s
                          WHERE s.project_id = p.project_id AND s.partition = p.partition)""",
    "a pair is asked whose media are not prepared": f"""
        SELECT p.id FROM annotate_pair p JOIN annotate_draw d ON d.pair_id = p.id
        WHERE NOT p.ready OR NOT {ALL_PREPARED}""",
    "a pair waits though its media are prepared": f"""
        SELECT p.id FROM annotate_pair p LEFT JOIN annotate_dataimport i ON i.id = p.data_import_id
        WHERE NOT p.ready AND (i.id IS NULL OR i.visible) AND {ALL_PREPARED}""",
    "a review item tells other verdicts than are counted": """
        SELECT i.comparison_id FROM annotate_reviewitem i
        LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE j.verdict = 'response1') AS r1,
                                  count(*) FILTER (WHERE j.verdict = 'response2') AS r2,
                                  count(*) FILTER (WHERE j.verdict = 'tie') AS tie, count(*) AS n
                           FROM annotate_seat s JOIN annotate_judgment j ON j.id = s.head_id
                           WHERE s.comparison_id = i.comparison_id) v ON true
        WHERE (i.response1, i.response2, i.tie, i.response1 + i.response2 + i.tie + i.other)
              IS DISTINCT FROM (v.r1, v.r2, v.tie, v.n)""",
    "a judged comparison that review does not know": """
        SELECT s.comparison_id FROM annotate_seat s WHERE s.head_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM annotate_reviewitem i WHERE i.comparison_id = s.comparison_id)""",
    "a comparison with several resolutions that hold": """
        SELECT r.comparison_id FROM annotate_resolution r
        WHERE NOT EXISTS (SELECT FROM annotate_resolution n WHERE n.supersedes_id = r.id)
        GROUP BY r.comparison_id HAVING count(*) > 1""",
    "a resolution that supersedes one of another comparison": """
        SELECT r.id FROM annotate_resolution r JOIN annotate_resolution o ON o.id = r.supersedes_id
        WHERE r.comparison_id <> o.comparison_id""",
    "an annotator's count of judged pairs is off": """
        SELECT a.id FROM annotate_annotator a
        WHERE a.judged_pairs <> (SELECT count(*) FROM annotate_claim l
                                 WHERE l.annotator_id = a.id AND l.outcome = 'submitted' AND l.trial_id IS NULL)
            + (SELECT count(DISTINCT c.pair_id) FROM annotate_judgment j
               JOIN annotate_comparison c ON c.id = j.comparison_id
               JOIN annotate_dataimport i ON i.id = j.data_import_id AND i.visible
               WHERE j.annotator_id = a.id AND j.claim_id IS NULL)""",
    "an annotator's count of a day's pairs is off": """
        SELECT a.id FROM annotate_annotator a
        WHERE a.day_pairs <> (SELECT count(*) FROM annotate_claim l
                              WHERE l.annotator_id = a.id AND l.outcome = 'submitted' AND l.trial_id IS NULL
                                AND (l.closed_at AT TIME ZONE 'UTC')::date = a.day)""",
    # No keys of the database say so: see FrozenComparison.
    "a frozen comparison of what is gone": """
        SELECT f.id FROM annotate_frozencomparison f
        WHERE NOT EXISTS (SELECT FROM annotate_release r WHERE r.id = f.release_id)
           OR NOT EXISTS (SELECT FROM annotate_pair p WHERE p.id = f.pair_id)
           OR NOT EXISTS (SELECT FROM annotate_criterion t WHERE t.id = f.criterion_id)""",
    "a frozen judgment of no frozen comparison": """
        SELECT j.id FROM annotate_frozenjudgment j
        WHERE NOT EXISTS (SELECT FROM annotate_frozencomparison f WHERE f.id = j.comparison_id)""",
}


def violations() -> dict[str, list[object]]:
    """Rules that are broken, each with the ids of up to ten rows. Empty when all is well."""
    broken: dict[str, list[object]] = {}
    with connection.cursor() as cursor:
        for rule, statement in RULES.items():
            cursor.execute(f"{statement} LIMIT 10")
            if rows := cursor.fetchall():
                broken[rule] = [row[0] for row in rows]
    return broken
