"""The queue: drawing pairs into it, claiming the next one, giving claims back.

Three locks keep it right, always taken in this order: the annotator's row, the pair's row, the project's draw
lock. The pair's row guards its comparisons' seats. The draw lock makes draws visible in the order of their ids,
so that no draw can appear behind a cursor that has already passed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import audit
from annotate.access import Deed, Unknown, require
from annotate.actions.controls import Shares, take_control
from annotate.actions.disagreement import ask_more
from annotate.actions.trials import next_step
from annotate.asked import asked
from annotate.models import (
    Annotator,
    Claim,
    Draw,
    Membership,
    Outcome,
    Pair,
    Partition,
    Project,
    ProjectState,
    RevisionState,
    Route,
    Sampling,
    Stream,
    User,
)
from annotate.prepared import prepared_cursor
from annotate.reasons import in_words, paused_in_words
from annotate.rules import Reason, why_not_now
from annotate.situations import draws_ahead, is_excluded, lines_of, look_at, undrawn
from annotate.tallies import EXCLUDED, FOR_LABELS
from annotate.visible import visible

_DRAW_LOCK_SPACE = 0x455644  # "EVD"
# How many draws are kept ready before the annotator who is furthest ahead, for each active annotator.
READY_PER_ANNOTATOR = 20
ACTIVE = timedelta(minutes=10)
OFFLINE_LEASE = timedelta(hours=24)  # of claims that somebody takes along to where there is no network
BY_CHANCE = "uniform-1"  # the policy of draws that no model has weighed
MOST_AT_ONCE = 2000  # draws that are appended to find pairs of few needs
LOW = 4  # A queue with less than this part of what should be ready has run low.


class HandFull(Exception):
    """The annotator holds as many claims as the project allows."""


class NotOpen(Exception):
    """No new pair is to be had: the project is paused or closed, or the annotator is (`code` tells)."""

    code: Literal["not_open", "paused", "enough", "consent_needed", "not_qualified", "not_for_you"] = (
        "not_open"
    )


class Paused(NotOpen):
    """A manager has paused this annotator."""

    code = "paused"


class ConsentNeeded(NotOpen):
    """The project asks for a consent that the annotator has not given, or not to its newest version."""

    code = "consent_needed"


class NotQualified(NotOpen):
    """The annotator has not gone through the project's training and quiz, and cannot do so now."""

    code = "not_qualified"


class Conflict(Exception):
    """What the client asks for contradicts what is stored. `code` names how."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Enough(NotOpen):
    """The annotator has judged as many pairs as the project lets one person judge, today or at all."""

    code = "enough"


class NotForYou(NotOpen):
    """What is left in the project is for others, by language, expertise or pool."""

    code = "not_for_you"


_REFUSED: dict[Reason, type[HandFull] | type[NotOpen]] = {
    Reason.PAUSED: Paused,
    Reason.PROJECT_PAUSED: NotOpen,
    Reason.PROJECT_CLOSED: NotOpen,
    Reason.NO_CONSENT: ConsentNeeded,
    Reason.HAND_FULL: HandFull,
    Reason.NOT_QUALIFIED: NotQualified,
    Reason.AGREED_DONE: Enough,
    Reason.DAY_DONE: Enough,
    Reason.SHARE_DONE: Enough,
}


# Comparisons of pair %(pair)s (or d.pair_id) that want labels, with a free seat, that this annotator has not sat on and was not
# offered before in a claim that ended by submitting or skipping, or to measure them. Seats and claims are asked for by comparison and
# pair alone, in aggregates: the planner's statistics may know nothing of this annotator or this project yet, and
# given the choice it would then read all that the annotator ever did.
_OPEN_TO_ME = f"""
    FROM annotate_comparison c
    WHERE c.pair_id = {{pair}} AND {asked("c")}
      AND (SELECT count(*) < c.k AND bool_or(s.annotator_id = %(annotator)s) IS NOT TRUE
           FROM annotate_seat s WHERE s.comparison_id = c.id)
      AND (SELECT bool_or(l.annotator_id = %(annotator)s AND (l.outcome IN ('submitted', 'skipped') OR l.kind NOT IN ('label', 'repeat'))
                          AND c.id = ANY (l.comparison_ids))
           FROM annotate_claim l WHERE l.pair_id = c.pair_id) IS NOT TRUE
"""

# The subquery is a scalar one on purpose: the planner cannot turn it into a join over the whole table, so the
# walk stays one index scan that stops at its first hit.
_WALK = f"""
    FROM annotate_draw d JOIN annotate_pair p ON p.id = d.pair_id
    WHERE d.need_id = {{need}} AND d.open AND d.id > {{cursor}}
      AND (SELECT true {_OPEN_TO_ME.format(pair="d.pair_id")} LIMIT 1)
    ORDER BY d.id LIMIT 1
"""

_LOCK_ANNOTATOR = """
    SELECT a.project_id, p.lease_minutes, p.claims_in_hand, p.offline_most, p.salt, p.repeat_share, p.repeat_after,
           p.gold_share, p.attention_share
    FROM annotate_annotator a JOIN annotate_project p ON p.id = a.project_id
    WHERE a.id = %s FOR NO KEY UPDATE OF a
"""

# One row: how far each of the lines goes without a pair for this annotator (empty: nothing is open
# in it further on), and the first pair of all lines, twice: as it is, and as the first that nobody holds the lock on. A
# statement of its own after the lock on the annotator, as one that waits for a lock sees nothing of what was committed
# meanwhile.
_PICK = f"""
    WITH line AS MATERIALIZED (
        SELECT n.place, n.need, f.id, f.pair_id,
               f.id IS NOT NULL OR (SELECT true FROM annotate_draw d
                                    WHERE d.need_id = n.need AND d.open AND d.id > n.cursor
                                    ORDER BY d.id LIMIT 1) IS NOT NULL AS ahead
        FROM unnest(%(needs)s::bigint[], %(cursors)s::bigint[]) WITH ORDINALITY n (need, cursor, place)
        LEFT JOIN LATERAL (SELECT d.id, d.pair_id {_WALK.format(need="n.need", cursor="n.cursor")}) f ON true
    ), first AS MATERIALIZED (SELECT * FROM line WHERE id IS NOT NULL ORDER BY id LIMIT 1)
    SELECT (SELECT array_agg(CASE WHEN line.ahead THEN COALESCE(line.id - 1, newest.id) END ORDER BY line.place) FROM line),
           first.need, first.id, first.pair_id, locked.id, locked.pair_id
    FROM (SELECT (SELECT id FROM annotate_draw WHERE project_id = %(project)s ORDER BY id DESC LIMIT 1)) newest (id)
    LEFT JOIN first ON true
    LEFT JOIN LATERAL (SELECT d.id, d.pair_id {_WALK.format(need="first.need", cursor="first.id - 1")}
                       FOR NO KEY UPDATE OF p SKIP LOCKED) locked ON true
"""

_MOVE = """
    INSERT INTO annotate_reach AS r (annotator_id, need_id, cursor)
    SELECT %(annotator)s, need, cursor FROM unnest(%(moved)s::bigint[], %(reached)s::bigint[]) AS new (need, cursor)
    WHERE {when}
    ON CONFLICT (annotator_id, need_id) DO UPDATE SET cursor = greatest(r.cursor, EXCLUDED.cursor)
"""

_TAKE = f"""
    WITH free AS (
        SELECT c.id, c.k,
               (SELECT min(place) FROM generate_series(1, c.k) place
                WHERE NOT EXISTS (SELECT FROM annotate_seat s
                                  WHERE s.comparison_id = c.id AND s.n = place)) AS n
        {_OPEN_TO_ME.format(pair="%(pair)s")}
          -- It may ask for something else since it was picked.
          AND (SELECT p.need_id FROM annotate_pair p WHERE p.id = c.pair_id) = ANY (%(needs)s::bigint[])
    ), taken AS (
        INSERT INTO annotate_claim (id, draw_id, pair_id, annotator_id, comparison_ids, flip,
                                    created_at, expires_at, outcome, skip_reason, note)
        SELECT %(claim)s, %(draw)s, %(pair)s, %(annotator)s, array_agg(free.id ORDER BY free.id),
               -- Counterbalanced within the pair, by chance where it is balanced.
               COALESCE((SELECT CASE sign(sum(CASE WHEN l.flip THEN 1 ELSE -1 END))
                                WHEN 1 THEN false WHEN -1 THEN true END
                         FROM annotate_claim l
                         WHERE l.pair_id = %(pair)s AND l.kind = 'label' AND l.outcome IN ('', 'submitted')),
                        random() < 0.5),
               %(now)s, %(expires)s, '', '', ''
        FROM free HAVING count(*) > 0
        RETURNING id, flip, comparison_ids
    ), seated AS (
        INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, claim_id)
        SELECT free.id, free.n, free.k, %(annotator)s, %(claim)s FROM free
    ), filled AS (
        UPDATE annotate_draw SET open = false
        WHERE pair_id = %(pair)s AND open
          AND (SELECT count(*) FROM free) >= (
            SELECT sum(c.k - (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id))
            FROM annotate_comparison c WHERE c.pair_id = %(pair)s AND {asked("c")})
    ), moved AS ({_MOVE.format(when="EXISTS (SELECT FROM taken)")}), seen AS (
        UPDATE annotate_annotator SET seen_at = %(now)s
        WHERE id = %(annotator)s AND EXISTS (SELECT FROM taken)
    )
    SELECT flip, comparison_ids FROM taken
"""

_HAS_FREE_SEAT = f"""
    SELECT DISTINCT c.pair_id FROM annotate_comparison c
    WHERE c.pair_id = ANY (%(pairs)s) AND {asked("c")}
      AND (SELECT count(*) FROM annotate_seat s WHERE s.comparison_id = c.id) < c.k
"""


def claim_next(*, annotator: Annotator, claim_id: UUID) -> Claim | None:
    """Lease the next pair to the annotator; None if there is nothing to judge now.

    `claim_id` is made by the client, so that a repeated request is answered with the same claim.

    Raises:
        HandFull, NotOpen
        Conflict: the id is a claim of somebody else.
    """
    return _claim(annotator, claim_id, offline=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """Claims under the ids that were asked for, and why there are not as many: nothing to judge, or a full hand."""

    claims: list[Claim]
    why: Literal[
        "", "empty", "full", "not_open", "paused", "enough", "consent_needed", "not_qualified", "not_for_you"
    ] = ""


def take_offline(*, annotator: Annotator, claim_ids: Sequence[UUID]) -> Taken:
    """Lease claims for 24 hours, to be judged without a network; the ids are made by the client.

    An id that is a claim of the annotator's already is that claim: asked again, nothing more is taken, and what was
    in hand can be taken along. More are claimed as ever, one after the other, while fewer than the project's
    `offline_most` are held, those in hand counted. Until they are fewer than `claims_in_hand`, `claim_next` gives no more.

    Raises:
        NotOpen: and nothing was taken.
        Conflict: an id is a claim of somebody else, or the project lets nothing be taken.
    """
    if not annotator.project.offline_most:
        raise Conflict("offline_off", "In this project pairs are judged online only.")
    claims: list[Claim] = []
    for claim_id in claim_ids:
        try:
            claim = _claim(annotator, claim_id, offline=True)
        except HandFull:
            return Taken(claims, "full")
        except NotOpen as error:
            if not claims:
                raise
            return Taken(claims, error.code)
        if claim is None:
            return Taken(claims, "empty")
        claims.append(claim)
    return Taken(claims)


def _claim(annotator: Annotator, claim_id: UUID, *, offline: bool) -> Claim | None:
    found = _claim_once(annotator, claim_id, offline)
    if found is None and not is_excluded(annotator):
        # No worker kept the queue full, or somebody else is filling it this instant: look again either way.
        expire_claims(project_id=annotator.project_id, limit=50)
        lines = lines_of([annotator.pk]).get(annotator.pk, {})
        fill_lines(annotator.project_id, list(lines), READY_PER_ANNOTATOR)
        found = _claim_once(annotator, claim_id, offline)
    if isinstance(found, NotQualified):
        raise found
    return found


class _TooLate(Exception):
    """The pair was filled by others before its lock was had."""


def _claim_once(annotator: Annotator, claim_id: UUID, offline: bool) -> Claim | NotQualified | None:
    while True:
        try:
            return _claim_first(annotator, claim_id, offline)
        except _TooLate:
            # Begun anew, which lets go of that pair: who holds one must not wait for another, as whoever locks many
            # pairs may have the one and want the other.
            continue


@transaction.atomic
def _claim_first(annotator: Annotator, claim_id: UUID, offline: bool) -> Claim | NotQualified | None:
    """That somebody is not qualified is returned, not raised: the quiz that they have just failed must stay so."""
    now = timezone.now()
    with prepared_cursor() as cursor:
        cursor.execute(_LOCK_ANNOTATOR, [annotator.pk])
        row = cursor.fetchone()
        if row is None:  # withdrawn this instant
            raise Unknown(_("There is no project for you here any more."))
        project_id, lease_minutes, claims_in_hand, offline_most, *shares = row
        lease = OFFLINE_LEASE if offline else timedelta(minutes=lease_minutes)
        looked = look_at(
            cursor,
            annotator=annotator.pk,
            project=project_id,
            now=now,
            most_held=offline_most if offline else claims_in_hand,
            claim=claim_id,
        )
        if looked.holder == annotator.pk:  # this request, sent before, or its twin that won the race
            if offline:
                _extend(claim_id, lease)
            return Claim.objects.get(pk=claim_id)
        if looked.holder is not None:
            raise Conflict("claim_taken", _("This claim id is in use. Make a new one."))
        today = now.astimezone(UTC).date()
        reason = why_not_now(looked.situation, today)
        if reason is Reason.NOT_QUALIFIED and not offline:
            step = next_step(annotator, claim_id, now, now + lease)
            if step.full:
                raise HandFull(_("Answer the pair that you hold first."))
            if step.told:
                return NotQualified(step.told)
            if step.claim:
                return step.claim
            reason = why_not_now(replace(looked.situation, qualified=True), today)  # they are in now
        if reason is Reason.EXCLUDED:
            return None
        if reason:
            raise _REFUSED[reason](in_words(reason, looked.situation, now, looked.pause_reason))
        lines = looked.own_lines()
        names: dict[str, Any] = {
            "annotator": annotator.pk,
            "project": project_id,
            "claim": claim_id,
            "now": now,
            "expires": now + lease,
            "needs": list(lines),
            "cursors": list(lines.values()),
        }
        cursor.execute(_PICK, names)
        ends, need, first_draw, first_pair, draw, pair = cursor.fetchone()
        # What lies before is not for this annotator: whatever reopens is a new draw.
        reached = {
            line: end
            for (line, at), end in zip(lines.items(), ends or (), strict=True)
            if end is not None and end > at
        }
        if first_draw is None:
            # Nor will any draw up to the newest ever be. Who waits at the end of the queue does not walk it again.
            moved = {"moved": list(reached), "reached": list(reached.values())}
            if reached:
                cursor.execute(_MOVE.format(when="true"), {**names, **moved})
            return None
        # Only in the place of a pair that is there to be judged: whoever waits at the end is not asked again and
        # again instead.
        if control := take_control(cursor, names, Shares(*shares)):
            control.annotator = annotator
            return control
        if pair is None:  # every pair in reach is being claimed this instant: wait for the first of them
            draw, pair = first_draw, first_pair
            cursor.execute("SELECT FROM annotate_pair WHERE id = %s FOR NO KEY UPDATE", [pair])
        # The cursor stays before a pair that was passed over only because somebody held its lock.
        if draw == first_draw:
            reached[need] = draw
        moved = {"moved": list(reached), "reached": list(reached.values())}
        cursor.execute(_TAKE, {**names, **moved, "pair": pair, "draw": draw})
        taken = cursor.fetchone()
        if taken is None:
            raise _TooLate
        flip, comparison_ids = taken
        return Claim(
            id=claim_id,
            draw_id=draw,
            pair_id=pair,
            annotator=annotator,
            comparison_ids=comparison_ids,
            flip=flip,
            created_at=now,
            expires_at=names["expires"],
        )


def require_not_paused(annotator: Annotator) -> None:
    """
    Raises:
        Paused
    """
    members = Membership.objects.filter(project=annotator.project_id, user=annotator.user_id)
    reason = members.filter(paused_at__isnull=False).values_list("pause_reason", flat=True).first()
    if reason is not None:
        raise Paused(paused_in_words(reason))


def lock_annotator(annotator: Annotator) -> None:
    """Hold the annotator's row until the transaction ends, before any pair: no other claim or answer of theirs comes up.

    Raises:
        Unknown: they withdrew this instant.
    """
    with prepared_cursor() as cursor:
        cursor.execute("SELECT FROM annotate_annotator WHERE id = %s FOR NO KEY UPDATE", [annotator.pk])
        if cursor.fetchone() is None:
            raise Unknown(_("There is no project for you here any more."))


# IS TRUE hides the annotator from the planner, for the reason given at _OPEN_TO_ME. The rows are locked in the order
# that is named: whoever holds pairs and ends their claims (a withdrawal) must not meet somebody who holds a claim and waits.
_LOCK_CLAIM = """
    SELECT l.id, l.draw_id, l.pair_id, l.annotator_id, l.comparison_ids, l.flip, l.kind, l.trial_id, l.repeat_of_id,
           l.created_at, l.expires_at, l.closed_at, l.outcome, l.skip_reason, l.note
    FROM annotate_claim l JOIN annotate_pair p ON p.id = l.pair_id
    WHERE l.id = %s AND (l.annotator_id = %s) IS TRUE FOR NO KEY UPDATE OF p, l
"""


def lock_claim(annotator: Annotator, claim_id: UUID) -> Claim:
    """The annotator's claim, with its pair's row locked until the transaction ends.

    Raises:
        Unknown: no such claim of this annotator.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_LOCK_CLAIM, [claim_id, annotator.pk])
        row = cursor.fetchone()
        if row is None:
            raise Unknown(_("There is no such claim of yours."))
        claim = Claim.from_db(connection.alias, [column.name for column in cursor.description], row)
    claim.annotator = annotator
    return claim


def close_claim(claim: Claim, outcome: Outcome) -> None:
    """End a locked claim and give back the seats that have no judgment."""
    claim.closed_at, claim.outcome = timezone.now(), outcome
    claim.save(update_fields=["closed_at", "outcome", "skip_reason", "note"])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM annotate_seat WHERE claim_id = %s AND head_id IS NULL", [claim.pk])
        given_back = cursor.rowcount
    if given_back:
        open_pairs(claim.annotator.project_id, [claim.pair_id], Route.REOPENED)


def heartbeat(*, annotator: Annotator, claim_id: UUID) -> datetime:
    """Hold a claim for the project's lease from now on, or for as long as it is held already, and return until when.

    Raises:
        Unknown: no such claim of this annotator.
        Conflict: the claim has ended.
    """
    claim = Claim.objects.filter(pk=claim_id).first()
    if claim is None or claim.annotator_id != annotator.pk:
        raise Unknown(_("There is no such claim of yours."))
    if not _extend(claim_id, timedelta(minutes=annotator.project.lease_minutes)):
        raise Conflict("claim_ended", _("This claim has ended. Your answers are still accepted."))
    claim.refresh_from_db(fields=["expires_at"])
    return claim.expires_at


def _extend(claim_id: UUID, lease: timedelta) -> bool:
    """Let a lease last from now, unless it lasts longer already. False: the claim has ended."""
    ends = Greatest(F("expires_at"), timezone.now() + lease)
    return bool(Claim.objects.filter(pk=claim_id, closed_at__isnull=True).update(expires_at=ends))


@transaction.atomic
def skip_claim(*, annotator: Annotator, claim_id: UUID, reason: str, note: str = "") -> Claim:
    """Give a pair back unjudged; it is not offered to this annotator again. Skipping twice is once.

    Raises:
        Conflict: it was submitted.
    """
    claim = lock_claim(annotator, claim_id)
    if claim.outcome == Outcome.SKIPPED:
        return claim
    if claim.outcome == Outcome.SUBMITTED:
        raise Conflict("already_submitted", _("This pair was submitted. Undo it first, then skip."))
    claim.skip_reason, claim.note = reason, note
    close_claim(claim, Outcome.SKIPPED)
    return claim


def give_back(*, annotator: Annotator, claim_ids: Sequence[UUID]) -> list[UUID]:
    """End held claims unjudged: their seats are free at once, no reason is asked, and the annotator may get them again.

    Returns those that were held until now. What else the ids may be (ended, never claimed, not the annotator's)
    stays as it is.
    """
    given: list[UUID] = []
    for claim_id in claim_ids:
        with (
            transaction.atomic()
        ):  # each its own: the locks of many pairs at once could cross those of others
            try:
                claim = lock_claim(annotator, claim_id)
            except Unknown:
                continue
            if claim.closed_at is None:
                close_claim(claim, Outcome.RELEASED)
                given.append(claim_id)
    return given


@transaction.atomic
def release_claim(*, by: User | None, claim: Claim) -> bool:
    """Take a held claim back from its annotator. What they still send counts as late. False if it had ended."""
    require(by, Deed.MANAGE, claim.annotator.project)
    locked = lock_claim(claim.annotator, claim.pk)
    if locked.closed_at:
        return False
    close_claim(locked, Outcome.RELEASED)
    audit.record(by, "release claim", locked, claim.annotator.project)
    return True


def expire_claims(*, project_id: int | None = None, limit: int = 500) -> int:
    """End claims whose lease has run out and give their seats back. Returns how many.

    Each in a transaction of its own; one that is being submitted this instant is left alone.
    """
    due = Claim.objects.filter(closed_at__isnull=True, expires_at__lt=timezone.now())
    if project_id is not None:
        due = due.filter(pair__project_id=project_id)
    ended = 0
    for claim_id in list(due.order_by("expires_at").values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            claim = (
                Claim.objects.select_related("pair", "annotator")
                .select_for_update(of=("self", "pair"), no_key=True, skip_locked=True)
                .filter(pk=claim_id, closed_at__isnull=True, expires_at__lt=timezone.now())
                .first()
            )
            if claim:
                close_claim(claim, Outcome.EXPIRED)
                ended += 1
    return ended


def open_pairs(project_id: int, pair_ids: list[int], route: Route) -> None:
    """Append a draw for each of the pairs that has a free seat, after seating who waits for one.

    Locks the pairs; call it inside the transaction that opened them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, ready FROM annotate_pair WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE",
            [pair_ids],
        )
        # Pairs that wait for their media are asked once these are prepared.
        ready = {pair_id for pair_id, is_ready in cursor.fetchall() if is_ready}
        settle_seats(pair_ids)
        cursor.execute(_HAS_FREE_SEAT, {"pairs": pair_ids})
        free = sorted(ready.intersection(row[0] for row in cursor.fetchall()))
    if free:
        _append_draws(project_id, [(route, pair_id, None, None, "") for pair_id in free])


def settle_seats(pair_ids: list[int]) -> set[int]:
    """Seat who waits, and want more labels where that makes a comparison full and split, until neither changes
    anything. The pairs are locked. Returns those where more are wanted.
    """
    split: set[int] = set()
    _seat_waiting(pair_ids)
    while raised := ask_more(pair_ids):
        split |= raised
        _seat_waiting(pair_ids)
    return split


def _seat_waiting(pair_ids: list[int]) -> None:
    """Give free seats to judgments that came too late for one, the earliest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH waiting AS (
                SELECT j.id, j.comparison_id, j.annotator_id, j.claim_id, c.k,
                       row_number() OVER (PARTITION BY j.comparison_id ORDER BY j.created_at, j.id) AS line
                FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id
                WHERE c.pair_id = ANY (%s) AND j.verdict <> 'retracted'
                  AND {visible("j")} AND {FOR_LABELS} AND NOT {EXCLUDED}
                  AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id)
                  AND NOT EXISTS (SELECT FROM annotate_seat s WHERE s.comparison_id = j.comparison_id
                                                                AND s.annotator_id = j.annotator_id)
            ), free AS (
                SELECT c.id, place AS n, row_number() OVER (PARTITION BY c.id ORDER BY place) AS line
                FROM annotate_comparison c, generate_series(1, c.k) place
                WHERE c.id IN (SELECT comparison_id FROM waiting)
                  AND NOT EXISTS (SELECT FROM annotate_seat s WHERE s.comparison_id = c.id AND s.n = place)
            )
            INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, claim_id, head_id)
            SELECT w.comparison_id, f.n, w.k, w.annotator_id, w.claim_id, w.id
            FROM waiting w JOIN free f ON f.id = w.comparison_id AND f.line = w.line
            """,
            [pair_ids],
        )


def close_full_draws(pair_ids: list[int]) -> None:
    """Close the draws of those of the locked pairs of which no comparison has a free seat."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE annotate_draw SET open = false WHERE pair_id = ANY (%(pairs)s) AND open"
            f" AND pair_id NOT IN ({_HAS_FREE_SEAT})",
            {"pairs": pair_ids},
        )


def settle_pairs(project_id: int, pair_ids: list[int], *, opened: bool, wait: bool = False) -> list[int]:
    """After a decision about a criterion: close the draws of pairs that have no free seat any more, and draw none anew.

    `opened`: some of them have one now that they had not, so that a draw is appended for each that was drawn before.
    Pairs that somebody holds this instant are left, and returned: a claim may hold one and wait for another, so that who
    held many and waited too could wait for ever. `wait` for them only where there is one.
    """
    _lock_streams(project_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM annotate_pair WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE"
            + ("" if wait else " SKIP LOCKED"),
            [pair_ids],
        )
        locked = [row[0] for row in cursor.fetchall()]
        left = sorted(set(pair_ids) - set(locked))
        pair_ids = locked
        cursor.execute(
            f"""
            WITH free AS MATERIALIZED ({_HAS_FREE_SEAT}), closed AS (
                UPDATE annotate_draw SET open = false
                WHERE pair_id = ANY (%(pairs)s) AND open AND pair_id NOT IN (SELECT pair_id FROM free)
            ), spared AS (
                UPDATE annotate_pair SET queued = true
                WHERE id = ANY (%(pairs)s) AND NOT queued AND id NOT IN (SELECT pair_id FROM free)
                RETURNING partition, ready
            )
            UPDATE annotate_stream s SET queued = s.queued + spared.n
            FROM (SELECT partition, count(*) AS n FROM spared WHERE ready GROUP BY partition) spared
            WHERE s.project_id = %(project)s AND s.partition = spared.partition
            """,
            {"pairs": pair_ids, "project": project_id},
        )
    if opened:  # pairs that were never drawn come up by themselves
        queued = Pair.objects.filter(pk__in=pair_ids, queued=True).values_list("pk", flat=True)
        open_pairs(project_id, list(queued), Route.REOPENED)
    return left


def _append_draws(project_id: int, draws: "list[_Place]") -> None:
    """Append draws at the end of the queue, as one epoch. Takes the draw lock last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_DRAW_LOCK_SPACE, project_id])
        cursor.execute(
            "SELECT COALESCE((SELECT epoch FROM annotate_draw WHERE project_id = %s ORDER BY id DESC LIMIT 1), 0)",
            [project_id],
        )
        epoch = cursor.fetchone()[0] + 1
    Draw.objects.bulk_create(
        [
            Draw(
                project_id=project_id,
                route=route,
                epoch=epoch,
                pos=pos,
                pair_id=pair,
                q=q,
                pool_size=pool,
                policy=policy,
            )
            for pos, (route, pair, q, pool, policy) in enumerate(draws)
        ],
        batch_size=5000,
    )


def interleave(want: int, train: int, kept: int, kept_share: float) -> list[bool]:
    """The order of the next draws: True where a kept pair (reserve, validation) is asked, False for train.

    The share of kept ones is held at every prefix as exactly as whole numbers allow; when one side runs out,
    the other goes on alone.
    """
    order: list[bool] = []
    used = [0, 0]
    while len(order) < want and (used[0] < train or used[1] < kept):
        behind = used[1] + 1 <= kept_share * (len(order) + 1) + 1e-9
        pick_kept = used[1] < kept and (behind or used[0] >= train)
        used[pick_kept] += 1
        order.append(pick_kept)
    return order


def fill_queue(project_id: int, want: int) -> int:
    """Append up to `want` draws of pairs that were never drawn, and return how many.

    Whoever may judge them: see `_fill`.
    """
    return len(_fill(project_id, want))


def fill_lines(project_id: int, needs: Sequence[int], want: int) -> int:
    """Append draws until `want` of them are of pairs of these needs, or no such pair is left. Returns how many in all.

    All pairs that were never drawn take part as ever, so that who is here now has no say in which pair comes when, and each
    q is that of its pair. Where few of them are of these needs, many are drawn to find some: no more than MOST_AT_ONCE now.
    """
    appended = found = 0
    chunk = want
    while found < want and appended < MOST_AT_ONCE and needs and undrawn(needs):
        drawn = _fill(project_id, min(chunk, MOST_AT_ONCE - appended))
        if not drawn:
            break
        appended += len(drawn)
        found += Pair.objects.filter(pk__in=drawn, need__in=needs).count()
        chunk = (want - found) * appended // found + 1 if found else 2 * chunk
    return appended


@transaction.atomic
def _fill(project_id: int, want: int) -> list[int]:
    """Append up to `want` draws of pairs that were never drawn, and return their pairs.

    Train pairs are drawn uniformly without replacement: in the order of their salted hash, each with
    q = 1 / (pairs left). Reserve and validation come in hash order at the project's own share.
    """
    streams = _lock_streams(project_id)
    train_left, kept_left = _left(streams)
    order = interleave(want, train_left, kept_left, _kept_share(project_id))
    kept = _next_kept(project_id, streams, sum(order))
    train = _next_pairs(project_id, Partition.TRAIN, len(order) - sum(order))

    # In the order asked for; where locked pairs left one side short, the other side closes up.
    draws: list[_Place] = []
    kept_pairs, train_pairs = iter(kept), enumerate(train)
    for is_kept in order:
        if is_kept:
            if (found := next(kept_pairs, None)) is not None:
                draws.append((Route.RESERVE, found, None, None, ""))
        elif (numbered := next(train_pairs, None)) is not None:
            pool = train_left - numbered[0]
            draws.append((Route.UNIFORM, numbered[1][1], 1 / pool, pool, BY_CHANCE))
    _queue_up(project_id, draws)
    return [pair_id for _, pair_id, *_ in draws]


class PoolChanged(Exception):
    """A pair was drawn since the pool was looked at: what was chosen from it has other probabilities by now."""


@dataclass(frozen=True, slots=True)
class ChosenPair:
    """A train pair that a sampler drew, by which route, with its probability given those drawn before it."""

    route: Route
    pair_id: int
    q: float
    pool_size: int
    policy: str = ""


@transaction.atomic
def append_epoch(project_id: int, *, want: int, drawn: int, chosen: Sequence[ChosenPair]) -> int:
    """Append up to `want` draws, train pairs as a sampler chose them and kept ones at their share between them.

    As many of `chosen` as are needed are taken, from the first on. `drawn` is how many train pairs had been drawn
    when the sampler looked at its pool. Returns how many draws were appended.

    Raises:
        PoolChanged: others were drawn since, or a pair is not one that may be chosen. Nothing was appended.
    """
    streams = _lock_streams(project_id)
    train = streams.get(Partition.TRAIN)
    if train is None or train.queued != drawn:
        raise PoolChanged("The queue has grown since the pool was frozen.")
    train_left, kept_left = _left(streams)
    order = interleave(want, train_left, kept_left, _kept_share(project_id))
    used = list(chosen[: len(order) - sum(order)])
    _lock_choosable(project_id, [pair.pair_id for pair in used])

    kept = iter(_next_kept(project_id, streams, sum(order)))
    pairs = iter(used)
    draws: list[_Place] = []
    for is_kept in order:
        if is_kept:
            if (found := next(kept, None)) is not None:
                draws.append((Route.RESERVE, found, None, None, ""))
        elif (pair := next(pairs, None)) is not None:
            draws.append((pair.route, pair.pair_id, pair.q, pair.pool_size, pair.policy))
        else:
            break  # the sampler's pool is used up, the stream is not: kept pairs keep their share
    _queue_up(project_id, draws)
    return len(draws)


def _lock_choosable(project_id: int, pair_ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM annotate_pair
            WHERE id = ANY (%s) AND project_id = %s AND partition = 'train' AND ready AND NOT queued
            ORDER BY id FOR NO KEY UPDATE
            """,
            [pair_ids, project_id],
        )
        if len(cursor.fetchall()) != len(pair_ids):
            raise PoolChanged("Not all of the chosen pairs may be drawn.")


# Route, pair, q, pool size and policy of a draw to be.
_Place = tuple[Route, int, float | None, int | None, str]


def _lock_streams(project_id: int) -> dict[str, Stream]:
    """Nobody else lets the project's queue grow until the transaction ends."""
    locked = Stream.objects.select_for_update(no_key=True).filter(project_id=project_id)
    return {stream.partition: stream for stream in locked.order_by("partition")}


def _left(streams: dict[str, Stream]) -> tuple[int, int]:
    """Undrawn pairs of train, and of reserve and validation together."""
    left = {name: stream.total - stream.queued for name, stream in streams.items()}
    train = left.get(Partition.TRAIN, 0)
    return train, sum(left.values()) - train


def _kept_share(project_id: int) -> float:
    share: float = Project.objects.values_list("reserve_claim_share", flat=True).get(pk=project_id)
    return share


def _next_kept(project_id: int, streams: dict[str, Stream], count: int) -> list[int]:
    """The next `count` pairs of reserve and validation in hash order, locked."""
    found: list[tuple[int, int]] = []
    for name in (Partition.RESERVE, Partition.VALIDATION):
        if name in streams and (some := min(streams[name].total - streams[name].queued, count)):
            found += _next_pairs(project_id, name, some)
    return [pair_id for _, pair_id in sorted(found)[:count]]


def _queue_up(project_id: int, draws: list[_Place]) -> None:
    """Append draws of locked pairs that were never drawn; the streams are locked and count them."""
    if not draws:
        return
    drawn = [pair_id for _, pair_id, *_ in draws]
    Pair.objects.filter(pk__in=drawn).update(queued=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE annotate_stream s SET queued = queued + drawn.n
            FROM (SELECT partition, count(*) AS n FROM annotate_pair WHERE id = ANY (%s) GROUP BY 1) drawn
            WHERE s.project_id = %s AND s.partition = drawn.partition
            """,
            [drawn, project_id],
        )
    _append_draws(project_id, draws)


def _next_pairs(project_id: int, partition: Partition, count: int) -> list[tuple[int, int]]:
    """(shuffle, id) of the next visible undrawn pairs of a partition whose media are prepared, locked."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT p.shuffle, p.id FROM annotate_pair p
            WHERE p.project_id = %s AND p.partition = %s AND NOT p.queued AND p.ready
              AND {visible("p")}
            ORDER BY p.shuffle LIMIT %s FOR NO KEY UPDATE OF p SKIP LOCKED
            """,
            [project_id, partition, count],
        )
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Depth:
    """Of the active annotators of a project who may judge pairs of the same needs: how many draws should stand ready
    before the one who is furthest ahead, and how many do."""

    project_id: int
    wanted: int
    ready: int
    needs: tuple[int, ...]


def queue_depths(project_id: int | None = None) -> list[Depth]:
    """Of each open project that somebody works on, or of one of them. Simulated annotators wait for nobody.

    Those for whom no pair is left to be drawn are left out: a pool that nobody is in, or that is done, wants nothing.
    """
    active = Annotator.objects.filter(project__state=ProjectState.OPEN, seen_at__gt=timezone.now() - ACTIVE)
    active = active.exclude(user__simulated=True)
    if project_id is not None:
        active = active.filter(project=project_id)
    projects = dict(active.values_list("pk", "project_id"))
    together: dict[tuple[int, tuple[int, ...]], list[dict[int, int]]] = {}
    for annotator, lines in lines_of(list(projects)).items():
        if lines and annotator in projects:
            together.setdefault((projects[annotator], tuple(lines)), []).append(lines)
    depths = []
    for (project, needs), all_lines in sorted(together.items()):
        furthest = {need: max(lines[need] for lines in all_lines) for need in needs}
        wanted = READY_PER_ANNOTATOR * len(all_lines)
        if undrawn(needs):
            depths.append(Depth(project, wanted, draws_ahead(furthest, wanted), needs))
    return depths


def top_up_queues() -> int:
    """Keep every open project's queue ahead of its active annotators by uniform draws. Returns the draws appended.

    Short, so that a sampler that knows better is never more than a few minutes of work behind. Where one is at work
    it goes first: only a queue that it lets run low is filled, and no further than that.
    """
    sampled = set(
        Project.objects.exclude(sampling=Sampling.UNIFORM)
        .filter(
            revisions__state=RevisionState.READY,
            revisions__promoted_at__isnull=False,
            revisions__scored_at__isnull=False,
        )
        .values_list("pk", flat=True)
    )
    appended = 0
    for depth in queue_depths():
        wanted = depth.wanted // LOW if depth.project_id in sampled else depth.wanted
        if depth.ready < wanted:
            appended += fill_lines(depth.project_id, depth.needs, wanted - depth.ready)
    return appended
