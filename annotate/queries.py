"""Reads. Whatever is shown to somebody goes through visible_to or a claim of their own."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Subquery, Sum

from annotate.access import Unknown
from annotate.models import (
    Annotator,
    Asset,
    Claim,
    Comparison,
    Judgment,
    Membership,
    Outcome,
    Pair,
    Project,
    PromptAsset,
    Response,
    Stream,
    User,
)

VISIBLE_IMPORT = Q(data_import__isnull=True) | Q(data_import__visible=True)


def visible_to(user: User) -> QuerySet[Project]:
    """The projects that the user is a member of; all of them for a superuser."""
    if user.is_superuser:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=user)


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
class Side:
    """One response as it may be shown: nothing that tells whose it is."""

    text: str
    asset: Asset | None


@dataclass(frozen=True)
class Asked:
    """A comparison of a claim with the annotator's newest answer to it, retracted ones included."""

    id: int
    criterion: str
    own: bool
    answer: Judgment | None


@dataclass(frozen=True)
class Work:
    """All that the judge page shows of a claim."""

    claim: Claim
    pair: Pair
    turns: list[dict[str, Any]]
    media: list[Asset]
    a: Side
    b: Side
    asked: list[Asked]


def claim_work(claims: Sequence[Claim]) -> list[Work]:
    """What each claim shows, in a number of statements that does not grow with the claims."""
    pairs = {
        pair.pk: pair
        for pair in Pair.objects.filter(pk__in={claim.pair_id for claim in claims}).select_related(
            "project", "prompt", "response1__asset", "response2__asset"
        )
    }
    media: defaultdict[int, list[Asset]] = defaultdict(list)
    for row in PromptAsset.objects.filter(prompt__pairs__in=pairs).select_related("asset").distinct():
        media[row.prompt_id].append(row.asset)
    own = Comparison.objects.filter(pair__in=pairs, author__in={claim.annotator_id for claim in claims})
    wanted = {i for claim in claims for i in claim.comparison_ids} | set(own.values_list("pk", flat=True))
    comparisons = list(Comparison.objects.filter(pk__in=wanted).select_related("criterion").order_by("pk"))
    heads = {
        (head.comparison_id, head.annotator_id): head
        for head in Judgment.objects.filter(
            comparison__in=wanted,
            annotator__in={claim.annotator_id for claim in claims},
            superseded_by__isnull=True,
        )
    }
    return [_work(claim, pairs[claim.pair_id], media, comparisons, heads) for claim in claims]


def _work(
    claim: Claim,
    pair: Pair,
    media: dict[int, list[Asset]],
    comparisons: Iterable[Comparison],
    heads: dict[tuple[int, int], Judgment],
) -> Work:
    first, second = (pair.response2, pair.response1) if claim.flip else (pair.response1, pair.response2)
    asked = []
    for comparison in comparisons:
        own = comparison.author_id == claim.annotator_id and comparison.pair_id == pair.pk
        if comparison.pk in claim.comparison_ids or own:
            head = heads.get((comparison.pk, claim.annotator_id))
            asked.append(Asked(comparison.pk, comparison.criterion.text, own, head))
    return Work(
        claim, pair, pair.prompt.turns, media.get(pair.prompt_id, []), _side(first), _side(second), asked
    )


def _side(response: Response) -> Side:
    return Side(response.text, response.asset)


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
            answered=Count("judgments", filter=Q(judgments__superseded_by__isnull=True)),
        )
        .order_by(F("created_at").desc())
    )
