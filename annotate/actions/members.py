"""Who works in a project: in with a role, paused and resumed, and out. What they judged stays."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from annotate import audit
from annotate.access import Deed, highest, require
from annotate.actions.queue import give_back
from annotate.actions.teams import require_no_team, role_by_teams
from annotate.models import Annotator, Claim, Membership, Project, Role, User


@transaction.atomic
def add_member(*, by: User | None, project: Project, user: User, role: Role = Role.ANNOTATOR) -> Membership:
    """Give an account a role in the project.

    Raises:
        ValidationError: it has one already.
    """
    require(by, Deed.MANAGE, project)
    membership = Membership(project=project, user=user, role=role, own_role=role)
    membership.full_clean()
    membership.save()
    audit.record(by, "add member", membership, project, user=user.pk, role=role)
    return membership


@transaction.atomic
def change_role(*, by: User | None, membership: Membership, role: Role) -> None:
    """Give a member a role of their own. A team that has a higher one here leaves them that.

    Raises:
        ValidationError: they are no member any more.
    """
    require(by, Deed.MANAGE, membership.project)
    locked = _locked(membership)
    if locked.own_role != role:
        audit.record(
            by, "change role", locked, membership.project, user=locked.user_id, role=[locked.own_role, role]
        )
        locked.own_role = role
        locked.role = highest(role, role_by_teams(locked.user, membership.project)) or role
        locked.full_clean()
        locked.save(update_fields=["role", "own_role"])


@transaction.atomic
def remove_member(*, by: User | None, membership: Membership) -> None:
    """Take the account out of the project. Its judgments stay; what it holds expires by itself.

    Raises:
        ValidationError: it is a member by a team, too, or is none any more.
    """
    require(by, Deed.MANAGE, membership.project)
    locked = _locked(membership)
    require_no_team(locked)
    audit.record(by, "remove member", locked, membership.project, user=locked.user_id)
    locked.delete()


def pause_member(*, by: User | None, membership: Membership, reason: str = "") -> bool:
    """From now on the member gets no pair, and what they hold is given back for others to judge. False if paused already.

    The reason is told to them. Their claims are given back after the pause has been committed, each by itself: to hold
    the annotator's row while waiting for a pair's could cross a submission of theirs. Whoever is killed between leaves
    claims that expire, or that are given back when it is paused again.

    Raises:
        ValidationError: one would pause oneself, the reason is too long, or they are no member any more.
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
    locked = _locked(membership)
    if locked.paused_at:
        return False
    locked.paused_at, locked.pause_reason = timezone.now(), reason.strip()
    locked.full_clean()
    locked.save(update_fields=["paused_at", "pause_reason"])
    audit.record(by, "pause member", locked, membership.project, user=locked.user_id, reason=reason)
    return True


@transaction.atomic
def resume_member(*, by: User | None, membership: Membership) -> bool:
    """Let a paused member work again. False if they were not paused.

    Raises:
        ValidationError: they are no member any more.
    """
    require(by, Deed.MANAGE, membership.project)
    locked = _locked(membership)
    if not locked.paused_at:
        return False
    locked.paused_at, locked.pause_reason = None, ""
    locked.save(update_fields=["paused_at", "pause_reason"])
    audit.record(by, "resume member", locked, membership.project, user=locked.user_id)
    return True


def _locked(membership: Membership) -> Membership:
    """The row as it stands now; another manager, or the person, may have taken it away since it was shown."""
    found = Membership.objects.select_for_update().filter(pk=membership.pk).first()
    if found is None:
        raise ValidationError(f"{membership.user} is no member any more.")
    return found
