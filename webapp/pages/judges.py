"""Judges compared: which was how often right on which benchmark, for who manages the project."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotate import evaluations
from annotate.access import Deed
from annotate.actions.evaluations import forget_evaluation
from annotate.models import Evaluation, Project, User
from annotate.sheets import lines
from webapp.pages import plots
from webapp.pages.projects import project_or_404, staff_project


@dataclass(frozen=True)
class _Shown:
    """A line of a board with the plot of its mean."""

    line: evaluations.Line
    plot: plots.Plot


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = staff_project(request, slug, Deed.MANAGE)
    if request.method == "POST":
        return _forget(request, project)
    shown = [
        [(board, [_shown(line) for line in board.lines]) for board in together]
        for together in evaluations.boards(project)
    ]
    return render(request, "judges.html", {"project": project, "benches": shown})


def _forget(request: HttpRequest, project: Project) -> HttpResponse:
    assert isinstance(request.user, User)
    number = request.POST.get("evaluation", "")
    of_project = Evaluation.objects.filter(project=project)
    found = of_project.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None
    if found is None:
        messages.info(request, "Those results are gone already.")
    else:
        forget_evaluation(by=request.user, evaluation=found)
        messages.success(request, f"The results of {found} are forgotten.")
    return HttpResponseRedirect(reverse("judges", args=[project.slug]))


def _shown(line: evaluations.Line) -> _Shown:
    found: dict[str, Any] = {"value": line.macro.value, "low": line.macro.low, "high": line.macro.high}
    return _Shown(line, plots.interval(found, f"Mean of {line.evaluation.judge} with its interval", 0, 1))


@require_safe
@login_required
@never_cache
def table(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Every figure of the page as CSV."""
    project = project_or_404(request, slug, Deed.MANAGE)
    return StreamingHttpResponse(
        lines([evaluations.HEADER, *evaluations.rows(project)]) if request.method == "GET" else (),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{slug}-judges.csv"'},
    )
