"""Reads. Whatever is shown to somebody goes through visible_to or a claim of their own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import F, Prefetch, Q, QuerySet, Subquery, Sum
from django.utils.translation import gettext as _

from annotate.access import Unknown
from annotate.likeness import bigrams, most_alike, words
from annotate.meaning import near_typed
from annotate.models import (
    Annotator,
    Claim,
    ClaimKind,
    Criterion,
    CriterionState,
    Judgment,
    Membership,
    Outcome,
    Project,
    Role,
    Stream,
    User,
    Verdict,
)
from annotate.models.pairs import CRITERION_WORDS
from annotate.prepared import columns, made, prepared_cursor

VISIBLE_IMPORT = Q(data_import__isnull=True) | Q(data_import__visible=True)


def visible_to(user: User) -> QuerySet[Project]:
    """The projects that the user is a member of; all of them for a superuser."""
    if user.is_superuser:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=user)


_OF_CLAIM = f"""
    SELECT {columns(Annotator, "a")}, {columns(Project, "j")}
    FROM annotate_claim l
    JOIN annotate_annotator a ON a.id = l.annotator_id
    JOIN annotate_project j ON j.id = a.project_id
    WHERE l.id = %(claim)s AND a.user_id = %(user)s
      AND (%(everywhere)s OR EXISTS (SELECT FROM annotate_membership m
                                     WHERE m.project_id = j.id AND m.user_id = %(user)s))
"""


def annotator_of(user: User, claim_id: UUID) -> Annotator:
    """The user's pseudonym that holds a claim, with its project.

    Raises:
        Unknown: there is no such claim of the user's own, or the user is no longer in its project.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_OF_CLAIM, {"claim": claim_id, "user": user.pk, "everywhere": user.is_superuser})
        row = cursor.fetchone()
    if row is None:
        raise Unknown(_("There is no such claim of yours."))
    width = len(Annotator._meta.concrete_fields)
    annotator = made(Annotator, row[:width])
    annotator.project = made(Project, row[width:])
    return annotator


def annotator_in(user: User, slug: str) -> Annotator:
    """The user's pseudonym in a project, with the project; also of who is no longer a member.

    Raises:
        Unknown: there is none.
    """
    found = Annotator.objects.select_related("project").filter(user=user, project__slug=slug).first()
    if found is None:
        raise Unknown(_("Nothing of yours is stored in this project."))
    return found


def pseudonyms_of(user: User) -> list[Annotator]:
    """The user's pseudonyms, with their projects, by the project's name."""
    return list(Annotator.objects.filter(user=user).select_related("project").order_by("project__name"))


@dataclass(frozen=True, slots=True)
class OwnExtent:
    """What a withdrawal concerns: judgments, revisions among them, and releases that hold some of them."""

    judgments: int
    releases: int


def own_extent(annotator: Annotator) -> OwnExtent:
    judgments = Judgment.objects.filter(annotator=annotator)
    holding = annotator.project.releases.filter(comparisons__judgments__judgment__in=judgments)
    return OwnExtent(judgments.count(), holding.distinct().count())


def project_for(user: User, slug: str) -> Project:
    """
    Raises:
        Unknown: there is no such project for this user.
    """
    project = visible_to(user).filter(slug=slug).first()
    if project is None:
        raise Unknown(_("There is no project %(slug)s for you.") % {"slug": slug})
    return project


def pair_count(project: Project) -> int:
    """Visible pairs, from the streams' counts: no row of a pair is read."""
    return Stream.objects.filter(project=project).aggregate(n=Sum("total"))["n"] or 0


def projects_with_progress(user: User) -> list[tuple[Project, Role, int, int]]:
    """(project, the user's role, pairs judged by the user, visible pairs) for each project, by name."""
    roles = dict(Membership.objects.filter(user=user).values_list("project_id", "role"))
    judged = dict(Annotator.objects.filter(user=user).values_list("project_id", "judged_pairs"))
    projects = visible_to(user).annotate(pair_total=Sum("streams__total")).order_by("name")
    return [
        (
            project,
            Role(roles.get(project.pk, Role.MANAGER)),
            judged.get(project.pk, 0),
            max(project.pair_total or 0, judged.get(project.pk, 0)),  # a pair may be asked of somebody again
        )
        for project in projects
    ]


LIKE_LEAST = 0.35  # likeness below which two criteria have nothing to do with each other
_LIKE_LOOKED_AT = 100
_LIKE_RANKED = 3000  # of a large library where every text has the word, not all are weighed


def suggested_to(project: Project, annotator: Annotator | None) -> QuerySet[Criterion]:
    """The project's library, and what the annotator wrote that nobody else is asked (yet).

    Merged criteria are left out: their canonical one says the same.
    """
    offered = Q(in_library=True)
    if annotator:
        offered |= Q(author=annotator, state__in=(CriterionState.PROPOSED, CriterionState.OWN))
    return Criterion.objects.filter(VISIBLE_IMPORT, offered, project=project, canonical__isnull=True)


def like_criteria(
    project: Project, typed: str, annotator: Annotator | None = None, most: int = 5
) -> list[tuple[str, float]]:
    """Criteria to suggest that are written much like what is typed, with their likeness (0 to 1)."""
    return alike(suggested_to(project, annotator), typed, most)


def suggestions(
    project: Project, typed: str, annotator: Annotator, most: int = 5
) -> tuple[list[tuple[str, float]], bool]:
    """Criteria to suggest that are like what is typed in writing or in meaning, and whether to ask again soon.

    Those found by writing alone where the workers have not said (yet) what it means.
    """
    found = dict(like_criteria(project, typed, annotator, most))
    meant, pending = near_typed(project, " ".join(typed.split()), annotator, most)
    for text, meaning in meant:
        found[text] = max(meaning, found.get(text, 0))
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))[:most], pending


def alike(library: QuerySet[Criterion], typed: str, most: int) -> list[tuple[str, float]]:
    """The texts of a library that are written most like what is typed, with their likeness, the best first.

    Candidates share a word, the last of which may be half typed, or two neighbouring characters where a script does
    not part words.
    """
    found: list[str] = []
    if parts := words(typed):
        query = SearchQuery(" | ".join(f"'{word}':*" for word in parts), config="english", search_type="raw")
        holding = library.annotate(words=CRITERION_WORDS).filter(words=query).values("pk")[:_LIKE_RANKED]
        ranked = Criterion.objects.filter(pk__in=Subquery(holding))
        best = ranked.order_by(SearchRank(CRITERION_WORDS, query).desc())
        found += best.values_list("text", flat=True)[:_LIKE_LOOKED_AT]
    if pieces := bigrams(typed):
        holds = Q()
        for piece in pieces:
            holds |= Q(text__contains=piece)
        found += library.filter(holds).values_list("text", flat=True)[:_LIKE_LOOKED_AT]
    return most_alike(typed, set(found), least=LIKE_LEAST, most=most)


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
    tags: list[str]
    evidence: dict[str, Any]
    supersedes: UUID | None


@dataclass(frozen=True)
class Asked:
    id: int
    criterion: str
    own: bool
    head: Head | None


@dataclass(frozen=True)
class Known:
    """What an annotator is told of a comparison that they were trained on: the answer, and why it is that."""

    comparison: int
    verdict: str
    note: str


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
    draft: dict[str, Any] | None
    # Of training and quiz: which, the how manieth time, the place of this pair in it, and of how many.
    stage: tuple[str, int, int, int] | None
    known: list[Known] | None  # of a training pair that was answered


# Written by hand, as the page's way to the next pair goes through it.
_SHOWN = """
    SELECT l.id, j.slug, p.task_type, p.sensitive, q.turns,
           (SELECT jsonb_agg(jsonb_build_array(m.modality, m.probe) ORDER BY pa.position)
            FROM annotate_promptasset pa JOIN annotate_asset m ON m.id = pa.asset_id WHERE pa.prompt_id = q.id),
           r1.text, m1.modality, m1.probe, r2.text, m2.modality, m2.probe,
           (SELECT jsonb_agg(jsonb_build_array(
                       c.id, t.text, c.author_id IS NOT DISTINCT FROM l.annotator_id,
                       h.id, h.verdict, h.strength, h.tie_kind, h.broken, h.rationale, h.tags,
                       h.evidence, h.supersedes_id) ORDER BY c.id)
            FROM annotate_comparison c
            JOIN annotate_criterion t ON t.id = c.criterion_id
            LEFT JOIN annotate_judgment h ON h.comparison_id = c.id AND (h.annotator_id = l.annotator_id) IS TRUE
                 AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = h.id)
                 AND CASE WHEN l.kind = 'label'
                     THEN (SELECT k.kind = 'label' FROM annotate_claim k WHERE k.id = h.claim_id) IS NOT FALSE
                     ELSE h.claim_id = l.id END
            WHERE c.pair_id = l.pair_id AND (c.id = ANY (l.comparison_ids) OR CASE WHEN l.kind = 'label'
                THEN c.author_id = l.annotator_id
                ELSE EXISTS (SELECT FROM annotate_judgment m
                             WHERE m.claim_id = l.id AND m.comparison_id = c.id) END)),
           (SELECT body FROM annotate_claimdraft WHERE claim_id = l.id),
           (SELECT jsonb_build_array(t.part, t.number, array_position(t.pair_ids, l.pair_id), cardinality(t.pair_ids))
            FROM annotate_trial t WHERE t.id = l.trial_id),
           CASE WHEN l.kind = 'training' AND l.outcome = 'submitted' THEN
               (SELECT COALESCE(jsonb_agg(jsonb_build_array(g.comparison_id, g.verdict, g.note)), '[]')
                FROM annotate_gold g WHERE g.comparison_id = ANY (l.comparison_ids) AND g.kind = 'training') END
    FROM annotate_claim l
    JOIN annotate_pair p ON p.id = l.pair_id
    JOIN annotate_project j ON j.id = p.project_id
    JOIN annotate_prompt q ON q.id = p.prompt_id
    JOIN annotate_response r1 ON r1.id = p.response1_id
    LEFT JOIN annotate_asset m1 ON m1.id = r1.asset_id
    JOIN annotate_response r2 ON r2.id = p.response2_id
    LEFT JOIN annotate_asset m2 ON m2.id = r2.asset_id
    WHERE l.id = ANY (%s)
"""


def claim_work(claims: Sequence[Claim]) -> list[Work]:
    """What each claim shows, in one statement however many there are."""
    with prepared_cursor() as cursor:
        cursor.execute(_SHOWN, [[claim.pk for claim in claims]])
        shown = {row[0]: row[1:] for row in cursor.fetchall()}
    return [_work(claim, shown[claim.pk]) for claim in claims]


def _work(claim: Claim, row: tuple[Any, ...]) -> Work:
    slug, task_type, sensitive, turns, media, *sides, asked, draft, stage, known = row
    text1, modality1, probe1, text2, modality2, probe2 = sides
    first = Side(text1, _medium(modality1, probe1))
    second = Side(text2, _medium(modality2, probe2))
    if claim.flip:
        first, second = second, first
    prompt_media = [Medium(modality, probe) for modality, probe in _json(media) or []]
    return Work(
        claim,
        slug,
        task_type,
        sensitive,
        _json(turns),
        prompt_media,
        first,
        second,
        [_asked(*one) for one in _json(asked) or []],
        json.loads(draft) if draft else None,
        tuple(_json(stage)) if stage else None,
        None if known is None else [Known(*one) for one in _json(known)],
    )


def _asked(id: int, criterion: str, own: bool, *head: Any) -> Asked:
    judgment, verdict, strength, tie_kind, broken, rationale, tags, evidence, supersedes = head
    if judgment is None:
        return Asked(id, criterion, own, None)
    before = UUID(supersedes) if supersedes else None
    found = Head(UUID(judgment), verdict, strength, tie_kind, broken, rationale, tags, evidence, before)
    return Asked(id, criterion, own, found)


def _medium(modality: str | None, probe: Any) -> Medium | None:
    return Medium(modality, _json(probe)) if modality else None


def _json(value: Any) -> Any:
    """Django's connections hand jsonb to statements of ours as text."""
    return json.loads(value) if isinstance(value, str) else value


def held_claims(annotator: Annotator) -> list[Claim]:
    """Claims in hand, the oldest first; before them training pairs whose answers their annotator has not gone on from."""
    mine = Claim.objects.filter(annotator=annotator)
    unread = mine.filter(kind=ClaimKind.TRAINING, outcome=Outcome.SUBMITTED, read_at__isnull=True)
    held = mine.filter(closed_at__isnull=True)
    return [*unread.order_by("created_at"), *held.order_by("created_at")]


def history(annotator: Annotator, before: Any = None, size: int = 50) -> list[Claim]:
    """The annotator's ended claims, newest first, with their prompts; `heads` of each are the judgments that hold."""
    ended = Claim.objects.filter(
        annotator=annotator,
        outcome__in=[Outcome.SUBMITTED, Outcome.SKIPPED, Outcome.EXPIRED],
        trial__isnull=True,  # what was answered there stands: it is not opened again
    )
    if before is not None:
        ended = ended.filter(created_at__lt=before)
    newest = ended.order_by("-created_at").values("pk")[:size]
    holding = Judgment.objects.filter(superseded_by__isnull=True).exclude(verdict=Verdict.RETRACTED)
    return list(
        Claim.objects.filter(pk__in=Subquery(newest))
        .select_related("pair__prompt")
        .prefetch_related(Prefetch("judgments", holding.order_by("comparison_id"), to_attr="heads"))
        .order_by(F("created_at").desc())
    )
