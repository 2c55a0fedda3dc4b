"""What annotators said to claims that are not for labels, as arrays: how far they can be trusted."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import Q

from annotate.models import Exclusion, KnownKind, Project
from annotate.stats.estimates import Ints
from annotate.stats.labels import USABLE

_USABLE = f"ARRAY[{', '.join(repr(str(label)) for label in USABLE)}]"


def exclusions_changed(project_id: int, since: datetime) -> bool:
    """Whether somebody was excluded from labels, or counted again, after a moment."""
    later = Q(made_at__gt=since) | Q(lifted_at__gt=since)
    return Exclusion.objects.filter(later, annotator__project=project_id).exists()


# A repeat's answer that holds, beside what its annotator had said of the same comparison by the time that they were
# asked again: what they changed later, perhaps because they were asked again, is another answer.
_REPEATS = f"""
    SELECT l.annotator_id, array_position({_USABLE}, f.verdict::text) - 1,
           array_position({_USABLE}, a.verdict::text) - 1, o.flip::int
    FROM annotate_annotator p
    JOIN annotate_claim l ON l.annotator_id = p.id AND l.kind = 'repeat'
    JOIN annotate_claim o ON o.id = l.repeat_of_id
    JOIN annotate_judgment a ON a.claim_id = l.id AND a.verdict = ANY ({_USABLE})
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = a.id)
    JOIN annotate_judgment f ON f.claim_id = o.id AND f.comparison_id = a.comparison_id
         AND f.verdict = ANY ({_USABLE}) AND f.created_at <= l.created_at
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = f.id AND r.created_at <= l.created_at)
    WHERE p.project_id = %s
"""


# By the kind of the claim: a known answer that is for something else by now is held against nobody.
_KNOWN = f"""
    SELECT l.annotator_id, (j.verdict = g.verdict)::int
    FROM annotate_annotator p
    JOIN annotate_claim l ON l.annotator_id = p.id AND l.kind = %(kind)s
    JOIN annotate_judgment j ON j.claim_id = l.id AND j.verdict = ANY ({_USABLE})
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id)
         AND (j.evidence->'viewing'->'failed') IS NULL
    JOIN annotate_gold g ON g.comparison_id = j.comparison_id AND g.kind = l.kind
    WHERE p.project_id = %(project)s
"""


@dataclass(frozen=True)
class Repeats:
    """Answers to what was asked again, one a row; verdicts as places in USABLE."""

    annotator: Ints
    first: Ints
    again: Ints
    flip: Ints  # 1: response 2 stood left at first


def read_repeats(project: Project) -> Repeats:
    """Those of a usable verdict both times, as they stand now."""
    with connection.cursor() as cursor:
        cursor.execute(_REPEATS, [project.pk])
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 4)
    return Repeats(*rows.T)


@dataclass(frozen=True)
class Known:
    """Usable verdicts on what has a known answer, one a row."""

    annotator: Ints
    right: Ints  # 1: it is that answer


def read_known(project: Project, kind: KnownKind = KnownKind.GOLD) -> Known:
    """Gold, or attention checks: as they stand now, by the answers that are known now.

    What was skipped, broken, not seen as a whole or could not be told is none: it counts against nobody.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, {"project": project.pk, "kind": str(kind)})
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    return Known(*rows.T)


@dataclass(frozen=True, slots=True)
class Checks:
    """How an annotator did at attention checks; `other`: skipped, broken, not seen as a whole, or no opinion."""

    pseudonym: str
    passed: int
    missed: int
    other: int


# One row a check that has ended, with what was said to it, if that is an opinion on what was seen as a whole.
_CHECKED = f"""
    FROM annotate_annotator a
    JOIN annotate_claim l ON l.annotator_id = a.id AND l.kind = 'attention' AND l.outcome IN ('submitted', 'skipped')
    CROSS JOIN unnest(l.comparison_ids) AS asked (id)
    JOIN annotate_gold g ON g.comparison_id = asked.id AND g.kind = 'attention'
    LEFT JOIN annotate_judgment j ON j.claim_id = l.id AND j.comparison_id = asked.id AND j.verdict = ANY ({_USABLE})
         AND (j.evidence->'viewing'->'failed') IS NULL
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id)
"""


def attention_by_annotator(project: Project, most: int = 200) -> list[Checks]:
    """Those who missed most first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT a.pseudonym, count(*) FILTER (WHERE j.verdict = g.verdict) AS passed,
                   count(*) FILTER (WHERE j.verdict <> g.verdict) AS missed, count(*) FILTER (WHERE j.id IS NULL)
            {_CHECKED} WHERE a.project_id = %s GROUP BY a.id ORDER BY missed DESC, passed DESC, a.pseudonym LIMIT %s
            """,
            [project.pk, most],
        )
        return [Checks(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Missed:
    """An attention check that was answered otherwise than it asks for itself."""

    pseudonym: str
    pair_id: int
    prompt: str
    criterion: str
    said: str
    known: str
    at: datetime


def missed_checks(project: Project, most: int = 100) -> list[Missed]:
    """The newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT a.pseudonym, l.pair_id, COALESCE(q.turns->-1->>'text', ''), t.text, j.verdict, g.verdict, j.created_at
            {_CHECKED}
            JOIN annotate_comparison c ON c.id = asked.id JOIN annotate_criterion t ON t.id = c.criterion_id
            JOIN annotate_pair p ON p.id = c.pair_id JOIN annotate_prompt q ON q.id = p.prompt_id
            WHERE a.project_id = %s AND j.verdict <> g.verdict ORDER BY j.created_at DESC, j.id LIMIT %s
            """,
            [project.pk, most],
        )
        return [Missed(*row) for row in cursor.fetchall()]
