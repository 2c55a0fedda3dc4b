"""A project of generated text pairs, written by SQL: what a benchmark needs before it begins to measure."""

import hashlib
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
                           sensitive, metadata, "group", partition, shuffle, queued, ready, created_at)
SELECT %(project)s, 'bench', i, '\\x00', 'text_to_text', p.id, r.first + 2 * (i - 1), r.first + 2 * i - 1,
       false, '{}', i, CASE WHEN %(kept)s AND i %% 2 = 1 THEN 'reserve' ELSE 'train' END, hashint8(i), %(kept)s, true, now()
FROM (SELECT id, row_number() OVER (ORDER BY id) AS i FROM annotate_prompt WHERE project_id = %(project)s) p, r;
INSERT INTO annotate_comparison (pair_id, criterion_id, k, created_at)
SELECT p.id, c.id, 3, now() FROM annotate_pair p JOIN annotate_criterion c USING (project_id)
WHERE p.project_id = %(project)s;
INSERT INTO annotate_stream (project_id, partition, total, queued)
SELECT project_id, partition, count(*), count(*) FILTER (WHERE queued) FROM annotate_pair
WHERE project_id = %(project)s GROUP BY 1, 2;
"""

FILLED = """
SELECT string_agg(relname, ', ') FROM pg_class
WHERE relkind = 'r' AND relname LIKE 'annotate%' AND pg_relation_size(oid) > 0
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
        # Of what was filled alone: an empty table that was vacuumed counts as empty for ever after in a kept plan.
        cursor.execute(FILLED)
        cursor.execute(f"VACUUM ANALYZE {cursor.fetchone()[0]}")
        cursor.execute("RESET statement_timeout")


def random_embeddings() -> None:
    """Rows in the cache for every text there is: the time that a model takes for a text is no part of what is measured."""
    import numpy as np

    from annotate.models import Criterion, Prompt, Response
    from workers.features import feature_cache
    from workers.items import said
    from workers.reward_models.features import minilm

    texts = set(Response.objects.values_list("text", flat=True))
    texts |= {said(turns) for turns in Prompt.objects.values_list("turns", flat=True)}
    texts |= set(Criterion.objects.values_list("text", flat=True))
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(len(texts), minilm.WIDTH)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    keys = [hashlib.sha256(text.encode()).digest() for text in sorted(texts)]
    feature_cache().put(minilm.VERSION, dict(zip(keys, rows.astype(np.float16), strict=True)))
