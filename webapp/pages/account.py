"""Login and password change. The judge page logs in here too, by fetch, when its session has ended."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpResponse, JsonResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache


@method_decorator(never_cache, name="dispatch")
class Login(views.LoginView):
    """Answers a form with a page, and a request that accepts JSON with {"user": id} or {"error": {...}}."""

    template_name = "login.html"
    redirect_authenticated_user = True

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        # A fetch that logs in again must not be sent to the home page because another tab was faster.
        self.redirect_authenticated_user = not self._by_fetch()
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        if self._by_fetch():
            return JsonResponse({"user": form.get_user().pk})
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if self._by_fetch():
            detail = " ".join(str(error) for errors in form.errors.values() for error in errors)
            return JsonResponse({"error": {"code": "login", "detail": detail, "field": ""}}, status=400)
        return super().form_invalid(form)

    def _by_fetch(self) -> bool:
        return self.request.headers.get("Accept") == "application/json"


class PasswordChange(views.PasswordChangeView):
    template_name = "password_change.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed.")
        return super().form_valid(form)
