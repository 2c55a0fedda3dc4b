"""Long work and what it is about: jobs, imports and releases. Progress and errors live on these rows."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotate.models.project import Project


class JobKind(models.TextChoices):
    IMPORT = "import", "import"
    RELEASE = "release", "release"
    RAISE_K = "raise_k", "raise k"
    APPLY = "apply", "apply criterion"
    DERIVE = "derive", "prepare media"
    DEMO = "demo", "make demo"
    TRAIN = "train", "train reward model"
    SCORE = "score", "score pairs"
    REPORT = "report", "compute statistics"
    SETTLE = "settle", "settle criterion"
    REVIEW = "review", "look for conflicts"
    BUDGET = "budget", "compute budget"
    WRITE = "write", "write criteria"
    COMPARE = "compare", "compare revisions"


class JobState(models.TextChoices):
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


MAX_STEP = 80  # characters
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


class Job(models.Model):
    """One piece of long work. Whoever runs it holds its lease by writing `beat_at`; see actions/jobs.py."""

    kind = models.CharField(max_length=8, choices=JobKind)
    project = models.ForeignKey(Project, models.CASCADE, related_name="jobs")
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    runner = models.UUIDField(null=True, blank=True, help_text="token of the process that holds the lease")
    beat_at = models.DateTimeField(null=True, blank=True)
    spec = models.JSONField(
        default=dict,
        blank=True,
        help_text="what to do, for kinds without a row of their own, and how far it is",
    )
    step = models.CharField(max_length=MAX_STEP, blank=True, help_text="what it is at")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["state"], condition=Q(state__in=["queued", "running"]), name="job_unfinished"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class DataImport(models.Model):
    """Files read into a project. Its rows are seen nowhere until its job is done (`visible`)."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="imports")
    job = models.OneToOneField(Job, models.CASCADE, related_name="data_import")
    # What to read and how: paths or storage keys, format, mapping, default criterion, on_error ...
    spec = models.JSONField()
    # Where a resumed import goes on: written in the transaction of the rows before it.
    position = models.JSONField(default=dict)
    visible = models.BooleanField(default=False)
    pairs_new = models.PositiveIntegerField(default=0)
    pairs_same = models.PositiveIntegerField(default=0)
    judgments_new = models.PositiveIntegerField(default=0)
    rows_refused = models.PositiveIntegerField(default=0)
    report = models.JSONField(default=list, help_text="the first refused rows: file, row, field, problem")
    near_duplicates = models.JSONField(
        default=dict, help_text="prompts nearly the same as others, once they were looked for"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "import"

    def __str__(self) -> str:
        return f"import {self.pk}"


class Release(models.Model):
    """An export: frozen rows, splits, manifest. The freeze is one statement; files are made from it alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey(Project, models.CASCADE, related_name="releases")
    job = models.OneToOneField(Job, models.CASCADE, related_name="release")
    recipe = models.JSONField(help_text="rules of labels and splits, formats, version of the code")
    pseudonym_key = models.CharField(max_length=64)
    # Where a command writes it. Empty: made by a worker, and kept in storage as a zip.
    directory = models.TextField(blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True)
    manifest = models.JSONField(null=True, blank=True)
    # What of the project stands in other benchmarks too, where it was compared with some (annotate.exports.against).
    contamination = models.JSONField(null=True, blank=True)
    # How many criteria models wrote, by whom, and what people said of those that they looked at (annotate.exports.written).
    written = models.JSONField(null=True, blank=True)
    # Since when judgments are in it whose annotator has withdrawn: another release should take its place.
    superseded_at = models.DateTimeField(null=True, blank=True)
    archive_key = models.CharField(max_length=120, blank=True, help_text="the finished zip in storage")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"release {self.pk}"
