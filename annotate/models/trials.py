"""How annotators get in where a project trains and tests them first: what they went through, and how it ended."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from annotate.models.project import Annotator

MAX_LET_IN = 500  # characters of a reason


class WayIn(models.TextChoices):
    """What let an annotator in. Empty: nothing has."""

    NONE = "", "not in"
    TRAINED = "trained", "trained; there was no quiz"
    QUIZ = "quiz", "passed the quiz"
    LET_IN = "let_in", "let in by a manager"


class Qualification(models.Model):
    """How far an annotator is in one round of their project's training and quiz.

    Whoever is in has `passed_at`: the statement that picks the next pair asks for it. A round is begun by a manager who
    wants everybody to go through it again.
    """

    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="qualifications", db_index=False)
    round = models.PositiveIntegerField()
    begun_at = models.DateTimeField()
    trained_at = models.DateTimeField(null=True, blank=True)
    passed_at = models.DateTimeField(null=True, blank=True)
    way = models.CharField(max_length=7, choices=WayIn, default=WayIn.NONE, db_default=WayIn.NONE, blank=True)
    reason = models.CharField(max_length=MAX_LET_IN, default="", db_default="", blank=True)
    let_in_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Attempts up to this number were forgiven by a manager.
    forgiven = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotator", "round"], name="qualification_once"),
            models.CheckConstraint(
                condition=Q(passed_at__isnull=True, way="") | (Q(passed_at__isnull=False) & ~Q(way="")),
                name="qualification_way",
            ),
            models.CheckConstraint(
                condition=~Q(way="let_in") | ~Q(reason=""), name="qualification_let_in_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"round {self.round}"


class TrialPart(models.TextChoices):
    """Which set is gone through. The values are those of its claims and known answers."""

    TRAINING = "training", "training"
    QUIZ = "quiz", "quiz"


class TrialResult(models.TextChoices):
    """How it ended; a void one could neither be passed nor failed, as too much of it could not be answered."""

    OPEN = "", "open"
    DONE = "done", "done"
    PASSED = "passed", "passed"
    FAILED = "failed", "failed"
    VOID = "void", "void"


class Trial(models.Model):
    """One going through the training set or the quiz: the pairs as they stood when it began, and what came of it.

    `asked` known answers were to be given, `needed` of them right to pass. What is neither right nor wrong could not be
    answered: skipped, broken, not seen as a whole, or they could not tell.
    """

    qualification = models.ForeignKey(Qualification, models.CASCADE, related_name="trials", db_index=False)
    part = models.CharField(max_length=8, choices=TrialPart)
    number = models.PositiveIntegerField()
    pair_ids = ArrayField(models.BigIntegerField())
    asked = models.PositiveIntegerField()
    needed = models.PositiveIntegerField(default=0)
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=6, choices=TrialResult, default=TrialResult.OPEN, blank=True)
    right = models.PositiveIntegerField(default=0)
    wrong = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["qualification", "part", "number"], name="trial_once"),
            models.UniqueConstraint(
                fields=["qualification"], condition=Q(ended_at__isnull=True), name="trial_open_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, result="") | (Q(ended_at__isnull=False) & ~Q(result="")),
                name="trial_ended_with_result",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.part} {self.number}"
