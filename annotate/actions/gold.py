"""Known answers: marking them, and taking the mark away."""

from django.core.exceptions import ValidationError
from django.db import transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.queue import close_full_draws, open_pairs
from annotate.models import Comparison, Criterion, Gold, KnownKind, KnownVerdict, Pair, Route, User

MAX_NOTE = 2000


@transaction.atomic
def mark_gold(
    *, by: User | None, comparison: Comparison, verdict: str, note: str = "", kind: str = KnownKind.GOLD
) -> Gold:
    """Say what the answer of a comparison is, why, and what it is known for; said once more, the newer one holds.

    From then on it is asked for no more labels (those that it has stay, with those from claims in hand). Gold and
    attention checks are asked now and then of who has not seen the pair (the project's `gold_share` and
    `attention_share`), those of training and quiz of who begins (`trials.py`). What they say to that is held against
    this answer and never counts as a label.

    Raises:
        ValidationError: its criterion is not marked as objective (an attention check needs none that is), or the
            verdict is none of response1, response2, tie, or the kind is unknown.
    """
    project = comparison.pair.project
    require(by, Deed.MANAGE, project)
    # Whether it is objective does not change between this look and the mark. Criteria are held before pairs.
    criterion = Criterion.objects.select_for_update(no_key=True).get(pk=comparison.criterion_id)
    list(Pair.objects.filter(pk=comparison.pair_id).select_for_update(no_key=True))
    if kind not in KnownKind.values:
        raise ValidationError({"kind": f"Give one of {', '.join(KnownKind.values)}."})
    if not criterion.objective and kind != KnownKind.ATTENTION:
        raise ValidationError(
            "Only an objective criterion has an answer that is known. Say on the criterion's page that it is one."
        )
    if verdict not in KnownVerdict.values:
        raise ValidationError({"verdict": f"Give one of {', '.join(KnownVerdict.values)}."})
    if len(note) > MAX_NOTE:
        raise ValidationError({"note": f"At most {MAX_NOTE} characters; these are {len(note)}."})
    before = Gold.objects.filter(comparison=comparison).first()
    said = {"verdict": verdict, "note": note, "kind": str(kind)}
    was = {name: getattr(before, name) for name in said} if before else None
    if before and was == said:
        return before
    # One that an import is bringing this instant is this one from now on.
    gold, _ = Gold.objects.update_or_create(
        comparison=comparison, defaults={**said, "project": project, "made_by": by, "data_import": None}
    )
    close_full_draws([comparison.pair_id])
    audit.record(by, "mark gold", comparison, project, said=said, before=was)
    return gold


@transaction.atomic
def unmark_gold(*, by: User | None, comparison: Comparison) -> bool:
    """The comparison has no known answer any more, and is asked for labels again.

    What was answered while it had one stays, and never counts. False: it had none.
    """
    project = comparison.pair.project
    require(by, Deed.MANAGE, project)
    pair = Pair.objects.select_for_update(no_key=True).get(pk=comparison.pair_id)
    gold = Gold.objects.select_for_update().filter(comparison=comparison).first()
    if gold is None:
        return False
    audit.record(by, "unmark gold", comparison, project, verdict=gold.verdict, note=gold.note, kind=gold.kind)
    gold.delete()
    if pair.queued:  # else it comes up by itself
        open_pairs(project.pk, [pair.pk], Route.REOPENED)
    return True
