"""Writing a release into a directory, file by file; where files are there already it goes on after them.

A file is in place only once complete, and what it holds follows from the frozen rows, the recipe and the key
alone. So a release that was killed goes on, in whatever process, and ends in the same bytes. The manifest
comes last: without it there is no release.
"""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pyarrow.parquet as pq

from annotate.actions.jobs import unlimited_statements
from annotate.exports import files, recipe
from annotate.exports.against import contamination_counts, write_contamination
from annotate.exports.card import card, coverage
from annotate.exports.choice import REASONS
from annotate.exports.chosen import Chosen, choose
from annotate.exports.figures import figures_of
from annotate.exports.formats.base import Output, Writing
from annotate.exports.freeze import freeze
from annotate.exports.groups import sizes_told, write_votes
from annotate.exports.kinds import formats_of, kinds_of
from annotate.exports.labels import write_labels
from annotate.exports.media import MediaFolder
from annotate.exports.plan import Plan, make_plan
from annotate.exports.raw import write_judgments
from annotate.exports.reading import by_key
from annotate.exports.records import Part, Record, records
from annotate.exports.shards import ENOUGH, Shard, helpers, make_locks, taking
from annotate.exports.withdrawn import of_earlier, write_withdrawn
from annotate.modalities.sandbox import MediaSandbox
from annotate.models import Partition, Release
from annotate.software import version

FORMAT = "evenhand-release/1"
_TELL_EVERY = 1.0  # seconds
_PROCESSES = 4  # each takes memory of its own, and PostgreSQL does half of the work


class Tell(Protocol):
    """Is told how far it is, in rows; may raise to stop the work."""

    def __call__(
        self, *, done: int | None = None, total: int | None = None, step: str | None = None
    ) -> None: ...


class _Progress:
    """Tells how far it is when the step is another one, and every second: being told waits for the disk."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._done, self._told, self._step = tell, 0, 0.0, ""

    def add(self, rows: int = 1) -> None:
        self._done += rows
        if time.monotonic() - self._told >= _TELL_EVERY:
            self._told = time.monotonic()
            self._tell(done=self._done)

    def at(self, step: str) -> None:
        if step != self._step or time.monotonic() - self._told >= _TELL_EVERY:
            self._step, self._told = step, time.monotonic()
            self._tell(done=self._done, step=step)


def build(
    release: Release,
    directory: Path,
    tell: Tell,
    *,
    processes: int | None = None,
    call_helpers: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Freeze the release if it is not yet, write what is missing in `directory`, and return the manifest.

    Args:
        processes: that write; None: as many as are worth it here.
        call_helpers: instead of starting processes, ask others to `assist`.

    Raises:
        Refused: the directory holds something else or is being written to; a pair cannot be released.
    """
    held = files.release_in(directory)
    if held is None:
        files.mark(directory, release.pk)
    elif held != release.pk:
        raise files.Refused(f"{directory} holds release {held}. Give an empty directory.")
    if files.is_finished(directory):
        return {name: told for name, told in files.manifest_in(directory).items() if name != "files"}
    with files.sole_writer(directory), MediaSandbox() as sandbox:
        tell(step="freezing")
        freeze(release, tell)
        release = Release.objects.select_related("project").get(pk=release.pk)
        tell(step="planning")
        chosen = choose(release, lambda: tell())
        plan, progress = make_plan(release, chosen), _Progress(tell)
        shards = _shards(release, chosen, plan, directory, progress, sandbox)
        total = sum(shard.rows for shard in shards)
        tell(total=total, done=0)
        chosen.save(directory)
        make_locks(directory)
        if call_helpers:
            call_helpers()
            processes = 1
        elif processes is None:
            processes = min(os.cpu_count() or 1, _PROCESSES) if total > ENOUGH else 1
        with helpers(processes - 1, release.pk, directory):
            plan.figures = figures_of(release)  # needs no helper, and they need a while to begin
            with by_key():
                _lead(directory, shards, progress)
        return _end(release, plan, directory, progress)


def _lead(directory: Path, shards: list[Shard], progress: _Progress) -> None:
    def told(shard: Shard) -> None:
        progress.at(f"writing {shard.path.relative_to(directory)}"[:80])
        if shard.path.exists():
            progress.add(shard.rows)

    with taking(directory, shards) as files_taken:
        files_taken.lead(told, lambda: progress.at("waiting for other processes"))


def _end(release: Release, plan: Plan, directory: Path, progress: _Progress) -> dict[str, Any]:
    """Write what tells of the files, the manifest last, and return it but for its list of files."""
    progress.at("checking sums")
    for path, content in _describing(release, plan):
        with files.new_file(directory / path) as file:
            file.write(content)
    listing = [_file_entry(directory, path, progress) for path in files.files_in(directory)]
    told = summary(release, plan)
    files.write_json(directory / files.MANIFEST, told | {"files": listing})
    files.finish(directory)
    return told


def _describing(release: Release, plan: Plan) -> Iterator[tuple[Path, bytes]]:
    """The small files that tell of the others."""
    for one in formats_of(plan):
        for path, content in one.describing(kinds_of(plan, one)):
            yield Path(one.folder) / path, content
    yield Path(recipe.FILE), plan.recipe.as_yaml().encode()
    yield Path("README.md"), card(release, plan).encode()


def assist(release_id: UUID | str, directory: Path) -> None:
    """Help whoever builds a release in `directory`; does nothing where it is not there, or finished."""
    release = Release.objects.select_related("project").filter(pk=release_id).first()
    if (
        release is None
        or release.frozen_at is None
        or not directory.is_dir()
        or files.release_in(directory) != release.pk
        or files.is_finished(directory)
    ):
        return
    # Nobody leads yet, or it was finished just now.
    with suppress(FileNotFoundError), unlimited_statements(), by_key(), MediaSandbox() as sandbox:
        chosen = Chosen.load(directory)
        plan, progress = make_plan(release, chosen), _Progress(lambda **_: None)
        shards = _shards(release, chosen, plan, directory, progress, sandbox)
        with taking(directory, shards) as files_taken:
            files_taken.help()


def _shards(
    release: Release, chosen: Chosen, plan: Plan, directory: Path, progress: _Progress, sandbox: MediaSandbox
) -> list[Shard]:
    """Every file of rows."""

    def read(parts: list[Part]) -> Iterator[Record]:
        for part in parts:
            for record in records(chosen, part):
                yield record
                progress.add()

    def written(output: Output, writing: Writing, path: Path) -> None:
        output.write(path, read(output.parts), writing)

    shards = []
    for one in formats_of(plan):
        folder = directory / one.folder
        writing = Writing(release, plan.recipe, MediaFolder(folder, sandbox))
        for kind in kinds_of(plan, one):
            for output in one.outputs(kind):
                rows = sum(part.rows for part in output.parts)
                shards.append(Shard(folder / output.path, rows, partial(written, output, writing)))
    for path, part in _numbered(plan.labelled, directory / "labels" / "labels"):
        shards.append(
            Shard(path, part.rows, partial(write_labels, chosen=chosen, part=part, tell=progress.add))
        )
    for path, part in _numbered(plan.raw, directory / "raw" / "judgments"):
        shards.append(
            Shard(path, part.rows, partial(write_judgments, release=release, part=part, tell=progress.add))
        )
    if release.contamination:
        shards.append(
            Shard(directory / "contamination.jsonl", 0, partial(write_contamination, release=release))
        )
    if of_earlier(release).exists():
        shards.append(Shard(directory / "withdrawn.jsonl", 0, partial(write_withdrawn, release=release)))
    if "groups" in release.recipe:
        path = directory / "groups" / "votes.parquet"
        shards.append(Shard(path, 0, partial(write_votes, release=release)))
    return shards


def _numbered(parts: list[Part], stem: Path) -> Iterator[tuple[Path, Part]]:
    for number, part in enumerate(parts):
        yield stem.with_name(f"{stem.name}-{number:05}-of-{len(parts):05}.parquet"), part


def _file_entry(directory: Path, path: Path, progress: _Progress) -> dict[str, object]:
    with (directory / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    progress.at("checking sums")
    rows = {"rows": pq.read_metadata(directory / path).num_rows} if path.suffix == ".parquet" else {}
    return {
        "path": path.as_posix(),
        "size": (directory / path).stat().st_size,
        "sha256": digest.hexdigest(),
        **rows,
    }


def summary(release: Release, plan: Plan) -> dict[str, Any]:
    """The manifest but for its list of files."""
    assert release.frozen_at
    told = {"groups": sizes_told(release)} if "groups" in release.recipe else {}
    if release.contamination:
        told["contamination"] = contamination_counts(release)
    if release.written:
        told["written"] = release.written
    return told | {
        "format": FORMAT,
        "software": f"Evenhand {version()}",
        "release": str(release.pk),
        "project": release.project.slug,
        "frozen_at": release.frozen_at.isoformat(timespec="seconds"),
        "recipe": release.recipe,
        "counts": {
            "bench": _counts(plan, [Partition.RESERVE]),
            "validation": _counts(plan, [Partition.VALIDATION]),
            "train": _counts(plan, [Partition.TRAIN]),
            "judgments": dict(sorted(plan.figures.standings.items())),
            "withdrawn": of_earlier(release).count(),
        },
        "coverage": coverage(plan),
        **plan.figures.as_json(plan.recipe.licences),
        "reasons": {str(reason): meaning for reason, meaning in REASONS.items()},
        "agreement": {name: found.as_json() for name, found in plan.agreements().items()},
    }


def _counts(plan: Plan, partitions: list[Partition]) -> dict[str, Any]:
    """By task type: rows by label, and comparisons left out by reason."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for kind, counter in (("labels", plan.labels), ("excluded", plan.excluded)):
        for (partition, task_type, name), count in sorted(counter.items()):
            if partition in partitions:
                entry = found.setdefault(task_type, {"labels": Counter(), "excluded": Counter()})
                entry[kind][str(name)] += count
    for (partition, task_type), count in sorted(plan.settled.items()):
        if partition in partitions:
            told = {"settled": count, "other_than_people": plan.overruled[partition, task_type]}
            entry = found[task_type]
            entry["review"] = entry.get("review", Counter()) + Counter(told)
    for (partition, task_type, _), count in sorted(plan.written.items()):
        if partition in partitions and count:
            entry = found[task_type]
            entry["of_models"] = entry.get("of_models", Counter()) + Counter({"labels": count})
    return found
