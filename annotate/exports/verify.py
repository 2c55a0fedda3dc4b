"""Is a release on disk what its manifest says, and do its rows keep what they promise? Needs no database."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotate.exports.files import MANIFEST, is_finished
from annotate.exports.media import FOLDER
from annotate.exports.tasks import MADE
from annotate.models.project import TaskType

SCHEMAS = ("evenhand-release/1",)  # that this version can check
SHOWN = 20  # problems of one kind that are told one by one
_LISTS = ("images", "videos", "audios", "meshes")


class NoRelease(Exception):
    """The folder holds no release that could be checked; the message says why and what to do."""


def manifest_of(directory: Path) -> dict[str, Any]:
    """The manifest of a finished release.

    Raises:
        NoRelease: there is none, it cannot be read, or it is of a schema that is not known here.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NoRelease(
            f"{directory} has no {MANIFEST}: it is no release, or its download or its export did not end."
        ) from None
    except NotADirectoryError:
        raise NoRelease(f"{directory} is a file. Give the folder of a release.") from None
    except ValueError as error:
        raise NoRelease(f"{path} is not JSON ({error}). Fetch it again.") from None
    if not isinstance(manifest, dict) or manifest.get("format") not in SCHEMAS:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise NoRelease(
            f"{path} is of schema {found!r}, and this version knows {', '.join(SCHEMAS)}. Use the version that made it"
            f" ({manifest.get('software', 'not told') if isinstance(manifest, dict) else 'not told'})."
        )
    if not is_finished(directory):
        raise NoRelease(f"{directory} is unfinished: run the same export_bench again, and it goes on.")
    return manifest


class _Problems:
    """What was found wrong, told one by one up to SHOWN of a kind."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self._counts: dict[str, int] = {}

    def add(self, kind: str, problem: str) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] <= SHOWN:
            self.told.append(problem)

    def all(self) -> list[str]:
        more = [f"... and {n - SHOWN} more: {kind}" for kind, n in self._counts.items() if n > SHOWN]
        return self.told + more


def verify(directory: Path, tell: Callable[[str], None]) -> list[str]:
    """What is wrong with a release, each with its file and row; empty: nothing. `tell` is given each file's name.

    Raises:
        NoRelease: as manifest_of.
    """
    manifest = manifest_of(directory)
    problems = _Problems()
    listed = {entry["path"]: entry for entry in manifest["files"]}
    whole = {path for path in listed if _check_file(directory, listed[path], problems, tell)}
    for path in _others(directory, set(listed)):
        problems.add(
            "files that the manifest does not list", f"{path}: the manifest does not list it. Take it away."
        )
    sides = _Sides(problems)
    for path in sorted(whole):
        tell(path)
        if path.endswith(".parquet"):
            _check_parquet(directory / path, listed[path], set(listed), problems)
        elif side := _side_of(path):
            _check_rows(directory / path, path, side, set(listed), sides, problems)
    _check_counts(directory, manifest, whole, problems)
    return problems.all()


def _check_file(
    directory: Path, entry: dict[str, Any], problems: _Problems, tell: Callable[[str], None]
) -> bool:
    """Whether the file is there with the bytes that the manifest says."""
    name = entry["path"]
    path = directory / name
    tell(name)
    if directory.resolve() not in path.resolve().parents:
        problems.add("paths that lead out of the folder", f"{name}: leads out of the folder.")
        return False
    try:
        size = path.stat().st_size
        if size != entry["size"]:
            problems.add(
                "files of another size",
                f"{name}: has {size:,} bytes, and the manifest says {entry['size']:,}.",
            )
            return False
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        problems.add("files that cannot be read", f"{name}: {error.strerror or error}.")
        return False
    if digest != entry["sha256"]:
        problems.add(
            "files with another SHA-256",
            f"{name}: its SHA-256 is {digest}, and the manifest says {entry['sha256']}.",
        )
        return False
    return True


def _others(directory: Path, listed: set[str]) -> Iterator[str]:
    """Files beside those of the release, but what version control and downloads leave behind (names with a dot)."""
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and name.as_posix() not in listed | {MANIFEST}:
            yield name.as_posix()


def _check_parquet(path: Path, entry: dict[str, Any], listed: set[str], problems: _Problems) -> None:
    """Rows as many as the manifest says, no two of one id, and every medium within or beside it."""
    name = entry["path"]
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        problems.add("files that are no Parquet", f"{name}: is no Parquet file ({error}).")
        return
    with file:
        if "rows" in entry and file.metadata.num_rows != entry["rows"]:
            problems.add(
                "row counts",
                f"{name}: has {file.metadata.num_rows:,} rows, and the manifest says {entry['rows']:,}.",
            )
        embedded = [field.name for field in file.schema_arrow if pa.types.is_struct(field.type)]
        number = 0
        for batch in file.iter_batches(columns=embedded, batch_size=20) if embedded else ():
            for row in batch.to_pylist():
                number += 1
                for column in embedded:
                    if not (row[column] or {}).get("bytes"):
                        problems.add(
                            "media that are not there", f"{name} row {number}: {column} holds no bytes."
                        )


def _side_of(path: str) -> str:
    """The split that a file of rows with media by their path belongs to; empty for other files."""
    if path.startswith("bench/") and path.endswith("_preferences.json"):
        return "test"
    if path.startswith("train/") and path.endswith(".jsonl"):
        return path.removesuffix(".jsonl").rpartition("-")[2]
    return ""


def _check_rows(
    path: Path, name: str, side: str, listed: set[str], sides: "_Sides", problems: _Problems
) -> None:
    folder = f"{name.split('/')[0]}/{FOLDER}"
    task = Path(name).name.removesuffix("_preferences.json") if side == "test" else ""
    number = 0
    try:
        for row in _rows(path):
            number += 1
            where = f"{name} row {number}"
            media = set(_media_of_bench(row, task) if task else _media_of_train(row))
            for medium in sorted(media):
                if f"{folder}/{medium}" not in listed:
                    problems.add(
                        "media that are not there", f"{where}: names {medium}, which is not in {folder}."
                    )
            sides.see(side, where, row, media)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problems.add(
            "rows that cannot be read",
            f"{name} row {number + 1}: cannot be read as a row of a release ({type(error).__name__}: {error}).",
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of JSON Lines, or of a list with one row a line as we write it."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            line = line.strip().removesuffix(",")
            if line not in ("", "[", "]"):
                yield json.loads(line)


def _media_of_bench(row: dict[str, Any], task: str) -> Iterator[str]:
    made = MADE[TaskType(task)]
    columns = [str(modality) for modality in made.prompt]
    columns += ["response1", "response2"] if made.response else []
    for column in columns:
        yield row[column]


def _media_of_train(row: dict[str, Any]) -> Iterator[str]:
    for column in (f"{before}{kind}" for before in ("", "chosen_", "rejected_") for kind in _LISTS):
        yield from row.get(column, ())


class _Sides:
    """What stands on which split: pairs, prompts with their media, and media. A thing on two is a leak."""

    def __init__(self, problems: _Problems) -> None:
        self._problems = problems
        self._seen: dict[bytes, tuple[str, str]] = {}

    def see(self, side: str, where: str, row: dict[str, Any], media: Iterable[str]) -> None:
        self._put(side, where, "pair", row["id"].rpartition("/")[0])
        named = sorted(media)
        for medium in named:
            self._put(side, where, "medium", medium)
        if not named:  # the same words about other media are another prompt
            self._put(side, where, "prompt", _prompt_of(row))

    def _put(self, side: str, where: str, kind: str, what: str) -> None:
        key = hashlib.blake2b(f"{kind} {what}".encode(), digest_size=12).digest()
        first, at = self._seen.setdefault(key, (side, where))
        if first != side:
            shown = what if len(what) < 80 else what[:77] + "..."
            self._problems.add(
                "things that stand in two splits",
                f"{where} ({side}): the {kind} {shown!r} also stands in {at} ({first}).",
            )


def _prompt_of(row: dict[str, Any]) -> str:
    """The prompt in the benchmark's words: of training rows without the criterion, which is their system turn."""
    if isinstance(row["prompt"], str):
        return row["prompt"]
    turns = [turn for turn in row["prompt"] if turn["role"] != "system"]
    if len(turns) == 1:
        return str(turns[0]["content"])
    return "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns)


def _check_counts(directory: Path, manifest: dict[str, Any], whole: set[str], problems: _Problems) -> None:
    """Judgments, and benchmark rows where the release has them as such, as many as the manifest counts."""
    formats = (
        manifest["recipe"].get("recipe", {}).get("formats", ("omni",))
    )  # which those without a recipe all have
    for what, folder, expected in [
        ("judgments", "raw/", sum(manifest["counts"]["judgments"].values())),
        *(
            (f"labels of {task}", f"bench/{task}/", sum(counts["labels"].values()))
            for task, counts in manifest["counts"]["bench"].items()
            if "omni" in formats and task != TaskType.OTHER
        ),
    ]:
        paths = [path for path in whole if path.startswith(folder) and path.endswith(".parquet")]
        found = sum(pq.read_metadata(directory / path).num_rows for path in paths)
        if found != expected:
            problems.add(
                "counts", f"{folder}: holds {found:,} rows, and the manifest counts {expected:,} {what}."
            )
