"""VL-RewardBench (dataset card of MMInstruction/VL-RewardBench): an image, a query, two responses and their ranks.

id, query, response (two texts), image, human_ranking (the rank of each response, 0 the better one), models,
query_source. Ranks that are equal are a tie. Responses keep the published order. image_path and ranking are taken for image
and human_ranking.
"""

from collections.abc import Callable, Mapping
from typing import Any

from annotate.imports import checks
from annotate.imports.record import PairRow, Place, RowError, Side
from annotate.imports.schemas.context import Context
from annotate.imports.schemas.published import content_name, kept, medium, overall, two
from annotate.models import Modality, TaskType

COLUMNS = {"query", "response", "human_ranking", "image"}


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], PairRow]:
    def read(row: Mapping[str, Any], place: Place) -> PairRow:
        query = checks.text(row.get("query"), "query", empty=False)
        texts = [
            checks.text(one, f"response[{n}]") for n, one in enumerate(two(row.get("response"), "response"))
        ]
        models = row.get("models")
        names = two(models, "models") if models else ["", ""]
        given = row.get("id")
        return PairRow(
            place=place,
            source=context.source or context.stem,
            external_id=content_name(query, texts) if given is None else checks.name(given, "id"),
            task_type=context.task_type or TaskType.TEXT_IMAGE_TO_TEXT,
            turns=(("user", query),),
            media=(medium(row.get("image") or row.get("image_path"), "image", Modality.IMAGE),),
            response1=Side(texts[0], model=checks.name(names[0] or "", "models[0]", empty=True)),
            response2=Side(texts[1], model=checks.name(names[1] or "", "models[1]", empty=True)),
            criteria=overall(context, _verdict(row.get("human_ranking", row.get("ranking")))),
            metadata=kept(row, ("query_source",)),
        )

    return read


def _verdict(ranking: Any) -> str:
    ranks = two(ranking, "human_ranking")
    if any(isinstance(rank, bool) or not isinstance(rank, (int, float)) for rank in ranks):
        raise RowError("human_ranking", f"is {ranks!r:.60}; must be two numbers, the smaller the better.")
    if ranks[0] == ranks[1]:
        return "tie"
    return "response1" if ranks[0] < ranks[1] else "response2"
