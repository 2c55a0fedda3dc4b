"""What a project's reward model has learned, what it makes people be asked, and the buttons that steer it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from annotate.actions.jobs import unlimited_statements
from annotate.actions.learning import start_training
from annotate.actions.projects import change_project
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin_site import signed_in
from annotate.learning import lag_of, last_epochs, newest_revision, pool_by_criterion, sampling_revision
from annotate.models import Project, Revision, Sampling

_REVISIONS_SHOWN = 20
_CRITERIA_SHOWN = 100
_EPOCHS_SHOWN = 10


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
            pool = pool_by_criterion(project, newest_revision(project))
            lag = lag_of(project)
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
            "revisions": Revision.objects.filter(project=project).order_by("-number")[:_REVISIONS_SHOWN],
            "sampling_revision": sampling_revision(project),
            "pool": pool[:_CRITERIA_SHOWN],
            "more_criteria": max(0, len(pool) - _CRITERIA_SHOWN),
            "open": sum(row["open"] for row in pool),
            "scored": sum(row["scored"] for row in pool),
            "epochs": last_epochs(project, _EPOCHS_SHOWN),
            "lag": lag,
        }
        return TemplateResponse(request, "admin/annotate/learning.html", context)
