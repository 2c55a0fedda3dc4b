"""What a project's reward model has learned, what it makes people be asked, and the buttons that steer it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from annotate.actions.jobs import unlimited_statements
from annotate.actions.learning import (
    promote,
    start_comparison,
    start_specified_training,
    start_training,
)
from annotate.actions.projects import change_project
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.work import share_of
from annotate.admin_site import signed_in
from annotate.learning import (
    current_revision,
    in_words,
    lag_of,
    last_epochs,
    pool_by_criterion,
    sampling_revision,
    training_jobs,
)
from annotate.models import Job, Project, Revision, RevisionState, RevisionTest, Sampling
from annotate.specifications import MAX_CHARACTERS, names

_REVISIONS_SHOWN = 20
_CRITERIA_SHOWN = 100
_EPOCHS_SHOWN = 10
_TESTS_SHOWN = 10


class _OfRevisions(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        told = f"{obj}, judgments {obj.judgments:,}"
        return told if obj.accuracy is None else f"{told}, accuracy {obj.accuracy:.3f}"


def _usable(project: Project) -> QuerySet[Revision]:
    return Revision.objects.filter(project=project, state=RevisionState.READY).order_by("-number")


class PromoteForm(forms.Form):
    revision = _OfRevisions(Revision.objects.none(), empty_label=None)
    hold = forms.BooleanField(
        label="Nothing takes over by itself from now on",
        required=False,
        help_text="Else the project's rule still holds: a newer revision may take over soon.",
    )

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = self.fields["revision"]
        assert isinstance(choices, forms.ModelChoiceField)
        choices.queryset = _usable(row)


class CompareForm(forms.Form):
    candidate = _OfRevisions(Revision.objects.none(), empty_label=None)
    against = _OfRevisions(Revision.objects.none(), empty_label=None)

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("candidate", "against"):
            choices = self.fields[name]
            assert isinstance(choices, forms.ModelChoiceField)
            choices.queryset = _usable(row)
        self.fields["against"].initial = current_revision(row)


class TrainForm(forms.Form):
    name = forms.ChoiceField(label="Specification", required=False)
    text = forms.CharField(
        label="Or one of your own",
        required=False,
        max_length=MAX_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 10, "cols": 80, "spellcheck": "false"}),
        help_text="YAML: backend (transformers, vllm or judge) and what docs/reward-models.md says of it. For superusers.",
    )

    def __init__(self, *args: Any, row: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = self.fields["name"]
        assert isinstance(choices, forms.ChoiceField)
        choices.choices = [("", "none of these"), *((name, name) for name in names())]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if bool(given.get("name")) == bool((given.get("text") or "").strip()) and not self.errors:
            raise forms.ValidationError("Choose a specification, or write one: not both.")
        return given


def _to_job(job: Job) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:annotate_job_progress", args=[job.pk]))


def _train(request: HttpRequest, project: Project, data: dict[str, Any]) -> HttpResponse:
    return _to_job(start_specified_training(by=signed_in(request), project=project, **data))


def _compare(request: HttpRequest, project: Project, data: dict[str, Any]) -> HttpResponse:
    return _to_job(start_comparison(by=signed_in(request), **data))


def _promote(request: HttpRequest, project: Project, data: dict[str, Any]) -> HttpResponse:
    job = promote(by=signed_in(request), **data)
    told = (
        "is current; it scores what may still be asked, and people go on meanwhile."
        if job
        else "is current already."
    )
    messages.success(request, f"{data['revision']} {told}")
    return HttpResponseRedirect(reverse("admin:annotate_project_learning", args=[project.pk]))


def _refit(request: HttpRequest, project: Project, _: dict[str, Any]) -> HttpResponse:
    job = start_training(by=signed_in(request), project=project)
    return HttpResponseRedirect(reverse("admin:annotate_job_progress", args=[job.pk]))


def _sample(request: HttpRequest, project: Project, mode: Sampling, told: str) -> HttpResponse:
    change_project(by=signed_in(request), project=project, sampling=mode)
    messages.success(request, told)
    return HttpResponseRedirect(reverse("admin:annotate_project_learning", args=[project.pk]))


def _auto(request: HttpRequest, project: Project, _: dict[str, Any]) -> HttpResponse:
    return _sample(request, project, Sampling.AUTO, "The model learns and chooses by itself.")


def _freeze(request: HttpRequest, project: Project, _: dict[str, Any]) -> HttpResponse:
    return _sample(request, project, Sampling.FROZEN, "The model stays as it is.")


def _uniform(request: HttpRequest, project: Project, _: dict[str, Any]) -> HttpResponse:
    return _sample(request, project, Sampling.UNIFORM, "Chance alone decides what is asked next.")


LEARNING_ACTS = (
    Act(
        "refit",
        "Refit now",
        "Trains the reward model on the judgments as they stand now, tests it on the reserve and scores what may "
        "still be asked. It goes on in the background.",
        _refit,
    ),
    Act(
        "train",
        "Train a large model",
        "Trains or registers a model by a specification on the judgments as they stand now, in a process of its own that "
        "may take hours, then tests it on the reserve. It goes on in the background.",
        _train,
        TrainForm,
    ),
    Act(
        "compare",
        "Compare revisions",
        "Asks two revisions about the labelled comparisons of the reserve, which none was trained on, and tells how often "
        "each is right. Where the project's rule says so the candidate then takes the current one's place.",
        _compare,
        CompareForm,
        offered=lambda project: _usable(project).count() > 1,
    ),
    Act(
        "promote",
        "Promote or roll back",
        "Makes a revision the current one: what is asked next goes by it once it has scored what may still be asked, and "
        "by the one before until then. An earlier revision is rolled back to in the same way.",
        _promote,
        PromoteForm,
        offered=lambda project: _usable(project).exists(),
    ),
    Act(
        "auto",
        "Let it learn",
        "The model is trained again as judgments come in, and chooses what people are asked next.",
        _auto,
        offered=lambda project: project.sampling != Sampling.AUTO,
    ),
    Act(
        "freeze",
        "Freeze",
        "The model goes on choosing, and is not trained again unless somebody asks for it.",
        _freeze,
        offered=lambda project: project.sampling != Sampling.FROZEN,
    ),
    Act(
        "go-uniform",
        "Go uniform",
        "Chance alone decides what people are asked next. Draws that stand in the queue already stay.",
        _uniform,
        offered=lambda project: project.sampling != Sampling.UNIFORM,
    ),
)


class LearningAdmin(ActingAdmin):
    """A project's page of what its model learned; `LEARNING_ACTS` are offered there."""

    def get_urls(self) -> list[URLPattern]:
        learning = path(
            "<int:project_id>/learning/",
            self.admin_site.admin_view(self.learning_view),
            name="annotate_project_learning",
        )
        return [learning, *super().get_urls()]

    def acts_on(self, request: HttpRequest, row: Project) -> list[tuple[str, str]]:
        steering = {act.label for act in LEARNING_ACTS}
        return [
            ("Learning", reverse("admin:annotate_project_learning", args=[row.pk])),
            *(act for act in super().acts_on(request, row) if act[0] not in steering),
        ]

    def learning_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Revisions, pool, epochs and lag, as they stand now."""
        project = self.get_object(request, str(project_id))
        if project is None:
            raise Http404("There is no such project for you.")
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_act"
        with unlimited_statements():
            current = current_revision(project)
            pool = pool_by_criterion(project, current)
            lag = lag_of(project)
        revisions = list(Revision.objects.filter(project=project).order_by("-number")[:_REVISIONS_SHOWN])
        words = in_words(revisions)
        trainings = training_jobs(revisions)
        context = {
            **self.admin_site.each_context(request),
            "title": "Learning",
            "subtitle": project.name,
            "opts": self.opts,
            "row": project,
            "back": self.page_of(project),
            "acts": [
                (act.label, reverse(name, args=[project.pk, act.name]))
                for act in LEARNING_ACTS
                if act.offered(project)
            ],
            "revisions": [(one, trainings.get(one.pk)) for one in revisions],
            "in_words": [(one, words[one.pk]) for one in revisions if one.pk in words],
            "silent": bool(pool)
            and not any(row["nats"] for row in pool)
            and any(row["scored"] for row in pool),
            "sampling_revision": sampling_revision(project),
            "current": current,
            "jobs": [(job, share_of(job)) for job in lag.jobs],
            "tests": RevisionTest.objects.filter(candidate__project=project)
            .select_related("candidate", "against")
            .order_by("-read_at")[:_TESTS_SHOWN],
            "pool": pool[:_CRITERIA_SHOWN],
            "more_criteria": max(0, len(pool) - _CRITERIA_SHOWN),
            "open": sum(row["open"] for row in pool),
            "scored": sum(row["scored"] for row in pool),
            "epochs": last_epochs(project, _EPOCHS_SHOWN),
            "lag": lag,
        }
        return TemplateResponse(request, "admin/annotate/learning.html", context)
