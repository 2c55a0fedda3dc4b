"""Audit rows. Claims and judgments need none: they are append-only and carry who and when themselves."""

from typing import Any

from django.db.models import Model

from annotate.models import AuditEntry, Project, User


def record(
    by: User | None, deed: str, subject: Model, project: Project | None = None, **details: Any
) -> None:
    """Write one audit row in the running transaction. `by` None is the system."""
    AuditEntry.objects.create(
        by=by,
        project=project,
        deed=deed,
        subject=f"{subject._meta.model_name} {subject.pk}",
        details=details,
    )
