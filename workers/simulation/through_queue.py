"""A campaign by the actions that people's work takes: draws, claims, judgments, training, scoring, one after the other."""

from collections.abc import Callable, Mapping
from typing import Literal
from uuid import uuid4

import numpy as np

from annotate.actions.jobs import run_job
from annotate.actions.judging import Answer, submit
from annotate.actions.learning import start_scoring, start_training
from annotate.actions.queue import ChosenPair, append_epoch, claim_next, fill_queue
from annotate.models import Annotator, Comparison, Draw, Partition, Project, Revision, Route, Stream
from workers import artefacts
from workers.features import feature_cache
from workers.items import compared
from workers.loop import choose
from workers.ranking import freeze
from workers.reward_models.base import RewardModel
from workers.simulation.memory import CHANCE, Plan, Played

# Verdicts by (pair, criterion) ids: 1 response 1, -1 response 2, 0 a tie.
Known = Mapping[tuple[int, int], int]


def play(
    annotator: Annotator,
    known: Known,
    policy: str,
    seed: int,
    plan: Plan,
    tell: Callable[[int], None] = lambda labels: None,
) -> Played:
    """The project's campaign until so many labels are there, or its train pairs are used up: one person answers.

    The project wants one label a comparison and lets nothing of the reserve into its queue while train lasts.
    """
    project = annotator.project
    played, rng = Played(), np.random.default_rng(seed)
    labels, revision, newest = 0, None, 0
    while labels < plan.labels:
        # The import has drawn the first few: the first batch begins with these.
        there = Draw.objects.filter(project=project, pk__gt=newest).count()
        want = min(plan.batch - there, _train_left(project))
        if want > 0:
            _draw(project, revision, policy, want, plan.uniform_share, rng)
        drawn = list(Draw.objects.filter(project=project, pk__gt=newest).order_by("pk"))
        if not drawn:
            break
        newest = drawn[-1].pk
        played.draws.append([_chosen(draw) for draw in drawn])
        for _ in drawn:
            labels += _answer(annotator, known)
        revision = _learn(project)
        played.labels.append(labels)
        played.accuracy.append(_tested(artefacts.load(revision), project, known))
        tell(labels)
    return played


def _train_left(project: Project) -> int:
    stream = Stream.objects.get(project=project, partition=Partition.TRAIN)
    return stream.total - stream.queued


def _draw(
    project: Project,
    revision: Revision | None,
    policy: str,
    want: int,
    share: float,
    rng: np.random.Generator,
) -> None:
    if revision is None or policy == CHANCE:
        fill_queue(project.pk, want)
        return
    pool = freeze(revision)
    chosen = choose(pool, want, share, rng, policy)
    append_epoch(project.pk, want=want, drawn=pool.drawn, chosen=chosen)


def _chosen(draw: Draw) -> ChosenPair:
    assert draw.q is not None and draw.pool_size is not None
    return ChosenPair(Route(draw.route), draw.pair_id, draw.q, draw.pool_size, draw.policy)


def _answer(annotator: Annotator, known: Known) -> int:
    """Judge the next pair as it is known; returns how many labels that made."""
    claim = claim_next(annotator=annotator, claim_id=uuid4())
    assert claim, "the queue holds what was just drawn"
    answers = []
    for comparison in Comparison.objects.filter(pk__in=claim.comparison_ids).order_by("pk"):
        verdict = known.get((comparison.pair_id, comparison.criterion_id))
        if verdict is None:  # the files do not say
            answers.append(Answer(id=uuid4(), verdict="cannot_tell", comparison=comparison.pk))
        elif verdict:
            side: Literal["a", "b"] = "a" if (verdict > 0) != claim.flip else "b"
            answers.append(Answer(id=uuid4(), verdict=side, comparison=comparison.pk))
        else:
            answers.append(Answer(id=uuid4(), verdict="tie", comparison=comparison.pk))
    submit(annotator=annotator, claim_id=claim.pk, answers=answers)
    return sum(answer.verdict != "cannot_tell" for answer in answers)


def _learn(project: Project) -> Revision:
    run_job(start_training(by=None, project=project, send_it=False).pk, by_hand=True)
    revision = Revision.objects.filter(project=project).latest("number")
    run_job(start_scoring(by=None, revision=revision, send_it=False).pk, by_hand=True)
    revision.refresh_from_db()
    return revision


def _tested(model: RewardModel, project: Project, known: Known) -> float:
    reserve = set(project.pairs.filter(partition=Partition.RESERVE).values_list("pk", flat=True))
    units = sorted(unit for unit, verdict in known.items() if verdict and unit[0] in reserve)
    answers = np.array([known[unit] for unit in units])
    margins = model.score(compared(units), cache=feature_cache()).margin
    return float(((np.sign(margins) * answers + 1) / 2).mean())
