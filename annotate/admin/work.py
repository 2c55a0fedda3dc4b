"""Imports, releases and the jobs that do them: begun here, watched while they run, fetched when they are done."""

import json
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from annotate.access import Denied
from annotate.actions.imports import preview_upload, start_import_of_upload
from annotate.actions.jobs import Refused, cancel_job, retry_job
from annotate.actions.releases import fetch_release
from annotate.admin import curves
from annotate.admin.acts import Act, ActingAdmin
from annotate.admin.base import OwnProjectFilter, ScopedAdmin
from annotate.admin_site import projects_for, signed_in
from annotate.imports.schemas import LAYOUTS
from annotate.models import UNFINISHED, DataImport, Job, JobKind, JobState, Project, Release, TaskType

_ROWS_SHOWN = 200
_BLOCK = 2**18
_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


def _cancel(request: HttpRequest, job: Job, _: dict[str, Any]) -> str:
    return "Cancelled." if cancel_job(by=signed_in(request), job=job) else "It had ended already."


def _retry(request: HttpRequest, job: Job, _: dict[str, Any]) -> str:
    return "Queued again." if retry_job(by=signed_in(request), job=job) else "It is not one that failed."


def share_of(job: Job) -> str:
    """ "120 of 1000" or what is known of it, and how fast it goes while it runs."""
    share = f"{job.done:,} of {job.total:,}" if job.total else f"{job.done:,}"
    rate = job.spec.get("rate") if job.state == JobState.RUNNING else None
    return f"{share}, {rate:,.3g} a second" if rate else share


class WatchedAdmin(ScopedAdmin):
    """Rows that have no page to change them: `page_of` one is where the work can be watched."""

    def page_of(self, row: Any) -> str:
        raise NotImplementedError

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kw: Any
    ) -> Any:
        if object_id is None:
            return super().changeform_view(request, object_id, *args, **kw)
        return HttpResponseRedirect(self.page_of(self.existing(request, object_id)))


@admin.register(Job)
class JobAdmin(WatchedAdmin, ActingAdmin):
    list_display = ("id", "kind", "project", "state", "progress", "by", "created_at", "ended_at")
    list_filter = (OwnProjectFilter, "kind", "state")
    list_select_related = ("project", "by")
    acts = (
        Act(
            "cancel",
            "Cancel",
            "Stops the job at its next step. What it made so far is not shown anywhere.",
            _cancel,
            offered=lambda job: job.state in UNFINISHED,
        ),
        Act(
            "retry",
            "Retry",
            "Goes on where the job stopped.",
            _retry,
            offered=lambda job: job.state in (JobState.FAILED, JobState.CANCELLED),
        ),
    )

    @admin.display(description="progress")
    def progress(self, job: Job) -> str:
        return share_of(job)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:job_id>/progress/", view(self.progress_view), name="annotate_job_progress"),
            path("<int:job_id>/progress.json", view(self.progress_json), name="annotate_job_progress_json"),
            *super().get_urls(),
        ]

    def page_of(self, row: Job) -> str:
        return reverse("admin:annotate_job_progress", args=[row.pk])

    def _job(self, request: HttpRequest, job_id: int) -> Job:
        job = self.get_queryset(request).select_related("project", "data_import", "release").filter(pk=job_id)
        found: Job | None = job.first()
        if found is None:
            raise Http404("There is no such job for you.")
        return found

    def progress_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        job = self._job(request, job_id)
        data_import, release = getattr(job, "data_import", None), getattr(job, "release", None)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{job.get_kind_display().capitalize()} of {job.project.name}",
            "subtitle": f"Job {job.pk}",
            "opts": self.opts,
            "job": job,
            "share": share_of(job),
            "ended": job.state in _ENDED,
            "acts": self.acts_on(request, job),
            "data_import": data_import,
            "refused": data_import.report[:_ROWS_SHOWN] if data_import else [],
            "release": release,
            "trains": job.kind == JobKind.TRAIN,
            "curves": curves.pictures(job),
        }
        return TemplateResponse(request, "admin/annotate/job.html", context)

    def progress_json(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """{"state", "step", "share", "done", "total", "ended", "curves"}: what the page's bar follows, and what its curves are
        drawn by, "" where there are none."""
        job = self._job(request, job_id)
        drawn = curves.pictures(job)
        told = {
            "state": job.get_state_display(),
            "step": job.step,
            "share": share_of(job),
            "done": job.done,
            "total": job.total,
            "ended": job.state in _ENDED,
            "curves": render_to_string("admin/annotate/curves.html", {"curves": drawn}) if drawn else "",
        }
        return JsonResponse(told, headers={"Cache-Control": "no-store"})


class SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    widget = SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        one = super().clean
        return [file for file in map(one, data or [None]) if file]


# Of imports.pairing.DESIGNS.
_DESIGNS = {
    "balanced": "as many pairs a prompt as told, all models equally often",
    "random": "as many pairs a prompt as told, by chance",
    "all": "every two models",
    "anchors": "each model beside the anchors",
}


class ImportForm(forms.Form):
    """What an import is asked for; the options are those of ImportSpec."""

    project = forms.ModelChoiceField(Project.objects.none())
    uploads = FilesField(
        label="Files",
        help_text="JSON, JSONL, CSV or Parquet, or a zip of them with their media; several are read in turn.",
    )
    media_zip = forms.FileField(
        label="Media", required=False, help_text="A zip of the images and other media that the rows name."
    )
    layout = forms.ChoiceField(
        choices=[("auto", "found by its columns"), *((name, name) for name in LAYOUTS)],
        help_text="docs/import.md tells what each looks like.",
    )
    mapping_text = forms.CharField(
        label="Mapping",
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "cols": 80}),
        help_text="YAML that says which column means what, for the layout mapping.",
    )
    design = forms.ChoiceField(
        label="Rows are",
        choices=[("", "pairs"), *((name, f"answers of models: {words}") for name, words in _DESIGNS.items())],
        required=False,
        help_text="Answers: a row is one (prompt, model, response), or a prompt with a column for each model.",
    )
    per_prompt = forms.IntegerField(
        label="Pairs of a prompt",
        required=False,
        min_value=1,
        help_text="Of answers. Empty: one; of anchors, all.",
    )
    anchors = forms.CharField(
        required=False, max_length=1000, help_text="Of answers: names of models, with commas between them."
    )
    source = forms.CharField(
        required=False,
        max_length=200,
        help_text="Names the pairs together with their ids. Empty: the file's name.",
    )
    task_type = forms.ChoiceField(
        choices=[("", "as the rows or the project say"), *TaskType.choices], required=False
    )
    criterion = forms.CharField(required=False, max_length=500, help_text="For rows that name none.")
    k = forms.IntegerField(
        label="Labels a comparison",
        required=False,
        min_value=1,
        max_value=9,
        help_text="Where the file does not say. Empty: as the project says.",
    )
    on_error = forms.ChoiceField(
        label="A bad row",
        choices=[("abort", "ends the import: nothing of it is kept"), ("skip", "is left out and reported")],
    )
    labels = forms.BooleanField(label="Take the judgments in the files", required=False, initial=True)


class PreviewForm(ImportForm):
    """The beginning of a file, and how it is to be read."""

    uploads = None  # type: ignore[assignment]
    media_zip = None  # type: ignore[assignment]
    sample = forms.FileField(allow_empty_file=True)
    name = forms.CharField(max_length=200)
    whole = forms.BooleanField(required=False)


@admin.register(DataImport)
class ImportAdmin(WatchedAdmin):
    list_display = (
        "id",
        "project",
        "files",
        "state",
        "pairs_new",
        "pairs_same",
        "judgments_new",
        "rows_refused",
        "created_at",
    )
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "job")

    @admin.display(description="files")
    def files(self, data_import: DataImport) -> str:
        return ", ".join(file["name"] for file in data_import.spec.get("files", []))

    @admin.display(description="state")
    def state(self, data_import: DataImport) -> str:
        return data_import.job.get_state_display()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        refused = path(
            "<int:import_id>/refused.jsonl",
            self.admin_site.admin_view(self.refused_view),
            name="annotate_dataimport_refused",
        )
        preview = path(
            "preview/", self.admin_site.admin_view(self.preview_view), name="annotate_dataimport_preview"
        )
        return [refused, preview, *super().get_urls()]

    def page_of(self, row: DataImport) -> str:
        return reverse("admin:annotate_job_progress", args=[row.job_id])

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied("Imports are for who manages a project.")
        form = ImportForm(
            request.POST or None, request.FILES or None, initial={"project": request.GET.get("project")}
        )
        self._offer_projects(request, form)
        if request.method == "POST" and form.is_valid():
            try:
                data_import = start_import_of_upload(by=signed_in(request), **form.cleaned_data)
            except Refused as error:
                form.add_error(None, str(error))
            except Denied as error:
                raise PermissionDenied(str(error)) from error
            else:
                messages.success(request, "The import has begun.")
                return HttpResponseRedirect(reverse("admin:annotate_job_progress", args=[data_import.job_id]))
        context = {
            **self.admin_site.each_context(request),
            "title": "Import pairs",
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "admin/annotate/import.html", context)

    def _offer_projects(self, request: HttpRequest, form: forms.Form) -> None:
        field = form.fields["project"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Project.objects.order_by("name")
        if not signed_in(request).is_superuser:
            field.queryset = field.queryset.filter(pk__in=projects_for(request, self.deed))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the beginning of a file comes to, as JSON (Preview), with the mappings of earlier imports."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_add_permission(request):
            raise PermissionDenied("Imports are for who manages a project.")
        form = PreviewForm(request.POST, request.FILES)
        self._offer_projects(request, form)
        if not form.is_valid():
            told = "; ".join(f"{name}: {error}" for name, errors in form.errors.items() for error in errors)
            return JsonResponse({"problem": told}, status=400)
        try:
            shown = preview_upload(by=signed_in(request), **form.cleaned_data)
        except Refused as error:
            return JsonResponse({"problem": str(error)})
        except Denied as error:
            raise PermissionDenied(str(error)) from error
        return JsonResponse(shown, headers={"Cache-Control": "no-store"})

    def refused_view(self, request: HttpRequest, import_id: int) -> HttpResponseBase:
        """The refused rows as JSON lines: {"file", "row", "field", "problem"}."""
        found = self.get_queryset(request).filter(pk=import_id).first()
        if found is None:
            raise Http404("There is no such import for you.")
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in found.report)
        name = f"import-{import_id}-refused.jsonl"
        return StreamingHttpResponse(
            lines,
            content_type="application/jsonl; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


@admin.register(Release)
class ReleaseAdmin(ScopedAdmin):
    list_display = ("id", "project", "state", "frozen_at", "superseded_at", "download", "created_at")
    list_filter = (OwnProjectFilter,)
    list_select_related = ("project", "job")
    # The ids are random.
    ordering = ("-job",)
    fields = (
        "id",
        "project",
        "job",
        "download",
        "recipe",
        "frozen_at",
        "superseded_at",
        "manifest",
        "created_at",
    )
    readonly_fields = ("download",)

    @admin.display(description="state")
    def state(self, release: Release) -> str:
        return release.job.get_state_display()

    @admin.display(description="download")
    def download(self, release: Release) -> Any:
        if not release.archive_key:
            return "-"
        return format_html(
            '<a href="{}">zip</a>', reverse("admin:annotate_release_download", args=[release.pk])
        )

    def get_urls(self) -> list[URLPattern]:
        download = path(
            "<uuid:release_id>/download/",
            self.admin_site.admin_view(self.download_view),
            name="annotate_release_download",
        )
        return [download, *super().get_urls()]

    def download_view(self, request: HttpRequest, release_id: Any) -> HttpResponseBase:
        """The archive: from our own disk as a stream, from an object store by a link that soon dies."""
        found = self.get_queryset(request).select_related("project").filter(pk=release_id).first()
        if found is None or not found.archive_key or not self.has_view_permission(request, found):
            raise Http404("There is no such archive for you.")
        name = f"{found.project.slug}-{found.pk}.zip"
        fetch_release(by=signed_in(request), release=found)
        disposition = f'attachment; filename="{name}"'
        try:
            default_storage.path(found.archive_key)
        except NotImplementedError:
            url = default_storage.url(  # type: ignore[call-arg]  # as S3Storage has it
                found.archive_key, parameters={"ResponseContentDisposition": disposition}
            )
            return HttpResponseRedirect(url, headers={"Cache-Control": "no-store"})
        return StreamingHttpResponse(
            _blocks(found.archive_key),
            content_type="application/zip",
            headers={
                "Content-Disposition": disposition,
                "Content-Length": str(default_storage.size(found.archive_key)),
            },
        )


def _blocks(key: str) -> Iterator[bytes]:
    with default_storage.open(key) as file:
        while block := file.read(_BLOCK):
            yield block
