"""Which comparisons are asked of annotators, by what was decided of their criterion: the condition for it, in SQL."""


def asked(alias: str) -> str:
    """That free seats of a comparison are offered: its criterion is accepted.

    A merged criterion goes by its canonical one, and is not asked where a pair is judged by that too: the same question
    would stand there twice. Scalar subqueries, which the planner turns into no join over whole tables.
    """
    return f"""(SELECT CASE WHEN t.canonical_id IS NULL THEN t.state = 'accepted'
                            ELSE t.state NOT IN ('rejected', 'retired')
                                 AND (SELECT r.state = 'accepted' FROM annotate_criterion r WHERE r.id = t.canonical_id)
                                 AND NOT EXISTS (SELECT FROM annotate_comparison o
                                                 WHERE o.pair_id = {alias}.pair_id AND o.criterion_id = t.canonical_id)
                       END
                FROM annotate_criterion t WHERE t.id = {alias}.criterion_id)"""


def asked_of_many(alias: str) -> str:
    """The same, for statements that read most comparisons there are: criteria are looked up in a hash of all of them."""
    return f"""({alias}.criterion_id IN (SELECT id FROM annotate_criterion
                                         WHERE state = 'accepted' AND canonical_id IS NULL)
                OR {alias}.criterion_id IN (SELECT id FROM annotate_criterion WHERE canonical_id IS NOT NULL)
                   AND {asked(alias)})"""
