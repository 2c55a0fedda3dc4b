"""The simulated annotators: how each of them judges, and how they work through the queue.

They see what everybody sees, an order that the server drew, and answer by sides. What they find follows from the
traits of the two responses alone, by rules that docs/demo.md states and tests/demo/ checks.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from annotate.actions import queue
from annotate.actions.judging import Answer, response_shown, submit, text_key
from annotate.demo.rules import ASKED_BY_TEXT, TOP, WRITTEN, Asked, Trait, Traits, chance
from annotate.models import Annotator, Claim, Comparison, Outcome, Pair

_SPACE = UUID("c1b1f3a4-6d0e-4c43-9d0b-0a3c6f6f2b57")


@dataclass(frozen=True)
class Person:
    """One simulated annotator.

    A verdict follows Bradley and Terry with Davidson's ties: with the score s of a response by a criterion (0..4) and
    x = sharpness * (s of A - s of B) + lean + taste * (lively of A - lively of B), A wins, B wins or there is a tie with
    weights e^(x/2), e^(-x/2) and ties.
    """

    name: str
    pairs: int  # how many are judged or skipped
    sharpness: float = 1.0
    ties: float = 0.6
    lean: float = 0.0  # toward side A: a bias
    taste: float = 0.0  # for what is lively, whatever is asked: a bias
    skips: float = 0.03
    unsure: float = 0.015
    writes: float = 0.0  # how often a criterion of one's own
    explains: float = 0.1  # how often a reason
    seconds: float = 25.0  # on a pair, about


PEOPLE = (
    Person("demo-ada", 46, sharpness=1.5, ties=0.5, writes=0.12, explains=0.3, seconds=40),
    Person("demo-ben", 44, sharpness=1.2, writes=0.06, explains=0.15),
    Person("demo-chloe", 40, taste=0.45, seconds=20),
    Person("demo-dmitri", 36, sharpness=0.9, lean=0.9),  # likes what stands on side A
    Person("demo-eva", 34, sharpness=0.35, skips=0.1, explains=0, seconds=4),  # in a hurry
    Person("demo-farid", 28, sharpness=1.1, ties=1.6, explains=0.2, seconds=35),  # sees ties everywhere
)

_REASONS: dict[Trait, tuple[str, ...]] = {
    Trait.FAITHFUL: (
        "The other one gets something wrong.",
        "Compared it with what was asked.",
        "One mistake less.",
    ),
    Trait.FINISH: ("The other one is carelessly made.", "Simply cleaner.", "Hardly a flaw here."),
    Trait.LIVELY: ("There is more or less life in it, as asked.", "Compared the mood."),
    Trait.FULL: ("Compared how much is there.", "The amount decides it for me."),
}


def chances(person: Person, asked: Asked, first: Traits, second: Traits) -> tuple[float, float, float]:
    """The chances that the one on side A wins, the one on side B wins, or neither does."""
    x = person.sharpness * (asked.score(first) - asked.score(second)) + person.lean
    x += person.taste * (first[Trait.LIVELY] - second[Trait.LIVELY])
    a, b = math.exp(x / 2), math.exp(-x / 2)
    whole = a + b + person.ties
    return a / whole, b / whole, person.ties / whole


def verdict(
    person: Person, asked: Asked, first: Traits, second: Traits, rng: random.Random
) -> dict[str, Any]:
    """What the person answers about the responses on side A and side B: fields of an Answer."""
    if rng.random() < person.unsure:
        return {"verdict": "cannot_tell"}
    a, b, _ = chances(person, asked, first, second)
    throw = rng.random()
    if throw >= a + b:
        good = asked.score(first) + asked.score(second) >= TOP
        return {"verdict": "tie", "tie_kind": "both_good" if good else "both_bad"}
    gap = person.sharpness * abs(asked.score(first) - asked.score(second)) + rng.gauss(0, 0.7)
    found = {"verdict": "a" if throw < a else "b", "strength": 1 if gap < 1 else 2 if gap < 2.5 else 3}
    if rng.random() < person.explains:
        found["rationale"] = rng.choice(_REASONS[asked.trait])
    return found


def visits() -> int:
    """How many pairs are looked at in `work`, all in all."""
    return sum(person.pairs for person in PEOPLE)


def work_to_the_end(
    annotators: dict[str, Annotator], progress: Callable[[int], None] = lambda done: None
) -> None:
    """Let everybody judge or skip, who does more in `work` more often, until nobody finds a pair. Goes on after a kill,
    as long as nothing else was imported meanwhile."""
    rng = chance("turns", "to the end")
    busy = list(PEOPLE)
    made: Counter[str] = Counter()
    while busy:
        [person] = rng.choices(busy, [person.pairs for person in busy])
        if not _look(person, annotators[person.name], f"to the end {made[person.name]}"):
            busy.remove(person)
        made[person.name] += 1
        progress(made.total())


def work(annotators: dict[str, Annotator], progress: Callable[[int], None] = lambda done: None) -> None:
    """Let each person (by name) judge or skip as many pairs as they do, in turns. After a kill it goes on.

    Ids follow from the annotator and the number of the visit: what was acknowledged is not done twice. `progress` is
    told the visits done.
    """
    turns = [person for person in PEOPLE for _ in range(person.pairs)]
    chance("turns").shuffle(turns)
    made: Counter[str] = Counter()
    for done, person in enumerate(turns, 1):
        _look(person, annotators[person.name], str(made[person.name]))
        made[person.name] += 1
        progress(done)


def _look(person: Person, annotator: Annotator, visit: str) -> bool:
    """The person's visit of this name to the next pair, unless it was made before; False if there is no pair."""
    claim = queue.claim_next(annotator=annotator, claim_id=uuid5(_SPACE, f"{annotator.pk} {visit}"))
    if claim and claim.outcome == Outcome.HELD:
        _visit(person, annotator, claim)
    return claim is not None


def _visit(person: Person, annotator: Annotator, claim: Claim) -> None:
    pair = Pair.objects.select_related("response1", "response2").get(pk=claim.pair_id)
    rng = chance("verdict", person.name, pair.external_id)
    if rng.random() < person.skips:
        queue.skip_claim(
            annotator=annotator, claim_id=claim.pk, reason=rng.choice(("not_my_field", "unclear", "too_long"))
        )
        return
    by_response = {
        name: Traits(**getattr(pair, name).metadata["traits"]) for name in ("response1", "response2")
    }
    first, second = (by_response[response_shown(side, claim.flip)] for side in ("a", "b"))
    answers = []
    comparisons = Comparison.objects.filter(pk__in=claim.comparison_ids).select_related("criterion")
    for comparison in comparisons.order_by("pk"):
        asked = ASKED_BY_TEXT.get(comparison.criterion.text)
        if asked is None:
            continue  # written by a visitor of the demo: nobody here knows what it means
        dice = chance("verdict", person.name, pair.external_id, asked.text)
        found = verdict(person, asked, first, second, dice)
        answers.append(Answer(id=uuid5(claim.pk, asked.text), comparison=comparison.pk, **found))
    if rng.random() < person.writes and (own := _unasked(pair, rng)):
        dice = chance("verdict", person.name, pair.external_id, own.text)
        found = verdict(person, own, first, second, dice)
        answers.append(Answer(id=uuid5(claim.pk, own.text), criterion=own.text, **found))
    if not answers:
        queue.skip_claim(annotator=annotator, claim_id=claim.pk, reason="unclear")
        return
    seconds = max(1.5, rng.gauss(person.seconds, person.seconds * 0.3)) * len(answers) / 2
    submit(annotator=annotator, claim_id=claim.pk, answers=answers, seconds=round(seconds, 1))


def _unasked(pair: Pair, rng: random.Random) -> Asked | None:
    """A criterion of one's own that the pair has not been asked yet."""
    there = {bytes(key) for key in pair.comparisons.values_list("criterion__text_key", flat=True)}
    fresh: Sequence[Asked] = [one for one in WRITTEN if text_key(one.text) not in there]
    return rng.choice(fresh) if fresh else None
