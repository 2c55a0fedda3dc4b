"""A project, the people in it and the streams its queue is drawn from."""

import secrets

from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q


class User(AbstractUser):
    """An account. What it may do in a project is its Membership; a superuser may do everything."""


class TaskType(models.TextChoices):
    """What prompt and responses are made of: the nine configs of Omni-RewardBench, and any other mix."""

    TEXT_TO_TEXT = "text_to_text", "text to text"
    TEXT_IMAGE_TO_TEXT = "text_image_to_text", "text and image to text"
    TEXT_VIDEO_TO_TEXT = "text_video_to_text", "text and video to text"
    TEXT_AUDIO_TO_TEXT = "text_audio_to_text", "text and audio to text"
    TEXT_TO_IMAGE = "text_to_image", "text to image"
    TEXT_TO_VIDEO = "text_to_video", "text to video"
    TEXT_TO_AUDIO = "text_to_audio", "text to audio"
    TEXT_TO_3D = "text_to_3D", "text to 3D"
    TEXT_IMAGE_TO_IMAGE = "text_image_to_image", "text and image to image"
    OTHER = "other", "another mix"


class ProjectState(models.TextChoices):
    OPEN = "open", "open"
    PAUSED = "paused", "paused"
    CLOSED = "closed", "closed"


class Authoring(models.TextChoices):
    """May annotators write criteria of their own?"""

    OFF = "off", "no"
    OPTIONAL = "optional", "if they wish"
    REQUIRED = "required", "at least one a pair"


class Scale(models.IntegerChoices):
    """Points of the verdict scale, tie in the middle."""

    THREE = 3, "3: A, tie, B"
    FIVE = 5, "5: A much, A, tie, B, B much"
    SEVEN = 7, "7: A much, A, A slightly, tie, B slightly, B, B much"


def new_secret() -> str:
    return secrets.token_hex(32)


_share = [MinValueValidator(0), MaxValueValidator(1)]
_k = [MinValueValidator(1), MaxValueValidator(9)]


class Project(models.Model):
    """One labelling effort with its own rules. What is set here never changes what was already judged."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=200)
    guidelines = models.TextField(blank=True, help_text="Markdown, shown to annotators.")
    task_type = models.CharField(max_length=32, choices=TaskType, default=TaskType.OTHER)
    state = models.CharField(max_length=8, choices=ProjectState, default=ProjectState.OPEN)

    scale = models.PositiveSmallIntegerField(choices=Scale, default=Scale.SEVEN)
    split_ties = models.BooleanField(default=True, help_text="Ask whether a tie is both good or both bad.")
    authoring = models.CharField(max_length=8, choices=Authoring, default=Authoring.OPTIONAL)
    authored_k = models.PositiveSmallIntegerField(
        default=3, validators=_k, help_text="Labels wanted for a criterion that an annotator wrote."
    )

    k = models.PositiveSmallIntegerField(default=3, validators=_k, help_text="Labels wanted a comparison.")
    reserve_k = models.PositiveSmallIntegerField(default=3, validators=_k)
    reserve_share = models.FloatField(
        default=0.1, validators=_share, help_text="Share of prompts kept as benchmark, fixed at import."
    )
    validation_share = models.FloatField(default=0.05, validators=_share)
    reserve_claim_share = models.FloatField(
        default=0.2,
        validators=_share,
        help_text="Share of the queue that asks about reserve and validation while train still has pairs.",
    )

    lease_minutes = models.PositiveSmallIntegerField(default=30, validators=[MinValueValidator(1)])
    claims_in_hand = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(40)]
    )

    salt = models.CharField(max_length=64, default=new_secret, editable=False)
    pseudonym_key = models.CharField(max_length=64, default=new_secret, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(k__range=(1, 9)), name="project_k"),
            models.CheckConstraint(condition=Q(reserve_k__range=(1, 9)), name="project_reserve_k"),
            models.CheckConstraint(condition=Q(authored_k__range=(1, 9)), name="project_authored_k"),
            models.CheckConstraint(condition=Q(scale__in=(3, 5, 7)), name="project_scale"),
            models.CheckConstraint(
                condition=Q(reserve_share__gte=0)
                & Q(validation_share__gte=0)
                & Q(reserve_share__lte=1.0 - F("validation_share")),
                name="project_shares",
                violation_error_message="The shares of reserve and validation together must not exceed 1.",
            ),
            models.CheckConstraint(
                condition=Q(reserve_claim_share__range=(0, 1)), name="project_reserve_claim_share"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """Each role may do what the ones before it may."""

    ANNOTATOR = "annotator", "annotator"
    REVIEWER = "reviewer", "reviewer"
    MANAGER = "manager", "manager"


class Membership(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role, default=Role.ANNOTATOR)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


class Annotator(models.Model):
    """A pseudonym within one project: who judged. Imported judgments have one without an account."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotators")
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="annotators")
    pseudonym = models.CharField(max_length=80)
    # Draws up to here are decided for this annotator: the queue is walked from this place on.
    cursor = models.BigIntegerField(default=0)
    judged_pairs = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "pseudonym"], name="annotator_pseudonym"),
            models.UniqueConstraint(fields=["project", "user"], name="annotator_user"),
        ]

    def __str__(self) -> str:
        return self.pseudonym


class Stream(models.Model):
    """One partition of one project as a source of draws, with its counts, so that nothing counts rows to serve.

    Its row is the lock under which the queue grows.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="streams")
    partition = models.CharField(max_length=10)
    total = models.PositiveIntegerField(default=0)
    queued = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "partition"], name="stream_once"),
            models.CheckConstraint(condition=Q(queued__lte=F("total")), name="stream_queued"),
        ]

    def __str__(self) -> str:
        return f"{self.partition}: {self.queued} of {self.total}"
