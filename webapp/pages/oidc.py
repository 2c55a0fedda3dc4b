"""To the OpenID provider and back."""

from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.contrib.auth.views import RedirectURLMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from requests import RequestException

from webapp.oidc import Adapter, Callback, Provider, failed


@method_decorator([require_safe, never_cache], name="dispatch")
class Begin(RedirectURLMixin, View):
    """Send to the provider, by a link of the login page: a form may not lead away from here (form-action)."""

    next_page = settings.LOGIN_REDIRECT_URL

    def get(self, request: HttpRequest) -> HttpResponse:
        if not settings.OIDC_ISSUER:
            raise Http404("No OpenID provider is set up.")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return redirect("login")  # nobody else's page starts a login
        provider = get_adapter().get_provider(request, Provider.id)
        try:
            response: HttpResponse = provider.redirect(request, "login", next_url=self.get_success_url())
        except (OAuth2Error, RequestException) as error:
            response = failed(request, error)
        return response

    def get_default_redirect_url(self) -> str:
        return resolve_url(settings.LOGIN_REDIRECT_URL)


@require_safe
@never_cache
def back(request: HttpRequest) -> HttpResponse:
    """The provider sends people here, with a code to be changed for who they are."""
    if not settings.OIDC_ISSUER:
        raise Http404("No OpenID provider is set up.")
    view: Any = Callback.adapter_view(Adapter(request, Provider.id))
    response: HttpResponse = view(request)
    return response
