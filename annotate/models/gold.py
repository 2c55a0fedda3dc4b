"""Known answers: what annotators are measured by and trained with."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotate.models.pairs import Comparison
from annotate.models.project import Project
from annotate.models.work import DataImport


class KnownVerdict(models.TextChoices):
    RESPONSE1 = "response1", "response 1"
    RESPONSE2 = "response2", "response 2"
    TIE = "tie", "tie"


class KnownKind(models.TextChoices):
    """What a known answer is for. The values are those of the claims that ask for it (ClaimKind)."""

    GOLD = "gold", "gold: asked now and then, untold"
    ATTENTION = "attention", "attention check: the pair itself says what to answer"
    TRAINING = "training", "training: told afterwards, before the first real pair"
    QUIZ = "quiz", "quiz: not told, to be passed before the first real pair"


class Gold(models.Model):
    """The known answer of a comparison, and why it is the answer.

    Its criterion is objective, but for an attention check: there the pair itself says what to answer.
    """

    # Looked for from a place on, by project and kind: the index below begins with them.
    project = models.ForeignKey(Project, models.CASCADE, related_name="gold", db_index=False)
    comparison = models.OneToOneField(Comparison, models.CASCADE, related_name="gold")
    verdict = models.CharField(max_length=9, choices=KnownVerdict)
    note = models.TextField(blank=True, max_length=2000)
    kind = models.CharField(
        max_length=9, choices=KnownKind, default=KnownKind.GOLD, db_default=KnownKind.GOLD
    )
    # Of training and quiz: pairs are asked in this order, those of one place in the order of their ids.
    place = models.PositiveIntegerField(default=0, db_default=0)
    # One that an import brings is seen when the import is.
    data_import = models.ForeignKey(DataImport, models.CASCADE, null=True, blank=True, related_name="gold")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=KnownVerdict.values), name="gold_verdict"),
            models.CheckConstraint(condition=Q(kind__in=KnownKind.values), name="gold_kind"),
        ]
        indexes = [models.Index(fields=["project", "kind", "id"], name="gold_of_kind")]

    def __str__(self) -> str:
        return self.get_verdict_display()
