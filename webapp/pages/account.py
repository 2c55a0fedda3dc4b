"""Login, password change and language. The judge page logs in here too, by fetch, when its session has ended."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from annotate.actions.people import choose_language
from annotate.models import User


@method_decorator(never_cache, name="dispatch")
class Login(views.LoginView):
    """Answers a form with a page, and a request that accepts JSON with {"user": id} or {"error": {...}}."""

    template_name = "login.html"
    redirect_authenticated_user = True

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # A fetch that logs in again must not be sent to the home page because another tab was faster.
        self.redirect_authenticated_user = not _by_fetch(request)
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        user = form.get_user()
        if _by_fetch(self.request):
            response = JsonResponse({"user": user.pk})
        if user.language in dict(settings.LANGUAGES):
            _remember(response, user.language)  # whoever used this browser before may have chosen another
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if _by_fetch(self.request):
            detail = " ".join(str(error) for errors in form.errors.values() for error in errors)
            return _refused("login", detail, 400)
        return super().form_invalid(form)


def locked(request: HttpRequest, *__: Any) -> HttpResponse:
    """What a login is answered after too many wrong ones for this name from this address."""
    if _by_fetch(request):
        return _refused("locked", _("Too many tries. Wait a quarter of an hour, then log in again."), 429)
    return render(request, "locked.html", status=429)


@require_POST
def speak(request: HttpRequest) -> HttpResponse:
    """Choose the language of the interface, in this browser and for the account, and go back to where one was."""
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and language in dict(settings.LANGUAGES):
        choose_language(user=request.user, language=language)
    return set_language(request)


def _remember(response: HttpResponse, language: str) -> None:
    """Sets the cookie that Django's set_language sets."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )


def _by_fetch(request: HttpRequest) -> bool:
    return request.headers.get("Accept") == "application/json"


def _refused(code: str, detail: str, status: int) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "detail": detail, "field": ""}}, status=status)


class PasswordChange(views.PasswordChangeView):
    template_name = "password_change.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password is changed."))
        return super().form_valid(form)
