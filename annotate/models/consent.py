"""What annotators are asked to agree to before they judge, version after version, and what each of them answered."""

from django.conf import settings
from django.db import models

from annotate.models.project import Annotator, Project

MAX_CONSENT = 20_000  # characters


class ConsentText(models.Model):
    """One version of a project's consent text. Append-only; the one with the highest number is asked for.

    An empty text ends the asking: a version that nobody need agree to.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="consent_texts", db_index=False)
    version = models.PositiveIntegerField()
    text = models.TextField(blank=True, max_length=MAX_CONSENT, help_text="Markdown, shown to annotators.")
    # No constraint: the row stays as it was written, whatever becomes of the account.
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "version"], name="consent_text_version")]

    def __str__(self) -> str:
        return f"version {self.version}"


class Consent(models.Model):
    """An annotator's answer to one version. Append-only; of several to one version the newest holds."""

    # Found through the index below alone.
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="consents", db_index=False)
    text = models.ForeignKey(ConsentText, models.CASCADE, related_name="answers")
    given = models.BooleanField(help_text="agreed; else declined")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["annotator", "text", "-id"], name="consent_newest")]

    def __str__(self) -> str:
        return "agreed" if self.given else "declined"
