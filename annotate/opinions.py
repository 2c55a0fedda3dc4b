"""What reward models say of comparisons, beside what people said."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from annotate.models import ReviewItem, RevisionState, Score
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

    def contradicts(self, people: ReviewItem | None) -> bool:
        """Whether it prefers the response that fewer of the counted usable verdicts chose."""
        if people is None:
            return False
        said = label_of((people.response1, people.response2, people.tie), 1)
        return said in (Label.RESPONSE1, Label.RESPONSE2) and said != _FAVOURITE[self.p_response1 >= 0.5]


def of_comparisons(comparisons: Collection[int]) -> dict[int, list[ModelSays]]:
    """Of each comparison the newest score by each backend, of revisions that have scored; the newest revision first."""
    newest = (
        Score.objects.filter(
            comparison__in=comparisons,
            revision__state=RevisionState.READY,
            revision__scored_at__isnull=False,
        )
        .select_related("revision")
        .order_by("comparison", "revision__backend", "-revision__number")
        .distinct("comparison", "revision__backend")
    )
    found: dict[int, list[ModelSays]] = {pk: [] for pk in comparisons}
    for score in newest:
        found[score.comparison_id].append(_said(score))
    for said in found.values():
        said.sort(key=lambda one: -one.revision)
    return found


def _said(score: Score) -> ModelSays:
    odds = max(-50.0, min(50.0, score.margin / math.sqrt(1 + math.pi * score.variance / 8)))
    return ModelSays(
        revision=score.revision.number,
        backend=score.revision.backend,
        judgments=score.revision.judgments,
        margin=score.margin,
        deviation=math.sqrt(score.variance),
        p_tie=score.p_tie,
        p_response1=1 / (1 + math.exp(-odds)),
    )
