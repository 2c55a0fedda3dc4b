"""Projects with their members and their library of criteria."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Case, OuterRef, QuerySet, Subquery, Sum, When
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from annotate.actions import criteria, members, projects
from annotate.actions.erasure import erase_demo, extent_of
from annotate.actions.releases import ReleaseOptions, start_release
from annotate.actions.teams import require_no_team
from annotate.admin.acts import Act
from annotate.admin.crowd import CROWD_ACTS
from annotate.admin.invitations import INVITING_ACTS
from annotate.admin.learning import LEARNING_ACTS, LearningAdmin
from annotate.admin.teams import TEAM_ACTS
from annotate.admin.work import FilesField
from annotate.admin_site import signed_in
from annotate.exports.recipe import MOST_CHARACTERS, Recipe, RecipeError, default_text, parse
from annotate.models import Criterion, Membership, Partition, Project, ProjectState, Role, Stream, User
from annotate.models.project import MAX_CRITERION
from annotate.pools import unserved
from annotate.stats.labels import Settled


class MembershipForm(forms.ModelForm):
    """A member is named by account: a manager need not see everybody's."""

    username = forms.CharField(label="Account", help_text="As it logs in.")

    class Meta:
        model = Membership
        fields = ("role",)

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
                raise forms.ValidationError(
                    f"There is no account {username!r}. A superuser can make it, or invite who is to have it."
                )
            if Membership.objects.filter(project=self.instance.project_id, user=user).exists():
                raise forms.ValidationError("This account is a member already.")
            self.instance.user = user
        return username


MOST_SHOWN = 50  # members: what a page posts has a limit, and each of them is several fields


class MembershipFormSet(BaseInlineFormSet):
    """Of many members those who are more than annotators come first. Whatever is posted is taken, shown now or not."""

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        if data is None and kwargs.get("queryset") is not None:
            first = Case(When(role=Role.ANNOTATOR, then=1), default=0)
            rows = Membership.objects.filter(project=kwargs["instance"].pk).order_by(first, "pk")
            shown = list(rows.values_list("pk", flat=True)[:MOST_SHOWN])
            kwargs["queryset"] = kwargs["queryset"].filter(pk__in=shown)
        super().__init__(data, *args, **kwargs)

    def clean(self) -> None:
        super().clean()
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        names = [form.cleaned_data.get("username") for form in kept]
        for form in kept:
            if names.count(form.cleaned_data.get("username")) > 1:
                form.add_error("username", "This account stands here twice.")
        for form in self.deleted_forms:
            if form.instance.pk:
                require_no_team(form.instance)


class InlineOfOwnProject(admin.StackedInline):
    """May be edited by whoever manages the project; each row is written by an action."""

    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class MembershipInline(InlineOfOwnProject):
    model = Membership
    form = MembershipForm
    formset = MembershipFormSet
    fields = ("username", "role")
    verbose_name, verbose_name_plural = (
        "member",
        f"members (no more than {MOST_SHOWN}: all of them stand in their list)",
    )
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        rows: QuerySet[Membership] = super().get_queryset(request)
        return rows.select_related("user").order_by("user__username")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class CriterionForm(forms.ModelForm):
    text = forms.CharField(max_length=MAX_CRITERION, widget=forms.TextInput(attrs={"size": 80}))

    class Meta:
        model = Criterion
        fields = ("text",)

    def has_changed(self) -> bool:
        return not self.instance.pk and super().has_changed()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:  # what it says never changes
            self.fields["text"].disabled = True


class CriterionInline(InlineOfOwnProject):
    """What managers wrote; imported criteria and those of annotators are found in the list of criteria."""

    model = Criterion
    form = CriterionForm
    fields = ("text",)
    verbose_name_plural = "library of criteria (apply one to the pairs on its own page)"
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Criterion]:
        rows: QuerySet[Criterion] = super().get_queryset(request)
        return rows.filter(author__isnull=True, data_import__isnull=True).order_by("pk")


class RaiseForm(forms.Form):
    k = forms.IntegerField(label="Labels a comparison", min_value=1, max_value=9)
    partition = forms.ChoiceField(
        choices=[("", "all partitions"), *Partition.choices],
        required=False,
        help_text="Criteria that annotators wrote keep what they have.",
    )

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["k"].initial = row.k


class ReleaseForm(forms.Form):
    min_labels = forms.IntegerField(
        label="Labels needed",
        min_value=1,
        max_value=9,
        required=False,
        help_text="Comparisons with fewer are left out. Empty: as many as the project wants.",
    )
    sources = forms.CharField(
        required=False, help_text="Names of sources, separated by commas. Empty: all of them."
    )

    settled = forms.ChoiceField(
        label="What reviewers settled",
        choices=[
            ("", "as the recipe says: is the label, if it says nothing"),
            (Settled.USE, "is the label"),
            (Settled.LEAVE_OUT, "is left out"),
            (Settled.IGNORE, "plays no part: people's verdicts alone count"),
        ],
        required=False,
    )
    groups = forms.BooleanField(
        label="Tell of groups",
        required=False,
        help_text="How the groups of annotators judged, and of each raw judgment which groups its annotator was in. "
        "Groups of fewer than five are left out.",
    )

    against = FilesField(
        label="Other benchmarks",
        required=False,
        help_text="Files in any layout that imports recognise: what stands in both is counted in the card and listed in"
        " contamination.jsonl. Their media are looked at where they stand within.",
    )
    drop_contaminated = forms.BooleanField(
        label="Leave out what stands in both", required=False, help_text="Such pairs then stand in no split."
    )
    recipe = forms.CharField(
        required=False,
        initial=default_text,
        max_length=MOST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "vLargeTextField"}),
        help_text="Formats, filters and how much of what, as YAML. It stands as it holds without any; what is filled in above"
        " goes before it.",
    )

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def clean_settled(self) -> Settled | None:
        return Settled(self.cleaned_data["settled"]) if self.cleaned_data["settled"] else None

    def clean_recipe(self) -> Recipe:
        try:
            return parse(self.cleaned_data["recipe"])
        except RecipeError as error:
            raise forms.ValidationError(str(error).splitlines()) from None

    def clean_sources(self) -> tuple[str, ...]:
        return tuple(filter(None, (name.strip() for name in self.cleaned_data["sources"].split(","))))


def _to_job(pk: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:annotate_job_progress", args=[pk]))


def _pause(request: HttpRequest, project: Project, _: dict[str, Any]) -> str:
    projects.pause_project(by=signed_in(request), project=project)
    return "Paused: nobody gets a new pair; what is in hand may still be submitted."


def _open(request: HttpRequest, project: Project, _: dict[str, Any]) -> str:
    projects.open_project(by=signed_in(request), project=project)
    return "Open for work."


def _close(request: HttpRequest, project: Project, _: dict[str, Any]) -> str:
    projects.close_project(by=signed_in(request), project=project)
    return "Closed."


def _raise(request: HttpRequest, project: Project, data: dict[str, Any]) -> HttpResponse:
    partition = Partition(data["partition"]) if data["partition"] else None
    return _to_job(
        projects.raise_k(by=signed_in(request), project=project, k=data["k"], partition=partition).pk
    )


def _export(request: HttpRequest, project: Project, data: dict[str, Any]) -> HttpResponse:
    options = ReleaseOptions(
        min_labels=data["min_labels"],
        sources=data["sources"],
        settled=data["settled"],
        groups=data["groups"],
        recipe=data["recipe"],
        drop_contaminated=data["drop_contaminated"],
    )
    release = start_release(by=signed_in(request), project=project, options=options, uploads=data["against"])
    return _to_job(release.job_id)


def _erase(request: HttpRequest, project: Project, _: dict[str, Any]) -> HttpResponse:
    erased = erase_demo(by=signed_in(request), project=project)
    messages.success(request, f"Erased: {project.name}, {erased.pairs:,} pairs, {erased.files:,} files.")
    return HttpResponseRedirect(reverse("admin:annotate_project_changelist"))


def _what_goes(project: Project) -> list[str]:
    extent = extent_of(project)
    lines = [
        f"{extent.pairs:,} pairs with {extent.judgments:,} judgments",
        f"{extent.files:,} files, {filesizeformat(extent.bytes)}",
        f"{extent.releases:,} releases kept here",
    ]
    if extent.others:
        lines.append(f"among the judgments those of {extent.others:,} real annotators")
    return lines


@admin.register(Project)
class ProjectAdmin(LearningAdmin):
    list_display = ("name", "slug", "demo", "task_type", "state", "pairs", "drawn", "k", "created_at")
    project_path = "pk"
    list_filter = ("state",)
    search_fields = ("slug__startswith",)
    actions = ("pause", "open")
    inlines = (MembershipInline, CriterionInline)
    fieldsets = (
        (None, {"fields": ("name", "slug", "state", "task_type", "guidelines")}),
        (
            "How pairs are judged",
            {
                "fields": (
                    "scale",
                    "split_ties",
                    "authoring",
                    "tags",
                    "viewing",
                    "viewing_share",
                    "viewing_turned",
                )
            },
        ),
        (
            "What annotators write as criteria",
            {"fields": ("authored_sharing", "authored_most", "authored_length", "authored_guidance")},
        ),
        (
            "How often (of comparisons made from now on)",
            {"fields": ("k", "reserve_k", "authored_k")},
        ),
        (
            "Which pairs are kept as benchmark (of pairs imported from now on)",
            {"fields": ("reserve_share", "validation_share", "reserve_claim_share")},
        ),
        (
            "What is asked next",
            {"fields": ("sampling", "policy", "refit_judgments", "refit_seconds", "uniform_share")},
        ),
        ("Which revision of the model is current", {"fields": ("promotion", "promotion_labels")}),
        ("How much one annotator may judge", {"fields": ("most_share", "most_a_day")}),
        ("What it costs", {"fields": ("pay_per_verdict", "pay_per_hour", "currency")}),
        (
            "Participants from Prolific",
            {"fields": ("crowd_open", "crowd_pairs", "crowd_code", "crowd_out_code")},
        ),
        ("What reviewers are shown", {"fields": ("review_majority", "review_against")}),
        (
            "More labels where annotators disagree (from now on)",
            {"fields": ("k_more", "k_most", "k_more_reserve")},
        ),
        (
            "How far annotators can be trusted",
            {"fields": ("repeat_share", "repeat_after", "gold_share", "attention_share")},
        ),
        (
            "Training and quiz",
            {"fields": ("qualify", "quiz_share", "quiz_attempts", "quiz_wait")},
        ),
        ("Leases", {"fields": ("lease_minutes", "claims_in_hand", "offline_most")}),
        ("Privacy", {"fields": ("withdrawal", "unlink_days", "forget_days")}),
    )
    acts = (
        Act(
            "export",
            "Export",
            "Freezes the judgments as they stand now and makes a release of them: benchmark, training rows and "
            "raw judgments. It goes on in the background; the download appears on its page.",
            _export,
            ReleaseForm,
        ),
        Act(
            "pause",
            "Pause",
            "Nobody gets a new pair; what is in hand may still be submitted.",
            _pause,
            offered=lambda project: project.state == ProjectState.OPEN,
        ),
        Act(
            "open",
            "Open",
            "Annotators get pairs again.",
            _open,
            offered=lambda project: project.state != ProjectState.OPEN,
        ),
        Act(
            "close",
            "Close",
            "The effort is over. It can be opened again.",
            _close,
            offered=lambda project: project.state != ProjectState.CLOSED,
        ),
        Act(
            "raise-k",
            "Raise k",
            "Comparisons that want fewer labels than this will want as many, and are asked again. Labels are "
            "never taken away.",
            _raise,
            RaiseForm,
        ),
        *INVITING_ACTS,
        *TEAM_ACTS,
        *CROWD_ACTS,
        *LEARNING_ACTS,
        Act(
            "erase",
            "Delete this demo",
            "Everything of this demo goes for good, with what anybody judged in it and with the accounts of its "
            "simulated annotators. It is not made again by itself. The audit trail keeps a row of it.",
            _erase,
            offered=lambda project: project.demo,
            tells=_what_goes,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        streams = Stream.objects.filter(project=OuterRef("pk")).order_by().values("project")
        rows: QuerySet[Project] = super().get_queryset(request)
        return rows.annotate(
            pair_total=Subquery(streams.annotate(n=Sum("total")).values("n")),
            pair_drawn=Subquery(streams.annotate(n=Sum("queued")).values("n")),
        )

    def project_of(self, row: Any) -> Project:
        return row

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return signed_in(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "state") if obj else ("state",)

    def acts_on(self, request: HttpRequest, row: Project) -> list[tuple[str, str]]:
        return [
            ("Dashboard", reverse("dashboard", args=[row.slug])),
            ("Groups and pools", reverse("groups", args=[row.slug])),
            ("Criteria", reverse("criteria", args=[row.slug])),
            ("Members", f"{reverse('admin:annotate_membership_changelist')}?project={row.pk}"),
            ("Import", f"{reverse('admin:annotate_dataimport_add')}?project={row.pk}"),
            *([("Arrivals (CSV)", reverse("crowd_arrivals", args=[row.slug]))] if row.crowd_open else []),
            *super().acts_on(request, row),
        ]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        if project := kwargs.get("obj"):
            for one in unserved(project):
                self.message_user(request, str(one), "warning")
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        by = signed_in(request)
        if change:
            changed = {name: form.cleaned_data[name] for name in form.changed_data}
            projects.change_project(by=by, project=obj, **changed)
        else:
            made = projects.create_project(by=by, **form.cleaned_data)
            obj.pk, obj.salt, obj.pseudonym_key = made.pk, made.salt, made.pseudonym_key

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        by, project = signed_in(request), form.instance
        formset.save(commit=False)  # tells what is new, changed and deleted
        if formset.model is Criterion:
            for criterion in formset.new_objects:
                criteria.add_criterion(by=by, project=project, text=criterion.text)
            return
        deeds: list[Callable[[], Any]] = []
        for membership in formset.deleted_objects:
            deeds.append(partial(members.remove_member, by=by, membership=membership))
        for membership, _ in formset.changed_objects:
            deeds.append(
                partial(members.change_role, by=by, membership=membership, role=Role(membership.role))
            )
        for membership in formset.new_objects:
            role = Role(membership.role)
            deeds.append(partial(members.add_member, by=by, project=project, user=membership.user, role=role))
        for deed in deeds:
            try:
                deed()
            except ValidationError as error:  # another manager was at it since the form was checked
                self.message_user(request, " ".join(error.messages), "warning")

    @admin.display(description="pairs")
    def pairs(self, project: Any) -> int:
        return project.pair_total or 0

    @admin.display(description="in the queue so far")
    def drawn(self, project: Any) -> int:
        return project.pair_drawn or 0

    @admin.action(description="Pause the selected projects")
    def pause(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        paused = sum(projects.pause_project(by=signed_in(request), project=project) for project in queryset)
        self.message_user(request, f"Paused: {paused}.")

    @admin.action(description="Open the selected projects")
    def open(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        opened = sum(projects.open_project(by=signed_in(request), project=project) for project in queryset)
        self.message_user(request, f"Opened: {opened}.")
