"""Prompts of an import that are nearly the same as another: told in its report, never dropped."""

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Q

from annotate import minhash
from annotate.imports.copying import array_of_numbers
from annotate.models import DataImport, Pair, Prompt, PromptAsset

MAX_OTHERS = 200_000  # prompts that the project had before: of more, the import's own are compared alone
GROUPS_SHOWN = 50
MEMBERS_SHOWN = 5
_EXCERPT = 200
_AT_ONCE = 5000


def note(data_import: DataImport) -> None:
    """Find them and keep what was found on the import's row. Does nothing where it was done before."""
    if data_import.near_duplicates:
        return
    data_import.near_duplicates = _found(data_import)
    data_import.save(update_fields=["near_duplicates"])


def _found(data_import: DataImport) -> dict[str, Any]:
    prompts = Prompt.objects.filter(project_id=data_import.project_id)
    if not prompts.filter(data_import=data_import).exists():
        return {"compared": 0, "with_others": True, "prompts": 0, "groups": 0, "shown": []}
    own = Q(data_import=data_import)
    others = Q(data_import=None) | Q(data_import__visible=True) & ~own
    with_others = prompts.filter(others)[: MAX_OTHERS + 1].count() <= MAX_OTHERS
    # Those that were there come first, so that a group is named by what is older.
    chosen = prompts.filter(own | others if with_others else own)
    # Of a million prompts: 8 MB of ids and 80 MB of bands.
    ids, mine = array("q"), bytearray()
    bands = []
    for some in _batches(chosen):
        ids.extend(pk for pk, _, _ in some)
        mine.extend(brought == data_import.pk for _, _, brought in some)
        bands.append(minhash.bands_of([minhash.text_of(turns) for _, turns, _ in some]))
    told: dict[str, Any] = {"compared": len(ids), "with_others": with_others, "prompts": 0, "groups": 0}
    if len(ids) < 2:
        return told | {"shown": []}
    media = _media_of(data_import.project_id)
    numbers = np.concatenate(bands)
    for row, pk in enumerate(ids):
        if pk in media:  # the same words about other media are another prompt
            numbers[row] ^= np.uint64(hash(media[pk]) & (2**64 - 1))
    pairs = (
        (ids[a], ids[b])
        for a, b in minhash.candidates(numbers)
        if (mine[a] or mine[b]) and media.get(ids[a]) == media.get(ids[b])
    )
    like = _checked(pairs)
    groups = minhash.groups(like)
    told["groups"] = len(groups)
    told["prompts"] = prompts.filter(own, pk__in=[pk for group in groups for pk in group]).count()
    return told | {"shown": [_shown(group) for group in groups[:GROUPS_SHOWN]]}


def _batches(chosen: Any) -> Any:
    some: list[tuple[int, Any, int | None]] = []
    for one in chosen.order_by("pk").values_list("pk", "turns", "data_import").iterator(chunk_size=_AT_ONCE):
        some.append(one)
        if len(some) == _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _media_of(project_id: int) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    rows = PromptAsset.objects.filter(prompt__project_id=project_id).order_by("prompt_id", "position")
    for prompt, asset in rows.values_list("prompt_id", "asset_id").iterator(chunk_size=_AT_ONCE):
        found[prompt] = (*found.get(prompt, ()), asset)
    return found


def _checked(pairs: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    like = []
    while some := list(islice(pairs, _AT_ONCE)):
        wanted = {pk for pair in some for pk in pair}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, turns FROM annotate_prompt WHERE id = ANY (%s::bigint[])",
                [array_of_numbers(wanted)],
            )
            texts = {pk: minhash.turns_text(turns) for pk, turns in cursor}
        like += [(a, b) for a, b in some if minhash.resemblance(texts[a], texts[b]) >= minhash.LIKE]
    return like


def _shown(group: list[int]) -> dict[str, Any]:
    """A group as the report shows it: some of its prompts, each with the pair that it came with."""
    prompts = dict(Prompt.objects.filter(pk__in=group[:MEMBERS_SHOWN]).values_list("pk", "turns"))
    named: dict[int, tuple[str, str]] = {}
    for prompt, source, external_id in (
        Pair.objects.filter(prompt_id__in=prompts)
        .order_by("-pk")
        .values_list("prompt_id", "source", "external_id")
    ):
        named[prompt] = (source, external_id)
    return {
        "count": len(group),
        "prompts": [
            {
                "source": named.get(pk, ("", ""))[0],
                "id": named.get(pk, ("", ""))[1],
                "text": minhash.text_of(turns)[:_EXCERPT],
            }
            for pk, turns in sorted(prompts.items())
        ],
    }
