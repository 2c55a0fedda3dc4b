"""Criteria that models wrote: each run of a recipe with what it came to and cost, each proposal with what became of it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from annotate.admin.base import OwnProjectFilter, ScopedAdmin
from annotate.models import CriteriaRun, Proposal
from annotate.written import Outcome, outcome


def _money(cost: float | None) -> str:
    return "not known: not every model has prices" if cost is None else f"{cost:.4f}"


@admin.register(CriteriaRun)
class CriteriaRunAdmin(ScopedAdmin):
    # What it came to is counted on its own page alone: a list counts nothing that has no bound.
    list_display = ("id", "project", "writer", "state", "done", "all_of_them", "created_at")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "job")
    fields = (
        "project",
        "job",
        "writer",
        "pairs",
        "proposals",
        "reasons",
        "tokens",
        "cost",
        "all_of_them",
        "recipe",
        "digest",
        "created_at",
    )
    readonly_fields = ("pairs", "proposals", "reasons", "tokens", "cost", "all_of_them")

    @admin.display
    def state(self, run: CriteriaRun) -> str:
        return run.job.get_state_display()

    @admin.display(description="pairs, of its newest job")
    def done(self, run: CriteriaRun) -> str:
        return f"{run.job.done:,}" if run.job.total is None else f"{run.job.done:,} of {run.job.total:,}"

    @admin.display(description="pairs done with")
    def pairs(self, run: CriteriaRun) -> int:
        return _came_to(run).pairs

    @admin.display(description="what became of proposals")
    def proposals(self, run: CriteriaRun) -> str:
        return ", ".join(f"{state} {count}" for state, count in sorted(_came_to(run).states.items())) or "-"

    @admin.display(description="most frequent reasons")
    def reasons(self, run: CriteriaRun) -> Any:
        return (
            format_html_join("", "{}: {}<br>", ((count, reason) for reason, count in _came_to(run).reasons))
            or "-"
        )

    @admin.display(description="tokens in, out")
    def tokens(self, run: CriteriaRun) -> str:
        found = _came_to(run)
        return f"{found.tokens_in:,}, {found.tokens_out:,}"

    @admin.display
    def cost(self, run: CriteriaRun) -> str:
        return _money(_came_to(run).cost)

    @admin.display(description="its proposals")
    def all_of_them(self, run: CriteriaRun) -> Any:
        return format_html(
            '<a href="{}?run={}">all of them</a>', reverse("admin:annotate_proposal_changelist"), run.pk
        )


def _came_to(run: CriteriaRun) -> Outcome:
    """Asked once for all of a row's cells."""
    found: Outcome | None = getattr(run, "_outcome", None)
    if found is None:
        found = outcome(run)
        run._outcome = found  # type: ignore[attr-defined]
    return found


class RunFilter(admin.SimpleListFilter):
    """By the number of a run: its own page links here."""

    title = "run"
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = request.GET.get("run", "")
        return [(value, f"run {value}")] if value.isdecimal() else []

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(run=int(value)) if value and value.isdecimal() else queryset


@admin.register(Proposal)
class ProposalAdmin(ScopedAdmin):
    project_path = "run__project"
    list_display = ("id", "writer", "pair", "text", "label", "state", "reason", "sampled", "cost")
    list_filter = (OwnProjectFilter, "state", "sampled", RunFilter)
    list_select_related = ("run__project", "pair")
    search_fields = ("pair",)
    search_help_text = "The number of a pair."
    fields = (
        "run",
        "pair",
        "n",
        "text",
        "label",
        "why",
        "state",
        "reason",
        "verdicts",
        "sampled",
        "criterion",
        "tokens_in",
        "tokens_out",
        "cost",
        "created_at",
    )

    @admin.display(description="written by")
    def writer(self, proposal: Proposal) -> str:
        return proposal.run.writer

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Proposal], search_term: str
    ) -> tuple[QuerySet[Proposal], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return (queryset.filter(pair=int(term)) if term.isdecimal() else queryset.none()), False
