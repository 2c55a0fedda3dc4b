"""The page of a project's criteria, where reviewers and managers decide which are asked, suggested, merged and retired.

The page is a frame; its rows come as JSON, and every decision is one form posted by the page's script.
"""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import library
from annotate.access import Deed, may
from annotate.actions.moderation import MAX_REASON, Chosen, decide_criteria
from annotate.models import Criterion, Sharing, User
from annotate.models.project import MAX_CRITERION
from annotate.queries import VISIBLE_IMPORT
from webapp.pages.projects import project_or_404, staff_project

_TABS = {
    "proposed": "Waiting",
    "accepted": "Accepted",
    "library": "Library",
    "own": "Authors' own",
    "merged": "Merged",
    "rejected": "Rejected",
    "retired": "Retired",
    "written": "Written by models",
    "all": "All",
}
_POLICY = {
    Sharing.OPEN: "What annotators write is asked of others at once, and suggested to them.",
    Sharing.REVIEW: "What annotators write waits here: it is asked of others once it is accepted, and suggested once it is promoted.",
    Sharing.NEVER: "What annotators write is asked of nobody else, unless it is accepted here.",
}


@require_safe
@login_required
@never_cache
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = staff_project(request, slug, Deed.MODERATE)
    show = request.GET.get("show", "proposed")
    if show not in library.SHOWN:
        raise Http404(f"There is no list {show[:20]!r}.")
    counts = library.counts(project)
    context = {
        "project": project,
        "show": show,
        "title": _TABS[show],
        "tabs": [(name, label, counts[name]) for name, label in _TABS.items()],
        "policy": _POLICY[Sharing(project.authored_sharing)],
        "manages": may(_user(request), Deed.MANAGE, project),
        "max_reason": MAX_REASON,
    }
    return render(request, "criteria.html", context)


@require_safe
@login_required
@never_cache
def listed(request: HttpRequest, slug: str) -> JsonResponse:
    """{"rows": [...], "more"}: a page of one list. `show`: which; `holds`: what the text holds; `after`: the last id before."""
    project = project_or_404(request, slug, Deed.MODERATE)
    show, after = request.GET.get("show", "proposed"), request.GET.get("after", "0")
    if show not in library.SHOWN or not after.isdecimal() or len(after) > 18:
        raise Http404("There is no such list.")
    holding = request.GET.get("holds", "")[:MAX_CRITERION].replace("\x00", "").strip()
    rows = library.listed(project, show, holding=holding, after=int(after))
    return JsonResponse({"rows": rows, "more": len(rows) == library.PAGE})


@require_safe
@login_required
@never_cache
def counts(request: HttpRequest, slug: str) -> JsonResponse:
    """What an open page asks again and again: how many there are in each list."""
    return JsonResponse(library.counts(project_or_404(request, slug, Deed.MODERATE)))


@require_safe
@login_required
@never_cache
def details(request: HttpRequest, slug: str, criterion_id: int) -> JsonResponse:
    """{"prompts", "written", "near", "history"} of one criterion."""
    project = project_or_404(request, slug, Deed.MODERATE)
    found = Criterion.objects.filter(VISIBLE_IMPORT, project=project, pk=criterion_id)
    criterion = found.select_related("project").first()
    if criterion is None:
        raise Http404("There is no such criterion in this project.")
    return JsonResponse(library.details(criterion, names=may(_user(request), Deed.MANAGE, project)))


@require_POST
@login_required
@never_cache
def decide(request: HttpRequest, slug: str) -> JsonResponse:
    """`deed`, and `criterion` (id:version) as often as needed; with `reason` or `into`.

    {"decided": [{"id", "problem", "conflict"}], "rows": what they are now}; 400 {"problem"} if nothing was tried.
    """
    project = project_or_404(request, slug, Deed.MODERATE)
    chosen: list[Chosen] = []
    for given in request.POST.getlist("criterion"):
        id_, _, version = given.partition(":")
        if not (id_.isdecimal() and version.isdecimal() and len(given) < 30):
            return JsonResponse({"problem": "criterion: give id:version, as in the list."}, status=400)
        chosen.append(Chosen(int(id_), int(version)))
    into = request.POST.get("into", "")
    try:
        decided = decide_criteria(
            by=_user(request),
            project=project,
            deed=request.POST.get("deed", ""),
            chosen=chosen,
            reason=request.POST.get("reason", "").replace("\x00", ""),
            into=int(into) if into.isdecimal() and len(into) < 19 else None,
        )
    except ValidationError as error:
        return JsonResponse({"problem": " ".join(error.messages)}, status=400)
    answers: list[dict[str, Any]] = [
        {"id": one.id, "problem": one.problem, "conflict": one.conflict} for one in decided
    ]
    return JsonResponse({"decided": answers, "rows": library.rows_of(project, [one.id for one in chosen])})


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
