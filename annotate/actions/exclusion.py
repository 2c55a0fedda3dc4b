"""Leaving an annotator out of the labels, and taking that back. Only somebody who manages the project decides it.

Their judgments stay. What is excluded gives its seats back, so that others are asked, and waits in line without a
seat for as long as the exclusion holds. Releases are frozen rows: those of before stay as they are.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.jobs import Refused
from annotate.actions.queue import close_full_draws, lock_annotator, open_pairs, settle_seats
from annotate.models import Annotator, Exclusion, Route, User
from annotate.tallies import EXCLUDED

_BATCH = 1000
MAX_REASON = 2000

# The pairs on which the annotator may hold a seat, now or by what is judged already. Locked, so that nobody seats a
# judgment of theirs meanwhile who does not know yet.
_PAIRS = """
    SELECT p.id, p.queued FROM annotate_pair p
    WHERE p.id IN (SELECT c.pair_id FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id
                   WHERE j.annotator_id = %(annotator)s
                   UNION SELECT pair_id FROM annotate_claim WHERE annotator_id = %(annotator)s AND closed_at IS NULL)
    ORDER BY p.id FOR NO KEY UPDATE
"""

_FREE = f"""
    DELETE FROM annotate_seat s USING annotate_comparison c
    WHERE c.id = s.comparison_id AND c.pair_id = ANY (%(pairs)s) AND s.annotator_id = %(annotator)s
      AND (s.head_id IS NULL OR EXISTS (SELECT FROM annotate_judgment j WHERE j.id = s.head_id AND {EXCLUDED}))
    RETURNING c.pair_id
"""


@transaction.atomic
def exclude_annotator(
    *, by: User | None, annotator: Annotator, reason: str, since: datetime | None = None
) -> Exclusion:
    """Count no judgments of the annotator from `since` on, or none at all, and serve them nothing until it is lifted.

    What they hold they may still answer: it is kept and does not count.

    Raises:
        ValidationError: there is no reason, or `since` lies ahead.
        Refused: they are excluded already.
        Unknown: they withdrew this instant.
    """
    project = annotator.project
    require(by, Deed.MANAGE, project)
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": "Say why: others will want to know."})
    if len(reason) > MAX_REASON:
        raise ValidationError({"reason": f"At most {MAX_REASON} characters; these are {len(reason)}."})
    lock_annotator(annotator)  # whoever claims or submits for them waits here, and knows then
    now = timezone.now()
    if since and since > now:
        raise ValidationError({"since": "Give a moment that has passed."})
    if Exclusion.objects.filter(annotator=annotator, lifted_at__isnull=True).exists():
        raise Refused("This annotator is excluded already. Count them again first.")
    exclusion = Exclusion.objects.create(
        annotator=annotator, since=since, reason=reason, made_by=by, made_at=now
    )
    freed: set[int] = set()
    pairs = _locked_pairs(annotator)
    for some in _batches(sorted(pairs)):
        with connection.cursor() as cursor:
            cursor.execute(_FREE, {"pairs": some, "annotator": annotator.pk})
            freed.update(pair for (pair,) in cursor.fetchall())
    # Pairs that were never drawn come up by themselves.
    for some in _batches(sorted(pair for pair in freed if pairs[pair])):
        open_pairs(project.pk, some, Route.REOPENED)
    audit.record(
        by,
        "exclude annotator",
        annotator,
        project,
        reason=reason,
        since=since and since.isoformat(),
        pairs=len(freed),
    )
    return exclusion


@transaction.atomic
def lift_exclusion(*, by: User | None, annotator: Annotator) -> bool:
    """Count the annotator's judgments again where a seat is free; elsewhere they wait in line. False: none holds.

    Labels that others gave meanwhile stay.
    """
    project = annotator.project
    require(by, Deed.MANAGE, project)
    lock_annotator(annotator)
    exclusion = Exclusion.objects.filter(annotator=annotator, lifted_at__isnull=True).first()
    if exclusion is None:
        return False
    exclusion.lifted_by, exclusion.lifted_at = by, timezone.now()
    exclusion.save(update_fields=["lifted_by", "lifted_at"])
    pairs = _locked_pairs(annotator)
    split: set[int] = set()
    for some in _batches(sorted(pairs)):
        split |= settle_seats(some)
        close_full_draws(some)
    for some in _batches(sorted(pair for pair in split if pairs[pair])):
        open_pairs(project.pk, some, Route.REOPENED)
    audit.record(by, "lift exclusion", annotator, project, reason=exclusion.reason, pairs=len(pairs))
    return True


def _locked_pairs(annotator: Annotator) -> dict[int, bool]:
    """Whether each of the pairs was drawn."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_PAIRS, {"annotator": annotator.pk})
        return dict(cursor.fetchall())


def _batches(pairs: list[int]) -> list[list[int]]:
    return [pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH)]
