"""The admin site: open to whoever manages a project, through the one login page there is."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from annotate.access import Deed, projects_where
from annotate.models import User


class Site(AdminSite):
    site_header = site_title = "Evenhand"
    index_title = "Administration"

    def has_permission(self, request: HttpRequest | Any) -> bool:
        user = request.user
        if isinstance(user, AnonymousUser) or not user.is_active:
            return False
        return user.is_superuser or bool(managed_projects(request))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """No second login form beside the one that is guarded against guessing."""
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        if request.user.is_authenticated:
            raise PermissionDenied("The administration is for managers of a project.")
        return redirect_to_login(request.GET.get("next", reverse("admin:index")))


def signed_in(request: HttpRequest) -> User:
    """Who asks; admin views are reached by nobody else."""
    assert isinstance(request.user, User)
    return request.user


def managed_projects(request: HttpRequest) -> frozenset[int]:
    """Ids of the projects that the user manages, asked once a request."""
    found: frozenset[int] | None = getattr(request, "_managed_projects", None)
    if found is None:
        found = frozenset(projects_where(signed_in(request), Deed.MANAGE).values_list("pk", flat=True))
        request._managed_projects = found  # type: ignore[attr-defined]
    return found
