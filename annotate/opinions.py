"""What reward models say of comparisons, beside what people said."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from annotate.models import Rationale, ReviewItem, Revision, RevisionState, Score
from annotate.stats.labels import Label, label_of

_FAVOURITE = {True: Label.RESPONSE1, False: Label.RESPONSE2}


@dataclass(frozen=True, slots=True)
class ModelSays:
    """A revision's score of a comparison: log-odds that response 1 wins, their standard deviation, and what follows.

    `p_response1`: the probability that response 1 wins, ties aside, the margin's uncertainty taken into account
    (MacKay, 1992, "The evidence framework applied to classification networks").
    """

    revision: int
    backend: str
    judgments: int
    margin: float
    deviation: float
    p_tie: float
    p_response1: float
    current: bool = False  # the project goes by it
    rationale: Rationale | None = None  # of a judge in words

    @property
    def favourite(self) -> Label:
        return _FAVOURITE[self.p_response1 >= 0.5]

    def contradicts(self, people: ReviewItem | None) -> bool:
        """Whether it prefers the response that fewer of the counted usable verdicts chose."""
        if people is None:
            return False
        said = label_of((people.response1, people.response2, people.tie), 1)
        return said in (Label.RESPONSE1, Label.RESPONSE2) and said != self.favourite


def of_comparisons(comparisons: Collection[int]) -> dict[int, list[ModelSays]]:
    """Of each comparison the newest score by each backend, of revisions that have scored, and that of the current one;
    the newest revision first."""
    scores = Score.objects.filter(
        comparison__in=comparisons,
        revision__state=RevisionState.READY,
        revision__scored_at__isnull=False,
    ).select_related("revision")
    newest = scores.order_by("comparison", "revision__backend", "-revision__number").distinct(
        "comparison", "revision__backend"
    )
    current = _current(comparisons)
    reasons = {
        (row.revision_id, row.comparison_id): row
        for row in Rationale.objects.filter(comparison__in=comparisons)
    }
    found: dict[int, list[ModelSays]] = {pk: [] for pk in comparisons}
    said = {score.pk: score for score in (*newest, *scores.filter(revision__in=current))}
    for key, score in said.items():
        found[score.comparison_id].append(_said(score, score.revision_id in current, reasons.get(key)))
    for models in found.values():
        models.sort(key=lambda one: -one.revision)
    return found


def reviewed_by(comparison: int) -> ModelSays | None:
    """What review holds against people: the score of the current revision, or of the last one before it that has one
    (as evenhand_review has it, annotate/migrations/0035_training.py)."""
    scores = Score.objects.filter(
        comparison=comparison,
        revision__state=RevisionState.READY,
        revision__scored_at__isnull=False,
        revision__promoted_at__isnull=False,
    )
    score = scores.select_related("revision").order_by("-revision__promoted_at", "-revision__number").first()
    if score is None:
        return None
    reason = Rationale.objects.filter(revision=score.revision_id, comparison=comparison).first()
    return _said(score, score.revision_id in _current([comparison]), reason)


def _current(comparisons: Collection[int]) -> set[int]:
    """The current revisions of these comparisons' projects: of one, as a page asks."""
    promoted = Revision.objects.filter(
        project__pairs__comparisons__in=comparisons,
        state=RevisionState.READY,
        promoted_at__isnull=False,
    )
    last = promoted.order_by("project", "-promoted_at", "-number").distinct("project")
    return set(last.values_list("pk", flat=True))


def _said(score: Score, current: bool, rationale: Rationale | None) -> ModelSays:
    odds = max(-50.0, min(50.0, score.margin / math.sqrt(1 + math.pi * score.variance / 8)))
    return ModelSays(
        revision=score.revision.number,
        backend=score.revision.backend,
        judgments=score.revision.judgments,
        margin=score.margin,
        deviation=math.sqrt(score.variance),
        p_tie=score.p_tie,
        p_response1=1 / (1 + math.exp(-odds)),
        current=current,
        rationale=rationale,
    )
