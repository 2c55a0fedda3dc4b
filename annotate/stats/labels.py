"""The label of a comparison from its counted verdicts."""

from collections.abc import Sequence
from enum import StrEnum


class Label(StrEnum):
    """What a comparison's verdicts come to: one of three labels, or why there is none."""

    RESPONSE1 = "response1"
    RESPONSE2 = "response2"
    TIE = "tie"
    NO_CONSENSUS = "no_consensus"
    TOO_FEW = "too_few"

    @property
    def found(self) -> bool:
        return self in USABLE


# The verdicts that count, in the order of every tally. "Cannot tell", "not applicable" and "media broken" are no
# opinion on which response is better, so they are never a tie: they are left out.
USABLE = (Label.RESPONSE1, Label.RESPONSE2, Label.TIE)

RULE = (
    "A label is what more of a comparison's usable verdicts say than anything else: response1, response2 or "
    "tie. Where the two most frequent are equally frequent there is no consensus, and no label. "
    "Usable are response1, response2 and tie; cannot_tell, not_applicable and media_broken are never ties and "
    "are left out."
)


def label_of(tally: Sequence[int], min_labels: int) -> Label:
    """The label by RULE.

    Args:
        tally: how many usable verdicts say response1, response2, tie, in the order of USABLE.
        min_labels: with fewer usable verdicts than this (at least 1) there is no label.
    """
    if sum(tally) < max(min_labels, 1):
        return Label.TOO_FEW
    most = max(tally)
    if sum(count == most for count in tally) > 1:
        return Label.NO_CONSENSUS
    return USABLE[list(tally).index(most)]


class Origin(StrEnum):
    """Where a label comes from."""

    PEOPLE = "people"
    SETTLED = "settled"
    MODEL = "model"  # which wrote the criterion, and is no judge


class Settled(StrEnum):
    """What becomes of what reviewers settled: it is the label, it is left out, or people's verdicts alone count."""

    USE = "use"
    LEAVE_OUT = "leave_out"
    IGNORE = "ignore"


SETTLED_RULE = {
    Settled.USE: (
        "Where reviewers settled a comparison, what they decided is its label, however many verdicts it has; where they"
        " decided that nobody can tell, it has none."
    ),
    Settled.LEAVE_OUT: "Comparisons that reviewers settled are left out.",
    Settled.IGNORE: "What reviewers settled plays no part.",
}

# Why a comparison has no label because of reviewers.
LEFT_OUT, NO_LABEL = "settled", "nobody_can_tell"


def final_label(people: Label, settled: str, how: Settled, written: str = "") -> tuple[Label | str, Origin]:
    """The label after review, or why there is none, and where it comes from.

    Args:
        people: the label by RULE.
        settled: what reviewers decided, empty where they did not: response1, response2, tie or cannot_tell.
        written: what the model that wrote the criterion says, empty where anybody has judged or settled it.
    """
    if written:
        return Label(written), Origin.MODEL
    if not settled or how == Settled.IGNORE:
        return people, Origin.PEOPLE
    if how == Settled.LEAVE_OUT:
        return LEFT_OUT, Origin.SETTLED
    return (Label(settled) if settled in USABLE else NO_LABEL), Origin.SETTLED


def split(tally: Sequence[int]) -> bool:
    """Annotators disagree: there are usable verdicts, and none of the three has more than half of them.

    Args:
        tally: how many usable verdicts say response1, response2, tie, in the order of USABLE.
    """
    return sum(tally) > 0 and 2 * max(tally) <= sum(tally)


def k_on_disagreement(tally: Sequence[int], k: int, more: int, most: int) -> int:
    """How many labels a comparison wants, once all k that it wanted are there.

    As many as before unless they are split; then `more` than that, but no more than `most`. Labels are never taken
    away: where k is above `most` already, it stays.
    """
    return max(k, min(k + more, most)) if split(tally) else k
