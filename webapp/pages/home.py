"""The user's projects, each with how far they are and one thing to do."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate.access import Deed, reaches
from annotate.consents import asking
from annotate.members import crowd_state
from annotate.models import Annotator, Membership, Project, ProjectState, Role, User
from annotate.queries import projects_with_progress, pseudonyms_of
from annotate.review import unread


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
    arrived = Annotator.objects.filter(user=request.user, crowd_until__isnull=False)
    crowd = {one.project_id: crowd_state(one) for one in arrived.select_related("project")}

    def sees(role: Role, deed: Deed, project: Project) -> bool:
        withheld = project.pk in paused and not request.user.is_superuser
        return reaches(role, deed) and not withheld

    listed = projects_with_progress(request.user)
    asked = asking(project for project, *_ in listed)
    mine = {annotator.project_id: annotator.project for annotator in pseudonyms_of(request.user)}
    unread_of = unread(request.user)
    projects = []
    for project, role, judged, pairs in listed:
        # Who came from Prolific has what was agreed before them, not the whole project.
        came = crowd.get(project.pk)
        ended = came is not None and came.stage != "working"
        held_up = ended or project.pk in paused
        projects.append(
            {
                "project": project,
                "sees": sees(role, Deed.SEE_JUDGMENTS, project),
                "manages": sees(role, Deed.MANAGE, project),
                "paused": project.pk in paused,
                "reason": paused.get(project.pk, ""),
                "crowd": came,
                "ended": ended,
                "unread": unread_of.get(project.pk, 0),
                "judged": came.judged if came else judged,
                "pairs": came.pairs if came else pairs,
                "open": project.state == ProjectState.OPEN and not held_up,
                "asks": project.pk in asked,
                "mine": mine.pop(project.pk, None),
            }
        )
    return render(request, "home.html", {"projects": projects, "left": list(mine.values())})
