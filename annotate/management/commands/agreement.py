"""How far a project's annotators agree, as it stands now: by task type, by criterion and in all."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.models import Project
from annotate.reports import agreement_report

_CRITERIA_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Counts, percent agreement, nominal Krippendorff alpha, Fleiss' kappa and Gwet's AC1 with 95 % intervals, over"
        " counted usable verdicts (response1, response2, tie), by task type and by criterion."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--json", action="store_true", help="print JSON with everything")

    def handle(self, *, project: str, json: bool, **options: Any) -> None:
        found = Project.objects.filter(slug=project).first()
        if found is None:
            known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
            raise CommandError(f"There is no project {project!r}. Projects: {known or 'none yet'}.")
        report = agreement_report(found)
        self.stdout.write(_as_json(report) if json else _as_table(report))


def _as_json(report: dict[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False)


def _as_table(report: dict[str, Any]) -> str:
    head = ("", "comparisons", "verdicts", "two or more", "unanimous", "agree %", "alpha", "Fleiss", "AC1")
    lines = [head, _cells("all", report["overall"])]
    lines += [_cells(name, entry) for name, entry in report["by_task_type"].items()]
    criteria = report["by_criterion"]
    lines += [_cells(entry["criterion"], entry) for entry in criteria[:_CRITERIA_SHOWN]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = "\n".join(
        line[0].ljust(widths[0])
        + "".join(cell.rjust(width + 2) for cell, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    )
    if len(criteria) > _CRITERIA_SHOWN:
        text += f"\n... and {len(criteria) - _CRITERIA_SHOWN} more criteria: --json lists all"
    return text


def _cells(name: str, entry: dict[str, Any]) -> tuple[str, ...]:
    name = " ".join(name.split())
    return (
        name if len(name) <= 50 else name[:47] + "...",
        str(entry["comparisons"]),
        str(entry["verdicts"]),
        str(entry["pairable"]),
        str(entry["unanimous"]),
        _estimate(entry["percent"], 2),
        _estimate(entry["alpha"], 4),
        _estimate(entry["fleiss"], 4),
        _estimate(entry["ac1"], 4),
    )


def _estimate(found: dict[str, Any], digits: int) -> str:
    if found["value"] is None:
        return "-"
    value = f"{found['value']:.{digits}f}"
    return (
        value if found["low"] is None else f"{value} ({found['low']:.{digits}f}..{found['high']:.{digits}f})"
    )
