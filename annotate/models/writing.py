"""Criteria that models write for pairs there are: what was asked for, what was proposed, and what became of it."""

from django.db import models
from django.db.models import Q

from annotate.models.pairs import Comparison, Criterion, Pair
from annotate.models.project import Project
from annotate.models.work import Job


class CriteriaRun(models.Model):
    """One recipe at work in a project (docs/criteria.md). The same recipe again goes on with the same run."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="criteria_runs", db_index=False)
    job = models.ForeignKey(Job, models.PROTECT, related_name="+")  # the newest
    digest = models.CharField(max_length=64, help_text="SHA-256 of the recipe, in hex")
    recipe = models.JSONField()
    writer = models.CharField(max_length=200, help_text="what the writing model is called")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="criteria_run_once")]

    def __str__(self) -> str:
        return f"{self.writer} {self.digest[:8]}"


class ProposalState(models.TextChoices):
    ACCEPTED = "accepted", "accepted"
    REJECTED = "rejected", "rejected"
    UNREADABLE = "unreadable", "no criterion could be read"
    FAILED = "failed", "could not be asked"  # and is asked again when the run goes on


class Proposal(models.Model):
    """A criterion that a model wrote for a pair, with the side that it says wins by it.

    The label is the model's and stands here alone: no judgment is made of it, so nothing that counts judgments counts it.
    A pair that the writer gave nothing for has one row that says why.
    """

    run = models.ForeignKey(CriteriaRun, models.CASCADE, related_name="proposals", db_index=False)
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="proposals")
    n = models.PositiveSmallIntegerField(help_text="its place in the writer's reply, from 1")
    text = models.TextField(blank=True)
    label = models.CharField(
        max_length=9,
        blank=True,
        choices=[("response1", "response 1"), ("response2", "response 2")],
        help_text="what wins by it, as the writer says",
    )
    why = models.TextField(blank=True, help_text="the writer's reason")
    state = models.CharField(max_length=10, choices=ProposalState)
    reason = models.TextField(blank=True, help_text="why it is not accepted")
    # [{"judge", "verdict", "swapped", "agrees", "detail", "rationale"}]: verdicts name responses, in both orders.
    verdicts = models.JSONField(default=list)
    sampled = models.BooleanField(default=False, help_text="people are to look at its criterion")
    criterion = models.ForeignKey(Criterion, models.PROTECT, null=True, blank=True, related_name="proposals")
    comparison = models.OneToOneField(
        Comparison, models.CASCADE, null=True, blank=True, related_name="proposal"
    )
    # Of its verifiers' replies; the first of a pair's has the writer's too.
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    cost = models.FloatField(null=True, blank=True, help_text="empty: not every model has prices")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "pair", "n"], name="proposal_once"),
            models.CheckConstraint(condition=Q(state__in=ProposalState.values), name="proposal_state"),
            models.CheckConstraint(
                condition=Q(
                    state="accepted",
                    comparison__isnull=False,
                    criterion__isnull=False,
                    label__gt="",
                    reason="",
                )
                | (~Q(state="accepted") & Q(comparison__isnull=True, criterion__isnull=True, reason__gt="")),
                name="proposal_accepted_is_judged_by",
            ),
            models.CheckConstraint(
                condition=Q(label__in=["", "response1", "response2"]), name="proposal_label"
            ),
        ]
        indexes = [models.Index(fields=["run", "-id"], name="proposal_list")]

    def __str__(self) -> str:
        return self.text[:80] or self.reason[:80]
