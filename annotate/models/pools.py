"""Who may judge which pairs: what pairs ask of people, the pools of a project, and how far each line was walked."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from annotate.models.project import Annotator, Project, TaskType

MAX_EXPERTISE = (
    60  # characters of a language or an expertise, as of the groups of annotators that bear their names
)
MAX_EXPERTISES = 10  # that one pair asks for
MAX_NEEDS = (
    200  # of one project: as many lines may stand in its queue, and each claim looks at all that are its own
)


class Need(models.Model):
    """What pairs ask of who judges them; those that ask for the same stand in one line of the queue.

    The language and the expertises are names of annotator groups of these kinds, compared without case. A row never
    changes: a pair that asks for something else gets another one.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="needs", db_index=False)
    task_type = models.CharField(max_length=32, choices=TaskType)
    language = models.CharField(max_length=MAX_EXPERTISE, blank=True, default="", db_default="")
    expertise = ArrayField(
        models.CharField(max_length=MAX_EXPERTISE), default=list, db_default=[], blank=True
    )
    any_of = models.BooleanField(default=False, db_default=False, help_text="one of the expertises is enough")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "task_type", "language", "expertise", "any_of"], name="need_once"
            )
        ]

    def __str__(self) -> str:
        joined = (" or " if self.any_of else " and ").join(self.expertise)
        return ", ".join(filter(None, (self.get_task_type_display(), self.language, joined)))


class PoolRule(models.Model):
    """A group may judge pairs of a task type (empty: of all), so that who is in no such group may not; or, where it
    `excludes`, who is in the group may not."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="pool_rules", db_index=False)
    task_type = models.CharField(max_length=32, choices=TaskType, blank=True)
    # A group that went by itself would open its pool to everybody.
    group = models.ForeignKey("AnnotatorGroup", models.PROTECT, related_name="pool_rules")
    excludes = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "task_type", "group"], name="pool_rule_once"),
        ]

    def __str__(self) -> str:
        return f"{self.group} {'may not judge' if self.excludes else 'may judge'} {self.pairs()}"

    def pairs(self) -> str:
        """Which pairs the rule is about, in words."""
        return f"pairs of {self.get_task_type_display()}" if self.task_type else "all pairs"


class Reach(models.Model):
    """How far an annotator has come in one line of the queue: draws up to there are decided for them."""

    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="reaches", db_index=False)
    need = models.ForeignKey(Need, models.CASCADE, related_name="+", db_index=False)
    cursor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotator", "need"], name="reach_once"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator_id} in {self.need_id}: {self.cursor}"
