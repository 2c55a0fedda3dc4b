"""A project with a row of everything, another one like it, and the people who look at them."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotate import audit
from annotate.members import token_sha256
from annotate.models import (
    Claim,
    CrowdArrival,
    DataImport,
    Draw,
    Invitation,
    Job,
    JobKind,
    JobState,
    Pair,
    Project,
    Release,
    Role,
    User,
)
from tests.factories import (
    judge,
    make_annotator,
    make_asset,
    make_comparison,
    make_member,
    make_pair,
    make_project,
    make_proposal,
    make_user,
)


@dataclass(frozen=True)
class Site:
    """What stands in one project, by model name."""

    project: Project
    rows: dict[str, Any]

    def claim(self) -> Claim:
        found = self.rows["claim"]
        assert isinstance(found, Claim)
        return found


def make_site(name: str, project: Project | None = None) -> Site:
    """A row of everything, in a new project or once more in the given one."""
    project = project or make_project(name=name, slug=name.lower())
    annotator = make_annotator(
        project, make_member(project, user=make_user(f"{name}-annotator", password=None))
    )
    pair = make_pair(project, prompt=f"Secret prompt of {name}?", external_id=f"{name}-row")
    comparison = make_comparison(pair, f"Secret criterion of {name}")
    judgment = judge(comparison, "response1", annotator, rationale=f"Secret rationale of {name}")
    held = make_pair(project, external_id=f"{name}-held")
    Pair.objects.filter(project=project).update(queued=True)  # both are drawn here
    draw = Draw.objects.create(project=project, route="reserve", epoch=1, pos=1, pair=held)
    now = timezone.now()
    claim = Claim.objects.create(
        draw=draw,
        pair=held,
        annotator=annotator,
        comparison_ids=[],
        flip=False,
        created_at=now,
        expires_at=now,
    )
    failed = Job.objects.create(
        kind=JobKind.IMPORT, project=project, state=JobState.FAILED, error="no such column"
    )
    data_import = DataImport.objects.create(
        project=project,
        job=failed,
        spec={"files": [{"name": f"{name}.jsonl"}]},
        rows_refused=1,
        report=[{"file": f"{name}.jsonl", "row": 7, "field": "prompt", "problem": "is empty"}],
    )
    exporting = Job.objects.create(kind=JobKind.RELEASE, project=project, done=3, total=10, step="reading")
    release = Release.objects.create(project=project, job=exporting, recipe={}, pseudonym_key="0" * 64)
    audit.record(None, "step", project, project)
    return Site(
        project,
        {
            "project": project,
            "annotator": annotator,
            "asset": make_asset(project, f"picture of {name}".encode()),
            "pair": pair,
            "criterion": comparison.criterion,
            "judgment": judgment,
            "draw": draw,
            "claim": claim,
            "job": failed,
            "dataimport": data_import,
            "release": release,
            "proposal": (proposal := make_proposal(pair, f"Secret criterion of a model in {name}")),
            "criteriarun": proposal.run,
            "invitation": Invitation.objects.create(
                project=project,
                email=f"{name.lower()}@example.org",
                token_sha256=token_sha256(f"{name} {project.pk} {annotator.pk}"),
                made_by=annotator.user,
                expires_at=now,
            ),
            "membership": project.memberships.get(user=annotator.user),
            "crowdarrival": CrowdArrival.objects.create(
                project=project,
                user=User.objects.get(annotators=annotator),
                participant=f"{name}{annotator.pk}",
                study="study",
                session="session",
                pairs=3,
            ),
            "auditentry": project.auditentry_set.filter(deed="step").latest("pk"),
        },
    )


def project_form(project: Project, **changed: Any) -> dict[str, Any]:
    """What the page of the project posts, with no inline rows."""
    names = [
        "name",
        "guidelines",
        "task_type",
        "scale",
        "authoring",
        "viewing",
        "viewing_share",
        "viewing_turned",
        "k",
        "reserve_k",
        "authored_k",
        "authored_most",
        "authored_length",
        "authored_sharing",
        "authored_guidance",
        "reserve_share",
        "validation_share",
        "reserve_claim_share",
        "lease_minutes",
        "claims_in_hand",
        "offline_most",
        "most_share",
        "most_a_day",
        "pay_per_verdict",
        "pay_per_hour",
        "currency",
        "crowd_pairs",
        "crowd_code",
        "crowd_out_code",
        "k_more",
        "k_most",
        "repeat_share",
        "repeat_after",
        "gold_share",
        "attention_share",
        "quiz_share",
        "quiz_attempts",
        "quiz_wait",
        "sampling",
        "policy",
        "promotion",
        "promotion_labels",
        "refit_judgments",
        "refit_seconds",
        "uniform_share",
        "withdrawal",
        "review_majority",
        "review_against",
    ]
    form = {name: getattr(project, name) for name in names} | {
        "split_ties": "on",
        "tags": "",
        "unlink_days": "",
        "forget_days": "",
    }
    for prefix in ("memberships", "criteria"):
        form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return form | changed


@pytest.fixture
def ours(db: None) -> Site:
    return make_site("Ours")


@pytest.fixture
def theirs(db: None) -> Site:
    return make_site("Theirs")


@pytest.fixture
def manager(ours: Site) -> User:
    return make_member(ours.project, Role.MANAGER, make_user("manager", password=None))


@pytest.fixture
def root(db: None) -> User:
    return make_user("root", superuser=True, password=None)


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def as_manager(manager: User) -> Client:
    return logged_in(manager)


@pytest.fixture
def as_root(root: User) -> Client:
    return logged_in(root)
