"""Benchmarks as rows with a label: releases of ours, and published ones from a local copy in their published layout."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.imports.files import reader_of
from annotate.imports.media_source import FolderMedia, MediaSource, NoMedia
from annotate.imports.record import FileError, MediaRef, PairRow, Place, RowError
from annotate.imports.schemas import multimodal_rewardbench, omni, vl_rewardbench
from annotate.imports.schemas.context import Context

LABELS = {"response1": 1, "response2": -1, "tie": 0}
NAMED = ("omni-rewardbench", "vl-rewardbench", "multimodal-rewardbench")


class BenchError(Exception):
    """A benchmark that cannot be evaluated on. The message says where in it, what is wrong, and how to mend it."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One labelled comparison. `task` is what accuracies are told by: the task type, or the benchmark's own category.

    `group` is the same for rows of one prompt. `label`: 1 response 1, -1 response 2, 0 tie.
    """

    id: str
    task: str
    group: str
    pair: PairRow
    criterion: str
    label: int
    file: str


@dataclass(frozen=True)
class Bench:
    """`path` is the folder that media are named below. `digest` tells one benchmark from another: of every row its id, task, texts, criterion, media paths and label."""

    name: str
    path: Path
    rows: list[BenchRow]
    digest: str

    def media(self) -> MediaSource:
        return FolderMedia(self.path) if self.path.is_dir() else NoMedia()


def load(asked: str, *, default: Path) -> Bench:
    """A benchmark by what stands after --bench: a folder, or a published one's name with its path.

    A published one without a path is looked for in `default` / its name.

    Raises:
        BenchError: it is not there or cannot be read.
    """
    name, _, given = asked.partition(":")
    if name in NAMED:
        path = Path(given) if given else default / name
        if not path.exists():
            where = f"{name}:PATH" if not given else "a path that is there"
            raise BenchError(
                f"{path} is not there. Nothing is downloaded: get a copy of {name} and say {where}."
            )
        if name == "multimodal-rewardbench" and (path / "data" / "all_data.json").is_file():
            path = path / "data"
        found = {"omni-rewardbench": _omni, "vl-rewardbench": _vl, "multimodal-rewardbench": _multimodal}[
            name
        ]
        return _gathered(name, path, found(path))
    path = Path(asked)
    if not path.is_dir():
        raise BenchError(
            f"{asked} is no folder. Give a release's, or one of {', '.join(NAMED)} with a path: NAME:PATH."
        )
    inside = path / "bench" if (path / "bench").is_dir() else path
    return _gathered(path.resolve().name, inside, _omni(inside))


# (task, published id, file, pair) of each row
_Read = Iterator[tuple[str, str, str, PairRow]]


def _gathered(name: str, path: Path, read: _Read) -> Bench:
    rows: list[BenchRow] = []
    seen: Counter[str] = Counter()
    told = hashlib.sha256()
    for task, row_id, file, pair in read:
        seen[row_id] += 1
        # Published ids may repeat: the second of one name is #2, in the order of the files.
        unique = row_id if seen[row_id] == 1 else f"{row_id}#{seen[row_id]}"
        (asked,) = pair.criteria
        label = LABELS[asked.labels[0].verdict]
        content = _content(pair)
        told.update(
            json.dumps([unique, task, content, asked.text, label], ensure_ascii=False).encode() + b"\n"
        )
        group = hashlib.sha256(json.dumps(content[:2], ensure_ascii=False).encode()).hexdigest()[:16]
        rows.append(BenchRow(unique, task, group, pair, asked.text, label, file))
    if not rows:
        raise BenchError(f"{path} holds no rows.")
    return Bench(name, path if path.is_dir() else path.parent, rows, told.hexdigest())


def _content(pair: PairRow) -> list[Any]:
    """What is compared: the prompt, its media, then the sides; media by path, or by digest where it has none."""

    def named(ref: MediaRef | None) -> str:
        if ref is None:
            return ""
        return ref.path or hashlib.sha256(ref.data or b"").hexdigest()

    sides = [[side.text, named(side.media)] for side in (pair.response1, pair.response2)]
    return [[list(turn) for turn in pair.turns], [named(ref) for ref in pair.media], *sides]


def _rows(
    path: Path, root: Path, read: Callable[[Mapping[str, Any], Place], PairRow]
) -> Iterator[tuple[Mapping[str, Any], PairRow]]:
    """Every row of a file with its values.

    Raises:
        BenchError: naming the file, the row and the field.
    """
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    try:
        with path.open("rb") as file:
            for raw in reader_of(path.name)(file):
                try:
                    if raw.problem:
                        raise raw.problem
                    pair = read(raw.values, Place(0, raw.number))
                    if not pair.criteria[0].labels:
                        raise RowError("criteria_preference", "is missing: a row of a benchmark has a label.")
                except RowError as error:
                    raise BenchError(f"{shown}, row {raw.number}: {error}") from None
                yield raw.values, pair
    except FileError as error:
        raise BenchError(f"{shown}: {error}") from None
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}.") from None


def _omni(root: Path) -> _Read:
    """OmniRewardBench's nine configs, as <config>_preferences.json or as Parquet; of both forms the JSON."""
    files = sorted(root.glob("*_preferences.json")) if root.is_dir() else [root]
    files = (
        files
        or sorted(path for path in root.rglob("*.parquet") if path.parent.name in omni.CONFIGS)
        or sorted(root.glob("*.parquet"))
    )
    if not files:
        raise BenchError(
            f"{root} holds neither <config>_preferences.json nor <config>/*.parquet. Configs: {', '.join(omni.CONFIGS)}."
        )
    for path in files:
        context = Context(str(path.relative_to(root)) if path != root else path.name, "", "")
        try:
            config, read = omni.config_of(context), omni.schema(context)
        except FileError as error:
            raise BenchError(f"{path}: {error}") from None
        for _, pair in _rows(path, root, read):
            evidence = pair.criteria[0].labels[0].evidence
            yield config, evidence.get("id") or f"{config}/{pair.place.row}", path.name, pair


# Where VL-RewardBench's rows come from, by how their ids begin, is what its evaluation groups them by.
_VL_GROUPS = {
    "mathverse": "reasoning",
    "mmmu": "reasoning",
    "hallucination": "hallucination",
    "rlhf": "hallucination",
    "rlaif": "hallucination",
}


def _vl(root: Path) -> _Read:
    """VL-RewardBench (arXiv 2411.17451): query, image, two responses and their ranking, of which 0 is the better."""
    files = [root] if root.is_file() else sorted(root.rglob("*.parquet")) or sorted(root.rglob("*.jsonl"))
    if not files:
        raise BenchError(f"{root} holds no .parquet or .jsonl: give the folder with VL-RewardBench's data.")
    for path in files:
        for values, pair in _rows(path, root, vl_rewardbench.schema(Context(path.name, "", ""))):
            start = str(values.get("id", "")).replace("-", "_").split("_")[0].lower()
            yield _VL_GROUPS.get(start, "general"), _published_id(values, "id", pair), path.name, pair


def _multimodal(root: Path) -> _Read:
    """Multimodal RewardBench (arXiv 2502.14191): data/all_data.json as its own script puts it together."""
    path = root if root.is_file() else root / "all_data.json"
    if not path.is_file():
        raise BenchError(
            f"{root} holds no all_data.json: run the benchmark's own script that puts it together."
        )
    for values, pair in _rows(path, root, multimodal_rewardbench.schema(Context(path.name, "", ""))):
        category, start = str(values.get("Category") or "all"), str(values.get("ID", "")).lower()
        if category == "safety":
            category = "safety/bias" if start.startswith("pairs") else "safety/toxicity"
        elif category == "reasoning":
            category = "reasoning/math" if start.startswith("math") else "reasoning/coding"
        yield category, _published_id(values, "ID", pair), path.name, pair


def _published_id(values: Mapping[str, Any], column: str, pair: PairRow) -> str:
    """The row's own id, or its number: what a pair without one is named by in an import says nothing here."""
    return str(values.get(column) or pair.place.row)
