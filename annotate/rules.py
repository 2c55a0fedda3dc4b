"""The rule book: may this person be asked this comparison now, and if not, why not. Pure: values in, a reason out.

`actions/queue.py` asks `why_not_now` and `why_not_pair` themselves. What is said of one comparison in `why_not_asked` it
must say in SQL, as it looks for the first among many: `tests/queue/test_rules.py` plays random histories and holds the
two against each other. `reasons.py` has the words.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Reason(StrEnum):
    """Why somebody is asked nothing, not this pair, or not this comparison."""

    # Of the person, whatever the pair.
    PAUSED = "paused"
    PROJECT_PAUSED = "project paused"
    PROJECT_CLOSED = "project closed"
    NO_CONSENT = "no consent"
    HAND_FULL = "hand full"
    EXCLUDED = "excluded"
    NOT_QUALIFIED = "not qualified"
    AGREED_DONE = "agreed number done"
    DAY_DONE = "day done"
    SHARE_DONE = "share done"
    # Of the pair.
    NOT_IN_POOL = "not in the pool"
    KEPT_OUT = "kept out"
    LANGUAGE = "language"
    EXPERTISE = "expertise"
    # Of the comparison.
    UNSEEN = "import unfinished"
    KNOWN = "answer known"
    CRITERION = "criterion not asked"
    FULL = "full"
    SEATED = "judged or held"
    OFFERED = "offered before"


@dataclass(frozen=True, slots=True)
class Situation:
    """How somebody is placed in a project: what was set for everybody, and what they did. Counts are of pairs."""

    state: str = "open"  # of the project
    paused: bool = False
    consented: bool = True
    excluded: bool = False
    qualified: bool = True  # they are through training and quiz, or there are none
    held: int = 0
    most_held: int = 2
    judged: int = 0
    agreed: int | None = None  # of who came from Prolific: at so many they are done
    day: date | None = None  # on which they submitted last, and how many
    day_judged: int = 0
    most_a_day: int = 0  # 0: no limit
    most_share: float = 1  # of `pairs`
    pairs: int | None = None  # None where no share is limited


def why_not_now(s: Situation, today: date) -> Reason | None:
    """Why the person gets no other pair now, whichever; None where they may. What is held counts as judged.

    The first of several reasons, in the order in which they are told. `today` is by UTC.
    """
    if s.paused:
        return Reason.PAUSED
    if s.state != "open":
        return Reason.PROJECT_PAUSED if s.state == "paused" else Reason.PROJECT_CLOSED
    if not s.consented:
        return Reason.NO_CONSENT
    if s.held >= s.most_held:
        return Reason.HAND_FULL
    if s.excluded:
        return Reason.EXCLUDED
    if not s.qualified:
        return Reason.NOT_QUALIFIED
    if s.agreed is not None and s.judged + s.held >= s.agreed:
        return Reason.AGREED_DONE
    so_far = s.day_judged if s.day and s.day >= today else 0
    if s.most_a_day and so_far + s.held >= s.most_a_day:
        return Reason.DAY_DONE
    if s.pairs is not None and s.judged + s.held >= max(1, math.floor(s.most_share * s.pairs + 1e-9)):
        return Reason.SHARE_DONE
    return None


@dataclass(frozen=True, slots=True)
class Need:
    """What a pair asks of who judges it. `any_of`: one of the expertises is enough, else all are wanted."""

    task_type: str
    language: str = ""  # "": any
    expertise: tuple[str, ...] = ()
    any_of: bool = False


@dataclass(frozen=True, slots=True)
class PoolRule:
    """Of a project: a group may judge pairs of a task type ("": of all), and who is in none such may not; or, where it
    `excludes`, who is in the group may not."""

    group: int
    task_type: str = ""
    excludes: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of somebody by the groups of the project that they are in. Names are compared without case."""

    groups: frozenset[int] = frozenset()
    languages: frozenset[str] = frozenset()
    expertise: frozenset[str] = frozenset()

    @classmethod
    def of(cls, groups: Iterable[tuple[int, str, str]]) -> "Person":
        """By (id, kind, name) of each group."""
        found = list(groups)
        named = {
            kind: frozenset(name.casefold() for _, its, name in found if its == kind)
            for kind in ("language", "expertise")
        }
        return cls(frozenset(pk for pk, _, _ in found), named["language"], named["expertise"])


def why_not_pair(need: Need, rules: Sequence[PoolRule], person: Person) -> Reason | None:
    """Why the person may not judge pairs of this need, ever, as long as groups and rules are these."""
    of_type = [rule for rule in rules if rule.task_type in ("", need.task_type)]
    if any(rule.excludes and rule.group in person.groups for rule in of_type):
        return Reason.KEPT_OUT
    # A rule of the very task type goes before one of all.
    pools = [rule for rule in of_type if not rule.excludes]
    own = [rule for rule in pools if rule.task_type] or pools
    if own and not any(rule.group in person.groups for rule in own):
        return Reason.NOT_IN_POOL
    if need.language and need.language.casefold() not in person.languages:
        return Reason.LANGUAGE
    wanted = {tag.casefold() for tag in need.expertise}
    held = wanted & person.expertise
    if wanted and not (held if need.any_of else held == wanted):
        return Reason.EXPERTISE
    return None


@dataclass(frozen=True, slots=True)
class Criterion:
    """How it was decided about. `canonical`: the state of what it was merged into; `beside`: the pair is judged by that."""

    state: str = "accepted"
    canonical: str | None = None
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A comparison as it stands: `seated` are the annotators who hold a place of it or are counted, `offered` those who
    were offered it in a claim that they submitted or skipped, or to be measured by its known answer."""

    k: int
    criterion: Criterion = Criterion()
    seen: bool = True
    known: bool = False
    seated: frozenset[int] = field(default_factory=frozenset)
    offered: frozenset[int] = field(default_factory=frozenset)


def is_asked(criterion: Criterion) -> bool:
    """Whether others than its author are asked by it. What was merged is asked as its canonical one, and not beside it."""
    if criterion.canonical is None:
        return criterion.state == "accepted"
    return (
        criterion.state not in ("rejected", "retired")
        and criterion.canonical == "accepted"
        and not criterion.beside
    )


def why_not_asked(ask: Ask, annotator: int) -> Reason | None:
    """Why this annotator is not asked this comparison for a label. (A repeat asks again, and is no label.)"""
    if not ask.seen:
        return Reason.UNSEEN
    if ask.known:
        return Reason.KNOWN
    if not is_asked(ask.criterion):
        return Reason.CRITERION
    if annotator in ask.seated:
        return Reason.SEATED
    if annotator in ask.offered:
        return Reason.OFFERED
    if len(ask.seated) >= ask.k:
        return Reason.FULL
    return None
