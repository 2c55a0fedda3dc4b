"""The learning loop: train when there is something new, score the open pool, choose what people are asked next.

A project's loop is always doing at most one training and one scoring, each a job that survives whoever works on it.
Drawing is one short transaction: what was chosen from a pool that has changed meanwhile is chosen anew.
"""

from datetime import timedelta
from typing import Any

import numpy as np
import structlog
from django.utils import timezone

from annotate.actions.jobs import SHORT as LOOPED
from annotate.actions.learning import start_scoring, start_training
from annotate.actions.queue import ChosenPair, PoolChanged, append_epoch, queue_depths
from annotate.learning import (
    Pairs,
    Pool,
    current_revision,
    keeps_features,
    new_judgments,
    newest_revision,
    sampling_revision,
)
from annotate.models import (
    UNFINISHED,
    Job,
    JobKind,
    JobState,
    Policy,
    Project,
    ProjectState,
    Revision,
    Route,
    Sampling,
)
from workers import sampling
from workers.artefacts import Unusable
from workers.ranking import freeze, score_drawn
from workers.sampling.policies import Candidates, acquisition, in_effect, name_of, temperature

log = structlog.get_logger(__name__)

_TRIES = 5


def tick() -> None:
    """Tend the loops of all open projects. One that cannot be tended holds up no other."""
    for project in Project.objects.filter(state=ProjectState.OPEN).exclude(sampling=Sampling.UNIFORM):
        try:
            tend(project)
        except Exception:
            log.exception("a learning loop stumbled", project=project.pk)


def tend(project: Project) -> None:
    """Draw by what there is, and begin what is due."""
    draw(project)
    # Large models that train or score meanwhile do not hold up the embedded one.
    jobs = Job.objects.filter(
        project=project, kind__in=(JobKind.TRAIN, JobKind.SCORE), spec__backend__in=LOOPED
    )
    if jobs.filter(state__in=UNFINISHED).exists():
        return
    current = current_revision(project)
    if project.sampling == Sampling.AUTO and _is_due(project, newest_revision(project, LOOPED)):
        start_training(by=None, project=project, **_learner(project))
    elif current and current.scored_at is None:
        _score(current)


def _learner(project: Project) -> dict[str, Any]:
    """Where a large model is current: until it is trained again a head over the features that it keeps. Else the embedded
    model.
    """
    current = current_revision(project)
    large = keeps_features(project) if current and current.backend != "builtin" else None
    return {"backend": "cached", "settings": {"features": large.features}} if large else {}


def _is_due(project: Project, newest: Revision | None) -> bool:
    """Enough new judgments, or any and long enough since the last time. What failed is tried again with new ones."""
    since = newest.read_at if newest else None
    jobs = Job.objects.filter(project=project, kind=JobKind.TRAIN, spec__backend__in=LOOPED)
    last = jobs.order_by("-pk").first()
    if last and last.state != JobState.DONE and (since is None or last.created_at > since):
        since = last.created_at
    new = new_judgments(project, since)
    waited = timezone.now() - (since or project.created_at) >= timedelta(seconds=project.refit_seconds)
    return new >= project.refit_judgments or (new > 0 and waited)


def _score(revision: Revision) -> None:
    """Unless it was tried in vain: then somebody must look at it, or a newer revision comes."""
    jobs = Job.objects.filter(project=revision.project_id, kind=JobKind.SCORE, spec__revision=revision.pk)
    if not jobs.filter(state__in=(JobState.FAILED, JobState.CANCELLED)).exists():
        start_scoring(by=None, revision=revision)


def _left_out(revision: Revision) -> int:
    """Pairs that the revision could not judge when it last scored: to ask again would be in vain."""
    jobs = Job.objects.filter(project=revision.project_id, kind=JobKind.SCORE, spec__revision=revision.pk)
    last = jobs.filter(state=JobState.DONE).order_by("-pk").first()
    return int(last.spec.get("pairs_left_out", 0)) if last else 0


def draw(project: Project, rng: np.random.Generator | None = None, *, pool: Pool | None = None) -> int:
    """Draw an epoch if the queue is less than half as long as it should be. Returns how many draws were appended.

    Pairs without scores are left for the next epoch, and scored. None where no revision has scored the pool. `pool`:
    one that was frozen just now.
    """
    if project.sampling == Sampling.UNIFORM:
        return 0
    for _ in range(_TRIES):
        # Of those who may judge different pairs, whoever is closest to having none.
        depth = min(queue_depths(project.pk), key=lambda depth: depth.ready / depth.wanted, default=None)
        revision = sampling_revision(project)
        if depth is None or revision is None or depth.ready * 2 >= depth.wanted:
            return 0
        if pool is None or pool.revision != revision.number:
            try:
                pool = freeze(revision)
            except Unusable:
                continue  # by the one before
        if pool.unscored > _left_out(revision):
            _score(revision)
        want = depth.wanted - depth.ready
        chance = rng or np.random.default_rng()
        chosen = choose(pool, want, project.uniform_share, chance, project.policy)
        if not chosen:
            return 0
        try:
            appended = append_epoch(project.pk, want=want, drawn=pool.drawn, chosen=chosen)
        except PoolChanged:
            pool = None
            continue
        score_drawn(project)
        return appended
    return 0


def choose(
    pool: Pool,
    want: int,
    uniform_share: float,
    rng: np.random.Generator,
    policy: str = Policy.POWERBALD,
) -> list[ChosenPair]:
    """What the sampler draws from the pool, no task type and criterion beyond its fair quota, new criteria first."""
    rows = pool.comparisons
    candidates = Candidates(
        margin=rows["margin"],
        p_tie=rows["p_tie"],
        bald=rows["bald"],
        people=np.column_stack([rows[name] for name in ("response1", "response2", "tie")]),
        others=pool.others,
    )
    pairs = Pairs.of(rows["pair"])
    # A task type under a criterion is a group.
    tasks, task = np.unique(rows["task"][pairs.starts], return_inverse=True)
    criteria, under = np.unique(pool.criterion_ids, return_inverse=True)
    groups = task * len(criteria) + under
    new = np.isin(criteria, list(pool.unknown))
    drawn = sampling.epoch(
        pool.pair_ids,
        pairs.sums(acquisition(policy, candidates)),
        groups,
        want,
        rng,
        uniform_share=uniform_share,
        temperature=temperature(policy, candidates),
        quotas=sampling.fair_quotas(groups),
        unknown=np.flatnonzero(np.tile(new, len(tasks))).tolist(),
        # A pair is in the cell of its most telling comparison.
        cells=rows["cell"][pairs.first(pairs.most(rows["bald"]))],
    )
    name = name_of(in_effect(policy, candidates), pool.revision)
    return [
        ChosenPair(Route(one.route), pool.pair_ids[one.index], one.q, one.pool_size, name) for one in drawn
    ]
