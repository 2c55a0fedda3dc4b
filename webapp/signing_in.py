"""What logs in whoever has proved who they are, by password or by OpenID Connect: allauth's steps in our words.

The second factor is one of them. Guesses at codes and at passwords that confirm something count like failed logins.
"""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import perform_login
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from annotate.models import User
from webapp.refusal import refused


class Accounts(DefaultAccountAdapter):
    """allauth's way of logging in, without what it tells, mails and asks besides."""

    def get_login_stages(self) -> list[str]:
        return ["allauth.mfa.stages.AuthenticateStage"]

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None: ...

    def login(self, request: HttpRequest, user: Any) -> None:
        user.backend = "webapp.sessions.Accounts"
        super().login(request, user)

    def respond_user_inactive(self, request: HttpRequest, user: Any) -> HttpResponse:
        # By a password nobody comes here: such an account has none that is right.
        return refused(request, _("Your account here is closed."))

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        if user.language in dict(settings.LANGUAGES):
            remember(response, user.language)  # whoever used this browser before may have chosen another
        return response


def log_in(request: HttpRequest, user: User, leads_to: str) -> HttpResponse:
    """Log in, and go to `leads_to`; or go and ask for the second factor first."""
    response: HttpResponse = perform_login(request, user, email_verification="none", redirect_url=leads_to)
    return response


def remember(response: HttpResponse, language: str) -> None:
    """Sets the cookie that Django's set_language sets."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )


def may_guess(request: HttpRequest, user: User) -> bool:
    """Have there not been too many wrong ones for this name from this address?"""
    allowed: bool = AxesProxyHandler.is_allowed(request, {"username": user.get_username()})
    return allowed


def guessed_wrong(request: HttpRequest, user: User) -> None:
    """Count it. The one too many is answered by axes' middleware, with settings.AXES_LOCKOUT_CALLABLE."""
    user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)
