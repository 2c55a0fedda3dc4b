"""Erasing a whole project: its rows, its files and the accounts that were made for it. Demos only."""

from dataclasses import dataclass
from graphlib import TopologicalSorter

from django.apps import apps
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import DO_NOTHING, Count, ForeignKey, Model, Sum
from django.utils import timezone

from annotate import audit, media
from annotate.access import Deed, require
from annotate.actions.jobs import Refused, holding_all
from annotate.models import (
    Annotator,
    Asset,
    Derivative,
    Judgment,
    Pair,
    Project,
    ProjectState,
    Release,
    Revision,
    User,
)

DEED = "erase demo project"


@dataclass(frozen=True)
class Extent:
    """What goes when a project is erased. `others`: annotators who are not simulated."""

    pairs: int
    judgments: int
    others: int
    releases: int
    files: int
    bytes: int


def extent_of(project: Project) -> Extent:
    """What erasing the project would take away."""
    assets = Asset.objects.filter(project=project).aggregate(n=Count("pk"), size=Sum("size"))
    made = Derivative.objects.filter(asset__project=project).aggregate(n=Count("pk"), size=Sum("size"))
    return Extent(
        pairs=Pair.objects.filter(project=project).count(),
        judgments=Judgment.objects.filter(annotator__project=project).count(),
        others=Annotator.objects.filter(project=project, judgments__isnull=False)
        .exclude(user__simulated=True)
        .distinct()
        .count(),
        releases=Release.objects.filter(project=project).count(),
        files=assets["n"] + made["n"],
        bytes=(assets["size"] or 0) + (made["size"] or 0),
    )


def erase_demo(*, by: User | None, project: Project) -> Extent:
    """Erase a demo project with all that anybody did in it. Its audit rows stay, and one says what went.

    Files go first: whoever is killed half way erases again, and no file is left that no row knows of.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: it is no demo, or a job of it is still at work.
    """
    require(by, Deed.MANAGE, project)
    if not project.demo:
        raise Refused("Only a demo can be erased. Close the project instead.")
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(state=ProjectState.CLOSED, closed_at=timezone.now())
    with holding_all(project):
        extent = extent_of(project)
        _remove_files(project)
        with transaction.atomic():
            _remove_rows(project)
            audit.record(by, DEED, project, project, slug=project.slug, **vars(extent))
    return extent


def _remove_files(project: Project) -> None:
    keys = set(Asset.objects.filter(project=project).values_list("key", flat=True))
    keys |= set(Derivative.objects.filter(asset__project=project).values_list("key", flat=True))
    keys |= {
        key for key in Revision.objects.filter(project=project).values_list("artefact", flat=True) if key
    }
    # With the folder goes what a killed process left in it.
    for folder in sorted({key.rpartition("/")[0] for key in keys} | _folders_announced(project)):
        media.remove_folder(folder)
    for key in (
        Release.objects.filter(project=project).exclude(archive_key="").values_list("archive_key", flat=True)
    ):
        default_storage.delete(key)


def _folders_announced(project: Project) -> set[str]:
    """Folders that jobs noted before they wrote into them."""
    noted = [spec.get("folder") for spec in project.jobs.values_list("spec", flat=True)]
    noted += [place.get("folder") for place in project.imports.values_list("position", flat=True)]
    return {folder for folder in noted if folder}


def _remove_rows(project: Project) -> None:
    """Locks in the order of the queue: annotators, then pairs."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL evenhand.erase = 'on'")
        cursor.execute(
            "SELECT FROM annotate_annotator WHERE project_id = %s ORDER BY id FOR UPDATE", [project.pk]
        )
        cursor.execute("SELECT FROM annotate_pair WHERE project_id = %s ORDER BY id FOR UPDATE", [project.pk])
        users = list(
            User.objects.filter(simulated=True, annotators__project=project).values_list("pk", flat=True)
        )
        for model in _models_of_projects():
            cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE {_of_project(model)}", [project.pk])
        cursor.execute("DELETE FROM annotate_user WHERE id = ANY (%s)", [users])
        cursor.execute(
            "SET CONSTRAINTS ALL IMMEDIATE"
        )  # what is checked late is checked while the flag is on
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # another erasure in the same transaction needs that
        cursor.execute("SET LOCAL evenhand.erase = 'off'")


def _models_of_projects() -> list[type[Model]]:
    """Whatever belongs to a project, the project last: what refers to others comes before them.

    That follows from the models, so that no table can be forgotten. Audit rows outlive the project that they name.
    """
    models = [model for model in apps.get_app_config("annotate").get_models() if _of_project(model)]
    refer = {
        model: {to for _, to in _references(model) if to in models and to is not model} for model in models
    }
    return list(TopologicalSorter(refer).static_order())[::-1]


def _references(model: type[Model], *, required: bool = False) -> list[tuple[str, type[Model]]]:
    """(column, model) of each foreign key, but of those that outlive what they name; `required`: of those never empty."""
    return [
        (field.column, field.related_model)
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey)
        and field.remote_field.on_delete is not DO_NOTHING
        and not (required and field.null)
    ]


def _of_project(model: type[Model]) -> str:
    """The condition on a model's rows that they belong to project %s; empty where they belong to none."""
    if model is Project:
        return "id = %s"
    for column, to in _references(model, required=True):
        if to is not model and (condition := _of_project(to)):
            return f"{column} IN (SELECT id FROM {to._meta.db_table} WHERE {condition})"
    return ""
