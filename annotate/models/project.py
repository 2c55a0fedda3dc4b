"""A project, the people in it and the streams its queue is drawn from."""

import secrets

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """An account. What it may do in a project is its Membership; a superuser may do everything."""

    simulated = models.BooleanField(
        default=False,
        editable=False,
        help_text="of an annotator that code plays in a demo: it goes with the demo",
    )
    language = models.CharField(
        max_length=16,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="chosen for the interface, one of settings.LANGUAGES; empty: as the browser asks",
    )


class TaskType(models.TextChoices):
    """What prompt and responses are made of: the nine configs of Omni-RewardBench, and any other mix."""

    TEXT_TO_TEXT = "text_to_text", _("text to text")
    TEXT_IMAGE_TO_TEXT = "text_image_to_text", _("text and image to text")
    TEXT_VIDEO_TO_TEXT = "text_video_to_text", _("text and video to text")
    TEXT_AUDIO_TO_TEXT = "text_audio_to_text", _("text and audio to text")
    TEXT_TO_IMAGE = "text_to_image", _("text to image")
    TEXT_TO_VIDEO = "text_to_video", _("text to video")
    TEXT_TO_AUDIO = "text_to_audio", _("text to audio")
    TEXT_TO_3D = "text_to_3D", _("text to 3D")
    TEXT_IMAGE_TO_IMAGE = "text_image_to_image", _("text and image to image")
    OTHER = "other", _("mixed media")


class ProjectState(models.TextChoices):
    OPEN = "open", _("open")
    PAUSED = "paused", _("paused")
    CLOSED = "closed", _("closed")


class Authoring(models.TextChoices):
    """May annotators write criteria of their own?"""

    OFF = "off", "no"
    OPTIONAL = "optional", "if they wish"
    REQUIRED = "required", "at least one a pair"


class Sharing(models.TextChoices):
    """Who is asked a criterion that an annotator wrote, beside its author."""

    OPEN = "open", "others, at once"
    REVIEW = "review", "others, once a moderator has accepted it"
    NEVER = "never", "nobody else"


class Scale(models.IntegerChoices):
    """Points of the verdict scale, tie in the middle."""

    THREE = 3, "3: A, tie, B"
    FIVE = 5, "5: A much, A, tie, B, B much"
    SEVEN = 7, "7: A much, A, A slightly, tie, B slightly, B, B much"


class Viewing(models.TextChoices):
    """What happens where somebody judges before they have seen all of both responses."""

    OFF = "off", "nothing"
    WARN = "warn", "they are told"
    REQUIRE = "require", "they must look first, unless a medium fails"


class Sampling(models.TextChoices):
    """Who chooses the train pairs that people are asked next."""

    AUTO = "auto", "by the model, trained again as judgments come in"
    FROZEN = "frozen", "by the model as it is"
    UNIFORM = "uniform", "chance alone"


class Policy(models.TextChoices):
    """What the model looks for where it chooses. The formulas stand in workers/sampling/policies.py."""

    POWERBALD = "powerbald", "what would teach the model most (PowerBALD)"
    MARGIN = "margin", "what the model can hardly decide"
    DISAGREEMENT = "disagreement", "what models, or the model and people, disagree about"
    RANDOM = "random", "nothing: chance, spread over criteria and task types"


class Promotion(models.TextChoices):
    """When a new revision takes the place of the current one by itself."""

    ALWAYS = "always", "at once, if it is of the same backend"
    NOT_WORSE = "not_worse", "when it is not worse on the reserve"
    BETTER = "better", "when it is better on the reserve"
    NEVER = "never", "never: by a button alone"


class Withdrawal(models.TextChoices):
    """What becomes of judgments whose annotator withdraws by themselves."""

    ERASE = "erase", "they are deleted, and asked of others again"
    ANONYMISE = "anonymise", "they stay, under a new pseudonym of no account"


def new_secret() -> str:
    return secrets.token_hex(32)


MAX_CRITERION = 500  # characters
MAX_TAG = 40  # characters
MAX_TAGS = 30
MAX_OFFLINE = 40  # claims
MAX_RATE = 1_000_000  # of a currency, a verdict or an hour
MAX_QUIZ_WAIT = 30 * 24 * 60  # minutes
MAX_REPEAT_AFTER = 100  # pairs: so many claims are passed over to find one to repeat


def different(tags: list[str]) -> None:
    folded = [tag.casefold() for tag in tags]
    if twice := next((tag for tag in tags if folded.count(tag.casefold()) > 1), None):
        raise ValidationError(f"The tag {twice!r} stands here twice.")


_share = [MinValueValidator(0), MaxValueValidator(1)]
_code = RegexValidator(r"\A[A-Za-z0-9_-]*\Z", "Give letters, digits, - and _ only.")
_k = [MinValueValidator(1), MaxValueValidator(9)]
_control_share = [MinValueValidator(0), MaxValueValidator(0.5)]


class Project(models.Model):
    """One labelling effort with its own rules. What is set here never changes what was already judged."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=200)
    guidelines = models.TextField(blank=True, help_text="Markdown, shown to annotators.")
    task_type = models.CharField(max_length=32, choices=TaskType, default=TaskType.OTHER)
    state = models.CharField(max_length=8, choices=ProjectState, default=ProjectState.OPEN)

    scale = models.PositiveSmallIntegerField(choices=Scale, default=Scale.SEVEN)
    split_ties = models.BooleanField(default=True, help_text="Ask whether a tie is both good or both bad.")
    authoring = models.CharField(max_length=8, choices=Authoring, default=Authoring.OPTIONAL)
    tags = ArrayField(
        models.CharField(max_length=MAX_TAG),
        default=list,
        db_default=[],
        blank=True,
        size=MAX_TAGS,
        validators=[different],
        help_text="Words that an annotator may add to a verdict, separated by commas: fluent, made up, off topic.",
    )
    authored_k = models.PositiveSmallIntegerField(
        default=3,
        validators=_k,
        help_text="Labels wanted for a criterion that an annotator wrote. With 1 it is asked of nobody else.",
    )
    authored_most = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="Criteria that one annotator may write for one pair.",
    )
    authored_length = models.PositiveSmallIntegerField(
        default=200,
        validators=[MinValueValidator(20), MaxValueValidator(MAX_CRITERION)],
        help_text="Characters of a criterion that an annotator writes, at most.",
    )
    authored_sharing = models.CharField(
        "what annotators write is asked of",
        max_length=8,
        choices=Sharing,
        default=Sharing.OPEN,
        db_default=Sharing.OPEN,
        help_text="Of criteria written from now on. Those that wait for review stand on the project's page of criteria.",
    )
    authored_guidance = models.TextField(
        blank=True,
        max_length=1000,
        help_text="What makes a good criterion here, shown while one is written. Empty: a general advice.",
    )

    viewing = models.CharField(
        "seen in part only",
        max_length=8,
        choices=Viewing,
        default=Viewing.OFF,
        help_text="What happens before a verdict where not all of both responses was seen.",
    )
    viewing_share = models.FloatField(
        default=0.9,
        validators=_share,
        help_text="Share of a text's length, or of a video's or sound's time, that counts as all of it.",
    )

    viewing_turned = models.FloatField(
        "views of 3D models",
        default=0,
        validators=_share,
        help_text="Share of the directions around a 3D model, twelve of them, from which it must be seen to count as seen.",
    )

    k = models.PositiveSmallIntegerField(default=3, validators=_k, help_text="Labels wanted a comparison.")
    reserve_k = models.PositiveSmallIntegerField(default=3, validators=_k)
    reserve_share = models.FloatField(
        default=0.1, validators=_share, help_text="Share of prompts kept as benchmark, fixed at import."
    )
    validation_share = models.FloatField(default=0.05, validators=_share)
    reserve_claim_share = models.FloatField(
        default=0.2,
        validators=_share,
        help_text="Share of the queue that asks about reserve and validation while train still has pairs.",
    )

    sampling = models.CharField(max_length=8, choices=Sampling, default=Sampling.AUTO)
    policy = models.CharField(
        "the model looks for",
        max_length=12,
        choices=Policy,
        default=Policy.POWERBALD,
        db_default=Policy.POWERBALD,
        help_text="What would teach most is right nearly always: it learns fastest where some criteria are rare, and is"
        " never much behind chance. What can hardly be decided asks for hard pairs, which may be hard because nobody can"
        " tell. Disagreement needs a second model that has scored the pool, or judgments that were imported; without"
        " either it is chance. All of them leave the share below to chance, and are spread over criteria and task types.",
    )
    promotion = models.CharField(
        "a new revision takes over",
        max_length=9,
        choices=Promotion,
        default=Promotion.ALWAYS,
        db_default=Promotion.ALWAYS,
        help_text="The reserve is asked of both: not worse is where the 95 % interval of the difference reaches 0 or above,"
        " with ties and without; better where it is not worse and right more often without ties, at p below 0.05. A revision"
        " of another backend never takes over without that, or a button.",
    )
    promotion_labels = models.PositiveIntegerField(
        "labels that tell",
        default=100,
        db_default=100,
        validators=[MinValueValidator(1)],
        help_text="Decided labels of the reserve that both revisions could judge, at least. With fewer nothing takes over by"
        " what the reserve says.",
    )
    refit_judgments = models.PositiveIntegerField(
        default=50,
        validators=[MinValueValidator(1)],
        help_text="Train the model again after so many new judgments ...",
    )
    refit_seconds = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(10)],
        help_text="... or so many seconds after the last time, if there is any.",
    )
    uniform_share = models.FloatField(
        default=0.2,
        validators=_share,
        help_text="Share of the model's draws that are left to chance: what unbiased estimates are made of.",
    )

    lease_minutes = models.PositiveSmallIntegerField(default=30, validators=[MinValueValidator(1)])
    claims_in_hand = models.PositiveSmallIntegerField(
        default=2, validators=[MinValueValidator(1), MaxValueValidator(40)]
    )
    offline_most = models.PositiveSmallIntegerField(
        "taken offline",
        default=MAX_OFFLINE,
        db_default=MAX_OFFLINE,
        validators=[MaxValueValidator(MAX_OFFLINE)],
        help_text="Pairs that one annotator may reserve for 24 hours, to judge them without a network. 0: none.",
    )

    most_share = models.FloatField(
        "share of one annotator",
        default=1,
        db_default=1,
        validators=[MinValueValidator(0.001), MaxValueValidator(1)],
        help_text="Share of the pairs that one annotator may judge, at least one pair. 1: no limit.",
    )
    most_a_day = models.PositiveIntegerField(
        "pairs a day",
        default=0,
        db_default=0,
        help_text="Pairs that one annotator may judge a day, from midnight to midnight UTC. 0: no limit.",
    )

    pay_per_verdict = models.FloatField(
        "paid a verdict",
        default=0,
        db_default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_RATE)],
        help_text="For the dashboard's costs. 0: not paid so.",
    )
    pay_per_hour = models.FloatField(
        "paid an hour",
        default=0,
        db_default=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_RATE)],
        help_text="Of active time, as the judge page measures it. 0: not paid so.",
    )
    currency = models.CharField(
        max_length=3,
        default="USD",
        db_default="USD",
        validators=[RegexValidator(r"^[A-Z]{3}\Z", "Give its three capital letters, as USD or KRW.")],
    )
    crowd_open = models.BooleanField(
        "open to Prolific",
        default=False,
        db_default=False,
        help_text="Participants of a study on Prolific get in by the link that is made for it (a button of this page).",
    )
    crowd_pairs = models.PositiveSmallIntegerField(
        "pairs a participant",
        default=20,
        db_default=20,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="After so many a participant is done. Whoever has begun keeps what was agreed then.",
    )
    crowd_code = models.CharField(
        "completion code",
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[_code],
        help_text="Of the study on Prolific, shown to participants who are done.",
    )
    crowd_out_code = models.CharField(
        "screen-out code",
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[_code],
        help_text="Shown to participants who cannot go on: paused, or nothing is left for them. Empty: they are told to ask.",
    )
    # SHA-256 of what the link for Prolific carries, in hex; empty: none was made.
    crowd_key_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    withdrawal = models.CharField(
        "judgments of who withdraws",
        max_length=9,
        choices=Withdrawal,
        default=Withdrawal.ERASE,
        db_default=Withdrawal.ERASE,
        help_text="Annotators are told before they withdraw. A manager who withdraws somebody always erases.",
    )
    unlink_days = models.PositiveSmallIntegerField(
        "days until pseudonyms lose their accounts",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="After closing; judgments stay. If the project is opened again later, everybody begins as somebody "
        "new. Empty: never.",
    )
    forget_days = models.PositiveSmallIntegerField(
        "days until drafts and notes go",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Drafts that were begun and left, and what was noted on skipping. Empty: never.",
    )
    review_majority = models.FloatField(
        "conflict below",
        default=0.6,
        db_default=0.6,
        validators=_share,
        help_text="Reviewers are shown what the majority has a smaller share of, and whatever both responses were chosen in.",
    )
    review_against = models.FloatField(
        "model against",
        default=0.9,
        db_default=0.9,
        validators=_share,
        help_text="... and where the model is at least so sure of the response that the majority did not choose.",
    )
    k_more = models.PositiveSmallIntegerField(
        "labels added on disagreement",
        default=0,
        db_default=0,
        validators=[MaxValueValidator(8)],
        help_text="So many more labels are asked for where a comparison has all that it wants and no verdict has more"
        " than half of those for response 1, response 2 or a tie. 0: none.",
    )
    k_most = models.PositiveSmallIntegerField(
        "labels at most",
        default=7,
        db_default=7,
        validators=_k,
        help_text="Where a comparison has as many, disagreement adds no more.",
    )
    k_more_reserve = models.BooleanField(
        "also in the reserve",
        default=False,
        db_default=False,
        help_text="Add labels on disagreement to comparisons of the benchmark, too.",
    )

    repeat_share = models.FloatField(
        "share asked again",
        default=0,
        db_default=0,
        validators=_control_share,
        help_text="Share of what an annotator gets that they judged before, sides exchanged: it tells how steady they"
        " are. They are not told, and it never counts as a label.",
    )
    gold_share = models.FloatField(
        "share with known answers",
        default=0,
        db_default=0,
        validators=_control_share,
        help_text="Share of what an annotator gets whose answer is known, of pairs that they have not seen: it tells how"
        " often they are right. They are not told, and it never counts as a label.",
    )
    attention_share = models.FloatField(
        "share of attention checks",
        default=0,
        db_default=0,
        validators=_control_share,
        help_text="Share of what an annotator gets that says itself what to answer, of pairs that they have not seen. They"
        " are not told, and a check that they miss is shown to you and decides nothing.",
    )
    repeat_after = models.PositiveSmallIntegerField(
        "asked again after",
        default=20,
        db_default=20,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_REPEAT_AFTER)],
        help_text="Pairs that an annotator judges in between, at least.",
    )

    qualify = models.BooleanField(
        "train and test first",
        default=False,
        db_default=False,
        help_text="Before their first pair annotators go through the training set, with feedback, and pass the quiz. Which"
        " pairs these are stands on the training page. A set without pairs is passed at once.",
    )
    quiz_share = models.FloatField(
        "pass mark",
        default=0.8,
        db_default=0.8,
        validators=_share,
        help_text="Share of the quiz's known answers that must be right: 0.8 is at least 8 of 10.",
    )
    quiz_attempts = models.PositiveSmallIntegerField(
        "attempts at the quiz",
        default=2,
        db_default=2,
        validators=[MaxValueValidator(100)],
        help_text="Who has failed so often gets in only by a manager. 0: no limit.",
    )
    quiz_wait = models.PositiveIntegerField(
        "minutes between attempts",
        default=60,
        db_default=60,
        validators=[MaxValueValidator(MAX_QUIZ_WAIT)],
        help_text="From the end of one to the beginning of the next.",
    )
    # Which round of training and quiz annotators must have passed: a manager who asks everybody again begins the next.
    qualify_round = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    demo = models.BooleanField(
        default=False,
        editable=False,
        help_text="made by code, to be looked at: shown as such, and may be erased",
    )
    salt = models.CharField(max_length=64, default=new_secret, editable=False)
    pseudonym_key = models.CharField(max_length=64, default=new_secret, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(k__range=(1, 9)), name="project_k"),
            models.CheckConstraint(condition=Q(reserve_k__range=(1, 9)), name="project_reserve_k"),
            models.CheckConstraint(condition=Q(authored_k__range=(1, 9)), name="project_authored_k"),
            models.CheckConstraint(condition=Q(scale__in=(3, 5, 7)), name="project_scale"),
            models.CheckConstraint(
                condition=Q(reserve_share__gte=0)
                & Q(validation_share__gte=0)
                & Q(reserve_share__lte=1.0 - F("validation_share")),
                name="project_shares",
                violation_error_message="The shares of reserve and validation together must not exceed 1.",
            ),
            models.CheckConstraint(
                condition=Q(reserve_claim_share__range=(0, 1)), name="project_reserve_claim_share"
            ),
            models.CheckConstraint(condition=Q(uniform_share__range=(0, 1)), name="project_uniform_share"),
            models.CheckConstraint(condition=Q(policy__in=Policy.values), name="project_policy"),
            models.CheckConstraint(
                condition=Q(promotion__in=Promotion.values, promotion_labels__gte=1), name="project_promotion"
            ),
            models.CheckConstraint(condition=Q(viewing_share__range=(0, 1)), name="project_viewing_share"),
            models.CheckConstraint(condition=Q(viewing_turned__range=(0, 1)), name="project_viewing_turned"),
            models.CheckConstraint(condition=Q(k_more__range=(0, 8)), name="project_k_more"),
            models.CheckConstraint(condition=Q(k_most__range=(1, 9)), name="project_k_most"),
            models.CheckConstraint(
                condition=Q(gold_share__gte=0)
                & Q(repeat_share__gte=0)
                & Q(attention_share__gte=0)
                & Q(repeat_share__lte=0.5 - F("gold_share") - F("attention_share")),
                name="project_control_shares",
                violation_error_message="What is asked again, what has a known answer and attention checks together must not exceed half.",
            ),
            models.CheckConstraint(
                condition=Q(repeat_after__range=(1, MAX_REPEAT_AFTER)), name="project_repeat_after"
            ),
            models.CheckConstraint(
                condition=Q(quiz_share__range=(0, 1), quiz_wait__lte=MAX_QUIZ_WAIT, quiz_attempts__lte=100),
                name="project_quiz",
            ),
            models.CheckConstraint(
                condition=Q(most_share__gt=0, most_share__lte=1), name="project_most_share"
            ),
            models.CheckConstraint(
                condition=Q(pay_per_verdict__range=(0, MAX_RATE), pay_per_hour__range=(0, MAX_RATE)),
                name="project_pay",
            ),
            models.CheckConstraint(
                condition=Q(crowd_open=False) | ~Q(crowd_code=""),
                name="project_crowd_code",
                violation_error_message="A project that is open to Prolific needs a completion code.",
            ),
            models.CheckConstraint(
                condition=Q(review_majority__range=(0, 1), review_against__range=(0, 1)),
                name="project_review",
            ),
            models.CheckConstraint(
                condition=Q(refit_judgments__gte=1, refit_seconds__gte=10), name="project_refit"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """Each role may do what the ones before it may."""

    ANNOTATOR = "annotator", "annotator"
    REVIEWER = "reviewer", "reviewer"
    MANAGER = "manager", "manager"


class Membership(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    # The highest of the person's own and those that their teams have here (`actions/teams.py`).
    role = models.CharField(max_length=12, choices=Role, default=Role.ANNOTATOR)
    own_role = models.CharField(
        max_length=12,
        choices=Role,
        null=True,
        blank=True,
        help_text="given to the person themselves; empty: they are here by a team alone",
    )
    # Words by which managers tell groups of people apart; given by the invitation.
    tags = ArrayField(models.CharField(max_length=MAX_TAG), default=list, db_default=[], blank=True)
    # A paused member gets no new pair and sees nothing of others; what is on its way from them is still taken.
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=500, default="", db_default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


class Annotator(models.Model):
    """A pseudonym within one project: who judged. Imported judgments have one without an account."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotators")
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="annotators")
    pseudonym = models.CharField(max_length=80)
    judged_pairs = models.PositiveIntegerField(default=0)
    # Of them, those submitted on the last day on which any was (by UTC): no limit counts judgments.
    day = models.DateField(null=True, blank=True)
    day_pairs = models.PositiveIntegerField(default=0, db_default=0)
    # Of who came from Prolific: at so many judged pairs what was agreed is done.
    crowd_until = models.PositiveIntegerField(null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "pseudonym"], name="annotator_pseudonym"),
            models.UniqueConstraint(fields=["project", "user"], name="annotator_user"),
        ]

    def __str__(self) -> str:
        return self.pseudonym


class Stream(models.Model):
    """One partition of one project as a source of draws, with its counts, so that nothing counts rows to serve.

    Its row is the lock under which the queue grows.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="streams")
    partition = models.CharField(max_length=10)
    total = models.PositiveIntegerField(default=0)
    queued = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "partition"], name="stream_once"),
            models.CheckConstraint(condition=Q(queued__lte=F("total")), name="stream_queued"),
        ]

    def __str__(self) -> str:
        return f"{self.partition}: {self.queued} of {self.total}"
