"""RewardBench 1 and 2.

RewardBench 1 (dataset card of allenai/reward-bench): prompt, chosen, chosen_model, rejected, rejected_model,
subset, id. RewardBench 2 (card of allenai/reward-bench-2): chosen and rejected are lists of texts, one against three
or, in Ties, several against many; models names those of chosen and then of rejected. Each chosen one is paired with
each rejected one. An id counts within its subset.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from annotate.imports import checks
from annotate.imports.record import PairRow, Place, RowError, Side
from annotate.imports.schemas import preference
from annotate.imports.schemas.context import Context
from annotate.imports.schemas.published import content_name, in_secret_order, kept, overall

COLUMNS = {"prompt", "chosen", "rejected", "subset"}
MAX_ANSWERS = 64  # of one row, either way
_KEPT = ("subset", "num_correct", "num_incorrect", "num_rejected", "additional_metadata")


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], Sequence[PairRow]]:
    def read(row: Mapping[str, Any], place: Place) -> Sequence[PairRow]:
        turns = preference.messages(row.get("prompt"), "prompt", "user")
        if not any(text.strip() for _, text in turns):
            raise RowError("prompt", "is empty: fill it in.")
        chosen, rejected = _answers(row, "chosen"), _answers(row, "rejected")
        models = _models(row, len(chosen), len(rejected))
        name = _name(row, turns, chosen, rejected)
        several = isinstance(row.get("chosen"), list)
        metadata = kept(row, _KEPT)
        pairs = []
        for i, good in enumerate(chosen):
            for j, bad in enumerate(rejected):
                first, second, better = in_secret_order(
                    context, Side(good, model=models[i]), Side(bad, model=models[len(chosen) + j])
                )
                pairs.append(
                    PairRow(
                        place=place,
                        source=context.source or context.stem,
                        external_id=f"{name}/{i + 1}-{j + 1}" if several else name,
                        task_type=context.pair_task_type,
                        turns=tuple(turns),
                        media=(),
                        response1=first,
                        response2=second,
                        criteria=overall(context, better, own=row.get("criterion")),
                        metadata=metadata,
                    )
                )
        return pairs

    return read


def _answers(row: Mapping[str, Any], column: str) -> list[str]:
    value = row.get(column)
    if isinstance(value, str):
        return [checks.text(value, column)]
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ANSWERS:
        raise RowError(column, f"must be a text or a list of 1 to {MAX_ANSWERS} texts.")
    return [checks.text(one, f"{column}[{number}]") for number, one in enumerate(value)]


def _models(row: Mapping[str, Any], chosen: int, rejected: int) -> list[str]:
    """Names of the models of the chosen and then of the rejected ones; empty where the row does not say."""
    listed = row.get("models")
    if isinstance(listed, list) and len(listed) == chosen + rejected:
        return [checks.name(one or "", f"models[{n}]", empty=True) for n, one in enumerate(listed)]
    names = []
    for column, count in (("chosen_model", chosen), ("rejected_model", rejected)):
        names += [checks.name(row.get(column) or "", column, empty=True)] * count
    return names


def _name(row: Mapping[str, Any], turns: Any, chosen: list[str], rejected: list[str]) -> str:
    if row.get("id") is None:
        return content_name(turns, chosen, rejected)
    subset = checks.name(row.get("subset") or "", "subset", empty=True)
    given = checks.name(row["id"], "id")
    return f"{subset}/{given}" if subset else given
