"""What reviewers said to an annotator about what they judged, and their answers; nobody else's threads."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import review
from annotate.access import Deed, Denied, Unknown, may, require
from annotate.actions import review as actions
from annotate.actions.judging import Invalid
from annotate.models import Annotator, Project, User
from annotate.queries import project_for


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def comments(request: HttpRequest, slug: str) -> HttpResponse:
    """Posted are: deed "answer" with `comparison` and `text`, "retract" with `comment`, "seen" with neither."""
    assert isinstance(request.user, User)
    user = request.user
    try:
        project = project_for(user, slug)
        require(user, Deed.ANNOTATE, project)
        me = Annotator.objects.filter(project=project, user=user).first()
        if request.method != "POST":
            return _page(request, project, me)
        try:
            told = _act(request, project, me)
        except Invalid as error:
            return _page(request, project, me, error=str(error))
    except (Unknown, Denied) as error:
        raise Http404(str(error)) from error
    messages.success(request, told)
    return HttpResponseRedirect(reverse("comments", args=[slug]))


def _act(request: HttpRequest, project: Project, me: Annotator | None) -> str:
    assert isinstance(request.user, User)
    given = request.POST
    if me is None:
        raise Unknown(_("There is no such comment to you."))
    match given.get("deed"):
        case "answer":
            actions.answer_comment(
                by=request.user,
                project=project,
                comparison_id=_number(given.get("comparison", "")),
                text=given.get("text", "").replace("\r\n", "\n").replace("\x00", ""),
            )
            return _("Said.")
        case "retract":
            actions.retract_comment(
                by=request.user, project=project, comment_id=_number(given.get("comment", ""))
            )
            return _("Taken back.")
        case _:
            actions.note_all_seen(annotator=me)
            return _("All is read.")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _page(request: HttpRequest, project: Project, me: Annotator | None, *, error: str = "") -> HttpResponse:
    assert isinstance(request.user, User)
    threads: list[dict[str, Any]] = [
        {
            "thread": thread,
            "rows": [
                {
                    "comment": one,
                    "text": None if hasattr(one, "retracted_by") else one.text,
                    "mine": one.author_id == thread_of.pk,
                }
                for one in thread.comments
            ],
            "written": request.POST.get("text", "")
            if error and request.POST.get("comparison") == str(thread.comparison)
            else "",
        }
        for thread_of in ([me] if me else [])
        for thread in review.threads(thread_of)
    ]
    context = {
        "project": project,
        "threads": threads,
        "unread": any(row["thread"].unread for row in threads),
        "reviewed": review.unread_where_reviewed(me)
        if me and may(request.user, Deed.REVIEW, project)
        else [],
        "error": error,
    }
    return render(request, "comments.html", context, status=400 if error else 200)
