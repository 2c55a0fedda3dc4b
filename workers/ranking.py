"""What models say of a project's open comparisons: rankers compute it of the feature table, of the others scores stand in
the database."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from annotate.actions.learning import add_scores, mark_broken
from annotate.learning import Pool, Say, Says, drawn_unscored, freeze_pool, stored
from annotate.models import Criterion, Policy, Project, Revision, RevisionState
from annotate.tallies import canonical_criteria
from workers import artefacts
from workers.feature_table import FeatureTable, Ints, layouts
from workers.features import feature_cache
from workers.items import compared
from workers.reward_models.base import Ranker, Ranking, Scored

Places = npt.NDArray[np.intp]
# Rows at a time: those of 256 numbers fit into a processor's cache.
_BLOCK = 4096
# How nice threads are that rank: whoever asks for a pair comes first on every core, and they take what is left.
NICE = 10


def freeze(revision: Revision) -> Pool:
    """The pool by what a revision says of it now.

    Raises:
        Unusable: its file cannot be used, or that of another one whose opinion the policy asks for. It is broken from
            now on.
    """
    return freeze_pool(revision, says, others=revision.project.policy == Policy.DISAGREEMENT)


def says(revision: Revision) -> Say:
    """How a revision answers.

    Raises:
        Unusable: it ranks, and its file cannot be used. It is broken from now on.
    """
    if not revision.ranks:
        return stored(revision)
    try:
        return _Ranked(revision, ranker(revision))
    except artefacts.Unusable as error:
        mark_broken(revision, str(error))
        raise


def ranker(revision: Revision) -> Ranker:
    model = artefacts.load(revision)
    assert isinstance(model, Ranker)
    return model


class _Ranked:
    def __init__(self, revision: Revision, model: Ranker) -> None:
        self._revision, self._model = revision, model

    def __call__(self, comparisons: Ints, criteria: Ints) -> Says:
        said = Says.nothing(len(comparisons))
        ids, place, texts = asked_as(self._revision.project, criteria)
        for layout in filter(self._model.reads, layouts(self._revision.project_id)):
            ranking = self._model.ranking(layout, texts, cache=feature_cache())
            table = FeatureTable(self._revision.project_id, layout)
            for which, scored in _ranked(ranking, table, table.places(comparisons, ids[place]), place):
                said.known[which] = True
                said.margin[which], said.p_tie[which], said.bald[which] = (
                    scored.margin,
                    scored.p_tie,
                    scored.bald,
                )
                if scored.cell is not None:
                    said.cell[which], said.in_cell[which] = scored.cell, True
        return said


def asked_as(project: Project, criteria: Ints) -> tuple[Ints, Places, list[str]]:
    """The distinct criteria as which these are asked: merged ones as what they count as. Their ids, of each of `criteria`
    its place among them, and their texts."""
    merged = canonical_criteria(project)
    distinct, place = np.unique(criteria, return_inverse=True)
    canonical = np.array([merged.get(pk, pk) for pk in distinct.tolist()], dtype=np.int64)
    ids, again = np.unique(canonical, return_inverse=True)
    texts = dict(Criterion.objects.filter(pk__in=ids.tolist()).values_list("pk", "text"))
    return ids, again[place].astype(np.intp), [texts[pk] for pk in ids.tolist()]


def _ranked(
    ranking: Ranking, table: FeatureTable, places: Ints, under: Places
) -> Iterator[tuple[Ints, Scored]]:
    """Block after block, a thread for each core: numpy computes outside of Python's lock."""

    def rank(which: Ints) -> tuple[Ints, Scored]:
        return which, ranking(under[which], table.rows(places[which]))

    with ThreadPoolExecutor(os.cpu_count(), initializer=_give_way) as threads:
        yield from threads.map(rank, table.blocks(places, _BLOCK))


def _give_way() -> None:
    """This thread gives way to others. Linux knows the niceness of a thread; elsewhere it is the whole process's, which could
    not be made less nice again."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(PermissionError):  # a sandbox may forbid it: then it ranks as it is
            os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))


def score_drawn(project: Project) -> None:
    """Scores by each ranker of what was drawn since it had ranked the pool: what it said before anybody was asked."""
    rankers = Revision.objects.filter(project=project, state=RevisionState.READY, ranks=True)
    for revision in rankers.filter(scored_at__isnull=False).select_related("project"):
        units = drawn_unscored(revision)
        if not units:
            continue
        try:
            model = ranker(revision)
        except artefacts.Unusable as error:
            mark_broken(revision, str(error))
            continue
        merged = canonical_criteria(project)
        for start in range(0, len(units), model.at_once):
            some = units[start : start + model.at_once]
            items = compared([(pair, merged.get(criterion, criterion)) for _, pair, criterion in some])
            add_scored(revision, [pk for pk, _, _ in some], model.score(items, cache=feature_cache()))


def add_scored(revision: Revision, comparisons: Sequence[int], scored: Scored) -> None:
    """Keep what a model said of comparisons, given in parallel; of what it cannot judge nothing is kept."""
    kept = [place for place in range(len(comparisons)) if place not in scored.without]
    add_scores(
        revision,
        [comparisons[place] for place in kept],
        scored.margin[kept].tolist(),
        scored.p_tie[kept].tolist(),
        scored.variance[kept].tolist(),
        scored.bald[kept].tolist(),
        None if scored.cell is None else scored.cell[kept].tolist(),
    )
