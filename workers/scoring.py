"""The job that scores comparisons by one revision: each once, from where it stopped.

In the order of pairs: the criteria of one share what is looked at. A revision that ranks by features needs those of the
whole pool, which are kept, and has scores of what was drawn alone: a million rows at each refit would be read by nobody.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import connection, transaction

from annotate.actions.jobs import Lease, Refused
from annotate.actions.learning import finish_scoring, mark_broken
from annotate.actions.review import refresh_items
from annotate.learning import IN_POOL, OPEN, open_comparisons
from annotate.models import Revision
from annotate.tallies import canonical_criteria
from workers import artefacts, feature_table, loop, ranking
from workers.feature_table import FeatureTable
from workers.features import feature_cache
from workers.items import compared
from workers.listed import head_of_queue, keep_reasons, score_listed
from workers.reward_models.base import Ranker, RewardModel, UnfitArtefact

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
    ranked = None
    try:
        score_listed(lease, revision, model, head_of_queue(revision), step="scoring what stands in the queue")
        if revision.ranks and not spec["everything"]:
            assert isinstance(model, Ranker)
            _describe(lease, revision, model)
            lease.beat(step="ranking", finishing=True)
            ranked = ranking.freeze(revision)
        else:
            _score(lease, revision, model)
    except UnfitArtefact as error:  # a served model that is gone: it may come back
        raise Refused(f"{revision} cannot be asked. {error}") from None
    finish_scoring(revision, ranked.by_criterion() if ranked else None)
    artefacts.remove_dropped(revision.project)
    feature_table.remove_strangers()
    if not lease.by_hand:
        loop.draw(revision.project, pool=ranked)
    ranking.score_drawn(revision.project)
    for _ in refresh_items(revision.project):  # what the new scores say against people
        lease.beat(step="looking for conflicts", finishing=True)


def _describe(lease: Lease, revision: Revision, model: Ranker) -> None:
    """The features of all that is open and has none. Killed anywhere, it goes on with what is missing."""
    job, project = lease.job, revision.project
    _, rows = open_comparisons(project.pk)
    ids, place, _ = ranking.asked_as(project, rows["criterion"])
    comparisons, criteria = rows["comparison"], ids[place]
    missing = np.ones(len(rows), dtype=bool)
    for layout in filter(model.reads, feature_table.layouts(project.pk)):
        missing &= FeatureTable(project.pk, layout).places(comparisons, criteria) < 0
    pair, comparison = job.spec.get("described", (0, 0))  # what was left out up to there is not tried again
    missing &= (rows["pair"] > pair) | ((rows["pair"] == pair) & (comparisons > comparison))
    wanted = np.flatnonzero(missing)
    left_out = _LeftOut(job.spec, pair)
    lease.beat(total=job.done + len(wanted), step="describing")
    for start in range(0, len(wanted), model.at_once):
        some = wanted[start : start + model.at_once]
        pairs = rows["pair"][some].tolist()
        seen = model.features(
            compared(list(zip(pairs, criteria[some].tolist(), strict=True))), cache=feature_cache()
        )
        for layout, (at, features) in seen.rows.items():
            FeatureTable(project.pk, layout).append(comparisons[some[at]], criteria[some[at]], features)
        left_out.add(seen.without, pairs)
        lease.beat(
            done=job.done + len(some),
            step=left_out.step("describing"),
            place={"described": [pairs[-1], int(comparisons[some[-1]])], **left_out.place()},
        )


class _LeftOut:
    """What the model cannot judge is said and counted, in the job: it gets no score."""

    def __init__(self, spec: dict[str, Any], last_pair: int) -> None:
        self._why = Counter[str](spec.get("left_out", {}))
        self._pairs = spec.get("pairs_left_out", 0)
        self._last = last_pair

    def add(self, without: Mapping[int, str], pairs: Sequence[int]) -> None:
        """Places in a batch whose items are of these pairs, which rise from batch to batch."""
        self._why.update(without.values())
        found = {pairs[place] for place in without}
        self._pairs += len(found - {self._last})
        self._last = max(found, default=self._last)

    def step(self, doing: str) -> str:
        if not self._why:
            return doing
        reason, most = self._why.most_common(1)[0]
        others = f" ({most:,}), and others" if len(self._why) > 1 else ""
        return f"{doing}; {self._why.total():,} left out: {reason}{others}"

    def place(self) -> dict[str, Any]:
        return {"left_out": dict(self._why.most_common(_REASONS)), "pairs_left_out": self._pairs}


def _score(lease: Lease, revision: Revision, model: RewardModel) -> None:
    job = lease.job
    left = _LEFT.format(wanted=_EVERYTHING if job.spec["everything"] else f"{IN_POOL} AND {OPEN}")
    pair, criterion = job.spec.get("after", (0, 0))
    names = {"project": revision.project_id, "revision": revision.pk, "pair": pair, "criterion": criterion}
    merged = canonical_criteria(revision.project)
    left_out = _LeftOut(job.spec, pair)
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
                left_out.add(scored.without, [row[1] for row in rows])
                with transaction.atomic():
                    ranking.add_scored(revision, [row[0] for row in rows], scored)
                    keep_reasons(revision, [row[0] for row in rows], scored)
                    lease.beat(
                        done=job.done + len(rows),
                        step=left_out.step("scoring"),
                        place={"after": [names["pair"], names["criterion"]], **left_out.place()},
                    )
