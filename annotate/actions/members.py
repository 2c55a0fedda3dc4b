"""Pausing and resuming a person in a project. What they judged stays, and what is on its way from them is taken."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.queue import give_back
from annotate.models import Annotator, Claim, Membership, User


def pause_member(*, by: User | None, membership: Membership, reason: str = "") -> bool:
    """From now on the member gets no pair, and what they hold is given back for others to judge. False if paused already.

    The reason is told to them. Their claims are given back after the pause has been committed, each by itself: to hold
    the annotator's row while waiting for a pair's could cross a submission of theirs. Whoever is killed between leaves
    claims that expire, or that are given back when it is paused again.

    Raises:
        ValidationError: one would pause oneself, or the reason is too long.
    """
    with transaction.atomic():
        paused = _pause(by, membership, reason)
    annotator = Annotator.objects.filter(project=membership.project_id, user=membership.user_id).first()
    if annotator:
        held = Claim.objects.filter(annotator=annotator, closed_at__isnull=True)
        give_back(annotator=annotator, claim_ids=list(held.values_list("pk", flat=True)))
    return paused


def _pause(by: User | None, membership: Membership, reason: str) -> bool:
    require(by, Deed.MANAGE, membership.project)
    if by is not None and by.pk == membership.user_id:
        raise ValidationError("You cannot pause yourself: another manager can.")
    # A claim that is being made this instant is made before this, and given back; any later one sees the pause.
    list(
        Annotator.objects.select_for_update(no_key=True)
        .filter(project=membership.project_id, user=membership.user_id)
        .values_list("pk")
    )
    locked = Membership.objects.select_for_update(no_key=True).get(pk=membership.pk)
    if locked.paused_at:
        return False
    locked.paused_at, locked.pause_reason = timezone.now(), reason.strip()
    locked.full_clean()
    locked.save(update_fields=["paused_at", "pause_reason"])
    audit.record(by, "pause member", locked, membership.project, user=locked.user_id, reason=reason)
    return True


@transaction.atomic
def resume_member(*, by: User | None, membership: Membership) -> bool:
    """Let a paused member work again. False if they were not paused."""
    require(by, Deed.MANAGE, membership.project)
    resumed = Membership.objects.filter(pk=membership.pk, paused_at__isnull=False).update(
        paused_at=None, pause_reason=""
    )
    if resumed:
        audit.record(by, "resume member", membership, membership.project, user=membership.user_id)
    return bool(resumed)
