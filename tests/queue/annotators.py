"""Simulated annotators against the domain's actions, from many threads and processes at once.

Each keeps a log of what was acknowledged to it; afterwards the rows are compared with the logs.
"""

import random
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from queue import Empty, SimpleQueue
from uuid import UUID, uuid4

from django.db import connections
from django.utils import timezone

from annotate.actions import queue
from annotate.actions.judging import Answer, submit, undo
from annotate.models import Annotator, Claim, Comparison, Judgment

CRITERIA = [f"Written on the way, number {n}" for n in range(12)]


@dataclass
class Log:
    """What the server acknowledged: answer id -> verdict, the chain of revisions, undone answers."""

    acknowledged: dict[UUID, str] = field(default_factory=dict)
    revised: dict[UUID, UUID] = field(default_factory=dict)
    undone: set[UUID] = field(default_factory=set)
    claims: int = 0
    conflicts: int = 0
    errors: list[str] = field(default_factory=list)


def _answers(rng: random.Random, claim: Claim, write: bool) -> list[Answer]:
    chosen = [i for i in claim.comparison_ids if rng.random() < 0.95] or claim.comparison_ids[:1]
    answers = [
        Answer(id=uuid4(), comparison=i, verdict=rng.choice(["a", "b"]), strength=rng.choice([1, 2, 3]))
        for i in chosen
    ]
    asked = Comparison.objects.filter(pk__in=claim.comparison_ids).values_list("criterion__text", flat=True)
    new = [text for text in CRITERIA if text not in set(asked)]
    if write and new:
        answers.append(
            Answer(id=uuid4(), criterion=rng.choice(new), verdict=rng.choice(["a", "b"]), strength=2)
        )
    return answers


def _together(work: list) -> None:
    threads = [threading.Thread(target=_closing, args=(w,)) for w in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _closing(work) -> None:
    try:
        work()
    finally:
        connections.close_all()


def visit(annotator: Annotator, rng: random.Random, log: Log) -> bool:
    """One pair from claim to acknowledgement, with what can go wrong on the way. False if there was none."""
    claim_id = uuid4()
    claim = queue.claim_next(annotator=annotator, claim_id=claim_id)
    if claim is None:
        return False
    log.claims += 1
    chance = rng.random()
    if chance < 0.03:
        queue.skip_claim(annotator=annotator, claim_id=claim_id, reason="other")
        return True
    if chance < 0.08:  # the lease runs out, perhaps swept, before the answers come
        Claim.objects.filter(pk=claim_id).update(expires_at=timezone.now() - timedelta(seconds=1))
        if rng.random() < 0.5:
            queue.expire_claims(limit=5)
    answers = _answers(rng, claim, write=rng.random() < 0.05)

    def send() -> None:
        try:
            submit(annotator=annotator, claim_id=claim_id, answers=answers)
        except queue.Conflict:
            log.conflicts += 1
        else:
            log.acknowledged |= {answer.id: answer.verdict for answer in answers}

    if rng.random() < 0.1:
        _together([send, send])
    else:
        send()
    if rng.random() < 0.06 and all(a.id in log.acknowledged for a in answers):
        target = rng.choice(answers)
        stored = Judgment.objects.get(pk=target.id)
        revisions = [
            Answer(id=uuid4(), comparison=stored.comparison_id, verdict="b", strength=1, supersedes=target.id)
            for _ in range(2)
        ]
        won: list[UUID] = []

        def revise(revision: Answer) -> None:
            try:
                submit(annotator=annotator, claim_id=claim_id, answers=[revision])
                won.append(revision.id)
            except queue.Conflict:
                log.conflicts += 1

        offered = stored.comparison_id in claim.comparison_ids
        if offered:
            _together([lambda r=r: revise(r) for r in revisions])
            if len(won) != 1:
                log.errors.append(f"of two concurrent revisions {len(won)} were taken")
            for revision_id in won:
                log.acknowledged[revision_id] = "b"
                log.revised[target.id] = revision_id
    elif rng.random() < 0.03 and all(a.id in log.acknowledged for a in answers):
        undo(annotator=annotator, claim_id=claim_id, undo_id=uuid4())
        log.undone |= {a.id for a in answers}
        Claim.objects.filter(pk=claim_id).update(expires_at=timezone.now() - timedelta(seconds=1))
    return True


def work_off(annotator_ids: list[int], threads: int, seed: int) -> Log:
    """Let the annotators judge until nothing is left for any of them; several threads, one log."""
    log = Log()
    waiting: SimpleQueue[int] = SimpleQueue()
    for annotator_id in annotator_ids:
        waiting.put(annotator_id)

    def worker(number: int) -> None:
        rng = random.Random(seed * 1000 + number)
        try:
            while True:
                try:
                    annotator_id = waiting.get_nowait()
                except Empty:
                    return
                annotator = Annotator.objects.select_related("project").get(pk=annotator_id)
                for _ in range(rng.randint(5, 30)):
                    if not visit(annotator, rng, log):
                        break
                else:
                    waiting.put(annotator_id)
        except Exception as error:
            log.errors.append(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()

    _together([lambda n=n: worker(n) for n in range(threads)])
    return log
