"""Reads about criteria that models wrote: which pairs wait for one, what was proposed, what it cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q, Sum

from annotate.models import CriteriaRun, Criterion, Proposal, ProposalState
from annotate.visible import visible

SHOWN = 5  # proposals of one criterion that moderators are told of

# The pairs that a recipe chooses and its run has kept nothing of yet, in an order by chance that stays the same.
_CHOSEN = f"""
    FROM annotate_pair p
    WHERE p.project_id = %(project)s AND p.partition = %(partition)s AND p.ready AND {visible("p")}
      AND (%(sources)s::text[] = '{{}}' OR p.source = ANY (%(sources)s))
      AND (%(task_types)s::text[] = '{{}}' OR p.task_type = ANY (%(task_types)s))
      AND NOT EXISTS (SELECT FROM annotate_proposal o
                      WHERE o.run_id = %(run)s AND o.pair_id = p.id AND o.state <> 'failed')
    ORDER BY p.shuffle # %(seed)s::bigint, p.id
"""


def pairs_to_write_for(run: CriteriaRun, most: int) -> list[int]:
    """Ids; of a recipe for at most so many pairs (0: all) those that are left."""
    left = max(0, most - kept_pairs(run)) if most else None
    return chosen_pairs(run.project_id, run.recipe, run.pk, left)


def chosen_pairs(project: int, recipe: dict[str, Any], run: int | None, most: int | None) -> list[int]:
    """Ids of pairs that a stored recipe chooses, at most so many, without those that the run has kept."""
    choice = recipe["pairs"]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.id {_CHOSEN} LIMIT %(most)s",
            {
                "project": project,
                "run": run,
                "partition": choice["partition"],
                "sources": list(choice.get("sources", ())),
                "task_types": list(choice.get("task_types", ())),
                "seed": recipe["seed"],
                "most": most,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def kept_pairs(run: CriteriaRun) -> int:
    """How many pairs the run is done with."""
    done = Proposal.objects.filter(run=run).exclude(state=ProposalState.FAILED)
    return done.values("pair").distinct().count()


def cost_of(run: CriteriaRun) -> float | None:
    """What all its replies cost; None where a model has no prices, or nothing was asked yet."""
    found = Proposal.objects.filter(run=run).aggregate(
        total=Sum("cost"), unpriced=Count("pk", filter=Q(cost__isnull=True))
    )
    return None if found["unpriced"] else found["total"]


def criteria_of_pairs(pairs: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The texts that each pair is judged by already, whatever became of the criterion."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.pair_id, array_agg(t.text ORDER BY t.id)
            FROM annotate_comparison c JOIN annotate_criterion t ON t.id = c.criterion_id
            WHERE c.pair_id = ANY (%s) GROUP BY c.pair_id
            """,
            [list(pairs)],
        )
        return {pair: tuple(texts) for pair, texts in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has come to."""

    pairs: int
    states: dict[str, int]  # how many proposals, by state
    reasons: list[tuple[str, int]]  # of those that are not accepted, the most frequent first
    sampled: int
    tokens_in: int
    tokens_out: int
    cost: float | None


def outcome(run: CriteriaRun) -> Outcome:
    rows = Proposal.objects.filter(run=run)
    states = dict(rows.order_by().values_list("state").annotate(n=Count("pk")))
    reasons = rows.exclude(reason="").order_by().values_list("reason").annotate(n=Count("pk"))
    sums = rows.aggregate(
        into=Sum("tokens_in"), out=Sum("tokens_out"), chosen=Count("pk", filter=Q(sampled=True))
    )
    return Outcome(
        kept_pairs(run),
        states,
        list(reasons.order_by("-n", "reason")[:SHOWN]),
        sums["chosen"],
        sums["into"] or 0,
        sums["out"] or 0,
        cost_of(run),
    )


def report(run: CriteriaRun) -> Iterator[dict[str, Any]]:
    """Every proposal of a run, pair by pair in the order in which they were kept."""
    rows = Proposal.objects.filter(run=run).order_by("pk").select_related("pair")
    for row in rows.iterator(chunk_size=500):
        yield {
            "source": row.pair.source,
            "id": row.pair.external_id,
            "criterion": row.text,
            "label": row.label,
            "why": row.why,
            "state": row.state,
            "reason": row.reason,
            "writer": run.writer,
            "verdicts": row.verdicts,
            "sampled": row.sampled,
            "tokens_in": row.tokens_in,
            "tokens_out": row.tokens_out,
            "cost": row.cost,
        }


def told_of(criterion: Criterion) -> list[dict[str, Any]]:
    """What moderators are told of a criterion that a model wrote: its label on each pair, why, and what verifiers said."""
    rows = (
        Proposal.objects.filter(criterion=criterion)
        .order_by("pk")
        .annotate(source=F("pair__source"), name=F("pair__external_id"), writer=F("run__writer"))[:SHOWN]
    )
    return [
        {
            "pair": f"{row.source}/{row.name}" if row.source else row.name,
            "writer": row.writer,
            "label": row.label,
            "why": row.why,
            "verdicts": [
                {
                    name: said[name]
                    for name in ("judge", "verdict", "swapped", "agrees", "detail", "rationale")
                }
                for said in row.verdicts
            ],
        }
        for row in rows
    ]
