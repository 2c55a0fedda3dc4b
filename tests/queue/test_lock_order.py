"""Nobody holds what somebody else wants first: each act waits for the first lock of the order without holding a later one."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.db.models import Model

from annotate.access import Unknown
from annotate.actions import exclusion, gold, judging, moderation, queue, review, withdrawal
from annotate.actions.judging import Answer, submit
from annotate.models import Annotator, Claim, Criterion, Draw, Pair, Project, Role, Withdrawal
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
)

pytestmark = pytest.mark.django_db(transaction=True)


def lock(row: Model) -> None:
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {table} WHERE id = %s FOR NO KEY UPDATE", [row.pk])


def own_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def somebody_waits(holder: int) -> bool:
    """For what that backend holds. Asked of the locks: activity would be told as it was when a transaction asked first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY (pg_blocking_pids(pid))", [holder]
        )
        return bool(cursor.fetchone()[0])


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it waits for nobody"
        time.sleep(0.01)


def begins_with(first: Model, then: Model, act: Callable[[], Any]) -> Any:
    """Holds `first` until the act waits for it: `then` must be free. Returns what came of the act."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append(act())
        except Exception as error:
            came.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        lock(first)
        thread.start()
        me = own_pid()
        until(lambda: bool(came) or somebody_waits(me))
        assert not came, f"it waits for nobody: {came}"
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '300ms'")
        lock(then)
    thread.join()
    return came[0]


def judged(project: Project, annotator: Annotator) -> tuple[Claim, Pair]:
    comparison = make_comparison(make_pair(project, queued=True))
    claim = judge(comparison, "response1", annotator, strength=2).claim
    assert claim
    Annotator.objects.filter(pk=annotator.pk).update(judged_pairs=1)
    return claim, comparison.pair


@pytest.mark.parametrize("policy", Withdrawal)
def test_withdrawing_takes_the_annotator_before_the_pairs(policy: Withdrawal) -> None:
    project = make_project(withdrawal=policy)
    user = make_member(project)
    annotator = make_annotator(project, user)
    _, pair = judged(project, annotator)
    assert (
        begins_with(annotator, pair, partial(withdrawal.withdraw_myself, user=user, project=project))
        == policy
    )


def test_withdrawing_takes_all_pairs_in_the_order_of_their_ids() -> None:
    project = make_project()
    user = make_member(project, Role.REVIEWER)
    annotator = make_annotator(project, user)
    others = judge(make_comparison(make_pair(project)), "tie")
    review.comment(by=user, project=project, comparison_id=others.comparison_id, text="Well.")
    _, pair = judged(project, annotator)
    spoken_on = others.comparison.pair
    assert spoken_on.pk < pair.pk
    begins_with(spoken_on, pair, partial(withdrawal.withdraw_annotator, by=None, annotator=annotator))
    assert not Annotator.objects.filter(pk=annotator.pk).exists()


def test_undoing_takes_the_annotator_before_the_pair() -> None:
    project = make_project()
    annotator = make_annotator(project)
    claim, pair = judged(project, annotator)
    done = begins_with(
        annotator, pair, partial(judging.undo, annotator=annotator, claim_id=claim.pk, undo_id=uuid4())
    )
    assert done.outcome == ""


def test_a_claim_is_locked_after_its_pair() -> None:
    project = make_project()
    make_comparison(make_pair(project))
    annotator = make_annotator(project)
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    skip = partial(queue.skip_claim, annotator=annotator, claim_id=claim.pk, reason="other")
    assert begins_with(claim.pair, claim, skip).outcome == "skipped"


def test_who_comes_too_late_for_a_pair_lets_go_of_it_before_waiting_for_another() -> None:
    project = make_project(reserve_share=0, validation_share=0)
    for _ in range(2):
        make_comparison(make_pair(project), k=1)
    other, me = make_annotator(project), make_annotator(project)
    queue.fill_queue(project.pk, 2)
    first, second = (draw.pair for draw in Draw.objects.select_related("pair").order_by("pk"))
    held, filled = threading.Event(), threading.Event()
    came: dict[str, Any] = {}

    def fill() -> None:
        try:
            with transaction.atomic():
                came["pid"] = own_pid()
                came["other"] = queue.claim_next(annotator=other, claim_id=uuid4())
                held.set()
                filled.wait(60)
        finally:
            connections.close_all()

    def claim() -> None:
        try:
            came["me"] = queue.claim_next(annotator=me, claim_id=uuid4())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=fill), threading.Thread(target=claim)]
    with transaction.atomic():
        lock(second)
        threads[0].start()
        assert held.wait(60)
        threads[1].start()
        until(lambda: somebody_waits(came["pid"]))  # for the first pair, which the other is taking
        filled.set()
        threads[0].join()
        mine = own_pid()
        until(lambda: somebody_waits(mine))  # the first is full: now for the second
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '300ms'")
        lock(first)
    threads[1].join()
    assert (came["other"].pair_id, came["me"].pair_id) == (first.pk, second.pk)


def test_a_known_answer_takes_the_criterion_before_the_pair() -> None:
    comparison = make_comparison(make_pair(make_project()))
    Criterion.objects.update(objective=True)
    mark = partial(gold.mark_gold, by=None, comparison=comparison, verdict="tie")
    assert begins_with(comparison.criterion, comparison.pair, mark).verdict == "tie"


def merged() -> tuple[Criterion, Criterion, Criterion]:
    """One that came along with another into a third; the first and third are older than the second."""
    project = make_project()
    along, root, between = (make_criterion(project, f"Text {n}") for n in range(3))
    moderation.merge_criteria(by=None, duplicate=along, into=between)
    moderation.merge_criteria(by=None, duplicate=between, into=root)
    return along, root, between


def test_unmerging_takes_criteria_in_the_order_of_their_ids() -> None:
    along, _, between = merged()
    begins_with(along, between, partial(moderation.unmerge_criterion, by=None, duplicate=between))
    along.refresh_from_db()
    assert along.canonical == between


@pytest.mark.parametrize("undone", [1, 2])
def test_undoing_a_merge_takes_criteria_in_the_order_of_their_ids(undone: int) -> None:
    """Undone once it is unmerged, undone twice it is merged again."""
    along, root, between = merged()
    undo = partial(moderation.undo_decision, by=None, criterion=between)
    if undone == 2:
        undo()
    begins_with(along, between, undo)
    along.refresh_from_db()
    assert along.canonical == (root if undone == 2 else between)


def test_who_is_gone_is_unknown_to_whoever_waited() -> None:
    project = make_project()
    annotator = make_annotator(project)
    claim, _ = judged(project, annotator)
    withdrawal.withdraw_annotator(by=None, annotator=annotator)
    answer = Answer(id=uuid4(), comparison=claim.comparison_ids[0], verdict="cannot_tell")
    for act in (
        partial(exclusion.exclude_annotator, by=None, annotator=annotator, reason="Too late."),
        partial(exclusion.lift_exclusion, by=None, annotator=annotator),
        partial(submit, annotator=annotator, claim_id=claim.pk, answers=[answer]),
        partial(judging.undo, annotator=annotator, claim_id=claim.pk, undo_id=uuid4()),
    ):
        with pytest.raises(Unknown):
            act()
