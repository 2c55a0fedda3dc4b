"""The user's projects, each with how far they are and one thing to do."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate.access import Deed, reaches
from annotate.members import crowd_state
from annotate.models import Annotator, Membership, Project, ProjectState, Role, User
from annotate.queries import projects_with_progress


@require_safe
@login_required
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    # By project, why one is paused in it.
    paused = dict(
        Membership.objects.filter(user=request.user, paused_at__isnull=False).values_list(
            "project_id", "pause_reason"
        )
    )
    came = Annotator.objects.filter(user=request.user, crowd_until__isnull=False).select_related("project")
    crowd = {annotator.project_id: crowd_state(annotator) for annotator in came}

    def sees(role: Role, deed: Deed, project: Project) -> bool:
        withheld = project.pk in paused and not request.user.is_superuser
        return reaches(role, deed) and not withheld

    projects = [
        {
            "project": project,
            "sees": sees(role, Deed.SEE_JUDGMENTS, project),
            "manages": sees(role, Deed.MANAGE, project),
            "paused": project.pk in paused,
            "reason": paused.get(project.pk, ""),
            "crowd": crowd.get(project.pk),
            "judged": judged,
            "pairs": pairs,
            "open": project.state == ProjectState.OPEN and project.pk not in paused,
        }
        for project, role, judged, pairs in projects_with_progress(request.user)
    ]
    return render(request, "home.html", {"projects": projects})
