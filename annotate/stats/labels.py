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
