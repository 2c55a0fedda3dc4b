"""Training and quiz: gone through in order before the first pair, decided once, and counted nowhere."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from annotate.access import Denied
from annotate.actions import queue
from annotate.actions.gold import mark_gold, unmark_gold
from annotate.actions.judging import Answer, submit, undo
from annotate.actions.people import annotator_for
from annotate.actions.trials import ask_again, forgive_attempts, let_in, let_in_who_judged, order_set
from annotate.exports.freeze import freeze
from annotate.integrity import violations
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    ClaimKind,
    Comparison,
    FrozenJudgment,
    Job,
    Judgment,
    Membership,
    Partition,
    Project,
    Qualification,
    Reach,
    Release,
    Role,
    Seat,
    Trial,
)
from annotate.qualifications import way_of
from annotate.queries import claim_work, held_claims, history
from annotate.reports import full_report
from annotate.tallies import judged_units
from tests.factories import make_annotator, make_comparison, make_criterion, make_member, make_pair
from tests.queue.controls import answer_all
from tests.queue.trying import RULE, answered, broken, claim, gated, make_set, trained, tried
from webapp.api.serializers import claim_shown

pytestmark = pytest.mark.django_db


def prompts(*claims: Claim) -> list[str]:
    return [one.pair.prompt.turns[0]["text"] for one in claims]


def test_training_then_quiz_then_pairs_each_in_its_order() -> None:
    project = gated()
    annotator = make_annotator(project)
    given = []
    for _ in range(5):
        given.append(claim(annotator))
        answered(given[-1])
    assert prompts(*given) == ["training 1?", "training 2?", "quiz 1?", "quiz 2?", "quiz 3?"]
    real = claim(annotator)
    assert (real.kind, real.draw_id is not None) == (ClaimKind.LABEL, True)
    state = Qualification.objects.get()
    assert state.trained_at and state.passed_at and state.way == "quiz"
    told = [(one.part, one.result, one.right, one.wrong) for one in Trial.objects.order_by("pk")]
    assert told == [("training", "done", 2, 0), ("quiz", "passed", 3, 0)]
    assert violations() == {}


def test_the_next_part_waits_for_what_is_in_hand_of_the_one_before() -> None:
    project = gated(training=2)
    annotator = make_annotator(project)
    first, second = claim(annotator), claim(annotator)
    with pytest.raises(queue.HandFull):
        claim(annotator)
    answered(second)
    with pytest.raises(queue.HandFull, match="hold first"):
        claim(annotator)
    answered(first)
    assert claim(annotator).kind == ClaimKind.QUIZ


def test_the_same_request_is_the_same_claim() -> None:
    annotator = make_annotator(gated())
    claim_id = uuid4()
    given = [queue.claim_next(annotator=annotator, claim_id=claim_id) for _ in range(2)]
    assert given[0] == given[1] and Claim.objects.count() == 1 and Trial.objects.count() == 1


def test_a_project_that_does_not_ask_for_it_gives_pairs_and_one_with_empty_sets_too() -> None:
    assert claim(make_annotator(gated(qualify=False))).kind == ClaimKind.LABEL
    project = gated(training=0, quiz=0)
    annotator = make_annotator(project)
    assert claim(annotator).kind == ClaimKind.LABEL
    assert Qualification.objects.get().way == "trained"
    quizless = gated(training=1, quiz=0)
    other = make_annotator(quizless)
    answered(claim(other))
    assert claim(other).kind == ClaimKind.LABEL


def test_nothing_of_it_can_be_taken_offline() -> None:
    project = gated()
    annotator = make_annotator(project)
    with pytest.raises(queue.NotQualified):
        queue.take_offline(annotator=annotator, claim_ids=[uuid4()])
    trained(annotator)
    tried(annotator, True, True, True)
    claim(annotator)
    assert queue.take_offline(annotator=annotator, claim_ids=[uuid4()]).claims


def test_the_pass_mark_the_attempts_and_the_wait_between_them() -> None:
    project = gated(quiz=4, quiz_share=0.75, quiz_attempts=2, quiz_wait=90)
    annotator = make_annotator(project)
    trained(annotator)
    tried(annotator, True, True, False, False)
    with pytest.raises(queue.NotQualified, match=r"2 of 4 right.*3 are needed.*90 minutes"):
        claim(annotator)
    _waited(annotator, 90)
    tried(annotator, True, False, True, False)
    with pytest.raises(queue.NotQualified, match=r"last attempt.*can let you in"):
        claim(annotator)
    _waited(annotator, 10_000)
    with pytest.raises(queue.NotQualified):
        claim(annotator)
    way = way_of(annotator, project)
    assert way and (way.stage, way.left, way.needed) == ("failed", 0, 3)
    other = make_annotator(project)
    trained(other)
    tried(other, True, False, True, True)
    assert claim(other).kind == ClaimKind.LABEL
    assert violations() == {}


def _waited(annotator: Annotator, minutes: int) -> None:
    Trial.objects.filter(qualification__annotator=annotator).update(
        ended_at=timezone.now() - timedelta(minutes=minutes)
    )


def test_what_could_not_be_answered_counts_against_nobody_and_for_nobody() -> None:
    project = gated(quiz=4, quiz_share=0.75, quiz_attempts=1, quiz_wait=5)
    annotator = make_annotator(project)
    trained(annotator)
    answered(claim(annotator))
    answered(claim(annotator))
    broken(claim(annotator))
    skipped = claim(annotator)
    queue.skip_claim(annotator=annotator, claim_id=skipped.pk, reason="unclear")
    with pytest.raises(queue.NotQualified, match=r"could not be counted.*not count as an attempt.*5 minutes"):
        claim(annotator)
    assert Trial.objects.get(part="quiz").result == "void"
    _waited(annotator, 5)
    failed_view = claim(annotator)
    side = "a" if failed_view.flip else "b"  # wrong, of what did not load
    answers = [
        Answer(
            id=uuid4(),
            comparison=failed_view.comparison_ids[0],
            verdict=side,  # type: ignore[arg-type]
            strength=2,
            viewing={"failed": True},
        )
    ]
    submit(annotator=annotator, claim_id=failed_view.pk, answers=answers)
    tried(annotator, True, True, True)
    assert claim(annotator).kind == ClaimKind.LABEL


def test_what_was_answered_stands() -> None:
    project = gated()
    annotator = make_annotator(project)
    given = claim(annotator)
    saved = answer_all(given, "a")
    with pytest.raises(queue.Conflict) as refused:
        undo(annotator=annotator, claim_id=given.pk, undo_id=uuid4())
    assert refused.value.code == "answer_stands"
    again = Answer(
        id=uuid4(), comparison=given.comparison_ids[0], verdict="b", strength=2, supersedes=saved[0]
    )
    with pytest.raises(queue.Conflict) as refused:
        submit(annotator=annotator, claim_id=given.pk, answers=[again])
    assert refused.value.code == "answer_stands"
    assert Judgment.objects.count() == 1 and history(annotator) == []


def test_it_counts_nowhere() -> None:
    project = gated(most_a_day=1)
    annotator = make_annotator(project)
    trained(annotator)
    tried(annotator, True, True, True)
    annotator.refresh_from_db()
    assert (annotator.judged_pairs, annotator.day_pairs) == (0, 0)
    assert not Reach.objects.exists()
    assert Judgment.objects.count() == 5 and not Seat.objects.exists()
    assert judged_units(project, Partition.TRAIN) == []
    job = Job.objects.create(kind="release", project=project)
    release = Release.objects.create(
        project=project, job=job, recipe={"sources": None}, pseudonym_key="0" * 64
    )
    freeze(release)
    assert not FrozenJudgment.objects.exists()
    report = full_report(project, timezone.now().date())
    assert report["progress"]["judged"] == 0 and report["cost"]["verdicts"] == 0
    assert report["annotators"]["rows"] == []
    answer_all(claim(annotator))
    annotator.refresh_from_db()
    assert annotator.judged_pairs == 1
    assert violations() == {}


def test_who_was_told_an_answer_is_not_asked_for_a_label_of_it_later() -> None:
    project = gated(training=1, quiz=0, pairs=0)
    annotator = make_annotator(project)
    answered(claim(annotator))
    unmark_gold(by=None, comparison=Comparison.objects.get())
    assert queue.claim_next(annotator=annotator, claim_id=uuid4()) is None
    Project.objects.filter(pk=project.pk).update(qualify=False)
    assert claim(make_annotator(project)).kind == ClaimKind.LABEL


def test_feedback_is_told_after_the_answer_by_sides_and_until_it_is_read() -> None:
    from annotate.actions.trials import mark_read

    project = gated(training=1, quiz=1)
    annotator = make_annotator(project)
    given = claim(annotator)
    shown = claim_shown(claim_work([given])[0])
    assert shown["feedback"] is None and shown["stage"] == {"part": "training", "number": 1, "n": 1, "of": 1}
    answered(given, right=False)
    [unread] = held_claims(annotator)
    told = claim_shown(claim_work([unread])[0])["feedback"]
    side = "b" if given.flip else "a"
    assert told == [
        {"comparison": given.comparison_ids[0], "verdict": side, "right": False, "note": "Rule 1."}
    ]
    quiz = claim(annotator)
    assert [one.pk for one in held_claims(annotator)] == [given.pk, quiz.pk]
    mark_read(annotator=make_annotator(project), claim_id=given.pk, now=timezone.now())
    assert given in held_claims(annotator), "somebody else's reading is nothing"
    mark_read(annotator=annotator, claim_id=given.pk, now=timezone.now())
    assert held_claims(annotator) == [quiz]
    answered(quiz)
    assert claim_shown(claim_work([Claim.objects.get(pk=quiz.pk)])[0])["feedback"] is None


def test_what_is_begun_is_finished_as_it_was_and_what_was_taken_out_is_passed_over() -> None:
    project = gated(training=3, quiz=0)
    annotator = make_annotator(project)
    first = claim(annotator)
    make_set(project, "training", 1)
    unmark_gold(by=None, comparison=Comparison.objects.get(pair__prompt__turns__0__text="training 2?"))
    answered(first)
    last = claim(annotator)
    assert prompts(last) == ["training 3?"]
    answered(last)
    assert claim(annotator).kind == ClaimKind.LABEL


def test_an_expired_pair_is_asked_again_and_its_late_answer_is_kept() -> None:
    project = gated(training=1, quiz=1)
    annotator = make_annotator(project)
    late = claim(annotator)
    Claim.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    again = claim(annotator)
    assert again.pair_id == late.pair_id and again.pk != late.pk
    queue.expire_claims()
    answered(again)
    answered(late)
    assert claim(annotator).kind == ClaimKind.QUIZ
    assert violations() == {}


def test_a_manager_lets_in_with_a_reason_or_forgives_attempts() -> None:
    project = gated(quiz_attempts=1)
    manager, user = make_member(project, Role.MANAGER), make_member(project)
    membership = Membership.objects.get(user=user)
    annotator = annotator_for(user, project)
    now = timezone.now()
    assert not forgive_attempts(by=manager, membership=membership, now=now)
    trained(annotator)
    tried(annotator, False, False, False)
    with pytest.raises(queue.NotQualified):
        claim(annotator)
    with pytest.raises(Denied):
        forgive_attempts(by=user, membership=membership, now=now)
    assert forgive_attempts(by=manager, membership=membership, now=now)
    assert not forgive_attempts(by=manager, membership=membership, now=now)
    assert claim(annotator).kind == ClaimKind.QUIZ
    with pytest.raises(ValidationError, match="Say why"):
        let_in(by=manager, membership=membership, reason=" ", now=now)
    assert let_in(by=manager, membership=membership, reason="She wrote the rules.", now=now)
    assert not let_in(by=manager, membership=membership, reason="Once more.", now=now)
    assert claim(annotator).kind == ClaimKind.LABEL
    entries = AuditEntry.objects.filter(by=manager).order_by("pk")
    assert [entry.deed for entry in entries] == ["forgive attempts", "let in"]
    assert annotator.pseudonym not in str([vars(entry) for entry in entries])
    assert violations() == {}


def test_a_new_round_asks_everybody_again_and_a_changed_set_alone_nobody() -> None:
    project = gated(training=1, quiz=1)
    annotator = make_annotator(project)
    trained(annotator, 1)
    tried(annotator, True)
    claim(annotator)
    make_set(project, "quiz", 1)
    assert claim(annotator).kind == ClaimKind.LABEL
    assert ask_again(by=None, project=project) == 2
    queue.give_back(
        annotator=annotator, claim_ids=list(Claim.objects.filter(closed_at=None).values_list("pk", flat=True))
    )
    assert claim(annotator).kind == ClaimKind.TRAINING
    assert Qualification.objects.count() == 2


def test_who_has_judged_already_can_be_let_in_together() -> None:
    project = gated(qualify=False)
    old, new = (annotator_for(make_member(project), project) for _ in range(2))
    answer_all(claim(old))
    Project.objects.filter(pk=project.pk).update(qualify=True)
    assert let_in_who_judged(by=None, project=project, reason="Before the quiz.", now=timezone.now()) == 1
    assert let_in_who_judged(by=None, project=project, reason="Before the quiz.", now=timezone.now()) == 0
    assert claim(old).kind == ClaimKind.LABEL and claim(new).kind == ClaimKind.TRAINING


def test_the_order_of_a_set_is_the_managers() -> None:
    project = gated(training=3)
    ids = list(
        Comparison.objects.filter(gold__kind="training").order_by("-pk").values_list("pair_id", flat=True)
    )
    order_set(by=None, project=project, part="training", pair_ids=ids)
    annotator = make_annotator(project)
    assert prompts(claim(annotator), claim(annotator)) == ["training 3?", "training 2?"]
    with pytest.raises(ValidationError, match="changed meanwhile"):
        order_set(by=None, project=project, part="training", pair_ids=ids[:2])


def test_an_attention_check_needs_no_objective_criterion_and_the_others_do() -> None:
    project = gated(training=0, quiz=0)
    comparison = make_comparison(make_pair(project), make_criterion(project, "Which do you like?"))
    for kind in ("gold", "training", "quiz"):
        with pytest.raises(ValidationError, match="objective"):
            mark_gold(by=None, comparison=comparison, verdict="tie", kind=kind)
    with pytest.raises(ValidationError, match="Give one of"):
        mark_gold(by=None, comparison=comparison, verdict="tie", kind="trap")
    assert mark_gold(by=None, comparison=comparison, verdict="tie", kind="attention").kind == "attention"
    assert RULE and violations() == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("passes", [True, False])
def test_the_last_answer_sent_twice_and_from_two_tabs_decides_once(passes: bool) -> None:
    project = gated(training=0, quiz=2, quiz_share=1, quiz_attempts=5, quiz_wait=0, claims_in_hand=8)
    annotator = make_annotator(project)
    first, last = claim(annotator), claim(annotator)
    answered(first, passes)
    answers = [
        Answer(id=uuid4(), comparison=last.comparison_ids[0], verdict="b" if last.flip else "a", strength=2)
    ]

    def act(number: int) -> str:
        try:
            one = Annotator.objects.get(pk=annotator.pk)
            submit(annotator=one, claim_id=last.pk, answers=answers)
            found = queue.claim_next(annotator=one, claim_id=uuid4())
            return found.kind if found else ""
        except queue.HandFull:
            return "full"
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(act, range(6)))
    ended = list(Trial.objects.exclude(result="").values_list("result", flat=True))
    assert ended == (["passed"] if passes else ["failed"])
    assert Qualification.objects.count() == 1 and Judgment.objects.count() == 2
    if passes:
        assert set(done) <= {"label", ""} and "label" in done
        assert Qualification.objects.get().way == "quiz"
    else:
        assert sorted(done) == ["full"] * 4 + ["quiz"] * 2, "the next attempt has two pairs"
        assert Trial.objects.filter(result="").count() == 1
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_nobody_gets_a_pair_before_they_are_in_however_many_ask_at_once() -> None:
    project = gated(training=3, quiz=3, pairs=20, claims_in_hand=40)
    annotator = make_annotator(project)
    queue.fill_queue(project.pk, 20)

    def act(number: int) -> str:
        try:
            found = queue.claim_next(annotator=Annotator.objects.get(pk=annotator.pk), claim_id=uuid4())
            return found.kind if found else ""
        except queue.HandFull:
            return "full"
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(act, range(24)))
    assert sorted(set(done)) == ["full", "training"] and done.count("training") == 3
    assert violations() == {}
