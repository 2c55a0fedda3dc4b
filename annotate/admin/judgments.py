"""Judgments, to read: they are append-only, and only a withdrawal erases them."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from annotate.access import Deed
from annotate.admin.base import BoundedPaginator, OwnProjectFilter, ScopedAdmin
from annotate.admin_site import projects_for, signed_in
from annotate.models import Annotator, Judgment

# Annotators whose judgments are merged. Where there are more, a project has so many judgments that it finds its own soon.
_MERGED = 300


@admin.register(Judgment)
class JudgmentAdmin(ScopedAdmin):
    deed = Deed.SEE_JUDGMENTS
    project_path = "annotator__project"
    list_display = (
        "created_at",
        "project_name",
        "pair_link",
        "criterion_text",
        "annotator",
        "verdict",
        "strength",
        "late",
        "authored",
    )
    list_filter = (OwnProjectFilter,)
    list_select_related = ("annotator",)
    ordering = ("-created_at",)
    search_fields = ("id",)
    search_help_text = "A judgment's id, the number of a pair, or a pseudonym."
    fields = (
        "id",
        "pair_link",
        "criterion_text",
        "annotator",
        "claim",
        "supersedes",
        "verdict",
        "strength",
        "tie_kind",
        "broken",
        "rationale",
        "tags",
        "evidence",
        "late",
        "authored",
        "seconds",
        "data_import",
        "created_at",
    )
    readonly_fields = ("pair_link", "criterion_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Judgment]:
        # Looked up for the rows of the page alone: joined, they would be for all that are put in order.
        rows: QuerySet[Judgment] = super().get_queryset(request)
        return rows.prefetch_related("annotator__project", "comparison__pair", "comparison__criterion")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Judgment], search_term: str
    ) -> tuple[QuerySet[Judgment], bool]:
        term = search_term.strip()
        if not term:
            return self._newest(request, queryset), False
        if term.isdecimal():
            return queryset.filter(comparison__pair=int(term)), False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            named = Annotator.objects.filter(pseudonym=term)
            if not signed_in(request).is_superuser:  # else all rows are gone through for a foreign one
                named = named.filter(project__in=projects_for(request, self.deed))
            return queryset.filter(annotator__in=list(named.values_list("pk", flat=True)[:100])), False

    def _newest(self, request: HttpRequest, queryset: QuerySet[Judgment]) -> QuerySet[Judgment]:
        """Of one's projects, or of that which is filtered by: as many of the newest as can be leafed through.

        A judgment's project is that of its annotator, so no index has a project's in their order: by time those of
        all others would be gone through. Each annotator's have one; PostgreSQL merges these.
        """
        wanted, chosen = Annotator.objects.all(), request.GET.get("project", "")
        if not signed_in(request).is_superuser:
            wanted = wanted.filter(project__in=projects_for(request, self.deed))
        elif not chosen.isdecimal():
            return queryset
        if chosen.isdecimal():
            wanted = wanted.filter(project=int(chosen))
        ids = list(
            wanted.filter(Exists(Judgment.objects.filter(annotator=OuterRef("pk")))).values_list(
                "pk", flat=True
            )[: _MERGED + 1]
        )
        if not ids:
            return queryset.none()
        if len(ids) > _MERGED:
            return queryset
        most = BoundedPaginator.LIMIT + 1
        one = "(SELECT id, created_at FROM annotate_judgment WHERE annotator_id = %s ORDER BY created_at DESC LIMIT %s)"
        each = " UNION ALL ".join([one] * len(ids))
        newest = f"SELECT id FROM ({each}) one ORDER BY created_at DESC LIMIT %s"
        return queryset.filter(pk__in=RawSQL(newest, [*(n for pk in ids for n in (pk, most)), most]))

    @admin.display(description="project")
    def project_name(self, judgment: Judgment) -> str:
        return judgment.annotator.project.name

    @admin.display(description="pair")
    def pair_link(self, judgment: Judgment) -> Any:
        pair = judgment.comparison.pair
        return format_html('<a href="{}">{}</a>', reverse("admin:annotate_pair_change", args=[pair.pk]), pair)

    @admin.display(description="criterion")
    def criterion_text(self, judgment: Judgment) -> str:
        return str(judgment.comparison.criterion)
