"""What is not kept for ever: ties of pseudonyms to accounts, drafts and notes, records of failed logins.

Each step is a transaction of its own with its audit row. What is gone is not found again, so it may be killed anywhere and
run as often as one likes; a run that finds nothing writes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotate import audit
from annotate.models import Annotator, Claim, ClaimDraft, Project, ProjectState


@dataclass(frozen=True, slots=True)
class Step:
    """`counts`: how many rows of what would go now. `act` does it and returns how many went."""

    deed: str
    project: Project | None
    counts: Callable[[], dict[str, int]]
    act: Callable[[], dict[str, int]]

    def __str__(self) -> str:
        return f"{self.project.slug if self.project else 'this installation'}: {self.deed}"


def steps(now: datetime) -> Iterator[Step]:
    """All that may have something to do, in the order of the projects."""
    for project in Project.objects.exclude(unlink_days=None, forget_days=None).order_by("pk"):
        closed = project.closed_at if project.state == ProjectState.CLOSED else None
        if project.unlink_days and closed and closed <= now - timedelta(days=project.unlink_days):
            yield _unlink(project)
        if project.forget_days:
            yield _forget(project, now - timedelta(days=project.forget_days))
    if settings.LOGIN_RECORD_DAYS:
        yield _forget_logins(now - timedelta(days=settings.LOGIN_RECORD_DAYS))


def apply_retention(now: datetime | None = None) -> list[tuple[Step, dict[str, int]]]:
    """Do what is due. Returns what was done, with the counts that its audit row tells."""
    done = []
    for step in steps(now or timezone.now()):
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
            if step.project:  # two at once: the second finds nothing left
                Project.objects.select_for_update(no_key=True).get(pk=step.project.pk)
            counts = step.act()
            if any(counts.values()):
                audit.record(None, step.deed, step.project or AccessAttempt(), step.project, **counts)
                done.append((step, counts))
    return done


def foreseen(now: datetime | None = None) -> list[tuple[Step, dict[str, int]]]:
    """What `apply_retention` would do; nothing is changed."""
    told = [(step, step.counts()) for step in steps(now or timezone.now())]
    return [(step, counts) for step, counts in told if any(counts.values())]


def _unlink(project: Project) -> Step:
    """Accounts that code plays in a demo go with the demo, which finds them by this tie."""

    def tied() -> QuerySet[Annotator]:
        return Annotator.objects.filter(
            project=project, project__state=ProjectState.CLOSED, user__isnull=False
        ).exclude(user__simulated=True)

    def cut() -> dict[str, int]:
        found = list(tied().values_list("pk", flat=True))  # an update cannot join
        return {"accounts": Annotator.objects.filter(pk__in=found).update(user=None)}

    return Step("cut links to accounts", project, lambda: {"accounts": tied().count()}, cut)


def _forget(project: Project, before: datetime) -> Step:
    """Drafts and notes of pairs that are in nobody's hand any more."""
    drafts = ClaimDraft.objects.filter(
        claim__annotator__project=project, claim__closed_at__isnull=False, saved_at__lt=before
    )
    notes = Claim.objects.filter(Q(annotator__project=project, closed_at__lt=before) & ~Q(note=""))

    def forget() -> dict[str, int]:
        found = list(notes.values_list("pk", flat=True))
        return {
            "drafts": drafts.delete()[0],
            "notes": Claim.objects.filter(pk__in=found).update(note=""),
        }

    return Step(
        "forget drafts and notes",
        project,
        lambda: {"drafts": drafts.count(), "notes": notes.count()},
        forget,
    )


def _forget_logins(before: datetime) -> Step:
    old = [
        model.objects.filter(attempt_time__lt=before)
        for model in (AccessAttempt, AccessFailureLog, AccessLog)
    ]
    return Step(
        "forget login records",
        None,
        lambda: {"records": sum(rows.count() for rows in old)},
        lambda: {"records": sum(rows.delete()[0] for rows in old)},
    )
