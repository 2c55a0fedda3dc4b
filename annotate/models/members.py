"""How people get into a project: by links that managers hand out, or from Prolific."""

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


class CrowdArrival(models.Model):
    """A participant of a study on Prolific who has begun here: which account they have, and what was agreed."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="arrivals")
    user = models.ForeignKey(User, models.CASCADE, related_name="arrivals")
    # As the link told them. They name rows, and nothing else: who has begun is known by their browser.
    participant = models.CharField(max_length=64)
    study = models.CharField(max_length=64)
    session = models.CharField(max_length=64)
    # SHA-256, in hex, of the secret in the cookie of the browser that began; empty: the next one is taken for theirs.
    browser_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    pairs = models.PositiveIntegerField(help_text="agreed")
    judged_before = models.PositiveIntegerField(default=0)
    begun_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "study", "participant"], name="crowd_arrival_once")
        ]
        indexes = [models.Index(fields=["project", "participant"], name="crowd_participant")]

    def __str__(self) -> str:
        return self.participant
