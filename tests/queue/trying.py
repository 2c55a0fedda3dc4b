"""Projects that train and test first, and annotators who go through it."""

from typing import Any
from uuid import uuid4

from annotate.actions import queue
from annotate.actions.gold import mark_gold
from annotate.actions.judging import submit
from annotate.models import Annotator, Claim, Comparison, Gold, Project
from tests.factories import make_comparison, make_criterion, make_pair, make_project
from tests.queue.controls import answer_all

RULE = "Which is true?"


def make_set(project: Project, kind: str, pairs: int, verdict: str = "response1") -> list[Comparison]:
    """So many pairs with a known answer each."""
    criterion = make_criterion(project, RULE, objective=True)
    made = []
    for n in range(pairs):
        pair = make_pair(project, prompt=f"{kind} {n + 1}?")
        made.append(make_comparison(pair, criterion))
        mark_gold(by=None, comparison=made[-1], verdict=verdict, note=f"Rule {n + 1}.", kind=kind)
    return made


def gated(training: int = 2, quiz: int = 3, pairs: int = 4, **fields: Any) -> Project:
    """A project with a training set, a quiz and pairs to judge; response 1 is always right."""
    given = {
        "qualify": True,
        "claims_in_hand": 2,
        "split_ties": False,
        "reserve_share": 0,
        "validation_share": 0,
    }
    project = make_project(**{**given, **fields})
    make_set(project, "training", training)
    make_set(project, "quiz", quiz)
    for _ in range(pairs):
        make_comparison(make_pair(project))
    return project


def claim(annotator: Annotator) -> Claim:
    found = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert found
    return found


def answered(given: Claim, right: bool = True) -> None:
    """Answer a claim as it is known, or otherwise."""
    known = Gold.objects.filter(comparison__in=given.comparison_ids).values_list("verdict", flat=True)[0]
    first = (known == "response1") == right
    answer_all(given, "a" if first != given.flip else "b")


def broken(given: Claim) -> None:
    """Say that a medium of the pair is broken."""
    from annotate.actions.judging import Answer

    answers = [
        Answer(id=uuid4(), comparison=i, verdict="media_broken", broken="a") for i in given.comparison_ids
    ]
    submit(annotator=given.annotator, claim_id=given.pk, answers=answers)


def trained(annotator: Annotator, pairs: int = 2) -> None:
    for _ in range(pairs):
        answered(claim(annotator))


def tried(annotator: Annotator, *right: bool) -> None:
    """Go through the quiz."""
    for one in right:
        answered(claim(annotator), one)
