"""Accounts (superusers only) and pseudonyms."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from annotate import audit
from annotate.actions.exclusion import MAX_REASON, exclude_annotator, lift_exclusion
from annotate.actions.factors import reset_factor
from annotate.actions.groups import set_groups
from annotate.actions.withdrawal import withdraw_annotator
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import AuditedAdmin, BoundedPaginator, OwnProjectFilter
from annotate.admin_site import signed_in
from annotate.models import Annotator, AnnotatorGroup, Exclusion, User
from annotate.pools import why_nothing
from annotate.second_factor import app_of
from annotate.situations import is_excluded

_RESET = (
    "For somebody who has lost both the app and the recovery codes, and has proved to you who they are: from now on the "
    "password alone logs in, until they set up a second factor anew."
)

# Roles are memberships of projects.
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(AuditedAdmin, StockUserAdmin):
    paginator = BoundedPaginator
    show_full_result_count = False
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    list_filter = ()
    search_fields = ("username__startswith",)
    ordering = ("username",)
    sortable_by = ()
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    change_form_template = "admin/annotate/acting_change_form.html"
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May log in; may do everything", {"fields": ("is_active", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # judgments and audit rows name accounts: one is made inactive instead

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.reset_factor_view)
        return [path("<path:object_id>/reset-factor/", view, name="reset_factor"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        user = kwargs.get("obj")
        if user and app_of(user):
            context["acts"] = [("Reset second factor", reverse("admin:reset_factor", args=[user.pk]))]
        return super().render_change_form(request, context, *args, **kwargs)

    def reset_factor_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks, and takes away the second factor of who has lost it."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        user = self.get_object(request, object_id)
        if user is None:
            raise Http404("There is no such account.")
        back = reverse("admin:annotate_user_change", args=[user.pk])
        form = forms.Form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                reset_factor(by=signed_in(request), user=user)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                self.message_user(request, f"{user.get_username()} logs in without a second factor now.")
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": "Reset second factor",
            "subtitle": user.get_username(),
            "opts": self.opts,
            "act": {"label": "Reset second factor", "explain": _RESET},
            "row": user,
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "admin/annotate/act.html", context)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_staff = obj.is_superuser
        super().save_model(request, obj, form, change)
        deed = "change user" if change else "create user"
        changed = {name: str(form.cleaned_data[name]) for name in form.changed_data if "password" not in name}
        audit.record(signed_in(request), deed, obj, changed=changed)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response = super().user_change_password(request, id, form_url)
        user = self.get_object(request, id)
        if user and request.method == "POST" and response.status_code == 302:
            audit.record(signed_in(request), "set password", user)
        return response


class WithdrawForm(forms.Form):
    pseudonym = forms.CharField(help_text="Type the pseudonym to confirm.")

    def __init__(self, *args: Any, row: Annotator, **kwargs: Any) -> None:
        self._row = row
        super().__init__(*args, **kwargs)

    def clean_pseudonym(self) -> str:
        typed: str = self.cleaned_data["pseudonym"]
        if typed != self._row.pseudonym:
            raise forms.ValidationError(f"That is not {self._row.pseudonym}.")
        return typed


def _withdraw(request: HttpRequest, annotator: Annotator, _: dict[str, Any]) -> HttpResponseRedirect:
    erased = withdraw_annotator(by=signed_in(request), annotator=annotator)
    admin.site._registry[Annotator].message_user(
        request, f"Erased: {erased['judgments']} judgments. {erased['pairs']} pairs are asked again."
    )
    return HttpResponseRedirect(reverse("admin:annotate_annotator_changelist"))


class GroupsForm(forms.Form):
    groups = forms.ModelMultipleChoiceField(
        AnnotatorGroup.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, row: Annotator, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["groups"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = row.project.annotator_groups.order_by("kind", "name")
        field.initial = list(row.group_members.values_list("group_id", flat=True))


def _set_groups(request: HttpRequest, annotator: Annotator, data: dict[str, Any]) -> str:
    set_groups(by=signed_in(request), annotator=annotator, groups=data["groups"])
    return "The groups are set."


class ExcludeForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept with the exclusion, for whoever asks later.",
    )
    since = forms.SplitDateTimeField(
        label="From",
        required=False,
        widget=AdminSplitDateTime(),
        help_text="What was judged before still counts. Empty: nothing of this annotator counts.",
    )

    def __init__(self, *args: Any, row: Annotator, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


def _exclude(request: HttpRequest, annotator: Annotator, data: dict[str, Any]) -> str:
    exclude_annotator(by=signed_in(request), annotator=annotator, **data)
    return "Excluded: what lost a label is asked of others. The judgments are kept, and it can be taken back."


def _count_again(request: HttpRequest, annotator: Annotator, _: dict[str, Any]) -> str:
    if lift_exclusion(by=signed_in(request), annotator=annotator):
        return "The judgments count again where a place is free; the others wait for one."
    return "This annotator was not excluded."


@admin.register(Annotator)
class AnnotatorAdmin(ActingAdmin):
    list_display = ("pseudonym", "project", "user", "judged_pairs", "seen_at")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "user")
    search_fields = ("pseudonym__startswith", "user__username__startswith")
    fields = (
        "pseudonym",
        "project",
        "user",
        "judged_pairs",
        "day",
        "day_pairs",
        "excluded",
        "gets",
        "seen_at",
        "created_at",
    )
    readonly_fields = ("excluded", "gets")
    acts = (
        Act(
            "groups",
            "Groups",
            "The groups of this project that the annotator is in. Groups are made on the project's page of groups.",
            _set_groups,
            GroupsForm,
        ),
        Act(
            "exclude",
            "Exclude from labels",
            "The annotator's judgments are kept and count no more, and nothing new is asked of them. Pairs that lack "
            "labels then are asked of others. Releases made before stay as they are. It can be taken back.",
            _exclude,
            ExcludeForm,
            offered=lambda annotator: not is_excluded(annotator),
        ),
        Act(
            "count-again",
            "Count again",
            "Takes the exclusion back: the judgments count where a place is free. Labels that others gave meanwhile "
            "stay, and what finds no place waits for one.",
            _count_again,
            offered=is_excluded,
        ),
        Act(
            "withdraw",
            "Withdraw and erase",
            "Erases the annotator's judgments, claims and pseudonym for good, and ends the membership. Pairs that "
            "lack labels then are asked again. Releases already handed out are not called back.",
            _withdraw,
            WithdrawForm,
        ),
    )

    @admin.display(description="is asked now")
    def gets(self, annotator: Annotator) -> str:
        return why_nothing(annotator) if annotator.user_id else "Nothing: there is no account."

    @admin.display(description="excluded from labels")
    def excluded(self, annotator: Annotator) -> str:
        holding = Exclusion.objects.filter(annotator=annotator, lifted_at__isnull=True)
        exclusion = holding.select_related("made_by").first()
        if exclusion is None:
            return "no"
        since = f"from {exclusion.since:%Y-%m-%d %H:%M %Z}" if exclusion.since else "wholly"
        return f"{since}, by {exclusion.made_by or 'the system'} on {exclusion.made_at:%Y-%m-%d}: {exclusion.reason}"
