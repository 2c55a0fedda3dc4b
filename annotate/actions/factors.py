"""The second factor of an account: an authenticator app's codes (TOTP), and recovery codes for when it is lost."""

import time
from enum import Enum

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    compare_user_code,
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.mfa.utils import decrypt
from cryptography.fernet import InvalidToken
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import audit
from annotate.access import Denied
from annotate.models import User

# Wrong codes of one account from wherever, until none is looked at any more: who guesses codes knows the password, so
# nobody keeps a stranger out by this.
_MOST_WRONG = 10
_PAUSE = 15 * 60  # seconds


class Code(Enum):
    """What came of a code."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"


def step_of(secret: str, code: str) -> int | None:
    """The step of time (30 s) that an app with this secret shows the code in: this one, the one before or after."""
    for step in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step))):
            return step
    return None


@transaction.atomic
def set_up_factor(*, user: User, secret: str, code: str) -> list[str]:
    """Ask this account for codes of an app with this secret from now on. Returns its recovery codes, told this once.

    Raises:
        ValidationError: the code is not of that secret, or there is an app already.
    """
    _lock(user)
    step = step_of(secret, code)
    if step is None:
        raise ValidationError({"code": _("That is not the code that the app shows now.")})
    if Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists():
        raise ValidationError(_("A second factor is set up already. Remove it first."))
    app = TOTP.activate(user, secret).instance
    app.data["step"] = step  # the code that proves the set-up logs nobody in
    app.save(update_fields=["data"])
    audit.record(user, "set up second factor", user)
    return _new_codes(user)


@transaction.atomic
def use_code(*, user: User, code: str) -> Code:
    """Try a code of the app or a recovery code. A right one is used up: none is right twice, nor an older one after it.

    WAIT: so many were wrong within a quarter of an hour that no code is looked at.
    """
    found = {
        one.type: one
        for one in Authenticator.objects.filter(user_id=user.pk).select_for_update().order_by("pk")
    }
    app = found.get(Authenticator.Type.TOTP)
    if app is None:
        return Code.WRONG
    wrong = [at for at in app.data.get("wrong", []) if at > time.time() - _PAUSE]
    if len(wrong) >= _MOST_WRONG:
        return Code.WAIT
    try:
        step = step_of(decrypt(app.data["secret"]), code)
        kept = found.get(Authenticator.Type.RECOVERY_CODES)
        if step is not None and step > app.data["step"]:
            app.data |= {"step": step, "wrong": []}
        elif step is None and kept is not None and RecoveryCodes(kept).validate_code(code):
            app.data["wrong"] = []
            audit.record(user, "use recovery code", user)
        else:
            app.data["wrong"] = [*wrong, time.time()]
            app.save(update_fields=["data"])
            return Code.WRONG
    except InvalidToken:  # set up under another SECRET_KEY
        return Code.WRONG
    app.last_used_at = timezone.now()
    app.save(update_fields=["data", "last_used_at"])
    return Code.RIGHT


@transaction.atomic
def renew_codes(*, user: User) -> list[str]:
    """Ten new recovery codes in place of all there were. Returns them, told this once.

    Raises:
        ValidationError: the account has no second factor.
    """
    _lock(user)
    if not Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists():
        raise ValidationError(_("There is no second factor to recover."))
    audit.record(user, "renew recovery codes", user)
    return _new_codes(user)


@transaction.atomic
def remove_factor(*, user: User) -> None:
    """Log in by the password alone again. Nothing happens where there is no second factor."""
    if Authenticator.objects.filter(user_id=user.pk).delete()[0]:
        audit.record(user, "remove second factor", user)


@transaction.atomic
def reset_factor(*, by: User | None, user: User) -> None:
    """Take away the second factor of somebody who has lost it. Superusers alone may, and a command at the terminal.

    Raises:
        Denied: `by` is no superuser.
        ValidationError: the account has none.
    """
    if by is not None and not by.is_superuser:
        raise Denied("To reset a second factor, one must be a superuser.")
    if not Authenticator.objects.filter(user_id=user.pk).delete()[0]:
        raise ValidationError(f"{user.get_username()} has no second factor.")
    audit.record(by, "reset second factor", user)


def _lock(user: User) -> None:
    """Two requests at once set nothing up twice."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _new_codes(user: User) -> list[str]:
    Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).delete()
    return RecoveryCodes.activate(user).generate_codes()
