"""HPD v2 and rows like it: a prompt, the images made of it, and which of them people preferred.

image_path (two or more), prompt, and human_preference (1 for the preferred one, 0 for the other) or, of more than
two images, rank (1 the best), as the loaders of tgxs002/HPSv2 read them (hpsv2/src/training/data.py). Every two images
of a row become a pair. The order is the published one, which is the order in which people saw them.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from annotate.imports import checks
from annotate.imports.record import PairRow, Place, RowError, Side
from annotate.imports.schemas.context import Context
from annotate.imports.schemas.published import content_name, media_key, medium, overall
from annotate.models import Modality, TaskType

MAX_IMAGES = 16


def recognises(columns: set[str]) -> bool:
    return columns >= {"image_path", "prompt"} and bool(columns & {"human_preference", "rank"})


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], Sequence[PairRow]]:
    def read(row: Mapping[str, Any], place: Place) -> Sequence[PairRow]:
        prompt = checks.text(row.get("prompt"), "prompt", empty=False)
        paths = row.get("image_path")
        if not isinstance(paths, list) or not 2 <= len(paths) <= MAX_IMAGES:
            raise RowError("image_path", f"must be a list of 2 to {MAX_IMAGES} images.")
        images = [medium(one, f"image_path[{n}]", Modality.IMAGE) for n, one in enumerate(paths)]
        scores = _scores(row, len(images))
        given = row.get("id")
        name = (
            content_name(prompt, [media_key(image) for image in images])
            if given is None
            else checks.name(given, "id")
        )
        pairs = []
        for i, j in combinations(range(len(images)), 2):
            verdict = (
                "tie" if scores[i] == scores[j] else "response1" if scores[i] > scores[j] else "response2"
            )
            pairs.append(
                PairRow(
                    place=place,
                    source=context.source or context.stem,
                    external_id=name if len(images) == 2 else f"{name}/{i + 1}-{j + 1}",
                    task_type=context.task_type or TaskType.TEXT_TO_IMAGE,
                    turns=(("user", prompt),),
                    media=(),
                    response1=Side(media=images[i]),
                    response2=Side(media=images[j]),
                    criteria=overall(context, verdict, own=row.get("criterion")),
                )
            )
        return pairs

    return read


def _scores(row: Mapping[str, Any], count: int) -> list[float]:
    """How good each image was found: the greater, the better."""
    ranked = row.get("rank") is not None
    column = "rank" if ranked else "human_preference"
    value = row.get(column)
    if not isinstance(value, list) or len(value) != count:
        raise RowError(column, f"must be a list of {count} numbers, one of each image.")
    if any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in value):
        raise RowError(column, "must hold numbers alone.")
    return [-one for one in value] if ranked else value
