"""Judgments, to read: they are append-only, and only a withdrawal erases them."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from annotate.access import Deed
from annotate.admin.base import OwnProjectFilter, ScopedAdmin
from annotate.admin_site import projects_for, signed_in
from annotate.models import Annotator, Judgment


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
    list_select_related = ("annotator__project", "comparison__pair", "comparison__criterion")
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

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Judgment], search_term: str
    ) -> tuple[QuerySet[Judgment], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdecimal():
            return queryset.filter(comparison__pair=int(term)), False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            named = Annotator.objects.filter(pseudonym=term)
            if not signed_in(request).is_superuser:  # else all rows are gone through for a foreign one
                named = named.filter(project__in=projects_for(request, self.deed))
            return queryset.filter(annotator__in=list(named.values_list("pk", flat=True)[:100])), False

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
