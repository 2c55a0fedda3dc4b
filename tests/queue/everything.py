"""Annotators and staff who do at once all that there is to do in a project, each with a log of what was acknowledged.

Whoever is told to send something again (a deadlock, a lock that was waited for too long, a statement that was cut off
since it waited for one after the other: the API's 503) does so, with the same ids; it is counted. Any other error than
those that an action documents is a failure of the test.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import OperationalError, connections
from django.utils import timezone

from annotate import review as reads
from annotate.access import Denied, Unknown
from annotate.actions import (
    exclusion,
    gold,
    judging,
    members,
    moderation,
    people,
    projects,
    queue,
    review,
    withdrawal,
)
from annotate.actions.jobs import AlreadyRunning, Refused, run_job
from annotate.actions.judging import Answer, Invalid
from annotate.models import (
    Annotator,
    Claim,
    ClaimKind,
    Comparison,
    Criterion,
    Exclusion,
    Job,
    JobKind,
    Judgment,
    Membership,
    Project,
    Role,
    Ruling,
    User,
)
from tests.factories import make_member

WRITTEN = [f"Written on the way, number {n}." for n in range(10)]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it was sent."""

    claim: UUID
    comparison: int | None
    criterion: str
    verdict: str
    strength: int | None
    rationale: str
    supersedes: UUID | None


@dataclass
class Log:
    """Of one annotator: what was sent, what of it was acknowledged, and by which undo it was taken back."""

    annotator: int
    sent: dict[UUID, Said] = field(default_factory=dict)
    acknowledged: set[UUID] = field(default_factory=set)
    undone: set[UUID] = field(default_factory=set)  # ids of undo that were acknowledged
    withdrawn: bool = False


@dataclass
class Told:
    """What came of all that one process did."""

    logs: list[Log] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


# What must have been done before it is over.
JUDGES_DO = (
    "submitted",
    "claimed: repeat",
    "claimed: gold",
    "undone",
    "revised: 1 of two",
    "taken offline",
    "given back",
    "withdrew",
)
STAFF_DO = (
    "excluded",
    "counted again",
    "paused",
    "resumed",
    "claim taken back",
    "merge",
    "majority accepted",
    "sent back",
    "leases ended",
)


class Time:
    """So long, and where chance left something out, until it was done too; but not forever."""

    def __init__(self, seconds: float, told: Told, needed: Sequence[str]) -> None:
        now = time.monotonic()
        self.until, self.end = now + seconds, now + 6 * seconds
        self.told, self.needed = told, needed

    @property
    def over(self) -> bool:
        now = time.monotonic()
        return now >= self.end or (now >= self.until and all(self.told.deeds[deed] for deed in self.needed))


class Anyone:
    """Somebody who acts until it is over."""

    def __init__(self, project: int, seed: int, time: Time, told: Told) -> None:
        self.project_id, self.time, self.told = project, time, told
        self.rng = random.Random(seed)

    @property
    def project(self) -> Project:
        return Project.objects.get(pk=self.project_id)

    def run(self) -> None:
        try:
            while not self.time.over:
                self.act()
        except Exception as error:
            self.told.errors.append(f"{type(self).__name__}: {type(error).__name__}: {error}")
        finally:
            connections.close_all()

    def act(self) -> None:
        raise NotImplementedError

    def ask(self, act: Callable[[], T]) -> T:
        """Does it, and again as often as the API would have it sent again."""
        for _ in range(8):
            try:
                return act()
            except OperationalError as error:
                cause = type(error.__cause__).__name__
                if cause not in ("DeadlockDetected", "LockNotAvailable", "QueryCanceled"):
                    raise
                self.told.again[f"{type(self).__name__}: {cause}"] += 1
                time.sleep(self.rng.uniform(0.01, 0.1))
        raise AssertionError("sent again and again, and never taken")

    def try_to(self, deed: str, act: Callable[[], Any]) -> bool:
        """Does what may be refused in a way that is documented."""
        try:
            self.ask(act)
        except (ValidationError, Refused, Invalid, queue.Conflict, Unknown, Denied, AlreadyRunning) as error:
            self.told.deeds[f"{deed}: {type(error).__name__}"] += 1
            return False
        self.told.deeds[deed] += 1
        return True


class Judge(Anyone):
    """An annotator, and whoever comes after they withdrew."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.held: list[Claim] = []  # taken along

    def run(self) -> None:
        self.join()
        super().run()

    def join(self) -> None:
        project = self.project
        user = User.objects.create(username=f"judge-{uuid4().hex}")
        self.user = make_member(project, user=user)
        self.me = people.annotator_for(user, project)
        self.me = Annotator.objects.select_related("project").get(pk=self.me.pk)
        self.log = Log(self.me.pk)
        self.told.logs.append(self.log)
        self.held = []

    def act(self) -> None:
        chance = self.rng.random()
        try:
            if chance < 0.004:
                self.leave()
            elif self.held and chance < 0.5:
                self.judge(self.held.pop(self.rng.randrange(len(self.held))))
            elif chance < 0.53:
                self.take_along()
            else:
                self.visit()
        except Unknown:  # a manager withdrew them
            if Annotator.objects.filter(pk=self.log.annotator).exists():
                raise
            self.log.withdrawn = True
            self.told.deeds["was withdrawn"] += 1
            self.join()

    def leave(self) -> None:
        try:
            self.ask(lambda: withdrawal.withdraw_myself(user=self.user, project=self.project))
        finally:
            self.log.withdrawn = True
        self.told.deeds["withdrew"] += 1
        self.join()

    def take_along(self) -> None:
        ids = [uuid4() for _ in range(3)]
        try:
            taken = self.ask(lambda: queue.take_offline(annotator=self.me, claim_ids=ids))
        except queue.NotOpen:
            return
        self.told.deeds["taken offline"] += len(taken.claims)
        if self.rng.random() < 0.3:
            given = self.ask(lambda: queue.give_back(annotator=self.me, claim_ids=ids))
            self.told.deeds["given back"] += len(given)
        else:
            self.held += taken.claims

    def visit(self) -> None:
        claim_id = uuid4()
        try:
            claim = self.ask(lambda: queue.claim_next(annotator=self.me, claim_id=claim_id))
        except queue.HandFull:  # what was taken along, or is held by a claim that was left
            self.told.deeds["hand full"] += 1
            if self.held:
                self.judge(self.held.pop())
            else:
                time.sleep(0.05)
            return
        except queue.NotOpen as error:
            self.told.deeds[f"not open: {error.code}"] += 1
            time.sleep(0.05)
            return
        if claim is None:
            self.told.deeds["nothing to judge"] += 1
            time.sleep(0.05)
            return
        self.told.deeds[f"claimed: {claim.kind}"] += 1
        chance = self.rng.random()
        if chance < 0.03:
            self.ask(lambda: queue.skip_claim(annotator=self.me, claim_id=claim.pk, reason="other"))
            return
        if chance < 0.05:
            self.ask(lambda: queue.give_back(annotator=self.me, claim_ids=[claim.pk]))
            return
        if chance < 0.06:  # left lying: the lease ends by itself
            self.run_out(claim)
            return
        self.judge(claim)

    def run_out(self, claim: Claim) -> None:
        past = timezone.now() - timedelta(seconds=1)
        Claim.objects.filter(pk=claim.pk).update(expires_at=past)
        if self.rng.random() < 0.5:
            self.ask(lambda: queue.expire_claims(project_id=self.project_id, limit=5))

    def judge(self, claim: Claim) -> None:
        chance = self.rng.random()
        if chance < 0.2:
            try:
                self.ask(lambda: queue.heartbeat(annotator=self.me, claim_id=claim.pk))
            except queue.Conflict:  # it has ended; answers are still taken
                self.told.deeds["heartbeat too late"] += 1
        elif chance < 0.25:
            self.ask(lambda: judging.save_draft(annotator=self.me, claim_id=claim.pk, draft={"a": 1}))
        elif chance < 0.32:
            self.run_out(claim)
        answers = self.answers(claim)
        if self.rng.random() < 0.08:
            self.at_once([partial(self.send, claim, answers)] * 2)
        else:
            self.send(claim, answers)
        stored = [answer for answer in answers if answer.id in self.log.acknowledged]
        if not stored:
            return
        chance = self.rng.random()
        if chance < 0.08:
            self.revise(claim, self.rng.choice(stored))
        elif chance < 0.13:
            self.take_back(claim)

    def answers(self, claim: Claim) -> list[Answer]:
        chosen = [i for i in claim.comparison_ids if self.rng.random() < 0.93] or claim.comparison_ids[:1]
        heads = self.heads(claim, chosen)
        answers = [self.answer(comparison=i, supersedes=heads.get(i)) for i in chosen]
        if self.rng.random() < 0.1:
            answers.append(self.answer(criterion=self.rng.choice(WRITTEN)))
        return answers

    def heads(self, claim: Claim, chosen: Sequence[int]) -> dict[int, UUID]:
        """What the annotator said before, as the page of a claim tells it: that is superseded."""
        rows = Judgment.objects.filter(
            annotator=self.me, comparison__in=chosen, superseded_by__isnull=True, claim__kind=claim.kind
        )
        if claim.kind != ClaimKind.LABEL:
            rows = rows.filter(claim=claim)
        return dict(rows.values_list("comparison_id", "pk"))

    def answer(self, **fields: Any) -> Answer:
        verdict = self.rng.choices(["a", "b", "tie", "cannot_tell"], [5, 4, 2, 1])[0]
        return Answer(
            id=uuid4(),
            verdict=verdict,  # type: ignore[arg-type]
            strength=self.rng.choice([1, 2, 3]) if verdict in ("a", "b") else None,
            tie_kind="both_good" if verdict == "tie" else "",
            rationale=uuid4().hex,
            **fields,
        )

    def send(self, claim: Claim, answers: list[Answer]) -> None:
        """As the page does: where one is refused for itself, the others are sent without it."""
        while answers:
            for one in answers:
                self.log.sent[one.id] = Said(
                    claim.pk,
                    one.comparison,
                    one.criterion,
                    one.verdict,
                    one.strength,
                    one.rationale,
                    one.supersedes,
                )
            sent = list(answers)
            try:
                self.ask(partial(judging.submit, annotator=self.me, claim_id=claim.pk, answers=sent))
            except Invalid as error:
                self.told.deeds["answer refused"] += 1
                at = error.field.removeprefix("answers[").split("]")[0]
                answers = [one for n, one in enumerate(sent) if str(n) != at] if at.isdigit() else []
                if len(answers) == len(sent):
                    raise
            except queue.Conflict as error:  # answered meanwhile in another way
                self.told.deeds[f"conflict: {error.code}"] += 1
                return
            else:
                self.log.acknowledged |= {one.id for one in sent}
                self.told.deeds["submitted"] += 1
                return

    def revise(self, claim: Claim, answer: Answer) -> None:
        """Twice at once: one is taken, the other would be a fork."""
        [comparison] = Judgment.objects.filter(pk=answer.id).values_list("comparison_id", flat=True) or [None]
        if comparison is None:
            return
        two = [self.answer(comparison=comparison, supersedes=answer.id) for _ in range(2)]
        self.at_once([partial(self.send, claim, [one]) for one in two])
        won = sum(one.id in self.log.acknowledged for one in two)
        self.told.deeds[f"revised: {won} of two"] += 1
        if won > 1:
            self.told.errors.append("two revisions of one judgment were taken")

    def take_back(self, claim: Claim) -> None:
        undo_id = uuid4()
        try:
            self.ask(lambda: judging.undo(annotator=self.me, claim_id=claim.pk, undo_id=undo_id))
        except (queue.Conflict, queue.NotOpen) as error:
            self.told.deeds[f"undo: {type(error).__name__}"] += 1
            return
        self.log.undone.add(undo_id)
        self.told.deeds["undone"] += 1
        chance = self.rng.random()
        if chance < 0.5:
            heads = self.heads(claim, claim.comparison_ids)
            again = [self.answer(comparison=i, supersedes=heads.get(i)) for i in claim.comparison_ids]
            self.send(claim, again)
        elif chance < 0.75:
            self.ask(lambda: queue.skip_claim(annotator=self.me, claim_id=claim.pk, reason="other"))
        else:
            self.run_out(claim)

    def at_once(self, works: list[Callable[[], None]]) -> None:
        failed: list[BaseException] = []

        def one(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:
                failed.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]


class Manager(Anyone):
    """Pauses and resumes people and the project, excludes and counts again, takes claims back, withdraws, raises k."""

    def act(self) -> None:
        time.sleep(self.rng.uniform(0, 0.03))
        named = Annotator.objects.select_related("project").filter(
            project=self.project_id, user__isnull=False
        )
        # Who came last is at work.
        one = self.rng.choice(list(named.order_by("-pk")[:50]) or [None])
        if one is None:
            return
        deeds = [self.exclude, self.count_again, self.pause, self.resume, self.take_back]
        deeds += [self.withdraw, self.pause_project, self.raise_k, self.know]
        self.rng.choices(deeds, [20, 25, 12, 16, 12, 3, 3, 3, 6])[0](one)

    def exclude(self, one: Annotator) -> None:
        since = timezone.now() - timedelta(seconds=1) if self.rng.random() < 0.5 else None
        act = partial(exclusion.exclude_annotator, by=None, annotator=one, reason="A try.", since=since)
        self.try_to("excluded", act)

    def count_again(self, one: Annotator) -> None:
        holding = Exclusion.objects.filter(annotator__project=one.project, lifted_at__isnull=True)
        for row in holding.select_related("annotator__project").order_by("?")[:2]:
            act = partial(exclusion.lift_exclusion, by=None, annotator=row.annotator)
            self.try_to("counted again", act)

    def pause(self, one: Annotator) -> None:
        if found := Membership.objects.filter(project=one.project, user=one.user_id).first():
            self.try_to("paused", partial(members.pause_member, by=None, membership=found))

    def resume(self, one: Annotator) -> None:
        for row in Membership.objects.filter(project=one.project, paused_at__isnull=False)[:3]:
            self.try_to("resumed", partial(members.resume_member, by=None, membership=row))

    def take_back(self, one: Annotator) -> None:
        held = Claim.objects.filter(annotator__project=one.project, closed_at__isnull=True)
        if claim := held.order_by("?").first():
            self.try_to("claim taken back", partial(queue.release_claim, by=None, claim=claim))

    def withdraw(self, one: Annotator) -> None:
        self.try_to("withdrawn", partial(withdrawal.withdraw_annotator, by=None, annotator=one))

    def pause_project(self, one: Annotator) -> None:
        self.try_to("project paused", partial(projects.pause_project, by=None, project=one.project))
        time.sleep(0.05)
        self.try_to("project opened", partial(projects.open_project, by=None, project=one.project))

    def raise_k(self, one: Annotator) -> None:
        job = projects.raise_k(by=None, project=one.project, k=self.rng.randint(2, 4))
        self.try_to("k raised", partial(run_job, job.pk, by_hand=True))

    def know(self, one: Annotator) -> None:
        """An answer is known, or is not known after all."""
        objective = Comparison.objects.filter(pair__project=one.project, criterion__objective=True)
        comparison = objective.select_related("pair__project").order_by("?")[0]
        if hasattr(comparison, "gold"):
            self.try_to("gold unmarked", partial(gold.unmark_gold, by=None, comparison=comparison))
        else:
            act = partial(gold.mark_gold, by=None, comparison=comparison, verdict="tie")
            self.try_to("gold marked", act)


class Moderator(Anyone):
    """Decides this and that about what was written, and has the queue settled."""

    def act(self) -> None:
        time.sleep(self.rng.uniform(0, 0.08))
        rows = list(Criterion.objects.filter(project=self.project_id, author__isnull=False))
        if not rows:
            return
        one, other = self.rng.choice(rows), self.rng.choice(rows)
        deed = self.rng.choice(
            ["accept", "accept", "promote", "reject", "retire", "merge", "merge", "unmerge", "undo"]
        )
        self.try_to(
            deed,
            lambda: moderation.decide_criteria(
                by=None,
                project=self.project,
                deed=deed,
                chosen=[moderation.Chosen(one.pk, one.version)],
                reason="No.",
                into=other.pk,
            ),
        )
        for job in Job.objects.filter(project=self.project_id, kind=JobKind.SETTLE, state="queued"):
            self.try_to("queue settled", partial(run_job, job.pk, by_hand=True))


class Reviewer(Anyone):
    """Works off conflicts: settles, reopens, sends back."""

    def run(self) -> None:
        self.user = make_member(self.project, Role.REVIEWER, User.objects.create(username=uuid4().hex))
        super().run()

    def act(self) -> None:
        time.sleep(self.rng.uniform(0, 0.05))
        project = self.project
        state = self.rng.choice(["open", "open", "settled"])
        items = reads.after(project, reads.Wanted(state), None, 30)  # type: ignore[arg-type]
        if not items:
            return
        comparison = self.rng.choice(items).comparison
        head = reads.head_of(comparison)
        named: dict[str, Any] = {"by": self.user, "project": project, "comparison_id": comparison.pk}
        seen = head.pk if head else None
        chance = self.rng.random()
        if chance < 0.3:
            self.try_to("majority accepted", lambda: review.accept_majority(**named, seen=seen))
        elif chance < 0.6:
            ruling = self.rng.choice([Ruling.RESPONSE1, Ruling.TIE, Ruling.REOPENED])
            self.try_to(
                f"settled: {ruling}",
                lambda: review.settle(**named, verdict=ruling, reason="So it is.", seen=seen),
            )
        elif chance < 0.8:
            judgment = Judgment.objects.filter(comparison=comparison, seat__isnull=False).first()
            if judgment:
                self.try_to(
                    "sent back",
                    lambda: review.send_back(**named, judgment_id=judgment.pk, text="Look again."),
                )
        elif chance < 0.85:
            self.try_to(
                "one more label",
                lambda: review.send_back_to_all(**named, text="One more, please.", k=comparison.k),
            )
        else:
            self.try_to("said", lambda: review.comment(**named, text="Well.", to_all=True))


class Clock(Anyone):
    """Lets leases run out, ends what has run out, and keeps the queue full."""

    def act(self) -> None:
        time.sleep(self.rng.uniform(0, 0.1))
        held = list(Claim.objects.filter(closed_at__isnull=True).values_list("pk", flat=True)[:100])
        late = [pk for pk in held if self.rng.random() < 0.05]
        Claim.objects.filter(pk__in=late, closed_at__isnull=True).update(
            expires_at=timezone.now() - timedelta(seconds=1)
        )
        self.try_to("leases ended", queue.expire_claims)
        self.try_to("queue topped up", queue.top_up_queues)


STAFF: list[type[Anyone]] = [Manager, Manager, Moderator, Moderator, Reviewer, Reviewer, Clock]


def work(project: int, seed: int, seconds: float, judges: int) -> Told:
    """What one process does: so many annotators, or all of the staff."""
    told = Told()
    until = Time(seconds, told, JUDGES_DO if judges else STAFF_DO)
    kinds: list[type[Anyone]] = [Judge] * judges if judges else STAFF
    everybody = [kind(project, seed * 1000 + n, until, told) for n, kind in enumerate(kinds)]
    threads = [threading.Thread(target=one.run) for one in everybody]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told
