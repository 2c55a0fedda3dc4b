"""How far a project's annotators agree, as it stands now: by task type, by criterion and in all."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from annotate.models import Criterion, Project
from annotate.stats.agreement import Agreement, agreement
from annotate.stats.labels import label_of
from annotate.tallies import Tally, tallies

_CRITERIA_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Counts, percent agreement and nominal Krippendorff alpha over counted usable verdicts (response1,"
        " response2, tie), by task type and by criterion."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--json", action="store_true", help="print JSON with everything")

    def handle(self, *, project: str, json: bool, **options: Any) -> None:
        found = Project.objects.filter(slug=project).first()
        if found is None:
            known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
            raise CommandError(f"There is no project {project!r}. Projects: {known or 'none yet'}.")
        report = report_of(found)
        self.stdout.write(_as_json(report) if json else _as_table(report))


def report_of(project: Project) -> dict[str, Any]:
    """{"project", "overall", "by_task_type": {name: ...}, "by_criterion": [{"criterion", ...}]}."""
    rows = tallies(project)
    texts = dict(
        Criterion.objects.filter(pk__in={row.criterion_id for row in rows}).values_list("pk", "text")
    )
    by_criterion = [
        {"criterion": texts[criterion]} | entry
        for criterion, entry in _grouped(rows, lambda row: row.criterion_id).items()
    ]
    return {
        "project": project.slug,
        "overall": _entry(rows),
        "by_task_type": _grouped(rows, lambda row: row.task_type),
        "by_criterion": sorted(by_criterion, key=lambda entry: (-entry["comparisons"], entry["criterion"])),
    }


def _grouped(rows: list[Tally], key: Callable[[Tally], Any]) -> dict[Any, dict[str, Any]]:
    groups: dict[Any, list[Tally]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {name: _entry(group) for name, group in groups.items()}


def _entry(rows: list[Tally]) -> dict[str, Any]:
    """Agreement and, with whatever verdicts there are, the labels of these comparisons."""
    counts = np.array([row.counts for row in rows], dtype=np.int64).reshape(-1, 3)
    times = np.array([row.times for row in rows], dtype=np.int64)
    found: Agreement = agreement(np.repeat(counts, times, axis=0))
    labels: dict[str, int] = {}
    for row in rows:
        if any(row.counts):
            name = str(label_of(row.counts, 1))
            labels[name] = labels.get(name, 0) + row.times
    return asdict(found) | {"labels": dict(sorted(labels.items()))}


def _as_json(report: dict[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False)


def _as_table(report: dict[str, Any]) -> str:
    head = ("", "comparisons", "verdicts", "two or more", "unanimous", "agree %", "alpha")
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
        "-" if entry["percent"] is None else f"{entry['percent']:.2f}",
        "-" if entry["alpha"] is None else f"{entry['alpha']:.4f}",
    )
