"""The page to judge pairs on: a shell. Its modules do the work over the API."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotate import review
from annotate.access import Unknown
from annotate.models import Annotator, User
from annotate.queries import project_for


@require_safe
@login_required
@never_cache
@ensure_csrf_cookie
def judge(request: HttpRequest, slug: str) -> HttpResponse:
    assert isinstance(request.user, User)
    try:
        project = project_for(request.user, slug)
    except Unknown as error:
        raise Http404(str(error)) from error
    me = Annotator.objects.filter(project=project, user=request.user).first()
    context = {
        "project": project,
        "unread": review.unread(request.user).get(project.pk, 0),
        "asked": review.asked_about(me, request.GET.get("revise", "")) if me else None,
    }
    return render(request, "judge.html", context)
