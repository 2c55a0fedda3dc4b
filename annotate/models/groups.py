"""Groups of annotators that a project tells apart: by language, expertise, taste. Who is in which may change."""

from django.db import models
from django.db.models import Q

from annotate.models.project import Annotator, Project
from annotate.models.work import Release

MAX_GROUP = 60  # characters
SMALLEST_GROUP = 5  # annotators below which a group is told of nowhere


class GroupKind(models.TextChoices):
    LANGUAGE = "language", "language"
    EXPERTISE = "expertise", "expertise"
    TASTE = "taste", "taste"


class AnnotatorGroup(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="annotator_groups", db_index=False)
    kind = models.CharField(max_length=10, choices=GroupKind)
    name = models.CharField(max_length=MAX_GROUP)
    asked = models.BooleanField(
        default=False, help_text="Annotators may say on the consent page that they belong to it."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "name"], name="annotator_group_name"),
            models.CheckConstraint(condition=~Q(name=""), name="annotator_group_has_name"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


class GroupMember(models.Model):
    """`declared`: the annotator said so; else a manager did."""

    group = models.ForeignKey(AnnotatorGroup, models.CASCADE, related_name="members", db_index=False)
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="group_members")
    declared = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "annotator"], name="group_member_once")]

    def __str__(self) -> str:
        return f"{self.annotator_id} in {self.group_id}"


class FrozenMember(models.Model):
    """Who was in which group when a release was frozen. It goes only with the annotator, who withdraws."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="members", db_index=False)
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=GroupKind)
    name = models.CharField(max_length=MAX_GROUP)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["release", "annotator", "kind", "name"], name="frozen_member_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.annotator_id}: {self.kind} {self.name}"
