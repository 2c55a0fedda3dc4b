"""Who came from Prolific, and the link for it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from annotate.actions.crowd import let_in_elsewhere, make_crowd_link
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter
from annotate.admin.invitations import shown_once
from annotate.admin_site import signed_in
from annotate.members import arrivals_with_judged, judged_of
from annotate.models import CrowdArrival, Project

# Prolific puts its ids in the place of these.
_IDS = "&".join(f"{name}={{{{%{name}%}}}}" for name in ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID"))


def _crowd_link(request: HttpRequest, project: Project, _: dict[str, Any]) -> HttpResponse:
    key = make_crowd_link(by=signed_in(request), project=project)
    url = request.build_absolute_uri(reverse("crowd", args=[project.slug]))
    return shown_once(
        request,
        project,
        title="Link for Prolific",
        explain="It is shown this once: copy it as it stands into the study's link on Prolific, and hand it to nobody else.",
        header=("link",),
        rows=[(f"{url}?key={key}&{_IDS}",)],
    )


CROWD_ACTS = (
    Act(
        "crowd-link",
        "Link for Prolific",
        "Makes the link that participants come by. One that was made before opens nothing any more; who has begun "
        "goes on, but gets back in by the new link only.",
        _crowd_link,
        offered=lambda project: project.crowd_open,
    ),
)


def _elsewhere(request: HttpRequest, arrival: CrowdArrival, _: dict[str, Any]) -> str:
    let_in_elsewhere(by=signed_in(request), arrival=arrival)
    return "The next browser that comes with this participant's link is taken for theirs."


@admin.register(CrowdArrival)
class CrowdArrivalAdmin(ActingAdmin):
    list_display = ("participant", "study", "project", "begun_at", "pairs", "judged", "done")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project",)
    search_fields = ("participant",)
    search_help_text = "A participant's id."
    fields = ("participant", "study", "session", "project", "user", "begun_at", "pairs", "judged", "done")
    readonly_fields = ("judged", "done")
    acts = (
        Act(
            "elsewhere",
            "Let in from another browser",
            "For a participant who has lost the browser in which they began: the next one that comes with their link "
            "is taken for theirs. Ask them first: whoever knows their ids could be faster.",
            _elsewhere,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CrowdArrival]:
        return arrivals_with_judged(super().get_queryset(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CrowdArrival], search_term: str
    ) -> tuple[QuerySet[CrowdArrival], bool]:
        term = search_term.strip()
        return (queryset.filter(participant=term) if term else queryset), False

    @admin.display(description="judged")
    def judged(self, arrival: Any) -> int:
        return judged_of(arrival, arrival.judged_pairs or 0)

    @admin.display(boolean=True)
    def done(self, arrival: Any) -> bool:
        return self.judged(arrival) >= arrival.pairs
