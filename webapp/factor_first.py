"""With MFA_STAFF: staff and managers set up their second factor before they do anything else."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from annotate.models import User
from annotate.second_factor import must_set_up


def factor_first(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.MFA_STAFF and not request.path.startswith(_free()):
            user = request.user
            if isinstance(user, User) and must_set_up(user):
                return _sent_there(request)
        return get_response(request)

    return middleware


def _free() -> tuple[str, ...]:
    """Where one may go all the same: to set it up, away, and to what asks for no account."""
    named = ("factor", "logout", "language", "login", "worker", "health")
    return tuple(reverse(name) for name in named)


def _sent_there(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        detail = _("Who manages a project here needs a second factor. Set it up first.")
        return JsonResponse({"error": {"code": "second_factor", "detail": detail, "field": ""}}, status=403)
    return redirect("factor_set_up")
