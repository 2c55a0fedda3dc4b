"""The learning loop's writes: what is to be trained and scored, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.jobs import Lease, create_job, send, unfinished_job
from annotate.models import Job, JobKind, Project, Revision, RevisionState, User

# So many of the newest revisions that scored the pool are kept: each has a file of some MB, and as many scores as the
# pool is large.
REVISIONS_KEPT = 3


@transaction.atomic
def start_training(
    *,
    by: User | None,
    project: Project,
    backend: str = "builtin",
    settings: dict[str, Any] | None = None,
    send_it: bool = True,
) -> Job:
    """A job that trains a reward model on the judgments as they stand when it begins, then scores the open pool.

    `settings` are the backend's own. While one is unfinished, it is that one: a project has one at a time.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, project)
    if unfinished := unfinished_job(project, JobKind.TRAIN):
        return unfinished
    asked = {"settings": settings} if settings else {}
    job = create_job(by=by, project=project, kind=JobKind.TRAIN, backend=backend, **asked)
    if send_it:
        send(job)
    return job


@transaction.atomic
def start_scoring(
    *, by: User | None, revision: Revision, everything: bool = False, send_it: bool = True
) -> Job:
    """A job that scores by this revision the project's open pool, or with `everything` each comparison of it.

    While one of the same is unfinished, it is that one. With `everything` the revision stays when newer ones come.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, revision.project)
    asked = {"revision": revision.pk, "everything": everything}
    if unfinished := unfinished_job(revision.project, JobKind.SCORE, **asked):
        return unfinished
    if everything:
        Revision.objects.filter(pk=revision.pk, state=RevisionState.READY).update(kept=True)
    job = create_job(by=by, project=revision.project, kind=JobKind.SCORE, backend=revision.backend, **asked)
    if send_it:
        send(job)
    return job


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How a model does on decided labels that it did not see: shares, and 95 % intervals.

    `gain` is its accuracy less that of the model blind to criteria, label by label.
    """

    count: int
    accuracy: float
    low: float
    high: float
    blind: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True, slots=True)
class Artefact:
    """A model's file in storage, and what tells it from any other."""

    key: str
    sha256: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Learned:
    """What a model was trained on, and how it did."""

    judgments: int
    comparisons: int
    read_at: datetime
    newest_judgment: UUID
    held_out: HeldOut | None
    seconds: float


@transaction.atomic
def add_revision(*, lease: Lease, backend: str, artefact: Artefact, learned: Learned) -> Revision:
    """The next revision of the project of a training job; its file is no longer the job's to clear away."""
    project = Project.objects.select_for_update(no_key=True).get(pk=lease.job.project_id)
    last = Revision.objects.filter(project=project).order_by("-number").first()
    tested = learned.held_out
    revision = Revision.objects.create(
        project=project,
        number=last.number + 1 if last else 1,
        backend=backend,
        artefact=artefact.key,
        artefact_sha256=artefact.sha256,
        artefact_size=artefact.size,
        read_at=learned.read_at,
        newest_judgment=learned.newest_judgment,
        judgments=learned.judgments,
        comparisons=learned.comparisons,
        held_out=tested.count if tested else 0,
        accuracy=tested.accuracy if tested else None,
        accuracy_low=tested.low if tested else None,
        accuracy_high=tested.high if tested else None,
        blind_accuracy=tested.blind if tested else None,
        gain=tested.gain if tested else None,
        gain_low=tested.gain_low if tested else None,
        gain_high=tested.gain_high if tested else None,
        seconds=learned.seconds,
    )
    audit.record(lease.job.by, "add revision", revision, project, judgments=learned.judgments)
    lease.beat(
        place={"folder": "", "revision": revision.pk},
        step=f"revision {revision.number} from {learned.judgments:,} judgments",
        finishing=True,
    )
    return revision


@transaction.atomic
def mark_broken(revision: Revision, problem: str) -> None:
    """Its file cannot be used: nobody samples or scores by it any more."""
    changed = Revision.objects.filter(pk=revision.pk, state=RevisionState.READY).update(
        state=RevisionState.BROKEN, problem=problem
    )
    if changed:
        audit.record(None, "revision is broken", revision, revision.project, problem=problem)


def _array(numbers: Sequence[float]) -> str:
    """As PostgreSQL reads an array: element by element psycopg takes longer than scoring does."""
    return f"{{{','.join(map(repr, numbers))}}}"


def add_scores(
    revision: Revision,
    comparisons: list[int],
    margins: list[float],
    p_ties: list[float],
    variances: list[float],
    balds: list[float],
    cells: list[int] | None = None,
) -> int:
    """Write scores by this revision of comparisons without one, given in parallel; returns how many were new.

    `cells` where the model tells what is nearly the same."""
    columns: tuple[Sequence[float], ...] = (comparisons, margins, p_ties, variances, balds, cells or [])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotate_score (revision_id, comparison_id, margin, p_tie, variance, bald, cell)
            SELECT %s, given.* FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::float8[],
                                           %s::bigint[]) AS given
            ON CONFLICT DO NOTHING
            """,
            [revision.pk, *map(_array, columns)],
        )
        return cursor.rowcount


@transaction.atomic
def finish_scoring(revision: Revision) -> None:
    """The open pool is scored: the sampler goes by this revision. Long past ones are dropped, their scores go at once.

    Their files go after that is committed: `forget_artefact`.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=revision.project_id)
    revisions = Revision.objects.filter(project=project)
    ready = revisions.filter(state=RevisionState.READY)
    ready.filter(pk=revision.pk).update(scored_at=timezone.now())
    scored = ready.filter(scored_at__isnull=False).order_by("-number").values_list("number", flat=True)
    newest = list(scored[:REVISIONS_KEPT])
    if len(newest) < REVISIONS_KEPT:
        return
    past = revisions.filter(kept=False, number__lt=newest[-1])
    past.update(state=RevisionState.DROPPED, scored_at=None)
    with connection.cursor() as cursor:
        gone = list(past.values_list("pk", flat=True))
        cursor.execute("DELETE FROM annotate_score WHERE revision_id = ANY (%s)", [gone])


def forget_artefact(revision: Revision) -> None:
    """The file of a dropped revision has been removed."""
    Revision.objects.filter(pk=revision.pk, state=RevisionState.DROPPED).update(artefact=None)
