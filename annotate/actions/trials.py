"""Training and quiz: what an annotator goes through before their first pair, where the project wants it.

They are gone through one after the other, each pair in its place, under the lock on the annotator's row: whatever is
sent twice or from two tabs is decided once. Nothing said here is a label.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.people import annotator_for
from annotate.models import (
    Annotator,
    Claim,
    KnownKind,
    Membership,
    Pair,
    Project,
    Qualification,
    Trial,
    TrialPart,
    TrialResult,
    User,
    WayIn,
)
from annotate.models.gold import Gold
from annotate.models.trials import MAX_LET_IN
from annotate.qualifications import attempts_left, in_set, last_attempt, may_try_at, needed_of, result_told
from annotate.visible import visible

MAX_SET = 200  # pairs of a training set or quiz


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: a claim; nothing before what is held was answered (`full`); nothing now (`told` why); or, where
    none of these is there, the annotator is in.
    """

    claim: Claim | None = None
    full: bool = False
    told: str = ""


def next_step(annotator: Annotator, claim_id: UUID, now: datetime, expires: datetime) -> Step:
    """Go on with the annotator's training or quiz; their row is locked, and they are not in yet."""
    project = Project.objects.get(pk=annotator.project_id)
    state, _made = Qualification.objects.get_or_create(
        annotator=annotator, round=project.qualify_round, defaults={"begun_at": now}
    )
    while state.passed_at is None:
        trial = Trial.objects.filter(qualification=state, ended_at__isnull=True).first()
        if trial is None:
            if state.trained_at and (told := _not_yet(project, state, now)):
                return Step(told=told)
            trial = _begin(project, state, now)
        if trial is None:
            _pass_empty(state, now)
            continue
        if claim := _next_of(trial, annotator, claim_id, now, expires):
            return Step(claim)
        if trial.claims.filter(closed_at__isnull=True, expires_at__gt=now).exists():
            return Step(full=True)
        _end(state, trial, now)
    return Step()


def _not_yet(project: Project, state: Qualification, now: datetime) -> str:
    """Why the quiz cannot be begun now, in words for the annotator; empty: it can."""
    last = last_attempt(state)
    if last is None:
        return ""
    told = result_told(last)
    left = attempts_left(project, state)
    if left == 0:
        return " ".join(
            [
                told,
                _(
                    "That was the last attempt, so there are no pairs of this project for you now. It says nothing"
                    " about you: the quiz asks for this project's own rules. If you think that something went wrong,"
                    " write to those who invited you: they can let you in."
                ),
            ]
        )
    at = may_try_at(project, last)
    if at <= now:
        return ""
    minutes = math.ceil((at - now) / timedelta(minutes=1))
    if minutes < 120:
        again = ngettext(
            "You may try again in %(n)s minute.", "You may try again in %(n)s minutes.", minutes
        ) % {"n": minutes}
    else:
        hours = math.ceil(minutes / 60)
        again = ngettext("You may try again in %(n)s hour.", "You may try again in %(n)s hours.", hours) % {
            "n": hours
        }
    return f"{told} {again}"


def _begin(project: Project, state: Qualification, now: datetime) -> Trial | None:
    """A new going through the set that is next, as it stands now; None: it has no pairs."""
    part = TrialPart.QUIZ if state.trained_at else TrialPart.TRAINING
    pairs = in_set(project, part)
    if not pairs:
        return None
    asked = sum(pairs.values())
    before = state.trials.filter(part=part).order_by("-number").values_list("number", flat=True).first() or 0
    needed = needed_of(project, asked) if part == TrialPart.QUIZ else 0
    return Trial.objects.create(
        qualification=state,
        part=part,
        number=before + 1,
        pair_ids=list(pairs),
        asked=asked,
        needed=needed,
        begun_at=now,
    )


def _pass_empty(state: Qualification, now: datetime) -> None:
    """A set without pairs asks nothing."""
    if state.trained_at is None:
        state.trained_at = now
        state.save(update_fields=["trained_at"])
    else:
        _let_through(state, WayIn.TRAINED, now)


def _let_through(state: Qualification, way: WayIn, now: datetime) -> None:
    state.passed_at, state.way = now, way
    state.save(update_fields=["passed_at", "way"])


# The first pair of a trial that is neither held nor answered. What was taken out of the set meanwhile is passed over.
_NEXT = f"""
    INSERT INTO annotate_claim (id, pair_id, annotator_id, comparison_ids, flip, kind, trial_id,
                                created_at, expires_at, outcome, skip_reason, note)
    SELECT %(claim)s, p.id, %(annotator)s, known.ids, random() < 0.5, %(part)s, %(trial)s, %(now)s, %(expires)s, '', '', ''
    FROM unnest(%(pairs)s::bigint[]) WITH ORDINALITY AS of_set (pair_id, place)
    JOIN annotate_pair p ON p.id = of_set.pair_id AND p.ready
    CROSS JOIN LATERAL (
        SELECT array_agg(c.id ORDER BY c.id) AS ids
        FROM annotate_comparison c JOIN annotate_gold g ON g.comparison_id = c.id AND g.kind = %(part)s
        WHERE c.pair_id = p.id AND {visible("g")}) known
    WHERE known.ids IS NOT NULL
      AND NOT EXISTS (SELECT FROM annotate_claim l WHERE l.trial_id = %(trial)s AND l.pair_id = p.id
                        AND (l.outcome IN ('submitted', 'skipped') OR l.closed_at IS NULL AND l.expires_at > %(now)s))
    ORDER BY of_set.place LIMIT 1
    RETURNING id
"""


def _next_of(
    trial: Trial, annotator: Annotator, claim_id: UUID, now: datetime, expires: datetime
) -> Claim | None:
    with connection.cursor() as cursor:
        cursor.execute(
            _NEXT,
            {
                "claim": claim_id,
                "annotator": annotator.pk,
                "part": trial.part,
                "trial": trial.pk,
                "pairs": trial.pair_ids,
                "now": now,
                "expires": expires,
            },
        )
        if cursor.fetchone() is None:
            return None
    Annotator.objects.filter(pk=annotator.pk).update(seen_at=now)
    claim = Claim.objects.get(pk=claim_id)
    claim.annotator = annotator
    return claim


# Of the known answers of a trial's pairs those that were given, and those given otherwise. Only an opinion on what was
# seen as a whole is right or wrong; of several to one comparison, as a lease had ended between, the first holds.
_GRADES = f"""
    SELECT count(*) FILTER (WHERE said.verdict = g.verdict),
           count(*) FILTER (WHERE said.verdict <> g.verdict)
    FROM annotate_comparison c
    JOIN annotate_gold g ON g.comparison_id = c.id AND g.kind = %(part)s AND {visible("g")}
    CROSS JOIN LATERAL (
        SELECT j.verdict FROM annotate_claim l JOIN annotate_judgment j ON j.claim_id = l.id AND j.comparison_id = c.id
        WHERE l.trial_id = %(trial)s AND l.pair_id = c.pair_id AND j.verdict IN ('response1', 'response2', 'tie')
          AND (j.evidence->'viewing'->'failed') IS NULL
        ORDER BY j.created_at, j.id LIMIT 1) said
    WHERE c.pair_id = ANY (%(pairs)s)
"""


def _end(state: Qualification, trial: Trial, now: datetime) -> None:
    """Every pair of the trial was answered or skipped: say what came of it, and let in who passed."""
    with connection.cursor() as cursor:
        cursor.execute(_GRADES, {"part": trial.part, "trial": trial.pk, "pairs": trial.pair_ids})
        trial.right, trial.wrong = cursor.fetchone()
    if trial.part == TrialPart.TRAINING:
        trial.result = TrialResult.DONE
    elif trial.right >= trial.needed:
        trial.result = TrialResult.PASSED
    elif trial.asked - trial.wrong >= trial.needed:
        trial.result = TrialResult.VOID  # what could not be answered might have been right
    else:
        trial.result = TrialResult.FAILED
    trial.ended_at = now
    trial.save(update_fields=["right", "wrong", "result", "ended_at"])
    if trial.part == TrialPart.TRAINING:
        state.trained_at = now
        state.save(update_fields=["trained_at"])
    elif trial.result == TrialResult.PASSED:
        _let_through(state, WayIn.QUIZ, now)


def may_be_answered(claim: Claim) -> bool:
    """Whether answers to a locked claim of training or quiz are still taken: what was submitted stands."""
    return claim.trial_id is None or claim.outcome != "submitted"


@transaction.atomic
def mark_read(*, annotator: Annotator, claim_id: UUID, now: datetime) -> None:
    """The annotator has gone on from what they were told about a training pair. Once more changes nothing."""
    Claim.objects.filter(
        pk=claim_id, annotator=annotator, kind=KnownKind.TRAINING, outcome="submitted", read_at__isnull=True
    ).update(read_at=now)


def _state_of(project: Project, user: User, now: datetime) -> Qualification:
    """The state of a member in the round of now, with the annotator's row locked."""
    annotator = annotator_for(user, project)
    Annotator.objects.select_for_update(no_key=True).get(pk=annotator.pk)
    current = Project.objects.values_list("qualify_round", flat=True).get(pk=project.pk)
    state, _made = Qualification.objects.get_or_create(
        annotator=annotator, round=current, defaults={"begun_at": now}
    )
    return state


@transaction.atomic
def let_in(*, by: User | None, membership: Membership, reason: str, now: datetime) -> bool:
    """Let a member begin without the training and quiz of this round, or without what is left of them. False: they are in.

    The audit row names the membership and not the pseudonym: the trail must not tie accounts to pseudonyms.

    Raises:
        ValidationError: there is no reason, or it is too long.
    """
    project = membership.project
    require(by, Deed.MANAGE, project)
    reason = _reason(reason)
    state = _state_of(project, membership.user, now)
    if state.passed_at:
        return False
    state.passed_at, state.way, state.reason, state.let_in_by = now, WayIn.LET_IN, reason, by
    state.save(update_fields=["passed_at", "way", "reason", "let_in_by"])
    audit.record(by, "let in", membership, project, reason=reason)
    return True


def _reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": "Say why: others will want to know."})
    if len(reason) > MAX_LET_IN:
        raise ValidationError({"reason": f"At most {MAX_LET_IN} characters; these are {len(reason)}."})
    return reason


@transaction.atomic
def let_in_who_judged(*, by: User | None, project: Project, reason: str, now: datetime) -> int:
    """Let in everybody who has judged a pair here before: for a project that begins to train when it is at work.

    Returns how many were let in.
    """
    require(by, Deed.MANAGE, project)
    reason = _reason(reason)
    current = Project.objects.values_list("qualify_round", flat=True).get(pk=project.pk)
    judged = Annotator.objects.filter(project=project, user__isnull=False, judged_pairs__gt=0)
    # In one order, so that two who do this at once wait for each other.
    ids = list(judged.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
    there = {one.annotator_id: one for one in Qualification.objects.filter(annotator__in=ids, round=current)}
    given = {
        "passed_at": now,
        "way": WayIn.LET_IN,
        "reason": reason,
        "let_in_by": by,
    }
    Qualification.objects.bulk_create(
        [
            Qualification(annotator_id=pk, round=current, begun_at=now, **given)
            for pk in ids
            if pk not in there
        ]
    )
    waiting = [one.pk for one in there.values() if one.passed_at is None]
    Qualification.objects.filter(pk__in=waiting).update(**given)
    count = len(ids) - len(there) + len(waiting)
    if count:
        audit.record(by, "let in who judged", project, project, annotators=count, reason=reason)
    return count


@transaction.atomic
def forgive_attempts(*, by: User | None, membership: Membership, now: datetime) -> bool:
    """Give a member all attempts at the quiz anew, at once. False: there is nothing to forgive, or they are in."""
    project = membership.project
    require(by, Deed.MANAGE, project)
    state = _state_of(project, membership.user, now)
    last = state.trials.filter(part=TrialPart.QUIZ, ended_at__isnull=False).order_by("-number").first()
    if state.passed_at or last is None or last.number <= state.forgiven:
        return False
    state.forgiven = last.number
    state.save(update_fields=["forgiven"])
    audit.record(by, "forgive attempts", membership, project, attempts=last.number)
    return True


@transaction.atomic
def ask_again(*, by: User | None, project: Project) -> int:
    """Begin a new round: everybody goes through training and quiz again, from their next claim on. Returns its number."""
    require(by, Deed.MANAGE, project)
    Project.objects.filter(pk=project.pk).update(qualify_round=F("qualify_round") + 1)
    project.refresh_from_db(fields=["qualify_round"])
    audit.record(by, "begin round of training", project, project, round=project.qualify_round)
    return project.qualify_round


@transaction.atomic
def order_set(*, by: User | None, project: Project, part: str, pair_ids: list[int]) -> None:
    """Put the pairs of a set in this order. Who goes through it now ends in the order of before.

    Raises:
        ValidationError: these are not the pairs of the set, each once.
    """
    require(by, Deed.MANAGE, project)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    known = Gold.objects.filter(project=project, kind=part)
    if sorted(pair_ids) != sorted(set(known.values_list("comparison__pair_id", flat=True))):
        raise ValidationError("The set has changed meanwhile. Look at it again.")
    list(Pair.objects.filter(pk__in=pair_ids).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    for place, pair_id in enumerate(pair_ids, 1):
        known.filter(comparison__pair=pair_id).update(place=place)
    audit.record(by, "order set", project, project, part=part, pairs=pair_ids)
