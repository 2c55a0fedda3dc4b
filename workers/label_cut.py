"""What a training learns from, read once: one that goes on after it was killed learns from what it had read at first."""

import json
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.utils import timezone

from annotate.models import Partition, Project
from annotate.tallies import Unit, judged_units

_FILE = "labels.json"


def read(project: Project, folder: Path | None) -> tuple[datetime, list[Unit]]:
    """When labels of the train partition were read, and those labels.

    `folder`: where a long training keeps them: with the judgments that come meanwhile it would have to begin anew. None: of
    one that is short they are read each time.
    """
    path = folder / _FILE if folder else None
    if path and path.is_file():
        return _kept(path)
    read_at, units = timezone.now(), judged_units(project, Partition.TRAIN)
    if path and units:
        _keep(path, read_at, units)
    return read_at, units


def _kept(path: Path) -> tuple[datetime, list[Unit]]:
    told = json.loads(path.read_text())
    return datetime.fromisoformat(told["read_at"]), [
        Unit(pair, criterion, group, (r1, r2, tie), (datetime.fromisoformat(at), UUID(judgment)))
        for pair, criterion, group, (r1, r2, tie), (at, judgment) in told["units"]
    ]


def _keep(path: Path, read_at: datetime, units: list[Unit]) -> None:
    rows = [
        (
            one.pair_id,
            one.criterion_id,
            one.group,
            one.counts,
            (one.newest[0].isoformat(), str(one.newest[1])),
        )
        for one in units
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".new")
    written.write_text(json.dumps({"read_at": read_at.isoformat(), "units": rows}))
    written.replace(path)
