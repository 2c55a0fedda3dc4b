"""Who did what: append-only, written in the transaction of the deed."""

from django.conf import settings
from django.db import models

from annotate.models.project import Project


class AuditEntry(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    # No constraints: the rows outlive the account and the project they name, unchanged.
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, blank=True, db_constraint=False
    )
    project = models.ForeignKey(
        Project, models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_index=False
    )
    deed = models.CharField(max_length=60)
    subject = models.CharField(max_length=120, help_text="kind and id of what it was done to")
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["project", "-id"], name="audit_list"),
            models.Index(fields=["project", "subject", "-at"], name="audit_history"),
        ]

    def __str__(self) -> str:
        return f"{self.deed} {self.subject}"
