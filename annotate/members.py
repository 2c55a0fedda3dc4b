"""Reads about how people got into a project, and how far who came from Prolific is."""

import hashlib
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from annotate.models import (
    Annotator,
    Claim,
    CrowdArrival,
    Invitation,
    Membership,
    Project,
    ProjectState,
)
from annotate.qualifications import way_of
from annotate.situations import has_come_to_the_end


def token_sha256(token: str) -> bytes:
    """What is kept of a link's token."""
    return hashlib.sha256(token.encode()).digest()


def open_invitations(token: str) -> QuerySet[Invitation]:
    """The invitation that the token opens now, or none.

    One statement whatever the reason why there is none: unknown, used up, expired or revoked.
    """
    return _open().filter(token_sha256=token_sha256(token))


def invitations_of(email: str) -> QuerySet[Invitation]:
    """Those that name an address and let in whoever it belongs to now."""
    return _open().filter(email__iexact=email)


def _open() -> QuerySet[Invitation]:
    return Invitation.objects.filter(revoked_at__isnull=True, expires_at__gt=timezone.now(), uses_left__gt=0)


def secret_sha256(secret: str) -> str:
    """What is kept of a secret in a link or cookie, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def open_to_crowd(slug: str, key: str) -> QuerySet[Project]:
    """The project that the link for Prolific leads to now, or none: another key, closed, or unknown."""
    return Project.objects.filter(
        slug=slug,
        crowd_open=True,
        crowd_key_sha256=secret_sha256(key),
        state=ProjectState.OPEN,
    )


def arrivals_with_judged(arrivals: QuerySet[CrowdArrival]) -> QuerySet[CrowdArrival]:
    """Each with `judged_pairs`, what its annotator has judged in the project at all; see judged_of."""
    found = Annotator.objects.filter(project=OuterRef("project"), user=OuterRef("user"))
    return arrivals.annotate(judged_pairs=Subquery(found.values("judged_pairs")))


def judged_of(arrival: CrowdArrival, judged_pairs: int) -> int:
    """How many of the pairs that were agreed are judged."""
    return max(0, min(arrival.pairs, judged_pairs - arrival.judged_before))


@dataclass(frozen=True)
class CrowdState:
    """What a participant is told. `code` and `link` only where the work here has ended for them, one way or the other."""

    pairs: int
    before: int
    judged: int
    stage: Literal["working", "done", "out"]
    code: str = ""
    link: str = ""


def crowd_state(annotator: Annotator) -> CrowdState | None:
    """How far an annotator is who came from Prolific; None for everybody else, at the cost of nothing."""
    if annotator.crowd_until is None:
        return None
    project = annotator.project
    arrival = CrowdArrival.objects.filter(project=project, user=annotator.user_id).order_by("-pk").first()
    if arrival is None:
        return None
    judged = judged_of(arrival, annotator.judged_pairs)
    told = (arrival.pairs, arrival.judged_before, judged)
    if judged >= arrival.pairs:
        return CrowdState(*told, "done", project.crowd_code, _back(project.crowd_code))
    if _cannot_go_on(annotator):
        return CrowdState(*told, "out", project.crowd_out_code, _back(project.crowd_out_code))
    return CrowdState(*told, "working")


def _back(code: str) -> str:
    return f"https://app.prolific.com/submissions/complete?cc={quote(code)}" if code else ""


def _cannot_go_on(annotator: Annotator) -> bool:
    project = annotator.project
    members = Membership.objects.filter(project=project, user=annotator.user_id)
    if project.state == ProjectState.CLOSED or not members.filter(paused_at__isnull=True).exists():
        return True
    way = way_of(annotator, project)
    if way and way.stage == "failed":
        return True
    # Nothing is left, unless something is opened again.
    return (
        has_come_to_the_end(annotator)
        and not Claim.objects.filter(annotator=annotator, closed_at__isnull=True).exists()
    )
