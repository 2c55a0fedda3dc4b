"""Scoring comparisons that are listed beforehand: what stands in the queue, and what revisions are tested on."""

from collections.abc import Sequence

from django.db import connection, transaction

from annotate.actions.jobs import Lease
from annotate.actions.learning import add_rationales, add_scores
from annotate.learning import OPEN
from annotate.models import Rationale, Revision, Score
from annotate.tallies import canonical_criteria
from workers.features import feature_cache
from workers.items import compared
from workers.reward_models.base import RewardModel, Scored

# (comparison, pair, criterion)
Listed = tuple[int, int, int]
# Comparisons of the queue that go before the pool: hours of work for everybody there is.
HEAD = 5_000
_BATCH = 256  # the queue is worked off meanwhile

_HEAD = f"""
    SELECT c.id, c.pair_id, c.criterion_id
    FROM (SELECT pair_id, min(id) AS place FROM annotate_draw WHERE project_id = %(project)s AND open GROUP BY pair_id) d
    JOIN annotate_comparison c ON c.pair_id = d.pair_id
    JOIN annotate_pair p ON p.id = c.pair_id
    WHERE {OPEN}
      AND NOT EXISTS (SELECT FROM annotate_score o WHERE o.revision_id = %(revision)s AND o.comparison_id = c.id)
    ORDER BY d.place, c.criterion_id LIMIT %(most)s
"""


def head_of_queue(revision: Revision) -> list[Listed]:
    """What stands in the queue, still wants a judgment and has no score yet, in the order in which it will be served."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD, {"project": revision.project_id, "revision": revision.pk, "most": HEAD})
        return cursor.fetchall()


def without_score(revision: Revision, listed: Sequence[Listed]) -> list[Listed]:
    """Those that the revision has not scored yet."""
    scores = Score.objects.filter(revision=revision, comparison__in=[one for one, _, _ in listed])
    known = set(scores.values_list("comparison", flat=True))
    return [row for row in listed if row[0] not in known]


def score_listed(
    lease: Lease, revision: Revision, model: RewardModel, listed: Sequence[Listed], *, step: str
) -> dict[int, str]:
    """Score these comparisons, batch by batch: whoever is killed has kept what was done. Those that the model cannot judge
    come back with why.

    Raises:
        Cancelled, SegmentOver: as of a beat.
    """
    merged = canonical_criteria(revision.project)
    without: dict[int, str] = {}
    batch = min(_BATCH, model.at_once)
    lease.beat(total=lease.job.done + len(listed), step=step)
    for start in range(0, len(listed), batch):
        rows = listed[start : start + batch]
        items = compared([(pair, merged.get(criterion, criterion)) for _, pair, criterion in rows])
        scored = model.score(items, cache=feature_cache())
        kept = [place for place in range(len(rows)) if place not in scored.without]
        without |= {rows[place][0]: why for place, why in scored.without.items()}
        with transaction.atomic():
            add_scores(
                revision,
                [rows[place][0] for place in kept],
                scored.margin[kept].tolist(),
                scored.p_tie[kept].tolist(),
                scored.variance[kept].tolist(),
                scored.bald[kept].tolist(),
                None if scored.cell is None else scored.cell[kept].tolist(),
            )
            keep_reasons(revision, [comparison for comparison, _, _ in rows], scored)
            lease.beat(done=lease.job.done + len(rows), step=step)
    return without


def keep_reasons(revision: Revision, comparisons: Sequence[int], scored: Scored) -> None:
    """Beside their scores, what a judge in words said of these comparisons."""
    add_rationales(
        [
            Rationale(
                revision=revision,
                comparison_id=comparisons[place],
                forward=one.forward,
                backward=one.backward,
                forward_text=one.forward_text,
                backward_text=one.backward_text,
                replies=one.replies,
                cost=one.cost,
            )
            for place, one in scored.reasons.items()
        ]
    )
