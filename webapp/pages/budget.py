"""What labels have bought and what more of them would, for who manages the project: read from its kept budget."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate.access import Deed
from annotate.actions.budgets import last_budget_job, start_budget, unfinished_budget
from annotate.models import Budget, JobState, User
from webapp.pages import plots
from webapp.pages.projects import staff_project

_STREAMS = (("all", "All draws"), ("chance", "Draws by chance alone"))
_SAMPLED = (
    ("as_it_came", "On everything that was drawn", "as if it had not been chosen"),
    ("put_right", "… put right", "each draw weighted by its probability (LURE)"),
    ("by_chance", "On draws by chance alone", "of what was left each time"),
    ("reserve", "On the reserve", "the headline figure"),
)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def budget(request: HttpRequest, slug: str) -> HttpResponse:
    """The page; posted to, it asks for new figures."""
    user = request.user
    assert isinstance(user, User)
    project = staff_project(request, slug, Deed.MANAGE)
    if request.method == "POST":
        start_budget(by=user, project=project)
        return HttpResponseRedirect(reverse("budget", args=[slug]))
    kept = Budget.objects.filter(project=project).first()
    last = last_budget_job(project)
    context: dict[str, Any] = {
        "project": project,
        "budget": kept,
        "job": unfinished_budget(project),
        "failed": last if last and last.state == JobState.FAILED else None,
    }
    if kept:
        context |= _shown(kept.content)
    return render(request, "budget.html", context)


def _shown(content: dict[str, Any]) -> dict[str, Any]:
    curves = content["curves"]
    # One scale for both curves: half is what chance is right about.
    figures = [point for points in curves.values() for point in points]
    low = min([0.5, *(point["low"] for point in figures)])
    low, high = round(low - 0.05, 1), 1.0
    costs = [None, *content["cost"]["next"]]
    against = content["against"]
    return {
        "content": content,
        "streams": [
            {
                "name": name,
                "rows": [_line(f"{point['labels']:,} labels", point, low, high) for point in curves[key]],
                "plot": plots.series(curves[key], f"{name}: accuracy by labels", low, high),
            }
            for key, name in _STREAMS
            if curves[key]
            and (key == "all" or curves[key] != curves["all"])  # told once where all are by chance
        ],
        "scale": (low, high),
        "against": against and _line(f"At {against['labels']:,} labels each", against, -0.2, 0.2, 0.0),
        "projection": [
            _line(f"{one['more']:,} labels more" if one["more"] else "As it is", one, low, high)
            | {"cost": cost}
            for one, cost in zip(content["projection"], costs, strict=True)
        ]
        if content["projection"]
        else [],
        "sampled": [
            _line(name, content["sampled"][key], low, high) | {"note": note} for key, name, note in _SAMPLED
        ]
        if content["sampled"]
        else [],
        "criteria": content["criteria"],
    }


def _line(
    name: str, found: dict[str, Any], low: float, high: float, reference: float | None = 0.5
) -> dict[str, Any]:
    """A figure as the table shows it; -0.2 to 0.2 and the like are told with their sign."""
    signed = low < 0
    if found["value"] is None:
        said = "-"
    else:
        said = f"{found['value']:+.3f}" if signed else f"{found['value']:.3f}"
        if found["low"] is not None:
            said += (
                f" ({found['low']:+.3f} to {found['high']:+.3f})"
                if signed
                else f" ({found['low']:.3f} to {found['high']:.3f})"
            )
    return {
        "name": name,
        "said": said,
        "why": found["why"],
        "plot": plots.interval(found, f"{name}: {said}", low, high, reference),
    }
