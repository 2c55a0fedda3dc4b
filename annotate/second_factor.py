"""Who has a second factor and who must have one, and how its secrets are kept: reads only. Writes: actions/factors.py."""

import base64
import hashlib
from functools import cache

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import Fernet
from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from annotate.models import Membership, Role, User


class Secrets(DefaultMFAAdapter):
    """Keeps secrets encrypted by the installation's SECRET_KEY: a copy of the database alone makes no codes.

    With another SECRET_KEY they are lost, and whoever has a second factor needs it reset.
    """

    def encrypt(self, text: str) -> str:
        return _cipher(settings.SECRET_KEY).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises cryptography.fernet.InvalidToken where another key encrypted it."""
        return _cipher(settings.SECRET_KEY).decrypt(encrypted_text.encode()).decode()

    def get_totp_label(self, user: User) -> str:
        return user.get_username()


@cache
def _cipher(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"second factor {key}".encode()).digest()))


def app_of(user: User) -> Authenticator | None:
    """The authenticator app that the account logs in with, if it has one."""
    return Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()


def codes_left(user: User) -> int:
    """How many recovery codes the account has not used yet. No secret is read for it."""
    kept = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).first()
    return (
        sum(not RecoveryCodes(kept)._is_code_used(n) for n in range(settings.MFA_RECOVERY_CODE_COUNT))
        if kept
        else 0
    )


def must_set_up(user: User) -> bool:
    """Is this somebody of the staff or who manages a project, and still without a second factor? One query."""
    apps = Authenticator.objects.filter(user_id=OuterRef("pk"), type=Authenticator.Type.TOTP)
    managing = Membership.objects.filter(user_id=OuterRef("pk"), role=Role.MANAGER)
    who = User.objects.filter(
        Q(is_superuser=True) | Q(is_staff=True) | Exists(managing), ~Exists(apps), pk=user.pk
    )
    return who.exists()
