"""Reads about how people got into a project."""

import hashlib

from django.db.models import QuerySet
from django.utils import timezone

from annotate.models import Invitation


def token_sha256(token: str) -> bytes:
    """What is kept of a link's token."""
    return hashlib.sha256(token.encode()).digest()


def open_invitations(token: str) -> QuerySet[Invitation]:
    """The invitation that the token opens now, or none.

    One statement whatever the reason why there is none: unknown, used up, expired or revoked.
    """
    return Invitation.objects.filter(
        token_sha256=token_sha256(token),
        revoked_at__isnull=True,
        expires_at__gt=timezone.now(),
        uses_left__gt=0,
    )
