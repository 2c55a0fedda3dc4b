"""What moderators decide about criteria: accepted, rejected, retired, suggested to others, merged, and all of it undone.

A decision changes one row, and counts in its `version`: who names the version that they saw decides only what nobody else
has decided meanwhile. What was before stands in the decision's audit row, so the history can be read and the last one be
undone. Whoever makes a comparison holds its criterion (`judging`, `criteria.run_apply`) before any pair; so does who
decides. What follows for the queue is done at once, or by a job where a criterion is judged on many pairs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.jobs import Lease, create_job, send
from annotate.actions.queue import Conflict, settle_pairs
from annotate.models import AuditEntry, Comparison, Criterion, CriterionState, JobKind, Project, User

MAX_REASON = 500  # characters
MAX_AT_ONCE = 200  # criteria
AT_ONCE = 100  # comparisons whose places in the queue are settled while the moderator waits
_BATCH = 2000

_WAITING = (CriterionState.PROPOSED, CriterionState.OWN)
_UNDECIDED = (*_WAITING, CriterionState.REJECTED, CriterionState.RETIRED)
_GONE = (CriterionState.REJECTED, CriterionState.RETIRED)


def hold_criterion(criterion_id: int) -> Criterion:
    """The criterion as it is decided, and stays until the transaction ends. Call it before pairs are locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM annotate_criterion WHERE id = %s FOR SHARE", [criterion_id])
    return Criterion.objects.get(pk=criterion_id)


def accept_criterion(*, by: User | None, criterion: Criterion, version: int | None = None) -> Criterion:
    """Ask it of others: the free seats of its comparisons are offered from now on.

    `version`: what the moderator saw; None decides whatever was decided meanwhile. So in all that follows.

    Raises:
        Denied, Unknown: the user may not moderate the project's criteria.
        Conflict: `decided`: somebody decided about it meanwhile.
        ValidationError: it is accepted already, or was merged.
    """
    return _decide(by, "accept", criterion, version, _UNDECIDED, state=CriterionState.ACCEPTED, reason="")


def promote_criterion(*, by: User | None, criterion: Criterion, version: int | None = None) -> Criterion:
    """Suggest it to annotators while they write, and ask it of others if that was not decided yet."""
    states = (*_WAITING, CriterionState.ACCEPTED)
    changed = {"state": CriterionState.ACCEPTED, "reason": "", "in_library": True}
    return _decide(by, "promote", criterion, version, states, **changed)


def demote_criterion(*, by: User | None, criterion: Criterion, version: int | None = None) -> Criterion:
    """Suggest it no more; it is asked as before."""
    return _decide(by, "demote", criterion, version, (CriterionState.ACCEPTED,), in_library=False)


def reject_criterion(
    *, by: User | None, criterion: Criterion, reason: str, version: int | None = None
) -> Criterion:
    """Nobody else is ever asked it, nobody may write it again, and no label is made of it. Its author is told why.

    Raises:
        ValidationError: also where there is no reason, or a long one.
    """
    reason = _reason(reason, wanted=True)
    return _decide(by, "reject", criterion, version, _WAITING, state=CriterionState.REJECTED, reason=reason)


def retire_criterion(
    *, by: User | None, criterion: Criterion, reason: str = "", version: int | None = None
) -> Criterion:
    """No new comparisons by it, and no more seats; what is in hand may be answered, what was judged stays and counts."""
    changed = {"state": CriterionState.RETIRED, "reason": _reason(reason), "in_library": False}
    return _decide(by, "retire", criterion, version, (CriterionState.ACCEPTED,), **changed)


def _reason(reason: str, *, wanted: bool = False) -> str:
    reason = reason.strip()
    if wanted and not reason:
        raise ValidationError({"reason": "Say why: its author reads it."})
    if len(reason) > MAX_REASON:
        raise ValidationError({"reason": f"At most {MAX_REASON} characters; these are {len(reason)}."})
    return reason


@transaction.atomic
def _decide(
    by: User | None,
    deed: str,
    criterion: Criterion,
    version: int | None,
    states: Sequence[CriterionState],
    **changed: Any,
) -> Criterion:
    require(by, Deed.MODERATE, criterion.project)
    locked = _lock([criterion.pk])[criterion.pk]
    _require_version(locked, version)
    if locked.canonical_id:
        raise ValidationError(
            "It was merged into another one, and is asked as that one is. Unmerge it first."
        )
    if locked.state not in states or all(getattr(locked, name) == value for name, value in changed.items()):
        known = "in the library" if locked.in_library else str(locked.get_state_display())
        raise ValidationError(f"To {deed} it makes no sense: it is {known}.")
    _change(by, deed, locked, changed)
    return locked


def _lock(ids: Iterable[int]) -> dict[int, Criterion]:
    rows = Criterion.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return {row.pk: row for row in rows}


def _require_version(criterion: Criterion, version: int | None) -> None:
    if version is None or criterion.version == version:
        return
    state = "merged" if criterion.canonical_id else criterion.get_state_display()
    raise Conflict(
        "decided",
        f"Somebody decided about \u201c{criterion}\u201d meanwhile: it is {state} now. Look at it again.",
    )


def _change(
    by: User | None, deed: str, criterion: Criterion, changed: dict[str, Any], **details: Any
) -> None:
    """Write a decision about a locked criterion, with what was before, and settle what it changes in the queue."""
    before = {name: getattr(criterion, name) for name in changed}
    was_asked = _is_asked(criterion)
    for name, value in changed.items():
        setattr(criterion, name, value)
    criterion.version += 1
    criterion.decided_by, criterion.decided_at = by, timezone.now()
    criterion.save(update_fields=[*changed, "version", "decided_by", "decided_at"])
    audit.record(
        by,
        f"{deed} criterion",
        criterion,
        criterion.project,
        version=criterion.version,
        before=before,
        now=changed,
        **details,
    )
    asked = _is_asked(criterion)
    if asked != was_asked or "canonical_id" in changed:
        # Unmerged, it is asked again where its canonical one is asked too.
        _settle(criterion, opened=asked and (not was_asked or criterion.canonical_id is None))


def _is_asked(criterion: Criterion) -> bool:
    """Where it is not asked twice on one pair."""
    if criterion.canonical_id is None:
        return criterion.state == CriterionState.ACCEPTED
    root = Criterion.objects.values_list("state", flat=True).get(pk=criterion.canonical_id)
    return criterion.state not in _GONE and root == CriterionState.ACCEPTED


def _comparisons(criterion_id: int) -> Any:
    """Of the criterion and of those merged into it."""
    of_it = Q(pk=criterion_id) | Q(canonical=criterion_id)
    ids = list(Criterion.objects.filter(of_it).order_by("pk").values_list("pk", flat=True))
    return Comparison.objects.filter(criterion__in=ids).values_list("pair_id", flat=True)


def _settle(criterion: Criterion, *, opened: bool) -> None:
    """Bring the queue in line with what was decided, also for the criteria that were merged into this one."""
    found = list(_comparisons(criterion.pk)[: AT_ONCE + 1])
    pair_ids = sorted(set(found))
    if len(found) <= AT_ONCE and not settle_pairs(criterion.project_id, pair_ids, opened=opened):
        return
    # By the system: who moderates need not manage.
    send(
        create_job(
            by=None,
            project=criterion.project,
            kind=JobKind.SETTLE,
            criterion=criterion.pk,
            opened=opened,
        )
    )


def run_settle(lease: Lease) -> None:
    """Work through the pairs in the order of their ids. Killed anywhere, a batch is settled twice, which changes nothing."""
    job = lease.job
    opened = job.spec["opened"]
    lease.beat(step="settling the queue")
    while True:
        after = _comparisons(job.spec["criterion"]).filter(pair__gt=job.spec.get("after", 0))
        pair_ids = list(after.order_by("pair_id").distinct()[:_BATCH])
        if not pair_ids:
            return
        with transaction.atomic():
            left = settle_pairs(job.project_id, pair_ids, opened=opened)
        for pair_id in left:
            with transaction.atomic():
                settle_pairs(job.project_id, [pair_id], opened=opened, wait=True)
        lease.beat(done=job.done + len(pair_ids), place={"after": pair_ids[-1]})


@transaction.atomic
def merge_criteria(
    *, by: User | None, duplicate: Criterion, into: Criterion, version: int | None = None
) -> Criterion:
    """Say that `duplicate` means the same as `into`: it and those merged into it point there from now on.

    Both texts and what was judged under them stay; a release counts them as one. It is asked as the canonical one is, but
    not where that is asked too. `version` is the duplicate's. Returns the canonical one.

    Raises:
        Conflict: `decided`: somebody decided about the duplicate meanwhile.
        ValidationError: they are of two projects, already the same, or one of them is rejected; or an accepted one would be
            merged into one that is not.
    """
    project = duplicate.project
    require(by, Deed.MODERATE, project)
    if duplicate.project_id != into.project_id:
        raise ValidationError("Criteria of two projects cannot be merged.")
    _lock_merges(project)
    root_id = Criterion.objects.values_list("canonical_id", flat=True).get(pk=into.pk) or into.pk
    along = list(Criterion.objects.filter(canonical=duplicate.pk).order_by("pk").values_list("pk", flat=True))
    rows = _lock([duplicate.pk, root_id, *along])
    locked, root = rows[duplicate.pk], rows[root_id]
    _require_version(locked, version)
    if root.pk in (locked.pk, locked.canonical_id):
        raise ValidationError("These two are merged already, or one would be merged into itself.")
    if locked.canonical_id:
        raise ValidationError("It was merged into another one. Unmerge it first.")
    if CriterionState.REJECTED in (locked.state, root.state):
        raise ValidationError("One of them was rejected. Accept it first.")
    if locked.state == CriterionState.ACCEPTED and root.state != CriterionState.ACCEPTED:
        raise ValidationError(f"The other one is {root.get_state_display()}. Accept it first.")
    was_asked = _is_asked(locked)
    # Before the change, which settles the queue, as these come along.
    Criterion.objects.filter(pk__in=along).update(canonical=root)
    _change(by, "merge", locked, {"canonical_id": root.pk, "in_library": False}, into=root.pk, along=along)
    for other in along:
        _settle(rows[other], opened=not was_asked)
    return root


@transaction.atomic
def unmerge_criterion(*, by: User | None, duplicate: Criterion, version: int | None = None) -> Criterion:
    """Say that a merged criterion means something of its own after all; what came along with it goes with it again.

    Raises:
        Conflict: `decided`: somebody decided about it meanwhile.
        ValidationError: it is not merged.
    """
    require(by, Deed.MODERATE, duplicate.project)
    _lock_merges(duplicate.project)
    locked = _lock([duplicate.pk, *_along(duplicate)])[duplicate.pk]
    _require_version(locked, version)
    if locked.canonical_id is None:
        raise ValidationError("It is not merged.")
    _unmerge(by, "unmerge", locked)
    return locked


def _lock_merges(project: Project) -> None:
    """Merges of one project come one after another: chains and rings cannot grow between two of them."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _merge_of(criterion: Criterion) -> dict[str, Any]:
    """What is noted of its last merge. One that was merged before decisions were noted comes back as it stands."""
    merge = audit.entries_of(criterion, criterion.project).filter(deed="merge criterion").first()
    return {"along": [], "before": {}} | (merge.details if merge else {})


def _along(criterion: Criterion) -> list[int]:
    """Those that came along when it was merged, and are merged still. It stays so while merges are locked."""
    root_id = Criterion.objects.values_list("canonical_id", flat=True).get(pk=criterion.pk)
    there = Criterion.objects.filter(pk__in=_merge_of(criterion)["along"], canonical=root_id)
    return list(there.order_by("pk").values_list("pk", flat=True)) if root_id else []


def _unmerge(by: User | None, deed: str, locked: Criterion) -> None:
    """Those that came along are locked too."""
    along, before = _along(locked), _merge_of(locked)["before"]
    back = {"canonical_id": None, "in_library": before.get("in_library", locked.in_library)}
    back["in_library"] &= locked.state == CriterionState.ACCEPTED
    Criterion.objects.filter(pk__in=along).update(canonical=locked)
    _change(by, deed, locked, back, along=along)


@transaction.atomic
def undo_decision(*, by: User | None, criterion: Criterion, version: int | None = None) -> Criterion:
    """Take the last decision about a criterion back: it is as it was before. Undone once more, it is decided again.

    Raises:
        Conflict: `decided`: somebody decided about it meanwhile.
        ValidationError: nothing was decided yet, or what it was merged into is not to be had any more.
    """
    require(by, Deed.MODERATE, criterion.project)
    _lock_merges(criterion.project)
    locked = _lock({criterion.pk, *_along(criterion), *_merged_anew(criterion)})[criterion.pk]
    _require_version(locked, version)
    last = _last_decision(locked)
    if last is None:
        raise ValidationError("Nothing was decided about it yet.")
    before = last.details["before"]
    if "canonical_id" not in before:
        if locked.canonical_id:
            raise ValidationError("It was merged into another one. Unmerge it first.")
        _change(by, "undo", locked, before)
    elif before["canonical_id"] is None:
        _unmerge(by, "undo", locked)
    else:
        into = Criterion.objects.get(pk=before["canonical_id"])
        merge_criteria(by=by, duplicate=locked, into=into)
    return Criterion.objects.get(pk=locked.pk)


def _last_decision(criterion: Criterion) -> AuditEntry | None:
    entries = audit.entries_of(criterion, criterion.project)
    return entries.filter(details__version=criterion.version).first()


def _merged_anew(criterion: Criterion) -> list[int]:
    """What is touched where undoing the last decision merges it again: its canonical one, and what would come along."""
    last = _last_decision(Criterion.objects.get(pk=criterion.pk))
    into = last.details["before"].get("canonical_id") if last else None
    if into is None:
        return []
    there = Criterion.objects.filter(Q(pk=into) | Q(canonical=criterion.pk))
    roots = there.values_list("canonical_id", flat=True)
    return [*there.values_list("pk", flat=True), *(root for root in roots if root)]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A criterion with the version that the moderator saw."""

    id: int
    version: int


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of one of many. `problem` is empty where it was done; `conflict`: somebody else was there first."""

    id: int
    problem: str = ""
    conflict: bool = False


DEEDS = ("accept", "promote", "demote", "reject", "retire", "merge", "unmerge", "undo")


def decide_criteria(
    *,
    by: User | None,
    project: Project,
    deed: str,
    chosen: Sequence[Chosen],
    reason: str = "",
    into: int | None = None,
) -> list[Decided]:
    """One deed about many criteria, each by itself: what cannot be done to one keeps none of the others.

    Raises:
        Denied, Unknown: the user may not moderate the project's criteria.
        ValidationError: there is no such deed, too much was chosen, or `into` is no criterion of the project.
    """
    require(by, Deed.MODERATE, project)
    if deed not in DEEDS:
        raise ValidationError({"deed": f"There is no deed {deed[:20]!r}. There are: {', '.join(DEEDS)}."})
    if not 0 < len(chosen) <= MAX_AT_ONCE:
        raise ValidationError({"criteria": f"Choose from 1 to {MAX_AT_ONCE} criteria."})
    if deed == "reject":
        _reason(reason, wanted=True)
    target = Criterion.objects.filter(project=project, pk=into or 0).first()
    if deed == "merge" and target is None:
        raise ValidationError({"into": "There is no such criterion in this project."})
    known = Criterion.objects.filter(project=project).in_bulk([one.id for one in chosen])
    done = []
    for one in sorted(chosen, key=lambda one: one.id):
        criterion = known.get(one.id)
        if criterion is None:
            done.append(Decided(one.id, "There is no such criterion in this project."))
            continue
        try:
            _deeds(by, criterion, one.version, reason, target)[deed]()
        except ValidationError as error:
            done.append(Decided(one.id, " ".join(error.messages)))
        except Conflict as error:
            done.append(Decided(one.id, str(error), conflict=True))
        else:
            done.append(Decided(one.id))
    return done


def _deeds(
    by: User | None, criterion: Criterion, version: int, reason: str, into: Criterion | None
) -> dict[str, Callable[[], Criterion]]:
    def merge() -> Criterion:
        assert into
        return merge_criteria(by=by, duplicate=criterion, into=into, version=version)

    return {
        "accept": lambda: accept_criterion(by=by, criterion=criterion, version=version),
        "promote": lambda: promote_criterion(by=by, criterion=criterion, version=version),
        "demote": lambda: demote_criterion(by=by, criterion=criterion, version=version),
        "reject": lambda: reject_criterion(by=by, criterion=criterion, version=version, reason=reason),
        "retire": lambda: retire_criterion(by=by, criterion=criterion, version=version, reason=reason),
        "merge": merge,
        "unmerge": lambda: unmerge_criterion(by=by, duplicate=criterion, version=version),
        "undo": lambda: undo_decision(by=by, criterion=criterion, version=version),
    }
