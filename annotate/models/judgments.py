"""Judgments: append-only. A revision is a new row that supersedes the one before it."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from annotate.models.pairs import Comparison
from annotate.models.project import MAX_TAG, Annotator
from annotate.models.queue import Claim


class Verdict(models.TextChoices):
    """What was found, naming responses, never sides of a screen. The last one takes a judgment back."""

    RESPONSE1 = "response1", "response 1"
    RESPONSE2 = "response2", "response 2"
    TIE = "tie", "tie"
    CANNOT_TELL = "cannot_tell", "cannot tell"
    NOT_APPLICABLE = "not_applicable", "not applicable"
    MEDIA_BROKEN = "media_broken", "media broken"
    RETRACTED = "retracted", "retracted"


class TieKind(models.TextChoices):
    NONE = "", "-"
    BOTH_GOOD = "both_good", "both good"
    BOTH_BAD = "both_bad", "both bad"


class Broken(models.TextChoices):
    """Whose media could not be seen."""

    NONE = "", "-"
    RESPONSE1 = "response1", "response 1"
    RESPONSE2 = "response2", "response 2"
    PROMPT = "prompt", "prompt"


class Judgment(models.Model):
    """One verdict of one annotator on one comparison. `id` is made by the client before it first sends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    claim = models.ForeignKey(Claim, models.CASCADE, null=True, blank=True, related_name="judgments")
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="judgments", db_index=False)
    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="judgments")
    supersedes = models.OneToOneField(
        "self", models.CASCADE, null=True, blank=True, related_name="superseded_by"
    )
    verdict = models.CharField(max_length=16, choices=Verdict)
    strength = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="1 slightly, 2 clearly, 3 much"
    )
    tie_kind = models.CharField(max_length=10, choices=TieKind, default=TieKind.NONE, blank=True)
    broken = models.CharField(max_length=10, choices=Broken, default=Broken.NONE, blank=True)
    rationale = models.TextField(blank=True)
    tags = ArrayField(
        models.CharField(max_length=MAX_TAG),
        default=list,
        db_default=[],
        blank=True,
        help_text="of those that the project offered then",
    )
    evidence = models.JSONField(default=dict, blank=True)
    late = models.BooleanField(default=False, help_text="arrived after the claim had expired")
    authored = models.BooleanField(default=False, help_text="on a criterion that this annotator wrote")
    seconds = models.FloatField(
        null=True, blank=True, help_text="active time on the pair, as the page told it"
    )
    data_import = models.ForeignKey(
        "DataImport", models.PROTECT, null=True, blank=True, related_name="judgments"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["claim", "comparison"],
                condition=Q(supersedes__isnull=True, claim__isnull=False),
                name="judgment_first_of_claim",
            ),
            models.UniqueConstraint(
                fields=["annotator", "comparison"],
                condition=Q(supersedes__isnull=True, claim__isnull=True),
                name="judgment_first_of_import",
            ),
            # Seats and revisions refer to all three, so that neither can mix up annotators or comparisons.
            models.UniqueConstraint(fields=["id", "comparison", "annotator"], name="judgment_identity"),
            models.CheckConstraint(
                condition=Q(claim__isnull=False) | Q(data_import__isnull=False), name="judgment_has_origin"
            ),
            models.CheckConstraint(
                condition=Q(strength__isnull=True)
                | Q(strength__range=(1, 3), verdict__in=["response1", "response2"]),
                name="judgment_strength",
            ),
            models.CheckConstraint(condition=Q(tie_kind="") | Q(verdict="tie"), name="judgment_tie_kind"),
            models.CheckConstraint(
                condition=(Q(verdict="media_broken") & ~Q(broken=""))
                | (~Q(verdict="media_broken") & Q(broken="")),
                name="judgment_broken",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="judgment_created"),
            models.Index(fields=["annotator", "-created_at"], name="judgment_list"),
        ]

    def __str__(self) -> str:
        return self.verdict
