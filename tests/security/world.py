"""Two projects full of canaries, and somebody in each role who looks at them.

Whatever one of them may not see has "canary" in it: names, texts, models, addresses of e-mail.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from annotate import audit
from annotate.actions import queue
from annotate.actions.invitations import make_link
from annotate.members import token_sha256
from annotate.models import (
    Annotator,
    AnnotatorGroup,
    Claim,
    Comment,
    CrowdArrival,
    DataImport,
    Draw,
    Evaluation,
    Invitation,
    Job,
    JobKind,
    JobState,
    Project,
    Release,
    Report,
    Role,
    Team,
    User,
)
from annotate.reports import full_report
from tests.browser.judging import make_image, picture
from tests.evaluation.kept import DIGEST, results
from tests.factories import (
    judge,
    make_annotator,
    make_comparison,
    make_criterion,
    make_member,
    make_pair,
    make_project,
    make_proposal,
)
from tests.review.test_items import make_revision

# The order of the columns in permissions.py. A stranger manages another project.
PASSWORD = "old horse battery"
ROLES = ("anonymous", "stranger", "annotator", "reviewer", "manager", "root")


@dataclass
class Place:
    """A project and a row of everything in it, by model name."""

    project: Project
    rows: dict[str, Any]


@dataclass
class World:
    ours: Place
    theirs: Place
    users: dict[str, User]
    claims: dict[str, Claim] = field(default_factory=dict)  # in ours, by the role of who holds it
    invited: str = ""  # token of a link into a third project, for whoever has it

    def client(self, role: str, **options: Any) -> Client:
        client = Client(raise_request_exception=False, **options)
        if role in self.users:
            client.force_login(self.users[role], backend="webapp.sessions.Accounts")
        return client


@cache
def _hashed() -> str:
    return make_password(PASSWORD)  # which takes long: all have the same one


def _user(name: str, **fields: Any) -> User:
    return User.objects.create(username=name, email=f"{name}@canary.example", password=_hashed(), **fields)


def _place(name: str) -> Place:
    project = make_project(
        name=f"canary-{name}-project",
        slug=name,
        guidelines=f"canary-{name}-guidelines",
        reserve_share=0,
        validation_share=0,
    )
    annotator = make_annotator(
        project,
        make_member(project, user=_user(f"canary-{name}-person")),
        pseudonym=f"canary-{name}-pseudonym",
    )
    asset = make_image(project, picture((200, 30, 30)))
    names: dict[str, Any] = {
        "models": (f"canary-{name}-model-1", f"canary-{name}-model-2"),
        "source": f"canary-{name}-source",
        "metadata": {"note": f"canary-{name}-metadata"},
    }
    judged = make_pair(
        project, prompt=f"canary-{name}-prompt", external_id=f"canary-{name}-row", queued=True, **names
    )
    comparison = make_comparison(judged, f"canary-{name}-criterion", k=1)
    judgment = judge(comparison, "response1", annotator, rationale=f"canary-{name}-rationale")
    for n in range(6):
        pair = make_pair(
            project,
            response1=asset,
            response2=make_image(project, picture((n, n, n))),
            media=[asset],
            external_id=f"canary-{name}-{n}",
            **names,
        )
        shown = make_comparison(pair, comparison.criterion, k=9)
    failed = Job.objects.create(
        kind=JobKind.IMPORT, project=project, state=JobState.FAILED, error=f"canary-{name}-error"
    )
    data_import = DataImport.objects.create(
        project=project,
        job=failed,
        spec={"files": [{"name": f"canary-{name}-file.jsonl"}]},
        rows_refused=1,
        report=[{"file": f"canary-{name}-file.jsonl", "row": 7, "field": "prompt", "problem": "is empty"}],
    )
    done = Job.objects.create(kind=JobKind.RELEASE, project=project, state=JobState.DONE)
    release = Release.objects.create(
        project=project,
        job=done,
        recipe={"note": f"canary-{name}-recipe"},
        pseudonym_key=f"canary-{name}-key",
        archive_key=default_storage.save(
            f"releases/{uuid4().hex}", ContentFile(f"canary-{name}-zip".encode())
        ),
    )
    AnnotatorGroup.objects.create(project=project, kind="taste", name=f"canary-{name}-group")
    audit.record(None, f"canary-{name}-deed", project, project)
    Report.objects.create(
        project=project,
        read_at=timezone.now(),
        verdicts=1,
        seconds=0.1,
        content=full_report(project, timezone.now().date()),
    )
    evaluation = Evaluation.objects.create(
        project=project,
        bench=f"canary-{name}-bench",
        digest=DIGEST,
        judge=f"canary-{name}-judge",
        judged_at=timezone.now(),
        content=results(f"canary-{name}-judge"),
    )
    return Place(
        project,
        {
            "project": project,
            "evaluation": evaluation,
            "revision": make_revision(project, artefact=f"models/{name}/1"),
            "candidate": make_revision(project, 2, artefact=f"models/{name}/2", promoted_at=None),
            "user": annotator.user,
            "annotator": annotator,
            "asset": asset,
            "pair": judged,
            "criterion": comparison.criterion,
            "comparison": comparison,
            "another criterion": make_criterion(project, f"canary-{name}-criterion 2"),
            "judgment": judgment,
            "shown": shown,
            "draw": Draw.objects.get(pair=judged),
            "job": failed,
            "dataimport": data_import,
            "release": release,
            "proposal": (proposal := make_proposal(judged, f"canary-{name}-proposal")),
            "criteriarun": proposal.run,
            "auditentry": project.auditentry_set.get(),
            "crowdarrival": CrowdArrival.objects.create(
                project=project,
                user=User.objects.get(annotators=annotator),
                participant=f"canary-{name}-participant",
                study="study",
                session="session",
                pairs=3,
            ),
            "membership": project.memberships.get(user=annotator.user),
            "invitation": Invitation.objects.create(
                project=project,
                email=f"canary-{name}-invited@example.org",
                token_sha256=token_sha256(f"canary-{name}-token"),
                expires_at=timezone.now() + timedelta(days=1),
            ),
        },
    )


def make_world() -> World:
    ours, theirs = _place("ours"), _place("theirs")
    world = World(
        ours,
        theirs,
        {
            "stranger": make_member(theirs.project, Role.MANAGER, _user("stranger")),
            "annotator": make_member(ours.project, Role.ANNOTATOR, _user("annotator")),
            "reviewer": make_member(ours.project, Role.REVIEWER, _user("reviewer")),
            "manager": make_member(ours.project, Role.MANAGER, _user("manager")),
            "root": _user("root", is_superuser=True, is_staff=True),
        },
    )
    for role in ("annotator", "reviewer", "manager", "root"):
        annotator = make_annotator(ours.project, world.users[role], pseudonym=f"{role}-pseudonym")
        world.claims[role] = _claimed(annotator)
        # Something was said to each of them.
        Comment.objects.create(
            comparison=ours.rows["comparison"],
            author=ours.rows["annotator"],
            annotator=annotator,
            text="canary-ours-comment",
            created_at=timezone.now(),
        )
    for place in (ours, theirs):  # of annotators who are none of them
        place.rows["claim"] = _claimed(place.rows["annotator"])
    world.invited = make_link(
        by=None, project=make_project(slug="open-to-all"), role=Role.ANNOTATOR, uses=99
    ).token
    fields = {
        "username": "canary-attempt",
        "ip_address": "192.0.2.1",
        "user_agent": "",
        "http_accept": "",
        "path_info": "",
    }
    ours.rows |= {
        "team": Team.objects.create(name="the linguists"),
        "accessattempt": AccessAttempt.objects.create(**fields, failures_since_start=1),
        "accesslog": AccessLog.objects.create(**fields),
        "accessfailurelog": AccessFailureLog.objects.create(**fields),
    }
    return world


def _claimed(annotator: Annotator) -> Claim:
    claim = queue.claim_next(annotator=annotator, claim_id=uuid4())
    assert claim
    return claim
