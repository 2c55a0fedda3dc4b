"""Annotators who are given claims that are not for labels, when a test wants it."""

from collections.abc import Callable
from uuid import UUID, uuid4

from annotate.actions import queue
from annotate.actions.controls import chance
from annotate.actions.judging import Answer, Shown, submit
from annotate.models import Annotator, Claim


def an_id(annotator: Annotator, fits: Callable[[float], bool]) -> UUID:
    """An id for a claim that the project decides about in this way."""
    while True:
        claim_id = uuid4()
        if fits(chance(annotator.project.salt, claim_id)):
            return claim_id


def control(annotator: Annotator) -> Claim | None:
    """The next claim, where the project's chance says that a control is due."""
    return queue.claim_next(annotator=annotator, claim_id=an_id(annotator, lambda at: at < 0.1))


def ordinary(annotator: Annotator) -> Claim | None:
    return queue.claim_next(annotator=annotator, claim_id=an_id(annotator, lambda at: at > 0.6))


def answer_all(claim: Claim, verdict: Shown = "a", seconds: float | None = None) -> list[UUID]:
    answers = [
        Answer(id=uuid4(), comparison=i, verdict=verdict, strength=2 if verdict in ("a", "b") else None)
        for i in claim.comparison_ids
    ]
    return submit(annotator=claim.annotator, claim_id=claim.pk, answers=answers, seconds=seconds).saved
