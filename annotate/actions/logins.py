"""Logging in by an identity of an OpenID provider: which account is whose."""

from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from annotate import audit
from annotate.actions.invitations import accept_invitations_of
from annotate.actions.people import create_user
from annotate.members import invitations_of
from annotate.models import User

_NAME = User._meta.get_field("username").max_length or 150


@transaction.atomic
def account_for(*, issuer: str, subject: str, email: str) -> User | None:
    """The account that an identity logs in to, tied to it from then on; None if it has none here.

    The first time it is found by `email`, an address that the issuer has verified, or "": the one account that has it,
    or a new one for who was invited by that address, a member at once. Two accounts with the same address are nobody's. Two requests at once tie it once.
    """
    tied = SocialAccount.objects.filter(provider=issuer, uid=subject).select_related("user").first()
    if tied:
        return tied.user
    if not email:
        return None
    users = list(User.objects.filter(email__iexact=email, simulated=False).select_for_update(no_key=True)[:2])
    if not users and invitations_of(email).exists():
        users = [create_user(by=None, username=_free_name(email), password=None, email=email)]
        accept_invitations_of(user=users[0], email=email)
    if len(users) != 1:
        return None
    tied, new = SocialAccount.objects.get_or_create(provider=issuer, uid=subject, defaults={"user": users[0]})
    if new:
        audit.record(tied.user, "tie to identity", tied.user, issuer=issuer, identity=subject)
    return tied.user


def _free_name(email: str) -> str:
    """A name for a new account that nobody has: the address, or that with a number."""
    base, number = email[: _NAME - 8], 1
    name = base
    while User.objects.filter(username=name).exists():
        number += 1
        name = f"{base}-{number}"
    return name
