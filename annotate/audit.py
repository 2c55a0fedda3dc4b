"""Audit rows. Claims and judgments need none: they are append-only and carry who and when themselves."""

from typing import Any

from django.db.models import Model, QuerySet

from annotate.models import AuditEntry, Project, User


def record(
    by: User | None, deed: str, subject: Model, project: Project | None = None, **details: Any
) -> None:
    """Write one audit row in the running transaction. `by` None is the system."""
    AuditEntry.objects.create(
        by=by,
        project=project,
        deed=deed,
        subject=_name(subject),
        details=details,
    )


def entries_of(subject: Model, project: Project | None) -> QuerySet[AuditEntry]:
    """What was done to one thing of a project (None: to what belongs to no project), the newest first."""
    return AuditEntry.objects.filter(project=project, subject=_name(subject)).order_by("-at", "-pk")


def _name(subject: Model) -> str:
    return f"{subject._meta.model_name} {subject.pk}"
