"""The audit trail of a project, for who manages it: to look through, and to take along as CSV."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate import trail
from annotate.access import Deed
from annotate.models import AuditEntry, Project
from annotate.sheets import lines
from webapp.pages.projects import project_or_404, staff_project

_SHOWN = 50


def _wanted(request: HttpRequest) -> tuple[trail.Wanted, dict[str, str], str]:
    """What is looked for, as it was typed, and what is wrong with that."""
    names = ("deed", "person", "since", "until")
    typed = {name: request.GET.get(name, "").replace("\x00", "").strip()[:150] for name in names}
    days: dict[str, date | None] = {"since": None, "until": None}
    problem = ""
    for name in days:
        try:
            days[name] = date.fromisoformat(typed[name]) if typed[name] else None
        except ValueError:
            problem = f"{typed[name]} is no day: give it as 2026-01-31."
    return trail.Wanted(typed["deed"], typed["person"], days["since"], days["until"]), typed, problem


@require_safe
@login_required
@never_cache
def audit(request: HttpRequest, slug: str) -> HttpResponse:
    project = staff_project(request, slug, Deed.MANAGE)
    wanted, typed, problem = _wanted(request)
    before = request.GET.get("before", "")
    from_row = int(before) if before.isdecimal() and len(before) < 19 else None
    rows = [] if problem else trail.page(project, wanted, from_row, _SHOWN + 1)
    kept = {name: value for name, value in typed.items() if value}
    older = urlencode(kept | {"before": rows[_SHOWN - 1].pk}) if len(rows) > _SHOWN else ""
    context = {
        "project": project,
        "rows": [{"entry": row, "details": _details(row)} for row in rows[:_SHOWN]],
        "deeds": trail.deeds(project),
        "typed": typed,
        "problem": problem,
        "kept": urlencode(kept),
        "older": older,
        "begun": from_row is not None,
        "system": trail.SYSTEM,
    }
    return render(request, "audit.html", context, status=400 if problem else 200)


@require_safe
@login_required
@never_cache
def table(request: HttpRequest, slug: str) -> StreamingHttpResponse | HttpResponse:
    """All rows that the page would show, sent as they are read."""
    project = project_or_404(request, slug, Deed.MANAGE)
    wanted, _, problem = _wanted(request)
    if problem:
        return HttpResponse(problem, status=400, content_type="text/plain; charset=utf-8")
    return StreamingHttpResponse(
        lines(_rows(project, wanted)) if request.method == "GET" else (),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{slug}-audit.csv"'},
    )


def _rows(project: Project, wanted: trail.Wanted) -> Iterator[list[Any]]:
    yield ["at", "by", "deed", "subject", "details"]
    for row in trail.everything(project, wanted):
        yield [row.at.isoformat(), _who(row), row.deed, row.subject, _details(row)]


def _who(row: AuditEntry) -> str:
    return row.by.username if row.by else trail.SYSTEM


def _details(row: AuditEntry) -> str:
    return json.dumps(row.details, ensure_ascii=False, sort_keys=True) if row.details else ""
