"""Reads of the learning loop: what is new since a revision, what the sampler may choose from, how it stands."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, F, Q, Sum
from django.utils import timezone
from numpy.typing import NDArray

from annotate.asked import asked_of_many
from annotate.leaks import KEPT_FROM
from annotate.models import (
    UNFINISHED,
    Draw,
    Job,
    JobKind,
    JobState,
    Project,
    Rationale,
    Revision,
    RevisionState,
    TaskType,
)
from annotate.packing import packed
from annotate.tallies import FOR_LABELS
from annotate.visible import visible

# Of pair p: it may be chosen. What was drawn, waits for its media or is kept for testing may not.
IN_POOL = f"""p.project_id = %(project)s AND p.partition = 'train' AND NOT p.queued AND p.ready
    AND {visible("p")}"""
# Of comparison c: it still wants a judgment.
OPEN = f"""{asked_of_many("c")}
    AND (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id) < c.k"""
# Of pair p: what would be learned from it is not what the reserve tests. Chance alone may ask about the others.
NO_LEAK = "p.id NOT IN (SELECT id FROM kept_from)"


def newest_revision(project: Project, backend: str = "") -> Revision | None:
    """The last one that can be used, of any backend or of this one, scored or not."""
    ready = Revision.objects.filter(project=project, state=RevisionState.READY)
    ready = ready.filter(backend=backend) if backend else ready
    return ready.order_by("-number").first()


def current_revision(project: Project) -> Revision | None:
    """The one that was promoted last, scored or not. One that cannot be used gives way to the one before."""
    promoted = Revision.objects.filter(project=project, state=RevisionState.READY, promoted_at__isnull=False)
    return promoted.order_by("-promoted_at", "-number").first()


def sampling_revision(project: Project) -> Revision | None:
    """The one whose scores the sampler goes by: the last promoted that has scored the open pool.

    While the current one is still scoring it is the one before: what is asked next never waits for scores.
    """
    scored = Revision.objects.filter(
        project=project, state=RevisionState.READY, promoted_at__isnull=False, scored_at__isnull=False
    )
    return scored.order_by("-promoted_at", "-number").first()


def new_judgments(project: Project, since: datetime | None) -> int:
    """Judgments of train pairs that came after `since`: made here, or brought by an import that ended later."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT (SELECT count(*) FROM annotate_judgment j
                    JOIN annotate_comparison c ON c.id = j.comparison_id
                    JOIN annotate_pair p ON p.id = c.pair_id
                    WHERE j.created_at > %(since)s AND j.data_import_id IS NULL
                      AND p.project_id = %(project)s AND p.partition = 'train' AND {FOR_LABELS})
                 + (SELECT COALESCE(sum(i.judgments_new), 0) FROM annotate_dataimport i
                    JOIN annotate_job b ON b.id = i.job_id
                    WHERE i.project_id = %(project)s AND i.visible AND b.ended_at > %(since)s)
            """,
            {"project": project.pk, "since": since or datetime(1, 1, 1, tzinfo=UTC)},
        )
        count: int = cursor.fetchone()[0]
    return count


# Verdicts of a criterion, of train pairs, from which on it counts as known.
KNOWN = 3


@dataclass(frozen=True)
class Pool:
    """The pairs that the sampler may choose, as one snapshot saw them, in the order of ids.

    Lists have an entry for each pair; `comparisons` a row for each open comparison of these pairs, in the order of
    pairs, as COLUMNS say. A pair's criterion is that of the most telling one, or one that is not known yet. Pairs with
    an open comparison that has no score yet are not in it, but counted.
    """

    drawn: int  # of the train partition when it was looked at: as long as it is the same, so is the pool
    revision: int  # number of the one whose scores these are
    pair_ids: list[int]
    task_types: list[str]
    criterion_ids: list[int]
    comparisons: NDArray[np.void]
    unknown: frozenset[int]  # criteria
    unscored: int
    # What further models say, the newest revision of each: margin and p_tie of each comparison, NaN where not scored.
    others: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...] = ()

    def __len__(self) -> int:
        return len(self.pair_ids)

    @property
    def nats(self) -> list[float]:
        """Of each pair, what a look at all its open comparisons would tell the model."""
        if not len(self):
            return []
        starts = np.flatnonzero(np.diff(self.comparisons["pair"], prepend=-1))
        return [float(nats) for nats in np.add.reduceat(self.comparisons["bald"].astype(float), starts)]


COLUMNS = {
    "pair": (">i8", "int8send(p.id)"),
    "comparison": (">i8", "int8send(c.id)"),
    "criterion": (">i8", "int8send(c.criterion_id)"),
    "task": (">i2", "int2send((array_position(%(tasks)s::text[], p.task_type::text) - 1)::int2)"),
    "scored": (">i2", "int2send((s.bald IS NOT NULL)::int::int2)"),
    "margin": (">f8", "float8send(COALESCE(s.margin, 0))"),
    "p_tie": (">f8", "float8send(COALESCE(s.p_tie, 0))"),
    "bald": (">f8", "float8send(COALESCE(s.bald, 0))"),
    "cell": (">i8", "int8send(COALESCE(s.cell, p.group))"),
    # Verdicts that there are already: imported ones, or of a comparison that wants several.
    "response1": (">i4", "int4send(COALESCE(i.response1, 0))"),
    "response2": (">i4", "int4send(COALESCE(i.response2, 0))"),
    "tie": (">i4", "int4send(COALESCE(i.tie, 0))"),
}


def freeze_pool(revision: Revision) -> Pool:
    """The pool by the scores of a revision. What is drawn meanwhile makes `drawn` too small, and what is chosen refused."""
    names: dict[str, Any] = {
        "project": revision.project_id,
        "revision": revision.pk,
        "tasks": TaskType.values,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queued FROM annotate_stream WHERE project_id = %(project)s AND partition = 'train'", names
        )
        drawn = (cursor.fetchone() or [0])[0]
    rows = packed(
        f"""
        WITH {KEPT_FROM} {{packed}}
        FROM annotate_pair p JOIN annotate_comparison c ON c.pair_id = p.id
        LEFT JOIN annotate_score s ON s.comparison_id = c.id AND s.revision_id = %(revision)s
        LEFT JOIN annotate_reviewitem i ON i.comparison_id = c.id
        WHERE {IN_POOL} AND {OPEN} AND {NO_LEAK} GROUP BY p.id %% {{parts}}
        """,
        names,
        COLUMNS,
    )
    rows = rows[np.lexsort((rows["comparison"], rows["pair"]))]
    unscored = np.unique(rows["pair"][rows["scored"] == 0])
    rows = rows[~np.isin(rows["pair"], unscored)]
    unknown = _unknown_criteria(revision.project_id, np.unique(rows["criterion"]).tolist())
    others = _others(revision, rows["comparison"].astype(np.int64))
    return pool_of(
        rows, unknown, drawn=drawn, revision=revision.number, unscored=len(unscored), others=others
    )


def pool_of(
    rows: NDArray[np.void],
    unknown: frozenset[int],
    *,
    drawn: int,
    revision: int,
    unscored: int = 0,
    others: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...] = (),
) -> Pool:
    """The pool of these comparisons: rows of COLUMNS in the order of pairs, all scored."""
    # Of each pair the first row in this order: an unknown criterion, else the most telling, else the oldest.
    known = ~np.isin(rows["criterion"], list(unknown))
    best = np.lexsort((rows["criterion"], -rows["bald"].astype(float), known, rows["pair"]))
    pairs, first = np.unique(rows["pair"][best], return_index=True)
    lead = rows[best[first]]
    return Pool(
        drawn=drawn,
        revision=revision,
        pair_ids=pairs.tolist(),
        task_types=[TaskType.values[place] for place in lead["task"].tolist()],
        criterion_ids=lead["criterion"].tolist(),
        comparisons=rows,
        unknown=unknown,
        unscored=unscored,
        others=others,
    )


def _unknown_criteria(project_id: int, criteria: list[int]) -> frozenset[int]:
    """Those of which fewer than KNOWN verdicts on train pairs count. No more are looked for than that."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.id FROM unnest(%s::bigint[]) AS t (id)
            WHERE (SELECT count(*) FROM (
                SELECT FROM annotate_seat s JOIN annotate_comparison c ON c.id = s.comparison_id
                JOIN annotate_pair p ON p.id = c.pair_id AND p.partition = 'train' AND p.project_id = %s
                WHERE c.criterion_id = t.id AND s.head_id IS NOT NULL LIMIT %s)) < %s
            """,
            [criteria, project_id, KNOWN, KNOWN],
        )
        return frozenset(row[0] for row in cursor.fetchall())


def _others(
    revision: Revision, comparisons: NDArray[np.int64]
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
    scored = Revision.objects.filter(
        project=revision.project_id, state=RevisionState.READY, scored_at__isnull=False
    ).exclude(backend=revision.backend)
    newest = scored.order_by("backend", "-number").distinct("backend")
    found = []
    for other in newest:
        rows = packed(
            """
            {packed} FROM annotate_score s JOIN annotate_comparison c ON c.id = s.comparison_id
            JOIN annotate_pair p ON p.id = c.pair_id AND p.partition = 'train' AND NOT p.queued
            WHERE s.revision_id = %(revision)s GROUP BY s.comparison_id %% {parts}
            """,
            {"revision": other.pk},
            {
                "comparison": (">i8", "int8send(s.comparison_id)"),
                "margin": (">f8", "float8send(s.margin)"),
                "p_tie": (">f8", "float8send(s.p_tie)"),
            },
        )
        rows = rows[np.argsort(rows["comparison"])]
        place = np.searchsorted(rows["comparison"], comparisons)
        there = place < len(rows)
        there[there] = rows["comparison"][place[there]] == comparisons[there]
        columns = []
        for name in ("margin", "p_tie"):
            column = np.full(len(comparisons), np.nan)
            column[there] = rows[name][place[there]]
            columns.append(column)
        found.append((columns[0], columns[1]))
    return tuple(found)


def pool_by_criterion(project: Project, revision: Revision | None) -> list[dict[str, Any]]:
    """For each criterion its open comparisons of undrawn train pairs, and how many of them the revision scored."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {KEPT_FROM}
            SELECT t.text, count(*), count(s.bald), sum(s.bald)
            FROM annotate_pair p JOIN annotate_comparison c ON c.pair_id = p.id
            JOIN annotate_criterion t ON t.id = c.criterion_id
            LEFT JOIN annotate_score s ON s.comparison_id = c.id AND s.revision_id = %(revision)s
            WHERE {IN_POOL} AND {OPEN} AND {NO_LEAK}
            GROUP BY t.id, t.text ORDER BY count(*) DESC, t.id
            """,
            {"project": project.pk, "revision": revision.pk if revision else None},
        )
        return [
            {"criterion": text, "open": count, "scored": scored, "nats": nats}
            for text, count, scored, nats in cursor.fetchall()
        ]


def in_words(revisions: Collection[Revision]) -> dict[int, dict[str, Any]]:
    """Of those that are asked in words: of how many comparisons, in which share of those answered in both orders they said
    the same, the replies that took, and what they cost (None where the specification has no prices)."""
    both = Q(forward__isnull=False, backward__isnull=False)
    rows = (
        Rationale.objects.filter(revision__in=revisions)
        .values("revision")
        .annotate(
            count=Count("comparison"),
            both=Count("comparison", filter=both),
            same=Count("comparison", filter=both & Q(forward=F("backward"))),
            replies=Sum("replies"),
            cost=Sum("cost"),
        )
    )
    return {
        row["revision"]: row | {"consistent": row["same"] / row["both"] if row["both"] else None}
        for row in rows
    }


def last_epochs(project: Project, count: int = 10) -> list[dict[str, Any]]:
    """The newest epochs: when, how many draws by each route, the range of q and the pool they were drawn from."""
    newest = Draw.objects.filter(project=project).order_by("-pk").values_list("epoch", flat=True).first() or 0
    with connection.cursor() as cursor:
        # Epochs are numbered in the order of ids: the index is walked from its end.
        cursor.execute(
            """
            WITH tail AS MATERIALIZED (
                SELECT * FROM annotate_draw WHERE project_id = %s ORDER BY id DESC LIMIT 5000
            )
            SELECT epoch, min(created_at), count(*), min(q), max(q), max(pool_size),
                   count(*) FILTER (WHERE route = 'policy'), count(*) FILTER (WHERE route = 'uniform'),
                   count(*) FILTER (WHERE route = 'reserve'),
                   count(*) FILTER (WHERE route IN ('authored', 'reopened'))
            FROM tail WHERE epoch > %s GROUP BY epoch ORDER BY epoch DESC
            """,
            [project.pk, newest - count],
        )
        names = ("epoch", "at", "draws", "q_low", "q_high", "pool", "policy", "uniform", "reserve", "again")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Lag:
    """How far the loop is behind: since the labels of the last revision were read. None: there is none yet."""

    seconds: float | None
    judgments: int
    jobs: list[Job]  # of the model, at work or waiting for a worker, the oldest first
    failed: Job | None  # the last one, if it failed


def lag_of(project: Project) -> Lag:
    revision = newest_revision(project)
    kinds = (JobKind.TRAIN, JobKind.SCORE, JobKind.COMPARE)
    jobs = Job.objects.filter(project=project, kind__in=kinds).order_by("-pk")
    last = jobs.first()
    return Lag(
        seconds=(timezone.now() - revision.read_at).total_seconds() if revision else None,
        judgments=new_judgments(project, revision.read_at if revision else None),
        jobs=list(jobs.filter(state__in=UNFINISHED).order_by("pk")),
        failed=last if last and last.state == JobState.FAILED else None,
    )
