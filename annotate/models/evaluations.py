"""How often judges were right on benchmarks, kept to be compared."""

from django.db import models
from django.db.models import Q

from annotate.models.project import Project

MAX_TITLE = 200


class Evaluation(models.Model):
    """The results of one judge on one benchmark, as manage.py eval_bench wrote them; docs/evaluate.md says what stands there.

    Only evaluations of one `digest` compare: it tells the benchmark's rows and labels.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="evaluations", db_index=False)
    bench = models.CharField(max_length=MAX_TITLE)
    digest = models.CharField(max_length=64)
    judge = models.CharField(max_length=MAX_TITLE)
    revision = models.CharField(
        max_length=MAX_TITLE,
        blank=True,
        help_text="which settings of which model; the same are asked equally",
    )
    judged_at = models.DateTimeField()
    content = models.JSONField()
    kept_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "digest", "judge", "revision", "judged_at"], name="evaluation_once"
            ),
            models.CheckConstraint(
                condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="evaluation_names_its_benchmark"
            ),
            models.CheckConstraint(condition=~Q(judge="") & ~Q(bench=""), name="evaluation_has_names"),
        ]

    def __str__(self) -> str:
        return f"{self.judge} on {self.bench}"
