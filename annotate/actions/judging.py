"""Submitting judgments, revising them and taking them back. Nothing that was acknowledged is ever changed."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.db.models import Case, F, When
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.types.json import Jsonb

from annotate import evidence
from annotate.actions.disagreement import ask_more
from annotate.actions.queue import (
    Conflict,
    close_full_draws,
    lock_annotator,
    lock_claim,
    open_pairs,
    require_not_paused,
)
from annotate.actions.trials import may_be_answered
from annotate.later import send_on_commit
from annotate.modalities import mesh
from annotate.models import (
    Annotator,
    Authoring,
    Claim,
    ClaimDraft,
    ClaimKind,
    Comparison,
    Criterion,
    CriterionState,
    Judgment,
    Modality,
    Outcome,
    Project,
    Route,
    Seat,
    Sharing,
    Verdict,
    Viewing,
)
from annotate.models.project import MAX_CRITERION
from annotate.prepared import prepared_cursor

MAX_RATIONALE = 10_000
MAX_ANSWERS = 100
MAX_DRAFT = 500_000  # characters of JSON

Shown = Literal["a", "b", "tie", "cannot_tell", "not_applicable", "media_broken"]


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
    tags: list[str] = field(default_factory=list)
    anchors: list[dict[str, Any]] = field(default_factory=list)
    viewing: dict[str, Any] = field(default_factory=dict)
    supersedes: UUID | None = None


@dataclass(frozen=True)
class Receipt:
    """What is now stored: the ids of the answers, and whether they came after the lease had ended."""

    saved: list[UUID]
    late: bool
    judged_pairs: int
    claim: Claim


@lru_cache(maxsize=1024)  # an import asks for the same few a million times
@lru_cache(maxsize=1024)  # an import asks for the same few, row after row
def text_key(text: str) -> bytes:
    """Identity of a criterion: its text with case and white space folded, hashed (32 bytes)."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).digest()


def response_shown(side: str, flip: bool) -> str:
    """The response that stands on side "a" or "b"."""
    return "response1" if (side == "a") != flip else "response2"


def _validate(project: Project, answers: Sequence[Answer]) -> None:
    if not answers:
        raise Invalid("answers", _("Nothing to submit: judge at least one criterion, or skip the pair."))
    if len(answers) > MAX_ANSWERS:
        raise Invalid("answers", _("At most %(most)s answers at once.") % {"most": MAX_ANSWERS})
    if len({answer.id for answer in answers}) < len(answers):
        raise Invalid("answers", _("Two answers carry the same id."))
    strengths = {3: set[int](), 5: {2, 3}, 7: {1, 2, 3}}[project.scale]
    targets: set[object] = set()
    for index, answer in enumerate(answers):
        where = f"answers[{index}]"
        target = answer.comparison if answer.comparison is not None else text_key(answer.criterion)
        if target in targets:
            raise Invalid(where, _("This criterion is judged twice in one submission."))
        targets.add(target)
        if answer.verdict in ("a", "b"):
            if project.scale == 3 and answer.strength is not None:
                raise Invalid(f"{where}.strength", _("This project's scale has no strength."))
            if project.scale != 3 and answer.strength not in strengths:
                raise Invalid(
                    f"{where}.strength", _("Give one of %(strengths)s.") % {"strengths": sorted(strengths)}
                )
        elif answer.strength is not None:
            raise Invalid(
                f"{where}.strength", _("A verdict %(verdict)s has no strength.") % {"verdict": answer.verdict}
            )
        if (
            answer.verdict == "tie"
            and project.split_ties
            and answer.tie_kind not in ("both_good", "both_bad")
        ):
            raise Invalid(f"{where}.tie_kind", _("Say whether both are good or both are bad."))
        if answer.tie_kind and (answer.verdict != "tie" or not project.split_ties):
            raise Invalid(
                f"{where}.tie_kind", _("Only a tie is both good or both bad, where the project asks.")
            )
        if (answer.verdict == "media_broken") != bool(answer.broken):
            raise Invalid(
                f"{where}.broken", _("Name the broken side with the verdict media_broken, and only then.")
            )
        if answer.comparison is None:
            if project.authoring == Authoring.OFF:
                raise Invalid(f"{where}.criterion", _("This project takes no criteria of annotators."))
            if not answer.criterion.strip():
                raise Invalid(f"{where}.criterion", _("Write the criterion, or name a comparison."))
            if len(answer.criterion) > MAX_CRITERION:
                raise Invalid(
                    f"{where}.criterion", _("At most %(most)s characters.") % {"most": MAX_CRITERION}
                )
        if len(answer.rationale) > MAX_RATIONALE:
            raise Invalid(f"{where}.rationale", _("At most %(most)s characters.") % {"most": MAX_RATIONALE})


def _row(answer: Answer, claim: Claim) -> dict[str, Any]:
    """The judgment's fields that the answer determines, sides turned into responses."""
    sided = answer.verdict in ("a", "b")
    names = {side: response_shown(side, claim.flip) for side in ("a", "b")}
    return {
        "verdict": response_shown(answer.verdict, claim.flip) if sided else answer.verdict,
        "strength": answer.strength,
        "tie_kind": answer.tie_kind,
        "broken": response_shown(answer.broken, claim.flip) if answer.broken in ("a", "b") else answer.broken,
        "rationale": answer.rationale,
        "tags": answer.tags,
        "evidence": evidence.kept(answer.anchors, answer.viewing, names),
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
    criteria = _hold_criteria(annotator, answers)
    lock_annotator(annotator)  # under which it is decided whether they count
    claim = lock_claim(annotator, claim_id)
    known, targets, counts = _look(claim, [answer.id for answer in answers])
    for answer in answers:
        if stored := known.get(answer.id):
            _same_or_conflict(stored, answer, claim)
    late = claim.expires_at < timezone.now() or claim.outcome in (Outcome.EXPIRED, Outcome.RELEASED)
    fresh = [(index, answer) for index, answer in enumerate(answers) if answer.id not in known]
    if fresh and not may_be_answered(claim):
        raise Conflict("answer_stands", _("What was answered in training and quiz stands."))
    if fresh:
        judged_pairs = _store(project, claim, fresh, criteria, targets, counts, late, seconds)
    else:
        judged_pairs = Annotator.objects.values_list("judged_pairs", flat=True).get(pk=annotator.pk)
    return Receipt([answer.id for answer in answers], late, judged_pairs, claim)


def _same_or_conflict(stored: Judgment, answer: Answer, claim: Claim) -> None:
    same = stored.claim_id == claim.pk and all(
        getattr(stored, name) == value for name, value in _row(answer, claim).items()
    )
    if same and answer.comparison is not None:
        same = stored.comparison_id == answer.comparison
    if not same:
        raise Conflict(
            "answer_changed",
            _("Answer %(id)s is stored with other content. Make a new id.") % {"id": answer.id},
        )


@dataclass(frozen=True)
class _Target:
    """A comparison that an answer is about, with the annotator's head on it."""

    comparison_id: int
    authored: bool
    head: UUID | None


# The comparisons that a claim may judge: those offered, those its annotator wrote and those named, which may have
# been written by somebody else. Each row tells how many of the answers are stored already, and whether their annotator
# is excluded from labels. IS TRUE hides the
# annotator from the planner, who might else read all their judgments; see _OPEN_TO_ME.
# What is said to a repeat is a chain of revisions of its own, beside that of the annotator's label; and of criteria
# that the annotator wrote only those written in this claim belong to it: the others would tell that it is one.
_LOOK = """
    SELECT stored.n, stored.excluded, c.id, c.author_id IS NOT DISTINCT FROM %(annotator)s, h.id
    FROM (SELECT count(*) AS n,
                 EXISTS (SELECT FROM annotate_exclusion WHERE annotator_id = %(annotator)s AND lifted_at IS NULL) AS excluded
          FROM annotate_judgment WHERE id = ANY (%(ids)s)) stored
    LEFT JOIN annotate_comparison c
         ON c.pair_id = %(pair)s AND (c.id = ANY (%(offered)s) OR CASE WHEN %(labels)s
             THEN c.author_id = %(annotator)s
             ELSE EXISTS (SELECT FROM annotate_judgment m WHERE m.claim_id = %(claim)s AND m.comparison_id = c.id) END)
    LEFT JOIN annotate_judgment h ON h.comparison_id = c.id AND (h.annotator_id = %(annotator)s) IS TRUE
         AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = h.id)
         AND CASE WHEN %(labels)s
             THEN (SELECT k.kind = 'label' FROM annotate_claim k WHERE k.id = h.claim_id) IS NOT FALSE
             ELSE h.claim_id = %(claim)s END
"""

# Everything that a submission writes, at once: the judgments, which become heads of the annotator's seats; and where
# it ends the claim, the claim, its seats that stay without a head, and the annotator's count.
_SETTLE = """
    WITH fresh AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(rows)s) AS r (
            id uuid, comparison bigint, supersedes uuid, verdict text, strength smallint, tie_kind text,
            broken text, rationale text, tags text[], evidence jsonb, authored boolean)
    ), stored AS (
        INSERT INTO annotate_judgment (id, claim_id, annotator_id, comparison_id, supersedes_id, verdict, strength,
                                       tie_kind, broken, rationale, tags, evidence, late, authored, seconds,
                                       created_at)
        SELECT id, %(claim)s, %(annotator)s, comparison, supersedes, verdict, strength,
               tie_kind, broken, rationale, tags, evidence, %(late)s, authored, %(seconds)s::float8, %(now)s
        FROM fresh
    ), seated AS (
        UPDATE annotate_seat s SET head_id = fresh.id FROM fresh
        WHERE %(counts)s AND s.comparison_id = fresh.comparison AND s.annotator_id = %(annotator)s
        RETURNING s.comparison_id
    ), given_back AS (
        DELETE FROM annotate_seat
        WHERE %(ends)s AND claim_id = %(claim)s AND head_id IS NULL
          AND comparison_id NOT IN (SELECT comparison FROM fresh)
        RETURNING comparison_id
    ), left_out AS (
        -- A label of before its annotator was excluded is revised: neither counts.
        DELETE FROM annotate_seat s USING fresh
        WHERE %(excluded)s AND s.comparison_id = fresh.comparison AND s.annotator_id = %(annotator)s
        RETURNING s.comparison_id
    ), closed AS (
        UPDATE annotate_claim SET closed_at = %(now)s, outcome = 'submitted', skip_reason = '', note = ''
        WHERE %(ends)s AND id = %(claim)s
    ), counted AS (
        UPDATE annotate_annotator
        SET judged_pairs = judged_pairs + 1,
            day_pairs = CASE WHEN day = (%(now)s AT TIME ZONE 'UTC')::date THEN day_pairs + 1
                             WHEN day > (%(now)s AT TIME ZONE 'UTC')::date THEN day_pairs ELSE 1 END,
            day = greatest(day, (%(now)s AT TIME ZONE 'UTC')::date)
        WHERE %(ends)s AND %(tallied)s AND id = %(annotator)s RETURNING judged_pairs
    ), forgotten AS (
        DELETE FROM annotate_claimdraft WHERE claim_id = %(claim)s
    )
    SELECT ARRAY(SELECT comparison_id FROM seated), EXISTS (SELECT FROM given_back) OR EXISTS (SELECT FROM left_out),
           COALESCE((SELECT judged_pairs FROM counted),
                    (SELECT judged_pairs FROM annotate_annotator WHERE id = %(annotator)s))
"""


def _look(
    claim: Claim, ids: list[UUID], named: Sequence[int] = ()
) -> tuple[dict[UUID, Judgment], dict[int, _Target], bool]:
    """Which of the answers are stored already, what the claim may judge, by comparison, and whether its answers count
    as labels.
    """
    names = {
        "annotator": claim.annotator_id,
        "pair": claim.pair_id,
        "claim": claim.pk,
        "labels": claim.kind == ClaimKind.LABEL,
        "ids": ids,
    }
    with prepared_cursor() as cursor:
        cursor.execute(_LOOK, {**names, "offered": [*claim.comparison_ids, *named]})
        rows = cursor.fetchall()
    stored = Judgment.objects.in_bulk(ids) if rows[0][0] else {}
    counts = claim.kind == ClaimKind.LABEL and not rows[0][1]
    return stored, {row[2]: _Target(*row[2:]) for row in rows if row[2] is not None}, counts


def _store(
    project: Project,
    claim: Claim,
    fresh: list[tuple[int, Answer]],
    criteria: dict[bytes, Criterion],
    targets: dict[int, _Target],
    counts: bool,
    late: bool,
    seconds: float | None,
) -> int:
    """Write the answers and what follows from them. Returns the annotator's count of judged pairs."""
    wanted: list[int] = []
    named: list[int] = []
    made = opened = False
    for index, answer in fresh:
        if answer.comparison is None:
            criterion = criteria[text_key(answer.criterion)]
            comparison, created = _author(project, claim, criterion, f"answers[{index}].criterion")
            made |= created
            opened |= (
                created and (comparison.k > 1 or not counts) and criterion.state == CriterionState.ACCEPTED
            )
            named.append(comparison.pk)
        wanted.append(named[-1] if answer.comparison is None else answer.comparison)
    if named:
        targets = _look(claim, [], named)[1]
        if made and sum(target.authored for target in targets.values()) > project.authored_most:
            most = {"most": project.authored_most}
            raise Invalid("answers", _("At most %(most)s criteria of your own for one pair.") % most)
    _require_places(claim, fresh)
    if project.viewing == Viewing.REQUIRE:
        _require_seen(project, claim, [answer for _, answer in fresh])
    rows: dict[int, dict[str, Any]] = {}
    for (index, answer), comparison_id in zip(fresh, wanted, strict=True):
        _require_offered(project, answer.tags, f"answers[{index}].tags")
        target = targets.get(comparison_id)
        if target is None:
            raise Invalid(f"answers[{index}].comparison", _("This comparison is not part of the claim."))
        if comparison_id in rows:
            raise Invalid(f"answers[{index}]", _("This criterion is judged twice in one submission."))
        if answer.supersedes != target.head:
            raise Conflict(
                "fork",
                _(
                    "This comparison has a newer answer of yours than the one you saw. Reload the pair and look again."
                ),
            )
        rows[comparison_id] = {
            **_row(answer, claim),
            "id": str(answer.id),
            "comparison": comparison_id,
            "supersedes": str(target.head) if target.head else None,
            "authored": target.authored,
        }
    _require_own_criterion(project, claim, rows.values())
    with prepared_cursor() as cursor:
        cursor.execute(
            _SETTLE,
            {
                "rows": Jsonb(list(rows.values())),
                "claim": claim.pk,
                "counts": counts,
                "excluded": claim.kind == ClaimKind.LABEL and not counts,
                "annotator": claim.annotator_id,
                "late": late,
                "seconds": seconds,
                "now": timezone.now(),
                "ends": claim.outcome != Outcome.SUBMITTED,
                "tallied": claim.trial_id is None,
            },
        )
        seated, given_back, judged_pairs = cursor.fetchone()
    if counts:
        _seat(claim, {comparison: row["id"] for comparison, row in rows.items() if comparison not in seated})
    if opened:
        open_pairs(project.pk, [claim.pair_id], Route.AUTHORED)
    if given_back or (project.k_more and ask_more([claim.pair_id])):
        open_pairs(project.pk, [claim.pair_id], Route.REOPENED)
    return int(judged_pairs)


def _seat(claim: Claim, heads: dict[int, str]) -> None:
    """Give judgments without a seat a free one, where there is one. `heads`: comparison -> judgment."""
    if not heads:
        return
    with connection.cursor() as cursor:
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
            [claim.annotator_id, claim.pk, list(heads), list(heads.values())],
        )
    close_full_draws([claim.pair_id])


# What becomes of a criterion that is written, by the project's policy: its state, and whether it is suggested.
_WRITTEN = {
    Sharing.OPEN: (CriterionState.ACCEPTED, True),
    Sharing.REVIEW: (CriterionState.PROPOSED, False),
    Sharing.NEVER: (CriterionState.OWN, False),
}


def _hold_criteria(annotator: Annotator, answers: Sequence[Answer]) -> dict[bytes, Criterion]:
    """The criteria that answers name by their text, by its key: of a merged one its canonical one. New ones are made.

    None is decided about before the transaction ends, so that a comparison is made either before a decision, which then
    sees it, or after, and goes by it. They are held before the pair, as who decides holds them, and in their order.
    """
    project = annotator.project
    texts: dict[bytes, tuple[str, str]] = {}
    for index, answer in enumerate(answers):
        if answer.comparison is None:
            text = " ".join(answer.criterion.split())
            texts[text_key(text)] = (text, f"answers[{index}].criterion")
    if not texts:
        return {}
    named = Criterion.objects.filter(project=project, text_key__in=texts).select_related("canonical")
    there = {bytes(key) for key in named.values_list("text_key", flat=True)}
    state, in_library = _WRITTEN[Sharing(project.authored_sharing)]
    new = []
    for key in sorted(texts.keys() - there):
        text, where = texts[key]
        if len(text) > project.authored_length:
            counts = {"most": project.authored_length, "length": len(text)}
            raise Invalid(where, _("At most %(most)s characters here; these are %(length)s.") % counts)
        new.append(
            Criterion(
                project=project,
                text=text,
                text_key=key,
                author=annotator,
                state=state,
                in_library=in_library,
            )
        )
    if new:
        Criterion.objects.bulk_create(new, ignore_conflicts=True)
        send_on_commit("workers.tasks.embed_missing")
    held: set[int] = set()
    while True:
        found = {bytes(criterion.text_key): criterion.canonical or criterion for criterion in named.all()}
        wanted = held.union(named.values_list("pk", flat=True), (one.pk for one in found.values()))
        if wanted == held:
            return found
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM annotate_criterion WHERE id = ANY (%s) ORDER BY id FOR SHARE", [sorted(wanted)]
            )
        held = wanted


def _author(project: Project, claim: Claim, criterion: Criterion, where: str) -> tuple[Comparison, bool]:
    """The comparison of this pair by a criterion that the annotator wrote, made if it is new.

    The text may be one that the project has already: then it is that criterion, or the one it was merged into.
    """
    there = Comparison.objects.filter(pair_id=claim.pair_id, criterion=criterion).first()
    if there is None or there.author_id != claim.annotator_id:
        if criterion.state == CriterionState.REJECTED:
            raise Invalid(
                where,
                _("This criterion was not accepted in this project: %(reason)s")
                % {"reason": criterion.reason},
            )
        if criterion.state == CriterionState.RETIRED:
            raise Invalid(where, _("This criterion is no longer used in this project."))
    if there:
        return there, False
    return Comparison.objects.get_or_create(
        pair_id=claim.pair_id,
        criterion=criterion,
        defaults={"k": criterion.k or project.authored_k, "author": claim.annotator},
    )


def _require_offered(project: Project, tags: Sequence[str], where: str) -> None:
    if strange := [tag for tag in tags if tag not in project.tags]:
        if not project.tags:
            raise Invalid(where, _("This project has no tags."))
        names = {"tag": strange[0], "tags": ", ".join(project.tags)}
        raise Invalid(where, _("This project has no tag \u201c%(tag)s\u201d. It has: %(tags)s.") % names)
    if len(set(tags)) < len(tags):
        raise Invalid(where, _("A tag stands here twice."))


_CONTENT = """
    SELECT r.text, m.modality, (m.probe->>'duration')::float8, m.probe->>'bounds', m.media_type
    FROM annotate_pair p
    JOIN annotate_response r ON r.id IN (p.response1_id, p.response2_id)
    LEFT JOIN annotate_asset m ON m.id = r.asset_id
    WHERE p.id = %s ORDER BY r.id = p.response2_id
"""


def _contents(claim: Claim) -> dict[str, evidence.Content]:
    """What stands on each side."""
    with prepared_cursor() as cursor:
        cursor.execute(_CONTENT, [claim.pair_id])
        contents = [
            evidence.Content(
                text, modality, duration, bounds and mesh.upright(json.loads(bounds), media_type)
            )
            for text, modality, duration, bounds, media_type in cursor.fetchall()
        ]
    return dict(zip(("b", "a") if claim.flip else ("a", "b"), contents, strict=True))


def _require_places(claim: Claim, fresh: Iterable[tuple[int, Answer]]) -> None:
    """Every place that an answer names must be there. The responses are read only where one does."""
    named = [(index, answer) for index, answer in fresh if answer.anchors]
    if not named:
        return
    by_side = _contents(claim)
    for index, answer in named:
        for number, anchor in enumerate(answer.anchors):
            if problem := evidence.problem(anchor, by_side[anchor["side"]]):
                raise Invalid(f"answers[{index}].anchors[{number}]", problem)


def _require_seen(project: Project, claim: Claim, answers: Iterable[Answer]) -> None:
    """Which sides are meshes is asked only where the project wants these turned."""
    share, turned = project.viewing_share, project.viewing_turned
    sides = _contents(claim).items() if turned else ()
    meshes = {side for side, content in sides if content.modality == Modality.MESH}
    for answer in answers:
        if answer.verdict not in ("a", "b", "tie"):
            continue
        if side := evidence.unseen(answer.viewing, share, turned, meshes):
            names = {"percent": f"{share:.0%}", "turned": f"{turned:.0%}", "side": side.upper()}
            raise Invalid(
                "viewing",
                (
                    _(
                        "This project asks for %(percent)s of both sides to be seen before a verdict, and 3D models"
                        " from %(turned)s of the directions. Of %(side)s less was. If a medium fails, say so."
                    )
                    if meshes
                    else _(
                        "This project asks for %(percent)s of both sides to be seen before a verdict. Of %(side)s"
                        " less was. If a medium fails, say so."
                    )
                )
                % names,
            )


def _require_own_criterion(project: Project, claim: Claim, rows: Iterable[dict[str, Any]]) -> None:
    if project.authoring != Authoring.REQUIRED or any(row["authored"] for row in rows):
        return
    if not Judgment.objects.filter(claim=claim, authored=True).exists():
        raise Invalid("answers", _("This project asks for at least one criterion of your own for each pair."))


@transaction.atomic
def save_draft(*, annotator: Annotator, claim_id: UUID, draft: Mapping[str, Any]) -> None:
    """Keep what is begun of a claim; the last one counts. Of a submitted one, whose answers are there, none is kept.

    Raises:
        Invalid: it is too long.
        Unknown: no such claim of this annotator.
    """
    # Half of a character that is typed in two is not text yet: it has no place in the database.
    body = json.dumps(draft, ensure_ascii=False).encode(errors="replace").decode()
    if len(body) > MAX_DRAFT:
        counts = {"most": f"{MAX_DRAFT:,}", "length": f"{len(body):,}"}
        raise Invalid("draft", _("At most %(most)s characters of JSON; these are %(length)s.") % counts)
    claim = lock_claim(annotator, claim_id)
    if claim.outcome != Outcome.SUBMITTED:
        ClaimDraft.objects.update_or_create(claim=claim, defaults={"body": body, "saved_at": timezone.now()})


@transaction.atomic
def undo(*, annotator: Annotator, claim_id: UUID, undo_id: UUID) -> Claim:
    """Take a submitted pair back to judge it again: its answers are superseded by retracted ones.

    The annotator keeps the seats, without heads, for another lease or what is left of a longer one. `undo_id` is made
    by the client; the same one again changes nothing.

    Raises:
        Conflict: the claim was not submitted, so there is nothing to take back.
        Paused
    """
    lock_annotator(annotator)  # their counts change
    claim = lock_claim(annotator, claim_id)
    heads = list(Judgment.objects.filter(claim=claim, superseded_by__isnull=True))
    if any(uuid5(undo_id, str(head.supersedes_id)) == head.pk for head in heads):
        return claim
    if not may_be_answered(claim):
        raise Conflict("answer_stands", _("What was answered in training and quiz stands."))
    if claim.outcome != Outcome.SUBMITTED:
        raise Conflict("not_submitted", _("Only a submitted pair can be taken back."))
    require_not_paused(annotator)  # the pair would be theirs again
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
    assert claim.closed_at
    submitted_on = claim.closed_at.astimezone(UTC).date()
    claim.outcome, claim.closed_at = Outcome.HELD, None
    claim.expires_at = max(claim.expires_at, now + timedelta(minutes=annotator.project.lease_minutes))
    claim.save(update_fields=["outcome", "closed_at", "expires_at"])
    Annotator.objects.filter(pk=annotator.pk).update(
        judged_pairs=F("judged_pairs") - 1,
        day_pairs=F("day_pairs") - Case(When(day=submitted_on, then=1), default=0),
    )
    return claim
