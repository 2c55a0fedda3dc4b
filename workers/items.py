"""Rows as reward models see them: a pair under a criterion, with its texts and the renditions of its media."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, cast

from django.core.files.storage import default_storage
from django.db import connection

from annotate.models import Asset, Criterion, Derivative
from workers.reward_models.base import Compared, MediumRef, Side

# By a list of ids as one value: Django would write thousands of them into its statement, one by one.
_PAIRS = """
    SELECT p.id, p.task_type, t.turns, r1.text, r1.asset_id, r2.text, r2.asset_id,
           ARRAY(SELECT m.asset_id FROM annotate_promptasset m WHERE m.prompt_id = p.prompt_id ORDER BY m.position)
    FROM annotate_pair p JOIN annotate_prompt t ON t.id = p.prompt_id
    JOIN annotate_response r1 ON r1.id = p.response1_id JOIN annotate_response r2 ON r2.id = p.response2_id
    WHERE p.id = ANY (%s)
"""


def compared(units: Sequence[tuple[int, int]]) -> list[Compared]:
    """The items of (pair, criterion) ids, in their order. A handful of statements, however many there are."""
    pairs = without_criterion({pair for pair, _ in units})
    texts = dict(
        Criterion.objects.filter(pk__in={criterion for _, criterion in units}).values_list("pk", "text")
    )
    return [replace(pairs[pair], criterion=texts[criterion]) for pair, criterion in units]


def without_criterion(pair_ids: Iterable[int]) -> dict[int, Compared]:
    """Pairs as they are shown, by no criterion yet."""
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, [list(pair_ids)])
        pairs = {row[0]: row[1:] for row in cursor.fetchall()}
    media = _media(
        {asset for row in pairs.values() for asset in (row[3], row[5], *row[6]) if asset is not None}
    )
    return {
        pair: Compared(
            prompt_text=said(json.loads(turns)),
            criterion="",
            first=Side(text1, media.get(asset1)),
            second=Side(text2, media.get(asset2)),
            task_type=task_type,
            prompt_media=tuple(media[asset] for asset in asked),
        )
        for pair, (task_type, turns, text1, asset1, text2, asset2, asked) in pairs.items()
    }


def said(turns: list[dict[str, Any]]) -> str:
    return "\n\n".join(turn["text"] for turn in turns)


def _media(assets: Iterable[int]) -> Mapping[int | None, MediumRef]:
    """Renditions only: what was uploaded is opened in the sandbox and nowhere else."""
    wanted = list(assets)
    keys: dict[int, dict[str, str]] = {}
    for asset, kind, key in Derivative.objects.filter(asset__in=wanted).values_list(
        "asset_id", "kind", "key"
    ):
        keys.setdefault(asset, {})[kind] = key
    return {
        pk: MediumRef(
            bytes(sha256), modality, {kind: partial(_open, key) for kind, key in keys.get(pk, {}).items()}
        )
        for pk, sha256, modality in Asset.objects.filter(pk__in=wanted).values_list(
            "pk", "sha256", "modality"
        )
    }


def _open(key: str) -> BinaryIO:
    return cast(BinaryIO, default_storage.open(key))
