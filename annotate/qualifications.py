"""Reads of training and quiz: what their sets hold, how far somebody is, and how often each known answer was given."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import connection
from django.utils.translation import gettext as _

from annotate.models import Annotator, Membership, Project, Qualification, Trial, TrialPart, TrialResult
from annotate.visible import visible

# The pairs of a set that can be shown now, in their order, with how many known answers each has.
_SET = f"""
    SELECT c.pair_id, count(*)
    FROM annotate_gold g JOIN annotate_comparison c ON c.id = g.comparison_id JOIN annotate_pair p ON p.id = c.pair_id
    WHERE g.project_id = %s AND g.kind = %s AND p.ready AND {visible("g")} AND {visible("c")}
    GROUP BY c.pair_id ORDER BY min(g.place), c.pair_id
"""


def in_set(project: Project, part: str) -> dict[int, int]:
    """Known answers by pair, in the order in which the pairs are asked."""
    with connection.cursor() as cursor:
        cursor.execute(_SET, [project.pk, str(part)])
        return dict(cursor.fetchall())


def needed_of(project: Project, asked: int) -> int:
    """How many of so many known answers must be right, by the project's pass mark of now."""
    return math.ceil(project.quiz_share * asked - 1e-9)


def last_attempt(state: Qualification) -> Trial | None:
    """The last attempt at the quiz that ended and was not forgiven."""
    ended = state.trials.filter(part=TrialPart.QUIZ, ended_at__isnull=False, number__gt=state.forgiven)
    return ended.order_by("-number").first()


def attempts_left(project: Project, state: Qualification) -> int | None:
    """None: as many as they like. An attempt that was void is none."""
    if not project.quiz_attempts:
        return None
    failed = state.trials.filter(
        part=TrialPart.QUIZ, result=TrialResult.FAILED, number__gt=state.forgiven
    ).count()
    return max(0, project.quiz_attempts - failed)


def result_told(trial: Trial) -> str:
    """How an attempt at the quiz ended, in words for its annotator."""
    figures = {"right": trial.right, "asked": trial.asked, "needed": trial.needed}
    if trial.result == TrialResult.VOID:
        return (
            _(
                "Too many answers of the quiz could not be counted, as pairs were skipped, did not load or could not be"
                " told: %(right)s of %(asked)s were right, and %(needed)s are needed. It does not count as an attempt."
            )
            % figures
        )
    return (
        _("You had %(right)s of %(asked)s right in the quiz; %(needed)s are needed. Thank you for trying.")
        % figures
    )


def may_try_at(project: Project, last: Trial) -> datetime:
    """From when on the next attempt may be begun."""
    assert last.ended_at
    return last.ended_at + timedelta(minutes=project.quiz_wait)


@dataclass(frozen=True)
class Way:
    """What an annotator is told of their way in. `needed` and `asked`: of the quiz. `left`: attempts, None: no limit."""

    stage: Literal["training", "quiz", "failed", "in"]
    training: int  # pairs
    quiz: int  # pairs
    asked: int
    needed: int
    left: int | None
    told: str  # of the last attempt, in words


def way_of(annotator: Annotator, project: Project) -> Way | None:
    """None where the project lets everybody begin."""
    if not project.qualify:
        return None
    state = Qualification.objects.filter(annotator=annotator, round=project.qualify_round).first()
    training, quiz = in_set(project, TrialPart.TRAINING), in_set(project, TrialPart.QUIZ)
    asked = sum(quiz.values())
    left = attempts_left(project, state) if state else (project.quiz_attempts or None)
    stage: Literal["training", "quiz", "failed", "in"]
    if state and state.passed_at:
        stage = "in"
    elif state and left == 0:
        stage = "failed"
    else:
        stage = "quiz" if state and state.trained_at else "training"
    last = last_attempt(state) if state else None
    told = result_told(last) if last and stage != "in" else ""
    return Way(stage, len(training), len(quiz), asked, needed_of(project, asked), left, told)


@dataclass(frozen=True, slots=True)
class Item:
    """A known answer of a set and how often it was given. An item that nobody gets right may be a bad one."""

    kind: str
    pair_id: int
    prompt: str
    criterion: str
    verdict: str
    note: str
    right: int
    wrong: int
    other: int  # shown and given up: skipped, broken, no opinion

    @property
    def doubtful(self) -> bool:
        """At least three had an opinion, and fewer than half of them had it right."""
        return self.right + self.wrong >= DOUBT_FROM and self.right < self.wrong


DOUBT_FROM = 3

# Of each claim of a set that has ended the opinion on the comparison, of what was seen as a whole; else it counts as other.
_ITEMS = f"""
    SELECT g.kind, c.pair_id, COALESCE(q.turns->-1->>'text', ''), t.text, g.verdict, g.note,
           count(*) FILTER (WHERE said.verdict = g.verdict), count(*) FILTER (WHERE said.verdict <> g.verdict),
           count(l.id) FILTER (WHERE said.verdict IS NULL)
    FROM annotate_gold g
    JOIN annotate_comparison c ON c.id = g.comparison_id
    JOIN annotate_criterion t ON t.id = c.criterion_id
    JOIN annotate_pair p ON p.id = c.pair_id
    JOIN annotate_prompt q ON q.id = p.prompt_id
    LEFT JOIN annotate_claim l ON l.pair_id = c.pair_id AND l.kind = g.kind AND l.outcome IN ('submitted', 'skipped')
    LEFT JOIN LATERAL (
        SELECT j.verdict FROM annotate_judgment j
        WHERE j.claim_id = l.id AND j.comparison_id = c.id AND j.verdict IN ('response1', 'response2', 'tie')
          AND (j.evidence->'viewing'->'failed') IS NULL
        ORDER BY j.created_at LIMIT 1) said ON true
    WHERE g.project_id = %s AND g.kind = %s AND {visible("g")}
    GROUP BY g.id, c.pair_id, c.id, q.turns, t.text ORDER BY g.place, c.pair_id, c.id
"""


def items_of(project: Project, part: str) -> list[Item]:
    """The known answers of a set in their order, with how often each was given in all rounds."""
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, [project.pk, str(part)])
        return [Item(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a member is, for who manages the project."""

    membership: Membership
    state: Qualification | None
    last: Trial | None  # attempt at the quiz
    attempts: int

    @property
    def told(self) -> str:
        if self.state is None:
            return "not begun"
        if self.state.passed_at:
            return self.state.get_way_display()
        if not self.state.trained_at:
            return "in training"
        return "not passed yet" if self.last else "at the quiz"


def standings(project: Project, after: str = "", size: int = 100) -> list[Standing]:
    """Members in the order of their accounts' names, those after `after`, in the round of now."""
    members = Membership.objects.filter(project=project, user__username__gt=after).select_related("user")
    chosen = list(members.order_by("user__username")[:size])
    rows = Qualification.objects.filter(
        annotator__project=project,
        annotator__user__in=[one.user_id for one in chosen],
        round=project.qualify_round,
    )
    states = {
        row.annotator.user_id: row for row in rows.select_related("annotator").prefetch_related("trials")
    }
    found = []
    for member in chosen:
        state = states.get(member.user_id)
        tries = [one for one in state.trials.all() if one.part == TrialPart.QUIZ] if state else []
        ended = sorted((one for one in tries if one.ended_at), key=lambda one: one.number)
        found.append(Standing(member, state, ended[-1] if ended else None, len(ended)))
    return found
