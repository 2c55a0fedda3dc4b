"""What of a project is nearly the same: prompts by their text or what they mean, pictures by their looks. A release keeps it on one side."""

import io
from collections.abc import Callable, Iterable
from tempfile import TemporaryFile

import numpy as np
from django.core.files.storage import default_storage
from django.db import connection
from numpy.typing import NDArray

from annotate import looks, minhash
from annotate.actions.jobs import Refused
from annotate.models import Release
from annotate.nearest import near_groups
from annotate.sentences import NoSentences, embedded

_AT_ONCE = 5000

_PROMPTS = """
SELECT q.id, q.turns::text, ARRAY(SELECT m.asset_id FROM annotate_promptasset m WHERE m.prompt_id = q.id ORDER BY m.position)
FROM annotate_prompt q
WHERE q.project_id = %s AND q.id > %s AND EXISTS (SELECT FROM annotate_pair p WHERE p.prompt_id = q.id)
ORDER BY q.id LIMIT %s
"""

# The picture of an image as it was made for viewing: small, and by us. Sheets of meshes are mostly background, and
# alike whatever stands before it.
_PICTURES = """
SELECT DISTINCT ON (a.id) a.id, d.key
FROM annotate_asset a JOIN annotate_derivative d ON d.asset_id = a.id
WHERE a.project_id = %s AND a.modality = 'image' AND d.kind = 'thumb'
ORDER BY a.id
"""


def near_prompts(release: Release, tell: Callable[[], None]) -> list[list[int]]:
    """Groups of prompts whose texts are nearly the same. The same words about other media are another prompt."""
    ids: list[int] = []
    about: dict[int, tuple[int, ...]] = {}
    bands = []
    for some in _batches(release.project_id):
        ids += [pk for pk, _, _ in some]
        about |= {pk: tuple(media) for pk, _, media in some if media}
        numbers = minhash.bands_of([minhash.turns_text(turns) for _, turns, _ in some])
        for row, (_, _, media) in enumerate(some):
            if media:
                numbers[row] ^= np.uint64(hash(tuple(media)) & (2**64 - 1))
        bands.append(numbers)
        tell()
    if len(ids) < 2:
        return []
    pairs = [
        (ids[a], ids[b])
        for a, b in minhash.close_candidates(np.concatenate(bands))
        if about.get(ids[a]) == about.get(ids[b])
    ]
    return minhash.groups(_checked(pairs, tell))


def same_meaning(release: Release, least: float, tell: Callable[..., None]) -> list[list[int]]:
    """Groups of prompts that mean the same, whatever their words: those without media, by the cosine of their embeddings.

    Prompts about different media are different ones, and those about the same stand on one side already.

    Raises:
        Refused: the model that embeds sentences is not installed.
    """
    ids: list[int] = []
    with TemporaryFile() as file:  # half a gigabyte for a million: nothing to hold in memory
        width = 0
        for some in _batches(release.project_id):
            said = [(pk, minhash.turns_text(turns)) for pk, turns, media in some if not media]
            try:
                vectors = embedded([text for _, text in said])
            except NoSentences as error:
                raise Refused(
                    f"Prompts cannot be compared by meaning: {error} Or leave `meaning` out of near_duplicates."
                ) from None
            ids += [pk for pk, _ in said]
            width = vectors.shape[1]
            file.write(np.asarray(vectors, dtype=np.float16).tobytes())
            tell(step=f"embedding prompts: {len(ids):,}")
        if len(ids) < 2:
            return []
        file.flush()
        table = np.memmap(file, dtype=np.float16, mode="r", shape=(len(ids), width))
        root = near_groups(
            table, least, lambda rows: tell(step=f"comparing prompts by meaning: {rows:,} of {len(ids):,}")
        )
    shared = np.flatnonzero(np.bincount(root, minlength=len(ids))[root] > 1)
    return minhash.groups((ids[root[row]], ids[row]) for row in shared.tolist())


def near_pictures(release: Release, tell: Callable[[], None]) -> list[list[int]]:
    """Groups of assets that look nearly the same: images alone."""
    ids, hashes, small = sketches(release, tell)
    return minhash.groups((ids[a], ids[b]) for a, b in looks.alike(hashes, small))


def sketches(
    release: Release, tell: Callable[[], None]
) -> tuple[list[int], NDArray[np.uint64], NDArray[np.uint8]]:
    """Of each picture of the project its asset, its hash and its eight by eight pixels (looks.sketch)."""
    with connection.cursor() as cursor:
        cursor.execute(_PICTURES, [release.project_id])
        pictures = cursor.fetchall()
    hashes = np.zeros(len(pictures), dtype=np.uint64)
    small = np.zeros((len(pictures), looks.SIDE, looks.SIDE, 3), dtype=np.uint8)
    for number, (_, key) in enumerate(pictures):
        with default_storage.open(key) as file:
            hashes[number], small[number] = looks.sketch(io.BytesIO(file.read()))
        if number % 100 == 0:
            tell()
    return [pk for pk, _ in pictures], hashes, small


def _batches(project_id: int) -> Iterable[list[tuple[int, str, list[int]]]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PROMPTS, [project_id, after, _AT_ONCE])
            rows = [(pk, turns, media) for pk, turns, media in cursor.fetchall()]
        if rows:
            yield rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1][0]


def _checked(pairs: list[tuple[int, int]], tell: Callable[[], None]) -> list[tuple[int, int]]:
    """Those pairs of prompts that are nearly the same when all of their text is compared."""
    like = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        wanted = sorted({pk for pair in some for pk in pair})
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, turns::text FROM annotate_prompt WHERE id = ANY (%s)", [wanted])
            texts = {pk: minhash.turns_text(turns) for pk, turns in cursor.fetchall()}
        like += [(a, b) for a, b in some if minhash.resemblance(texts[a], texts[b]) >= minhash.LIKE]
        tell()
    return like
