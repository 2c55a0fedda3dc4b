"""A project's counted verdicts as arrays: what statistics are made of."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from annotate.asked import asked_of_many
from annotate.models import Project, TaskType
from annotate.packing import packed
from annotate.stats.estimates import Ints
from annotate.tallies import STANDINGS

# Preferences in the order of the scale: response 1 much, clearly, slightly, tie, response 2 slightly, clearly, much.
# Where the scale has no strength, or an import told none, a preference is a clear one.
LEVELS = 7
# The place of each level among stats.labels.USABLE: response 1, response 2, tie.
USABLE_OF_LEVEL = np.array([0, 0, 0, 2, 1, 1, 1])
NO_OPINION = -1  # cannot tell, not applicable, media broken

_FIRST_DAY = date(1970, 1, 1)

# Of each column: its type in the packed row, and the expression that packs it.
_COLUMNS = {
    "pair": (">i8", "int8send(pair_id)"),
    "criterion": (">i8", "int8send(criterion_id)"),
    "annotator": (">i8", "int8send(annotator_id)"),
    "task": (">i2", "int2send(array_position(%(tasks)s::text[], task_type::text)::int2 - 1::int2)"),
    "level": (
        ">i2",
        """int2send((CASE verdict WHEN 'response1' THEN 3 - COALESCE(strength, 2) WHEN 'tie' THEN 3
                                  WHEN 'response2' THEN 3 + COALESCE(strength, 2) ELSE -1 END)::int2)""",
    ),
    "unsure": (">i2", "int2send((verdict = 'cannot_tell')::int::int2)"),
    # How the responses stood: 0 response 1 left, 1 response 2 left, -1 nobody knows (imported).
    "flip": (">i2", "int2send(COALESCE(flip::int, -1)::int2)"),
    "day": (">i4", "int4send((created_at AT TIME ZONE 'UTC')::date - '1970-01-01'::date)"),
    "seconds": (">f4", "float4send(COALESCE(seconds, 'NaN')::float4)"),
}
_PAIR_COLUMNS = {
    "pair": (">i8", "int8send(p.id)"),
    "model1": (">i4", "int4send(COALESCE(m1.n, -1)::int4)"),
    "model2": (">i4", "int4send(COALESCE(m2.n, -1)::int4)"),
}

_PAIRS = """
    WITH names AS (
        SELECT model_name, (row_number() OVER (ORDER BY model_name) - 1)::int4 AS n
        FROM (SELECT DISTINCT model_name FROM annotate_response WHERE project_id = %(project)s AND model_name <> '')
    )
    {packed} FROM annotate_pair p
    JOIN annotate_response r1 ON r1.id = p.response1_id LEFT JOIN names m1 ON m1.model_name = r1.model_name
    JOIN annotate_response r2 ON r2.id = p.response2_id LEFT JOIN names m2 ON m2.model_name = r2.model_name
    WHERE p.project_id = %(project)s GROUP BY p.id %% {parts}
"""
_NAMES = (
    "SELECT DISTINCT model_name FROM annotate_response WHERE project_id = %s AND model_name <> '' ORDER BY 1"
)


@dataclass(frozen=True)
class Verdicts:
    """Verdicts that count, one a row; a unit is a pair under a canonical criterion."""

    pair: Ints
    criterion: Ints
    annotator: Ints
    task: Ints  # place in TaskType.values
    level: Ints  # 0 to 6, or NO_OPINION
    unsure: NDArray[np.bool_]  # of those without an opinion: cannot tell
    flip: Ints
    day: Ints  # since 1970
    seconds: NDArray[np.float64]  # NaN: not told

    def __len__(self) -> int:
        return len(self.pair)

    def where(self, rows: NDArray[np.bool_]) -> "Verdicts":
        return Verdicts(**{name: column[rows] for name, column in vars(self).items()})


def read_verdicts(project: Project) -> Verdicts:
    """As they stand now, in one snapshot."""
    query = f"""
        WITH {STANDINGS} {{packed}} FROM standings WHERE standing = 'counted'
        GROUP BY pair_id %% {{parts}}
    """
    rows = packed(query, {"project": project.pk, "sources": None, "tasks": TaskType.values}, _COLUMNS)
    kinds = {"seconds": np.float64, "unsure": np.bool_}
    return Verdicts(**{name: rows[name].astype(kinds.get(name, np.int64)) for name in _COLUMNS})


@dataclass(frozen=True)
class PairModels:
    """Whose responses a project's pairs compare: places in `names`, -1 where a response names no model."""

    pair: Ints  # in order
    model1: Ints
    model2: Ints
    names: list[str]

    def of(self, pairs: Ints) -> tuple[Ints, Ints]:
        place = np.searchsorted(self.pair, pairs)
        return self.model1[place], self.model2[place]


def read_pair_models(project: Project) -> PairModels:
    rows = packed(_PAIRS, {"project": project.pk}, _PAIR_COLUMNS)
    rows = rows[np.argsort(rows["pair"])]
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [project.pk])
        names = [name for (name,) in cursor.fetchall()]
    model1, model2 = rows["model1"].astype(np.int64), rows["model2"].astype(np.int64)
    return PairModels(rows["pair"].astype(np.int64), model1, model2, names)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far a task type of a project is. A comparison is full when all its places are judged."""

    task_type: str
    comparisons: int
    labels: int  # places in all
    judged: int  # places that are judged
    begun: int  # comparisons with a judgment
    full: int


def read_wanted(project: Project) -> list[Wanted]:
    """By task type; comparisons of merged criteria are counted one by one, as they are asked.

    Of those that are asked no more, or of nobody else, what was judged is all that is wanted.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {STANDINGS}, judged AS (
                SELECT s.comparison_id, count(*) AS n FROM annotate_seat s WHERE s.head_id IS NOT NULL
                GROUP BY s.comparison_id
            ), held AS MATERIALIZED (
                SELECT u.task_type, j.n, CASE WHEN {asked_of_many("c")}
                                           THEN c.k ELSE COALESCE(j.n, 0) END AS k
                FROM units u JOIN annotate_comparison c ON c.id = u.comparison_id
                LEFT JOIN judged j ON j.comparison_id = u.comparison_id
            )
            SELECT task_type, count(*), sum(k), COALESCE(sum(n), 0), count(n), count(*) FILTER (WHERE n >= k)
            FROM held GROUP BY task_type ORDER BY task_type
            """,
            {"project": project.pk, "sources": None},
        )
        return [Wanted(task, *map(int, counts)) for task, *counts in cursor.fetchall()]


def read_used(project: Project) -> dict[int, int]:
    """Of each criterion that a pair is judged by, or is to be, how many are; merged ones as their canonical one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {STANDINGS} SELECT criterion_id, count(DISTINCT pair_id) FROM units GROUP BY criterion_id",
            {"project": project.pk, "sources": None},
        )
        return dict(cursor.fetchall())


def day_of(number: int) -> date:
    return _FIRST_DAY + timedelta(days=number)
