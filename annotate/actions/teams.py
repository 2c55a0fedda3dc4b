"""Teams: people who get their roles in projects together. What comes of it stands in their memberships, at once.

A membership's role is the highest of the person's own and those that their teams have in the project; who has neither is no
member. Superusers make teams and say who is in them; who manages a project gives a team a role there.
"""

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from annotate import audit
from annotate.access import Deed, Denied, highest, require
from annotate.models import Membership, Project, Role, Team, TeamMember, TeamRole, User

_LOCK = 0x455654  # "EVT"


def _lock_teams() -> None:
    """One change of teams after the other: of two at once neither would see what the other leaves of a person's roles."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCK])


def _require_superuser(by: User | None) -> None:
    if by is not None and not by.is_superuser:
        raise Denied("To make teams and to say who is in them, one must be a superuser.")


@transaction.atomic
def make_team(*, by: User | None, name: str) -> Team:
    """A new team of nobody, with a role nowhere.

    Raises:
        Denied: `by` is no superuser.
        ValidationError: the name is empty, too long or taken.
    """
    _require_superuser(by)
    team = Team(name=" ".join(name.split()))
    team.full_clean()
    team.save()
    audit.record(by, "make team", team, name=team.name)
    return team


@transaction.atomic
def remove_team(*, by: User | None, team: Team) -> None:
    """Forget a team: everybody keeps the roles that they have otherwise."""
    _require_superuser(by)
    _lock_teams()
    people = [member.user for member in team.members.select_related("user")]
    projects = [role.project for role in team.roles.select_related("project")]
    audit.record(by, "remove team", team, name=team.name, members=len(people))
    team.delete()
    for project in projects:
        _settle_all(by, project, people, team)


@transaction.atomic
def add_to_team(*, by: User | None, team: Team, user: User) -> bool:
    """Put a person into a team: they have its roles at once. False if they are in it."""
    _require_superuser(by)
    _lock_teams()
    _, made = TeamMember.objects.get_or_create(team=team, user=user)
    if made:
        audit.record(by, "add to team", team, user=user.pk)
        for role in team.roles.select_related("project"):
            _settle_all(by, role.project, [user], team)
    return made


@transaction.atomic
def take_from_team(*, by: User | None, team: Team, user: User) -> bool:
    """Take a person out of a team, and with it the roles that they have by it alone. False if they are not in it."""
    _require_superuser(by)
    _lock_teams()
    gone, _ = TeamMember.objects.filter(team=team, user=user).delete()
    if gone:
        audit.record(by, "take from team", team, user=user.pk)
        for role in team.roles.select_related("project"):
            _settle_all(by, role.project, [user], team)
    return bool(gone)


@transaction.atomic
def give_team_role(*, by: User | None, team: Team, project: Project, role: Role) -> bool:
    """Let everybody who is or will be in the team have at least this role in the project. False if it has it.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, project)
    _lock_teams()
    before = TeamRole.objects.filter(team=team, project=project).first()
    if before and before.role == role:
        return False
    TeamRole.objects.update_or_create(team=team, project=project, defaults={"role": role})
    audit.record(by, "give team a role", project, project, team=team.name, role=role)
    _settle_all(by, project, _people(team), team)
    return True


@transaction.atomic
def take_team_role(*, by: User | None, team: Team, project: Project) -> bool:
    """Let the team have no role in the project: who has none otherwise is no member any more. False if it has none."""
    require(by, Deed.MANAGE, project)
    _lock_teams()
    gone, _ = TeamRole.objects.filter(team=team, project=project).delete()
    if gone:
        audit.record(by, "take team's role", project, project, team=team.name)
        _settle_all(by, project, _people(team), team)
    return bool(gone)


def _people(team: Team) -> list[User]:
    return [member.user for member in team.members.select_related("user").order_by("user")]


def role_by_teams(user: User, project: Project) -> Role | None:
    """The highest role that a team of the user's has in the project."""
    held = TeamRole.objects.filter(project=project, team__members__user=user).values_list("role", flat=True)
    return highest(*(Role(role) for role in held))


def _settle_all(by: User | None, project: Project, people: list[User], team: Team) -> None:
    """Make the memberships of these people what their own and their teams' roles say."""
    for user in people:
        given = role_by_teams(user, project)
        membership = Membership.objects.select_for_update().filter(project=project, user=user).first()
        own = Role(membership.own_role) if membership and membership.own_role else None
        role = highest(own, given)
        told = {"user": user.pk, "team": team.name}
        if membership is None and role:
            membership = Membership.objects.create(project=project, user=user, role=role)
            audit.record(by, "add member by team", membership, project, role=role, **told)
        elif membership and role is None:
            audit.record(by, "remove member by team", membership, project, **told)
            membership.delete()
        elif membership and role and membership.role != role:
            audit.record(by, "change role by team", membership, project, role=[membership.role, role], **told)
            membership.role = role
            membership.save(update_fields=["role"])


def require_no_team(membership: Membership) -> None:
    """
    Raises:
        ValidationError: the person is a member by a team too, and would stay one.
    """
    if role_by_teams(membership.user, membership.project):
        raise ValidationError(
            f"{membership.user} is here by a team: take them out of it, or the team's role away."
        )
