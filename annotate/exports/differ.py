"""What changed from one release to another: rows, labels, sides, media, settings. Needs no database."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from annotate.exports.media import FOLDER
from annotate.exports.verify import manifest_of

NAMED = 20  # rows of a kind that are named
_COLUMNS = ["id", "task_type", "partition", "label"]


def differences(old: Path, new: Path) -> dict[str, Any]:
    """By task type how many rows came, went, got another label or another side, with the ids of some; media; settings.

    Raises:
        NoRelease: one of them is none.
    """
    before, after = manifest_of(old), manifest_of(new)
    rows = {row["id"]: row for row in _labels(old, before)}
    tasks: dict[str, dict[str, Any]] = {}

    def note(task: str, what: str, row: str, change: str = "") -> None:
        entry = tasks.setdefault(task, {}).setdefault(what, {"rows": 0, "changes": Counter(), "some": []})
        entry["rows"] += 1
        if change:
            entry["changes"][change] += 1
        if len(entry["some"]) < NAMED:
            entry["some"].append(row)

    for row in _labels(new, after):
        was = rows.pop(row["id"], None)
        if was is None:
            note(row["task_type"], "added", row["id"])
            continue
        if was["label"] != row["label"]:
            change = f"{was['label'] or 'no label'} to {row['label'] or 'no label'}"
            note(row["task_type"], "other label", row["id"], change)
        if was["partition"] != row["partition"]:
            note(row["task_type"], "other side", row["id"], f"{was['partition']} to {row['partition']}")
    for gone in rows.values():
        note(gone["task_type"], "removed", gone["id"])
    settings = {"old": _settings(before["recipe"]), "new": _settings(after["recipe"])}
    media = {side: _media(manifest) for side, manifest in (("old", before), ("new", after))}
    return {
        "old": _named(before),
        "new": _named(after),
        "rows": {task: dict(sorted(found.items())) for task, found in sorted(tasks.items())},
        "media": {
            "added": sorted(media["new"] - media["old"]),
            "removed": sorted(media["old"] - media["new"]),
        },
        "settings": {
            name: {"old": settings["old"].get(name), "new": settings["new"].get(name)}
            for name in sorted(settings["old"].keys() | settings["new"].keys())
            if settings["old"].get(name) != settings["new"].get(name)
        },
        "judgments": {"old": before["counts"]["judgments"], "new": after["counts"]["judgments"]},
    }


def _labels(directory: Path, manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in manifest["files"]:
        if entry["path"].startswith("labels/"):
            with pq.ParquetFile(directory / entry["path"]) as file:
                for batch in file.iter_batches(columns=_COLUMNS):
                    yield from batch.to_pylist()


# What stood beside the recipe once, and stands in it: what was on which side.
_TWICE = ("near_duplicates", "split", "hold_out")


def _settings(stored: dict[str, Any], within: str = "") -> dict[str, Any]:
    """What a release was made by, each by the path to it: `recipe.bench.ties`."""
    found: dict[str, Any] = {}
    for name, value in stored.items():
        if name in _TWICE and not within and "splits" in stored.get("recipe", {}):
            continue
        if isinstance(value, dict) and value:
            found |= _settings(value, f"{within}{name}.")
        else:
            found[f"{within}{name}"] = value
    return found


def _media(manifest: dict[str, Any]) -> set[str]:
    return {entry["path"] for entry in manifest["files"] if f"/{FOLDER}/" in entry["path"]}


def _named(manifest: dict[str, Any]) -> dict[str, str]:
    return {name: manifest[name] for name in ("release", "project", "frozen_at", "format")}
