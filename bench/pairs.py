"""A project of generated text pairs, written by SQL: what a benchmark needs before it begins to measure."""

from typing import Any

# %(n)s pairs with texts of 600 characters under one criterion, three labels wanted. `kept`: half of them are
# reserve and none waits to be drawn; else all are train and undrawn.
PAIRS = """
INSERT INTO annotate_criterion (project_id, text, text_key, created_at)
VALUES (%(project)s, 'Which answer follows the instruction more closely?', '\\x00', now());
INSERT INTO annotate_prompt (project_id, digest, turns)
SELECT %(project)s, sha256(i::text::bytea),
       jsonb_build_array(jsonb_build_object('role', 'user', 'text', 'Question ' || i || repeat(md5(i::text), 6)))
FROM generate_series(1, %(n)s) i;
INSERT INTO annotate_response (project_id, text, model_name, metadata)
SELECT %(project)s, repeat(md5(i::text), 18), 'model-' || i %% 7, '{}' FROM generate_series(1, 2 * %(n)s) i;
WITH r AS MATERIALIZED (SELECT min(id) AS first FROM annotate_response WHERE project_id = %(project)s)
INSERT INTO annotate_pair (project_id, source, external_id, digest, task_type, prompt_id, response1_id, response2_id,
                           sensitive, metadata, "group", partition, shuffle, queued, created_at)
SELECT %(project)s, 'bench', i, '\\x00', 'text_to_text', p.id, r.first + 2 * (i - 1), r.first + 2 * i - 1,
       false, '{}', i, CASE WHEN %(kept)s AND i %% 2 = 1 THEN 'reserve' ELSE 'train' END, hashint8(i), %(kept)s, now()
FROM (SELECT id, row_number() OVER (ORDER BY id) AS i FROM annotate_prompt WHERE project_id = %(project)s) p, r;
INSERT INTO annotate_comparison (pair_id, criterion_id, k, created_at)
SELECT p.id, c.id, 3, now() FROM annotate_pair p JOIN annotate_criterion c USING (project_id)
WHERE p.project_id = %(project)s;
INSERT INTO annotate_stream (project_id, partition, total, queued)
SELECT project_id, partition, count(*), count(*) FILTER (WHERE queued) FROM annotate_pair
WHERE project_id = %(project)s GROUP BY 1, 2;
"""


def fill(slug: str, pairs: int, *, kept: bool, then: str = "", **names: Any) -> None:
    """Make the project, and run the statements `then` on it with the names %(project)s, %(n)s and `names`."""
    from django.db import connection, transaction
    from psycopg import ClientCursor

    from annotate.models import Project

    project = Project.objects.create(slug=slug, name=slug, task_type="text_to_text")
    with transaction.atomic():
        # Fresh tables have no statistics: the planner would loop over what it takes for a handful of rows.
        ClientCursor(connection.connection).execute(
            "SET LOCAL statement_timeout = 0; SET LOCAL enable_nestloop = off;" + PAIRS + then,
            {"project": project.pk, "n": pairs, "kept": kept, **names},
        )
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
