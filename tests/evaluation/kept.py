"""Results as manage.py eval_bench writes them, made by the same code from answers of the test's own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from annotate.imports.record import PairRow, Place, Side
from workers.evaluation.answers import Answer, Answers, Said
from workers.evaluation.benches import BenchRow
from workers.evaluation.measures import measure
from workers.evaluation.results import FORMAT
from workers.reward_models.base import Without

DIGEST = "ab" * 32


def results(
    judge: str = "a judge",
    *,
    rights: Mapping[str, float] | None = None,
    unsupported: str = "",
    bench: str = "bench",
    digest: str = DIGEST,
    day: int = 1,
    revision: str = "",
) -> dict[str, Any]:
    """Results on twenty rows of each task: `rights`, of each task the share that the judge is right about."""
    rows, answers = [], []
    for task, right in (rights or {"text_to_text": 0.8, "text_to_image": 0.6}).items():
        for n in range(20):
            label = (1, -1, 1, 0)[n % 4]
            pair = PairRow(Place(0, n), "", f"{n}", task, (("user", "?"),), (), Side("x"), Side("y"))
            rows.append(BenchRow(f"{task}/{n}", task, f"{task}/{n // 2}", pair, "c", label, "f"))
            said = Said(label if n < 20 * right else (1 if label == 0 else -label))
            answers.append(
                Answer((Said(without=Without.UNSUPPORTED, detail="not seen"),))
                if task == unsupported
                else Answer((said,))
            )
    found = measure(rows, Answers("verdicts", judge, {}, answers)).results
    told = {"title": judge, "kind": "verdicts", "revision": revision}
    at = datetime(2026, 11, day, 12, tzinfo=UTC).isoformat()
    return {
        "format": FORMAT,
        "at": at,
        "bench": {"name": bench, "digest": digest, "rows": len(rows)},
        "judge": told,
    } | found
