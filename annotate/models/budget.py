"""What labels have bought so far and what more of them would, kept with when it was made: pages read this."""

from django.db import models

from annotate.models.project import Project


class Budget(models.Model):
    """The newest figures of a project; workers/budget.py says what stands in `content`."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="budget", primary_key=True)
    read_at = models.DateTimeField(help_text="what stood in the database then is what it tells of")
    judgments = models.PositiveBigIntegerField(help_text="counted judgments of train pairs that were read")
    seconds = models.FloatField(help_text="that it took")
    content = models.JSONField()

    def __str__(self) -> str:
        return f"budget of {self.project_id}"
