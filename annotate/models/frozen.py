"""What a release is made from: its comparisons and judgments, and how they stood, in one snapshot.

Only what can change later is copied. The rest (texts, verdicts, media) never changes, and is read by its key.
"""

from django.db import models

from annotate.models.judgments import Judgment
from annotate.models.pairs import Criterion, Pair, Partition
from annotate.models.project import TaskType
from annotate.models.work import Release


class Standing(models.TextChoices):
    """Whether a judgment counts for the label of its comparison, and if not, why."""

    COUNTED = "counted", "counted"
    REVISED = "revised", "revised by a later one"
    RETRACTED = "retracted", "takes an earlier one back"
    WAITING = "waiting", "came too late for a seat"
    REPEAT = "repeat", "asked again, to measure consistency"
    GOLD = "gold", "asked to measure the annotator, as the answer is known"
    ATTENTION = "attention", "asked to see whether the annotator looks"
    EXCLUDED = "excluded", "its annotator was excluded from labels"
    TWIN = "twin", "counted already under a criterion merged with this one"


class KeptOut(models.TextChoices):
    """Why a pair stands on no side of a release's splits, whatever its labels."""

    LEAKS = "leaks"
    NEAR = "near_duplicate"
    HELD_OUT = "held_out"
    CONTAMINATED = "contaminated"


class FrozenComparison(models.Model):
    """A pair under a canonical criterion (merged ones make one row). A release's order is that of id.

    Freezing writes these by the hundred thousand, from rows that it has just read and that go only with their project: the
    database asks nothing again row by row. It does of each judgment, which may go meanwhile.
    """

    release = models.ForeignKey(
        Release, models.CASCADE, related_name="comparisons", db_constraint=False, db_index=False
    )
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="+", db_constraint=False)
    criterion = models.ForeignKey(Criterion, models.CASCADE, related_name="+", db_constraint=False)
    task_type = models.CharField(max_length=32, choices=TaskType)
    partition = models.CharField(max_length=10, choices=Partition)
    kept_out = models.CharField(
        max_length=14,
        blank=True,
        default="",
        db_default="",
        help_text="why it stands in no split, whatever its label: leaks, near_duplicate ...; empty: it may",
    )
    settled = models.CharField(
        max_length=11,
        blank=True,
        default="",
        db_default="",
        help_text="what reviewers decided; empty: nothing",
    )
    reviewers = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="how many of them decided so"
    )
    written = models.CharField(
        max_length=9,
        blank=True,
        default="",
        db_default="",
        help_text="what wins by a criterion that a model wrote, as it says, where nobody has judged or settled it; empty: nothing",
    )
    writer = models.CharField(max_length=200, blank=True, default="", db_default="", help_text="that model")

    class Meta:
        indexes = [
            models.Index(fields=["release", "id"], name="frozen_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.pair_id} by {self.criterion_id} in {self.release_id}"


class FrozenJudgment(models.Model):
    """One judgment of a frozen comparison. It goes only with the judgment, when its annotator withdraws."""

    comparison = models.ForeignKey(
        FrozenComparison, models.CASCADE, related_name="judgments", db_constraint=False
    )
    judgment = models.ForeignKey(Judgment, models.CASCADE, related_name="+")
    standing = models.CharField(max_length=10, choices=Standing)

    def __str__(self) -> str:
        return f"{self.judgment_id} {self.standing}"


class Tombstone(models.Model):
    """A judgment that a release held and whose annotator withdrew since: by the names that the release itself used.

    It says nothing of the person, and a later release lists it, so that whoever has the earlier one can take it out.
    """

    release = models.ForeignKey(Release, models.CASCADE, related_name="tombstones")
    row = models.TextField(help_text="the id of the comparison in the release")
    judgment = models.CharField(max_length=16, help_text="its pseudonym in the release")
    removed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.judgment} of {self.release_id}"
