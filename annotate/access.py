"""Who may do what: the only place that decides.

Every action names the deed; a role holds the deeds of the roles before it. Objects of a project that the user
is not a member of do not exist for them: pages and API answer 404, never 403.
"""

from enum import StrEnum

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from annotate.models import Membership, Project, Role, User


class Deed(StrEnum):
    ANNOTATE = "annotate"
    SEE_JUDGMENTS = "see judgments"
    MODERATE = "moderate criteria"
    REVIEW = "review"
    MANAGE = "manage"


_ROLE_OF_DEED = {
    Deed.ANNOTATE: Role.ANNOTATOR,
    Deed.SEE_JUDGMENTS: Role.REVIEWER,
    Deed.MODERATE: Role.REVIEWER,
    Deed.REVIEW: Role.REVIEWER,
    Deed.MANAGE: Role.MANAGER,
}
_RANK = {role: rank for rank, role in enumerate(Role)}


class Denied(Exception):
    """The user is a member but may not do this."""


class Unknown(Exception):
    """There is no such thing for this user."""


def role_of(user: User, project: Project) -> Role | None:
    """The user's role in the project, None for strangers. A superuser manages everything."""
    return _standing(user, project)[0]


def _standing(user: User, project: Project) -> tuple[Role | None, bool]:
    """The user's role, and whether they are paused in it."""
    if user.is_superuser:
        return Role.MANAGER, False
    members = Membership.objects.filter(user=user, project=project)
    found = members.values_list("role", "paused_at").first()
    return (Role(found[0]), found[1] is not None) if found else (None, False)


def _withheld(deed: Deed, paused: bool) -> bool:
    """Who is paused may still hand in what they began; `annotate/actions/queue.py` gives them nothing new."""
    return paused and deed != Deed.ANNOTATE


def reaches(role: Role, deed: Deed) -> bool:
    """May who has this role in a project do the deed there?"""
    return _RANK[role] >= _RANK[_ROLE_OF_DEED[deed]]


def outranks(role: Role, other: Role) -> bool:
    """May who has this role do what the other may, and more?"""
    return _RANK[role] > _RANK[other]


def highest(*roles: Role | None) -> Role | None:
    """The highest of those that there are; None where there is none."""
    return max((role for role in roles if role), key=_RANK.__getitem__, default=None)


def may(user: User, deed: Deed, project: Project) -> bool:
    role, paused = _standing(user, project)
    return role is not None and reaches(role, deed) and not _withheld(deed, paused)


def projects_where(user: User, deed: Deed) -> QuerySet[Project]:
    """The projects in which the user may do the deed."""
    if user.is_superuser:
        return Project.objects.all()
    roles = [role for role in Role if reaches(role, deed)]
    held = {"memberships__user": user, "memberships__role__in": roles}
    if _withheld(deed, paused=True):
        held["memberships__paused_at__isnull"] = True
    return Project.objects.filter(**held)


def require(user: User | None, deed: Deed, project: Project) -> None:
    """Raise unless the user may do the deed.

    `user` None stands for the system itself: a command at the terminal of the machine or a worker.

    Raises:
        Unknown: the user is no member of the project.
        Denied: the user's role does not reach, or they are paused.
    """
    if user is None:
        return
    role, paused = _standing(user, project)
    if role is None:
        raise Unknown(_("There is no project %(slug)s for you.") % {"slug": project.slug})
    if _withheld(deed, paused):
        raise Denied(_("You are paused in this project."))
    if not reaches(role, deed):
        raise Denied(f"To {deed} here, one must be {_ROLE_OF_DEED[deed]}.")
