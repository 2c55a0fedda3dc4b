"""The training and validation rows of an unpacked release, as the releases' own JSON lines hold them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any

import pyarrow.parquet as pq

from annotate.exports.build import FORMAT
from annotate.exports.files import MANIFEST
from annotate.imports import checks
from annotate.imports.files import json_lines
from annotate.imports.media_source import FolderMedia, MediaSource
from annotate.imports.record import AskedCriterion, FileError, Label, MediaRef, PairRow, Place, RowError, Side
from annotate.imports.schemas import preference
from annotate.imports.schemas.context import PUBLISHED, Context, is_general
from annotate.imports.schemas.published import in_secret_order, media_key, medium
from annotate.models import Modality, TaskType
from workers.evaluation.benches import LABELS, BenchRow

_LISTS = {"images": Modality.IMAGE, "videos": Modality.VIDEO, "audios": Modality.AUDIO}
SPLITS = ("train", "validation")


class ReleaseError(Exception):
    """A release that cannot be trained on. The message says where in it, what is wrong, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A decided comparison; `subset` is the source that its pair was imported from."""

    row: BenchRow
    subset: str

    @property
    def general(self) -> bool:
        """Was it judged as a whole, by no criterion of its own?"""
        return is_general(self.row.criterion)


@dataclass(frozen=True)
class Release:
    """`digest`: SHA-256 of its manifest, which holds those of all files."""

    path: Path
    digest: str
    project: str
    train: tuple[Row, ...]
    validation: tuple[Row, ...]

    def media(self) -> MediaSource:
        return FolderMedia(self.path / "train" / "media_data")


def read(folder: Path) -> Release:
    """
    Raises:
        ReleaseError: it is no finished release, a file is not the one that was written, or a row cannot be read.
    """
    try:
        told = (folder / MANIFEST).read_bytes()
        manifest = json.loads(told)
        listed = {one["path"]: one["sha256"] for one in manifest["files"]}
        project = manifest["project"]
    except FileNotFoundError:
        raise ReleaseError(
            f"{folder} holds no {MANIFEST}: give the folder of a finished release (manage.py export_bench), unpacked."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{folder / MANIFEST} cannot be read: {error}") from None
    if manifest.get("format") != FORMAT:
        raise ReleaseError(f"{folder / MANIFEST}: its format is {manifest.get('format')!r}, not {FORMAT!r}.")
    told_of = _told_of(folder)
    found: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for name in sorted(listed):
        task, _, split = name.removeprefix("train/").removesuffix(".jsonl").rpartition("-")
        if name.startswith("train/") and name.endswith(".jsonl") and split in found:
            _check(folder, name, listed[name])
            found[split] += _rows(folder / name, name, task, told_of)
    if not found["train"]:
        raise ReleaseError(f"{folder} holds no training rows (train/*-train.jsonl): nothing to learn from.")
    return Release(
        folder, hashlib.sha256(told).hexdigest(), project, tuple(found["train"]), tuple(found["validation"])
    )


def _check(folder: Path, name: str, wanted: str) -> None:
    try:
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ReleaseError(f"{folder / name} cannot be read: {error.strerror}.") from None
    if digest != wanted:
        raise ReleaseError(
            f"{folder / name} is not the file that {MANIFEST} names: unpack the release anew, or write it again."
        )


def _told_of(folder: Path) -> dict[str, tuple[str, str]]:
    """Source and criterion of each comparison by its id, which the training rows tell of none, or not apart from the prompt."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.glob("labels/labels-*.parquet")):
        table = pq.read_table(path, columns=["id", "source", "criterion"])
        ids, sources, criteria = (column.to_pylist() for column in table.columns)
        # Criteria repeat, and so do sources: one text of each is kept.
        found |= {
            pk: (intern(source), intern(criterion))
            for pk, source, criterion in zip(ids, sources, criteria, strict=True)
        }
    return found


def _rows(path: Path, name: str, task: str, told_of: Mapping[str, tuple[str, str]]) -> Iterator[Row]:
    # Without a salt: which side stands first is the same wherever the release is read.
    context = Context(name, "", task, task_type=task)
    try:
        if task not in TaskType.values:
            raise FileError(f"there is no task type {task!r}.")
        with path.open("rb") as file:
            for raw in json_lines.read(file):
                try:
                    if raw.problem:
                        raise raw.problem
                    row_id = checks.name(raw.values.get("id"), "id")
                    # A tie may stand there as two rows, whose ids say which.
                    told = told_of.get(row_id) or told_of.get(row_id.rpartition("/")[0])
                    if told is None:
                        raise RowError("id", "stands in none of labels/labels-*.parquet.")
                    subset, criterion = told
                    pair = _pair(raw.values, criterion, Place(0, raw.number), context)
                except RowError as error:
                    raise ReleaseError(f"{name}, row {raw.number}: {error}") from None
                (asked,) = pair.criteria
                group = json.dumps([pair.turns, [media_key(ref) for ref in pair.media]])
                row = BenchRow(
                    pair.external_id,
                    task,
                    hashlib.sha256(group.encode()).hexdigest()[:16],
                    pair,
                    asked.text,
                    LABELS[asked.labels[0].verdict],
                    name,
                )
                yield Row(row, subset)
    except FileError as error:
        raise ReleaseError(f"{name}: {error}") from None


def _pair(values: Mapping[str, Any], criterion: str, place: Place, context: Context) -> PairRow:
    """A row as exports/formats/trl.py writes it: the criterion begins the leading system turn, unless it is a general
    preference, which is judged by none; media stand in lists by side.
    """
    turns = preference.messages(values.get("prompt"), "prompt", "user")
    if not is_general(criterion):
        if not turns or turns[0][0] != "system" or not turns[0][1].startswith(criterion):
            raise RowError(
                "prompt",
                "must be messages, of which the first is the system turn that begins with the criterion.",
            )
        own = turns[0][1][len(criterion) :].removeprefix("\n\n")
        turns = [*([("system", own)] if own else []), *turns[1:]]
    if not turns:
        raise RowError("prompt", "must hold a turn beside the criterion.")
    sides = [_side(values, name) for name in ("chosen", "rejected")]
    first, second, better = in_secret_order(context, *sides)
    return PairRow(
        place=place,
        source="",
        external_id=checks.name(values.get("id"), "id"),
        task_type=context.task_type,
        turns=tuple(turns),
        media=tuple(_media(values, "")),
        response1=first,
        response2=second,
        criteria=(AskedCriterion(criterion, 1, (Label(PUBLISHED, better),)),),
    )


def _side(values: Mapping[str, Any], name: str) -> Side:
    said = preference.messages(values.get(name), name, "assistant")
    if len(said) != 1 or said[0][0] != "assistant":
        raise RowError(name, "must be one message of the assistant's.")
    media = _media(values, f"{name}_")
    if len(media) > 1:
        raise RowError(name, f"has {len(media)} media; one is shown.")
    return Side(text=said[0][1], media=media[0] if media else None)


def _media(values: Mapping[str, Any], prefix: str) -> list[MediaRef]:
    found = []
    for column, modality in _LISTS.items():
        paths = values.get(f"{prefix}{column}") or []
        if not isinstance(paths, list):
            raise RowError(f"{prefix}{column}", "must be a list of paths.")
        found += [medium(one, f"{prefix}{column}", modality) for one in paths]
    return found
