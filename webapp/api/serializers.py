"""The API's shapes. Requests are validated by them; they also make the OpenAPI schema of the responses."""

import math
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from annotate import evidence
from annotate.actions.judging import MAX_ANSWERS, MAX_RATIONALE, Answer, response_shown
from annotate.models import (
    Authoring,
    Claim,
    Judgment,
    Modality,
    Outcome,
    Project,
    ProjectState,
    Role,
    Sharing,
    TaskType,
    Verdict,
    Viewing,
)
from annotate.models.project import MAX_CRITERION, MAX_OFFLINE, MAX_TAG, MAX_TAGS
from annotate.queries import Asked, Head, Medium, Side, Work

VERDICTS = ["a", "b", "tie", "cannot_tell", "not_applicable", "media_broken"]
SKIP_REASONS = ["too_long", "not_my_field", "offensive", "unclear", "other"]


class StrictSerializer(serializers.Serializer):
    """Refuses fields that it does not know: a misspelt one must not be dropped in silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError({sorted(unknown)[0]: ["There is no such field."]})
        return super().to_internal_value(data)


class FiniteField(serializers.FloatField):
    """A number. JSON has no other, but strings are read as numbers too, and "nan" passes every comparison."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class CameraSerializer(StrictSerializer):
    """Where a 3D model is seen from; see annotate/evidence.py."""

    turn = FiniteField(min_value=0, max_value=360)
    lift = FiniteField(min_value=-90, max_value=90)
    away = FiniteField(min_value=0)
    x = FiniteField()
    y = FiniteField()
    z = FiniteField()


class AnchorSerializer(StrictSerializer):
    """A place in a response: which fields it has follows from its kind."""

    side = serializers.ChoiceField(["a", "b"])
    kind = serializers.ChoiceField(list(evidence.KINDS))
    start = FiniteField(required=False, min_value=0)
    end = FiniteField(required=False, min_value=0)
    quote = serializers.CharField(required=False, max_length=evidence.MAX_QUOTE, trim_whitespace=False)
    x = FiniteField(required=False)
    y = FiniteField(required=False)
    z = FiniteField(required=False)
    width = FiniteField(required=False, min_value=0, max_value=1)
    height = FiniteField(required=False, min_value=0, max_value=1)
    camera = CameraSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = evidence.KINDS[attrs["kind"]]
        for name in wanted:
            if name not in attrs:
                raise serializers.ValidationError({name: [f"A place of kind {attrs['kind']} needs it."]})
        if unwanted := sorted(attrs.keys() - {"side", "kind", *wanted}):
            raise serializers.ValidationError({unwanted[0]: [f"A place of kind {attrs['kind']} has none."]})
        if attrs["kind"] == "box":
            for name in ("x", "y"):
                if not 0 <= attrs[name] <= 1:
                    raise serializers.ValidationError({name: ["A part of an image is between 0 and 1."]})
        if attrs["kind"] == "text":
            for name in ("start", "end"):
                if attrs[name] != int(attrs[name]):
                    raise serializers.ValidationError({name: ["Characters are counted in whole numbers."]})
                attrs[name] = int(attrs[name])
        return attrs


class AnswerSerializer(StrictSerializer):
    id = serializers.UUIDField()
    comparison = serializers.IntegerField(allow_null=True, default=None, min_value=1, max_value=2**63 - 1)
    criterion = serializers.CharField(default="", allow_blank=True, max_length=MAX_CRITERION)
    verdict = serializers.ChoiceField(VERDICTS)
    strength = serializers.IntegerField(allow_null=True, default=None, min_value=1, max_value=3)
    tie_kind = serializers.ChoiceField(["both_good", "both_bad"], default="", allow_blank=True)
    broken = serializers.ChoiceField(["a", "b", "prompt"], default="", allow_blank=True)
    rationale = serializers.CharField(
        default="", allow_blank=True, max_length=MAX_RATIONALE, trim_whitespace=False
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=MAX_TAG), default=list, max_length=MAX_TAGS
    )
    anchors = AnchorSerializer(many=True, default=list, max_length=evidence.MAX_ANCHORS)  # type: ignore[call-arg]
    supersedes = serializers.UUIDField(allow_null=True, default=None)


class SideSeenSerializer(StrictSerializer):
    """How one side was looked at; see annotate/evidence.py."""

    seen = FiniteField(min_value=0, max_value=1)
    ended = serializers.BooleanField(required=False)
    zoom = FiniteField(required=False, min_value=0, max_value=10_000)
    turned = FiniteField(required=False, min_value=0, max_value=1)
    lifted = FiniteField(required=False, min_value=0, max_value=1)


class ViewingSerializer(StrictSerializer):
    a = SideSeenSerializer(required=False)
    b = SideSeenSerializer(required=False)
    prompt = serializers.ListField(
        child=FiniteField(allow_null=True, min_value=0, max_value=1),
        required=False,
        max_length=evidence.MAX_PROMPT_MEDIA,
        help_text="the share of each medium of the prompt that was played, in their order; null of images and meshes",
    )
    failed = serializers.BooleanField(required=False, help_text="a medium could not be seen as a whole")


class SubmitSerializer(StrictSerializer):
    answers = AnswerSerializer(many=True, max_length=MAX_ANSWERS)  # type: ignore[call-arg]
    seconds = FiniteField(allow_null=True, default=None, min_value=0, max_value=7 * 86400)
    viewing = ViewingSerializer(default=dict)
    next = serializers.UUIDField(allow_null=True, default=None, help_text="claim the next pair under this id")

    def answers_of(self) -> list[Answer]:
        viewing = self.validated_data["viewing"]
        return [Answer(**answer, viewing=viewing) for answer in self.validated_data["answers"]]


class SkipSerializer(StrictSerializer):
    reason = serializers.ChoiceField(SKIP_REASONS)
    note = serializers.CharField(default="", allow_blank=True, max_length=2000)
    next = serializers.UUIDField(allow_null=True, default=None)


class IdSerializer(StrictSerializer):
    id = serializers.UUIDField()


class IdsSerializer(StrictSerializer):
    ids = serializers.ListField(child=serializers.UUIDField(), max_length=MAX_OFFLINE)


class DraftSerializer(StrictSerializer):
    draft = serializers.DictField(help_text="JSON of the page's own making")


class EmptySerializer(StrictSerializer):
    pass


class ErrorBodySerializer(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()
    field = serializers.CharField(allow_blank=True)


class ErrorSerializer(serializers.Serializer):
    error = ErrorBodySerializer()


class ProbeSerializer(serializers.Serializer):
    """What a viewer is told of a file, so far as it is known: pixels, seconds, LUFS and dBTP (null: silent), counts."""

    width = serializers.IntegerField(required=False)
    height = serializers.IntegerField(required=False)
    tiled = serializers.BooleanField(required=False)
    duration = serializers.FloatField(required=False)
    fps = serializers.FloatField(required=False)
    variable_fps = serializers.BooleanField(required=False)
    has_audio = serializers.BooleanField(required=False)
    loudness = serializers.FloatField(required=False, allow_null=True)
    true_peak = serializers.FloatField(required=False, allow_null=True)
    sample_rate = serializers.IntegerField(required=False)
    channels = serializers.IntegerField(required=False)
    vertices = serializers.IntegerField(required=False)
    faces = serializers.IntegerField(required=False)
    textured = serializers.BooleanField(required=False)
    colored = serializers.BooleanField(required=False)
    points = serializers.BooleanField(required=False)
    animated = serializers.BooleanField(required=False, help_text="an image of several frames")


class MediumSerializer(ProbeSerializer):
    modality = serializers.ChoiceField(["image", "video", "audio", "mesh"])
    url = serializers.CharField()


class TurnSerializer(serializers.Serializer):
    role = serializers.CharField()
    text = serializers.CharField(allow_blank=True)


class PromptSerializer(serializers.Serializer):
    turns = TurnSerializer(many=True)
    media = MediumSerializer(many=True)


class SideSerializer(serializers.Serializer):
    text = serializers.CharField(allow_blank=True)
    media = MediumSerializer(allow_null=True)


class StoredAnswerSerializer(AnswerSerializer):
    verdict = serializers.ChoiceField([*VERDICTS, "retracted"])


class AskedSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    criterion = serializers.CharField()
    own = serializers.BooleanField()
    answer = StoredAnswerSerializer(allow_null=True)


class StageSerializer(serializers.Serializer):
    part = serializers.ChoiceField(["training", "quiz"])
    number = serializers.IntegerField(help_text="of this going through it, from 1 on")
    n = serializers.IntegerField(help_text="the place of this pair")
    of = serializers.IntegerField()


class FeedbackSerializer(serializers.Serializer):
    comparison = serializers.IntegerField()
    verdict = serializers.ChoiceField(["a", "b", "tie"], help_text="the known answer")
    right = serializers.BooleanField(allow_null=True, help_text="null: no opinion was given")
    note = serializers.CharField(allow_blank=True, help_text="why it is the answer")


class ClaimSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.SlugField()
    task_type = serializers.ChoiceField(TaskType.choices)
    sensitive = serializers.BooleanField()
    expires_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()
    outcome = serializers.ChoiceField(Outcome.choices, allow_blank=True)
    prompt = PromptSerializer()
    a = SideSerializer()
    b = SideSerializer()
    comparisons = AskedSerializer(many=True)
    draft = serializers.DictField(allow_null=True, help_text="what was last kept under draft/")
    stage = StageSerializer(allow_null=True, help_text="of a pair of training or quiz")
    feedback = FeedbackSerializer(
        many=True, allow_null=True, help_text="of a training pair that was answered, until it is read"
    )


class HeldSerializer(serializers.Serializer):
    held = ClaimSerializer(many=True)


class TakenSerializer(serializers.Serializer):
    claims = ClaimSerializer(many=True)
    why = serializers.ChoiceField(
        ["empty", "full", "not_open", "paused", "enough", "consent_needed", "not_qualified", "not_for_you"],
        allow_blank=True,
        help_text="why there are fewer than were asked for",
    )


class GivenBackSerializer(serializers.Serializer):
    ids = serializers.ListField(child=serializers.UUIDField(), help_text="those that were held until now")


class SubmittedSerializer(serializers.Serializer):
    saved = serializers.ListField(child=serializers.UUIDField())
    late = serializers.BooleanField()
    judged_pairs = serializers.IntegerField()
    feedback = FeedbackSerializer(many=True, allow_null=True, help_text="of a training pair")
    next = ClaimSerializer(allow_null=True)


class SkippedSerializer(serializers.Serializer):
    next = ClaimSerializer(allow_null=True)


class ExpirySerializer(serializers.Serializer):
    expires_at = serializers.DateTimeField()


class FoundSerializer(serializers.Serializer):
    verdict = serializers.ChoiceField(VERDICTS)
    strength = serializers.IntegerField(allow_null=True)
    tie_kind = serializers.CharField(allow_blank=True)
    broken = serializers.CharField(allow_blank=True)


class PastSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    outcome = serializers.ChoiceField(Outcome.choices)
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField()
    prompt = serializers.CharField(allow_blank=True)
    verdicts = FoundSerializer(many=True)


class HistorySerializer(serializers.Serializer):
    claims = PastSerializer(many=True)


class LikeSerializer(serializers.Serializer):
    text = serializers.CharField()
    likeness = serializers.FloatField()


class LikeCriteriaSerializer(serializers.Serializer):
    criteria = LikeSerializer(many=True)
    pending = serializers.BooleanField()


class ProjectSerializer(serializers.Serializer):
    slug = serializers.SlugField()
    name = serializers.CharField()
    task_type = serializers.ChoiceField(TaskType.choices)
    state = serializers.ChoiceField(ProjectState.choices)
    role = serializers.ChoiceField(Role.choices)
    judged_pairs = serializers.IntegerField()
    pairs = serializers.IntegerField()


class CrowdSerializer(serializers.Serializer):
    pairs = serializers.IntegerField(help_text="agreed")
    before = serializers.IntegerField(help_text="pairs judged before that")
    judged = serializers.IntegerField(help_text="of those agreed")
    stage = serializers.ChoiceField(["working", "done", "out"])
    code = serializers.CharField(allow_blank=True)
    link = serializers.CharField(allow_blank=True)


class WaySerializer(serializers.Serializer):
    stage = serializers.ChoiceField(["training", "quiz", "failed", "in"])
    training = serializers.IntegerField(help_text="pairs")
    quiz = serializers.IntegerField(help_text="pairs")
    asked = serializers.IntegerField(help_text="known answers of the quiz")
    needed = serializers.IntegerField(help_text="of them, to pass")
    left = serializers.IntegerField(allow_null=True, help_text="attempts at the quiz; null: no limit")
    told = serializers.CharField(allow_blank=True, help_text="of the last attempt")


class ProjectDetailSerializer(ProjectSerializer):
    guidelines = serializers.CharField(allow_blank=True)
    scale = serializers.ChoiceField([3, 5, 7])
    split_ties = serializers.BooleanField()
    authoring = serializers.ChoiceField(Authoring.choices)
    tags = serializers.ListField(child=serializers.CharField())
    viewing = serializers.ChoiceField(Viewing.choices)
    viewing_share = serializers.FloatField()
    viewing_turned = serializers.FloatField()
    authored_k = serializers.IntegerField()
    authored_most = serializers.IntegerField()
    authored_length = serializers.IntegerField()
    authored_guidance = serializers.CharField(allow_blank=True)
    authored_sharing = serializers.ChoiceField(Sharing.choices)
    lease_minutes = serializers.IntegerField()
    claims_in_hand = serializers.IntegerField()
    offline_most = serializers.IntegerField()
    pseudonym = serializers.CharField()
    crowd = CrowdSerializer(allow_null=True, help_text="of who came from Prolific")
    way = WaySerializer(allow_null=True, help_text="where annotators are trained and tested first")


def project_shown(project: Project, role: str, judged: int, pairs: int) -> dict[str, Any]:
    return {
        "slug": project.slug,
        "name": project.name,
        "task_type": project.task_type,
        "state": project.state,
        "role": role,
        "judged_pairs": judged,
        "pairs": pairs,
    }


# What a viewer is told of a medium. No codec and no format: they would tell the sides' makers apart.
_OF_PROBE = tuple(ProbeSerializer().fields)


def _medium(claim: Claim, slot: str, medium: Medium) -> dict[str, Any]:
    """The address names the claim and the slot: nothing of the asset can be read from it."""
    return medium_shown(f"/media/{claim.pk}/{slot}", medium)


def medium_shown(place: str, medium: Medium) -> dict[str, Any]:
    """What a viewer needs. What else is made of the modality (its KINDS) stands at the same place, instead of `web`."""
    shown = {"modality": medium.modality, "url": f"{place}/web"}
    told = {name: medium.probe[name] for name in _OF_PROBE if name in medium.probe}
    if medium.modality == Modality.IMAGE and medium.probe.get("frames", 1) > 1:
        told["animated"] = True
    return shown | told


def _side(claim: Claim, slot: str, side: Side) -> dict[str, Any]:
    return {"text": side.text, "media": _medium(claim, slot, side.medium) if side.medium else None}


def _side_of(response: str, flip: bool) -> str:
    return "a" if response_shown("a", flip) == response else "b"


def found(head: Head | Judgment, flip: bool) -> dict[str, Any]:
    """A stored verdict as the page knows it: by sides."""
    sided = head.verdict in (Verdict.RESPONSE1, Verdict.RESPONSE2)
    return {
        "verdict": _side_of(head.verdict, flip) if sided else head.verdict,
        "strength": head.strength,
        "tie_kind": head.tie_kind,
        "broken": _side_of(head.broken, flip) if head.broken.startswith("response") else head.broken,
    }


def _answer(asked: Asked, head: Head, flip: bool) -> dict[str, Any]:
    """A stored judgment as the page knows it."""
    return found(head, flip) | {
        "id": str(head.id),
        "comparison": asked.id,
        "criterion": "",
        "rationale": head.rationale,
        "tags": head.tags,
        "anchors": evidence.shown(head.evidence, {response_shown(side, flip): side for side in ("a", "b")}),
        "supersedes": str(head.supersedes) if head.supersedes else None,
    }


def _asked(asked: Asked, flip: bool) -> dict[str, Any]:
    return {
        "id": asked.id,
        "criterion": asked.criterion,
        "own": asked.own,
        "answer": _answer(asked, asked.head, flip) if asked.head else None,
    }


def feedback_shown(work: Work) -> list[dict[str, Any]] | None:
    """Of each comparison of a training pair the known answer beside what was said, by sides."""
    if work.known is None:
        return None
    heads = {asked.id: asked.head for asked in work.asked}
    shown = []
    for known in work.known:
        head = heads.get(known.comparison)
        opinion = head is not None and head.verdict in _OPINIONS
        shown.append(
            {
                "comparison": known.comparison,
                "verdict": "tie"
                if known.verdict == Verdict.TIE
                else _side_of(known.verdict, work.claim.flip),
                "right": head.verdict == known.verdict if opinion and head else None,
                "note": known.note,
            }
        )
    return shown


_OPINIONS = (Verdict.RESPONSE1, Verdict.RESPONSE2, Verdict.TIE)


def claim_shown(work: Work) -> dict[str, Any]:
    """The claim for the page. Neither flip, nor model names, nor any id of a response or asset is in it."""
    claim = work.claim
    return {
        "id": str(claim.pk),
        "project": work.project,
        "task_type": work.task_type,
        "sensitive": work.sensitive,
        "expires_at": claim.expires_at.isoformat(),
        "server_time": timezone.now().isoformat(),
        "outcome": claim.outcome,
        "prompt": {
            "turns": work.turns,
            "media": [_medium(claim, f"p{n}", medium) for n, medium in enumerate(work.media)],
        },
        "a": _side(claim, "a", work.a),
        "b": _side(claim, "b", work.b),
        "comparisons": [_asked(asked, claim.flip) for asked in work.asked],
        "draft": work.draft,
        "stage": dict(zip(("part", "number", "n", "of"), work.stage, strict=True)) if work.stage else None,
        "feedback": feedback_shown(work),
    }
