"""The user's projects, each with how far they are and one thing to do."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate.access import Deed, reaches
from annotate.models import ProjectState, User
from annotate.queries import projects_with_progress


@require_safe
@login_required
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    projects = [
        {
            "project": project,
            "sees": reaches(role, Deed.SEE_JUDGMENTS),
            "manages": reaches(role, Deed.MANAGE),
            "judged": judged,
            "pairs": pairs,
            "open": project.state == ProjectState.OPEN,
        }
        for project, role, judged, pairs in projects_with_progress(request.user)
    ]
    return render(request, "home.html", {"projects": projects})
