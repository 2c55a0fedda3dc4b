"""Media files as they were given, and what was made from them to be shown."""

from django.db import models
from django.db.models import Q

from annotate.models.project import Project


class Modality(models.TextChoices):
    IMAGE = "image", "image"
    VIDEO = "video", "video"
    AUDIO = "audio", "audio"
    MESH = "mesh", "3D"


class Asset(models.Model):
    """One original file. Its key is random: nothing about the content or its maker can be read from it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="assets", db_index=False)
    sha256 = models.BinaryField(max_length=32)
    modality = models.CharField(max_length=8, choices=Modality)
    media_type = models.CharField(max_length=80, help_text="Decided from the bytes, never from the name.")
    extension = models.CharField(max_length=8)
    size = models.BigIntegerField(help_text="bytes")
    key = models.CharField(max_length=120, unique=True)
    probe = models.JSONField(default=dict, help_text="width, height, duration ... by modality")
    prepared = models.BooleanField(default=False, help_text="everything that a viewer needs is made")
    problem = models.TextField(blank=True, help_text="why it could not be made: pairs with it are not served")
    data_import = models.ForeignKey("DataImport", models.PROTECT, null=True, related_name="assets")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "sha256"], name="asset_once"),
            models.CheckConstraint(
                condition=Q(prepared=False) | Q(problem=""), name="asset_prepared_or_problem"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="asset_list"),
            models.Index(fields=["project", "id"], condition=Q(prepared=False), name="asset_unprepared"),
        ]

    def __str__(self) -> str:
        return f"{self.modality} {self.pk}"


class Derivative(models.Model):
    """A file made from an asset for viewing: metadata removed, orientation applied, of a size for the screen."""

    asset = models.ForeignKey(Asset, models.CASCADE, related_name="derivatives")
    kind = models.CharField(max_length=16, help_text="web, thumb ...")
    media_type = models.CharField(max_length=80)
    size = models.BigIntegerField()
    key = models.CharField(max_length=120, unique=True)
    probe = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "kind"], name="derivative_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.asset_id}"
