"""Teams: made by superusers, and given roles by who manages a project (buttons of the project's page)."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from annotate.actions import teams
from annotate.admin.acts import Act
from annotate.admin.base import AuditedAdmin, BoundedPaginator
from annotate.admin_site import signed_in
from annotate.models import Project, Role, Team, TeamMember, User


class TeamMemberForm(forms.ModelForm):
    username = forms.CharField(label="Account", help_text="As it logs in.")

    class Meta:
        model = TeamMember
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["username"].initial = self.instance.user.username
            self.fields["username"].disabled = True

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if not self.instance.pk:
            user = User.objects.filter(username=username).first()
            if user is None:
                raise forms.ValidationError(f"There is no account {username!r}.")
            self.instance.user = user
        return username


class TeamMemberInline(admin.StackedInline):
    model = TeamMember
    form = TeamMemberForm
    extra = 0
    fields = ("username",)
    verbose_name, verbose_name_plural = "member", "members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TeamMember]:
        rows: QuerySet[TeamMember] = super().get_queryset(request)
        return rows.select_related("user").order_by("user__username")


@admin.register(Team)
class TeamAdmin(AuditedAdmin):
    """For superusers alone, as accounts are."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_display = ("name", "people", "roles")
    search_fields = ("name__startswith",)
    ordering = ("name",)
    sortable_by = ()
    fields = ("name", "roles")
    inlines = (TeamMemberInline,)
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        rows: QuerySet[Team] = super().get_queryset(request)
        return rows.annotate(size=Count("members")).prefetch_related("roles__project")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "roles") if obj else ("roles",)

    @admin.display(description="members")
    def people(self, team: Any) -> int:
        size: int = team.size
        return size

    @admin.display(description="roles in projects")
    def roles(self, team: Team) -> str:
        given = sorted((role.project.name, role.role) for role in team.roles.all()) if team.pk else []
        return "; ".join(f"{project}: {role}" for project, role in given) or "none"

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        if not change:
            obj.pk = teams.make_team(by=signed_in(request), name=obj.name).pk

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        by, team = signed_in(request), form.instance
        formset.save(commit=False)  # tells what is new and deleted
        for member in formset.deleted_objects:
            teams.take_from_team(by=by, team=team, user=member.user)
        for member in formset.new_objects:
            teams.add_to_team(by=by, team=team, user=member.user)

    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        teams.remove_team(by=signed_in(request), team=obj)


class TeamRoleForm(forms.Form):
    team = forms.ModelChoiceField(Team.objects.order_by("name"), empty_label=None)
    role = forms.ChoiceField(choices=Role, initial=Role.ANNOTATOR)

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class NoTeamRoleForm(forms.Form):
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["team"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Team.objects.filter(roles__project=row).order_by("name")


def _give(request: HttpRequest, project: Project, data: dict[str, Any]) -> str:
    role = Role(data["role"])
    teams.give_team_role(by=signed_in(request), project=project, team=data["team"], role=role)
    return f"Everybody in the team {data['team']} is {role} here now, or more."


def _take(request: HttpRequest, project: Project, data: dict[str, Any]) -> str:
    teams.take_team_role(by=signed_in(request), project=project, team=data["team"])
    return f"The team {data['team']} has no role here any more. Who has one otherwise keeps it."


TEAM_ACTS = (
    Act(
        "team",
        "Give a team a role",
        "Everybody who is in the team, or comes into it later, has at least this role in the project. Superusers say who "
        "is in which team.",
        _give,
        TeamRoleForm,
    ),
    Act(
        "no-team",
        "Take a team's role away",
        "Who is a member by the team alone is none any more; what they judged stays.",
        _take,
        NoTeamRoleForm,
        offered=lambda project: project.team_roles.exists(),
    ),
)
