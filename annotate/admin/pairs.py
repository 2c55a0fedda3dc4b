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
from annotate.actions.criteria import apply_criterion, change_criterion
from annotate.actions.gold import MAX_NOTE, mark_gold, unmark_gold
from annotate.actions.moderation import merge_criteria
from annotate.actions.pools import ask_of_people, asks
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter
from annotate.admin_site import signed_in
from annotate.models import (
    Asset,
    Comparison,
    Criterion,
    CriterionState,
    Gold,
    Judgment,
    KnownKind,
    KnownVerdict,
    Pair,
    PromptAsset,
    Seat,
)
from annotate.models.pools import MAX_EXPERTISE
from annotate.opinions import ModelSays, of_comparisons
from annotate.opposites import opposed
from annotate.queries import VISIBLE_IMPORT

_SHOWN_COMPARISONS = 100
_SHOWN_JUDGMENTS = 1000


class _ByCriterion(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.criterion)


class _OfPairForm(forms.Form):
    """About one comparison of a pair."""

    comparison = _ByCriterion(Comparison.objects.none(), label="Criterion", empty_label=None)

    def __init__(self, *args: Any, row: Pair, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = self.fields["comparison"]
        assert isinstance(choices, forms.ModelChoiceField)
        choices.queryset = self.among(_asked_of(row)).order_by("pk")

    def among(self, comparisons: QuerySet[Comparison]) -> QuerySet[Comparison]:
        return comparisons


class GoldForm(_OfPairForm):
    kind = forms.ChoiceField(
        label="For",
        choices=KnownKind.choices,
        help_text="All but attention checks need an objective criterion.",
    )
    verdict = forms.ChoiceField(label="Known answer", choices=KnownVerdict.choices)
    note = forms.CharField(
        label="Why", required=False, max_length=MAX_NOTE, widget=forms.Textarea(attrs={"rows": 3})
    )


class UngoldForm(_OfPairForm):
    def among(self, comparisons: QuerySet[Comparison]) -> QuerySet[Comparison]:
        return comparisons.filter(gold__isnull=False)


def _asked_of(pair: Pair) -> QuerySet[Comparison]:
    found = Comparison.objects.filter(VISIBLE_IMPORT, pair=pair)
    return found.select_related("criterion", "pair__project")


def _gold(request: HttpRequest, pair: Pair, data: dict[str, Any]) -> str:
    mark_gold(by=signed_in(request), **data)
    return "Its answer is known. The project's settings say when annotators are asked such pairs."


def _ungold(request: HttpRequest, pair: Pair, data: dict[str, Any]) -> str:
    unmark_gold(by=signed_in(request), **data)
    return "It has no known answer any more."


class AsksForm(forms.Form):
    """What a pair asks of people, as it stands."""

    language = forms.CharField(
        required=False,
        max_length=MAX_EXPERTISE,
        help_text="The name of a language group, whose annotators alone may judge it. Empty: any.",
    )
    expertise = forms.CharField(
        required=False,
        help_text="Names of expertise groups, with commas between them. Empty: none is needed.",
    )
    any_of = forms.BooleanField(required=False, label="One of these expertises is enough")

    def __init__(self, *args: Any, row: Pair | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if row:
            self.initial = {
                "language": row.need.language,
                "expertise": ", ".join(row.need.expertise),
                "any_of": row.need.any_of,
            }

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        names = [name for name in given.get("expertise", "").split(",") if name.strip()]
        return {"asked": asks(given.get("language", ""), names, given.get("any_of", False))}


def _ask(request: HttpRequest, pair: Pair, data: dict[str, Any]) -> str:
    ask_of_people(by=signed_in(request), project=pair.project, pair_ids=[pair.pk], **data)
    return "Who holds it now may finish it; from now on it is asked of whom it is for."


class KnownFilter(admin.SimpleListFilter):
    title = "known answer"
    parameter_name = "known"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Pair]) -> QuerySet[Pair]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=Gold.objects.values("comparison__pair"))


@admin.register(Pair)
class PairAdmin(ActingAdmin):
    deed = Deed.SEE_JUDGMENTS
    list_display = ("id", "project", "source", "external_id", "task_type", "partition", "asked", "queued")
    list_filter = (OwnProjectFilter, KnownFilter)
    list_select_related = ("project",)
    search_fields = ("external_id",)
    search_help_text = "The number of a pair, or the beginning of an external id."
    fields = (
        ("source", "external_id"),
        ("task_type", "partition", "queued", "sensitive"),
        "need",
        "data_import",
        "metadata",
        "created_at",
    )
    change_form_template = "admin/annotate/pair_change_form.html"
    acts = (
        Act(
            "people",
            "Who may judge it",
            "A language or expertise that is needed to judge this pair. Who is in which group is set on the page of an "
            "annotator, or on the project's page of groups.",
            _ask,
            AsksForm,
        ),
        Act(
            "gold",
            "Mark a known answer",
            "Gold and attention checks are asked now and then of annotators who have not seen the pair, without telling "
            "them; training and quiz before their first pair. What they say is held against this answer and never "
            "counts as a label, and no more labels are asked for here.",
            _gold,
            GoldForm,
            offered=lambda pair: _asked_of(pair).exists(),
        ),
        Act(
            "ungold",
            "Take a known answer away",
            "Nobody is measured by it any more, and labels are asked for again. What was answered stays, and never counts.",
            _ungold,
            UngoldForm,
            offered=lambda pair: Gold.objects.filter(comparison__pair=pair).exists(),
        ),
    )

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
        .select_related("criterion", "author", "gold", "review_item")
        .order_by("pk")[:_SHOWN_COMPARISONS]
    )
    judgments = (
        Judgment.objects.filter(VISIBLE_IMPORT, comparison__in=comparisons)
        .select_related("annotator", "superseded_by", "claim")
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
    says = of_comparisons([row.pk for row in comparisons])
    media = PromptAsset.objects.filter(prompt=pair.prompt_id).select_related("asset").order_by("position")
    models = sorted({(one.revision, one.backend) for said in says.values() for one in said}, reverse=True)
    return {
        # What each model says by each criterion, and whether it is against most people or the current model.
        "models": models,
        "margins": [
            {"row": row, "of": [_by(model, row, says[row.pk]) for model in models]}
            for row in comparisons
            if says[row.pk]
        ],
        "turns": pair.prompt.turns,
        "prompt_media": [_preview(row.asset) for row in media],
        "responses": responses,
        "comparisons": [
            {
                "row": row,
                "judgments": by_comparison[row.pk],
                "models": [(one, one.contradicts(getattr(row, "review_item", None))) for one in says[row.pk]],
            }
            for row in comparisons
        ],
    }


def _by(model: tuple[int, str], comparison: Comparison, says: list[ModelSays]) -> dict[str, Any] | None:
    """A model's margin, and with whom it disagrees; None where it says nothing."""
    said = next((one for one in says if (one.revision, one.backend) == model), None)
    if said is None:
        return None
    current = next((one for one in says if one.current), said)
    against = ["most people"] if said.contradicts(getattr(comparison, "review_item", None)) else []
    against += ["the current model"] if said.favourite != current.favourite else []
    return {"margin": said.margin, "against": " and ".join(against)}


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


class WishForm(forms.Form):
    k = forms.IntegerField(
        label="Labels wanted",
        min_value=1,
        max_value=9,
        required=False,
        help_text="Of comparisons that are made from now on, outside the reserve. Empty: as many as the project wants.",
    )
    objective = forms.BooleanField(
        label="It has one right answer",
        required=False,
        help_text="Whoever looks closely finds it. Only then may the answer of a pair be marked as known, on the pair's page.",
    )

    def __init__(self, *args: Any, row: Criterion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["k"].initial = row.k
        self.fields["objective"].initial = row.objective


def _change(request: HttpRequest, criterion: Criterion, data: dict[str, Any]) -> str:
    change_criterion(by=signed_in(request), criterion=criterion, **data)
    return "Changed."


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
        ("k", "objective"),
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
            "change",
            "Change how it is asked",
            "How many labels comparisons by it want, and whether they can have a known answer.",
            _change,
            WishForm,
            offered=lambda criterion: criterion.canonical_id is None,
        ),
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
