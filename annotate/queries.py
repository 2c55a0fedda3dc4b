"""Reads. Whatever is shown to somebody goes through visible_to or a claim of their own."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, QuerySet, Subquery, Sum

from annotate.access import Unknown
from annotate.models import (
    Annotator,
    Claim,
    Membership,
    Outcome,
    Pair,
    Project,
    Stream,
    User,
    Verdict,
)

VISIBLE_IMPORT = Q(data_import__isnull=True) | Q(data_import__visible=True)


def visible_to(user: User) -> QuerySet[Project]:
    """The projects that the user is a member of; all of them for a superuser."""
    if user.is_superuser:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=user)


def annotator_of(user: User, claim_id: UUID) -> Annotator:
    """The user's pseudonym that holds a claim, with its project.

    Raises:
        Unknown: there is no such claim of the user's own, or the user is no longer in its project.
    """
    mine = Annotator.objects.select_related("project").filter(claims=claim_id, user=user)
    if not user.is_superuser:
        mine = mine.filter(project__memberships__user=user)
    found = mine.first()
    if found is None:
        raise Unknown("There is no such claim of yours.")
    return found


def project_for(user: User, slug: str) -> Project:
    """
    Raises:
        Unknown: there is no such project for this user.
    """
    project = visible_to(user).filter(slug=slug).first()
    if project is None:
        raise Unknown(f"There is no project {slug!r} for you.")
    return project


def visible_pairs(project: Project) -> QuerySet[Pair]:
    return Pair.objects.filter(VISIBLE_IMPORT, project=project)


def pair_count(project: Project) -> int:
    """Visible pairs, from the streams' counts: no row of a pair is read."""
    return Stream.objects.filter(project=project).aggregate(n=Sum("total"))["n"] or 0


def projects_with_progress(user: User) -> list[tuple[Project, str, int, int]]:
    """(project, the user's role, pairs judged by the user, visible pairs) for each project, by name."""
    roles = dict(Membership.objects.filter(user=user).values_list("project_id", "role"))
    judged = dict(Annotator.objects.filter(user=user).values_list("project_id", "judged_pairs"))
    projects = visible_to(user).annotate(pair_total=Sum("streams__total")).order_by("name")
    return [
        (project, roles.get(project.pk, "manager"), judged.get(project.pk, 0), project.pair_total or 0)
        for project in projects
    ]


@dataclass(frozen=True)
class Medium:
    """An asset as a viewer needs it: nothing that identifies the file."""

    modality: str
    probe: dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One response as it may be shown: nothing that tells whose it is."""

    text: str
    medium: Medium | None


@dataclass(frozen=True)
class Head:
    """The annotator's newest judgment on a comparison, a retracted one included; responses, not sides."""

    id: UUID
    verdict: str
    strength: int | None
    tie_kind: str
    broken: str
    rationale: str
    supersedes: UUID | None


@dataclass(frozen=True)
class Asked:
    id: int
    criterion: str
    own: bool
    head: Head | None


@dataclass(frozen=True)
class Work:
    """All that the judge page shows of a claim."""

    claim: Claim
    project: str
    task_type: str
    sensitive: bool
    turns: list[dict[str, Any]]
    media: list[Medium]
    a: Side
    b: Side
    asked: list[Asked]


# Written by hand, as the page's way to the next pair goes through them once each.
_SHOWN_PAIRS = """
    SELECT p.id, j.slug, p.task_type, p.sensitive, q.turns,
           (SELECT jsonb_agg(jsonb_build_array(m.modality, m.probe) ORDER BY pa.position)
            FROM annotate_promptasset pa JOIN annotate_asset m ON m.id = pa.asset_id WHERE pa.prompt_id = q.id),
           r1.text, m1.modality, m1.probe, r2.text, m2.modality, m2.probe
    FROM annotate_pair p
    JOIN annotate_project j ON j.id = p.project_id
    JOIN annotate_prompt q ON q.id = p.prompt_id
    JOIN annotate_response r1 ON r1.id = p.response1_id
    LEFT JOIN annotate_asset m1 ON m1.id = r1.asset_id
    JOIN annotate_response r2 ON r2.id = p.response2_id
    LEFT JOIN annotate_asset m2 ON m2.id = r2.asset_id
    WHERE p.id = ANY (%s)
"""
_ASKED = """
    SELECT l.id, c.id, t.text, c.author_id IS NOT DISTINCT FROM l.annotator_id,
           h.id, h.verdict, h.strength, h.tie_kind, h.broken, h.rationale, h.supersedes_id
    FROM annotate_claim l
    JOIN annotate_comparison c ON c.pair_id = l.pair_id
         AND (c.id = ANY (l.comparison_ids) OR c.author_id = l.annotator_id)
    JOIN annotate_criterion t ON t.id = c.criterion_id
    LEFT JOIN annotate_judgment h ON h.comparison_id = c.id AND h.annotator_id = l.annotator_id
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = h.id)
    WHERE l.id = ANY (%s) ORDER BY c.id
"""


def claim_work(claims: Sequence[Claim]) -> list[Work]:
    """What each claim shows, in two statements however many there are."""
    with connection.cursor() as cursor:
        cursor.execute(_SHOWN_PAIRS, [[claim.pair_id for claim in claims]])
        pairs = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_ASKED, [[claim.pk for claim in claims]])
        asked: defaultdict[UUID, list[Asked]] = defaultdict(list)
        for claim_id, comparison_id, criterion, own, *head in cursor.fetchall():
            asked[claim_id].append(Asked(comparison_id, criterion, own, Head(*head) if head[0] else None))
    return [_work(claim, pairs[claim.pair_id], asked[claim.pk]) for claim in claims]


def _work(claim: Claim, pair: tuple[Any, ...], asked: list[Asked]) -> Work:
    slug, task_type, sensitive, turns, media, text1, modality1, probe1, text2, modality2, probe2 = pair
    first = Side(text1, _medium(modality1, probe1))
    second = Side(text2, _medium(modality2, probe2))
    if claim.flip:
        first, second = second, first
    prompt_media = [Medium(modality, probe) for modality, probe in _json(media) or []]
    return Work(claim, slug, task_type, sensitive, _json(turns), prompt_media, first, second, asked)


def _medium(modality: str | None, probe: Any) -> Medium | None:
    return Medium(modality, _json(probe)) if modality else None


def _json(value: Any) -> Any:
    """Django's connections hand jsonb to raw statements as text."""
    return json.loads(value) if isinstance(value, str) else value


def held_claims(annotator: Annotator) -> list[Claim]:
    """Claims in hand, the oldest first."""
    return list(Claim.objects.filter(annotator=annotator, closed_at__isnull=True).order_by("created_at"))


def history(annotator: Annotator, before: Any = None, size: int = 50) -> list[Claim]:
    """The annotator's ended claims, newest first, with their prompts and `answered` counts."""
    ended = Claim.objects.filter(
        annotator=annotator, outcome__in=[Outcome.SUBMITTED, Outcome.SKIPPED, Outcome.EXPIRED]
    )
    if before is not None:
        ended = ended.filter(created_at__lt=before)
    newest = ended.order_by("-created_at").values("pk")[:size]
    return list(
        Claim.objects.filter(pk__in=Subquery(newest))
        .select_related("pair__prompt")
        .annotate(
            answered=Count(
                "judgments",
                filter=Q(judgments__superseded_by__isnull=True) & ~Q(judgments__verdict=Verdict.RETRACTED),
            ),
        )
        .order_by(F("created_at").desc())
    )
