"""The page of what a project's model learned, and the buttons on it."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.actions.jobs import Lease, create_job
from annotate.actions.learning import Artefact, HeldOut, Learned, add_revision, add_scores, finish_scoring
from annotate.actions.queue import ChosenPair, append_epoch
from annotate.models import AuditEntry, Comparison, Job, JobKind, JobState, Project, Role, Route
from tests.factories import judge, make_comparison, make_member, make_pair, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    """A project with a judgment, a revision that has scored one of its two open comparisons, and an epoch."""
    project = make_project(sampling="auto")
    someone = judge(make_comparison(make_pair(project, queued=True), "Kind?"), "response1")
    drawn = make_pair(project)
    make_comparison(drawn, "Kind?")
    for criterion in ("Kind?", "Short & <b>sweet</b>?"):
        make_comparison(make_pair(project), criterion)
    job = create_job(by=None, project=project, kind=JobKind.TRAIN)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING)
    tested = HeldOut(40, 0.725, 0.6, 0.85, 0.55, 0.175, -0.025, 0.3)
    learned = Learned(1, 1, timezone.now(), someone.pk, tested, 3.25)
    artefact = Artefact("models/a/b", bytes(32), 7)
    revision = add_revision(lease=Lease(job), backend="builtin", artefact=artefact, learned=learned)
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE)
    [scored] = Comparison.objects.filter(pair=drawn)
    kind = Comparison.objects.filter(pair__project=project, criterion__text="Kind?").latest("pk")
    add_scores(revision, [scored.pk, kind.pk], [0.5, 0.5], [0.1, 0.1], [1, 1], [0.25, 0.125])
    finish_scoring(revision)
    assert (
        append_epoch(project.pk, want=1, drawn=0, chosen=[ChosenPair(Route.POLICY, drawn.pk, 0.375, 3)]) == 1
    )
    return project


def log_in(client: Client, project: Project) -> None:
    client.force_login(make_member(project, Role.MANAGER), "webapp.sessions.Accounts")


def test_page_tells_how_it_stands(client: Client, project: Project) -> None:
    log_in(client, project)
    page = client.get(reverse("admin:annotate_project_learning", args=[project.pk])).content.decode()
    for told in (
        "builtin 1",
        "<td>0.725</td><td>0.600 to 0.850</td><td>40</td><td>0.550</td><td>0.175</td><td>-0.025 to 0.300</td>",
        "scored the pool",
        "<th>Kind?</th><td>1</td><td>1</td><td>0.125</td>",
        "<th>Short &amp; &lt;b&gt;sweet&lt;/b&gt;?</th><td>1</td><td>0</td><td>-</td>",
        "0.38 to 0.38</td><td>3</td>",
        "trained again as judgments come in: revision 1",
    ):
        assert told in page, told
    assert "Let it learn" not in page and "Go uniform" in page
    change = client.get(reverse("admin:annotate_project_change", args=[project.pk])).content.decode()
    assert "Learning" in change and "Go uniform" not in change


def test_page_of_a_project_without_a_model(client: Client) -> None:
    project = make_project()
    log_in(client, project)
    page = client.get(reverse("admin:annotate_project_learning", args=[project.pk])).content.decode()
    assert "no revision has scored the pool yet" in page and "Nothing was drawn yet." in page


@pytest.mark.parametrize(("act", "mode"), [("freeze", "frozen"), ("go-uniform", "uniform"), ("auto", "auto")])
def test_modes_are_changed_and_audited(client: Client, act: str, mode: str) -> None:
    project = make_project(sampling="uniform" if mode == "auto" else "auto")
    log_in(client, project)
    answer = client.post(reverse("admin:annotate_project_act", args=[project.pk, act]))
    assert answer.headers["Location"] == reverse("admin:annotate_project_learning", args=[project.pk])
    before, project.sampling = project.sampling, mode
    assert Project.objects.get(pk=project.pk).sampling == mode
    entry = AuditEntry.objects.get(deed="change project")
    assert entry.details == {"changed": {"sampling": [before, mode]}} and entry.by


def test_refit_is_queued_once(client: Client, project: Project) -> None:
    log_in(client, project)
    for _ in range(2):
        answer = client.post(reverse("admin:annotate_project_act", args=[project.pk, "refit"]))
        assert answer.status_code == 302 and "progress" in answer.headers["Location"]
    assert Job.objects.filter(kind=JobKind.TRAIN, state=JobState.QUEUED).count() == 1


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_who_does_not_manage_steers_nothing(client: Client, project: Project, role: Role) -> None:
    client.force_login(make_member(project, role), "webapp.sessions.Accounts")
    for act in ("refit", "freeze", "go-uniform"):
        client.post(reverse("admin:annotate_project_act", args=[project.pk, act]))
    assert Project.objects.get(pk=project.pk).sampling == "auto"
    assert not Job.objects.filter(state=JobState.QUEUED).exists()
