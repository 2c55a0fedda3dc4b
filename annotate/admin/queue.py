"""Claims that are held, and the draws they come from."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from annotate.actions.queue import release_claim
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter, ScopedAdmin
from annotate.admin_site import signed_in
from annotate.models import Claim, Draw


def _release(request: HttpRequest, claim: Claim, _: dict[str, Any]) -> str:
    if release_claim(by=signed_in(request), claim=claim):
        return "Released: its pair is asked again. What its annotator still sends counts as late."
    return "It had ended already."


@admin.register(Claim)
class ClaimAdmin(ActingAdmin):
    """The claims in hand, the longest held first. Ended ones are found by their id or their pair's."""

    project_path = "annotator__project"
    list_display = ("id", "project_name", "annotator", "pair", "since", "expires_at", "overdue", "outcome")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("annotator__project", "pair")
    ordering = ("expires_at",)
    search_fields = ("id",)
    search_help_text = "Held claims. To find ended ones: a claim's id, or the number of a pair."
    actions = ("release",)
    fields = (
        "pair",
        "annotator",
        "draw",
        "flip",
        "created_at",
        "expires_at",
        "closed_at",
        "outcome",
        "skip_reason",
        "note",
    )
    acts = (
        Act(
            "release",
            "Release",
            "Takes the pair back from its annotator and asks it again. What they still send is kept, as late.",
            _release,
            offered=lambda claim: claim.closed_at is None,
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Claim], search_term: str
    ) -> tuple[QuerySet[Claim], bool]:
        term = search_term.strip()
        if term.isdecimal():
            return queryset.filter(pair=int(term)), False
        if term:
            try:
                return queryset.filter(pk=UUID(term)), False
            except ValueError:
                return queryset.none(), False
        if request.resolver_match and request.resolver_match.url_name == "annotate_claim_changelist":
            queryset = queryset.filter(closed_at__isnull=True)
        return queryset, False

    @admin.display(description="project")
    def project_name(self, claim: Claim) -> str:
        return claim.annotator.project.name

    @admin.display(description="held since")
    def since(self, claim: Claim) -> Any:
        return claim.created_at

    @admin.display(boolean=True)
    def overdue(self, claim: Claim) -> bool:
        return claim.closed_at is None and claim.expires_at < timezone.now()

    @admin.action(description="Release the selected claims")
    def release(self, request: HttpRequest, queryset: QuerySet[Claim]) -> None:
        released = sum(release_claim(by=signed_in(request), claim=claim) for claim in queryset)
        self.message_user(request, f"Released: {released}.")


@admin.register(Draw)
class DrawAdmin(ScopedAdmin):
    list_display = (
        "id",
        "project",
        "route",
        "epoch",
        "pos",
        "pair",
        "q",
        "pool_size",
        "policy",
        "open",
        "created_at",
    )
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "pair")
    search_help_text = "The number of a pair."
    search_fields = ("pair",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Draw], search_term: str
    ) -> tuple[QuerySet[Draw], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return (queryset.filter(pair=int(term)) if term.isdecimal() else queryset.none()), False
