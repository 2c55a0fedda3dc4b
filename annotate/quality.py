"""What annotators said to claims that are not for labels, as arrays: how far they can be trusted."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import Q

from annotate.models import Exclusion, Project
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


_KNOWN = f"""
    SELECT l.annotator_id, (j.verdict = g.verdict)::int
    FROM annotate_annotator p
    JOIN annotate_claim l ON l.annotator_id = p.id AND l.kind = 'gold'
    JOIN annotate_judgment j ON j.claim_id = l.id AND j.verdict = ANY ({_USABLE})
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id)
    JOIN annotate_gold g ON g.comparison_id = j.comparison_id
    WHERE p.project_id = %s
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


def read_known(project: Project) -> Known:
    """As they stand now, by the answers that are known now."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [project.pk])
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    return Known(*rows.T)
