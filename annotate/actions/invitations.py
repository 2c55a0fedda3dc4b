"""Links into a project: made and revoked by managers, taken by whoever has one. No e-mail is sent.

A token has 192 random bits, and its SHA-256 alone is kept: nobody guesses one, and a copy of the database opens
nothing. Whoever has the link is meant: it may be passed on, as often as it has uses.
"""

import csv
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import audit
from annotate.access import Deed, Unknown, highest, outranks, require
from annotate.actions.people import create_user
from annotate.members import invitations_of, open_invitations, token_sha256
from annotate.models import Invitation, Membership, Project, Role, User
from annotate.models.project import MAX_TAG, MAX_TAGS

MAX_USES = 10_000
MAX_DAYS = 365
MAX_ROWS = 1_000
_PROBLEMS_TOLD = 20
_COLUMNS = ["email", "role", "tags"]


@dataclass(frozen=True)
class Invited:
    """Whom a link is for, and as what."""

    email: str
    role: Role
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """An invitation with its token, which nobody can ask for again."""

    invitation: Invitation
    token: str


def split_tags(text: str) -> tuple[str, ...]:
    """Tags between commas or semicolons."""
    return tuple(filter(None, (tag.strip() for tag in text.replace(";", ",").split(","))))


def read_invited(text: str) -> list[Invited]:
    """Rows of CSV: e-mail, role and, if wanted, tags with a semicolon between them. A first row of these names is left out.

    Raises:
        ValidationError: a row is wrong. Each problem is told with its row and field; no row is taken then.
    """
    rows = csv.reader(io.StringIO(text.strip("\ufeff \n\r")), skipinitialspace=True)
    invited: list[Invited] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    try:
        for number, cells in enumerate(rows, 1):
            row = [cell.strip() for cell in cells]
            if not any(row) or (number == 1 and [cell.lower() for cell in row] in (_COLUMNS, _COLUMNS[:2])):
                continue
            found = _problems_of(row)
            if not found and (first := seen.setdefault(row[0].lower(), number)) != number:
                found = [f"email: {row[0]} stands in row {first} already."]
            problems += [f"Row {number}, {problem}" for problem in found]
            if not found:
                tags = split_tags(row[2]) if len(row) > 2 else ()
                invited.append(Invited(row[0], Role(row[1].lower()), tags))
    except csv.Error as error:
        problems.append(f"Row {rows.line_num}: this is no CSV ({error}).")
    if not problems and not invited:
        problems.append("There is no row. Give one a line: email,role or email,role,tags.")
    if len(invited) > MAX_ROWS:
        problems.append(f"At most {MAX_ROWS:,} rows at once; these are {len(invited):,}.")
    if problems:
        more = len(problems) - _PROBLEMS_TOLD
        raise ValidationError(
            [*problems[:_PROBLEMS_TOLD], *([f"... and {more} problems more."] if more > 0 else [])]
        )
    return invited


def _problems_of(row: Sequence[str]) -> list[str]:
    """ "field: what is wrong with it" of one row."""
    if not 2 <= len(row) <= 3:
        return [f"columns: there are {len(row)}. Give email,role or email,role,tags."]
    problems = []
    try:
        validate_email(row[0])
    except ValidationError:
        problems.append(f"email: {row[0]!r} is no address.")
    if row[1].lower() not in Role.values:
        problems.append(f"role: {row[1]!r} is none. Give one of {', '.join(Role.values)}.")
    tags = split_tags(row[2]) if len(row) > 2 else ()
    if problem := _problem_of_tags(tags):
        problems.append(f"tags: {problem}")
    return problems


def _problem_of_tags(tags: Sequence[str]) -> str:
    if len(tags) > MAX_TAGS:
        return f"at most {MAX_TAGS}; these are {len(tags)}."
    if long := next((tag for tag in tags if len(tag) > MAX_TAG), None):
        return f"{long!r} has more than {MAX_TAG} characters."
    if len({tag.casefold() for tag in tags}) < len(tags):
        return "one stands there twice."
    return ""


@transaction.atomic
def make_link(
    *,
    by: User | None,
    project: Project,
    role: Role,
    uses: int = 1,
    days: int = 14,
    tags: Sequence[str] = (),
) -> Link:
    """One link for as many people as it has uses, for so many days.

    Raises:
        ValidationError: uses, days or tags are out of range.
    """
    require(by, Deed.MANAGE, project)
    if not 1 <= uses <= MAX_USES:
        raise ValidationError({"uses": f"Give a number from 1 to {MAX_USES:,}."})
    if problem := _problem_of_tags(tags):
        raise ValidationError({"tags": f"Tags: {problem}"})
    return _make(by, project, Invited("", role, tuple(tags)), uses, days)


@transaction.atomic
def invite(*, by: User | None, project: Project, invited: Sequence[Invited], days: int = 14) -> list[Link]:
    """A link of its own, for one use, for each of `invited`. All of them or none.

    Raises:
        ValidationError: the days are out of range.
    """
    require(by, Deed.MANAGE, project)
    return [_make(by, project, one, 1, days) for one in invited]


def _make(by: User | None, project: Project, invited: Invited, uses: int, days: int) -> Link:
    if not 1 <= days <= MAX_DAYS:
        raise ValidationError({"days": f"Give a number from 1 to {MAX_DAYS}."})
    token = secrets.token_urlsafe(24)
    invitation = Invitation.objects.create(
        project=project,
        role=invited.role,
        email=invited.email,
        tags=list(invited.tags),
        token_sha256=token_sha256(token),
        made_by=by,
        expires_at=timezone.now() + timedelta(days=days),
        uses_left=uses,
    )
    audit.record(by, "make invitation", invitation, project, role=invited.role, uses=uses, days=days)
    return Link(invitation, token)


@transaction.atomic
def revoke_invitation(*, by: User | None, invitation: Invitation) -> bool:
    """Nobody gets in by this link any more; who did stays. False if it was revoked already."""
    require(by, Deed.MANAGE, invitation.project)
    revoked = Invitation.objects.filter(pk=invitation.pk, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    )
    if revoked:
        audit.record(by, "revoke invitation", invitation, invitation.project)
    return bool(revoked)


@transaction.atomic
def accept_invitation(*, user: User, token: str) -> Membership:
    """Become a member by a link, or of a higher role. Who is as much already stays so, and uses nothing up.

    Raises:
        Unknown: the link opens nothing, whatever the reason.
    """
    return _let_in(user, _locked(token))


@transaction.atomic
def accept_invitations_of(*, user: User, email: str) -> list[Membership]:
    """Become a member by every invitation that names an address, which somebody trusted says is the user's."""
    found = invitations_of(email).select_related("project").order_by("pk")
    return [_let_in(user, one) for one in found.select_for_update(of=("self",), no_key=True)]


@transaction.atomic
def sign_up(*, token: str, username: str, password: str) -> User:
    """An account for who has a link, a member at once. Nowhere else does anybody make an account for themselves.

    Raises:
        Unknown: the link opens nothing, whatever the reason.
        ValidationError: the name is taken or malformed, or the password too weak. The link has lost no use.
    """
    invitation = _locked(token)
    try:
        user = create_user(by=None, username=username, password=password, email=invitation.email)
    except IntegrityError as error:  # somebody took the name this instant
        raise ValidationError({"username": _("A user with that username already exists.")}) from error
    _let_in(user, invitation)
    return user


def _locked(token: str) -> Invitation:
    """Two who take the last use wait for each other here, and the second one finds none."""
    found = open_invitations(token).select_related("project").select_for_update(of=("self",), no_key=True)
    invitation = found.first()
    if invitation is None:
        raise Unknown(_("This link opens nothing."))
    return invitation


def _let_in(user: User, invitation: Invitation) -> Membership:
    project, role = invitation.project, Role(invitation.role)
    membership, created = Membership.objects.select_for_update().get_or_create(
        project=project, user=user, defaults={"role": role, "own_role": role, "tags": invitation.tags}
    )
    before = Role(membership.role)
    own = Role(membership.own_role) if membership.own_role else None  # None: here by a team alone
    if not created and own and not outranks(role, own):
        return membership
    invitation.uses_left -= 1
    invitation.save(update_fields=["uses_left"])
    if not created:
        membership.own_role = role
        membership.role = highest(role, before) or role
        membership.save(update_fields=["role", "own_role"])
    audit.record(
        user,
        "join by invitation",
        membership,
        project,
        invitation=invitation.pk,
        role=role if created else [before, membership.role],
    )
    return membership
