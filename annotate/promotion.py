"""Whether a revision that was held against the current one on the reserve takes its place: the rule, and what it says."""

from dataclasses import dataclass
from typing import Any

from annotate.models import Promotion

SIGNIFICANT = 0.05  # two-sided


@dataclass(frozen=True, slots=True)
class Ruling:
    takes_over: bool
    why: str


def ruling(rule: str, least_labels: int, content: dict[str, Any]) -> Ruling:
    """What the rule says of a `RevisionTest`'s content; `why` is a sentence for the page and the trail.

    Better and not worse are told by the differences of hits, label by label: their 95 % interval, and p of a sign-flip
    test by prompt.
    """
    if rule not in (Promotion.NOT_WORSE, Promotion.BETTER):
        return Ruling(False, "The project's rule leaves it to a button.")
    decided = content["decided"]
    if decided < max(least_labels, 1):
        return Ruling(False, f"{decided:,} decided labels of the reserve are fewer than {least_labels:,}.")
    protocols = content["protocols"]
    worse = [name for name, one in protocols.items() if one["difference"]["high"] < 0]
    if worse:
        return Ruling(False, f"It is worse {' and '.join(worse).replace('_', ' ')}.")
    if rule == Promotion.NOT_WORSE:
        return Ruling(True, f"It is not worse on {decided:,} decided labels of the reserve.")
    one = protocols["without_ties"]
    gained, p = one["difference"]["value"], one["p"]
    told = f"{gained:+.3f} without ties, p {p:.4f}, on {decided:,} decided labels of the reserve"
    if gained > 0 and p < SIGNIFICANT:
        return Ruling(True, f"It is better: {told}.")
    return Ruling(False, f"It is not shown to be better: {told}.")
