"""What reward models learned from a project's judgments, and what they say of its comparisons."""

from django.db import models
from django.db.models import F, Q

from annotate.models.pairs import Comparison
from annotate.models.project import Project


class RevisionState(models.TextChoices):
    READY = "ready", "ready"
    BROKEN = "broken", "broken"
    DROPPED = "dropped", "dropped"


class Revision(models.Model):
    """One trained reward model, pinned: its file never changes (its digest says so), and what it says is found under its
    number.

    The *current* one is that which was promoted last: the sampler goes by it once it has scored the pool. A revision is
    dropped once newer ones of its backend have come, unless it is kept, current or the one before: file and scores go,
    what it was trained on and how it did stays to be read.

    Accuracies are shares of decided labels of the reserve (response 1 or 2) that the margin's sign agrees with;
    the interval is a 95 % bootstrap over prompt groups. `blind_accuracy` is that of the same model trained and asked
    without seeing the criterion, `gain` what seeing it adds: the difference label by label, with its own interval,
    which is narrower than those of the two accuracies. All are empty while the reserve has no label.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="revisions", db_index=False)
    number = models.PositiveIntegerField()
    backend = models.CharField(max_length=40)
    state = models.CharField(max_length=7, choices=RevisionState, default=RevisionState.READY)
    problem = models.TextField(blank=True, help_text="why its file cannot be used")
    artefact = models.CharField(
        max_length=120, unique=True, null=True, help_text="key of its file in storage, until that is removed"
    )

    artefact_sha256 = models.BinaryField(max_length=32, null=True)
    artefact_size = models.PositiveBigIntegerField(null=True, help_text="bytes")

    # The label cut: what stood at this time, in the train partition.
    read_at = models.DateTimeField()
    newest_judgment = models.UUIDField()
    judgments = models.PositiveIntegerField(help_text="counted judgments trained on")
    comparisons = models.PositiveIntegerField(help_text="comparisons they are about")

    held_out = models.PositiveIntegerField(default=0, help_text="decided labels of the reserve")
    accuracy = models.FloatField(null=True, blank=True)
    accuracy_low = models.FloatField(null=True, blank=True)
    accuracy_high = models.FloatField(null=True, blank=True)
    blind_accuracy = models.FloatField(null=True, blank=True)
    gain = models.FloatField(null=True, blank=True)
    gain_low = models.FloatField(null=True, blank=True)
    gain_high = models.FloatField(null=True, blank=True)

    seconds = models.FloatField(help_text="spent on training and testing")
    scored_at = models.DateTimeField(null=True, blank=True, help_text="when it had scored the open pool")
    promoted_at = models.DateTimeField(
        null=True, blank=True, help_text="when it became the current one; of several the last is"
    )
    settings = models.JSONField(default=dict, blank=True, help_text="the specification it was trained by")
    ranks = models.BooleanField(
        default=False, help_text="it ranks the open pool by features, and has scores of what was drawn alone"
    )
    features = models.CharField(
        max_length=64,
        blank=True,
        help_text="version of the features that it keeps of what it scores, if it does",
    )
    pool = models.JSONField(
        null=True,
        blank=True,
        help_text="of what it ranked last: by criterion how many comparisons, and the sum of their nats",
    )
    kept = models.BooleanField(default=False, help_text="it stays, with its scores, when newer ones come")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="revision_once"),
            models.CheckConstraint(
                condition=(Q(artefact__isnull=False) & ~Q(artefact=""))
                | Q(artefact__isnull=True, state="dropped"),
                name="revision_has_artefact",
            ),
            models.CheckConstraint(
                condition=~Q(state="ready")
                | Q(artefact_sha256__isnull=False, artefact_size__isnull=False, artefact_size__gt=0),
                name="revision_ready_is_pinned",
            ),
            models.CheckConstraint(
                condition=Q(state="ready", problem="")
                | (Q(state="broken") & ~Q(problem=""))
                | Q(state="dropped"),
                name="revision_broken_with_problem",
            ),
            models.CheckConstraint(condition=Q(judgments__gt=0), name="revision_learned_from_something"),
            models.CheckConstraint(
                condition=Q(
                    held_out=0,
                    accuracy__isnull=True,
                    accuracy_low__isnull=True,
                    accuracy_high__isnull=True,
                    blind_accuracy__isnull=True,
                )
                | Q(
                    # Said for each: a comparison with nothing is no refusal.
                    held_out__gt=0,
                    accuracy__isnull=False,
                    accuracy_low__isnull=False,
                    accuracy_high__isnull=False,
                    blind_accuracy__isnull=False,
                    accuracy_low__gte=0,
                    accuracy_high__lte=1,
                    accuracy__gte=F("accuracy_low"),
                    accuracy__lte=F("accuracy_high"),
                    blind_accuracy__range=(0, 1),
                ),
                name="revision_accuracy",
            ),
            # Revisions from before it was measured have none.
            models.CheckConstraint(
                condition=Q(gain__isnull=True, gain_low__isnull=True, gain_high__isnull=True)
                | Q(
                    held_out__gt=0,
                    gain__isnull=False,
                    gain_low__isnull=False,
                    gain_high__isnull=False,
                    gain_low__gte=-1,
                    gain_high__lte=1,
                    gain__gte=F("gain_low"),
                    gain__lte=F("gain_high"),
                ),
                name="revision_gain",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.backend} {self.number}"


class Score(models.Model):
    """What a revision says of a comparison. Bounds refuse NaN and infinity, too: PostgreSQL sorts NaN above all."""

    pk = models.CompositePrimaryKey("revision_id", "comparison_id")
    revision = models.ForeignKey(Revision, models.CASCADE, related_name="scores", db_index=False)
    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="scores")
    margin = models.FloatField(help_text="log-odds that response 1 wins, ties aside")
    p_tie = models.FloatField()
    variance = models.FloatField(help_text="of the margin, by the model's posterior")
    bald = models.FloatField(help_text="nats that one more judgment would tell of the model")
    cell = models.BigIntegerField(
        null=True,
        help_text="comparisons of the same are nearly the same to the model; empty: it does not tell",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(margin__range=(-1e9, 1e9)), name="score_margin"),
            models.CheckConstraint(condition=Q(p_tie__range=(0, 1)), name="score_p_tie"),
            models.CheckConstraint(condition=Q(variance__range=(0, 1e9)), name="score_variance"),
            models.CheckConstraint(condition=Q(bald__range=(0, 1e9)), name="score_bald"),
        ]

    def __str__(self) -> str:
        return f"{self.margin:+.2f}"


class Rationale(models.Model):
    """What a revision that is asked in words said of a comparison, once with each response shown first.

    Verdicts name responses (1, -1, 0 a tie), whichever was shown first; empty: none could be read, or it was not asked.
    """

    pk = models.CompositePrimaryKey("revision_id", "comparison_id")
    revision = models.ForeignKey(Revision, models.CASCADE, related_name="rationales", db_index=False)
    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="rationales")
    forward = models.SmallIntegerField(null=True, help_text="said with response 1 shown first")
    backward = models.SmallIntegerField(null=True, help_text="said with response 2 shown first")
    forward_text = models.TextField(blank=True)
    backward_text = models.TextField(blank=True)
    replies = models.PositiveIntegerField(help_text="that were asked for until both could be read")
    cost = models.FloatField(null=True, help_text="of these replies, by the specification's prices")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(forward__isnull=True) | Q(forward__range=(-1, 1)))
                & (Q(backward__isnull=True) | Q(backward__range=(-1, 1))),
                name="rationale_verdicts",
            ),
            models.CheckConstraint(
                condition=Q(cost__isnull=True) | Q(cost__range=(0, 1e9)), name="rationale_cost"
            ),
        ]

    def __str__(self) -> str:
        return f"rationale of {self.revision_id} on {self.comparison_id}"

    @property
    def consistent(self) -> bool | None:
        """Whether it said the same in both orders; None where it did not answer in both."""
        if self.forward is None or self.backward is None:
            return None
        return self.forward == self.backward


class RevisionTest(models.Model):
    """A candidate held against the current revision on the reserve; workers/comparing.py says what stands in `content`."""

    candidate = models.ForeignKey(Revision, models.CASCADE, related_name="tests", db_index=False)
    against = models.ForeignKey(Revision, models.CASCADE, related_name="tested_against")
    read_at = models.DateTimeField(help_text="what stood in the database then is what it tells of")
    content = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["candidate", "against"], name="revision_test_once"),
            models.CheckConstraint(condition=~Q(candidate=F("against")), name="revision_test_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.candidate} against {self.against}"
