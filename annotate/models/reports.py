"""What the statistics say of a project, kept with when they were made: pages read this and compute nothing."""

from django.db import models

from annotate.models.project import Project


class Report(models.Model):
    """The newest statistics of a project; annotate/reports.py says what stands in `content`."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="report", primary_key=True)
    read_at = models.DateTimeField(help_text="what stood in the database then is what it tells of")
    verdicts = models.PositiveBigIntegerField(help_text="counted verdicts that were read")
    seconds = models.FloatField(help_text="that it took")
    content = models.JSONField()

    def __str__(self) -> str:
        return f"report of {self.project_id}"
