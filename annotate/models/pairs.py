"""What is compared: prompts, responses, pairs of them, criteria, and the comparisons they make.

A foreign key that a unique constraint begins with has no index of its own: it would only be written, never read.
"""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Left

from annotate.models.media import Asset
from annotate.models.pools import Need
from annotate.models.project import Annotator, Project, TaskType, User


class Partition(models.TextChoices):
    """Where a pair's labels go, fixed at import by a salted hash of its prompt group."""

    RESERVE = "reserve", "reserve"
    VALIDATION = "validation", "validation"
    TRAIN = "train", "train"


class Prompt(models.Model):
    """What was asked. `turns` is a list of {"role", "text"}; its media stand in PromptAsset, in order."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="prompts", db_index=False)
    digest = models.BinaryField(max_length=32)
    turns = models.JSONField()
    data_import = models.ForeignKey("DataImport", models.PROTECT, null=True, related_name="prompts")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="prompt_once")]

    def __str__(self) -> str:
        return self.turns[-1]["text"][:80] if self.turns else ""


class PromptAsset(models.Model):
    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="prompt_assets")
    asset = models.ForeignKey(Asset, models.PROTECT, related_name="prompt_assets")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["prompt", "position"], name="prompt_asset_position")]

    def __str__(self) -> str:
        return f"{self.asset} at {self.position}"


class Response(models.Model):
    """What a model answered: text, one asset, or both."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="responses")
    text = models.TextField(blank=True)
    asset = models.ForeignKey(
        Asset, models.PROTECT, null=True, blank=True, related_name="responses", db_index=False
    )
    model_name = models.CharField(max_length=200, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    # Looked for by way of the pairs.
    data_import = models.ForeignKey(
        "DataImport", models.PROTECT, null=True, related_name="responses", db_index=False
    )

    class Meta:
        indexes = [
            models.Index(fields=["asset"], condition=Q(asset__isnull=False), name="response_asset"),
        ]

    def __str__(self) -> str:
        return self.text[:80] or str(self.asset)


class Pair(models.Model):
    """A prompt and two responses. Named by project, source and external id, never by its content."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="pairs", db_index=False)
    source = models.CharField(max_length=200)
    external_id = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32, help_text="of the whole content: tells a changed row")
    task_type = models.CharField(max_length=32, choices=TaskType)
    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="pairs")
    response1 = models.ForeignKey(Response, models.PROTECT, related_name="+")
    response2 = models.ForeignKey(Response, models.PROTECT, related_name="+")
    sensitive = models.BooleanField(default=False)
    metadata = models.JSONField(default=dict, blank=True)

    # PostgreSQL fills it where nothing is asked but the task type.
    need = models.ForeignKey(
        Need, models.PROTECT, related_name="pairs", blank=True, editable=False, db_index=False
    )
    group = models.BigIntegerField(help_text="prompt group: what a split keeps together")
    partition = models.CharField(max_length=10, choices=Partition)
    shuffle = models.BigIntegerField(help_text="salted hash of the pair: the order of uniform draws")
    # Imported before its video, sound or 3D could be made into what is shown, it waits.
    ready = models.BooleanField(
        default=True, db_default=True, help_text="all its media are prepared: it may be drawn"
    )
    queued = models.BooleanField(default=False, help_text="has a draw by route uniform, policy or reserve")

    data_import = models.ForeignKey("DataImport", models.PROTECT, null=True, related_name="pairs")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "source", "external_id"], name="pair_name"),
            models.CheckConstraint(condition=~Q(response1=models.F("response2")), name="pair_two_responses"),
        ]
        indexes = [
            models.Index(
                fields=["project", "partition", "shuffle"],
                condition=Q(queued=False, ready=True),
                name="pair_undrawn",
            ),
            # Whether a line of the queue has more to come.
            models.Index(fields=["need"], condition=Q(queued=False, ready=True), name="pair_undrawn_need"),
            models.Index(fields=["project", "group"], name="pair_group"),
            # Read backwards. In descending order each new row would go to the front, where nothing is fast.
            models.Index(fields=["project", "id"], name="pair_list"),
            # For looking up by the beginning, whatever the collation of the database.
            models.Index(OpClass("external_id", "varchar_pattern_ops"), name="pair_external_id"),
        ]

    def __str__(self) -> str:
        return f"{self.source}/{self.external_id}"


# What a criterion is found by: its words, stemmed as English ones and else as they are.
CRITERION_WORDS = SearchVector("text", config="english")


class CriterionState(models.TextChoices):
    """Whether others than its author are asked it. A merged one is asked as its canonical one is."""

    PROPOSED = "proposed", "proposed"  # its author alone is asked it, until a moderator decides
    OWN = "own", "its author's own"  # where nobody else is to be asked what annotators write
    ACCEPTED = "accepted", "accepted"
    REJECTED = "rejected", "rejected"
    RETIRED = "retired", "retired"  # was asked, and is no more


class Criterion(models.Model):
    """A free-form statement to judge by. Its text never changes; a duplicate points at its canonical one."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="criteria", db_index=False)
    text = models.TextField()
    text_key = models.BinaryField(max_length=32, help_text="hash of the text, case and white space folded")
    author = models.ForeignKey(Annotator, models.SET_NULL, null=True, blank=True, related_name="criteria")
    canonical = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="duplicates")
    k = models.PositiveSmallIntegerField(
        "labels wanted",
        null=True,
        blank=True,
        help_text="of comparisons by it that are made from now on, outside the reserve. Empty: as the project wants",
    )
    objective = models.BooleanField(
        default=False,
        db_default=False,
        help_text="it has one right answer, which whoever looks closely finds: the answer may be known",
    )
    data_import = models.ForeignKey("DataImport", models.PROTECT, null=True, related_name="criteria")
    created_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(
        max_length=8,
        choices=CriterionState,
        default=CriterionState.ACCEPTED,
        db_default=CriterionState.ACCEPTED,
    )
    in_library = models.BooleanField(
        default=True, db_default=True, help_text="suggested to annotators while they write one"
    )
    reason = models.TextField(
        blank=True, default="", db_default="", help_text="why it was rejected or retired"
    )
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    # Counts decisions: who decides names the number that they saw, so that one decision never hides another.
    version = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name_plural = "criteria"
        constraints = [
            models.UniqueConstraint(fields=["project", "text_key"], name="criterion_once"),
            models.CheckConstraint(
                condition=~Q(canonical=models.F("id")), name="criterion_not_own_canonical"
            ),
            models.CheckConstraint(condition=Q(state__in=CriterionState.values), name="criterion_state"),
            models.CheckConstraint(
                condition=~Q(state="rejected") | ~Q(reason=""), name="criterion_rejected_with_reason"
            ),
            models.CheckConstraint(
                condition=Q(in_library=False) | Q(state="accepted"), name="criterion_library_is_accepted"
            ),
            models.CheckConstraint(condition=Q(k__isnull=True) | Q(k__range=(1, 9)), name="criterion_k"),
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="criterion_list"),
            models.Index(OpClass(Left("text", 60), "text_pattern_ops"), name="criterion_start"),
            GinIndex(CRITERION_WORDS, name="criterion_words"),
            models.Index(
                fields=["project", "id"],
                condition=Q(state="proposed", canonical__isnull=True),
                name="criterion_proposed",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]


class Comparison(models.Model):
    """(pair, criterion): the unit that is labelled, a row of the benchmark. It wants k labels."""

    pair = models.ForeignKey(Pair, models.CASCADE, related_name="comparisons", db_index=False)
    criterion = models.ForeignKey(Criterion, models.PROTECT, related_name="comparisons")
    k = models.PositiveSmallIntegerField()
    extra = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="of k, labels that were added because annotators disagreed"
    )
    author = models.ForeignKey(
        Annotator, models.SET_NULL, null=True, blank=True, related_name="authored", db_index=False
    )
    data_import = models.ForeignKey("DataImport", models.PROTECT, null=True, related_name="comparisons")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pair", "criterion"], name="comparison_once"),
            # Seats refer to (id, k): raising k goes through to them, and no seat can stand beyond it.
            models.UniqueConstraint(fields=["id", "k"], name="comparison_id_k"),
            models.CheckConstraint(condition=Q(k__range=(1, 9)), name="comparison_k"),
            models.CheckConstraint(condition=Q(extra__lt=models.F("k")), name="comparison_extra"),
        ]
        indexes = [
            models.Index(fields=["author"], condition=Q(author__isnull=False), name="comparison_author"),
        ]

    def __str__(self) -> str:
        return f"{self.pair_id} by {self.criterion_id}"
