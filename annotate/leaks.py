"""Which pairs share something with a partition that goes before theirs: what is learned from them, it would be tested on."""

from annotate.visible import visible

# parts: of each visible pair of project %(project)s what it may share with others (kind, part), and the rank of its
# partition: reserve, then validation, then train.
PARTS = f"""
ranked AS (
    SELECT p.id, p."group", p.prompt_id, p.response1_id, p.response2_id,
           array_position(ARRAY['reserve', 'validation', 'train'], p.partition::text) AS rank
    FROM annotate_pair p
    WHERE p.project_id = %(project)s
      AND {visible("p")}
), parts AS (
    SELECT id, rank, 'group' AS kind, "group" AS part FROM ranked
    UNION ALL SELECT id, rank, 'prompt', prompt_id FROM ranked
    UNION ALL SELECT r.id, r.rank, 'asset', a.asset_id
              FROM ranked r JOIN annotate_promptasset a ON a.prompt_id = r.prompt_id
    UNION ALL SELECT r.id, r.rank, 'asset', a.asset_id
              FROM ranked r JOIN annotate_response a ON a.id = r.response1_id WHERE a.asset_id IS NOT NULL
    UNION ALL SELECT r.id, r.rank, 'asset', a.asset_id
              FROM ranked r JOIN annotate_response a ON a.id = r.response2_id WHERE a.asset_id IS NOT NULL
)
"""

# kept_from: pairs whose prompt, prompt group or media also stand in a partition that goes before theirs. They leave the
# later side; nothing ever leaves reserve. The whole project is looked at, also where only a part of it is asked for.
KEPT_FROM = f"""
{PARTS}, kept_from AS (
    SELECT DISTINCT parts.id FROM parts
    JOIN (SELECT kind, part, min(rank) AS first FROM parts GROUP BY kind, part) seen USING (kind, part)
    WHERE seen.first < parts.rank
)
"""
