"""Projects: made, set up, opened, paused and closed."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from annotate import audit
from annotate.access import Deed, Denied, require
from annotate.actions.jobs import Lease, create_job, send
from annotate.actions.queue import open_pairs
from annotate.actions.review import start_refresh
from annotate.models import (
    Comparison,
    Job,
    JobKind,
    Pair,
    Partition,
    Project,
    ProjectState,
    Route,
    User,
)

# Whatever else a project has is fixed when it is made (salt, keys) or has an action of its own (state).
SETTINGS = frozenset(
    {
        "name",
        "guidelines",
        "task_type",
        "scale",
        "split_ties",
        "authoring",
        "tags",
        "viewing",
        "viewing_share",
        "viewing_turned",
        "authored_k",
        "authored_most",
        "authored_length",
        "authored_sharing",
        "authored_guidance",
        "k",
        "reserve_k",
        "reserve_share",
        "validation_share",
        "reserve_claim_share",
        "sampling",
        "policy",
        "promotion",
        "promotion_labels",
        "refit_judgments",
        "refit_seconds",
        "uniform_share",
        "lease_minutes",
        "claims_in_hand",
        "offline_most",
        "most_share",
        "most_a_day",
        "pay_per_verdict",
        "pay_per_hour",
        "currency",
        "crowd_open",
        "crowd_pairs",
        "crowd_code",
        "crowd_out_code",
        "withdrawal",
        "unlink_days",
        "forget_days",
        "review_majority",
        "review_against",
        "k_more",
        "k_most",
        "k_more_reserve",
        "repeat_share",
        "repeat_after",
        "gold_share",
        "attention_share",
        "qualify",
        "quiz_share",
        "quiz_attempts",
        "quiz_wait",
    }
)
_BATCH = 500  # pairs that nobody can claim or judge meanwhile: some tenths of a second


def _require_settings(names: set[str]) -> None:
    if unknown := names - SETTINGS:
        raise ValidationError(
            f"{', '.join(sorted(unknown))}: no setting that can be given. Choose from {sorted(SETTINGS)}."
        )


@transaction.atomic
def create_project(*, by: User | None, slug: str, name: str, demo: bool = False, **settings: Any) -> Project:
    """A new project, open for work once something is imported. Superusers alone may make one.

    `demo`: made by code to be looked at. It stays one; it is shown as one, and it alone may be erased.

    Raises:
        Denied: `by` is no superuser.
        ValidationError: the slug is taken, or a setting is out of its range.
    """
    if by is not None and not by.is_superuser:
        raise Denied("To make projects, one must be a superuser.")
    _require_settings(set(settings))
    project = Project(slug=slug, name=name, demo=demo, **settings)
    project.full_clean()
    project.save()
    audit.record(by, "create project", project, project, slug=slug)
    return project


@transaction.atomic
def change_project(*, by: User | None, project: Project, **settings: Any) -> Project:
    """Change settings from now on. What was judged, drawn or imported before stays as it is.

    Raises:
        ValidationError: a setting is unknown or out of its range.
    """
    require(by, Deed.MANAGE, project)
    _require_settings(set(settings))
    locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    changed = {
        name: [getattr(locked, name), value]
        for name, value in settings.items()
        if getattr(locked, name) != value
    }
    if changed:
        for name, (_, value) in changed.items():
            setattr(locked, name, value)
        locked.full_clean()
        locked.save(update_fields=list(changed))
        audit.record(by, "change project", locked, locked, changed=changed)
        if {"review_majority", "review_against"} & changed.keys():
            start_refresh(by=by, project=locked)
    return locked


def pause_project(*, by: User | None, project: Project) -> bool:
    """No new claims; what is in hand may still be submitted. False if it was paused already."""
    return _set_state(by, project, ProjectState.PAUSED, "pause project")


def open_project(*, by: User | None, project: Project) -> bool:
    """Let annotators claim. False if it was open already."""
    return _set_state(by, project, ProjectState.OPEN, "open project")


def close_project(*, by: User | None, project: Project) -> bool:
    """The effort is over: as paused, and shown as such. False if it was closed already."""
    return _set_state(by, project, ProjectState.CLOSED, "close project")


@transaction.atomic
def _set_state(by: User | None, project: Project, state: ProjectState, deed: str) -> bool:
    require(by, Deed.MANAGE, project)
    closed_at = timezone.now() if state == ProjectState.CLOSED else None
    others = Project.objects.filter(pk=project.pk).exclude(state=state)
    changed = others.update(state=state, closed_at=closed_at)
    if changed:
        project.state, project.closed_at = state, closed_at
        audit.record(by, deed, project, project)
    return bool(changed)


@transaction.atomic
def raise_k(*, by: User | None, project: Project, k: int, partition: Partition | None = None) -> Job:
    """Want at least `k` labels of every comparison, but those on criteria that annotators wrote.

    What is missing is asked for again. Returns the job that does it.

    Raises:
        ValidationError: k is not within 1..9. (Labels are never taken away: what wants more stays as it is.)
    """
    require(by, Deed.MANAGE, project)
    if not 1 <= k <= 9:
        raise ValidationError({"k": "Give a number from 1 to 9."})
    job = create_job(by=by, project=project, kind=JobKind.RAISE_K, k=k, partition=partition)
    send(job)
    return job


def run_raise_k(lease: Lease) -> None:
    """Work through the pairs in the order of their ids; each batch commits with the place it reached."""
    job = lease.job
    k, partition = job.spec["k"], job.spec["partition"]
    lower = Comparison.objects.filter(pair__project=job.project_id, k__lt=k, author__isnull=True)
    if partition:
        lower = lower.filter(pair__partition=partition)
    lease.beat(step="raising k")
    while True:
        with transaction.atomic():
            below = lower.filter(pair__gt=job.spec.get("after", 0))
            pair_ids = list(below.order_by("pair").values_list("pair", flat=True).distinct()[:_BATCH])
            if not pair_ids:
                return
            pairs = Pair.objects.filter(pk__in=pair_ids).order_by("pk").select_for_update(no_key=True)
            # Pairs that were never drawn come up by themselves.
            queued = [pair_id for pair_id, drawn in pairs.values_list("pk", "queued") if drawn]
            lower.filter(pair__in=pair_ids).update(k=k)
            open_pairs(job.project_id, queued, Route.REOPENED)
            lease.beat(done=job.done + len(pair_ids), place={"after": pair_ids[-1]})
