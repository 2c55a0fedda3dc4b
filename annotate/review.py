"""Reads of review: the queue of conflicts, all that there is about one comparison, and who was told what."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from annotate.access import Deed, Unknown, projects_where
from annotate.models import (
    Annotator,
    Comment,
    CommentSeen,
    Comparison,
    Criterion,
    Judgment,
    Project,
    Resolution,
    ReviewItem,
    ReviewState,
    Ruling,
    Seat,
    User,
    Verdict,
)
from annotate.opinions import ModelSays, reviewed_by
from annotate.queries import VISIBLE_IMPORT, Medium, Side

PAGE = 50
COUNTED_TO = 1000  # conflicts are counted no further
CRITERIA = 200  # offered to filter by

_SEEN_ITEM = Q(comparison__data_import__isnull=True) | Q(comparison__data_import__visible=True)


# The queue


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the queue is looked at. `kind`: only where people disagree with each other, or the model with them."""

    state: ReviewState = ReviewState.OPEN
    kind: Literal["", "people", "model"] = ""
    criterion: int | None = None
    task_type: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue: the strongest conflicts come first, and of equal ones those of the lower id."""

    strength: float
    comparison: int

    @staticmethod
    def of(item: ReviewItem) -> "Place":
        return Place(item.strength, item.comparison_id)


def _queue(project: Project, wanted: Wanted) -> QuerySet[ReviewItem]:
    items = ReviewItem.objects.filter(_SEEN_ITEM, project=project, state=wanted.state)
    if wanted.state == ReviewState.OPEN:
        items = items.filter(strength__gt=0)
    if wanted.kind:
        items = items.filter(**{f"{wanted.kind}__gt": 0})
    if wanted.criterion is not None:
        items = items.filter(criterion=wanted.criterion)
    if wanted.task_type:
        items = items.filter(task_type=wanted.task_type)
    return items


def after(project: Project, wanted: Wanted, place: Place | None, most: int) -> list[ReviewItem]:
    """The next ones from a place on, or from the beginning."""
    items = _queue(project, wanted)
    if place:
        # The first condition is the other two's, said so that an index can begin there.
        items = items.filter(strength__lte=place.strength).filter(
            Q(strength__lt=place.strength) | Q(comparison__gt=place.comparison)
        )
    return _shown(items.order_by("-strength", "comparison_id"), most)


def before(project: Project, wanted: Wanted, place: Place, most: int) -> list[ReviewItem]:
    """The last ones before a place, in the order of the queue."""
    items = _queue(project, wanted).filter(strength__gte=place.strength)
    items = items.filter(Q(strength__gt=place.strength) | Q(comparison__lt=place.comparison))
    return _shown(items.order_by("strength", "-comparison_id"), most)[::-1]


def _shown(items: QuerySet[ReviewItem], most: int) -> list[ReviewItem]:
    return list(items.select_related("criterion", "comparison__pair__prompt")[:most])


def waiting(project: Project) -> dict[str, int]:
    """By state how many there are, counted to COUNTED_TO + 1."""
    return {
        str(state): _queue(project, Wanted(state)).values("pk")[: COUNTED_TO + 1].count()
        for state in ReviewState
    }


def criteria_of(project: Project) -> list[Criterion]:
    """What the queue can be filtered by: the newest criteria of the library."""
    library = Criterion.objects.filter(VISIBLE_IMPORT, project=project)
    return list(library.order_by("-pk").only("pk", "text")[:CRITERIA])


# One comparison


def comparison_for(project: Project, comparison_id: int) -> Comparison:
    """A visible comparison of the project, with its pair.

    Raises:
        Unknown: there is none.
    """
    visible = Comparison.objects.filter(VISIBLE_IMPORT, pair__project=project)
    found = visible.select_related("pair").filter(pk=comparison_id).first()
    if found is None:
        raise Unknown("There is no such comparison in this project.")
    return found


def head_of(comparison: Comparison) -> Resolution | None:
    """The resolution that holds, which may be that it was reopened."""
    return Resolution.objects.filter(comparison=comparison, superseded_by__isnull=True).first()


def is_settled(head: Resolution | None) -> bool:
    return head is not None and head.verdict != Ruling.REOPENED


def majority_of(item: ReviewItem) -> Ruling | None:
    """What more of the counted usable verdicts say than anything else; None where nothing is."""
    votes = {Ruling.RESPONSE1: item.response1, Ruling.RESPONSE2: item.response2, Ruling.TIE: item.tie}
    most = max(votes.values())
    leading = [ruling for ruling, count in votes.items() if count == most]
    return leading[0] if most and len(leading) == 1 else None


@dataclass(frozen=True, slots=True)
class Told:
    """One annotator's verdict as it stands: their newest judgment, and those that it superseded, the oldest first.

    `shown_first` is the response that they saw as A, None where nobody knows (imported). `asked`: they were asked to
    look at it again and have not answered. `askable`: they can be.
    """

    judgment: Judgment
    counted: bool
    shown_first: str | None
    asked: bool
    askable: bool
    earlier: list[Judgment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """All that the page of one comparison shows."""

    comparison: Comparison
    item: ReviewItem | None
    sides: tuple[Side, Side]
    models: tuple[str, str]
    media: list[Medium]
    verdicts: list[Told]
    model: ModelSays | None  # whose score the review item goes by
    resolutions: list[Resolution]  # the newest first
    comments: list[Comment]

    @property
    def head(self) -> Resolution | None:
        return self.resolutions[0] if self.resolutions else None


def reviewed(project: Project, comparison_id: int) -> Reviewed:
    """
    Raises:
        Unknown: there is no such comparison in the project.
    """
    found = (
        Comparison.objects.filter(VISIBLE_IMPORT, pair__project=project, pk=comparison_id)
        .select_related(
            "criterion",
            "pair__prompt",
            "pair__response1__asset",
            "pair__response2__asset",
            "review_item",
        )
        .first()
    )
    if found is None:
        raise Unknown("There is no such comparison in this project.")
    pair = found.pair
    responses = (pair.response1, pair.response2)
    sides = [
        Side(one.text, Medium(one.asset.modality, one.asset.probe) if one.asset else None)
        for one in responses
    ]
    media = [
        Medium(row.asset.modality, row.asset.probe)
        for row in pair.prompt.prompt_assets.select_related("asset")
    ]
    comments = list(
        Comment.objects.filter(comparison=found, retracts__isnull=True)
        .select_related("author", "annotator", "retracted_by")
        .order_by("pk")
    )
    asked = set(unanswered().filter(comparison=found).values_list("revise", flat=True))
    return Reviewed(
        comparison=found,
        item=getattr(found, "review_item", None),
        sides=(sides[0], sides[1]),
        models=(responses[0].model_name, responses[1].model_name),
        media=media,
        verdicts=_verdicts(found, asked),
        model=reviewed_by(found.pk),
        resolutions=list(
            Resolution.objects.filter(comparison=found).select_related("reviewer").order_by("-pk")
        ),
        comments=comments,
    )


def _verdicts(comparison: Comparison, asked: set[UUID]) -> list[Told]:
    """In the order in which they were first given. Repeats are no verdicts of their own; what was taken back is none."""
    rows = list(
        Judgment.objects.filter(VISIBLE_IMPORT, comparison=comparison)
        .exclude(claim__repeat_of__isnull=False)
        .select_related("annotator", "claim")
        .order_by("created_at", "pk")
    )
    counted = set(Seat.objects.filter(comparison=comparison).values_list("head_id", flat=True))
    by_id = {row.pk: row for row in rows}
    superseded = {row.supersedes_id for row in rows}
    told = []
    for row in rows:
        if row.pk in superseded or row.verdict == Verdict.RETRACTED:
            continue
        earlier, one = [], row
        while one.supersedes_id in by_id:
            one = by_id[one.supersedes_id]
            if one.verdict != Verdict.RETRACTED:
                earlier.append(one)
        flip = row.claim.flip if row.claim else None
        told.append(
            Told(
                judgment=row,
                counted=row.pk in counted,
                shown_first=None if flip is None else "response2" if flip else "response1",
                asked=row.pk in asked,
                askable=row.pk in counted
                and row.pk not in asked
                and row.claim_id is not None
                and row.annotator.user_id is not None,
                earlier=earlier[::-1],
            )
        )
    return told


# What was said


def unanswered() -> QuerySet[Comment]:
    """Comments that ask for a judgment to be looked at again, which still counts, and whose annotator said nothing yet."""
    said = Comment.objects.filter(
        comparison=OuterRef("comparison"),
        pk__gt=OuterRef("pk"),
        author=OuterRef("annotator"),
        annotator=OuterRef("annotator"),
        retracts__isnull=True,
    )
    counted = Seat.objects.filter(comparison=OuterRef("comparison"), head=OuterRef("revise"))
    return Comment.objects.filter(
        ~Exists(said), Exists(counted), revise__isnull=False, retracted_by__isnull=True
    )


def said_to(annotator: Annotator) -> QuerySet[Comment]:
    """What an annotator may read: their own threads, and what was said to all who judged what they judged."""
    judged = Judgment.objects.filter(comparison=OuterRef("comparison"), annotator=annotator)
    return Comment.objects.filter(
        Q(annotator=annotator) | Q(Exists(judged), to_all=True),
        comparison__pair__project=annotator.project_id,
    )


@dataclass(frozen=True, slots=True)
class Thread:
    """What is said to an annotator about one comparison that they judged, the oldest word first."""

    comparison: int
    claim: UUID | None  # in which they judged it, None where an import did
    criterion: str
    asked: bool  # to look at it again, and not answered yet
    unread: int
    newest: int  # id of the last comment
    comments: list[Comment]


def threads(annotator: Annotator) -> list[Thread]:
    """An annotator's threads: first where they are asked, then where something is unread, then the newest."""
    by_comparison: dict[int, list[Comment]] = {}
    said = said_to(annotator).filter(retracts__isnull=True)
    for comment in said.select_related("comparison__criterion", "retracted_by").order_by("pk"):
        by_comparison.setdefault(comment.comparison_id, []).append(comment)
    asked = set(unanswered().filter(annotator=annotator).values_list("comparison", flat=True))
    seen = dict(CommentSeen.objects.filter(reader=annotator).values_list("comparison", "upto"))
    judged = Judgment.objects.filter(annotator=annotator, comparison__in=by_comparison)
    claims = dict(judged.order_by("created_at").values_list("comparison", "claim"))
    found = [
        Thread(
            comparison=comparison,
            claim=claims.get(comparison),
            criterion=comments[0].comparison.criterion.text,
            asked=comparison in asked,
            unread=sum(
                one.author_id != annotator.pk
                and one.pk > seen.get(comparison, 0)
                and not hasattr(one, "retracted_by")
                for one in comments
            ),
            newest=comments[-1].pk,
            comments=comments,
        )
        for comparison, comments in by_comparison.items()
    ]
    return sorted(found, key=lambda one: (not one.asked, not one.unread, -one.newest))


def asked_about(annotator: Annotator, claim_id: str) -> Comment | None:
    """What an annotator is asked to look at again in a claim of theirs, named by its id; None where nothing is."""
    try:
        claim = UUID(claim_id)
    except ValueError:
        return None
    asked = unanswered().filter(annotator=annotator, revise__claim=claim)
    return asked.select_related("comparison__criterion").order_by("-pk").first()


def unread_where_reviewed(reader: Annotator) -> list[Comparison]:
    """Comparisons on which a reviewer said something, and somebody else did since they last looked."""
    seen = CommentSeen.objects.filter(
        reader=reader, comparison=OuterRef("comparison"), upto__gte=OuterRef("pk")
    )
    own = Comment.objects.filter(author=reader, comparison=OuterRef("comparison"))
    said = Comment.objects.filter(
        ~Exists(seen),
        Exists(own),
        comparison__pair__project=reader.project_id,
        retracts__isnull=True,
        retracted_by__isnull=True,
    ).exclude(author=reader)
    return list(
        Comparison.objects.filter(pk__in=said.values("comparison")).select_related("criterion").order_by("pk")
    )


# By project of user %(user)s, what was said to them and not read: in their own threads; to all who judged what they
# judged; and where they review, on comparisons on which they said something.
_UNREAD = """
    WITH said AS (
        SELECT a.id AS reader, a.project_id, m.id FROM annotate_annotator a
        JOIN annotate_comment m ON m.annotator_id = a.id WHERE a.user_id = %(user)s
        UNION
        SELECT a.id, a.project_id, m.id FROM annotate_comment m
        JOIN annotate_judgment j ON j.comparison_id = m.comparison_id
        JOIN annotate_annotator a ON a.id = j.annotator_id AND a.user_id = %(user)s WHERE m.to_all
        UNION
        SELECT a.id, a.project_id, m.id FROM annotate_annotator a
        JOIN annotate_comment own ON own.author_id = a.id
        JOIN annotate_comment m ON m.comparison_id = own.comparison_id
        WHERE a.user_id = %(user)s AND a.project_id = ANY (%(reviews)s)
    )
    SELECT said.project_id, count(*) FROM said JOIN annotate_comment m ON m.id = said.id
    LEFT JOIN annotate_commentseen s ON s.reader_id = said.reader AND s.comparison_id = m.comparison_id
    WHERE m.author_id <> said.reader AND m.retracts_id IS NULL AND m.id > COALESCE(s.upto, 0)
      AND NOT EXISTS (SELECT FROM annotate_comment t WHERE t.retracts_id = m.id)
    GROUP BY said.project_id
"""


def unread(user: User) -> dict[int, int]:
    """By project, how many comments there are for the user to read."""
    reviews = list(projects_where(user, Deed.REVIEW).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, {"user": user.pk, "reviews": reviews})
        return dict(cursor.fetchall())
