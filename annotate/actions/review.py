"""Review: settling comparisons on which people disagree, sending them back, and what is said about them.

What is decided or said is never changed: a later row supersedes or retracts it. Locks in the order of the queue: the
row of who acts, then the pair's.
"""

from collections.abc import Iterator
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import audit
from annotate.access import Deed, Unknown, require
from annotate.actions.jobs import Lease, create_job, send
from annotate.actions.judging import Invalid
from annotate.actions.people import annotator_for
from annotate.actions.queue import Conflict, lock_annotator, open_pairs
from annotate.models import (
    Annotator,
    Comment,
    Comparison,
    Job,
    JobKind,
    Judgment,
    Pair,
    Project,
    Resolution,
    ReviewItem,
    Route,
    Ruling,
    User,
)
from annotate.review import comparison_for, head_of, is_settled, majority_of, said_to, unanswered

MAX_REASON = 5000  # characters
MAX_COMMENT = 5000
MAX_K = 9
_AT_ONCE = 500  # comparisons

AS_THE_MAJORITY = "As the majority says."


def _enter(by: User, project: Project, comparison_id: int, deed: Deed) -> tuple[Annotator, Comparison]:
    """Who acts, by their pseudonym in the project, and the comparison; its pair is locked until the transaction ends."""
    require(by, deed, project)
    me = annotator_for(by, project)
    lock_annotator(me)
    pair_id = comparison_for(project, comparison_id).pair_id
    Pair.objects.select_for_update(no_key=True).get(pk=pair_id)
    return me, comparison_for(project, comparison_id)


@transaction.atomic
def settle(
    *, by: User, project: Project, comparison_id: int, verdict: Ruling, reason: str, seen: int | None
) -> Resolution:
    """Decide what a comparison's label is, or (REOPENED) that people's verdicts alone decide it again.

    `seen` is the resolution that the reviewer saw hold, None for none: it is superseded, and stays in the history. The
    same decision sent again is stored once.

    Raises:
        Denied, Unknown: the user does not review here, or there is no such comparison.
        Invalid: `reason` is empty or too long; nobody has judged the comparison; it is not settled and cannot be reopened.
        Conflict: `settled_meanwhile`, somebody else decided since. Nothing was stored.
    """
    me, comparison = _enter(by, project, comparison_id, Deed.REVIEW)
    reason = _said(reason, "reason", MAX_REASON)
    head = head_of(comparison)
    sent_again = head and (head.supersedes_id, head.reviewer_id, head.verdict, head.reason)
    if head and sent_again == (seen, me.pk, verdict, reason):
        return head
    if (head.pk if head else None) != seen:
        raise Conflict(
            "settled_meanwhile",
            "Somebody else decided on this comparison since you opened it. Look at what they decided;"
            " what you wrote is kept below, and settles it anew if you send it again.",
        )
    if verdict == Ruling.REOPENED and not is_settled(head):
        raise Invalid("verdict", "It is not settled, so there is nothing to reopen.")
    if not ReviewItem.objects.filter(comparison=comparison).exists():
        raise Invalid("verdict", "Nobody has judged this comparison yet: there is nothing to settle.")
    resolution = Resolution.objects.create(
        comparison=comparison,
        verdict=verdict,
        reason=reason,
        reviewer=me,
        supersedes=head,
        created_at=timezone.now(),
    )
    deed = "reopen comparison" if verdict == Ruling.REOPENED else "settle comparison"
    audit.record(by, deed, comparison, project, verdict=verdict, resolution=resolution.pk)
    return resolution


@transaction.atomic
def accept_majority(
    *, by: User, project: Project, comparison_id: int, seen: int | None, reason: str = ""
) -> Resolution:
    """Settle a comparison as the majority of its counted verdicts says.

    Raises:
        Invalid: there is no majority. And as `settle`.
    """
    require(by, Deed.REVIEW, project)
    item = ReviewItem.objects.filter(comparison=comparison_for(project, comparison_id)).first()
    majority = majority_of(item) if item else None
    if majority is None:
        raise Invalid("verdict", "No verdict is more frequent than all others: decide yourself.")
    return settle(
        by=by,
        project=project,
        comparison_id=comparison_id,
        verdict=majority,
        reason=reason.strip() or AS_THE_MAJORITY,
        seen=seen,
    )


@transaction.atomic
def send_back(*, by: User, project: Project, comparison_id: int, judgment_id: UUID, text: str) -> Comment:
    """Ask the annotator of a counted judgment to look again: their claim appears as to be revised, with the comment.

    Raises:
        Denied, Unknown: the user does not review here, or there is no such comparison.
        Invalid: `text` is empty or too long; the annotator has no account to ask, or the judgment counts no more.
        Conflict: `settled`, it is settled; `asked`, they were asked about this judgment already.
    """
    me, comparison = _enter(by, project, comparison_id, Deed.REVIEW)
    text = _said(text, "text", MAX_COMMENT)
    _require_open(comparison)
    judgment = (
        Judgment.objects.select_related("annotator")
        .filter(pk=judgment_id, comparison=comparison, seat__isnull=False)
        .first()
    )
    if judgment is None:
        raise Invalid("judgment", "This judgment counts no more: it was revised or taken back. Look again.")
    if judgment.claim_id is None or judgment.annotator.user_id is None:
        raise Invalid("judgment", "It was imported, or its annotator has no account: nobody can be asked.")
    if unanswered().filter(revise=judgment).exists():
        raise Conflict(
            "asked", "Its annotator was asked to look at this judgment again, and has not answered."
        )
    comment = Comment.objects.create(
        comparison=comparison,
        author=me,
        annotator=judgment.annotator,
        text=text,
        revise=judgment,
        created_at=timezone.now(),
    )
    audit.record(by, "send judgment back", comparison, project, judgment=str(judgment.pk), comment=comment.pk)
    return comment


@transaction.atomic
def send_back_to_all(*, by: User, project: Project, comparison_id: int, text: str, k: int) -> Comment:
    """Ask one more annotator: k, which was seen as given, is raised by one, and the comparison is asked again.

    Those who judged it see the comment.

    Raises:
        Denied, Unknown: the user does not review here, or there is no such comparison.
        Invalid: `text` is empty or too long; k is as high as it can be.
        Conflict: `settled`, it is settled; `asked`, k was raised meanwhile.
    """
    me, comparison = _enter(by, project, comparison_id, Deed.REVIEW)
    text = _said(text, "text", MAX_COMMENT)
    _require_open(comparison)
    if comparison.k != k:
        raise Conflict("asked", f"More labels were asked for meanwhile: it wants {comparison.k} by now.")
    if comparison.k >= MAX_K:
        raise Invalid("text", f"It wants {MAX_K} labels already, the most there can be: settle it.")
    comment = Comment.objects.create(
        comparison=comparison, author=me, to_all=True, text=text, created_at=timezone.now()
    )
    Comparison.objects.filter(pk=comparison.pk).update(k=k + 1)
    if comparison.pair.queued:  # a pair that was never drawn comes up by itself
        open_pairs(project.pk, [comparison.pair_id], Route.REOPENED)
    audit.record(by, "send comparison back", comparison, project, k=[k, k + 1], comment=comment.pk)
    return comment


@transaction.atomic
def comment(
    *,
    by: User,
    project: Project,
    comparison_id: int,
    text: str,
    annotator: Annotator | None = None,
    to_all: bool = False,
) -> Comment:
    """Say something on a comparison: among reviewers, to one annotator who judged it, or to all who did.

    Raises:
        Denied, Unknown: the user does not review here, or there is no such comparison.
        Invalid: `text` is empty or too long; the annotator has not judged the comparison.
    """
    me, comparison = _enter(by, project, comparison_id, Deed.REVIEW)
    text = _said(text, "text", MAX_COMMENT)
    if annotator and not Judgment.objects.filter(comparison=comparison, annotator=annotator).exists():
        raise Invalid("annotator", "They have not judged this comparison.")
    made = Comment.objects.create(
        comparison=comparison,
        author=me,
        annotator=annotator,
        to_all=to_all and annotator is None,
        text=text,
        created_at=timezone.now(),
    )
    audit.record(by, "comment", comparison, project, comment=made.pk)
    return made


@transaction.atomic
def answer_comment(*, by: User, project: Project, comparison_id: int, text: str) -> Comment:
    """What an annotator says in their own thread, to which they were spoken: it answers what they were asked to revise.

    Raises:
        Unknown: nothing was said to them there.
        Invalid: `text` is empty or too long.
    """
    me, comparison = _enter(by, project, comparison_id, Deed.ANNOTATE)
    if not said_to(me).filter(comparison=comparison).exists():
        raise Unknown(_("There is no such comment to you."))
    text = _said(text, "text", MAX_COMMENT)
    made = Comment.objects.create(
        comparison=comparison, author=me, annotator=me, text=text, created_at=timezone.now()
    )
    note_seen(reader=me, comparison=comparison, upto=made.pk)
    audit.record(by, "comment", comparison, project, comment=made.pk)
    return made


@transaction.atomic
def note_all_seen(*, annotator: Annotator) -> None:
    """The annotator has read all that was said to them until now."""
    newest = said_to(annotator).values("comparison").annotate(newest=Max("pk"))
    for comparison_id, upto in newest.values_list("comparison", "newest"):
        note_seen(reader=annotator, comparison=Comparison(pk=comparison_id), upto=upto)


@transaction.atomic
def retract_comment(*, by: User, project: Project, comment_id: int) -> Comment:
    """Take one's own comment back: that something was said stays, what was said is shown no more.

    Taken back twice is once.

    Raises:
        Unknown: the user has no such comment here.
    """
    require(by, Deed.ANNOTATE, project)
    said = Comment.objects.filter(
        pk=comment_id,
        author__user=by,
        author__project=project,
        retracts__isnull=True,
    ).first()
    if said is None:
        raise Unknown(_("There is no such comment of yours."))
    me, comparison = _enter(by, project, said.comparison_id, Deed.ANNOTATE)
    if before := Comment.objects.filter(retracts=said).first():
        return before
    made = Comment.objects.create(
        comparison=comparison,
        author=me,
        annotator_id=said.annotator_id,
        to_all=said.to_all,
        retracts=said,
        created_at=timezone.now(),
    )
    audit.record(by, "retract comment", comparison, project, comment=said.pk)
    return made


@transaction.atomic
def note_seen(*, reader: Annotator, comparison: Comparison, upto: int) -> None:
    """Up to this comment the reader has read what is said on a comparison; never less than before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotate_commentseen AS s (reader_id, comparison_id, upto) VALUES (%s, %s, %s)
            ON CONFLICT (reader_id, comparison_id) DO UPDATE SET upto = EXCLUDED.upto WHERE s.upto < EXCLUDED.upto
            """,
            [reader.pk, comparison.pk, upto],
        )


def start_refresh(*, by: User | None, project: Project) -> Job:
    """A job that looks at all judged comparisons anew: the settings by which they conflict were changed."""
    job = create_job(by=by, project=project, kind=JobKind.REVIEW)
    send(job)
    return job


def run_refresh(lease: Lease) -> None:
    """In the order of ids; each batch commits with the place it reached."""
    lease.beat(step="looking for conflicts")
    for reached, count in refresh_items(lease.job.project, after=lease.job.spec.get("after", 0)):
        lease.beat(done=lease.job.done + count, place={"after": reached})


def refresh_items(project: Project, after: int = 0) -> Iterator[tuple[int, int]]:
    """Make the review items of the project's judged comparisons anew, from the one after this on.

    Of each batch, which is a transaction of its own, it yields which comparison it reached and how many it looked at.
    """
    items = ReviewItem.objects.filter(project=project)
    while True:
        with transaction.atomic():
            ids = list(
                items.filter(comparison__gt=after)
                .order_by("comparison")
                .values_list("comparison", flat=True)[:_AT_ONCE]
            )
            if not ids:
                return
            pairs = Pair.objects.filter(comparisons__in=ids).distinct().values("pk")
            list(
                Pair.objects.filter(pk__in=pairs)
                .order_by("pk")
                .select_for_update(no_key=True)
                .values_list("pk")
            )
            with connection.cursor() as cursor:
                cursor.execute("SELECT evenhand_review(%s)", [ids])
        after = ids[-1]
        yield after, len(ids)


def _said(text: str, field: str, most: int) -> str:
    text = text.strip()
    if not text:
        raise Invalid(field, _("Write something."))
    if len(text) > most:
        raise Invalid(field, _("At most %(most)s characters.") % {"most": most})
    return text


def _require_open(comparison: Comparison) -> None:
    if is_settled(head_of(comparison)):
        raise Conflict("settled", "This comparison is settled. Reopen it first, then send it back.")
