"""All that is stored about an account, as a ZIP of JSON that is made while it is sent.

Nothing of others is in it: no prompts, responses or media, no criteria that another annotator wrote, no details of what
managers did to others. Verdicts name the sides as they were seen: which response stood there would tell sides apart.

DECIDED says of every table that refers to an account or a pseudonym, directly or by a claim or judgment, in which file
its rows stand or why they do not; a test fails for a table that is not in it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from io import RawIOBase
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from annotate import evidence
from annotate.actions.judging import response_shown
from annotate.models import (
    Annotator,
    AuditEntry,
    Claim,
    ClaimDraft,
    Comment,
    Consent,
    Criterion,
    CrowdArrival,
    Exclusion,
    GroupMember,
    Job,
    Judgment,
    Membership,
    Qualification,
    Resolution,
    TeamMember,
    User,
)

Row = dict[str, Any]
_CHUNK = 500

README = """All that is stored about the account {username}, as of {now}.

Each file is a list in JSON; times are in UTC. A judgment that changes an earlier one names it as "supersedes". Verdicts
name the sides as you saw them, a and b. What was judged (prompts, responses, media) is the work of others and not here.
"""

# By the model's label: the file its rows stand in, or in parentheses why they are left out.
DECIDED = {
    "annotate.User": "account.json",
    "socialaccount.SocialAccount": "identities.json",
    "mfa.Authenticator": "second_factors.json",
    "annotate.Membership": "memberships.json",
    "annotate.Annotator": "pseudonyms.json",
    "annotate.CrowdArrival": "arrivals.json",
    "annotate.Consent": "consents.json",
    "annotate.GroupMember": "groups.json",
    "annotate.Qualification": "training.json",
    "annotate.Claim": "claims.json",
    "annotate.ClaimDraft": "drafts.json",
    "annotate.Judgment": "judgments.json",
    "annotate.Criterion": "criteria.json",
    "annotate.Comment": "comments.json",
    "annotate.Resolution": "settled.json",
    "annotate.Exclusion": "exclusions.json",
    "annotate.TeamMember": "teams.json",
    "annotate.AuditEntry": "deeds.json",
    "annotate.Job": "jobs.json",
    "account.EmailAddress": "(allauth's own table, which nothing writes)",
    "annotate.Reach": "(up to where the queue was walked)",
    "annotate.Gold": "(that somebody marked an answer as known is among the deeds)",
    "annotate.CommentSeen": "(up to where comments were read)",
    "annotate.Invitation": "(that somebody made a link is among the deeds)",
    "annotate.ConsentText": "(a project's own text; that it was written is among the deeds)",
    "annotate.Comparison": "(that a criterion was written for a pair: the criterion stands in its file)",
    "annotate.Seat": "(which judgment counts in a place: the judgment stands in its file)",
    "annotate.FrozenMember": "(which groups a release names: those of now stand in their file)",
    "annotate.FrozenJudgment": "(that a release holds a judgment: the judgment stands in its file)",
    "annotate.User_groups": "(Django's groups, which nothing uses)",
    "annotate.User_user_permissions": "(Django's permissions, which nothing uses)",
    "admin.LogEntry": "(Django's own trail, which nothing writes)",
}


def archive(user: User) -> Iterator[bytes]:
    """The ZIP, piece by piece; no more of it is held than a few hundred rows."""
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_DEFLATED) as made:
        now = timezone.now().isoformat(timespec="seconds")
        made.writestr("README.txt", README.format(username=user.username, now=now))
        for name, rows in FILES.items():
            with made.open(name, "w") as file:
                for piece in _as_list(rows(user)):
                    file.write(piece)
                    yield from sink.taken()
            yield from sink.taken()
    yield from sink.taken()


class _Sink(RawIOBase):
    """What was written and not sent yet. It cannot be sought in, so ZIP notes sizes after each file."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> Iterator[bytes]:
        parts, self._parts = self._parts, []
        if whole := b"".join(parts):
            yield whole


def _as_list(rows: Iterable[Row]) -> Iterator[bytes]:
    yield b"["
    separator = "\n"
    for row in rows:
        yield (separator + json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)).encode()
        separator = ",\n"
    yield b"\n]\n"


def _account(user: User) -> Iterator[Row]:
    names = (
        "username",
        "first_name",
        "last_name",
        "email",
        "language",
        "date_joined",
        "last_login",
        "is_active",
    )
    yield {name: getattr(user, name) for name in names}


def _identities(user: User) -> Iterator[Row]:
    """What an OpenID provider calls the account."""
    for row in SocialAccount.objects.filter(user=user).order_by("pk"):
        yield {
            "provider": row.provider,
            "identity": row.uid,
            "since": row.date_joined,
            "last_login": row.last_login,
        }


def _factors(user: User) -> Iterator[Row]:
    """Without their secrets: this file may lie about."""
    for row in Authenticator.objects.filter(user=user).order_by("pk"):
        yield {"type": row.type, "created_at": row.created_at, "last_used_at": row.last_used_at}


def _memberships(user: User) -> Iterator[Row]:
    for row in Membership.objects.filter(user=user).select_related("project").order_by("pk"):
        yield {
            "project": row.project.slug,
            "role": row.role,
            "tags": row.tags,
            "paused_at": row.paused_at,
            "pause_reason": row.pause_reason,
        }


def _arrivals(user: User) -> Iterator[Row]:
    for row in CrowdArrival.objects.filter(user=user).select_related("project").order_by("pk"):
        yield {
            "project": row.project.slug,
            "participant": row.participant,
            "study": row.study,
            "session": row.session,
            "pairs": row.pairs,
            "begun_at": row.begun_at,
        }


def _pseudonyms(user: User) -> Iterator[Row]:
    for row in Annotator.objects.filter(user=user).select_related("project").order_by("pk"):
        yield {
            "project": row.project.slug,
            "pseudonym": row.pseudonym,
            "judged_pairs": row.judged_pairs,
            "created_at": row.created_at,
            "seen_at": row.seen_at,
        }


def _consents(user: User) -> Iterator[Row]:
    for row in Consent.objects.filter(annotator__user=user).select_related("text__project").order_by("pk"):
        yield {
            "project": row.text.project.slug,
            "version": row.text.version,
            "given": row.given,
            "at": row.at,
            "text": row.text.text,
        }


def _training(user: User) -> Iterator[Row]:
    """Each round of training and quiz: how far they are, what let them in, and each time that they went through a set."""
    found = Qualification.objects.filter(annotator__user=user).select_related("annotator__project")
    for row in found.order_by("pk").prefetch_related("trials"):
        yield {
            "project": row.annotator.project.slug,
            "round": row.round,
            "begun_at": row.begun_at,
            "trained_at": row.trained_at,
            "in_at": row.passed_at,
            "way": row.way,
            "reason": row.reason,
            "trials": [
                {
                    "part": trial.part,
                    "number": trial.number,
                    "begun_at": trial.begun_at,
                    "ended_at": trial.ended_at,
                    "result": trial.result or "open",
                    "asked": trial.asked,
                    "needed": trial.needed,
                    "right": trial.right,
                    "wrong": trial.wrong,
                }
                for trial in sorted(row.trials.all(), key=lambda one: one.pk)
            ],
        }


def _groups(user: User) -> Iterator[Row]:
    found = GroupMember.objects.filter(annotator__user=user).select_related("group__project")
    for row in found.order_by("pk"):
        yield {
            "project": row.group.project.slug,
            "kind": row.group.kind,
            "group": row.group.name,
            "by_yourself": row.declared,
        }


def _teams(user: User) -> Iterator[Row]:
    for row in TeamMember.objects.filter(user=user).select_related("team").order_by("pk"):
        yield {"team": row.team.name}


def _claims(user: User) -> Iterator[Row]:
    found = Claim.objects.filter(annotator__user=user).select_related("annotator__project", "trial")
    for row in found.order_by("created_at", "pk").iterator(_CHUNK):
        yield {
            "id": row.pk,
            "project": row.annotator.project.slug,
            "pair": row.pair_id,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "closed_at": row.closed_at,
            "outcome": row.outcome or "held",
            "part": row.trial.part if row.trial else "",
            "skip_reason": row.skip_reason,
            "note": row.note,
        }


def _drafts(user: User) -> Iterator[Row]:
    found = ClaimDraft.objects.filter(claim__annotator__user=user).order_by("pk")
    for row in found.iterator(_CHUNK):
        yield {"claim": row.claim_id, "saved_at": row.saved_at, "draft": json.loads(row.body)}


def _judgments(user: User) -> Iterator[Row]:
    found = Judgment.objects.filter(annotator__user=user).select_related(
        "claim", "annotator__project", "comparison__criterion__author"
    )
    for row in found.order_by("created_at", "pk").iterator(_CHUNK):
        criterion = row.comparison.criterion
        others = criterion.author is not None and criterion.author.user_id != user.pk
        yield {
            "id": row.pk,
            "project": row.annotator.project.slug,
            "claim": row.claim_id,
            "pair": row.comparison.pair_id,
            "comparison": row.comparison_id,
            "criterion": None if others else criterion.text,
            "supersedes": row.supersedes_id,
            **_as_seen(row),
            "strength": row.strength,
            "tie_kind": row.tie_kind,
            "rationale": row.rationale,
            "tags": row.tags,
            "late": row.late,
            "authored": row.authored,
            "seconds": row.seconds,
            "created_at": row.created_at,
        }


def _as_seen(judgment: Judgment) -> Row:
    """What names a response, by sides. Imported verdicts, of which nobody saw sides here, stand as they came."""
    found = {"verdict": judgment.verdict, "broken": judgment.broken, "evidence": judgment.evidence}
    if judgment.claim is None:
        return found
    side_of = {response_shown(side, judgment.claim.flip): side for side in ("a", "b")}
    return {
        "verdict": side_of.get(judgment.verdict, judgment.verdict),
        "broken": side_of.get(judgment.broken, judgment.broken),
        "evidence": {
            "anchors": evidence.shown(judgment.evidence, side_of),
            "viewing": {
                side_of.get(name, name): value for name, value in judgment.evidence.get("viewing", {}).items()
            },
        },
    }


def _criteria(user: User) -> Iterator[Row]:
    found = Criterion.objects.filter(author__user=user).select_related("project").order_by("pk")
    for row in found.iterator(_CHUNK):
        yield {"project": row.project.slug, "text": row.text, "created_at": row.created_at}


def _comments(user: User) -> Iterator[Row]:
    """What they said themselves."""
    found = Comment.objects.filter(author__user=user).select_related("author__project").order_by("pk")
    for row in found.iterator(_CHUNK):
        yield {
            "project": row.author.project.slug,
            "comparison": row.comparison_id,
            "text": row.text,
            "retracts": row.retracts_id,
            "created_at": row.created_at,
        }


def _settled(user: User) -> Iterator[Row]:
    """Which response they chose names no model: it is the one that reviewers see by that number."""
    found = Resolution.objects.filter(reviewer__user=user).select_related("reviewer__project").order_by("pk")
    for row in found.iterator(_CHUNK):
        assert row.reviewer
        yield {
            "project": row.reviewer.project.slug,
            "comparison": row.comparison_id,
            "verdict": row.verdict,
            "reason": row.reason,
            "created_at": row.created_at,
        }


def _exclusions(user: User) -> Iterator[Row]:
    """Of their own judgments, with the reasons; whom they excluded is among their deeds."""
    found = Exclusion.objects.filter(annotator__user=user).select_related("annotator__project").order_by("pk")
    for row in found:
        yield {
            "project": row.annotator.project.slug,
            "reason": row.reason,
            "since": row.since,
            "made_at": row.made_at,
            "lifted_at": row.lifted_at,
        }


def _deeds(user: User) -> Iterator[Row]:
    """Details are left out: they may tell of others."""
    found = AuditEntry.objects.filter(by=user).order_by("pk")
    for row in found.iterator(_CHUNK):
        yield {"at": row.at, "deed": row.deed, "subject": row.subject}


def _jobs(user: User) -> Iterator[Row]:
    for row in Job.objects.filter(by=user).select_related("project").order_by("pk").iterator(_CHUNK):
        yield {
            "project": row.project.slug,
            "kind": row.kind,
            "state": row.state,
            "created_at": row.created_at,
        }


FILES: dict[str, Callable[[User], Iterator[Row]]] = {
    "account.json": _account,
    "identities.json": _identities,
    "second_factors.json": _factors,
    "memberships.json": _memberships,
    "arrivals.json": _arrivals,
    "pseudonyms.json": _pseudonyms,
    "consents.json": _consents,
    "groups.json": _groups,
    "teams.json": _teams,
    "training.json": _training,
    "claims.json": _claims,
    "drafts.json": _drafts,
    "judgments.json": _judgments,
    "criteria.json": _criteria,
    "comments.json": _comments,
    "settled.json": _settled,
    "exclusions.json": _exclusions,
    "deeds.json": _deeds,
    "jobs.json": _jobs,
}
