"""What of a project other benchmarks hold too: their prompts, responses and media, exactly or nearly the same.

Texts are compared as MinHash compares them, media by their bytes, and pictures also by their looks, since a published
one has lost its metadata. Responses too short to be anybody's own say nothing and are not compared.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, BinaryIO

import numpy as np
from django.core.files.storage import default_storage
from django.db import connection
from numpy.typing import NDArray

from annotate import looks, media, minhash
from annotate.actions.jobs import Refused
from annotate.exports.files import new_file
from annotate.exports.near import sketches
from annotate.imports.files import reader_of
from annotate.imports.media_source import candidates, safe_parts
from annotate.imports.record import FileError, MediaRef, PairRow, Place, RowError
from annotate.imports.schemas import schema_for
from annotate.imports.schemas.context import Context
from annotate.modalities import MediaError, sniff
from annotate.modalities.sandbox import MediaSandbox, Request
from annotate.models import Modality, Release
from annotate.visible import visible

SHORTEST = 40  # bytes of a response that is compared
MAX_MEDIUM = 64 * 2**20  # bytes of a medium that is compared
_AT_ONCE = 5000


@dataclass
class _Theirs:
    """What the files hold: texts, hashes of media and sketches of pictures, each with its file and row."""

    texts: dict[str, list[str]] = field(default_factory=lambda: {"prompt": [], "response": []})
    texts_at: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"prompt": [], "response": []})
    media: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    looks: list[tuple[int, NDArray[np.uint8], tuple[int, int]]] = field(default_factory=list)


def named_files(paths: list[Path]) -> list[dict[str, str]]:
    """Of each file its name and SHA-256, for the recipe.

    Raises:
        Refused: one is not there, or is not of a form that is read.
    """
    found = []
    for path in paths:
        try:
            with path.open("rb") as file:
                found.append(named_file(path.name, file))
        except OSError as error:
            raise Refused(f"{path} cannot be compared with: {error.strerror or error}.") from None
    return found


def named_file(name: str, file: BinaryIO) -> dict[str, str]:
    """As named_files, of an open file."""
    try:
        reader_of(name)
    except FileError as error:
        raise Refused(f"{name} cannot be compared with: {error}") from None
    digest = hashlib.sha256()
    while block := file.read(2**20):
        digest.update(block)
    return {"name": name, "sha256": digest.hexdigest()}


@contextmanager
def files_of(release: Release) -> Iterator[list[Path]]:
    """The files that a release is to be compared with: those of this machine that its job names, or copies of those that were
    uploaded, which are kept until it is frozen.
    """
    spec = release.job.spec
    if "uploads" not in spec:
        yield [Path(path) for path in spec["against"]]
        return
    with TemporaryDirectory() as folder:
        paths = []
        for number, (name, key) in enumerate(spec["uploads"]):
            path = Path(folder) / str(number) / name
            path.parent.mkdir()
            with default_storage.open(key) as stored, path.open("wb") as file:
                shutil.copyfileobj(stored, file, 2**20)
            paths.append(path)
        yield paths
    # Only once what was found stands with the release: whoever is killed before reads them again.
    if Release.objects.filter(pk=release.pk, frozen_at__isnull=False).exists():
        media.remove_folder(spec["folder"])


def compare(release: Release, paths: list[Path], tell: Callable[[], None]) -> tuple[dict[str, Any], set[int]]:
    """What was found, for keeping on the release, and the pairs that hold any of it.

    Raises:
        Refused: a file is no benchmark of a known layout, or is not what the recipe names.
    """
    if named_files(paths) != release.recipe["against"]["files"]:
        raise Refused(
            "The files to compare with are not those that the release was begun with. Give the same."
        )
    theirs = _Theirs()
    told = [_read(number, path, release, theirs, tell) for number, path in enumerate(paths)]
    names = [path.name for path in paths]
    found: list[dict[str, Any]] = []
    pairs: set[int] = set()
    for pair, name, what, how, (file, row) in chain(
        _of_texts(release, theirs, tell), _of_media(release, theirs, tell)
    ):
        pairs.add(pair)
        found.append({"pair": name, "what": what, "how": how, "file": names[file], "row": row})
    found.sort(key=lambda one: tuple(map(str, one.values())))
    return {"files": told, "found": found}, pairs


def _read(
    number: int, path: Path, release: Release, theirs: _Theirs, tell: Callable[[], None]
) -> dict[str, Any]:
    """Read a file into `theirs`, and say how many of its rows could be."""
    context = Context(str(path), salt="", project_task_type=release.project.task_type, criterion="-")
    schema = None
    rows = unread = missing = 0
    problem = ""
    with path.open("rb") as file, MediaSandbox() as sandbox:
        try:
            for raw in reader_of(path.name)(file):
                rows += 1
                if rows % 1000 == 0:
                    tell()
                try:
                    if raw.problem:
                        raise raw.problem
                    schema = schema or schema_for("auto", set(raw.values), context)
                    pairs = schema(raw.values, Place(0, raw.number))
                except RowError as error:
                    unread += 1
                    problem = problem or f"row {raw.number}: {error}"
                    continue
                for pair in pairs:
                    missing += _take(theirs, (number, raw.number), pair, path, sandbox)
        except FileError as error:
            raise Refused(f"{path} cannot be compared with: {error}") from None
    return {
        "name": path.name,
        "rows": rows,
        "unread_rows": unread,
        "first_problem": problem,
        "missing_media": missing,
    }


def _take(theirs: _Theirs, at: tuple[int, int], pair: PairRow, path: Path, sandbox: MediaSandbox) -> int:
    """Keep what a row holds. Returns how many of its media are not there."""
    # The same words about other media are another prompt.
    if not pair.media:
        theirs.texts["prompt"].append("\n".join(text for _, text in pair.turns))
        theirs.texts_at["prompt"].append(at)
    for side in (pair.response1, pair.response2):
        if len(minhash.folded(side.text)) >= SHORTEST:
            theirs.texts["response"].append(side.text)
            theirs.texts_at["response"].append(at)
    missing = 0
    for ref in pair.media_refs():
        data = _content(ref, path)
        if data is None:
            missing += 1
            continue
        digest = hashlib.sha256(data).digest()
        if digest not in theirs.media:
            theirs.media[digest] = at
            if sketch := _sketch(data, sandbox):
                theirs.looks.append((*sketch, at))
    return missing


def _content(ref: MediaRef, path: Path) -> bytes | None:
    if ref.data is not None:
        return ref.data
    for name in candidates(ref.path):
        try:
            medium = path.parent.joinpath(*safe_parts(name, ref.field))
        except RowError:
            return None
        if medium.is_file() and medium.stat().st_size <= MAX_MEDIUM:
            return medium.read_bytes()
    return None


def _sketch(data: bytes, sandbox: MediaSandbox) -> tuple[int, NDArray[np.uint8]] | None:
    """Of a picture, opened by a child; nothing of another medium, or of one that cannot be opened."""
    try:
        kind = sniff(data[:4096], len(data))
        if kind.modality != Modality.IMAGE:
            return None
        with TemporaryFile() as file:  # the child is given its descriptor
            file.write(data)
            file.seek(0)
            examined = sandbox.examine(Request(file, kind, ("thumb",)))
    except MediaError:
        return None
    (made,) = examined.renditions
    with made.file:
        return looks.sketch(made.file)


_Match = tuple[int, str, str, str, tuple[int, int]]  # pair, its name, what, how, where

_TEXTS = f"""
SELECT p.id, p.source || '/' || p.external_id, q.turns::text, r1.text, r2.text,
       EXISTS (SELECT FROM annotate_promptasset m WHERE m.prompt_id = q.id)
FROM annotate_pair p
JOIN annotate_prompt q ON q.id = p.prompt_id
JOIN annotate_response r1 ON r1.id = p.response1_id JOIN annotate_response r2 ON r2.id = p.response2_id
WHERE p.project_id = %s AND p.id > %s AND {visible("p")} AND (%s::text[] IS NULL OR p.source = ANY (%s))
ORDER BY p.id LIMIT %s
"""
_MEDIA = f"""
SELECT p.id, p.source || '/' || p.external_id, a.id, a.sha256
FROM annotate_pair p
CROSS JOIN LATERAL (
    SELECT m.asset_id FROM annotate_promptasset m WHERE m.prompt_id = p.prompt_id
    UNION SELECT r.asset_id FROM annotate_response r WHERE r.id IN (p.response1_id, p.response2_id)) used
JOIN annotate_asset a ON a.id = used.asset_id
WHERE p.project_id = %s AND {visible("p")} AND (%s::text[] IS NULL OR p.source = ANY (%s))
ORDER BY p.id, a.id
"""


def _of_texts(release: Release, theirs: _Theirs, tell: Callable[[], None]) -> Iterator[_Match]:
    indexes = {what: _Index(texts, theirs.texts_at[what]) for what, texts in theirs.texts.items() if texts}
    sources = release.recipe["sources"]
    after = 0
    while indexes:
        with connection.cursor() as cursor:
            cursor.execute(_TEXTS, [release.project_id, after, sources, sources, _AT_ONCE])
            rows = cursor.fetchall()
        asked: dict[str, list[tuple[int, str, str, str]]] = {"prompt": [], "response": []}
        for pair, name, turns, text1, text2, has_media in rows:
            if not has_media:
                asked["prompt"].append((pair, name, "prompt", minhash.turns_text(turns)))
            for what, text in (("response1", text1), ("response2", text2)):
                if len(minhash.folded(text)) >= SHORTEST:
                    asked["response"].append((pair, name, what, text))
        for kind, index in indexes.items():
            found = index.best([text for *_, text in asked[kind]])
            for (pair, name, what, _), best in zip(asked[kind], found, strict=True):
                if best:
                    yield pair, name, what, *best
        tell()
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1][0]


class _Index:
    """Texts, to be asked which of them is nearest to another."""

    def __init__(self, texts: list[str], at: list[tuple[int, int]]) -> None:
        self._texts, self._at = texts, at
        bands = minhash.bands_of(texts)
        self._orders = [np.argsort(bands[:, band], kind="stable") for band in range(minhash.BANDS)]
        self._sorted = [bands[order, band] for band, order in enumerate(self._orders)]

    def best(self, asked: list[str]) -> list[tuple[str, tuple[int, int]] | None]:
        """Of each text how the nearest is the same, exact or near, and where it stands; nothing where none is."""
        bands = minhash.bands_of(asked)
        found: list[tuple[str, tuple[int, int]] | None] = [None] * len(asked)
        nearest = [0.0] * len(asked)
        seen: set[tuple[int, int]] = set()
        for band in range(minhash.BANDS):
            begin = np.searchsorted(self._sorted[band], bands[:, band], side="left")
            end = np.searchsorted(self._sorted[band], bands[:, band], side="right")
            for one in np.flatnonzero(end > begin).tolist():
                for other in self._orders[band][begin[one] : end[one]].tolist():
                    if nearest[one] == 1.0 or (one, other) in seen:
                        continue
                    seen.add((one, other))
                    if minhash.folded(asked[one]) == minhash.folded(self._texts[other]):
                        nearest[one], found[one] = 1.0, ("exact", self._at[other])
                    else:
                        # Two texts of the same runs are still not the same text.
                        like = min(minhash.resemblance(asked[one], self._texts[other]), 0.9999)
                        if like >= minhash.LIKE and like > nearest[one]:
                            nearest[one], found[one] = like, ("near", self._at[other])
        return found


def _of_media(release: Release, theirs: _Theirs, tell: Callable[[], None]) -> Iterator[_Match]:
    if not theirs.media:
        return
    near: dict[int, tuple[int, int]] = {}
    if theirs.looks:
        ids, hashes, small = sketches(release, tell)
        hashes = np.concatenate((hashes, np.array([found for found, _, _ in theirs.looks], dtype=np.uint64)))
        small = np.concatenate((small, np.stack([pixels for _, pixels, _ in theirs.looks])))
        for pair in looks.alike(hashes, small):
            ours, other = sorted(pair)
            if ours < len(ids) <= other:
                at = theirs.looks[other - len(ids)][2]
                near[ids[ours]] = min(at, near.get(ids[ours], at))
    sources = release.recipe["sources"]
    with connection.cursor() as cursor:
        cursor.execute(_MEDIA, [release.project_id, sources, sources])
        for pk, name, asset, digest in cursor.fetchall():
            exact = theirs.media.get(bytes(digest))
            if exact:
                yield pk, name, "medium", "exact", exact
            elif asset in near:
                yield pk, name, "medium", "near", near[asset]


def contamination_counts(release: Release) -> list[dict[str, Any]]:
    """Of each file how many of its rows were read, and how many times what of the project stands in it and how."""
    assert release.contamination
    counts = Counter((one["file"], one["what"], one["how"]) for one in release.contamination["found"])
    return [
        told
        | {
            "found": {
                f"{what} {how}": count
                for (name, what, how), count in sorted(counts.items())
                if name == told["name"]
            }
        }
        for told in release.contamination["files"]
    ]


def write_contamination(path: Path, release: Release) -> None:
    """One a line: the pair, what of it stands elsewhere, whether exactly or nearly, and in which file and row."""
    assert release.contamination
    with new_file(path) as file:
        for one in release.contamination["found"]:
            file.write(json.dumps(one, ensure_ascii=False).encode() + b"\n")
