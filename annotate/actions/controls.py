"""Claims that tell of the annotator, not of the pair: now and then one of these stands in the place of the next pair.

They hold no seat, what is said to them is never counted, and nothing that the annotator sees tells them apart. They
are chosen inside the transaction of the claim, at a cost that depends neither on the queue nor on what the annotator
has done.
"""

import hmac
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from annotate.models import Claim, ClaimKind
from annotate.visible import visible

_WINDOW = 12  # claims to repeat, or known answers, that are looked at


@dataclass(frozen=True, slots=True)
class Shares:
    """What a project wants of controls."""

    salt: str
    repeat_share: float
    repeat_after: int
    gold_share: float
    attention_share: float


def chance(salt: str, claim_id: UUID) -> float:
    """A number from 0 to 1 that follows from the claim's id and the project's secret.

    A request that is sent twice is decided once; who makes the ids cannot choose by them.
    """
    return int.from_bytes(hmac.digest(salt.encode(), claim_id.bytes, "sha256")[:7]) / 256**7


# One of the annotator's own earlier claims that has no repeat yet: of those that lie at least so many submitted ones
# back, the last few, as steadiness over weeks would be another question. Only what they had an opinion on is asked.
# Scalar subqueries and aggregates, for the reason given at _OPEN_TO_ME: joined, the planner might read whole tables.
_REPEAT = """
    WITH recent AS MATERIALIZED (
        SELECT l.id, l.draw_id, l.pair_id, l.flip, l.comparison_ids FROM annotate_claim l
        WHERE l.annotator_id = %(annotator)s AND l.outcome = 'submitted' AND l.kind = 'label'
        ORDER BY l.created_at DESC OFFSET %(after)s::int LIMIT %(window)s::int
    ), original AS (
        SELECT r.*, said.ids FROM recent r
        CROSS JOIN LATERAL (
            SELECT array_agg(j.comparison_id ORDER BY j.comparison_id)
                   FILTER (WHERE j.verdict IN ('response1', 'response2', 'tie')
                           AND j.comparison_id = ANY (r.comparison_ids)
                           AND (SELECT true FROM annotate_judgment o WHERE o.supersedes_id = j.id) IS NULL) AS ids
            FROM annotate_judgment j WHERE j.claim_id = r.id) said
        WHERE (SELECT true FROM annotate_claim a WHERE a.repeat_of_id = r.id) IS NULL AND said.ids IS NOT NULL
          AND (SELECT p.need_id FROM annotate_pair p WHERE p.id = r.pair_id) = ANY (%(needs)s::bigint[])
        ORDER BY random() LIMIT 1
    ), taken AS (
        INSERT INTO annotate_claim (id, draw_id, pair_id, annotator_id, comparison_ids, flip, kind, repeat_of_id,
                                    created_at, expires_at, outcome, skip_reason, note)
        SELECT %(claim)s, draw_id, pair_id, %(annotator)s, ids, NOT flip, 'repeat', id,
               %(now)s, %(expires)s, '', '', ''
        FROM original
        RETURNING draw_id, pair_id, comparison_ids, flip, repeat_of_id
    ), seen AS (
        UPDATE annotate_annotator SET seen_at = %(now)s
        WHERE id = %(annotator)s AND EXISTS (SELECT FROM taken)
    )
    SELECT * FROM taken
"""


# A pair with a known answer of this kind that the annotator has seen nothing of: the first from a place that chance chooses, of the
# next few only. Where they have seen all of those, they get an ordinary pair.
_GOLD = f"""
    WITH place AS MATERIALIZED (
        SELECT low + floor(random() * (high - low + 1))::bigint AS at
        FROM (SELECT (SELECT id FROM annotate_gold WHERE project_id = %(project)s AND kind = %(kind)s ORDER BY id LIMIT 1),
                     (SELECT id FROM annotate_gold WHERE project_id = %(project)s AND kind = %(kind)s
                      ORDER BY id DESC LIMIT 1)) ends (low, high)
    ), near AS MATERIALIZED (
        (SELECT 0 AS round, id, comparison_id, data_import_id FROM annotate_gold
         WHERE project_id = %(project)s AND kind = %(kind)s AND id >= (SELECT at FROM place) ORDER BY id LIMIT %(window)s::int)
        UNION ALL
        (SELECT 1, id, comparison_id, data_import_id FROM annotate_gold
         WHERE project_id = %(project)s AND kind = %(kind)s AND id < (SELECT at FROM place) ORDER BY id LIMIT %(window)s::int)
    ), chosen AS (
        SELECT c.pair_id FROM near n JOIN annotate_comparison c ON c.id = n.comparison_id
        WHERE {visible("c")} AND {visible("n")}
          AND (SELECT p.ready AND p.need_id = ANY (%(needs)s::bigint[]) FROM annotate_pair p WHERE p.id = c.pair_id)
          AND (SELECT bool_or(l.annotator_id = %(annotator)s)
               FROM annotate_claim l WHERE l.pair_id = c.pair_id) IS NOT TRUE
        ORDER BY n.round, n.id LIMIT 1
    ), taken AS (
        INSERT INTO annotate_claim (id, pair_id, annotator_id, comparison_ids, flip, kind,
                                    created_at, expires_at, outcome, skip_reason, note)
        SELECT %(claim)s, pair_id, %(annotator)s,
               ARRAY(SELECT c.id FROM annotate_comparison c
                     WHERE c.pair_id = chosen.pair_id
                       AND (SELECT g.kind = %(kind)s AND {visible("g")} FROM annotate_gold g
                            WHERE g.comparison_id = c.id) ORDER BY c.id),
               random() < 0.5, %(kind)s, %(now)s, %(expires)s, '', '', ''
        FROM chosen
        RETURNING draw_id, pair_id, comparison_ids, flip, repeat_of_id
    ), seen AS (
        UPDATE annotate_annotator SET seen_at = %(now)s
        WHERE id = %(annotator)s AND EXISTS (SELECT FROM taken)
    )
    SELECT * FROM taken
"""


def take_control(cursor: Any, names: dict[str, Any], shares: Shares) -> Claim | None:
    """A claim that is not for labels, if one is due and there is something to ask; the annotator's row is locked.

    `names`: of the claim: claim (its id), annotator, project, now, expires, and the needs whose pairs they may judge.
    """
    drawn = chance(shares.salt, names["claim"])
    wanted = {name: names[name] for name in ("claim", "annotator", "now", "expires", "needs")} | {
        "window": _WINDOW
    }
    if drawn < shares.repeat_share:
        kind = ClaimKind.REPEAT
        cursor.execute(_REPEAT, {**wanted, "after": shares.repeat_after})
    else:
        drawn -= shares.repeat_share
        if drawn >= shares.gold_share + shares.attention_share:
            return None
        kind = ClaimKind.GOLD if drawn < shares.gold_share else ClaimKind.ATTENTION
        cursor.execute(_GOLD, {**wanted, "project": names["project"], "kind": str(kind)})
    row = cursor.fetchone()
    if row is None:
        return None
    draw, pair, comparison_ids, flip, original = row
    return Claim(
        id=names["claim"],
        draw_id=draw,
        pair_id=pair,
        annotator_id=names["annotator"],
        comparison_ids=comparison_ids,
        flip=flip,
        kind=kind,
        repeat_of_id=original,
        created_at=names["now"],
        expires_at=names["expires"],
    )
