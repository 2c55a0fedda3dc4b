"""Multimodal RewardBench (README of facebookresearch/multimodal_rewardbench): data/all_data.json.

Text (the prompt), Image (a path below data/), Output1, Output2, and Better, which is "Output1" or "Output2"; ID and
what else a row tells, as its Category. Responses keep the published order.
"""

from collections.abc import Callable, Mapping
from typing import Any

from annotate.imports import checks
from annotate.imports.record import PairRow, Place, RowError, Side
from annotate.imports.schemas.context import Context
from annotate.imports.schemas.published import content_name, kept, medium, overall
from annotate.models import Modality, TaskType

COLUMNS = {"Text", "Output1", "Output2", "Better"}
_VERDICTS = {"Output1": "response1", "Output2": "response2"}


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], PairRow]:
    def read(row: Mapping[str, Any], place: Place) -> PairRow:
        text = checks.text(row.get("Text"), "Text")
        sides = [checks.text(row.get(f"Output{n}"), f"Output{n}") for n in (1, 2)]
        image, better, given = row.get("Image"), row.get("Better"), row.get("ID")
        if not isinstance(better, str) or better not in _VERDICTS:
            raise RowError("Better", f"is {better!r:.60}; must be Output1 or Output2.")
        if not image and not text.strip():
            raise RowError("Text", "is empty: fill it in.")
        kind = TaskType.TEXT_IMAGE_TO_TEXT if image else TaskType.TEXT_TO_TEXT
        return PairRow(
            place=place,
            source=context.source or context.stem,
            external_id=content_name(text, sides) if given is None else checks.name(given, "ID"),
            task_type=context.task_type or kind,
            turns=(("user", text),),
            media=(medium(image, "Image", Modality.IMAGE),) if image else (),
            response1=Side(sides[0]),
            response2=Side(sides[1]),
            criteria=overall(context, _VERDICTS[better]),
            metadata=kept(row, ("Category",)),
        )

    return read
