"""Pairs as they stand, with what was judged of them, and the criteria they are judged by."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from annotate.access import Deed
from annotate.actions.criteria import apply_criterion
from annotate.actions.moderation import merge_criteria
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter, ScopedAdmin
from annotate.admin_site import signed_in
from annotate.models import Asset, Comparison, Criterion, CriterionState, Judgment, Pair, PromptAsset, Seat
from annotate.opposites import opposed
from annotate.queries import VISIBLE_IMPORT

_SHOWN_COMPARISONS = 100
_SHOWN_JUDGMENTS = 1000


@admin.register(Pair)
class PairAdmin(ScopedAdmin):
    deed = Deed.SEE_JUDGMENTS
    list_display = ("id", "project", "source", "external_id", "task_type", "partition", "asked", "queued")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project",)
    search_fields = ("external_id",)
    search_help_text = "The number of a pair, or the beginning of an external id."
    fields = (
        ("source", "external_id"),
        ("task_type", "partition", "queued", "sensitive"),
        "data_import",
        "metadata",
        "created_at",
    )
    change_form_template = "admin/annotate/pair_change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pair]:
        start = Left(KeyTextTransform("text", KeyTransform("-1", "prompt__turns")), 80)
        rows: QuerySet[Pair] = super().get_queryset(request)
        return rows.filter(VISIBLE_IMPORT).annotate(asked_text=start)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Pair], search_term: str
    ) -> tuple[QuerySet[Pair], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        # Two lookups with an index each: together in one condition they would have none.
        named = queryset.model.objects.filter(external_id__startswith=term).order_by("external_id")
        found = set(named.values_list("pk", flat=True)[: self.list_per_page * 4])
        if term.isdecimal() and len(term) < 19:
            found.add(int(term))
        return queryset.filter(pk__in=found), False

    @admin.display(description="prompt")
    def asked(self, pair: Any) -> str:
        return pair.asked_text or ""

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        shown = _shown(found) if isinstance(found, Pair) else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})


def _shown(pair: Pair) -> dict[str, Any]:
    """What the page of a pair shows, in a fixed number of statements."""
    comparisons = list(
        Comparison.objects.filter(VISIBLE_IMPORT, pair=pair)
        .select_related("criterion", "author")
        .order_by("pk")[:_SHOWN_COMPARISONS]
    )
    judgments = (
        Judgment.objects.filter(VISIBLE_IMPORT, comparison__in=comparisons)
        .select_related("annotator", "superseded_by")
        .order_by("created_at")
    )
    counted = set(Seat.objects.filter(comparison__in=comparisons).values_list("head_id", flat=True))
    by_comparison: dict[int, list[dict[str, Any]]] = {row.pk: [] for row in comparisons}
    for judgment in judgments[:_SHOWN_JUDGMENTS]:
        by_comparison[judgment.comparison_id].append({"row": judgment, "counted": judgment.pk in counted})
    responses = [
        {"name": name, "row": response, "asset": _preview(response.asset)}
        for name, response in (("Response 1", pair.response1), ("Response 2", pair.response2))
    ]
    media = PromptAsset.objects.filter(prompt=pair.prompt_id).select_related("asset").order_by("position")
    return {
        "turns": pair.prompt.turns,
        "prompt_media": [_preview(row.asset) for row in media],
        "responses": responses,
        "comparisons": [{"row": row, "judgments": by_comparison[row.pk]} for row in comparisons],
    }


def _preview(asset: Asset | None) -> dict[str, Any] | None:
    if asset is None:
        return None
    return {"row": asset}


class MergeForm(forms.Form):
    into = forms.IntegerField(
        label="Canonical criterion", help_text="Its number, as in the list of criteria."
    )
    sure = forms.BooleanField(
        label="They do mean the same",
        required=False,
        help_text="Needed only where one may ask for another thing, or for the opposite: less, not, without ...",
    )

    def __init__(self, *args: Any, row: Criterion, **kwargs: Any) -> None:
        self._row = row
        super().__init__(*args, **kwargs)

    def clean_into(self) -> Criterion:
        found = Criterion.objects.filter(project=self._row.project_id, pk=self.cleaned_data["into"]).first()
        if found is None:
            raise forms.ValidationError("There is no such criterion in this project.")
        return found

    def clean(self) -> dict[str, Any]:
        into = self.cleaned_data.get("into")
        if into and opposed(self._row.text, into.text) and not self.cleaned_data["sure"]:
            self.add_error(
                "sure",
                f"\u201c{into}\u201d may ask for another thing, or for the opposite: look twice, then tick this.",
            )
        return self.cleaned_data


def _merge(request: HttpRequest, criterion: Criterion, data: dict[str, Any]) -> str:
    canonical = merge_criteria(by=signed_in(request), duplicate=criterion, into=data["into"])
    return f"Merged into {canonical.pk}: {canonical}"


def _apply(request: HttpRequest, criterion: Criterion, _: dict[str, Any]) -> HttpResponse:
    job = apply_criterion(by=signed_in(request), criterion=criterion)
    return HttpResponseRedirect(reverse("admin:annotate_job_progress", args=[job.pk]))


@admin.register(Criterion)
class CriterionAdmin(ActingAdmin):
    deed = Deed.SEE_JUDGMENTS
    list_display = (
        "id",
        "text",
        "project",
        "state",
        "in_library",
        "author",
        "data_import",
        "canonical",
        "created_at",
    )
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "author", "canonical", "data_import")
    search_fields = ("text",)
    search_help_text = "The number of a criterion, or how its text begins."
    fields = (
        "text",
        "project",
        "author",
        "canonical",
        ("state", "in_library"),
        "reason",
        "decided_at",
        "data_import",
        "created_at",
    )
    acts = (
        Act(
            "apply",
            "Apply to all pairs",
            "Every pair of the project will be judged by this criterion too. It cannot be taken back.",
            _apply,
            offered=lambda criterion: (
                criterion.canonical_id is None and criterion.state == CriterionState.ACCEPTED
            ),
        ),
        Act(
            "merge",
            "Merge into another",
            "Says that this criterion means the same as another one. Releases then count both as one.",
            _merge,
            MergeForm,
            offered=lambda criterion: criterion.canonical_id is None,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Criterion]:
        rows: QuerySet[Criterion] = super().get_queryset(request)
        return rows.filter(VISIBLE_IMPORT)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Criterion], search_term: str
    ) -> tuple[QuerySet[Criterion], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        # The index is on the first 60 characters: a text may be longer than an index entry.
        begins = Criterion.objects.annotate(start=Left("text", 60)).filter(start__startswith=term[:60])
        found = set(begins.order_by().values_list("pk", flat=True)[: self.list_per_page * 4])
        if term.isdecimal() and len(term) < 19:
            found.add(int(term))
        return queryset.filter(pk__in=found), False
