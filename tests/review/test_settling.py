"""Settling, reopening and sending back: one decision holds, nothing is lost, and the queue follows."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from annotate import review
from annotate.access import Denied, Unknown
from annotate.actions.erasure import erase_demo
from annotate.actions.judging import Answer, Invalid, submit
from annotate.actions.queue import Conflict, claim_next
from annotate.actions.review import (
    accept_majority,
    answer_comment,
    note_seen,
    retract_comment,
    send_back,
    send_back_to_all,
    settle,
)
from annotate.actions.withdrawal import withdraw_annotator
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    Comment,
    Comparison,
    Draw,
    Partition,
    Project,
    Resolution,
    ReviewItem,
    ReviewState,
    Role,
    Route,
    Ruling,
    User,
)
from annotate.review import Wanted, head_of
from annotate.tallies import judged_units
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_member,
    make_pair,
    make_project,
    make_user,
)
from tests.review.test_items import item_of, judged, lies

pytestmark = pytest.mark.django_db


def reviewer(project: Project, role: Role = Role.REVIEWER) -> User:
    return make_member(project, role, make_user(password=None))


def decide(by: User, comparison: Comparison, verdict: Ruling, **given: Any) -> Resolution:
    told: dict[str, Any] = {"reason": "It is wrong.", "seen": None} | given
    return settle(
        by=by, project=comparison.pair.project, comparison_id=comparison.pk, verdict=verdict, **told
    )


def states(project: Project) -> list[str]:
    return [str(state) for state in ReviewState if review.after(project, Wanted(state), None, 10)]


def test_what_is_settled_leaves_the_queue_and_comes_back_when_reopened() -> None:
    project = make_project()
    comparison, me = judged(project, ["response1", "response2"]), reviewer(project)
    first = decide(me, comparison, Ruling.TIE)
    assert states(project) == ["settled"] and head_of(comparison) == first
    second = decide(me, comparison, Ruling.RESPONSE1, seen=first.pk)
    assert second.supersedes == first
    third = decide(me, comparison, Ruling.REOPENED, seen=second.pk, reason="Too early.")
    assert states(project) == ["open"]
    history = review.reviewed(project, comparison.pk).resolutions
    assert [one.pk for one in history] == [third.pk, second.pk, first.pk]
    deeds = AuditEntry.objects.filter(project=project, by=me).order_by("pk").values_list("deed", flat=True)
    assert list(deeds) == ["settle comparison", "settle comparison", "reopen comparison"]
    assert lies() == []


def test_a_decision_needs_a_reason_a_role_and_something_to_decide() -> None:
    project = make_project()
    comparison, me = judged(project, ["response1", "response2"]), reviewer(project)
    with pytest.raises(Invalid, match="Write something"):
        decide(me, comparison, Ruling.TIE, reason="  ")
    with pytest.raises(Invalid, match="5000"):
        decide(me, comparison, Ruling.TIE, reason="x" * 5001)
    with pytest.raises(Invalid, match="nothing to reopen"):
        decide(me, comparison, Ruling.REOPENED)
    with pytest.raises(Denied):
        decide(reviewer(project, Role.ANNOTATOR), comparison, Ruling.TIE)
    with pytest.raises(Unknown):
        decide(make_user(), comparison, Ruling.TIE)
    with pytest.raises(Invalid, match="Nobody has judged"):
        decide(me, make_comparison(make_pair(project)), Ruling.TIE)
    with pytest.raises(Unknown):  # of another project
        settle(
            by=me,
            project=project,
            comparison_id=judged(make_project(), ["tie"]).pk,
            verdict=Ruling.TIE,
            reason="It is.",
            seen=None,
        )
    assert not Resolution.objects.exists()


def test_who_comes_second_is_told_and_what_was_sent_twice_is_once() -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response2"])
    one, other = reviewer(project), reviewer(project)
    first = decide(one, comparison, Ruling.TIE)
    assert decide(one, comparison, Ruling.TIE) == first
    with pytest.raises(Conflict) as refused:
        decide(other, comparison, Ruling.RESPONSE1)
    assert refused.value.code == "settled_meanwhile"
    assert decide(other, comparison, Ruling.RESPONSE1, seen=first.pk).supersedes == first
    assert Resolution.objects.count() == 2


def test_the_majority_is_accepted_where_there_is_one() -> None:
    project = make_project()
    me = reviewer(project)
    comparison = judged(project, ["response1", "response2", "response2"])
    found = accept_majority(by=me, project=project, comparison_id=comparison.pk, seen=None)
    assert (found.verdict, found.reason) == (Ruling.RESPONSE2, "As the majority says.")
    split = judged(project, ["response1", "response2", "tie"])
    with pytest.raises(Invalid, match="decide yourself"):
        accept_majority(by=me, project=project, comparison_id=split.pk, seen=None)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_settle_at_once_one_does() -> None:
    project = make_project()
    comparison = judged(project, ["response1", "response2"])
    people = [reviewer(project) for _ in range(6)]
    won: list[Resolution] = []
    refused: list[str] = []
    errors: list[str] = []
    start = threading.Barrier(len(people))

    def act(user: User, n: int) -> None:
        try:
            start.wait(30)
            won.append(decide(user, comparison, (Ruling.TIE, Ruling.RESPONSE1)[n % 2]))
        except Conflict as error:
            refused.append(error.code)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=act, args=(user, n)) for n, user in enumerate(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, len(won), refused) == ([], 1, ["settled_meanwhile"] * 5)
    assert head_of(comparison) == won[0] and lies() == []


@pytest.mark.django_db(transaction=True)
def test_judging_settling_and_talking_at_once_stop_nobody() -> None:
    """Annotators revise, reviewers settle, send back and talk, all about comparisons of one pair."""
    project = make_project(scale=3)
    pair = make_pair(project, queued=True)
    comparisons = [make_comparison(pair, f"Number {n}?", k=9) for n in range(3)]
    errors: list[str] = []
    start = threading.Barrier(6)

    people = [make_annotator(project, judged_pairs=1) for _ in range(4)]
    judged_first = {mine: [judge(one, "response1", mine) for one in comparisons] for mine in people}
    Claim.objects.update(comparison_ids=[one.pk for one in comparisons])
    reviewers = [reviewer(project) for _ in range(2)]

    def annotate(mine: Annotator, n: int) -> None:
        heads = judged_first[mine]
        start.wait(30)
        for turn in range(8):
            answers = [
                Answer(id=uuid4(), comparison=head.comparison_id, verdict="ab"[turn % 2], supersedes=head.pk)  # type: ignore[arg-type]
                for head in (heads if n % 2 else heads[::-1])
            ]
            assert heads[0].claim_id
            submit(annotator=mine, claim_id=heads[0].claim_id, answers=answers)
            for head, answer in zip(heads if n % 2 else heads[::-1], answers, strict=True):
                head.pk = answer.id

    def talk(me: User) -> None:
        start.wait(30)
        for _ in range(8):
            for one in comparisons:
                head = head_of(one)
                try:
                    decide(me, one, Ruling.TIE, seen=head.pk if head else None)
                    head = head_of(one)
                    assert head
                    decide(me, one, Ruling.REOPENED, seen=head.pk)
                    send_back_to_all(by=me, project=project, comparison_id=one.pk, text="Again.", k=9)
                except Conflict:
                    continue
                except Invalid as error:
                    assert "nothing to reopen" in str(error) or "the most there can be" in str(error)

    def closing(work: Any, *args: Any) -> None:
        try:
            work(*args)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=closing, args=(annotate, mine, n)) for n, mine in enumerate(people)]
    threads += [threading.Thread(target=closing, args=(talk, me)) for me in reviewers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and lies() == []
    assert Resolution.objects.exists()


def sent(comparison: Comparison, by: User, judgment: Any, text: str = "Look at the second line.") -> Comment:
    return send_back(
        by=by,
        project=comparison.pair.project,
        comparison_id=comparison.pk,
        judgment_id=judgment.pk,
        text=text,
    )


def test_what_is_sent_back_to_one_waits_for_them() -> None:
    project = make_project(scale=3)
    user = make_member(project)
    mine = make_annotator(project, user)
    comparison = make_comparison(make_pair(project), k=2)
    judgment, other = judge(comparison, "response1", mine), judge(comparison, "response2")
    me = reviewer(project)
    with pytest.raises(Invalid, match="has no account"):
        sent(comparison, me, other)
    with pytest.raises(Denied):
        sent(comparison, user, judgment)
    sent(comparison, me, judgment)
    assert states(project) == ["sent_back"]
    with pytest.raises(Conflict, match="has not answered"):
        sent(comparison, me, judgment)
    [thread] = review.threads(mine)
    assert (thread.asked, thread.unread, thread.claim) == (True, 1, judgment.claim_id)
    assert judgment.claim_id
    revision = Answer(id=uuid4(), comparison=comparison.pk, verdict="b", supersedes=judgment.pk)
    submit(annotator=mine, claim_id=judgment.claim_id, answers=[revision])
    assert not review.threads(mine)[0].asked
    assert item_of(comparison).state == ReviewState.OPEN and states(project) == []  # they agree now
    [told] = [one for one in review.reviewed(project, comparison.pk).verdicts if one.earlier]
    assert [one.verdict for one in told.earlier] == ["response1"] and told.judgment.verdict == "response2"
    with pytest.raises(Invalid, match="counts no more"):
        sent(comparison, me, judgment)


def test_who_stands_by_their_verdict_says_so() -> None:
    project = make_project()
    user = make_member(project)
    mine = make_annotator(project, user)
    comparison = make_comparison(make_pair(project), k=2)
    judgment = judge(comparison, "response1", mine)
    judge(comparison, "response2")
    me = reviewer(project)
    asked = sent(comparison, me, judgment)
    answer_comment(by=user, project=project, comparison_id=comparison.pk, text="I read it twice.")
    assert states(project) == ["open"] and not review.threads(mine)[0].asked
    asked = sent(comparison, me, judgment, "And the third line?")
    assert states(project) == ["sent_back"]
    retract_comment(by=me, project=project, comment_id=asked.pk)  # which takes the question back
    assert states(project) == ["open"]


def test_what_is_sent_back_to_all_is_asked_once_more() -> None:
    project = make_project(scale=3)
    pair = make_pair(project, queued=True)
    comparison = make_comparison(pair, k=2)
    users = [make_member(project) for _ in range(3)]
    first, second, third = (make_annotator(project, user) for user in users)
    judge(comparison, "response1", first)
    judge(comparison, "response2", second)
    Draw.objects.filter(pair=pair).update(open=False)
    me = reviewer(project)
    send_back_to_all(by=me, project=project, comparison_id=comparison.pk, text="Sources differ.", k=2)
    comparison.refresh_from_db()
    assert comparison.k == 3 and states(project) == [] and review.waiting(project)["open"] == 0
    with pytest.raises(Conflict, match="wants 3"):
        send_back_to_all(by=me, project=project, comparison_id=comparison.pk, text="Again.", k=2)
    assert Draw.objects.filter(pair=pair, open=True).get().route == Route.REOPENED
    assert [one.unread for one in review.threads(first)] == [1]
    assert review.threads(third) == [], "who has not judged is told nothing"
    claim = claim_next(annotator=third, claim_id=uuid4())
    assert claim and claim.comparison_ids == [comparison.pk]
    submit(
        annotator=third,
        claim_id=claim.pk,
        answers=[Answer(id=uuid4(), comparison=comparison.pk, verdict="tie", tie_kind="both_bad")],
    )
    assert states(project) == ["open"]
    Comparison.objects.filter(pk=comparison.pk).update(k=9)
    with pytest.raises(Invalid, match="the most there can be"):
        send_back_to_all(by=me, project=project, comparison_id=comparison.pk, text="Again.", k=9)


def test_what_is_settled_is_reopened_before_it_is_sent_back() -> None:
    project = make_project()
    mine = make_annotator(project, make_member(project))
    comparison = make_comparison(make_pair(project), k=2)
    judgment = judge(comparison, "response1", mine)
    judge(comparison, "response2")
    me = reviewer(project)
    decide(me, comparison, Ruling.TIE)
    with pytest.raises(Conflict, match="Reopen it first"):
        sent(comparison, me, judgment)
    with pytest.raises(Conflict, match="Reopen it first"):
        send_back_to_all(by=me, project=project, comparison_id=comparison.pk, text="Again.", k=2)


def test_what_a_reviewer_settled_outlives_their_withdrawal() -> None:
    project = make_project()
    comparison, me = judged(project, ["response1", "response2"]), reviewer(project)
    first = decide(me, comparison, Ruling.TIE)
    second = decide(reviewer(project), comparison, Ruling.TIE, seen=first.pk, reason="I agree.")
    sent_to_all = send_back_to_all  # a word of theirs goes with them
    other = judged(project, ["response1", "response2"])
    sent_to_all(by=me, project=project, comparison_id=other.pk, text="Hm.", k=2)
    mine = first.reviewer
    assert mine
    counts = withdraw_annotator(by=None, annotator=mine)
    assert (counts["resolutions"], counts["comments"]) == (1, 1)
    first.refresh_from_db()
    assert (first.verdict, first.reason, first.reviewer) == (Ruling.TIE, "", None)
    assert head_of(comparison) == second and item_of(comparison).state == ReviewState.SETTLED
    assert not Comment.objects.exists() and lies() == []


def test_a_question_goes_with_who_asked_or_was_asked() -> None:
    project = make_project()
    mine = make_annotator(project, make_member(project))
    comparison = make_comparison(make_pair(project), k=2)
    judgment = judge(comparison, "response1", mine)
    judge(comparison, "response2")
    me = reviewer(project)
    asked = sent(comparison, me, judgment)
    assert states(project) == ["sent_back"]
    withdraw_annotator(by=None, annotator=asked.author)
    assert states(project) == ["open"]
    sent(comparison, reviewer(project), judgment)
    withdraw_annotator(by=None, annotator=mine)
    assert not Comment.objects.exists() and item_of(comparison).state == ReviewState.OPEN
    assert ReviewItem.objects.get().response2 == 1


def test_a_demo_goes_with_all_that_was_reviewed_in_it() -> None:
    project = make_project(demo=True)
    mine = make_annotator(project, make_member(project))
    comparison = make_comparison(make_pair(project), k=2)
    judgment = judge(comparison, "response1", mine)
    judge(comparison, "response2")
    me = reviewer(project)
    asked = sent(comparison, me, judgment)
    retract_comment(by=me, project=project, comment_id=asked.pk)
    first = decide(me, comparison, Ruling.TIE)
    decide(me, comparison, Ruling.RESPONSE1, seen=first.pk)
    note_seen(reader=mine, comparison=comparison, upto=asked.pk)
    kept = judged(make_project(), ["response1", "response2"])
    erase_demo(by=None, project=project)
    assert not Comment.objects.exists() and not Resolution.objects.exists()
    assert ReviewItem.objects.get().comparison == kept and lies() == []


def test_models_learn_what_was_settled() -> None:
    project = make_project()
    split, hopeless, left = (judged(project, ["response1", "response1", "response2"]) for _ in range(3))
    me = reviewer(project)
    decided = decide(me, split, Ruling.RESPONSE2)
    decide(me, hopeless, Ruling.CANNOT_TELL)
    learned = {unit.pair_id: unit.counts for unit in judged_units(project, Partition.TRAIN)}
    assert learned == {split.pair_id: (0, 3, 0), left.pair_id: (2, 1, 0)}
    decide(me, split, Ruling.REOPENED, seen=decided.pk)
    learned = {unit.pair_id: unit.counts for unit in judged_units(project, Partition.TRAIN)}
    assert learned[split.pair_id] == (2, 1, 0)
