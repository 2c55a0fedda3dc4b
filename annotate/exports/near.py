"""What of a project is nearly the same: prompts by their text, pictures by their looks. A release keeps it on one side."""

import io
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.db import connection

from annotate import looks, minhash
from annotate.models import Release

_AT_ONCE = 5000

_PROMPTS = """
SELECT q.id, q.turns, ARRAY(SELECT m.asset_id FROM annotate_promptasset m WHERE m.prompt_id = q.id ORDER BY m.position)
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
        numbers = minhash.bands_of([minhash.text_of(turns) for _, turns, _ in some])
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


def near_pictures(release: Release, tell: Callable[[], None]) -> list[list[int]]:
    """Groups of assets that look nearly the same: images alone."""
    with connection.cursor() as cursor:
        cursor.execute(_PICTURES, [release.project_id])
        pictures = cursor.fetchall()
    ids, hashes, small = [], [], []
    for number, (pk, key) in enumerate(pictures):
        with default_storage.open(key) as file:
            found, pixels = looks.sketch(io.BytesIO(file.read()))
        ids.append(pk)
        hashes.append(found)
        small.append(pixels)
        if number % 100 == 0:
            tell()
    if len(ids) < 2:
        return []
    pairs = looks.alike(np.array(hashes, dtype=np.uint64), np.stack(small))
    return minhash.groups((ids[a], ids[b]) for a, b in pairs)


def _batches(project_id: int) -> Iterable[list[tuple[int, Any, list[int]]]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PROMPTS, [project_id, after, _AT_ONCE])
            rows = [(pk, _read(turns), media) for pk, turns, media in cursor.fetchall()]
        if rows:
            yield rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1][0]


def _read(turns: Any) -> Any:
    return json.loads(turns) if isinstance(turns, str) else turns


def _checked(pairs: list[tuple[int, int]], tell: Callable[[], None]) -> list[tuple[int, int]]:
    """Those pairs of prompts that are nearly the same when all of their text is compared."""
    like = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        wanted = sorted({pk for pair in some for pk in pair})
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, turns FROM annotate_prompt WHERE id = ANY (%s)", [wanted])
            texts = {pk: minhash.text_of(_read(turns)) for pk, turns in cursor.fetchall()}
        like += [(a, b) for a, b in some if minhash.resemblance(texts[a], texts[b]) >= minhash.LIKE]
        tell()
    return like
