"""Evenhand's own format there and back: a release's rows, imported into an empty project and exported again, are the same.

But for pseudonyms, which are of each release: those of the second are turned into those of the first by what the import called
everybody, and then every line is compared byte by byte. Media are compared by their bytes: one that metadata was removed
from is named by what was uploaded. What reviewers settled is not in the format; rows whose judgments alone say no label are
left out of the comparison, and counted.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from django.conf import settings

from annotate.actions.erasure import erase_demo
from annotate.actions.imports import start_import
from annotate.actions.jobs import AlreadyRunning, Refused
from annotate.actions.projects import create_project, pause_project
from annotate.actions.releases import ReleaseOptions, start_release
from annotate.derivatives import retry_media
from annotate.exports import files
from annotate.exports.pseudonyms import pseudonymise
from annotate.exports.recipe import Mix, Recipe, Splits
from annotate.exports.verify import manifest_of
from annotate.imports.digests import pseudonym
from annotate.imports.places import local_file
from annotate.imports.spec import ImportSpec
from annotate.models import Annotator, Asset, Job, Project, Release, TaskType
from annotate.stats.labels import USABLE, label_of

FOLDER, MEDIA = "evenhand", "media_data"
_MEDIA_HASHES = 100_000  # remembered: a medium may stand in many rows
_LOOK_AGAIN, _PATIENCE = 1.0, 60  # seconds, and how many times
Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """`difference`: the first, said in words; empty: there is none. `unlabelled`: comparisons that were left out."""

    rows: int
    unlabelled: int
    difference: str


def self_check(directory: Path, run: Callable[[Job, str], Job]) -> Found:
    """Import a finished release's `evenhand/` into a project made for it, export that, compare, and erase the project.

    Args:
        run: runs a job to its end; is told what its unit is.

    Raises:
        NoRelease: `directory` holds no finished release of a known schema.
        Refused: it holds no rows in Evenhand's own format, or the import or export of them was refused.
    """
    manifest = manifest_of(directory)
    folder = directory / FOLDER
    rows = sorted(folder.glob("*.jsonl"))
    if not rows:
        raise Refused(
            f"{directory} holds no rows in Evenhand's own format: export it with `evenhand` among its formats."
        )
    project = _empty_project(f"self-check-{manifest['release'][:8]}")
    try:
        media = local_file(folder / MEDIA) if (folder / MEDIA).is_dir() else None
        spec = ImportSpec(
            files=tuple(local_file(path) for path in rows), media=media, layout="evenhand", on_error="abort"
        )
        run(start_import(by=None, project=project, spec=spec, by_hand=True).job, " rows")
        _prepare_media(project, run)
        Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="self-check-", dir=settings.DATA_DIR) as again:
            release = _export(project, Path(again), run)
            return compare(folder, Path(again) / FOLDER, _Names(release))
    finally:
        _erase(project)


def _prepare_media(project: Project, run: Callable[[Job, str], Job]) -> None:
    """A mesh is published with its sheet. Workers that are at the media already are waited for."""
    while Asset.objects.filter(project=project, prepared=False, problem="").exists():
        try:
            run(retry_media(by=None, project=project, failed_too=False, send_it=False), " files")
        except AlreadyRunning:
            time.sleep(_LOOK_AGAIN)


def _erase(project: Project) -> None:
    """Of the project nothing stays. A job of it that a worker is just ending is waited for."""
    for left in reversed(range(_PATIENCE)):
        try:
            erase_demo(by=None, project=project)
            return
        except Refused:
            if not left:
                raise
            time.sleep(_LOOK_AGAIN)


def _empty_project(slug: str) -> Project:
    """One in which nothing is held out, so that what shares a medium across two splits stays. It can be erased, as a demo can."""
    for left in Project.objects.filter(slug=slug, demo=True):  # of one that was killed
        _erase(left)
    if Project.objects.filter(slug=slug).exists():
        raise Refused(f"There is a project {slug!r}, which is no self-check's: rename it.")
    project = create_project(
        by=None,
        slug=slug,
        name="Self-check of a release",
        demo=True,
        task_type=TaskType.OTHER,
        reserve_share=0.0,
        validation_share=0.0,
    )
    pause_project(by=None, project=project)  # nobody is asked, and no model learns from it
    return project


def _export(project: Project, out: Path, run: Callable[[Job, str], Job]) -> Release:
    recipe = Recipe(
        formats=(FOLDER,), splits=Splits(near_duplicates=()), bench=_ALL, validation=_ALL, train=_ALL
    )
    release_id = uuid4()
    files.mark(out, release_id)
    release = start_release(
        by=None, project=project, options=ReleaseOptions(recipe=recipe), directory=out, release_id=release_id
    )
    run(release.job, " rows")
    release.refresh_from_db()
    return release


_ALL = Mix(min_judgments=1)


class _Names:
    """What the second release calls those whom the first named."""

    def __init__(self, release: Release) -> None:
        self._project, self._key = release.project, release.pseudonym_key
        self._ids = dict(
            Annotator.objects.filter(project=release.project).values_list("pseudonym", "pk").iterator()
        )

    def of(self, source: str, annotator: str) -> str:
        known = self._ids.get(pseudonym(self._project.pseudonym_key, source, annotator))
        return (
            f"nobody in place of {annotator}"
            if known is None
            else pseudonymise(self._key, "annotator", known)
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of a row of the first release: where it stands, the digest of all but its group, and its group."""

    file: Path
    place: int  # bytes
    line: int
    digest: bytes
    group: str


def compare(first: Path, second: Path, names: Any) -> Found:
    """The first difference of the rows in two folders of Evenhand's own format.

    Args:
        names: `of(source, annotator)`: what the second calls whom the first named.
    """
    ours, theirs = _Media(first / MEDIA), _Media(second / MEDIA)
    kept: dict[tuple[str, str], _Kept] = {}
    unlabelled = 0
    for path, number, place, row in _lines(first):
        unlabelled += _drop_unlabelled(row)
        name = _name(row)
        if name in kept:
            return Found(
                len(kept), unlabelled, f"{path.name}, line {number}: {'/'.join(name)} stands there twice"
            )
        if row["criteria"]:
            group = row.pop("group", "")
            kept[name] = _Kept(path, place, number, _digest(ours.by_content(_renamed(row, names))), group)
    rows, groups, seen = len(kept), dict[str, str](), dict[str, str]()
    for path, number, _, row in _lines(second):
        name, where = _name(row), f"{path.name}, line {number}"
        if (one := kept.pop(name, None)) is None:
            return Found(
                rows, unlabelled, f"the second export has {'/'.join(name)} ({where}), the first does not"
            )
        group = row.pop("group", "")
        row = theirs.by_content(row)
        if _digest(row) != one.digest:
            told = _first_difference(ours.by_content(_renamed(_read_again(one), names)), row)
            return Found(rows, unlabelled, f"{one.file.name}, line {one.line}, {'/'.join(name)}: {told}")
        if groups.setdefault(one.group, group) != group or seen.setdefault(group, one.group) != one.group:
            told = "stands in another prompt group than the pairs that it stood with"
            return Found(rows, unlabelled, f"{one.file.name}, line {one.line}, {'/'.join(name)}: {told}")
    for name, one in kept.items():
        told = f"{one.file.name}, line {one.line}: {'/'.join(name)} is not in the second export"
        return Found(rows, unlabelled, told)
    return Found(rows, unlabelled, "")


def _lines(folder: Path) -> Iterator[tuple[Path, int, int, Row]]:
    for path in sorted(folder.glob("*.jsonl")):
        place = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield path, number, place, json.loads(line)
                place += len(line)


def _read_again(one: _Kept) -> Row:
    with one.file.open("rb") as file:
        file.seek(one.place)
        row: Row = json.loads(file.readline())
    _drop_unlabelled(row)
    row.pop("group", "")
    return row


def _drop_unlabelled(row: Row) -> int:
    """Take out the criteria by which the judgments of a row come to no label. Returns how many."""
    labelled = []
    for one in row["criteria"]:
        said = [given["verdict"] for given in one["judgments"]]
        if label_of([said.count(str(label)) for label in USABLE], 1).found:
            labelled.append(one)
    gone = len(row["criteria"]) - len(labelled)
    row["criteria"] = labelled
    return gone


def _name(row: Row) -> tuple[str, str]:
    return row.get("source", ""), row["id"]


def _renamed(row: Row, names: Any) -> Row:
    """The row with its annotators as the second release calls them, and judgments in the order of these names."""
    criteria = [
        {
            **one,
            "judgments": sorted(
                (
                    {**given, "annotator": names.of(row.get("source", ""), given["annotator"])}
                    for given in one["judgments"]
                ),
                key=lambda given: given["annotator"],
            ),
        }
        for one in row["criteria"]
    ]
    return {**row, "criteria": criteria}


class _Media:
    def __init__(self, folder: Path) -> None:
        self._folder, self._known = folder, dict[str, str]()

    def by_content(self, row: Row) -> Row:
        """The row with each medium named by the hash of its bytes."""
        if "media" in row:
            row = {**row, "media": [self._content(path) for path in row["media"]]}
        for name in ("response1", "response2"):
            if "media" in row[name]:
                row = {**row, name: {**row[name], "media": self._content(row[name]["media"])}}
        return row

    def _content(self, path: str) -> str:
        if path not in self._known:
            if len(self._known) >= _MEDIA_HASHES:
                self._known.clear()
            with (self._folder / path).open("rb") as file:
                self._known[path] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._known[path]


def _digest(row: Row) -> bytes:
    return hashlib.blake2b(json.dumps(row, ensure_ascii=False).encode(), digest_size=16).digest()


def _first_difference(first: Any, second: Any, where: str = "") -> str:
    """Where two values of JSON first differ, and how."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in [*first, *(name for name in second if name not in first)]:
            at = f"{where}.{name}" if where else str(name)
            if name not in second:
                return f"{at} is not in the second export"
            if name not in first:
                return f"{at} is in the second export alone"
            if first[name] != second[name]:
                return _first_difference(first[name], second[name], at)
        return f"{where or 'the row'} has its fields in another order"
    if isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            return f"{where} has {len(first)} entries, and {len(second)} in the second export"
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            if one != other:
                return _first_difference(one, other, f"{where}[{number}]")
    return f"{where} is {_shown(first)}, and {_shown(second)} in the second export"


def _shown(value: Any) -> str:
    return f"{json.dumps(value, ensure_ascii=False):.80}"
