"""Links into a project: made from the project's page, listed and revoked here."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from annotate.actions import invitations
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter
from annotate.admin_site import signed_in
from annotate.models import Invitation, Project, Role
from annotate.sheets import csv_text


class _DaysForm(forms.Form):
    days = forms.IntegerField(label="Valid for days", min_value=1, max_value=invitations.MAX_DAYS, initial=14)

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class LinkForm(_DaysForm):
    role = forms.ChoiceField(choices=Role.choices, initial=Role.ANNOTATOR)
    uses = forms.IntegerField(
        label="People",
        min_value=1,
        max_value=invitations.MAX_USES,
        initial=1,
        help_text="How many may get in by this one link.",
    )
    tags = forms.CharField(
        required=False, help_text="Words by which you tell them apart from others, separated by commas."
    )
    field_order = ("role", "uses", "days", "tags")


class InviteForm(_DaysForm):
    rows = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 12, "cols": 70, "spellcheck": "false"}),
        help_text="One person a line: email,role or email,role,tags (several tags with a semicolon between them). "
        f"Roles: {', '.join(Role.values)}. At most {invitations.MAX_ROWS:,} lines.",
    )
    field_order = ("rows", "days")

    def clean_rows(self) -> list[invitations.Invited]:
        return invitations.read_invited(self.cleaned_data["rows"])


def shown_once(
    request: HttpRequest, project: Project, *, title: str, explain: str, header: Sequence[str], rows: Any
) -> HttpResponse:
    """A page with what cannot be asked for again, to be copied or downloaded as CSV."""
    rows = list(rows)
    context = {
        **admin.site.each_context(request),
        "title": title,
        "subtitle": str(project),
        "opts": Project._meta,
        "row": project,
        "back": reverse("admin:annotate_project_change", args=[project.pk]),
        "explain": explain,
        "header": header,
        "rows": rows,
        # Made of the page itself: whatever could be fetched again would be kept somewhere.
        "download": f"data:text/csv;charset=utf-8,{quote(csv_text(header, rows))}",
        "file_name": f"{project.slug}-links.csv",
    }
    return TemplateResponse(request, "admin/annotate/shown_once.html", context)


def _show(request: HttpRequest, project: Project, links: Sequence[invitations.Link]) -> HttpResponse:
    return shown_once(
        request,
        project,
        title="Links",
        explain="They are shown this once: copy them or download them now. No e-mail is sent; hand each to whom it is "
        "for. Whoever has a link can use it.",
        header=("email", "role", "link"),
        rows=[
            (
                link.invitation.email,
                link.invitation.role,
                request.build_absolute_uri(reverse("join", args=[link.token])),
            )
            for link in links
        ],
    )


def _link(request: HttpRequest, project: Project, data: dict[str, Any]) -> HttpResponse:
    made = invitations.make_link(
        by=signed_in(request),
        project=project,
        role=Role(data["role"]),
        uses=data["uses"],
        days=data["days"],
        tags=invitations.split_tags(data["tags"]),
    )
    return _show(request, project, [made])


def _invite(request: HttpRequest, project: Project, data: dict[str, Any]) -> HttpResponse:
    links = invitations.invite(
        by=signed_in(request), project=project, invited=data["rows"], days=data["days"]
    )
    return _show(request, project, links)


INVITING_ACTS = (
    Act(
        "link",
        "Invite by a link",
        "Makes one link by which as many people as you say get into the project. Who has no account makes one there.",
        _link,
        LinkForm,
    ),
    Act(
        "invite",
        "Invite by a list",
        "Makes a link for each person of a list, for one use. If a row is wrong, none is made.",
        _invite,
        InviteForm,
    ),
)


def _revoke(request: HttpRequest, invitation: Invitation, _: dict[str, Any]) -> str:
    if invitations.revoke_invitation(by=signed_in(request), invitation=invitation):
        return "Revoked: nobody gets in by this link any more. Who did stays a member."
    return "It was revoked already."


@admin.register(Invitation)
class InvitationAdmin(ActingAdmin):
    list_display = (
        "id",
        "project",
        "role",
        "email",
        "opens",
        "uses_left",
        "expires_at",
        "made_by",
        "made_at",
    )
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "made_by")
    fields = (
        "project",
        "role",
        "email",
        "tags",
        "uses_left",
        "expires_at",
        "revoked_at",
        "made_by",
        "made_at",
    )
    acts = (
        Act(
            "revoke",
            "Revoke",
            "Nobody gets in by this link any more. Who did stays a member.",
            _revoke,
            offered=lambda invitation: invitation.revoked_at is None,
        ),
    )

    @admin.display(boolean=True)
    def opens(self, invitation: Invitation) -> bool:
        return bool(
            invitation.revoked_at is None and invitation.uses_left and invitation.expires_at > timezone.now()
        )
