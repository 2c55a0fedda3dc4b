"""Reads about who may judge what: what nobody may judge, and why somebody is asked nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC

from django.db import connection
from django.utils import timezone

from annotate.models import Annotator, Exclusion, GroupMember, Membership, Need, PoolRule, Project
from annotate.reasons import in_words, not_for_you
from annotate.rules import Need as Asked
from annotate.rules import Person, Reason, why_not_now, why_not_pair
from annotate.rules import PoolRule as Rule
from annotate.situations import is_excluded, situation_of
from annotate.visible import visible

MOST_COUNTED = 1000  # pairs of one need: what stands in a page need not be exact beyond it

# Of each need how many of its pairs still ask for labels: never drawn yet, or with an open draw.
_WAITING = f"""
    SELECT n.id,
           (SELECT count(*) FROM (SELECT FROM annotate_pair p
                                  WHERE p.need_id = n.id AND NOT p.queued AND p.ready AND {visible("p")}
                                  LIMIT %(most)s) undrawn)
         + (SELECT count(DISTINCT pair_id) FROM (SELECT d.pair_id FROM annotate_draw d
                                                 WHERE d.need_id = n.id AND d.open LIMIT %(most)s) drawn)
    FROM annotate_need n WHERE n.project_id = %(project)s
"""


def waiting(project_id: int) -> dict[int, int]:
    """How many pairs of each need still ask for labels, of those that have any; counted up to MOST_COUNTED twice."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"project": project_id, "most": MOST_COUNTED})
        return {need: count for need, count in cursor.fetchall() if count}


@dataclass(frozen=True, slots=True)
class Unserved:
    """Pairs that nobody may judge. `why`: of what those who work here lack."""

    need: Need
    pairs: int
    why: Reason

    def __str__(self) -> str:
        many = f"{self.pairs:,}{'+' if self.pairs >= MOST_COUNTED else ''}"
        said = f"{many} {'pairs need' if self.pairs > 1 else 'pair needs'}"
        if self.why is Reason.LANGUAGE:
            return f"{said} the language {self.need.language}; nobody active has it."
        if self.why is Reason.EXPERTISE:
            tags = (" or " if self.need.any_of else " and ").join(self.need.expertise)
            return f"{said} the expertise {tags}; nobody active has {'it' if len(self.need.expertise) < 2 else 'that'}."
        return f"{said} somebody of a pool for {self.need.get_task_type_display()}; nobody active is in it."


def unserved(project: Project) -> list[Unserved]:
    """What nobody may judge of those who are members, not paused and not excluded, whether they have come yet or not."""
    counts = waiting(project.pk)
    needs = list(Need.objects.filter(pk__in=counts).order_by("pk"))
    rules = [
        Rule(rule.group_id, rule.task_type, rule.excludes)
        for rule in PoolRule.objects.filter(project=project)
    ]
    people = set(_people(project))
    found = []
    for need in needs:
        asked = Asked(need.task_type, need.language, tuple(need.expertise), need.any_of)
        reasons = {why_not_pair(asked, rules, person) for person in people}
        if None not in reasons:
            # Told is what is lacking although all else is there, as nearly as that can be said.
            told = next((one for one in _FURTHEST if one in reasons), Reason.NOT_IN_POOL)
            if not people:
                told = Reason.LANGUAGE if need.language else Reason.EXPERTISE if need.expertise else told
            found.append(Unserved(need, counts[need.pk], told))
    return found


_FURTHEST = (Reason.EXPERTISE, Reason.LANGUAGE, Reason.NOT_IN_POOL)


def _people(project: Project) -> Iterable[Person]:
    active = Membership.objects.filter(project=project, paused_at__isnull=True, user__is_active=True)
    annotators = Annotator.objects.filter(project=project, user__in=active.values("user"))
    excluded = set(
        Exclusion.objects.filter(annotator__project=project, lifted_at__isnull=True).values_list(
            "annotator", flat=True
        )
    )
    groups: dict[int, list[tuple[int, str, str]]] = {}
    members = GroupMember.objects.filter(annotator__in=annotators).select_related("group")
    for member in members:
        groups.setdefault(member.annotator_id, []).append(
            (member.group_id, member.group.kind, member.group.name)
        )
    known = set(annotators.values_list("pk", flat=True))
    for annotator in known - excluded:
        yield Person.of(groups.get(annotator, ()))
    if active.count() > len(known):
        yield Person()  # who has not begun is in no group yet


@dataclass(frozen=True, slots=True)
class Withheld:
    """Pairs that still ask for labels and that an annotator may not judge, of one need."""

    need: Asked
    pairs: int
    why: Reason


def withheld_from(annotator: Annotator) -> list[Withheld]:
    """What is left in the project and not for this annotator."""
    looked = situation_of(annotator, timezone.now())
    counts = waiting(annotator.project_id)
    found = []
    for line in looked.lines:
        why = why_not_pair(line.need, looked.rules, looked.person)
        if why and (pairs := counts.get(line.id)):
            found.append(Withheld(line.need, pairs, why))
    return found


def nothing_for(annotator: Annotator) -> str:
    """To an annotator who is given nothing: that what is left is for others; "" where nothing is, or they are not to know."""
    left = [] if is_excluded(annotator) else withheld_from(annotator)
    if not left:
        return ""
    names: dict[str, None] = {}
    for one in left:
        if one.why is Reason.LANGUAGE:
            names[one.need.language] = None
        elif one.why is Reason.EXPERTISE:
            names |= dict.fromkeys(one.need.expertise)
    return not_for_you(sorted(names))


def why_nothing(annotator: Annotator) -> str:
    """To who manages the project: what the annotator is asked now, or why nothing."""
    now = timezone.now()
    looked = situation_of(annotator, now)
    reason = why_not_now(looked.situation, now.astimezone(UTC).date())
    if reason is Reason.EXCLUDED:
        return "Nothing: excluded from labels. They are not told."
    if reason:
        return f"Nothing now. They are told: {in_words(reason, looked.situation, now, looked.pause_reason)}"
    counts = waiting(annotator.project_id)
    own = looked.own_lines()
    said = [
        f"Pairs: {sum(counts.get(line, 0) for line in own):,} still ask for labels, but for those that they have seen already."
    ]
    for one in withheld_from(annotator):
        said.append(f"Not {one.pairs:,}: {_LACKS[one.why](one.need)}.")
    return " ".join(said)


_LACKS = {
    Reason.KEPT_OUT: lambda need: f"a group of theirs is kept out of {need.task_type}",
    Reason.NOT_IN_POOL: lambda need: f"they are in no pool for {need.task_type}",
    Reason.LANGUAGE: lambda need: f"these need the language {need.language}",
    Reason.EXPERTISE: lambda need: (
        f"these need the expertise {(' or ' if need.any_of else ' and ').join(need.expertise)}"
    ),
}
