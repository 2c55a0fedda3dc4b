"""The judge page's API: thin views that parse, call one action or query, and show the result."""

from typing import Any, TypeVar
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import queries
from annotate.access import Deed, require, role_of
from annotate.actions import judging, queue
from annotate.actions.people import annotator_for
from annotate.actions.trials import mark_read
from annotate.members import crowd_state
from annotate.models import Annotator, Claim, ClaimKind, User
from annotate.models.project import MAX_CRITERION
from annotate.pools import nothing_for
from annotate.qualifications import way_of
from webapp.api import serializers as shapes

T = TypeVar("T", bound="serializers.Serializer[Any]")

_ERRORS = {
    code: OpenApiResponse(shapes.ErrorSerializer, description)
    for code, description in {
        400: "The request breaks a rule; `field` names where.",
        401: "Logged out.",
        403: "A member, but not in this role, or the CSRF token is missing.",
        404: "There is no such thing for this user.",
        409: "It contradicts what is stored.",
        413: "The request is too large.",
        503: "The database is away; send again.",
    }.items()
}


def _parsed(shape: type[T], request: Request) -> T:
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer


def _user(request: Request) -> User:
    assert isinstance(request.user, User)  # IsAuthenticated stands before every view
    return request.user


def _annotator(request: Request, slug: str) -> Annotator:
    """The user as annotator of a project, made on first use."""
    user = _user(request)
    project = queries.project_for(user, slug)
    require(user, Deed.ANNOTATE, project)
    return annotator_for(user, project)


def _own(request: Request, claim_id: UUID) -> Annotator:
    """The user's pseudonym that holds the claim, in a project that the user still may annotate in."""
    return queries.annotator_of(_user(request), claim_id)


def _shown(claim: Claim | None) -> dict[str, Any] | None:
    return shapes.claim_shown(queries.claim_work([claim])[0]) if claim else None


def _next(annotator: Annotator, claim_id: UUID | None) -> dict[str, Any] | None:
    """The next claim beside an answer that is stored already: its absence must not look like a failure."""
    if claim_id is None:
        return None
    try:
        return _shown(queue.claim_next(annotator=annotator, claim_id=claim_id))
    except (queue.HandFull, queue.NotOpen, queue.Conflict):
        return None


class Projects(APIView):
    @extend_schema(responses={200: shapes.ProjectSerializer(many=True), **_ERRORS})
    def get(self, request: Request, **_: Any) -> Response:
        """The projects that I am a member of."""
        return Response(
            [shapes.project_shown(*row) for row in queries.projects_with_progress(_user(request))]
        )


class Project(APIView):
    @extend_schema(responses={200: shapes.ProjectDetailSerializer, **_ERRORS})
    def get(self, request: Request, slug: str, **_: Any) -> Response:
        """What the judge page needs of a project."""
        annotator = _annotator(request, slug)
        project = annotator.project
        user = _user(request)
        return Response(
            shapes.project_shown(
                project, str(role_of(user, project)), annotator.judged_pairs, queries.pair_count(project)
            )
            | {
                "guidelines": project.guidelines,
                "scale": project.scale,
                "split_ties": project.split_ties,
                "authoring": project.authoring,
                "tags": project.tags,
                "viewing": project.viewing,
                "viewing_share": project.viewing_share,
                "viewing_turned": project.viewing_turned,
                "authored_k": project.authored_k,
                "authored_most": project.authored_most,
                "authored_length": project.authored_length,
                "authored_guidance": project.authored_guidance,
                "authored_sharing": project.authored_sharing,
                "lease_minutes": project.lease_minutes,
                "claims_in_hand": project.claims_in_hand,
                "offline_most": project.offline_most,
                "pseudonym": annotator.pseudonym,
                "way": vars(way) if (way := way_of(annotator, project)) else None,
                "crowd": vars(crowd) if (crowd := crowd_state(annotator)) else None,
            }
        )


class LikeCriteria(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("like", OpenApiTypes.STR, required=True)],
        responses={200: shapes.LikeCriteriaSerializer, **_ERRORS},
    )
    def get(self, request: Request, slug: str, **_: Any) -> Response:
        """Criteria to suggest to me: like what I am typing in writing or in meaning, the most alike first.

        `pending`: what they mean is being computed; asked again soon, there may be more.
        """
        annotator = _annotator(request, slug)
        typed = request.query_params.get("like", "")[:MAX_CRITERION].replace("\x00", "")
        found, pending = queries.suggestions(annotator.project, typed, annotator)
        return Response(
            {
                "criteria": [{"text": text, "likeness": round(likeness, 3)} for text, likeness in found],
                "pending": pending,
            }
        )


class Claims(APIView):
    @extend_schema(responses={200: shapes.HeldSerializer, **_ERRORS})
    def get(self, request: Request, slug: str, **_: Any) -> Response:
        """The claims that I hold, the oldest first."""
        held = queries.held_claims(_annotator(request, slug))
        return Response({"held": [shapes.claim_shown(work) for work in queries.claim_work(held)]})

    @extend_schema(
        request=shapes.IdSerializer,
        responses={
            200: shapes.ClaimSerializer,
            204: OpenApiResponse(description="Nothing to judge now."),
            **_ERRORS,
        },
    )
    def post(self, request: Request, slug: str, **_: Any) -> Response:
        """Claim the next pair under an id of my own making; the same id again is the same claim."""
        annotator = _annotator(request, slug)
        claim_id = _parsed(shapes.IdSerializer, request).validated_data["id"]
        claim = queue.claim_next(annotator=annotator, claim_id=claim_id)
        if claim is None and (told := nothing_for(annotator)):
            raise queue.NotForYou(told)
        return Response(_shown(claim)) if claim else Response(status=204)


class Offline(APIView):
    @extend_schema(request=shapes.IdsSerializer, responses={200: shapes.TakenSerializer, **_ERRORS})
    def post(self, request: Request, slug: str, **_: Any) -> Response:
        """Lease claims for 24 hours under ids of my own making; an id that I hold already is leased for longer."""
        annotator = _annotator(request, slug)
        ids = _parsed(shapes.IdsSerializer, request).validated_data["ids"]
        taken = queue.take_offline(annotator=annotator, claim_ids=ids)
        shown = [shapes.claim_shown(work) for work in queries.claim_work(taken.claims)]
        return Response({"claims": shown, "why": taken.why})


class GiveBack(APIView):
    @extend_schema(request=shapes.IdsSerializer, responses={200: shapes.GivenBackSerializer, **_ERRORS})
    def post(self, request: Request, slug: str, **_: Any) -> Response:
        """End claims that I hold, unjudged and without a reason; others get their pairs at once."""
        annotator = _annotator(request, slug)
        ids = _parsed(shapes.IdsSerializer, request).validated_data["ids"]
        given = queue.give_back(annotator=annotator, claim_ids=ids)
        return Response({"ids": [str(claim_id) for claim_id in given]})


class History(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("before", OpenApiTypes.DATETIME)],
        responses={200: shapes.HistorySerializer, **_ERRORS},
    )
    def get(self, request: Request, slug: str, **_: Any) -> Response:
        """My ended claims, newest first, 50 a page; `before` is the last one's created_at."""
        before = None
        if given := request.query_params.get("before"):
            try:
                before = parse_datetime(given)
            except ValueError:
                before = None
            if before is None or before.tzinfo is None:
                raise judging.Invalid("before", "Give a date and time with its zone, as created_at stands.")
        rows = queries.history(_annotator(request, slug), before)
        return Response(
            {
                "claims": [
                    {
                        "id": str(claim.pk),
                        "outcome": claim.outcome,
                        "created_at": claim.created_at.isoformat(),
                        "closed_at": claim.closed_at.isoformat() if claim.closed_at else None,
                        "prompt": claim.pair.prompt.turns[-1]["text"][:120]
                        if claim.pair.prompt.turns
                        else "",
                        "verdicts": [
                            shapes.found(head, claim.flip)
                            for head in claim.heads  # type: ignore[attr-defined]
                        ],
                    }
                    for claim in rows
                ]
            }
        )


class OneClaim(APIView):
    @extend_schema(responses={200: shapes.ClaimSerializer, **_ERRORS})
    def get(self, request: Request, claim_id: UUID, **_: Any) -> Response:
        """One of my claims with my newest answers."""
        annotator = _own(request, claim_id)
        return Response(_shown(Claim.objects.get(pk=claim_id, annotator=annotator)))


class Submit(APIView):
    @extend_schema(request=shapes.SubmitSerializer, responses={200: shapes.SubmittedSerializer, **_ERRORS})
    def post(self, request: Request, claim_id: UUID, **_: Any) -> Response:
        """Store my answers; with `next`, also claim the next pair. Safe to send again."""
        annotator = _own(request, claim_id)
        shape = _parsed(shapes.SubmitSerializer, request)
        receipt = judging.submit(
            annotator=annotator,
            claim_id=claim_id,
            answers=shape.answers_of(),
            seconds=shape.validated_data["seconds"],
        )
        feedback = None
        if receipt.claim.kind == ClaimKind.TRAINING:
            feedback = shapes.feedback_shown(queries.claim_work([receipt.claim])[0])
        following = _next(annotator, shape.validated_data["next"])
        return Response(
            {
                "saved": [str(i) for i in receipt.saved],
                "late": receipt.late,
                "judged_pairs": receipt.judged_pairs,
                "feedback": feedback,
                "next": following,
            }
        )


class Read(APIView):
    @extend_schema(
        request=shapes.EmptySerializer, responses={204: OpenApiResponse(description="Noted."), **_ERRORS}
    )
    def post(self, request: Request, claim_id: UUID, **_: Any) -> Response:
        """I have read what was told about my answer to a training pair: it is not shown again."""
        annotator = _own(request, claim_id)
        _parsed(shapes.EmptySerializer, request)
        mark_read(annotator=annotator, claim_id=claim_id, now=timezone.now())
        return Response(status=204)


class Skip(APIView):
    @extend_schema(request=shapes.SkipSerializer, responses={200: shapes.SkippedSerializer, **_ERRORS})
    def post(self, request: Request, claim_id: UUID, **_: Any) -> Response:
        """Give the pair back unjudged, with the reason."""
        annotator = _own(request, claim_id)
        given = _parsed(shapes.SkipSerializer, request).validated_data
        queue.skip_claim(annotator=annotator, claim_id=claim_id, reason=given["reason"], note=given["note"])
        return Response({"next": _next(annotator, given["next"])})


class Undo(APIView):
    @extend_schema(request=shapes.IdSerializer, responses={200: shapes.ClaimSerializer, **_ERRORS})
    def post(self, request: Request, claim_id: UUID, **_: Any) -> Response:
        """Take a submitted pair back, under an id of my own making."""
        annotator = _own(request, claim_id)
        undo_id = _parsed(shapes.IdSerializer, request).validated_data["id"]
        return Response(_shown(judging.undo(annotator=annotator, claim_id=claim_id, undo_id=undo_id)))


class Draft(APIView):
    @extend_schema(
        request=shapes.DraftSerializer, responses={204: OpenApiResponse(description="Kept."), **_ERRORS}
    )
    def post(self, request: Request, claim_id: UUID, **_: Any) -> Response:
        """Keep what I have begun, for me to go on with it on any computer."""
        annotator = _own(request, claim_id)
        draft = _parsed(shapes.DraftSerializer, request).validated_data["draft"]
        judging.save_draft(annotator=annotator, claim_id=claim_id, draft=draft)
        return Response(status=204)


class Heartbeat(APIView):
    @extend_schema(request=shapes.EmptySerializer, responses={200: shapes.ExpirySerializer, **_ERRORS})
    def post(self, request: Request, claim_id: UUID, **_: Any) -> Response:
        """I am still at it: extend the lease."""
        annotator = _own(request, claim_id)
        _parsed(shapes.EmptySerializer, request)
        expires = queue.heartbeat(annotator=annotator, claim_id=claim_id)
        return Response({"expires_at": expires.isoformat()})
