"""Criteria of a project's library: added, and applied to pairs."""

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.jobs import Lease, Refused, create_job, send
from annotate.actions.judging import text_key
from annotate.actions.moderation import hold_criterion, promote_criterion
from annotate.actions.queue import open_pairs
from annotate.later import send_on_commit
from annotate.models import Criterion, CriterionState, Gold, Job, JobKind, Pair, Project, Route, User
from annotate.models.project import MAX_CRITERION
from annotate.queries import pair_count
from annotate.visible import visible

_BATCH = 2000


@transaction.atomic
def add_criterion(*, by: User | None, project: Project, text: str) -> Criterion:
    """A criterion in the project's library; the one that is there if it only differs in case or white space.

    It is judged nowhere until `apply_criterion`. One that an annotator wrote and that waits for review is accepted.

    Raises:
        ValidationError: it is empty or too long, or was rejected or retired.
    """
    require(by, Deed.MANAGE, project)
    text = text.strip()
    if not text:
        raise ValidationError({"text": "Write the criterion."})
    if len(text) > MAX_CRITERION:
        raise ValidationError({"text": f"At most {MAX_CRITERION} characters; these are {len(text)}."})
    criterion, created = Criterion.objects.get_or_create(
        project=project, text_key=text_key(text), defaults={"text": text}
    )
    if created:
        send_on_commit("workers.tasks.embed_missing")
        audit.record(by, "add criterion", criterion, project)
    elif criterion.state in (CriterionState.REJECTED, CriterionState.RETIRED):
        state = f"{criterion.get_state_display()} ({criterion.reason or 'no reason given'})"
        raise ValidationError(
            {"text": f"This criterion was {state}. Accept it on the page of criteria first."}
        )
    elif not (criterion.in_library or criterion.canonical_id):
        return promote_criterion(by=by, criterion=criterion)
    return criterion


@transaction.atomic
def change_criterion(
    *, by: User | None, criterion: Criterion, k: int | None, objective: bool = False
) -> Criterion:
    """Say how many labels comparisons by this criterion want that are made from now on, outside the reserve, and
    whether it has one right answer, so that the answer of a comparison may be known.

    `k` None: as many as the project. What is there already stays as it is.

    Raises:
        ValidationError: k is not within 1..9, or there are known answers though it shall have none.
    """
    require(by, Deed.MANAGE, criterion.project)
    if k is not None and not 1 <= k <= 9:
        raise ValidationError({"k": "Give a number from 1 to 9, or nothing."})
    locked = Criterion.objects.select_for_update(no_key=True).get(pk=criterion.pk)
    if not objective and (
        n := Gold.objects.filter(comparison__criterion=locked).exclude(kind="attention").count()
    ):
        raise ValidationError(
            {
                "objective": f"There are known answers under it ({n}). Take them away on their pairs' pages first."
            }
        )
    wanted = {"k": k, "objective": objective}
    changed = {
        name: [getattr(locked, name), value]
        for name, value in wanted.items()
        if getattr(locked, name) != value
    }
    if changed:
        audit.record(by, "change criterion", locked, locked.project, changed=changed)
        locked.k, locked.objective = k, objective
        locked.save(update_fields=list(changed))
    return locked


@transaction.atomic
def apply_criterion(*, by: User | None, criterion: Criterion) -> Job:
    """Have all visible pairs of the project judged by the criterion too; where they are, nothing changes.

    Returns the job that does it.

    Raises:
        ValidationError: the criterion was merged into another one, or is not accepted.
    """
    project = criterion.project
    require(by, Deed.MANAGE, project)
    criterion = hold_criterion(criterion.pk)
    if criterion.canonical:
        raise ValidationError(f"This criterion was merged into {criterion.canonical}. Apply that one.")
    if criterion.state != CriterionState.ACCEPTED:
        raise ValidationError(f"This criterion is {criterion.get_state_display()}. Accept it first.")
    job = create_job(by=by, project=project, kind=JobKind.APPLY, criterion=criterion.pk)
    send(job)
    return job


def run_apply(lease: Lease) -> None:
    """Work through the pairs in the order of their ids; each batch commits with the place it reached."""
    job = lease.job
    criterion = Criterion.objects.get(pk=job.spec["criterion"])
    lease.beat(step="adding comparisons", total=pair_count(job.project))
    while True:
        with transaction.atomic():
            # Held before the pairs, so that who retires it meanwhile comes after this batch and finds it.
            criterion = hold_criterion(criterion.pk)
            if criterion.canonical_id or criterion.state != CriterionState.ACCEPTED:
                raise Refused("The criterion was merged or retired meanwhile: it comes to no further pairs.")
            pairs = Pair.objects.filter(project=job.project_id, pk__gt=job.spec.get("after", 0))
            pair_ids = list(pairs.order_by("pk").values_list("pk", flat=True)[:_BATCH])
            if not pair_ids:
                return
            _apply(job.project, criterion, pair_ids)
            lease.beat(done=job.done + len(pair_ids), place={"after": pair_ids[-1]})


def _apply(project: Project, criterion: Criterion, pair_ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH locked AS (
                SELECT p.id, p.partition, p.queued FROM annotate_pair p
                WHERE p.id = ANY (%(pairs)s)
                  AND {visible("p")}
                ORDER BY p.id FOR NO KEY UPDATE OF p
            ), made AS (
                INSERT INTO annotate_comparison (pair_id, criterion_id, k, created_at)
                SELECT id, %(criterion)s, CASE partition WHEN 'reserve' THEN %(reserve_k)s ELSE %(k)s END,
                       now()
                FROM locked
                ON CONFLICT DO NOTHING RETURNING pair_id
            )
            SELECT made.pair_id, locked.queued FROM made JOIN locked ON locked.id = made.pair_id
            """,
            {
                "pairs": pair_ids,
                "criterion": criterion.pk,
                "k": criterion.k or project.k,
                "reserve_k": project.reserve_k,
            },
        )
        made = cursor.fetchall()
    # Pairs that were never drawn come up by themselves.
    open_pairs(project.pk, [pair_id for pair_id, queued in made if queued], Route.REOPENED)
