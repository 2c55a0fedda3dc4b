"""What every admin page here has in common: it shows the user's own projects, and is fast at a million rows."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ShowFacets
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property

from annotate import audit
from annotate.access import Deed, may
from annotate.admin_site import projects_for, signed_in
from annotate.models import Project

_HISTORY_SHOWN = 500


class BoundedPaginator(Paginator):
    """Counts no further than LIMIT, so that a page of a list takes as long for a million rows as for a thousand.

    What lies further back is reached by searching and filtering, not by leafing.
    """

    LIMIT = 2_000

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list.order_by().values("pk")[: self.LIMIT + 1].count()


class OwnProjectFilter(admin.SimpleListFilter):
    """By project, of those whose rows the user may see here."""

    title = "project"
    parameter_name = "project"

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: "ScopedAdmin") -> None:
        self._path = model_admin.project_path
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        projects = Project.objects.order_by("name")
        if not signed_in(request).is_superuser:
            projects = projects.filter(pk__in=projects_for(request, model_admin.deed))
        return [(str(pk), name) for pk, name in projects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value or not value.isdecimal():
            return queryset
        return queryset.filter(**{self._path: int(value)})


class AuditedAdmin(admin.ModelAdmin):
    """One trail: the audit rows that actions leave, and none of Django's own beside them."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any: ...

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any: ...

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any: ...

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise Http404(f"There is no such {self.opts.verbose_name} for you.")
        project = self.project_of(row)
        if project is not None and not may(signed_in(request), Deed.MANAGE, project):
            raise PermissionDenied("What was done, and by whom, is for who manages the project.")
        entries = audit.entries_of(row, project).select_related("by")
        context = {
            **self.admin_site.each_context(request),
            "title": "History",
            "subtitle": str(row),
            "opts": self.opts,
            "row": row,
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk]),
            "entries": entries[:_HISTORY_SHOWN],
        }
        return TemplateResponse(request, "admin/annotate/history.html", context)

    def project_of(self, row: Any) -> Project | None:
        """The project in whose trail deeds done to the row stand."""
        return None


class ScopedAdmin(AuditedAdmin):
    """Rows of the user's own projects; anything else does not exist. Nothing can be written as it stands.

    `project_path` leads from a row to its project, as in a lookup. `deed`: what one must be allowed to do in a project
    to see its rows here; whatever can be done to them is for who manages it.
    """

    project_path = "project"
    deed = Deed.MANAGE
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    ordering = ("-pk",)
    # Any other order than that of an index would sort the whole table.
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if signed_in(request).is_superuser:
            return rows
        return rows.filter(**{f"{self.project_path}__in": projects_for(request, self.deed)})

    def project_of(self, row: Any) -> Project:
        found: Any = row
        for name in self.project_path.split("__"):
            found = getattr(found, name)
        assert isinstance(found, Project)
        return found

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return signed_in(request).is_superuser or bool(projects_for(request, self.deed))
        return may(signed_in(request), self.deed, self.project_of(obj))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Nothing but the filters of the page: a query string must not feel its way through columns."""
        fields = {item for item in self.list_filter if isinstance(item, str)}
        own = {getattr(item, "parameter_name", None) for item in self.list_filter}
        return lookup in own or (lookup.split("__")[0] in fields and lookup.count("__") <= 1)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if object_id is not None:
            self.existing(request, object_id)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        self.existing(request, object_id)
        return super().delete_view(request, object_id, extra_context)

    def existing(self, request: HttpRequest, object_id: str) -> Any:
        """The row. What is not there for the user is not there, before it can be forbidden."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(f"There is no such {self.opts.verbose_name} for you.")
        return row
