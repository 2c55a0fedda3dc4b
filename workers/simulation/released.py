"""What a release has labelled, as rows in Evenhand's own layout: what is imported to replay it.

`labels/` names every labelled comparison of every partition; what was compared stands in `bench/` and, with the label hidden in
which side is chosen, in `train/`. A tie stands in no training row: it is found where the same pair was decided under another
criterion.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from annotate.actions.jobs import Refused
from annotate.exports.files import MANIFEST
from annotate.exports.media import FOLDER
from annotate.exports.tasks import MADE
from annotate.models import Modality, TaskType

Row = dict[str, Any]
Pair = tuple[str, str]  # source and external id

# Columns of media in training rows.
_LISTS = ("images", "videos", "audios", "meshes")
# Whose judgment a label becomes: the release's own.
_ANNOTATOR = "release"


@dataclass(frozen=True)
class Found:
    """How many labels were written with what they are about, and how many were left out for want of it."""

    labels: int
    without_content: int


@dataclass(frozen=True)
class _Label:
    pair: Pair
    task_type: str
    criterion: str
    verdict: str


def write_rows(release: Path, to: Path) -> Found:
    """Write `to`, a row for each pair of the unpacked `release`, media by their paths below it.

    Raises:
        Refused: this is no release, or one of an earlier form.
    """
    labels = _labels(release)
    asked: dict[Pair, list[_Label]] = {}
    for label in labels.values():
        asked.setdefault(label.pair, []).append(label)
    written = 0
    to.parent.mkdir(parents=True, exist_ok=True)
    new = to.with_name(to.name + ".new")
    with new.open("w") as file:
        for name, content in _contents(release, labels):
            # The first row of a pair brings all its criteria; the others of it find none left.
            if found := asked.pop(labels[name].pair, None):
                file.write(json.dumps(_row(found, content), ensure_ascii=False) + "\n")
                written += len(found)
    new.replace(to)
    return Found(written, sum(len(left) for left in asked.values()))


def _labels(release: Path) -> dict[str, _Label]:
    """The labelled comparisons by their names in the release's files."""
    files = sorted((release / "labels").glob("labels-*.parquet"))
    if not (release / MANIFEST).exists() or not files:
        raise Refused(
            f"{release} is no release: it has no {MANIFEST}, or no labels/labels-*.parquet."
            " Give the folder that export_bench wrote, or that its zip was unpacked into."
        )
    columns = ["id", "source", "pair", "task_type", "criterion", "label"]
    return {
        row["id"]: _Label((row["source"], row["pair"]), row["task_type"], row["criterion"], row["label"])
        for file in files
        for row in pq.read_table(file, columns=columns).to_pylist()
        if row["label"]
    }


def _row(labels: list[_Label], content: Row) -> Row:
    (source, pair), task_type = labels[0].pair, labels[0].task_type
    return {
        "id": pair,
        "source": source or None,
        "task_type": task_type,
        **content,
        "criteria": [
            {
                "text": label.criterion,
                "judgments": [{"annotator": _ANNOTATOR, "verdict": label.verdict}],
            }
            for label in labels
        ],
    }


def _contents(release: Path, labels: dict[str, _Label]) -> Iterator[tuple[str, Row]]:
    """Names of comparisons, with prompt and responses as the layout has them."""
    bench, train = release / "bench", release / "train"
    for path in sorted(bench.glob("*_preferences.json")):
        for row in json.loads(path.read_text()):
            if label := labels.get(row["id"]):
                yield row["id"], _tested(row, label, _Media(release, bench / FOLDER))
    for path in sorted(train.glob("*.jsonl")):
        with path.open() as file:
            for row in map(json.loads, file):
                if label := labels.get(row["id"]):
                    yield row["id"], _trained(row, label, _Media(release, train / FOLDER))


@dataclass(frozen=True)
class _Media:
    """The media beside some rows."""

    release: Path
    folder: Path

    def path(self, name: str) -> str:
        """Where one lies below the release. A row of the benchmark names a mesh by its turntable sheet: then the mesh."""
        there = self.folder / name
        if there.parent.name == Modality.MESH and there.suffix == ".png":
            there = next((file for file in there.parent.glob(f"{there.stem}.*") if file != there), there)
        return str(there.relative_to(self.release))


def _tested(row: Row, label: _Label, media: _Media) -> Row:
    """A row of the benchmark: a response is its text, or the path of its medium."""
    held = "media" if MADE[TaskType(label.task_type)].response else "text"
    sides = {}
    for number in (1, 2):
        shown = row[f"response{number}"]
        sides[f"response{number}"] = {
            held: media.path(shown) if held == "media" else shown,
            "model": row[f"model{number}"],
        }
    found = [media.path(row[modality]) for modality in Modality.values if row.get(modality)]
    return {"prompt": row["prompt"], "media": found, **sides}


def _trained(row: Row, label: _Label, media: _Media) -> Row:
    """A training row: the criterion leads the prompt, and with it a system turn of the prompt's own."""
    lead, *turns = [{"role": turn["role"], "text": _text(turn["content"])} for turn in row["prompt"]]
    if own := lead["text"].removeprefix(label.criterion).strip():
        turns.insert(0, {"role": "system", "text": own})
    sides = {}
    for name in ("chosen", "rejected"):
        sides[name] = {"text": _text(row[name][0]["content"])}
        # Of a mesh and its turntable sheet, which stands among the images: the mesh.
        shown = [path for kind in _LISTS for path in row.get(f"{name}_{kind}") or ()]
        if shown:
            sides[name]["media"] = media.path(shown[-1])
    first, second = ("chosen", "rejected") if label.verdict == "response1" else ("rejected", "chosen")
    found = [media.path(path) for kind in _LISTS for path in row.get(kind) or ()]
    return {"prompt": turns, "media": found, "response1": sides[first], "response2": sides[second]}


def _text(content: str | list[Row]) -> str:
    """Of a message, or of its parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")
