"""Fifty annotators and seven of the staff do at once all that there is to do: every invariant, against the clients' logs."""

import multiprocessing
import os
from collections import Counter
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.db import connection

from annotate.actions import gold, queue
from annotate.actions.jobs import run_job
from annotate.integrity import violations
from annotate.models import Annotator, Claim, Job, Judgment, Partition, Project
from tests.factories import make_comparison, make_criterion, make_pair, make_project
from tests.queue.everything import JUDGES_DO, STAFF_DO, Said, Told
from tests.queue.process import everything

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = float(os.environ.get("EVERYTHING_SECONDS", "15"))
SEED = int(os.environ.get("EVERYTHING_SEED", "6"))


def whole_project() -> Project:
    """Pairs enough to be judged for a while, under criteria of which one has known answers."""
    project = make_project(
        authored_sharing="review",
        authored_k=2,
        claims_in_hand=3,
        offline_most=6,
        k_more=2,
        k_most=6,
        k_more_reserve=True,
        repeat_share=0.1,
        repeat_after=1,
        gold_share=0.1,
        lease_minutes=30,
    )
    objective = make_criterion(project, "It has no error of spelling.", objective=True)
    for n in range(int(15 * SECONDS)):
        pair = make_pair(project, partition=Partition.RESERVE if n % 5 == 0 else Partition.TRAIN)
        for criterion in ("Which is better?", "Which is clearer?"):
            make_comparison(pair, criterion, k=2)
        if n % 15 == 0:
            known = make_comparison(pair, objective, k=2)
            if n % 30 == 0:
                gold.mark_gold(by=None, comparison=known, verdict="response1")
    return project


def told_by(project: Project) -> list[Told]:
    """What came of it in two processes of annotators and one of the staff."""
    context = multiprocessing.get_context("spawn")
    judges = (25, 25, 0)
    results, start = context.SimpleQueue(), context.Barrier(len(judges))
    database = connection.settings_dict["NAME"]
    running = [
        context.Process(
            target=everything,
            args=(database, project.pk, SEED * 10 + n, SECONDS, many, start, results),
        )
        for n, many in enumerate(judges)
    ]
    for process in running:
        process.start()
    told = [results.get() for _ in running]
    for process in running:
        process.join()
    return told


def is_as_sent(judgment: Judgment, said: Said) -> bool:
    """The row tells of responses, the client told of sides."""
    assert judgment.claim
    sides = (
        {"a": "response2", "b": "response1"} if judgment.claim.flip else {"a": "response1", "b": "response2"}
    )
    return (
        judgment.claim_id == said.claim
        and judgment.verdict == sides.get(said.verdict, said.verdict)
        and (judgment.strength, judgment.rationale) == (said.strength, said.rationale)
        and judgment.supersedes_id == said.supersedes
        and (said.comparison is None or judgment.comparison_id == said.comparison)
    )


def rows(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


@pytest.mark.timeout(int(10 * SECONDS) + 300)
def test_everything_at_once_loses_and_doubles_nothing() -> None:
    project = whole_project()
    told = told_by(project)
    deeds: Counter[str] = sum((one.deeds for one in told), Counter())
    again: Counter[str] = sum((one.again for one in told), Counter())
    print(f"seed {SEED}:", dict(sorted(deeds.items())), dict(again))
    assert [error for one in told for error in one.errors] == []
    assert not [cause for cause in again if "Deadlock" in cause], again
    for job in Job.objects.filter(project=project, state="queued"):
        run_job(job.pk, by_hand=True)
    assert violations() == {}

    # Against the logs. What somebody withdrew is gone; of everybody else each acknowledged answer is a row, as it was
    # sent, and there is none that was not acknowledged.
    stored = {row.pk: row for row in Judgment.objects.select_related("claim")}
    there = set(Annotator.objects.values_list("pk", flat=True))
    logs = [log for one in told for log in one.logs]
    assert not [log for log in logs if log.withdrawn and log.annotator in there]
    kept = [log for log in logs if log.annotator in there]
    sent: dict[UUID, Said] = {}
    for log in kept:
        sent |= {answer: log.sent[answer] for answer in log.acknowledged}
    undone = {undo for log in kept for undo in log.undone}
    taken_back = {pk for pk, row in stored.items() if row.verdict == "retracted"}
    assert stored.keys() - taken_back == sent.keys()
    assert [pk for pk, said in sent.items() if not is_as_sent(stored[pk], said)] == []
    assert taken_back <= {uuid5(undo, str(stored[pk].supersedes_id)) for pk in taken_back for undo in undone}
    # Nobody judged a comparison twice, but as a repeat of their own or as a revision.
    assert not rows(
        """SELECT j.annotator_id, j.comparison_id FROM annotate_judgment j JOIN annotate_claim l ON l.id = j.claim_id
           WHERE j.supersedes_id IS NULL AND l.kind <> 'gold' GROUP BY j.annotator_id, j.comparison_id, l.kind
           HAVING count(*) > 1"""
    )
    assert not rows(
        """SELECT s.comparison_id FROM annotate_seat s JOIN annotate_comparison c ON c.id = s.comparison_id
           GROUP BY s.comparison_id, c.k HAVING count(*) > c.k"""
    )
    # It raced, and all that there is to do was done.
    for deed in JUDGES_DO + STAFF_DO:
        assert deeds[deed] > 0, f"{deed}: nobody did"
    # What is left can be judged: nothing lies in a hand that has let go of it.
    Claim.objects.filter(closed_at__isnull=True).update(expires_at="2000-01-01T00:00:00Z")
    while queue.expire_claims():
        pass
    assert violations() == {}
