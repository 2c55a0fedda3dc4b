"""Known answers: marking them, and taking the mark away."""

from django.core.exceptions import ValidationError
from django.db import transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.queue import close_full_draws, open_pairs
from annotate.models import Comparison, Criterion, Gold, Pair, Route, User
from annotate.models.gold import KnownVerdict

MAX_NOTE = 2000


@transaction.atomic
def mark_gold(*, by: User | None, comparison: Comparison, verdict: str, note: str = "") -> Gold:
    """Say what the answer of a comparison is, and why; said once more, the newer one holds.

    From then on it is asked for no more labels (those that it has stay, with those from claims in hand), but now and
    then of who has not seen the pair (the project's `gold_share`): what they say to that is held against this answer
    and never counts as a label.

    Raises:
        ValidationError: its criterion is not marked as objective, or the verdict is none of response1, response2, tie.
    """
    project = comparison.pair.project
    require(by, Deed.MANAGE, project)
    list(Pair.objects.filter(pk=comparison.pair_id).select_for_update(no_key=True))
    # Whether it is objective does not change between this look and the mark.
    criterion = Criterion.objects.select_for_update(no_key=True).get(pk=comparison.criterion_id)
    if not criterion.objective:
        raise ValidationError(
            "Only an objective criterion has an answer that is known. Say on the criterion's page that it is one."
        )
    if verdict not in KnownVerdict.values:
        raise ValidationError({"verdict": f"Give one of {', '.join(KnownVerdict.values)}."})
    if len(note) > MAX_NOTE:
        raise ValidationError({"note": f"At most {MAX_NOTE} characters; these are {len(note)}."})
    before = Gold.objects.filter(comparison=comparison).first()
    said = {"verdict": verdict, "note": note}
    if before and (before.verdict, before.note) == (verdict, note):
        return before
    gold, _ = Gold.objects.update_or_create(
        comparison=comparison, defaults={**said, "project": project, "made_by": by}
    )
    if before is None:
        close_full_draws([comparison.pair_id])
    was = {"verdict": before.verdict, "note": before.note} if before else None
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
    audit.record(by, "unmark gold", comparison, project, verdict=gold.verdict, note=gold.note)
    gold.delete()
    if pair.queued:  # else it comes up by itself
        open_pairs(project.pk, [pair.pk], Route.REOPENED)
    return True
