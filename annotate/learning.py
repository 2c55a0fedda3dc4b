"""Reads of the learning loop: what is new since a revision, what the sampler may choose from, how it stands."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from annotate.asked import asked_of_many
from annotate.leaks import KEPT_FROM
from annotate.models import UNFINISHED, Draw, Job, JobKind, JobState, Project, Revision, RevisionState
from annotate.tallies import FOR_LABELS
from annotate.visible import visible, wanted

# Of pair p: it may be chosen. What was drawn, waits for its media or is kept for testing may not.
IN_POOL = f"""p.project_id = %(project)s AND p.partition = 'train' AND NOT p.queued AND p.ready
    AND {visible("p")}"""
# Of comparison c: it still wants a judgment.
OPEN = f"""{wanted("c")} AND {asked_of_many("c")}
    AND (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id) < c.k"""
# Of pair p: what would be learned from it is not what the reserve tests. Chance alone may ask about the others.
NO_LEAK = "p.id NOT IN (SELECT id FROM kept_from)"


def newest_revision(project: Project) -> Revision | None:
    """The last one that can be used, scored or not."""
    ready = Revision.objects.filter(project=project, state=RevisionState.READY)
    return ready.order_by("-number").first()


def sampling_revision(project: Project) -> Revision | None:
    """The one whose scores the sampler goes by: the last that has scored the open pool."""
    scored = Revision.objects.filter(project=project, state=RevisionState.READY, scored_at__isnull=False)
    return scored.order_by("-number").first()


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
class Pool:
    """The pairs that the sampler may choose, as one snapshot saw them: parallel lists, in the order of ids.

    A pair's acquisition is the sum of its open comparisons' mutual information; its criterion that of the most
    telling one. Pairs with an open comparison that has no score yet are not in it, but counted.
    """

    drawn: int  # of the train partition when it was looked at: as long as it is the same, so is the pool
    pair_ids: list[int]
    acquisition: list[float]
    task_types: list[str]
    criterion_ids: list[int]
    unscored: int

    def __len__(self) -> int:
        return len(self.pair_ids)


def freeze_pool(revision: Revision) -> Pool:
    """The pool by the scores of a revision, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {KEPT_FROM}, open AS (
                SELECT p.id, p.task_type, c.criterion_id, s.bald
                FROM annotate_pair p JOIN annotate_comparison c ON c.pair_id = p.id
                LEFT JOIN annotate_score s ON s.comparison_id = c.id AND s.revision_id = %(revision)s
                WHERE {IN_POOL} AND {OPEN} AND {NO_LEAK}
            ), pool AS (
                SELECT id, task_type, sum(bald) AS acquisition, bool_and(bald IS NOT NULL) AS scored,
                       (array_agg(criterion_id ORDER BY bald DESC, criterion_id))[1] AS criterion_id
                FROM open GROUP BY id, task_type
            )
            SELECT (SELECT queued FROM annotate_stream
                    WHERE project_id = %(project)s AND partition = 'train'),
                   array_agg(id ORDER BY id) FILTER (WHERE scored),
                   array_agg(acquisition ORDER BY id) FILTER (WHERE scored),
                   array_agg(task_type ORDER BY id) FILTER (WHERE scored),
                   array_agg(criterion_id ORDER BY id) FILTER (WHERE scored),
                   count(*) FILTER (WHERE NOT scored)
            FROM pool
            """,
            {"project": revision.project_id, "revision": revision.pk},
        )
        drawn, ids, acquisition, task_types, criteria, unscored = cursor.fetchone()
    return Pool(drawn or 0, ids or [], acquisition or [], task_types or [], criteria or [], unscored)


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
    job: Job | None  # of the loop, at work or waiting for a worker
    failed: Job | None  # the loop's last one, if it failed


def lag_of(project: Project) -> Lag:
    revision = newest_revision(project)
    jobs = Job.objects.filter(project=project, kind__in=(JobKind.TRAIN, JobKind.SCORE)).order_by("-pk")
    last = jobs.first()
    return Lag(
        seconds=(timezone.now() - revision.read_at).total_seconds() if revision else None,
        judgments=new_judgments(project, revision.read_at if revision else None),
        job=jobs.filter(state__in=UNFINISHED).first(),
        failed=last if last and last.state == JobState.FAILED else None,
    )
