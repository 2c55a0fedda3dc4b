"""Review: where people disagree, or the model with people; what reviewers settled, and what was said about it."""

from django.db import models
from django.db.models import Q

from annotate.models.judgments import Judgment
from annotate.models.pairs import Comparison, Criterion
from annotate.models.project import Annotator, Project, TaskType


class ReviewState(models.TextChoices):
    OPEN = "open", "open"
    SENT_BACK = "sent_back", "sent back"
    SETTLED = "settled", "settled"


class ReviewItem(models.Model):
    """What review needs to know of a judged comparison, so that its queue is read from an index and nothing is counted.

    PostgreSQL keeps it: whatever changes a seat's head, k, a resolution or a comment makes the row anew by
    `evenhand_review` (migrations/0021_review.py), in the same transaction. Nothing else writes it.

    `people` is how far the usable counted verdicts lie apart: the mean distance of two of them, a tie half-way between
    the responses (0 to 1). It is 0 unless the comparison is full and they conflict: both responses were chosen, or the
    majority's share is below the project's `review_majority`. `model` is the probability that the current revision's score of the
    comparison gives to the response that people's majority did not choose, ties aside, the margin's variance taken
    into account; 0 unless the comparison is full and it is at least the project's `review_against`.
    """

    comparison = models.OneToOneField(
        Comparison, models.CASCADE, primary_key=True, related_name="review_item"
    )
    project = models.ForeignKey(Project, models.CASCADE, related_name="review_items", db_index=False)
    criterion = models.ForeignKey(Criterion, models.CASCADE, related_name="+", db_index=False)
    task_type = models.CharField(max_length=32, choices=TaskType)
    response1 = models.PositiveSmallIntegerField(help_text="counted verdicts that say so")
    response2 = models.PositiveSmallIntegerField()
    tie = models.PositiveSmallIntegerField()
    other = models.PositiveSmallIntegerField(help_text="counted, but no opinion on which is better")
    people = models.FloatField()
    model = models.FloatField()
    strength = models.FloatField(help_text="the larger of both")
    state = models.CharField(max_length=9, choices=ReviewState)

    class Meta:
        # What is in a queue: a conflict, or what was one.
        indexes = [
            models.Index(
                fields=["project", "state", "-strength", "comparison"],
                condition=Q(strength__gt=0) | ~Q(state="open"),
                name="review_queue",
            ),
            models.Index(
                fields=["criterion", "state", "-strength", "comparison"],
                condition=Q(strength__gt=0) | ~Q(state="open"),
                name="review_by_criterion",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.comparison_id}: {self.strength:.2f}"


class Ruling(models.TextChoices):
    """How a reviewer settles a comparison. The last one takes a settlement back: people's verdicts alone count again."""

    RESPONSE1 = "response1", "response 1"
    RESPONSE2 = "response2", "response 2"
    TIE = "tie", "tie"
    CANNOT_TELL = "cannot_tell", "nobody can tell"
    REOPENED = "reopened", "reopened"


class Resolution(models.Model):
    """What a reviewer decided on a comparison: append-only. The one that nothing supersedes holds.

    Where the reviewer withdrew, neither who it was nor their words are kept: what was decided stays.
    """

    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="resolutions")
    verdict = models.CharField(max_length=11, choices=Ruling)
    reason = models.TextField(blank=True)
    reviewer = models.ForeignKey(Annotator, models.SET_NULL, null=True, related_name="resolutions")
    supersedes = models.OneToOneField(
        "self", models.CASCADE, null=True, blank=True, related_name="superseded_by"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["comparison"], condition=Q(supersedes__isnull=True), name="resolution_first"
            ),
            # So that none can supersede one of another comparison; the key is in the migration.
            models.UniqueConstraint(fields=["id", "comparison"], name="resolution_identity"),
            models.CheckConstraint(
                condition=~Q(reason="") | Q(reviewer__isnull=True), name="resolution_has_reason"
            ),
        ]

    def __str__(self) -> str:
        return self.verdict


class Comment(models.Model):
    """A word on a comparison: append-only; it is taken back by another one that retracts it.

    A thread is what is said with one annotator who judged it; the others do not see it. Without an annotator it is among
    reviewers and managers, unless it is `to_all`: then each of those who judged sees it, and may answer in a thread of
    their own. With `revise` it asks the annotator to look at that judgment again: it is answered by a newer judgment or
    a word of theirs.
    """

    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="comments")
    author = models.ForeignKey(Annotator, models.CASCADE, related_name="comments")
    annotator = models.ForeignKey(Annotator, models.CASCADE, null=True, blank=True, related_name="threads")
    to_all = models.BooleanField(default=False)
    text = models.TextField(blank=True)
    revise = models.ForeignKey(Judgment, models.CASCADE, null=True, blank=True, related_name="sent_back")
    retracts = models.OneToOneField(
        "self", models.CASCADE, null=True, blank=True, related_name="retracted_by"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(retracts__isnull=True) & ~Q(text="")) | Q(retracts__isnull=False, text=""),
                name="comment_says_or_retracts",
            ),
            models.CheckConstraint(
                condition=Q(to_all=False) | Q(annotator__isnull=True), name="comment_to_all_or_one"
            ),
            models.CheckConstraint(
                condition=Q(revise__isnull=True) | Q(annotator__isnull=False), name="comment_revise_to_one"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]


class CommentSeen(models.Model):
    """Up to which comment somebody has read what is said on a comparison."""

    pk = models.CompositePrimaryKey("reader_id", "comparison_id")
    reader = models.ForeignKey(Annotator, models.CASCADE, related_name="comments_seen", db_index=False)
    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="+")
    upto = models.BigIntegerField(help_text="id of a comment")

    def __str__(self) -> str:
        return f"{self.reader_id} up to {self.upto}"
