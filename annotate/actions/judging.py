"""Submitting judgments, revising them and taking them back. Nothing that was acknowledged is ever changed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from annotate.actions.queue import (
    Conflict,
    close_claim,
    close_full_draws,
    lock_claim,
    open_pairs,
)
from annotate.models import (
    Annotator,
    Authoring,
    Claim,
    Comparison,
    Criterion,
    Judgment,
    Outcome,
    Project,
    Route,
    Seat,
    Verdict,
)

MAX_CRITERION = 500  # characters
MAX_RATIONALE = 10_000
MAX_ANSWERS = 100

Shown = Literal["a", "b", "tie", "cannot_tell", "media_broken"]


class Invalid(Exception):
    """An answer is not acceptable. `field` names it as in the request: answers[1].strength."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


@dataclass(frozen=True)
class Answer:
    """One verdict as the page tells it: by the sides shown. Either `comparison` or `criterion` is given."""

    id: UUID
    verdict: Shown
    comparison: int | None = None
    criterion: str = ""
    strength: int | None = None
    tie_kind: str = ""
    broken: Literal["", "a", "b", "prompt"] = ""
    rationale: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    supersedes: UUID | None = None


@dataclass(frozen=True)
class Receipt:
    """What is now stored: the ids of the answers, and whether they came after the lease had ended."""

    saved: list[UUID]
    late: bool
    judged_pairs: int


def text_key(text: str) -> bytes:
    """Identity of a criterion: its text with case and white space folded, hashed (32 bytes)."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).digest()


def response_shown(side: str, flip: bool) -> str:
    """The response that stands on side "a" or "b"."""
    return "response1" if (side == "a") != flip else "response2"


def _validate(project: Project, answers: Sequence[Answer]) -> None:
    if not answers:
        raise Invalid("answers", "Nothing to submit: judge at least one criterion, or skip the pair.")
    if len(answers) > MAX_ANSWERS:
        raise Invalid("answers", f"At most {MAX_ANSWERS} answers at once.")
    if len({answer.id for answer in answers}) < len(answers):
        raise Invalid("answers", "Two answers carry the same id.")
    strengths = {3: set[int](), 5: {2, 3}, 7: {1, 2, 3}}[project.scale]
    targets: set[object] = set()
    for index, answer in enumerate(answers):
        where = f"answers[{index}]"
        target = answer.comparison if answer.comparison is not None else text_key(answer.criterion)
        if target in targets:
            raise Invalid(where, "This criterion is judged twice in one submission.")
        targets.add(target)
        if answer.verdict in ("a", "b"):
            if project.scale == 3 and answer.strength is not None:
                raise Invalid(f"{where}.strength", "This project's scale has no strength.")
            if project.scale != 3 and answer.strength not in strengths:
                raise Invalid(f"{where}.strength", f"Give one of {sorted(strengths)}.")
        elif answer.strength is not None:
            raise Invalid(f"{where}.strength", f"A verdict {answer.verdict!r} has no strength.")
        if (
            answer.verdict == "tie"
            and project.split_ties
            and answer.tie_kind not in ("both_good", "both_bad")
        ):
            raise Invalid(f"{where}.tie_kind", "Say whether both are good or both are bad.")
        if answer.tie_kind and (answer.verdict != "tie" or not project.split_ties):
            raise Invalid(f"{where}.tie_kind", "Only a tie is both good or both bad, where the project asks.")
        if (answer.verdict == "media_broken") != bool(answer.broken):
            raise Invalid(
                f"{where}.broken", "Name the broken side with the verdict media_broken, and only then."
            )
        if answer.comparison is None:
            if project.authoring == Authoring.OFF:
                raise Invalid(f"{where}.criterion", "This project takes no criteria of annotators.")
            if not answer.criterion.strip():
                raise Invalid(f"{where}.criterion", "Write the criterion, or name a comparison.")
            if len(answer.criterion) > MAX_CRITERION:
                raise Invalid(f"{where}.criterion", f"At most {MAX_CRITERION} characters.")
        if len(answer.rationale) > MAX_RATIONALE:
            raise Invalid(f"{where}.rationale", f"At most {MAX_RATIONALE} characters.")


def _row(answer: Answer, claim: Claim) -> dict[str, Any]:
    """The judgment's fields that the answer determines, sides turned into responses."""
    sided = answer.verdict in ("a", "b")
    return {
        "verdict": response_shown(answer.verdict, claim.flip) if sided else answer.verdict,
        "strength": answer.strength,
        "tie_kind": answer.tie_kind,
        "broken": response_shown(answer.broken, claim.flip) if answer.broken in ("a", "b") else answer.broken,
        "rationale": answer.rationale,
        "evidence": answer.evidence,
    }


@transaction.atomic
def submit(
    *, annotator: Annotator, claim_id: UUID, answers: Sequence[Answer], seconds: float | None = None
) -> Receipt:
    """Store the answers of a claim and end it; seats it leaves unjudged are given back.

    The same answers sent again are acknowledged again and stored once. An answer on a comparison that this
    claim judged before is a revision and must name the head it supersedes. Answers to a claim whose lease has
    ended are kept as late: each takes a free seat or waits for one.

    Raises:
        Invalid: an answer breaks the project's rules; nothing is stored.
        Conflict: `answer_changed` (an id is stored with other content) or `fork` (a stale `supersedes`).
        Unknown: no such claim of this annotator.
    """
    project = annotator.project
    _validate(project, answers)
    claim = lock_claim(annotator, claim_id)
    known = _stored([answer.id for answer in answers])
    fresh = [(index, answer) for index, answer in enumerate(answers) if answer.id not in known]
    for answer in answers:
        if stored := known.get(answer.id):
            _same_or_conflict(stored, answer, claim)
    late = claim.expires_at < timezone.now() or claim.outcome in (Outcome.EXPIRED, Outcome.RELEASED)
    ends = bool(fresh) and claim.outcome != Outcome.SUBMITTED
    if fresh:
        _store(project, claim, fresh, late, seconds)
    if ends:
        _require_own_criterion(project, claim)
        close_claim(claim, Outcome.SUBMITTED)
    return Receipt([answer.id for answer in answers], late, _count_pair(annotator, 1 if ends else 0))


def _stored(ids: list[UUID]) -> dict[UUID, Judgment]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM annotate_judgment WHERE id = ANY (%s)", [ids])
        return Judgment.objects.in_bulk(ids) if cursor.fetchone()[0] else {}


def _count_pair(annotator: Annotator, change: int) -> int:
    """The annotator's count of judged pairs after the change."""
    with connection.cursor() as cursor:
        if change:
            cursor.execute(
                "UPDATE annotate_annotator SET judged_pairs = judged_pairs + %s WHERE id = %s RETURNING judged_pairs",
                [change, annotator.pk],
            )
        else:
            cursor.execute("SELECT judged_pairs FROM annotate_annotator WHERE id = %s", [annotator.pk])
        count: int = cursor.fetchone()[0]
    return count


def _same_or_conflict(stored: Judgment, answer: Answer, claim: Claim) -> None:
    same = stored.claim_id == claim.pk and all(
        getattr(stored, name) == value for name, value in _row(answer, claim).items()
    )
    if same and answer.comparison is not None:
        same = stored.comparison_id == answer.comparison
    if not same:
        raise Conflict("answer_changed", f"Answer {answer.id} is stored with other content. Make a new id.")


@dataclass(frozen=True)
class _Target:
    """A comparison that an answer is about, with the annotator's head on it."""

    comparison_id: int
    authored: bool
    head: UUID | None


# IS TRUE hides the annotator from the planner, who might else read all their judgments; see _OPEN_TO_ME.
_TARGETS = """
    SELECT c.id, c.author_id IS NOT DISTINCT FROM %(annotator)s, h.id
    FROM annotate_comparison c
    LEFT JOIN annotate_judgment h ON h.comparison_id = c.id AND (h.annotator_id = %(annotator)s) IS TRUE
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = h.id)
    WHERE c.pair_id = %(pair)s AND (c.id = ANY (%(offered)s) OR c.author_id = %(annotator)s)
"""

_INSERT = """
    INSERT INTO annotate_judgment (id, claim_id, annotator_id, comparison_id, supersedes_id, verdict, strength,
                                   tie_kind, broken, rationale, evidence, late, authored, seconds, created_at)
    VALUES (%(id)s, %(claim)s, %(annotator)s, %(comparison)s, %(supersedes)s, %(verdict)s, %(strength)s,
            %(tie_kind)s, %(broken)s, %(rationale)s, %(evidence)s, %(late)s, %(authored)s, %(seconds)s, %(now)s)
"""


def _targets(claim: Claim, named: list[int]) -> dict[int, _Target]:
    """The comparisons that this claim may judge: those offered, those its annotator wrote and those `named`.

    `named`: by the text of a criterion, which may be one of this pair already, written by somebody else.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _TARGETS,
            {"annotator": claim.annotator_id, "pair": claim.pair_id, "offered": claim.comparison_ids + named},
        )
        return {row[0]: _Target(*row) for row in cursor.fetchall()}


def _store(
    project: Project, claim: Claim, fresh: list[tuple[int, Answer]], late: bool, seconds: float | None
) -> None:
    wanted: list[tuple[int, Answer]] = []
    named: list[int] = []
    opened = False
    for _, answer in fresh:
        if answer.comparison is None:
            comparison, created = _author(project, claim, answer.criterion)
            opened |= created and comparison.k > 1
            named.append(comparison.pk)
            wanted.append((comparison.pk, answer))
        else:
            wanted.append((answer.comparison, answer))
    targets = _targets(claim, named)
    heads: dict[int, UUID] = {}
    rows = []
    now = timezone.now()
    for (index, _), (comparison_id, answer) in zip(fresh, wanted, strict=True):
        target = targets.get(comparison_id)
        if target is None:
            raise Invalid(f"answers[{index}].comparison", "This comparison is not part of the claim.")
        if comparison_id in heads:
            raise Invalid(f"answers[{index}]", "This criterion is judged twice in one submission.")
        if answer.supersedes != target.head:
            raise Conflict(
                "fork",
                "This comparison has a newer answer of yours than the one you saw. Reload the pair and look again.",
            )
        heads[comparison_id] = answer.id
        rows.append(
            {
                **_row(answer, claim),
                "id": answer.id,
                "claim": claim.pk,
                "annotator": claim.annotator_id,
                "comparison": comparison_id,
                "supersedes": target.head,
                "evidence": Jsonb(answer.evidence),
                "late": late,
                "authored": target.authored,
                "seconds": seconds,
                "now": now,
            }
        )
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, rows)
    _seat(claim, heads)
    if opened:
        open_pairs(project.pk, [claim.pair_id], Route.AUTHORED)


def _seat(claim: Claim, heads: dict[int, UUID]) -> None:
    """Make the judgments heads of the annotator's seats; where it has none, of a free one if there is.

    `heads`: comparison -> judgment.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE annotate_seat s SET head_id = fresh.head
            FROM unnest(%s::bigint[], %s::uuid[]) AS fresh (comparison, head)
            WHERE s.comparison_id = fresh.comparison AND s.annotator_id = %s
            RETURNING s.comparison_id
            """,
            [list(heads), list(heads.values()), claim.annotator_id],
        )
        seated = {row[0] for row in cursor.fetchall()}
        unseated = [comparison for comparison in heads if comparison not in seated]
        if not unseated:
            return
        cursor.execute(
            """
            INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, claim_id, head_id)
            SELECT c.id, free.n, c.k, %s, %s, fresh.head
            FROM unnest(%s::bigint[], %s::uuid[]) AS fresh (comparison, head)
            JOIN annotate_comparison c ON c.id = fresh.comparison
            JOIN LATERAL (
                SELECT min(place) AS n FROM generate_series(1, c.k) place
                WHERE NOT EXISTS (SELECT FROM annotate_seat s WHERE s.comparison_id = c.id AND s.n = place)
            ) free ON free.n IS NOT NULL
            """,
            [claim.annotator_id, claim.pk, unseated, [heads[c] for c in unseated]],
        )
    close_full_draws(claim.pair_id)


def _author(project: Project, claim: Claim, text: str) -> tuple[Comparison, bool]:
    """The comparison of this pair by a criterion that the annotator wrote, made if it is new.

    The text may be one that the project has already: then it is that criterion, or the one it was merged into.
    """
    text = " ".join(text.split())
    key = text_key(text)
    Criterion.objects.bulk_create(
        [Criterion(project=project, text=text, text_key=key, author=claim.annotator)], ignore_conflicts=True
    )
    criterion = Criterion.objects.select_related("canonical").get(project=project, text_key=key)
    return Comparison.objects.get_or_create(
        pair_id=claim.pair_id,
        criterion=criterion.canonical or criterion,
        defaults={"k": project.authored_k, "author": claim.annotator},
    )


def _require_own_criterion(project: Project, claim: Claim) -> None:
    if project.authoring == Authoring.REQUIRED and not (
        Judgment.objects.filter(claim=claim, authored=True).exists()
    ):
        raise Invalid("answers", "This project asks for at least one criterion of your own for each pair.")


@transaction.atomic
def undo(*, annotator: Annotator, claim_id: UUID, undo_id: UUID) -> Claim:
    """Take a submitted pair back to judge it again: its answers are superseded by retracted ones.

    The annotator keeps the seats, without heads, for another lease. `undo_id` is made by the client; the same
    one again changes nothing.

    Raises:
        Conflict: the claim was not submitted, so there is nothing to take back.
    """
    claim = lock_claim(annotator, claim_id)
    heads = list(Judgment.objects.filter(claim=claim, superseded_by__isnull=True))
    if any(uuid5(undo_id, str(head.supersedes_id)) == head.pk for head in heads):
        return claim
    if claim.outcome != Outcome.SUBMITTED:
        raise Conflict("not_submitted", "Only a submitted pair can be taken back.")
    now = timezone.now()
    Seat.objects.filter(head__in=heads).update(head=None, claim=claim)
    Judgment.objects.bulk_create(
        [
            Judgment(
                id=uuid5(undo_id, str(head.pk)),
                claim=claim,
                annotator=annotator,
                comparison_id=head.comparison_id,
                supersedes=head,
                verdict=Verdict.RETRACTED,
                authored=head.authored,
                created_at=now,
            )
            for head in heads
            if head.verdict != Verdict.RETRACTED
        ]
    )
    claim.outcome, claim.closed_at = Outcome.HELD, None
    claim.expires_at = now + timedelta(minutes=annotator.project.lease_minutes)
    claim.save(update_fields=["outcome", "closed_at", "expires_at"])
    _count_pair(annotator, -1)
    return claim
