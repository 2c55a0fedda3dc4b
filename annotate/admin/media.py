"""Media as they were imported, and what became of making them fit to be shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join

from annotate.access import Deed
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter
from annotate.admin_site import signed_in
from annotate.derivatives import retry_media
from annotate.models import Asset
from annotate.queries import VISIBLE_IMPORT


class PreparedFilter(admin.SimpleListFilter):
    """By whether an asset can be shown."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("problem", "cannot be shown"), ("waiting", "being prepared")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Asset]) -> QuerySet[Asset]:
        if self.value() == "problem":
            return queryset.filter(prepared=False).exclude(problem="")
        if self.value() == "waiting":
            return queryset.filter(prepared=False, problem="")
        return queryset


def _retry(request: HttpRequest, asset: Asset, _: dict[str, Any]) -> HttpResponse:
    job = retry_media(by=signed_in(request), project=asset.project, asset=asset)
    return HttpResponseRedirect(reverse("admin:annotate_job_progress", args=[job.pk]))


@admin.register(Asset)
class AssetAdmin(ActingAdmin):
    deed = Deed.SEE_JUDGMENTS
    list_display = ("id", "project", "modality", "media_type", "size", "prepared", "problem", "data_import")
    list_filter = (OwnProjectFilter, PreparedFilter)
    list_select_related = ("project", "data_import")
    fields = ("modality", "media_type", "size", "preview", "problem", "probe", "data_import", "created_at")
    readonly_fields = ("preview",)
    acts = (
        Act(
            "retry",
            "Prepare again",
            "Tries to make what viewers need of the file. Its pairs are asked once that is done.",
            _retry,
            offered=lambda asset: not asset.prepared,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Asset]:
        rows: QuerySet[Asset] = super().get_queryset(request)
        return rows.filter(VISIBLE_IMPORT)

    @admin.display(description="shown as")
    def preview(self, asset: Asset) -> str:
        if not asset.prepared:
            return "is not prepared"
        kinds = sorted(asset.derivatives.values_list("kind", flat=True))
        return format_html_join(
            ", ", '<a href="{}">{}</a>', ((reverse("asset", args=[asset.pk, kind]), kind) for kind in kinds)
        )
