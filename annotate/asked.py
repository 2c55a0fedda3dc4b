"""Which comparisons are asked of annotators: the condition for it, in SQL. In Python: rules.py (`is_asked` and what stands
around it)."""

from annotate.visible import visible

# Scalar subqueries on purpose: the planner cannot turn them into joins over whole tables.
_CRITERION = """(SELECT CASE WHEN t.canonical_id IS NULL THEN t.state = 'accepted'
                             ELSE t.state NOT IN ('rejected', 'retired')
                                  AND (SELECT r.state = 'accepted' FROM annotate_criterion r WHERE r.id = t.canonical_id)
                                  AND NOT EXISTS (SELECT FROM annotate_comparison o
                                                  WHERE o.pair_id = {alias}.pair_id AND o.criterion_id = t.canonical_id)
                        END
                 FROM annotate_criterion t WHERE t.id = {alias}.criterion_id)"""


def asked(alias: str) -> str:
    """That free seats of a comparison are offered: it is seen, nobody knows its answer already, and its criterion is
    accepted.

    A merged criterion goes by its canonical one, and is not asked where a pair is judged by that too: the same question
    would stand there twice.
    """
    return f"""{visible(alias)}
               AND (SELECT {visible("known")} FROM annotate_gold known WHERE known.comparison_id = {alias}.id) IS NOT TRUE
               AND {_CRITERION.format(alias=alias)}"""


def asked_of_many(alias: str) -> str:
    """The same, for statements that read most comparisons there are: criteria and known answers are looked up in hashes
    of all of them."""
    return f"""{visible(alias)}
               AND NOT EXISTS (SELECT FROM annotate_gold known WHERE known.comparison_id = {alias}.id AND {visible("known")})
               AND ({alias}.criterion_id IN (SELECT id FROM annotate_criterion
                                             WHERE state = 'accepted' AND canonical_id IS NULL)
                    OR {alias}.criterion_id IN (SELECT id FROM annotate_criterion WHERE canonical_id IS NOT NULL)
                       AND {_CRITERION.format(alias=alias)})"""
