"""The job that scores comparisons by one revision: each once, from where it stopped.

In the order of pairs: the criteria of one share what is looked at.
"""

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
from workers.reward_models.base import RewardModel

BATCH = 2048
# So many batches are listed by one statement: what is left is looked through for each.
LISTED = 25

_EVERYTHING = "p.project_id = %(project)s"
_LEFT = """
    FROM annotate_comparison c JOIN annotate_pair p ON p.id = c.pair_id
    WHERE {wanted} AND (c.pair_id, c.criterion_id) > (%(pair)s, %(criterion)s)
      AND NOT EXISTS (SELECT FROM annotate_score o WHERE o.revision_id = %(revision)s AND o.comparison_id = c.id)
"""


def run(lease: Lease) -> None:
    """Score the open pool, or everything; then the sampler goes by it. Killed anywhere, it goes on there."""
    spec = lease.job.spec
    revision = Revision.objects.select_related("project").get(pk=spec["revision"])
    try:
        model = artefacts.load(revision)
    except artefacts.Unusable as error:
        mark_broken(revision, str(error))
        raise Refused(f"{revision} cannot be used. {error}") from None
    _score(lease, revision, model)
    finish_scoring(revision)
    artefacts.remove_dropped(revision.project)
    if not lease.by_hand:
        loop.draw(revision.project)
    for _ in refresh_items(revision.project):  # what the new scores say against people
        lease.beat(step="looking for conflicts", finishing=True)


def _score(lease: Lease, revision: Revision, model: RewardModel) -> None:
    job = lease.job
    left = _LEFT.format(wanted=_EVERYTHING if job.spec["everything"] else f"{IN_POOL} AND {OPEN}")
    pair, criterion = job.spec.get("after", (0, 0))
    names = {"project": revision.project_id, "revision": revision.pk, "pair": pair, "criterion": criterion}
    merged = canonical_criteria(revision.project)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {left}", names)
        lease.beat(total=job.done + cursor.fetchone()[0], step="scoring")
        while True:
            cursor.execute(
                f"SELECT c.id, c.pair_id, c.criterion_id {left}"
                f" ORDER BY c.pair_id, c.criterion_id LIMIT {BATCH * LISTED}",
                names,
            )
            listed = cursor.fetchall()
            if not listed:
                return
            for start in range(0, len(listed), BATCH):
                rows = listed[start : start + BATCH]
                items = compared([(pair, merged.get(criterion, criterion)) for _, pair, criterion in rows])
                scored = model.score(items, cache=feature_cache())
                _, names["pair"], names["criterion"] = rows[-1]
                with transaction.atomic():
                    add_scores(
                        revision,
                        [row[0] for row in rows],
                        scored.margin.tolist(),
                        scored.p_tie.tolist(),
                        scored.variance.tolist(),
                        scored.bald.tolist(),
                        None if scored.cell is None else scored.cell.tolist(),
                    )
                    lease.beat(
                        done=job.done + len(rows), place={"after": [names["pair"], names["criterion"]]}
                    )
