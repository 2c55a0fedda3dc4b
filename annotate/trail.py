"""Reads of the audit trail of one project: who did what, when, to what."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet

from annotate.models import AuditEntry, Project, User

SYSTEM = "system"  # in the place of a person: what nobody did by hand
_LOOKED_AT = 10_000  # of the newest rows, for the deeds to choose from
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. Empty: anything. Days are those of UTC, both included."""

    deed: str = ""
    person: str = ""
    since: date | None = None
    until: date | None = None


def entries(project: Project, wanted: Wanted) -> QuerySet[AuditEntry]:
    """The rows wanted, the newest first."""
    found = AuditEntry.objects.filter(project=project).select_related("by").order_by("-pk")
    if wanted.deed:
        found = found.filter(deed=wanted.deed)
    if wanted.person == SYSTEM:
        found = found.filter(by=None)
    elif wanted.person:
        # As an id, so that the rows are still read in their own order.
        account = User.objects.filter(username=wanted.person).values_list("pk", flat=True).first()
        found = found.filter(by=account) if account is not None else found.none()
    if wanted.since:
        found = found.filter(at__gte=_begin(wanted.since))
    if wanted.until:
        found = found.filter(at__lt=_begin(wanted.until) + timedelta(days=1))
    return found


def page(project: Project, wanted: Wanted, before: int | None, size: int) -> list[AuditEntry]:
    """So many rows older than the row `before`; None: from the newest on."""
    found = entries(project, wanted)
    return list((found.filter(pk__lt=before) if before is not None else found)[:size])


def everything(project: Project, wanted: Wanted) -> Iterator[AuditEntry]:
    """All rows wanted, the newest first, read as they are taken."""
    before = None
    while rows := page(project, wanted, before, _BATCH):
        yield from rows
        before = rows[-1].pk


def deeds(project: Project) -> list[str]:
    """What was done lately, each once, by name."""
    newest = AuditEntry.objects.filter(project=project).order_by("-pk").values("deed")[:_LOOKED_AT]
    return sorted({row["deed"] for row in newest})


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
