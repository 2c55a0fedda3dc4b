"""What has left earlier releases of the project because somebody withdrew: by the names that those releases used."""

import json
from pathlib import Path

from django.db.models import QuerySet

from annotate.exports.files import new_file
from annotate.models import Release, Tombstone


def of_earlier(release: Release) -> QuerySet[Tombstone]:
    """What had left earlier releases when this one was frozen."""
    return Tombstone.objects.filter(
        release__project=release.project_id,
        release__frozen_at__lt=release.frozen_at,
        removed_at__lte=release.frozen_at,
    ).order_by("release__frozen_at", "pk")


def write_withdrawn(path: Path, release: Release) -> None:
    """One a line: the release that held it, the id of the row and of the judgment there, and the day it was removed."""
    with new_file(path) as file:
        for stone in of_earlier(release).iterator():
            row = {
                "release": str(stone.release_id),
                "id": stone.row,
                "judgment": stone.judgment,
                "removed": stone.removed_at.date().isoformat(),
            }
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
