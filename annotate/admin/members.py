"""Members of projects: who is paused, who may do what, and the buttons for it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from annotate.actions.members import change_role, pause_member, remove_member, resume_member
from annotate.actions.trials import forgive_attempts, let_in
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter
from annotate.admin_site import signed_in
from annotate.models import Membership, Qualification, Role, TeamRole, WayIn
from annotate.models.trials import MAX_LET_IN


class PauseForm(forms.Form):
    reason = forms.CharField(
        max_length=500, required=False, help_text="The member is told it. Empty: none is given."
    )

    def __init__(self, *args: Any, row: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


def _pause(request: HttpRequest, membership: Membership, data: dict[str, Any]) -> str:
    if pause_member(by=signed_in(request), membership=membership, reason=data["reason"]):
        return (
            "Paused: no new pairs, and those in hand are asked of others. What is on its way is still taken."
        )
    return "This member was paused already."


def _resume(request: HttpRequest, membership: Membership, _: dict[str, Any]) -> str:
    if resume_member(by=signed_in(request), membership=membership):
        return "This member gets pairs again."
    return "This member was not paused."


class LetInForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_LET_IN, help_text="Kept with the member's standing and in the audit trail."
    )

    def __init__(self, *args: Any, row: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


def _let_in(request: HttpRequest, membership: Membership, data: dict[str, Any]) -> str:
    if let_in(by=signed_in(request), membership=membership, reason=data["reason"], now=timezone.now()):
        return "Let in: this member gets pairs without training and quiz."
    return "This member is in already."


def _forgive(request: HttpRequest, membership: Membership, _: dict[str, Any]) -> str:
    if forgive_attempts(by=signed_in(request), membership=membership, now=timezone.now()):
        return "Forgiven: this member may try the quiz again at once, with all attempts."
    return "There is no attempt to forgive."


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)

    def __init__(self, *args: Any, row: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].initial = row.role


def _change_role(request: HttpRequest, membership: Membership, data: dict[str, Any]) -> str:
    change_role(by=signed_in(request), membership=membership, role=Role(data["role"]))
    return "The role is changed."


def _remove(request: HttpRequest, membership: Membership, _: dict[str, Any]) -> HttpResponse:
    listed = f"{reverse('admin:annotate_membership_changelist')}?project={membership.project_id}"
    remove_member(by=signed_in(request), membership=membership)
    messages.success(request, f"{membership.user} is no member any more.")
    return HttpResponseRedirect(listed)


@admin.register(Membership)
class MembershipAdmin(ActingAdmin):
    list_display = ("user", "project", "role", "by_team", "tags", "training", "paused_at", "pause_reason")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "user")
    search_fields = ("user__username__startswith",)
    actions = ("pause", "resume")
    fields = (
        "user",
        "project",
        "role",
        "own_role",
        "by_team",
        "tags",
        "paused_at",
        "pause_reason",
        "training",
    )
    readonly_fields = ("by_team", "training")
    acts = (
        Act(
            "pause",
            "Pause",
            "No new pairs, and those in hand are asked of others at once. What this member judged stays, and what is "
            "still on its way from them is taken.",
            _pause,
            PauseForm,
            offered=lambda membership: membership.paused_at is None,
        ),
        Act(
            "resume",
            "Resume",
            "This member gets pairs again.",
            _resume,
            offered=lambda membership: membership.paused_at is not None,
        ),
        Act(
            "let-in",
            "Let in",
            "This member gets pairs without the training and quiz of this round, or what is left of them.",
            _let_in,
            LetInForm,
            offered=lambda membership: membership.project.qualify,
        ),
        Act(
            "forgive",
            "Attempts anew",
            "This member may try the quiz again at once, with all attempts that the project gives.",
            _forgive,
            offered=lambda membership: membership.project.qualify,
        ),
        Act(
            "role",
            "Change the role",
            "What this member may do in the project from now on.",
            _change_role,
            RoleForm,
        ),
        Act(
            "remove",
            "Take out of the project",
            "The account and what it judged stay. What it holds is asked of others when its leases end.",
            _remove,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        teams = TeamRole.objects.filter(project=OuterRef("project"), team__members__user=OuterRef("user"))
        state = Qualification.objects.filter(
            annotator__project=OuterRef("project"),
            annotator__user=OuterRef("user"),
            round=OuterRef("project__qualify_round"),
        )
        rows: QuerySet[Membership] = super().get_queryset(request)
        return rows.annotate(
            teams_here=ArraySubquery(teams.order_by("team__name").values("team__name")),
            way=Subquery(state.values("way")[:1]),
        )

    @admin.display(description="by team")
    def by_team(self, membership: Any) -> str:
        return ", ".join(membership.teams_here) or "-"

    @admin.display(description="training and quiz")
    def training(self, membership: Any) -> str:
        if not membership.project.qualify:
            return "not asked for"
        return "not begun" if membership.way is None else str(WayIn(membership.way).label)

    @admin.action(description="Pause the selected members")
    def pause(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.message_user(request, f"Paused: {self._each(request, queryset, pause_member)}.")

    @admin.action(description="Resume the selected members")
    def resume(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        self.message_user(request, f"Resumed: {self._each(request, queryset, resume_member)}.")

    def _each(self, request: HttpRequest, queryset: QuerySet[Membership], deed: Callable[..., bool]) -> int:
        """For how many of them it was done; of whom it cannot be done is told."""
        done = 0
        for membership in queryset.select_related("project", "user"):
            try:
                done += deed(by=signed_in(request), membership=membership)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), "warning")
        return done
