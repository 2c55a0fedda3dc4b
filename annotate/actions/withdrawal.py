"""Withdrawal of an annotator, by a manager or by themselves: judgments are erased, or lose whose they were.

All that is touched is locked first, in the order of everybody: the criteria that they wrote, the annotator, the pairs. Who
waited for somebody too long, or was ended by the database, does it again.
"""

from collections.abc import Callable
from itertools import islice
from typing import TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from annotate import audit
from annotate.access import Deed, Unknown, require
from annotate.actions.people import new_pseudonym
from annotate.actions.queue import close_claim, lock_claim, open_pairs
from annotate.exports.named import named
from annotate.exports.pseudonyms import pseudonymise
from annotate.models import (
    Annotator,
    Claim,
    ClaimDraft,
    Comment,
    Criterion,
    CrowdArrival,
    FrozenJudgment,
    GroupMember,
    Invitation,
    Judgment,
    Membership,
    Outcome,
    Project,
    Resolution,
    Route,
    Seat,
    Tombstone,
    User,
    Withdrawal,
)

_BATCH = 1000
_TRIES = 5
T = TypeVar("T")


def withdraw_annotator(*, by: User | None, annotator: Annotator) -> dict[str, int]:
    """Erase an annotator: judgments, claims, seats, pseudonym and membership.

    Criteria they wrote stay, without an author: others have judged by them. Seats they held are asked again. What they
    settled as a reviewer stays settled, without their name and their reasons; what they said goes, and with it what was
    said to them.
    Rows of releases that were frozen from their judgments go too; an archive that was handed out cannot be
    called back, so these releases are marked as superseded and counted.

    Returns counts: judgments, claims, pairs (asked again), releases, resolutions (that stay), comments.

    Raises:
        Denied, Unknown: the user does not manage the project, or the annotator has withdrawn already.
    """
    project = annotator.project
    require(by, Deed.MANAGE, project)

    def erase() -> dict[str, int]:
        erased = _erase(annotator)
        audit.record(by, "withdraw annotator", annotator, project, **erased)
        return erased

    return _again(erase)


def withdraw_myself(*, user: User, project: Project) -> Withdrawal:
    """Withdraw the user from a project by its policy, whether they are still a member or not.

    The account and its other projects stay. The audit row says that they withdrew; it names neither pseudonym nor
    counts, by which one could be found again among those who stayed.

    Raises:
        Unknown: the user has no pseudonym in the project.
    """

    def withdraw() -> Withdrawal:
        annotator = Annotator.objects.filter(project=project, user=user).first()
        if annotator is None:
            raise Unknown(_("Nothing of yours is stored in this project."))
        policy = Withdrawal(Project.objects.values_list("withdrawal", flat=True).get(pk=project.pk))
        if policy == Withdrawal.ERASE:
            _erase(annotator)
        else:
            _anonymise(annotator)
        audit.record(user, "withdraw oneself", project, project, judgments=policy)
        return policy

    return _again(withdraw)


def _again(act: Callable[[], T]) -> T:
    """Do it in a transaction; once more where somebody was in its way, or it would have been in theirs."""
    for tries in range(1, _TRIES + 1):
        nested = connection.in_atomic_block
        try:
            with transaction.atomic():
                return act()
        except _WroteMeanwhile:
            continue
        except OperationalError as error:
            # Within a transaction of the caller's the locks of before would be kept: that one is for the caller.
            if (
                nested
                or tries == _TRIES
                or not isinstance(error.__cause__, DeadlockDetected | LockNotAvailable)
            ):
                raise
    raise AssertionError("their criteria grow faster than they can be locked")


class _WroteMeanwhile(Exception):
    """Criteria of theirs came up between two locks: the locks are given back and taken anew."""


# The pairs on which anything of the annotator stands, or was said by or to them. Nothing more comes up once their row is
# locked: whoever claims, judges or speaks for them holds it, and what others do on these pairs needs the pair.
_PAIRS = """
    SELECT p.id FROM annotate_pair p
    WHERE p.id IN (SELECT pair_id FROM annotate_claim WHERE annotator_id = %(annotator)s
                   UNION SELECT c.pair_id FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id
                   WHERE j.annotator_id = %(annotator)s
                   UNION SELECT c.pair_id FROM annotate_resolution r JOIN annotate_comparison c ON c.id = r.comparison_id
                   WHERE r.reviewer_id = %(annotator)s
                   UNION SELECT c.pair_id FROM annotate_comment m JOIN annotate_comparison c ON c.id = m.comparison_id
                   WHERE m.author_id = %(annotator)s OR m.annotator_id = %(annotator)s)
    ORDER BY p.id FOR NO KEY UPDATE
"""


def _lock(annotator: Annotator) -> Annotator:
    """The annotator's row, between the criteria that they wrote, which lose their author, and their pairs."""
    authored = Criterion.objects.filter(author=annotator).order_by("pk")
    held = list(authored.select_for_update(no_key=True).values_list("pk", flat=True))
    locked = Annotator.objects.select_for_update(no_key=True).filter(pk=annotator.pk).first()
    if locked is None:
        raise Unknown(_("Nothing of yours is stored in this project."))
    if list(authored.values_list("pk", flat=True)) != held:
        raise _WroteMeanwhile
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, {"annotator": annotator.pk})
    return locked


def _erase(annotator: Annotator) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL evenhand.erase = 'on'")
    locked, project = _lock(annotator), annotator.project
    judgments = Judgment.objects.filter(annotator=locked)
    pair_ids = sorted(
        set(Seat.objects.filter(annotator=locked).values_list("comparison__pair_id", flat=True))
        | set(
            Claim.objects.filter(annotator=locked, closed_at__isnull=True).values_list("pair_id", flat=True)
        )
    )
    settled = Resolution.objects.filter(reviewer=locked)
    said = Comment.objects.filter(Q(author=locked) | Q(annotator=locked))
    holding = project.releases.filter(comparisons__judgments__judgment__in=judgments).values("pk")
    releases = set(holding.values_list("pk", flat=True))
    erased = {
        "judgments": judgments.count(),
        "claims": Claim.objects.filter(annotator=locked).count(),
        "pairs": len(pair_ids),
        "releases": len(releases),
        "resolutions": settled.count(),
        "comments": said.count(),
    }
    _leave_tombstones(judgments)
    project.releases.filter(pk__in=releases, superseded_at=None).update(superseded_at=timezone.now())
    if locked.user_id:
        _let_go(project, locked.user_id)
    settled.update(reviewer=None, reason="")
    locked.delete()
    for start in range(0, len(pair_ids), _BATCH):
        open_pairs(project.pk, pair_ids[start : start + _BATCH], Route.REOPENED)
    with connection.cursor() as cursor:
        cursor.execute(
            "SET CONSTRAINTS ALL IMMEDIATE"
        )  # what is checked late is checked while the flag is on
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # another erasure in the same transaction needs that
        cursor.execute("SET LOCAL evenhand.erase = 'off'")
    return erased


def _leave_tombstones(judgments: QuerySet[Judgment]) -> None:
    """Note by the names that each release used what is taken from it, for the next one to list."""
    now = timezone.now()
    held = FrozenJudgment.objects.filter(judgment__in=judgments).order_by("pk")
    rows = held.values_list(
        "comparison__release",
        "comparison__release__pseudonym_key",
        "comparison__pair__source",
        "comparison__pair__external_id",
        "comparison__criterion__text_key",
        "judgment",
    )
    stones = (
        Tombstone(
            release_id=release,
            row=named(source, external_id, bytes(criterion)),
            judgment=pseudonymise(key, "judgment", judgment),
            removed_at=now,
        )
        for release, key, source, external_id, criterion, judgment in rows.iterator()
    )
    while some := list(islice(stones, _BATCH)):
        Tombstone.objects.bulk_create(some)


def _let_go(project: Project, user_id: int) -> None:
    """Ends the account's part in the project, and what is kept of how it came there."""
    Membership.objects.filter(project=project, user_id=user_id).delete()
    CrowdArrival.objects.filter(project=project, user_id=user_id).delete()
    if email := User.objects.values_list("email", flat=True).get(pk=user_id):
        Invitation.objects.filter(project=project, email__iexact=email).update(email="")


def _anonymise(annotator: Annotator) -> None:
    """Judgments stay; what ties them to a person goes: account, pseudonym, drafts, notes, membership."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    locked = _lock(annotator)
    held = Claim.objects.filter(annotator=locked, closed_at__isnull=True).order_by("pair_id")
    for claim_id in list(held.values_list("pk", flat=True)):
        claim = lock_claim(locked, claim_id)
        if claim.closed_at is None:
            close_claim(claim, Outcome.RELEASED)
    ClaimDraft.objects.filter(claim__annotator=locked).delete()
    Claim.objects.filter(annotator=locked).exclude(note="").update(note="")
    assert locked.user_id
    _let_go(locked.project, locked.user_id)
    # What somebody is like may tell who they are. Releases that were frozen before keep it, under their own pseudonyms.
    GroupMember.objects.filter(annotator=locked).delete()
    Annotator.objects.filter(pk=locked.pk).update(user=None, pseudonym=new_pseudonym())
