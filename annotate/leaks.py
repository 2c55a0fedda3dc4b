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

# The same of train pairs alone, by hashes of what the other two partitions hold, which is little: where p is a train pair
# of project %(project)s, NO_LEAK with HELD before it says that p is not in kept_from.
HELD = f"""
held AS (
    SELECT p."group", p.prompt_id, p.response1_id, p.response2_id FROM annotate_pair p
    WHERE p.project_id = %(project)s AND p.partition <> 'train' AND {visible("p")}
), held_asset AS (
    SELECT a.asset_id FROM held JOIN annotate_promptasset a ON a.prompt_id = held.prompt_id
    UNION SELECT r.asset_id FROM held JOIN annotate_response r ON r.id = held.response1_id WHERE r.asset_id IS NOT NULL
    UNION SELECT r.asset_id FROM held JOIN annotate_response r ON r.id = held.response2_id WHERE r.asset_id IS NOT NULL
), held_prompt AS (
    SELECT prompt_id FROM held
    UNION SELECT a.prompt_id FROM annotate_promptasset a JOIN held_asset USING (asset_id)
), held_response AS (
    SELECT r.id FROM annotate_response r JOIN held_asset USING (asset_id)
)
"""
NO_LEAK = """p."group" NOT IN (SELECT "group" FROM held) AND p.prompt_id NOT IN (SELECT prompt_id FROM held_prompt)
    AND p.response1_id NOT IN (SELECT id FROM held_response) AND p.response2_id NOT IN (SELECT id FROM held_response)"""
