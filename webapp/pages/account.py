"""Login with its second factor, password change and language. The judge page logs in here too, by fetch, when its session
has ended.
"""

from typing import Any

from allauth.account.stages import LoginStageController
from allauth.mfa.stages import AuthenticateStage
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from annotate.actions.factors import Code as Outcome
from annotate.actions.factors import use_code
from annotate.actions.people import choose_language
from annotate.models import User
from webapp.signing_in import guessed_wrong, log_in, may_guess


@method_decorator(never_cache, name="dispatch")
class Login(views.LoginView):
    """Answers a form with a page, and a request that accepts JSON with {"user": id}, {"asks": "code"} or {"error": {...}}."""

    template_name = "login.html"
    redirect_authenticated_user = True

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # A fetch that logs in again must not be sent to the home page because another tab was faster.
        self.redirect_authenticated_user = not _by_fetch(request)
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        assert isinstance(user, User)
        return _answered(self.request, log_in(self.request, user, self.get_success_url()))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # Where people log in through a provider alone, superusers ask for the form.
        asked = "password" in self.request.GET or self.request.method == "POST"
        return super().get_context_data(**kwargs, form_shown=asked or not settings.OIDC_ONLY)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if _by_fetch(self.request):
            detail = " ".join(str(error) for errors in form.errors.values() for error in errors)
            return _refused("login", detail, 400)
        return super().form_invalid(form)


@method_decorator([sensitive_post_parameters("code"), csrf_protect, never_cache], name="dispatch")
class Code(View):
    """The second factor, after the password or the provider. Answers as Login does."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.stage = LoginStageController.enter(request, AuthenticateStage.key)
        if request.user.is_authenticated or self.stage is None or not self.stage.login.user.is_active:
            if _by_fetch(request):
                return _refused("login", _("That took too long. Log in again."), 400)
            return redirect("home" if request.user.is_authenticated else "login")
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "login_code.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        assert self.stage is not None
        user = self.stage.login.user
        if not may_guess(request, user):
            return locked(request)
        outcome = use_code(user=user, code=request.POST.get("code", ""))
        if outcome is Outcome.RIGHT:
            return _answered(request, self.stage.exit())
        if outcome is Outcome.WAIT:
            return locked(request)
        guessed_wrong(request, user)
        detail = _("That code is wrong, or was used before. Take the one that the app shows now.")
        if _by_fetch(request):
            return _refused("code", detail, 400)
        return render(request, "login_code.html", {"error": detail})


def _answered(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """What a fetch is told in place of being led on."""
    if not _by_fetch(request):
        return response
    told = {"user": request.user.pk} if request.user.is_authenticated else {"asks": "code"}
    answer = JsonResponse(told)
    answer.cookies.update(response.cookies)
    return answer


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
