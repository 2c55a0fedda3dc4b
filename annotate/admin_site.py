"""The admin site: open to who may see the judgments of a project or manage it, through the one login page there is."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from annotate.access import Deed, projects_where
from annotate.models import User

_View = TypeVar("_View", bound=Callable[..., Any])

# Django's admin takes whatever is not POST for GET.
_read_or_post = require_http_methods(["GET", "HEAD", "POST"])


# What the index and the navigation beside every page list, in the order of an effort: set up, ask, look, go back.
SUBJECTS = {
    "Projects": ("project", "team", "dataimport", "release", "job"),
    "Work": ("pair", "criterion", "criteriarun", "proposal", "asset", "judgment", "claim", "draw"),
    "People": ("user", "membership", "annotator", "invitation", "crowdarrival"),
    "Traces": ("auditentry", "accessattempt", "accessfailurelog", "accesslog"),
}


class Site(AdminSite):
    site_header = site_title = "Evenhand"
    index_title = "Administration"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """What the user may see, by subject instead of by the application that holds it."""
        if app_label:
            return super().get_app_list(request, app_label)
        seen = {
            model["object_name"].lower(): model
            for app in super().get_app_list(request)
            for model in app["models"]
        }
        subjects = [
            {"name": name, "models": [seen[model] for model in models if model in seen]}
            for name, models in SUBJECTS.items()
        ]
        return [subject for subject in subjects if subject["models"]]

    def has_permission(self, request: HttpRequest | Any) -> bool:
        user = request.user
        if isinstance(user, AnonymousUser) or not user.is_active:
            return False
        return user.is_superuser or bool(projects_for(request, Deed.SEE_JUDGMENTS))

    def admin_view(self, view: _View, cacheable: bool = False) -> _View:
        return _read_or_post(super().admin_view(view, cacheable))

    @method_decorator(_read_or_post)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """No second login form beside the one that is guarded against guessing."""
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        if request.user.is_authenticated:
            raise PermissionDenied("The administration is for reviewers and managers of a project.")
        return redirect_to_login(request.GET.get("next", reverse("admin:index")))


def signed_in(request: HttpRequest) -> User:
    """Who asks; admin views are reached by nobody else."""
    assert isinstance(request.user, User)
    return request.user


def projects_for(request: HttpRequest, deed: Deed) -> frozenset[int]:
    """Ids of the projects in which the user may do the deed, asked once a request."""
    known: dict[Deed, frozenset[int]] = request.__dict__.setdefault("_projects_for", {})
    if deed not in known:
        known[deed] = frozenset(projects_where(signed_in(request), deed).values_list("pk", flat=True))
    return known[deed]
