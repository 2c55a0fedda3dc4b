"""The queue: draws in the order they are served, claims on them, and the seats a comparison has.

The keys forbid what must never be: more than k labels, two of one annotator, a head judgment of somebody
else. Composite foreign keys, which the ORM cannot state, stand in the migration beside it.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from annotate.models.pairs import Comparison, Pair
from annotate.models.pools import Need
from annotate.models.project import Annotator, Project
from annotate.models.trials import Trial


class Route(models.TextChoices):
    """Why a pair stands in the queue."""

    UNIFORM = "uniform", "uniform"
    POLICY = "policy", "policy"
    RESERVE = "reserve", "reserve"
    AUTHORED = "authored", "authored"
    REOPENED = "reopened", "reopened"


class Draw(models.Model):
    """One place in the queue; served in the order of id, to who may judge it by its need. Append-only but for `open`.

    `q` is the probability that this pair comes here given the draws of its epoch before it, by whichever route, and
    `pool_size` the pairs that could have come; both are empty where chance had no part (reserve, authored, reopened).
    `policy` names what the others of its epoch were weighed by, with its version and the revision it went by
    ("powerbald-1 r7"), or "uniform-1"; empty in draws from before it was noted.
    Who may judge which pair has no part in it: q is that of the pair at its place, whoever takes it.
    """

    # The indexes below begin with the project. One of it alone would tempt the planner to read the whole queue.
    project = models.ForeignKey(Project, models.CASCADE, related_name="draws", db_index=False)
    route = models.CharField(max_length=8, choices=Route)
    epoch = models.PositiveIntegerField()
    pos = models.PositiveIntegerField()
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="draws")
    # The pair's when it was drawn, which PostgreSQL writes. A pair whose need changes is drawn again.
    need = models.ForeignKey(
        Need, models.PROTECT, related_name="+", blank=True, editable=False, db_index=False
    )
    q = models.FloatField(null=True, blank=True)
    pool_size = models.PositiveIntegerField(null=True, blank=True)
    policy = models.CharField(max_length=40, blank=True, default="", db_default="")
    # False once every seat of the pair is taken. It never opens again: what reopens gets a new draw,
    # which also stands before annotators whose cursor has passed this one.
    open = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(q__isnull=True) | Q(q__gt=0, q__lte=1), name="draw_q"),
            models.CheckConstraint(
                condition=~Q(route__in=["uniform", "policy"]) | Q(q__isnull=False, pool_size__isnull=False),
                name="draw_by_chance_has_q",
            ),
            # Whoever fills the queue, and however often they are killed: a pair is drawn once.
            models.UniqueConstraint(
                fields=["pair"],
                condition=Q(route__in=["uniform", "policy", "reserve"]),
                name="draw_once",
            ),
        ]
        indexes = [
            models.Index(fields=["need", "id"], condition=Q(open=True), name="draw_open"),
            models.Index(fields=["project", "-id"], name="draw_last"),
        ]

    def __str__(self) -> str:
        return f"{self.route} {self.pk}"


class Outcome(models.TextChoices):
    """How a claim ended. Empty while it is held."""

    HELD = "", "held"
    SUBMITTED = "submitted", "submitted"
    SKIPPED = "skipped", "skipped"
    EXPIRED = "expired", "expired"
    RELEASED = "released", "released"


class ClaimKind(models.TextChoices):
    """What a claim is for. Only one for labels holds seats; the others tell of the annotator.

    Who is trained or tested knows it; of the others nobody is told.
    """

    LABEL = "label", "for labels"
    REPEAT = "repeat", "asked again, sides exchanged"
    GOLD = "gold", "its answer is known"
    ATTENTION = "attention", "attention check"
    TRAINING = "training", "training"
    QUIZ = "quiz", "quiz"


# Those that ask for a known answer: no place in the queue leads to them.
_KNOWN = [ClaimKind.GOLD, ClaimKind.ATTENTION, ClaimKind.TRAINING, ClaimKind.QUIZ]
_UNTOLD = [ClaimKind.GOLD, ClaimKind.ATTENTION]
TRIED = [ClaimKind.TRAINING, ClaimKind.QUIZ]


class Claim(models.Model):
    """An annotator's lease on a pair. `flip`: response2 is shown as A. `comparison_ids`: what was offered."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    # Empty where no place in the queue led to it, as the answer is known.
    draw = models.ForeignKey(Draw, models.CASCADE, null=True, blank=True, related_name="claims")
    pair = models.ForeignKey(Pair, models.CASCADE, related_name="claims", db_index=False)
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="claims", db_index=False)
    comparison_ids = ArrayField(models.BigIntegerField())
    flip = models.BooleanField()
    kind = models.CharField(
        max_length=9, choices=ClaimKind, default=ClaimKind.LABEL, db_default=ClaimKind.LABEL
    )
    # Of training and quiz: which going through them it belongs to.
    trial = models.ForeignKey(
        Trial, models.CASCADE, null=True, blank=True, related_name="claims", db_index=False
    )
    # Of training: when its annotator went on from what they were told about their answer.
    read_at = models.DateTimeField(null=True, blank=True)
    repeat_of = models.OneToOneField("self", models.CASCADE, null=True, blank=True, related_name="repeat")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.HELD, blank=True)
    skip_reason = models.CharField(max_length=32, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, outcome="")
                | (Q(closed_at__isnull=False) & ~Q(outcome="")),
                name="claim_closed_with_outcome",
            ),
            models.CheckConstraint(
                condition=Q(kind="repeat", repeat_of__isnull=False)
                | (~Q(kind="repeat") & Q(repeat_of__isnull=True)),
                name="claim_repeats_another",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=_KNOWN, draw__isnull=True)
                | (~Q(kind__in=_KNOWN) & Q(draw__isnull=False)),
                name="claim_by_a_draw",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=TRIED, trial__isnull=False)
                | (~Q(kind__in=TRIED) & Q(trial__isnull=True)),
                name="claim_of_a_trial",
            ),
            models.UniqueConstraint(
                fields=["pair", "annotator"], condition=Q(kind__in=_UNTOLD), name="claim_untold_once"
            ),
        ]
        indexes = [
            models.Index(fields=["annotator", "-created_at"], name="claim_history"),
            models.Index(
                fields=["annotator", "-created_at"],
                condition=Q(outcome="submitted", kind="label"),
                name="claim_repeatable",
            ),
            models.Index(fields=["pair", "annotator"], name="claim_pair"),
            models.Index(fields=["trial"], condition=Q(trial__isnull=False), name="claim_in_trial"),
            models.Index(
                fields=["annotator"],
                condition=Q(kind="training", outcome="submitted", read_at__isnull=True),
                name="claim_unread",
            ),
            models.Index(fields=["expires_at"], condition=Q(closed_at__isnull=True), name="claim_held"),
            models.Index(fields=["annotator"], condition=Q(closed_at__isnull=True), name="claim_in_hand"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class ClaimDraft(models.Model):
    """What an annotator has begun to answer to a claim, so that it is found on another computer too.

    JSON of the judge page's own making: nobody else reads it. It goes when the claim is submitted.
    """

    claim = models.OneToOneField(Claim, models.CASCADE, primary_key=True, related_name="draft")
    body = models.TextField()
    saved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"draft of {self.claim_id}"


class Seat(models.Model):
    """One of a comparison's k places, held by one annotator; counted once it has a head judgment."""

    pk = models.CompositePrimaryKey("comparison_id", "n")
    # Always found by comparison, through the keys. An index of annotators alone would tempt the planner, whose
    # statistics know nothing of a new one, to read all that somebody ever judged.
    comparison = models.ForeignKey(Comparison, models.CASCADE, related_name="seats", db_index=False)
    n = models.PositiveSmallIntegerField()
    k = models.PositiveSmallIntegerField()
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="seats", db_index=False)
    claim = models.ForeignKey(Claim, models.CASCADE, null=True, related_name="seats")
    head = models.OneToOneField("Judgment", models.CASCADE, null=True, related_name="seat")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["comparison", "annotator"], name="seat_annotator_once"),
            models.CheckConstraint(condition=Q(n__gte=1, n__lte=F("k")), name="seat_within_k"),
        ]

    def __str__(self) -> str:
        return f"{self.n} of {self.k}"
