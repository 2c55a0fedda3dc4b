"""The audit trail, to read."""

from typing import Any

from django.contrib import admin

from annotate.admin.base import OwnProjectFilter, ScopedAdmin
from annotate.models import AuditEntry, Project


@admin.register(AuditEntry)
class AuditEntryAdmin(ScopedAdmin):
    list_display = ("at", "by", "project", "deed", "subject")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("by", "project")

    def project_of(self, row: Any) -> Project | None:  # type: ignore[override]
        return row.project

    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        # Rows outlive their project, and deeds such as "create user" have none: superusers see these too.
        if obj is not None and request.user.is_superuser:
            return True
        return super().has_view_permission(request, obj)
