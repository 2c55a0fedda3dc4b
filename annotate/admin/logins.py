"""Failed logins, to read by superusers. A name or address that is locked out is let in again by deleting its attempt.

Rows of allauth, secrets among them, are nobody's to edit.
"""

from typing import Any

from allauth.account import admin as _account
from allauth.mfa import admin as _mfa
from allauth.socialaccount import admin as _social
from axes.admin import AccessAttemptAdmin, AccessFailureLogAdmin, AccessLogAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.admin.options import ShowFacets
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from annotate.actions.people import unlock_login
from annotate.admin.base import AuditedAdmin, BoundedPaginator
from annotate.admin_site import signed_in

for _model in (AccessAttempt, AccessFailureLog, AccessLog):
    admin.site.unregister(_model)
# What these have registered, whatever it is.
_THEIRS = tuple(module.__package__ for module in (_account, _mfa, _social))
for _class, _page in list(admin.site._registry.items()):
    if type(_page).__module__.startswith(_THEIRS):
        admin.site.unregister(_class)


class ReadLogins(AuditedAdmin):
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    ordering = ("-pk",)
    sortable_by = ()
    list_filter = ()
    date_hierarchy = None
    search_fields = ("=username", "=ip_address")
    actions = ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AccessLog)
class LogAdmin(ReadLogins, AccessLogAdmin): ...


@admin.register(AccessFailureLog)
class FailureLogAdmin(ReadLogins, AccessFailureLogAdmin): ...


@admin.register(AccessAttempt)
class AttemptAdmin(ReadLogins, AccessAttemptAdmin):
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return signed_in(request).is_superuser

    def delete_model(self, request: HttpRequest, obj: AccessAttempt) -> None:
        unlock_login(by=signed_in(request), attempt=obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        for attempt in queryset:
            unlock_login(by=signed_in(request), attempt=attempt)
