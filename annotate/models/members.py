"""How people get into a project: by links that managers hand out."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from annotate.models.project import MAX_TAG, MAX_TAGS, Project, Role, User, different


class Invitation(models.Model):
    """A link that lets people into a project. Its token is in the link alone: here is what tells that it is the one."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=12, choices=Role, default=Role.ANNOTATOR)
    email = models.EmailField(
        blank=True, help_text="whom it was made for, if for one person; nothing is sent"
    )
    tags = ArrayField(
        models.CharField(max_length=MAX_TAG), default=list, blank=True, size=MAX_TAGS, validators=[different]
    )
    token_sha256 = models.BinaryField(max_length=32, unique=True, editable=False)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    uses_left = models.PositiveIntegerField(default=1)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="invitation_of_project")]

    def __str__(self) -> str:
        return f"{self.pk}: {self.email or self.role}"
