"""Every judged comparison with its label and where that comes from; beside it how people's verdicts are distributed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from annotate.exports.chosen import Case, Chosen
from annotate.exports.columns import copied
from annotate.exports.named import NAMED
from annotate.exports.parquet import write_tables
from annotate.exports.records import Part
from annotate.stats.labels import USABLE

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("pair", pa.string()),
        ("task_type", pa.string()),
        ("partition", pa.string()),
        ("criterion", pa.string()),
        ("label", pa.string()),
        ("origin", pa.string()),
        ("writer", pa.string()),
        ("reviewers", pa.int16()),
        ("settled", pa.string()),
        ("label_of_people", pa.string()),
        ("response1", pa.int16()),
        ("response2", pa.int16()),
        ("tie", pa.int16()),
        ("cannot_tell", pa.int16()),
        ("not_applicable", pa.int16()),
        ("media_broken", pa.int16()),
    ]
)
_BATCH = 5000  # comparisons
_ROWS_A_GROUP = 20_000

# As the query gives them; the rest was decided before.
_READ = {
    "number": pa.int64(),
    **{name: pa.string() for name in ("id", "source", "pair", "criterion", "writer")},
}
_LABELS = f"""
SELECT c.id, {NAMED}, p.source, p.external_id, t.text, NULLIF(c.writer, '')
FROM annotate_frozencomparison c
JOIN annotate_pair p ON p.id = c.pair_id
JOIN annotate_criterion t ON t.id = c.criterion_id
WHERE c.id = ANY (%(numbers)s)
ORDER BY c.id
"""


def _told(case: Case) -> dict[str, Any]:
    """What the columns say that many comparisons have in common."""
    return {
        "task_type": case.task_type,
        "partition": case.partition,
        "label": case.label if case.label in USABLE else None,
        "origin": case.origin,
        "reviewers": case.reviewers,
        "settled": case.settled or None,
        "label_of_people": case.people if case.people in USABLE else None,
        **dict(zip(SCHEMA.names[12:], (*case.tally, *case.aside), strict=True)),
    }


def _tables(chosen: Chosen, part: Part, tell: Callable[[int], None]) -> Iterator[pa.Table]:
    begin, end = np.searchsorted(chosen.number, (part.first, part.last + 1))
    told = (chosen.judgments > 0) | chosen.where(lambda case: bool(case.settled or case.written))
    at = begin + np.flatnonzero(told[begin:end])
    common = pa.Table.from_pylist([_told(case) for case in chosen.cases])
    for start in range(0, len(at), _BATCH):
        some = at[start : start + _BATCH]
        read = copied(_LABELS, {"numbers": chosen.number[some].tolist()}, _READ)
        of_case = common.take(pa.array(chosen.case[some]))
        columns = {
            one.name: column
            for table in (read, of_case)
            for one, column in zip(table.schema, table.columns, strict=True)
        }
        yield pa.table([columns[name].cast(SCHEMA.field(name).type) for name in SCHEMA.names], schema=SCHEMA)
        tell(len(some))


def write_labels(path: Path, chosen: Chosen, part: Part, tell: Callable[[int], None]) -> None:
    """One row for each comparison that somebody judged or settled or whose criterion a model wrote, also for those that are
    in no other file.

    `label` is empty where there is none. `origin` says whether it is people's, was settled by `reviewers` of them, or is that
    of the model that wrote the criterion, `writer`; what was settled and what people's verdicts alone come to stand beside
    it whatever the recipe makes of them, and the counts are those of the counted verdicts, untouched.
    """
    write_tables(path, SCHEMA, _tables(chosen, part, tell), _ROWS_A_GROUP)
