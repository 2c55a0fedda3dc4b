"""An authenticator app: what a phone shows for a secret."""

import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    SECRET_SESSION_KEY,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from allauth.mfa.utils import decrypt
from django.test import Client

from annotate.actions.factors import set_up_factor
from annotate.models import User

_PERIOD = 30  # seconds


def shown(secret: str, *, later: int = 0) -> str:
    """The code now, or so many steps later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // _PERIOD + later))


def with_app(user: User) -> tuple[str, list[str]]:
    """Sets up a second factor a while ago: (secret, recovery codes)."""
    secret = generate_totp_secret()
    codes = set_up_factor(user=user, secret=secret, code=shown(secret))
    pass_time(user)
    return secret, codes


def pass_time(user: User) -> None:
    """As if the last code had been used long ago."""
    app = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    app.data["step"] = 0
    app.save()


def secret_of(client: Client) -> str:
    """What the page of the set-up shows."""
    client.get("/second-factor/set-up/")
    return str(client.session[SECRET_SESSION_KEY])


def kept(user: User) -> dict[str, Any]:
    """The row of the account's app, with its secret in clear."""
    app = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    return {**app.data, "secret": decrypt(app.data["secret"])}
