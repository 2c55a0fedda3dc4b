"""How good a project's labels are and how far it is, for those who may see judgments: read from its kept report.

Nothing is computed in a request. A page that is watched asks by itself for new statistics when there are newer
judgments; who manages the project may ask at once by the button.
"""

from datetime import date, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate.access import Deed, may
from annotate.actions.reports import is_outdated, start_report, unfinished_report
from annotate.models import Exclusion, Report, TaskType, User
from annotate.report_tables import tables_of
from annotate.sheets import lines
from webapp.pages import plots
from webapp.pages.projects import project_or_404, staff_project

_DAYS = 60  # of throughput shown
_CRITERIA = 50
_ANNOTATORS = 50

# What criteria can be sorted by: the row's key, the column's name, and whether the highest are looked for first.
_SORTS = (
    ("criterion", "Criterion", False),
    ("used", "Pairs", True),
    ("verdicts", "Verdicts", True),
    ("ties", "Ties", True),
    ("cannot_tell", "Cannot tell", True),
    ("alpha", "Alpha", False),
    ("overturns", "Overturns", True),
)
_STATES = {
    "proposed": "waiting for review",
    "own": "its author's own",
    "accepted": "",
    "rejected": "rejected",
    "retired": "retired",
}

# What an annotator's control answers come to, and where their number stands.
_CONTROLS = (
    ("accuracy", "known"),
    ("passed", "checked"),
    ("same_again", "repeated"),
    ("left_again", "repeated"),
)

# Each coefficient: its name, its key in the report, and what it says.
_COEFFICIENTS = (
    ("Krippendorff's alpha", "alpha", "1 is perfect, 0 is chance"),
    ("… by strength", "ordinal_alpha", "a near miss on the scale weighs less"),
    ("Fleiss' kappa", "fleiss", "1 is perfect, 0 is chance"),
    ("Gwet's AC1", "ac1", "holds up where one verdict is rare"),
    ("Gwet's AC2, by strength", "ac2", "a near miss on the scale weighs less"),
)


@require_safe
@login_required
@never_cache
def dashboard(request: HttpRequest, slug: str) -> HttpResponse:
    project = staff_project(request, slug, Deed.SEE_JUDGMENTS)
    report = Report.objects.filter(project=project).first()
    assert isinstance(request.user, User)
    context = {
        "project": project,
        "manages": may(request.user, Deed.MANAGE, project),
        "report": report,
        "job": unfinished_report(project),
        "outdated": is_outdated(report),
        "excluded": Exclusion.objects.filter(annotator__project=project, lifted_at__isnull=True)
        .select_related("annotator")
        .order_by("-made_at")[:_ANNOTATORS],
    }
    if report:
        context |= _shown(report.content)
        context |= _criteria(
            report.content["criteria"], request.GET.get("sort", ""), request.GET.get("order", "")
        )
    return render(request, "dashboard.html", context)


@require_safe
@login_required
@never_cache
def state(request: HttpRequest, slug: str) -> JsonResponse:
    """What a page that is open asks again and again: {"read_at", "step" (null: nothing is computed), "outdated"}."""
    project = project_or_404(request, slug, Deed.SEE_JUDGMENTS)
    report = Report.objects.filter(project=project).defer("content").first()
    job = unfinished_report(project)
    return JsonResponse(
        {
            "read_at": report.read_at.isoformat() if report else None,
            "step": (job.step or "waiting for a worker") if job else None,
            "outdated": is_outdated(report),
        }
    )


@require_POST
@login_required
def compute(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_or_404(request, slug, Deed.MANAGE)
    assert isinstance(request.user, User)
    start_report(by=request.user, project=project)
    return HttpResponseRedirect(reverse("dashboard", args=[slug]))


@require_safe
@login_required
@never_cache
def table(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """One of the report's tables as CSV. Text that a spreadsheet would run as a formula is quoted."""
    project = project_or_404(request, slug, Deed.SEE_JUDGMENTS)
    report = Report.objects.filter(project=project).first()
    tables = tables_of(report.content) if report else {}
    if name not in tables:
        raise Http404(f"There is no table {name[:20]!r}.")
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{slug}-{name}.csv"'},
    )
    rows = tables[name]
    response.writelines(lines([rows[0] if rows else [], *(row.values() for row in rows)]))
    return response


def _shown(content: dict[str, Any]) -> dict[str, Any]:
    """What the template shows: each figure in words and as a plot."""
    progress, agreement = content["progress"], content["agreement"]
    overall = agreement["overall"]
    days = _every_day(progress["days"])[-_DAYS:]
    annotators = content["annotators"]
    return {
        "progress": progress,
        "labels": content["labels"],
        "done": plots.part(
            progress["judged"], progress["labels"], f"{progress['judged']} of {progress['labels']} labels"
        ),
        "by_task_type": [
            row
            | {
                "name": str(TaskType(row["task_type"]).label),
                "plot": plots.part(row["judged"], row["labels"], f"{row['judged']} of {row['labels']}"),
            }
            for row in progress["by_task_type"]
        ],
        "days": days,
        "throughput": plots.bars([day["verdicts"] for day in days], "Verdicts by day"),
        "most_a_day": max((day["verdicts"] for day in days), default=0),
        "overall": overall,
        "coefficients": [
            _line(name, overall[key], 0, 1) | {"note": note} for name, key, note in _COEFFICIENTS
        ],
        "shares": [
            _share("Agreeing pairs of verdicts", _percent(overall["percent"])),
            _share("Ties", overall["ties"]),
            _share("No opinion (cannot tell, not applicable, broken)", progress["no_opinion"]),
            _share("Preferences for what stood left", annotators["left"], 0.5),
            _share("Labels where the two ways differ", content["labels"]["differ"]),
        ],
        "alpha_by_task_type": [
            _line(str(TaskType(row["task_type"]).label), row["alpha"], 0, 1)
            | {"comparisons": row["comparisons"]}
            for row in agreement["by_task_type"]
        ],
        "over_time": agreement["over_time"],
        "over_time_plot": plots.series(
            [row["alpha"] for row in agreement["over_time"]], "Krippendorff's alpha over time", 0, 1
        ),
        "pairs": [
            _line(" and ".join(row["annotators"]), row["kappa"], 0, 1) | {"comparisons": row["comparisons"]}
            for row in agreement["by_pair"]
        ],
        "annotators": [
            _in_short(row)
            | {
                "reliable": _share(row["annotator"], row["reliability"]),
                "leaning": _share(row["annotator"], row["left"], 0.5),
                "controls": [_control(row, name, n) for name, n in _CONTROLS],
            }
            for row in annotators["rows"][:_ANNOTATORS]
        ],
        "more_annotators": annotators["more"] + max(0, len(annotators["rows"]) - _ANNOTATORS),
        # Reports of before there were groups have none.
        "group_kinds": [_groups(part) for part in content.get("groups", [])],
        "boards": [_board(board) for board in content["leaderboards"]],
        "cost": content.get("cost"),  # reports of before they were told have none
        "revisions": content.get("revisions", []),
        "revisions_plot": plots.series(
            [row["accuracy"] for row in content.get("revisions", [])],
            "Agreement of the reward model's revisions with the reserve's labels",
            0,
            1,
        ),
    }


def _criteria(content: dict[str, Any], sort: str, order: str) -> dict[str, Any]:
    """The table of criteria by one of its columns, all that the report tells of them; what is undefined comes last."""
    rows = content["rows"]
    highest = {key: first for key, _, first in _SORTS}
    down = order == "down" if order in ("up", "down") else highest.get(sort, True)
    if sort in highest:
        known = [row for row in rows if _value(row, sort) is not None]
        rows = sorted(known, key=lambda row: _value(row, sort), reverse=down)
        rows += [row for row in content["rows"] if _value(row, sort) is None]
    return {
        "columns": [
            {
                "label": label,
                "sorted": ("descending" if down else "ascending") if key == sort else "",
                "query": f"?sort={key}&order={_other(down) if key == sort else _other(not first)}#criteria",
                "plotted": key == "alpha",
            }
            for key, label, first in _SORTS
        ],
        "criteria": [
            _in_short(row)
            | {
                "agree": _line(row["criterion"], row["alpha"], 0, 1),
                "state": _STATES.get(row.get("state", ""), ""),
            }
            for row in rows[:_CRITERIA]
        ],
        "more_criteria": content["more"] + max(0, len(rows) - _CRITERIA),
        "unjudged": content.get("unjudged", 0),
    }


def _other(down: bool) -> str:
    return "up" if down else "down"


def _value(row: dict[str, Any], key: str) -> Any:
    """What a row is sorted by; a report that was kept before may lack a column."""
    found = row.get(key)
    if isinstance(found, dict):
        return found["value"]
    return found.casefold() if isinstance(found, str) else found


def _groups(part: dict[str, Any]) -> dict[str, Any]:
    return part | {
        "groups": [
            row
            | {
                f"{name}_share": _share(f"{row['group']}, {said}", row[name])
                for name, said in (("response1", "response 1"), ("response2", "response 2"), ("tie", "ties"))
            }
            for row in part["groups"]
        ],
        "criteria": part["criteria"]
        | {
            "rows": [
                row | {"line": _points(row["criterion"], row["effect"])} for row in part["criteria"]["rows"]
            ]
        },
    }


def _points(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A difference of shares, in percentage points."""
    said = "-"
    if found["value"] is not None:
        said = f"{100 * found['value']:+.1f}"
        if found["low"] is not None:
            said += f" ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
    return {"said": said, "why": found["why"], "plot": plots.interval(found, f"{name}: {said}", -1, 1, 0)}


def _every_day(days: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """From the first to the last, also those on which nobody judged."""
    told = {date.fromisoformat(row["day"]): row["verdicts"] for row in days}
    if not told:
        return []
    first, last = min(told), max(told)
    every = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [{"day": day.isoformat(), "verdicts": told.get(day, 0)} for day in every]


def _line(
    name: str, found: dict[str, Any], low: float, high: float, reference: float | None = None
) -> dict[str, Any]:
    """A figure with its words and its plot."""
    said = "-"
    if found["value"] is not None:
        said = f"{found['value']:.3f}"
        if found["low"] is not None:
            said += f" ({found['low']:.3f} to {found['high']:.3f})"
    plot = plots.interval(found, f"{name}: {said}", low, high, reference)
    return {"name": name, "said": said, "why": found["why"], "plot": plot}


def _share(name: str, found: dict[str, Any], reference: float | None = None) -> dict[str, Any]:
    said = "-"
    if found["value"] is not None:
        said = f"{100 * found['value']:.1f} %"
        if found["low"] is not None:
            said += f" ({100 * found['low']:.1f} to {100 * found['high']:.1f})"
    plot = plots.interval(found, f"{name}: {said}", 0, 1, reference)
    return {"name": name, "said": said, "why": found["why"], "plot": plot}


def _control(row: dict[str, Any], name: str, n: str) -> dict[str, Any]:
    """A share of an annotator's control answers in per cent with its interval and their number, or why there is none."""
    if name not in row:  # a report of before it was told
        return {"said": "", "why": "Comes with the next statistics."}
    found = row[name]
    if found["value"] is None:
        return {"said": "", "why": found["why"]}
    value, low, high = (f"{100 * found[end]:.0f}" for end in ("value", "low", "high"))
    return {"said": f"{value} % ({low} to {high})", "n": row[n]}


def _in_short(row: dict[str, Any]) -> dict[str, Any]:
    """The row, and of each share in it NAME_said without its interval; empty where there is none."""
    return row | {
        f"{name}_said": "" if found["value"] is None else f"{100 * found['value']:.1f} %"
        for name, found in row.items()
        if isinstance(found, dict) and "value" in found
    }


def _percent(found: dict[str, Any]) -> dict[str, Any]:
    """A figure in per cent as a share."""
    ends = {key: None if found[key] is None else found[key] / 100 for key in ("value", "low", "high")}
    return {**ends, "why": found["why"]}


def _board(board: dict[str, Any]) -> dict[str, Any]:
    strengths = [row["strength"] for row in board["rows"]]
    reach = max((abs(one[end]) for one in strengths for end in ("low", "high")), default=1.0) or 1.0
    parts = len({row["part"] for row in board["rows"]})
    return board | {
        "parts": parts,
        "rows": [
            row | {"line": _line(row["model"], row["strength"], -reach, reach, 0)} for row in board["rows"]
        ],
    }
