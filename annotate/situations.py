"""What the rule book is asked about: an annotator, as the rows tell of them at this instant."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from annotate import models
from annotate.models import Annotator
from annotate.prepared import prepared_cursor
from annotate.rules import Need, Person, PoolRule, Situation, why_not_pair
from annotate.visible import visible

# Whether nothing is asked, or the newest text was agreed to: two lookups by index, however many versions and answers.
_CONSENTED = """
    (SELECT t.text = '' OR COALESCE((SELECT c.given FROM annotate_consent c
                                     WHERE c.annotator_id = %(annotator)s AND c.text_id = t.id
                                     ORDER BY c.id DESC LIMIT 1), false)
     FROM annotate_consenttext t WHERE t.project_id = %(project)s ORDER BY t.version DESC LIMIT 1) IS NOT FALSE
"""

# Whether the project lets everybody begin, or this annotator is in, by its round of now: two lookups by index.
_QUALIFIED = """
    (NOT p.qualify OR EXISTS (SELECT FROM annotate_qualification q
                              WHERE q.annotator_id = a.id AND q.round = p.qualify_round AND q.passed_at IS NOT NULL))
"""

# One row: whose the claim is if it exists, how many claims this annotator holds, what else the rule book asks of them,
# and the lines of the project's queue with how far they were walked. All by index, and none of it grows with the queue.
_LOOK = f"""
    SELECT (SELECT annotator_id FROM annotate_claim WHERE id = %(claim)s),
           (SELECT count(*) FROM annotate_claim l
            WHERE l.annotator_id = a.id AND l.closed_at IS NULL AND l.expires_at > %(now)s),
           (SELECT m.pause_reason FROM annotate_membership m
            WHERE m.project_id = a.project_id AND m.user_id = a.user_id AND m.paused_at IS NOT NULL),
           {_CONSENTED},
           (SELECT true FROM annotate_exclusion e WHERE e.annotator_id = a.id AND e.lifted_at IS NULL) IS NOT NULL,
           {_QUALIFIED}, p.state, a.judged_pairs, a.crowd_until, a.day, a.day_pairs, p.most_a_day, p.most_share,
           CASE WHEN p.most_share < 1
                THEN (SELECT sum(s.total) FROM annotate_stream s WHERE s.project_id = p.id)::bigint END,
           (SELECT jsonb_agg(jsonb_build_array(m.group_id,
                                               (SELECT g.kind FROM annotate_annotatorgroup g WHERE g.id = m.group_id),
                                               (SELECT g.name FROM annotate_annotatorgroup g WHERE g.id = m.group_id)))
            FROM annotate_groupmember m WHERE m.annotator_id = a.id),
           (SELECT jsonb_agg(jsonb_build_array(r.group_id, r.task_type, r.excludes))
            FROM annotate_poolrule r WHERE r.project_id = p.id),
           (SELECT jsonb_agg(jsonb_build_array(n.id, n.task_type, n.language, n.expertise, n.any_of,
                                               (SELECT r.cursor FROM annotate_reach r
                                                WHERE r.annotator_id = a.id AND r.need_id = n.id)) ORDER BY n.id)
            FROM annotate_need n WHERE n.project_id = p.id)
    FROM annotate_annotator a JOIN annotate_project p ON p.id = a.project_id
    WHERE a.id = %(annotator)s
"""


@dataclass(frozen=True, slots=True)
class Line:
    """Pairs of one need in the queue of a project, and the draw up to which the annotator has walked it."""

    id: int  # of the need
    need: Need
    cursor: int


@dataclass(frozen=True, slots=True)
class Looked:
    """An annotator's situation. `holder`: whose the claim asked about is, if there is one."""

    holder: int | None
    situation: Situation
    pause_reason: str
    person: Person
    rules: Sequence[PoolRule]
    lines: Sequence[Line]

    def own_lines(self) -> dict[int, int]:
        """The needs whose pairs the annotator may judge, each with how far they have come."""
        return {
            line.id: line.cursor
            for line in self.lines
            if why_not_pair(line.need, self.rules, self.person) is None
        }


def look_at(
    cursor: Any,
    *,
    annotator: int,
    project: int,
    now: datetime,
    most_held: int,
    claim: UUID | None = None,
) -> Looked:
    """By one prepared statement of the given cursor."""
    names = {"annotator": annotator, "project": project, "claim": claim, "now": now}
    cursor.execute(_LOOK, names)
    holder, held, paused, consented, excluded, qualified, *rest, groups, rules, needs = cursor.fetchone()
    state, judged, agreed, day, day_judged, most_a_day, most_share, pairs = rest
    return Looked(
        holder,
        Situation(
            state=state,
            paused=paused is not None,
            consented=consented,
            excluded=excluded,
            qualified=qualified,
            held=held,
            most_held=most_held,
            judged=judged,
            agreed=agreed,
            day=day,
            day_judged=day_judged,
            most_a_day=most_a_day,
            most_share=most_share,
            pairs=pairs,
        ),
        paused or "",
        Person.of((pk, kind, name) for pk, kind, name in _list(groups)),
        [PoolRule(group, task_type, excludes) for group, task_type, excludes in _list(rules)],
        [
            Line(pk, Need(task_type, language, tuple(expertise), any_of), at or 0)
            for pk, task_type, language, expertise, any_of, at in _list(needs)
        ],
    )


def situation_of(annotator: Annotator, now: datetime) -> Looked:
    """As `look_at`, for who only wants to know."""
    with prepared_cursor() as cursor:
        return look_at(
            cursor,
            annotator=annotator.pk,
            project=annotator.project_id,
            now=now,
            most_held=annotator.project.claims_in_hand,
        )


def _list(value: Any) -> list[Any]:
    found: list[Any] = json.loads(value) if isinstance(value, str) else value or []
    return found


def lines_of(annotator_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Of each annotator the needs whose pairs they may judge, with how far they have come in the line of each."""
    if not annotator_ids:
        return {}
    projects = dict(Annotator.objects.filter(pk__in=annotator_ids).values_list("pk", "project_id"))
    needs: dict[int, list[tuple[int, Need]]] = {}
    for row in models.Need.objects.filter(project__in=set(projects.values())).order_by("pk"):
        told = Need(row.task_type, row.language, tuple(row.expertise), row.any_of)
        needs.setdefault(row.project_id, []).append((row.pk, told))
    rules: dict[int, list[PoolRule]] = {}
    for rule in models.PoolRule.objects.filter(project__in=set(projects.values())):
        told_rule = PoolRule(rule.group_id, rule.task_type, rule.excludes)
        rules.setdefault(rule.project_id, []).append(told_rule)
    groups: dict[int, list[tuple[int, str, str]]] = {}
    members = models.GroupMember.objects.filter(annotator__in=annotator_ids)
    for member in members.select_related("group"):
        told_group = (member.group_id, member.group.kind, member.group.name)
        groups.setdefault(member.annotator_id, []).append(told_group)
    reached = {
        (annotator, need): cursor
        for annotator, need, cursor in models.Reach.objects.filter(annotator__in=annotator_ids).values_list(
            "annotator_id", "need_id", "cursor"
        )
    }
    return {
        annotator: {
            pk: reached.get((annotator, pk), 0)
            for pk, need in needs.get(project, ())
            if why_not_pair(need, rules.get(project, ()), Person.of(groups.get(annotator, ()))) is None
        }
        for annotator, project in projects.items()
    }


def undrawn(needs: Sequence[int]) -> bool:
    """Whether a pair of these needs has never stood in the queue yet, and may."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT EXISTS (SELECT FROM annotate_pair p
                           WHERE p.need_id = ANY (%s) AND NOT p.queued AND p.ready AND {visible("p")})
            """,
            [list(needs)],
        )
        found: bool = cursor.fetchone()[0]
    return found


def draws_ahead(lines: Mapping[int, int], most: int) -> int:
    """Open draws in these lines (need: cursor) beyond the cursors, counted up to `most`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM (
                SELECT FROM unnest(%(needs)s::bigint[], %(cursors)s::bigint[]) AS line (need, cursor)
                CROSS JOIN LATERAL (SELECT d.id FROM annotate_draw d
                                    WHERE d.need_id = line.need AND d.open AND d.id > line.cursor
                                    ORDER BY d.id LIMIT %(most)s) ahead
                LIMIT %(most)s) found
            """,
            {"needs": list(lines), "cursors": list(lines.values()), "most": most},
        )
        count: int = cursor.fetchone()[0]
    return count


def has_come_to_the_end(annotator: Annotator) -> bool:
    """Nothing stands in the annotator's lines any more, and nothing that they may judge will by itself."""
    lines = lines_of([annotator.pk]).get(annotator.pk, {})
    return not draws_ahead(lines, 1) and not undrawn(list(lines))


def is_excluded(annotator: Annotator) -> bool:
    """What the annotator judges from now on counts for no label."""
    return models.Exclusion.objects.filter(annotator=annotator, lifted_at__isnull=True).exists()
