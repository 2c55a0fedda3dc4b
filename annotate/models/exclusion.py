"""Annotators whose judgments do not count, by whom and why."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from annotate.models.project import Annotator


class Exclusion(models.Model):
    """From `since` on, or wholly where it is empty, an annotator's judgments are no labels. It holds until it is lifted."""

    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="exclusions", db_index=False)
    since = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(max_length=2000)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    made_at = models.DateTimeField()
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["annotator"], condition=Q(lifted_at__isnull=True), name="exclusion_once"
            ),
            # What comes after the deed is excluded without asking for the time.
            models.CheckConstraint(
                condition=Q(since__isnull=True) | Q(since__lte=F("made_at")), name="exclusion_since"
            ),
        ]
        indexes = [models.Index(fields=["annotator", "made_at"], name="exclusion_list")]

    def __str__(self) -> str:
        return self.reason[:80]
