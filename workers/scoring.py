"""The job that scores comparisons by one revision: each once, from where it stopped.

In the order of pairs: the criteria of one share what is looked at.
"""

from collections import Counter

from django.db import connection, transaction

from annotate.actions.jobs import Lease, Refused
from annotate.actions.learning import add_scores, finish_scoring, mark_broken
from annotate.actions.review import refresh_items
from annotate.learning import IN_POOL, OPEN
from annotate.models import Revision
from annotate.tallies import canonical_criteria
from workers import artefacts, loop
from workers.features import feature_cache
from workers.items import compared
from workers.listed import head_of_queue, keep_reasons, score_listed
from workers.reward_models.base import RewardModel, UnfitArtefact

BATCH = 2048
# So many batches are listed by one statement: what is left is looked through for each.
LISTED = 25
# Of reasons why comparisons were left out so many are kept: they may name files.
_REASONS = 20

_EVERYTHING = "p.project_id = %(project)s"
_LEFT = """
    FROM annotate_comparison c JOIN annotate_pair p ON p.id = c.pair_id
    WHERE {wanted} AND (c.pair_id, c.criterion_id) > (%(pair)s, %(criterion)s)
      AND NOT EXISTS (SELECT FROM annotate_score o WHERE o.revision_id = %(revision)s AND o.comparison_id = c.id)
"""


def run(lease: Lease) -> None:
    """Score what stands in the queue, nearest first, then the open pool, or everything; then the sampler goes by it. Killed
    anywhere, it goes on there."""
    spec = lease.job.spec
    revision = Revision.objects.select_related("project").get(pk=spec["revision"])
    try:
        model = artefacts.load(revision)
    except artefacts.Unusable as error:
        mark_broken(revision, str(error))
        raise Refused(f"{revision} cannot be used. {error}") from None
    try:
        score_listed(lease, revision, model, head_of_queue(revision), step="scoring what stands in the queue")
        _score(lease, revision, model)
    except UnfitArtefact as error:  # a served model that is gone: it may come back
        raise Refused(f"{revision} cannot be asked. {error}") from None
    finish_scoring(revision)
    artefacts.remove_dropped(revision.project)
    if not lease.by_hand:
        loop.draw(revision.project)
    for _ in refresh_items(revision.project):  # what the new scores say against people
        lease.beat(step="looking for conflicts", finishing=True)


def _step(left_out: Counter[str]) -> str:
    """Comparisons that the model cannot judge are said and counted: they get no score."""
    if not left_out:
        return "scoring"
    reason, most = left_out.most_common(1)[0]
    others = f" ({most:,}), and others" if len(left_out) > 1 else ""
    return f"scoring; {left_out.total():,} left out: {reason}{others}"


def _score(lease: Lease, revision: Revision, model: RewardModel) -> None:
    job = lease.job
    left = _LEFT.format(wanted=_EVERYTHING if job.spec["everything"] else f"{IN_POOL} AND {OPEN}")
    pair, criterion = job.spec.get("after", (0, 0))
    names = {"project": revision.project_id, "revision": revision.pk, "pair": pair, "criterion": criterion}
    merged = canonical_criteria(revision.project)
    left_out = Counter(job.spec.get("left_out", {}))
    pairs_left_out, last_left_out = job.spec.get("pairs_left_out", 0), pair
    batch = min(BATCH, model.at_once)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {left}", names)
        lease.beat(total=job.done + cursor.fetchone()[0], step="scoring")
        while True:
            cursor.execute(
                f"SELECT c.id, c.pair_id, c.criterion_id {left}"
                f" ORDER BY c.pair_id, c.criterion_id LIMIT {batch * LISTED}",
                names,
            )
            listed = cursor.fetchall()
            if not listed:
                return
            for start in range(0, len(listed), batch):
                rows = listed[start : start + batch]
                items = compared([(pair, merged.get(criterion, criterion)) for _, pair, criterion in rows])
                scored = model.score(items, cache=feature_cache())
                _, names["pair"], names["criterion"] = rows[-1]
                left_out.update(scored.without.values())
                pairs_left_out += len({rows[place][1] for place in scored.without} - {last_left_out})
                last_left_out = max((rows[place][1] for place in scored.without), default=last_left_out)
                kept = [place for place in range(len(rows)) if place not in scored.without]
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
                    keep_reasons(revision, [row[0] for row in rows], scored)
                    lease.beat(
                        done=job.done + len(rows),
                        step=_step(left_out),
                        place={
                            "after": [names["pair"], names["criterion"]],
                            "left_out": dict(left_out.most_common(_REASONS)),
                            "pairs_left_out": pairs_left_out,
                        },
                    )
