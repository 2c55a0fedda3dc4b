"""One's own second factor: how it stands, setting it up, new recovery codes, removing it."""

import re
import time
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import clear_totp_secret, get_totp_secret
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from annotate.actions.factors import Code, remove_factor, renew_codes, set_up_factor, use_code
from annotate.models import User
from annotate.second_factor import app_of, codes_left, must_set_up
from webapp.pages.account import locked
from webapp.signing_in import guessed_wrong, may_guess

_JUST_NOW = 15 * 60  # seconds


@require_safe
@login_required
@never_cache
def factor(request: HttpRequest) -> HttpResponse:
    user = _who(request)
    return render(request, "factor.html", {"app": app_of(user), "left": codes_left(user)})


@method_decorator([sensitive_post_parameters(), login_required, never_cache], name="dispatch")
class Confirmed(View):
    """Does something once the password is given again; for an account without one, a code in its place."""

    http_method_names = ["get", "head", "post"]
    template = "factor_confirm.html"
    needs_app = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.shown(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        user = _who(request)
        if not may_guess(request, user):
            return locked(request)
        if not self.confirmed(user, request.POST):
            guessed_wrong(request, user)
            return self.shown(request, {"password": _("That is wrong.")})
        return self.done(request, user)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if (app_of(_who(request)) is not None) != self.needs_app:
            return redirect("factor")
        return super().dispatch(request, *args, **kwargs)

    def shown(self, request: HttpRequest, errors: dict[str, str] | None = None) -> HttpResponse:
        asks_password = _who(request).has_usable_password()
        context = {**self.words(), "asks_password": asks_password, "errors": errors or {}}
        return render(request, self.template, context)

    def confirmed(self, user: User, given: Any) -> bool:
        if user.has_usable_password():
            return user.check_password(given.get("password", ""))
        return use_code(user=user, code=given.get("password", "")) is Code.RIGHT

    def words(self) -> dict[str, Any]:
        return {}

    def done(self, request: HttpRequest, user: User) -> HttpResponse:
        raise NotImplementedError


class SetUp(Confirmed):
    """Shows a secret to be put into an app, and takes the code that the app then makes."""

    template = "factor_set_up.html"
    needs_app = False

    def post(self, request: HttpRequest) -> HttpResponse:
        user = _who(request)
        if user.has_usable_password():
            return super().post(request)
        # Without a password there is only that they came from the provider a moment ago.
        came = max((record["at"] for record in get_authentication_records(request, user)), default=0)
        if time.time() - came > _JUST_NOW:
            return self.shown(
                request, {"password": _("It is too long since you logged in. Log out and in again first.")}
            )
        return self.done(request, user)

    def words(self) -> dict[str, Any]:
        user = _who(self.request)
        secret = get_totp_secret()
        url = get_adapter().build_totp_url(user, secret)
        spaced = " ".join(re.findall(".{1,4}", secret))
        return {"picture": _picture(url), "secret": spaced, "demanded": must_set_up(user)}

    def done(self, request: HttpRequest, user: User) -> HttpResponse:
        try:
            codes = set_up_factor(user=user, secret=get_totp_secret(), code=request.POST.get("code", ""))
        except ValidationError as error:
            return self.shown(request, {"code": " ".join(error.messages)})
        clear_totp_secret(request)
        return render(request, "factor_codes.html", {"codes": codes, "fresh": True})


class Renew(Confirmed):
    def words(self) -> dict[str, Any]:
        return {
            "title": _("New recovery codes"),
            "explain": _("The recovery codes that you have now will be worth nothing."),
            "act": _("Make new codes"),
        }

    def done(self, request: HttpRequest, user: User) -> HttpResponse:
        return render(request, "factor_codes.html", {"codes": renew_codes(user=user)})


class Remove(Confirmed):
    def words(self) -> dict[str, Any]:
        return {
            "title": _("Remove the second factor"),
            "explain": _("From then on nothing but your password guards your account."),
            "act": _("Remove it"),
        }

    def done(self, request: HttpRequest, user: User) -> HttpResponse:
        remove_factor(user=user)
        messages.success(request, _("Your second factor is removed."))
        return redirect("factor")


def _who(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _picture(url: str) -> SafeString:
    """A QR code as SVG without styles and scripts, made by us of a URL that is quoted."""
    svg = get_adapter().build_totp_svg(url)
    return mark_safe(svg[svg.index("<svg") :])
