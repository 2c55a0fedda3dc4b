"""The learning loop's writes: what is to be trained and scored, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from annotate import audit, specifications
from annotate.access import Deed, Denied, require
from annotate.actions.jobs import ON_GPU, Lease, Refused, create_job, send, unfinished_job
from annotate.actions.projects import change_project
from annotate.learning import current_revision, keeps_features
from annotate.models import (
    Job,
    JobKind,
    Project,
    Promotion,
    Rationale,
    Revision,
    RevisionState,
    RevisionTest,
    User,
)
from annotate.promotion import ruling

# So many of the newest revisions of a backend are kept: each has a file of some MB, and as many scores as the pool is
# large. And so many of those promoted last: the current one, and the one to roll back to.
REVISIONS_KEPT = 3
PROMOTED_KEPT = 2


@transaction.atomic
def start_training(
    *,
    by: User | None,
    project: Project,
    backend: str = "builtin",
    settings: dict[str, Any] | None = None,
    send_it: bool = True,
) -> Job:
    """A job that trains a reward model on the judgments as they stand when it begins. What comes of it is current at
    once, or held against the current one (`take_up`).

    `settings` are the backend's own. While one of this backend is unfinished, it is that one: a project has one at a
    time of each, so that the embedded model goes on learning while a large one trains.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: the unfinished one trains by other settings.
    """
    require(by, Deed.MANAGE, project)
    if unfinished := unfinished_job(project, JobKind.TRAIN, backend=backend):
        if unfinished.spec.get("settings") != settings:
            raise Refused(
                f"{unfinished} is unfinished, and trains {backend} otherwise: let it end or cancel it first."
            )
        return unfinished
    asked = {"settings": settings} if settings else {}
    job = create_job(by=by, project=project, kind=JobKind.TRAIN, backend=backend, **asked)
    if send_it:
        send(job)
    return job


def start_specified_training(*, by: User | None, project: Project, name: str = "", text: str = "") -> Job:
    """Train by a specification: by `name`, of those that this installation offers, or as `text`.

    Raises:
        Denied: somebody who is no superuser gave their own: it names folders, servers and variables with keys.
        Refused: it cannot be used, or another training of this backend is unfinished.
    """
    require(by, Deed.MANAGE, project)
    if text.strip() and by is not None and not by.is_superuser:
        raise Denied(
            "A specification of one's own names folders and servers: for that one must be a superuser."
        )
    found = specifications.parsed(text) if text.strip() else specifications.named(name)
    return start_training(by=by, project=project, backend=found.backend, settings=found.settings or None)


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


@transaction.atomic
def start_comparison(*, by: User | None, candidate: Revision, against: Revision, send_it: bool = True) -> Job:
    """A job that holds a revision against another on the reserve. While the same is unfinished, it is that one.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: they are one, or one of them cannot be used.
    """
    require(by, Deed.MANAGE, candidate.project)
    if candidate.pk == against.pk or candidate.project_id != against.project_id:
        raise Refused(f"{candidate} and {against} are no two revisions of one project.")
    for one in (candidate, against):
        _require_ready(one)
    asked = {"candidate": candidate.pk, "against": against.pk}
    if unfinished := unfinished_job(candidate.project, JobKind.COMPARE, **asked):
        return unfinished
    # Whichever needs a GPU says where both are asked.
    backend = against.backend if against.backend in ON_GPU else candidate.backend
    job = create_job(by=by, project=candidate.project, kind=JobKind.COMPARE, backend=backend, **asked)
    if send_it:
        send(job)
    return job


def _require_ready(revision: Revision) -> None:
    if revision.state != RevisionState.READY:
        problem = revision.problem or "its file and scores were dropped when newer ones had come"
        raise Refused(f"{revision} cannot be used: {problem}")


@transaction.atomic
def promote(
    *, by: User | None, revision: Revision, hold: bool = False, why: str = "", send_it: bool = True
) -> Job | None:
    """Make a revision the current one: a newer one, or an earlier one to roll back to. None if it is already.

    The job that is returned scores what stands in the queue, then the open pool; until it is done people are asked what
    the one before says. `hold`: from now on nothing takes over by itself.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: it cannot be used any more.
    """
    require(by, Deed.MANAGE, revision.project)
    project = Project.objects.select_for_update(no_key=True).get(pk=revision.project_id)
    if hold:
        change_project(by=by, project=project, promotion=Promotion.NEVER)
    revision.refresh_from_db()
    _require_ready(revision)
    before = current_revision(project)
    if before == revision:
        return None
    revision.promoted_at = timezone.now()
    revision.save(update_fields=["promoted_at"])
    back = before is not None and revision.number < before.number
    told = {"before": before.number if before else None} | ({"why": why} if why else {})
    audit.record(by, "roll back to revision" if back else "promote revision", revision, project, **told)
    return start_scoring(by=by, revision=revision, send_it=send_it)


def take_up(revision: Revision) -> None:
    """What follows on training: the current one scores the pool, another is held against it.

    One at a time: while a comparison waits for its worker, revisions that come meanwhile are not compared by themselves.
    """
    current = current_revision(revision.project)
    if current == revision:
        start_scoring(by=None, revision=revision)
    elif current and not unfinished_job(revision.project, JobKind.COMPARE):
        start_comparison(by=None, candidate=revision, against=current)


@transaction.atomic
def finish_comparison(
    *, lease: Lease, candidate: Revision, against: Revision, read_at: datetime, content: dict[str, Any]
) -> RevisionTest:
    """Keep what came of it, and promote the candidate where the project's rule says so.

    Somebody who has promoted another revision meanwhile has decided: then no rule does.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=candidate.project_id)
    said = ruling(project.promotion, project.promotion_labels, content)
    takes_over = (
        said.takes_over and current_revision(project) == against and candidate.number > against.number
    )
    test, _ = RevisionTest.objects.update_or_create(
        candidate=candidate,
        against=against,
        defaults={"read_at": read_at, "content": content | {"takes_over": takes_over, "why": said.why}},
    )
    if takes_over:
        promote(by=None, revision=candidate, why=said.why)
    _drop_past(project)
    lease.beat(step=f"{candidate} against {against}", finishing=True)
    return test


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
    """A model's file in storage, and what tells it from any other.

    `ranks`: it ranks the open pool by features. `features`: the version of those that it keeps of what it scores.
    """

    key: str
    sha256: bytes
    size: int
    ranks: bool = False
    features: str = ""


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
    """The next revision of the project of a training job; its file is no longer the job's to clear away.

    It is current where there is none yet or the rule asks for no test, unless a button alone promotes.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=lease.job.project_id)
    last = Revision.objects.filter(project=project).order_by("-number").first()
    tested = learned.held_out
    current = current_revision(project)
    # A head over what the current model keeps is that model, gone on learning.
    goes_on = current is not None and (
        current.backend == backend or (backend == "cached" and current.features != "")
    )
    at_once = current is None or (project.promotion == Promotion.ALWAYS and goes_on)
    revision = Revision.objects.create(
        project=project,
        number=last.number + 1 if last else 1,
        backend=backend,
        artefact=artefact.key,
        artefact_sha256=artefact.sha256,
        artefact_size=artefact.size,
        ranks=artefact.ranks,
        features=artefact.features,
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
        settings=lease.job.spec.get("settings") or {},
        promoted_at=timezone.now() if at_once and project.promotion != Promotion.NEVER else None,
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


def add_rationales(rationales: Sequence[Rationale]) -> None:
    """Keep what a judge said of comparisons, once each."""
    Rationale.objects.bulk_create(rationales, ignore_conflicts=True)


@transaction.atomic
def finish_scoring(revision: Revision, ranked: dict[str, tuple[int, float]] | None = None) -> None:
    """The open pool is scored: where it is the current one, the sampler goes by this revision. Long past ones are dropped,
    their scores go at once.

    `ranked`, of one that ranks: by criterion how many comparisons, and the sum of their nats.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=revision.project_id)
    ready = Revision.objects.filter(project=project, state=RevisionState.READY)
    ready.filter(pk=revision.pk).update(scored_at=timezone.now(), pool=ranked)
    _drop_past(project)


def _drop_past(project: Project) -> None:
    revisions = Revision.objects.filter(project=project)
    ready = revisions.filter(state=RevisionState.READY)
    promoted = ready.filter(promoted_at__isnull=False).order_by("-promoted_at", "-number")
    kept = list(promoted.values_list("pk", flat=True)[:PROMOTED_KEPT])
    gone: list[int] = []
    for backend in ready.order_by("backend").values_list("backend", flat=True).distinct():
        numbers = ready.filter(backend=backend).order_by("-number").values_list("number", flat=True)
        newest = list(numbers[:REVISIONS_KEPT])
        if len(newest) == REVISIONS_KEPT:
            past = revisions.filter(backend=backend, kept=False, number__lt=newest[-1]).exclude(pk__in=kept)
            gone += past.values_list("pk", flat=True)
    if learned_from := keeps_features(project):
        gone = [pk for pk in gone if pk != learned_from.pk]
    Revision.objects.filter(pk__in=gone).update(state=RevisionState.DROPPED, scored_at=None)
    with connection.cursor() as cursor:
        for table in ("annotate_score", "annotate_rationale"):
            cursor.execute(f"DELETE FROM {table} WHERE revision_id = ANY (%s)", [gone])


def forget_artefact(revision: Revision) -> None:
    """The file of a dropped revision has been removed."""
    Revision.objects.filter(pk=revision.pk, state=RevisionState.DROPPED).update(artefact=None)
