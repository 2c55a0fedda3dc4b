"""Reads of the learning loop: what is new since a revision, what the sampler may choose from, how it stands."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, F, Q, Sum
from django.utils import timezone
from numpy.typing import NDArray

from annotate.asked import asked_of_many
from annotate.leaks import HELD, NO_LEAK
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
_FREE = "(SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id) < c.k"
OPEN = f"{asked_of_many('c')} AND {_FREE}"
# After HELD: what the sampler may choose. What would be learned from the pair is not what the reserve tests; chance alone
# may ask about the others.
_POOL = f"{IN_POOL} AND {OPEN} AND {NO_LEAK}"
# From so many undrawn pairs on the pool is read by hashes of whole tables: the planner takes it for far smaller.
_MANY = 20_000


def newest_revision(project: Project, backends: Collection[str] = ()) -> Revision | None:
    """The last one that can be used, of any backend or of these, scored or not."""
    ready = Revision.objects.filter(project=project, state=RevisionState.READY)
    ready = ready.filter(backend__in=backends) if backends else ready
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


def training_jobs(revisions: Collection[Revision]) -> dict[int, int]:
    """By revision the job that has trained it, where that is still there."""
    wanted = {one.pk for one in revisions}
    jobs = Job.objects.filter(
        project__in={one.project_id for one in revisions}, kind=JobKind.TRAIN, spec__revision__in=list(wanted)
    )
    return {job.spec["revision"]: job.pk for job in jobs}


def keeps_features(project: Project) -> Revision | None:
    """The newest that has scored the pool and kept features of what it saw: a small head may learn from them."""
    kept = Revision.objects.filter(project=project, state=RevisionState.READY, scored_at__isnull=False)
    return kept.exclude(features="").order_by("-number").first()


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


@dataclass(frozen=True)
class Pairs:
    """Rows that lie together by pair: what is said of each pair's rows."""

    starts: NDArray[np.intp]  # of each pair its first row
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, pair: NDArray[np.integer]) -> "Pairs":
        starts = np.flatnonzero(np.diff(pair, prepend=-1))
        return cls(starts, np.diff(starts, append=len(pair)))

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.add.reduceat(values, self.starts) if len(self.starts) else np.zeros(0)

    def any(self, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of each row: does it hold of one of its pair's?"""
        found = np.logical_or.reduceat(holds, self.starts) if len(self.starts) else holds
        return np.repeat(found, self.sizes)

    def most(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Of each row: is it one of its pair's largest?"""
        if not len(self.starts):
            return np.zeros(0, dtype=bool)
        largest = np.maximum.reduceat(values, self.starts)
        is_it: NDArray[np.bool_] = values == np.repeat(largest, self.sizes)
        return is_it

    def first(self, holds: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Of each pair its first row of which it holds; of one at least it does."""
        places = np.where(holds, np.arange(len(holds)), len(holds))
        return np.minimum.reduceat(places, self.starts) if len(self.starts) else places


# Verdicts of a criterion, of train pairs, from which on it counts as known.
KNOWN = 3


@dataclass(frozen=True)
class Pool:
    """The pairs that the sampler may choose, as one snapshot saw them, in the order of ids.

    Lists have an entry for each pair; `comparisons` a row for each open comparison of these pairs, in the order of
    pairs, as COMPARISON says. A pair's criterion is that of the most telling one, or one that is not known yet. Pairs with
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

    def by_criterion(self) -> dict[str, tuple[int, float]]:
        """Of each criterion, by its id, how many comparisons there are, and the sum of their nats."""
        ids, place = np.unique(self.comparisons["criterion"], return_inverse=True)
        counts, nats = np.bincount(place), np.bincount(place, self.comparisons["bald"])
        return {str(pk): (int(n), float(sum_)) for pk, n, sum_ in zip(ids, counts, nats, strict=True)}

    @property
    def nats(self) -> list[float]:
        """Of each pair, what a look at all its open comparisons would tell the model."""
        nats: list[float] = Pairs.of(self.comparisons["pair"]).sums(self.comparisons["bald"]).tolist()
        return nats


_OPEN_COLUMNS = {
    "pair": (">i8", "int8send(p.id)"),
    "comparison": (">i8", "int8send(c.id)"),
    "criterion": (">i8", "int8send(c.criterion_id)"),
    "task": (">i2", "int2send((array_position(%(tasks)s::text[], p.task_type::text) - 1)::int2)"),
    "group": (">i8", 'int8send(p."group")'),
    # Verdicts that there are already: imported ones, or of a comparison that wants several.
    "response1": (">i4", "int4send(COALESCE(i.response1, 0))"),
    "response2": (">i4", "int4send(COALESCE(i.response2, 0))"),
    "tie": (">i4", "int4send(COALESCE(i.tie, 0))"),
}
_SCORE_COLUMNS = {
    "comparison": (">i8", "int8send(s.comparison_id)"),
    "margin": (">f8", "float8send(s.margin)"),
    "p_tie": (">f8", "float8send(s.p_tie)"),
    "bald": (">f8", "float8send(s.bald)"),
    "in_cell": (">i2", "int2send((s.cell IS NOT NULL)::int::int2)"),
    "cell": (">i8", "int8send(COALESCE(s.cell, 0))"),
}
# A row of the pool: what is open, and what a model says of it.
COMPARISON = np.dtype(
    [(name, "i8") for name in ("pair", "comparison", "criterion", "task", "cell")]
    + [(name, "f8") for name in ("margin", "p_tie", "bald")]
    + [(name, "i4") for name in ("response1", "response2", "tie")]
)


@dataclass(frozen=True)
class Says:
    """What a model says of n comparisons, arrays of shape (n,); numbers count only where it is `known`."""

    known: NDArray[np.bool_]
    margin: NDArray[np.float64]
    p_tie: NDArray[np.float64]
    bald: NDArray[np.float64]
    cell: NDArray[np.int64]
    in_cell: NDArray[np.bool_]  # it tells what is nearly the same

    @classmethod
    def nothing(cls, count: int) -> "Says":
        return cls(
            known=np.zeros(count, dtype=bool),
            margin=np.zeros(count),
            p_tie=np.zeros(count),
            bald=np.zeros(count),
            cell=np.zeros(count, dtype=np.int64),
            in_cell=np.zeros(count, dtype=bool),
        )


# Asked about comparisons under criteria, both as ids.
Say = Callable[[NDArray[np.int64], NDArray[np.int64]], Says]


def stored(revision: Revision) -> Say:
    """What stands in the scores of a revision."""

    def say(comparisons: NDArray[np.int64], criteria: NDArray[np.int64]) -> Says:
        rows = packed(
            """
            {packed} FROM annotate_score s JOIN annotate_comparison c ON c.id = s.comparison_id
            JOIN annotate_pair p ON p.id = c.pair_id AND p.partition = 'train' AND NOT p.queued
            WHERE s.revision_id = %(revision)s GROUP BY s.comparison_id %% {parts}
            """,
            {"revision": revision.pk},
            _SCORE_COLUMNS,
        )
        rows = rows[np.argsort(rows["comparison"])]
        place = np.searchsorted(rows["comparison"], comparisons)
        known = place < len(rows)
        known[known] = rows["comparison"][place[known]] == comparisons[known]
        said = Says.nothing(len(comparisons))
        for name in ("margin", "p_tie", "bald", "cell", "in_cell"):
            getattr(said, name)[known] = rows[name][place[known]]
        said.known[:] = known
        return said

    return say


def freeze_pool(revision: Revision, says: Callable[[Revision], Say] = stored, *, others: bool = True) -> Pool:
    """The pool by what a revision says, and with `others` what the newest of each further backend does.

    What is drawn meanwhile makes `drawn` too small, and what is chosen refused.
    """
    drawn, rows = open_comparisons(revision.project_id)
    said = says(revision)(rows["comparison"], rows["criterion"])
    for name in ("margin", "p_tie", "bald"):
        rows[name] = getattr(said, name)
    rows["cell"] = np.where(said.in_cell, said.cell, rows["cell"])
    unscored = np.unique(rows["pair"][~said.known])
    if len(unscored):
        rows = rows[~np.isin(rows["pair"], unscored)]
    unknown = _unknown_criteria(revision.project_id, np.unique(rows["criterion"]).tolist())
    beside = []
    for other in _newest_of_others(revision) if others else ():
        told = says(other)(rows["comparison"], rows["criterion"])
        beside.append((np.where(told.known, told.margin, np.nan), np.where(told.known, told.p_tie, np.nan)))
    return pool_of(
        rows, unknown, drawn=drawn, revision=revision.number, unscored=len(unscored), others=tuple(beside)
    )


def open_comparisons(project_id: int) -> tuple[int, NDArray[np.void]]:
    """How many train pairs were drawn, then what the sampler may choose from: rows of COMPARISON in the order of (pair,
    comparison), of which no model has said anything yet; each cell is the pair's prompt group."""
    names: dict[str, Any] = {"project": project_id, "tasks": TaskType.values}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT queued, total FROM annotate_stream WHERE project_id = %(project)s AND partition = 'train'",
            names,
        )
        drawn, total = cursor.fetchone() or (0, 0)
    found = packed(
        f"""
        WITH {HELD} {{packed}}
        FROM annotate_pair p JOIN annotate_comparison c ON c.pair_id = p.id
        LEFT JOIN annotate_reviewitem i ON i.comparison_id = c.id
        WHERE {IN_POOL} AND {NO_LEAK} AND {asked_of_many("c")}
            -- Nobody holds a seat on what was never drawn: seats are counted where verdicts were imported.
            AND (i.comparison_id IS NULL OR {_FREE})
        GROUP BY p.id %% {{parts}}
        """,
        names,
        _OPEN_COLUMNS,
        hashed=total - drawn > _MANY,
    )
    rows = np.zeros(len(found), dtype=COMPARISON)
    order = np.lexsort((found["comparison"].astype("i8"), found["pair"].astype("i8")))
    for name in ("pair", "comparison", "criterion", "task", "response1", "response2", "tie"):
        rows[name] = found[name][order]
    rows["cell"] = found["group"][order]
    return drawn, rows


def pool_of(
    rows: NDArray[np.void],
    unknown: frozenset[int],
    *,
    drawn: int,
    revision: int,
    unscored: int = 0,
    others: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...] = (),
) -> Pool:
    """The pool of these comparisons: rows of COMPARISON in the order of pairs, all scored."""
    pairs = Pairs.of(rows["pair"])
    # Of each pair an unknown criterion, else the most telling, else the oldest.
    unheard = np.isin(rows["criterion"], list(unknown))
    leads = unheard | ~pairs.any(unheard)
    leads &= pairs.most(np.where(leads, rows["bald"], -np.inf))
    lead = np.flatnonzero(pairs.most(np.where(leads, -rows["criterion"].astype(np.float64), -np.inf)))
    return Pool(
        drawn=drawn,
        revision=revision,
        pair_ids=rows["pair"][lead].tolist(),
        task_types=np.array(TaskType.values, dtype=object)[rows["task"][lead]].tolist(),
        criterion_ids=rows["criterion"][lead].tolist(),
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


def drawn_unscored(revision: Revision) -> list[tuple[int, int, int]]:
    """The comparisons of train pairs drawn by chance since a revision had scored the pool of which it has no score: their
    ids, those of their pairs and of their criteria, in the order of pairs."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.id, c.pair_id, c.criterion_id
            FROM annotate_draw d JOIN annotate_pair p ON p.id = d.pair_id AND p.partition = 'train'
            JOIN annotate_comparison c ON c.pair_id = p.id AND {visible("c")}
            WHERE d.project_id = %s AND d.q IS NOT NULL AND d.created_at > %s
              AND NOT EXISTS (SELECT FROM annotate_score s WHERE s.revision_id = %s AND s.comparison_id = c.id)
            ORDER BY c.pair_id, c.criterion_id
            """,
            [revision.project_id, revision.scored_at, revision.pk],
        )
        return cursor.fetchall()


def _newest_of_others(revision: Revision) -> list[Revision]:
    scored = Revision.objects.filter(
        project=revision.project_id, state=RevisionState.READY, scored_at__isnull=False
    ).exclude(backend=revision.backend)
    return list(scored.order_by("backend", "-number").distinct("backend"))


def pool_by_criterion(project: Project, revision: Revision | None) -> list[dict[str, Any]]:
    """For each criterion its open comparisons of undrawn train pairs, how many of them the revision has scored, or ranked
    last, and the sum of their nats."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {HELD}
            SELECT t.id, t.text, count(*), count(s.bald), sum(s.bald)
            FROM annotate_pair p JOIN annotate_comparison c ON c.pair_id = p.id
            JOIN annotate_criterion t ON t.id = c.criterion_id
            LEFT JOIN annotate_score s ON s.comparison_id = c.id AND s.revision_id = %(revision)s
            WHERE {_POOL}
            GROUP BY t.id, t.text ORDER BY count(*) DESC, t.id
            """,
            {"project": project.pk, "revision": revision.pk if revision and not revision.ranks else None},
        )
        found = cursor.fetchall()
    ranked: dict[str, tuple[int, float]] = (revision.pool or {}) if revision and revision.ranks else {}
    rows = []
    for pk, text, count, scored, nats in found:
        if str(pk) in ranked:  # of which some may have been drawn since
            then, nats = ranked[str(pk)]
            scored = min(then, count)
            nats *= scored / then
        rows.append({"criterion": text, "open": count, "scored": scored, "nats": nats})
    return rows


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
