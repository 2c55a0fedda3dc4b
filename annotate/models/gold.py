"""Known answers: what annotators are measured by, where a criterion has one."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotate.models.pairs import Comparison
from annotate.models.project import Project


class KnownVerdict(models.TextChoices):
    RESPONSE1 = "response1", "response 1"
    RESPONSE2 = "response2", "response 2"
    TIE = "tie", "tie"


class Gold(models.Model):
    """The known answer of a comparison under an objective criterion, and why it is the answer."""

    # Looked for from a place on, project by project: the index below begins with it.
    project = models.ForeignKey(Project, models.CASCADE, related_name="gold", db_index=False)
    comparison = models.OneToOneField(Comparison, models.CASCADE, related_name="gold")
    verdict = models.CharField(max_length=9, choices=KnownVerdict)
    note = models.TextField(blank=True, max_length=2000)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=KnownVerdict.values), name="gold_verdict")
        ]
        indexes = [models.Index(fields=["project", "id"], name="gold_of_project")]

    def __str__(self) -> str:
        return self.get_verdict_display()
