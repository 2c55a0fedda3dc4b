"""The page of what a project's model learned, and the buttons on it."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate import specifications
from annotate.actions.jobs import Lease, create_job
from annotate.actions.learning import Artefact, HeldOut, Learned, add_revision, add_scores, finish_scoring
from annotate.actions.queue import ChosenPair, append_epoch
from annotate.models import (
    AuditEntry,
    Comparison,
    Job,
    JobKind,
    JobState,
    Project,
    Revision,
    RevisionTest,
    Role,
    Route,
)
from tests.factories import judge, make_comparison, make_member, make_pair, make_project, make_user
from tests.review.test_items import make_revision

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
        f'<a href="{reverse("admin:annotate_job_progress", args=[Job.objects.get(kind=JobKind.TRAIN).pk])}">builtin 1</a>',
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


def post(client: Client, project: Project, act: str, **data: object) -> Any:
    return client.post(reverse("admin:annotate_project_act", args=[project.pk, act]), data)


def test_a_revision_is_promoted_and_rolled_back_by_a_button(client: Client, project: Project) -> None:
    first = Revision.objects.get(project=project)
    second = make_revision(project, 2, promoted_at=None)
    log_in(client, project)
    for revision, hold in ((second, ""), (first, "on")):
        answer = post(client, project, "promote", revision=revision.pk, hold=hold)
        assert answer.headers["Location"] == reverse("admin:annotate_project_learning", args=[project.pk])
        page = client.get(answer.headers["Location"]).content.decode()
        assert f"<td>{revision}. A new one takes over" in page
        assert f"{str(revision).capitalize()} is current; it scores" in page
    assert Project.objects.get(pk=project.pk).promotion == "never"
    assert Job.objects.filter(kind=JobKind.SCORE, state=JobState.QUEUED).count() == 2
    theirs = make_revision(make_project())
    assert "Select a valid choice" in post(client, project, "promote", revision=theirs.pk).content.decode()


def test_what_was_compared_is_told(client: Client, project: Project) -> None:
    first = Revision.objects.get(project=project)
    second = make_revision(project, 2, promoted_at=None)
    log_in(client, project)
    answer = post(client, project, "compare", candidate=second.pk, against=first.pk)
    job = Job.objects.get(kind=JobKind.COMPARE)
    assert answer.headers["Location"] == reverse("admin:annotate_job_progress", args=[job.pk])
    figure = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 8, "groups": 4}
    one = {"candidate": figure, "against": figure, "difference": figure, "p": 0.125}
    content = {
        "protocols": {"without_ties": one, "with_ties": one},
        "takes_over": True,
        "why": "It is not worse.",
        "left_out": {"builtin 2": 3},
    }
    RevisionTest.objects.create(candidate=second, against=first, read_at=timezone.now(), content=content)
    page = client.get(reverse("admin:annotate_project_learning", args=[project.pk])).content.decode()
    for told in (
        "<th>builtin 2</th><td>builtin 1</td>",
        "0.500 (0.250 to 0.750)",
        "<td>0.1250</td>",
        "It took over. It is not worse. 3 comparisons are left out: builtin 2 cannot judge them.",
    ):
        assert told in page, told


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(specifications, "FOLDER", tmp_path)
    (tmp_path / "served.yaml").write_text("backend: vllm\nurl: http://localhost:1\nmodel: reward\n")
    return tmp_path


def test_a_manager_trains_by_what_is_offered_alone(client: Client, project: Project, specs: Path) -> None:
    log_in(client, project)
    own = "backend: vllm\nurl: http://evil.example\nmodel: m\nkey_env: SECRET_KEY\n"
    assert post(client, project, "train", text=own).status_code == 403
    assert "Choose a specification" in post(client, project, "train").content.decode()
    assert (
        "Choose a specification" in post(client, project, "train", name="served", text=own).content.decode()
    )
    assert "Select a valid choice" in post(client, project, "train", name="../served").content.decode()
    assert not Job.objects.filter(kind=JobKind.TRAIN, state=JobState.QUEUED).exists()
    answer = post(client, project, "train", name="served")
    job = Job.objects.get(kind=JobKind.TRAIN, state=JobState.QUEUED)
    assert answer.headers["Location"] == reverse("admin:annotate_job_progress", args=[job.pk])
    assert job.spec == {"backend": "vllm", "settings": {"url": "http://localhost:1", "model": "reward"}}
    Job.objects.filter(pk=job.pk).update(
        state="running", done=3, total=8, step="training", spec=job.spec | {"rate": 2.5}
    )
    page = client.get(reverse("admin:annotate_project_learning", args=[project.pk])).content.decode()
    assert "running: 3 of 8, 2.5 a second training" in page
    (specs / "served.yaml").write_text("backend: vllm\nurl: http://localhost:2\nmodel: reward\n")
    assert "trains vllm otherwise" in post(client, project, "train", name="served").content.decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "must hold a mapping of fields"),
        ("a: [", "is no YAML"),
        ("url: x", "backend is missing"),
        ("backend: vllm\nsince: 2026-01-01", "no dates"),
        ("backend: vllm\nx: .nan", "no dates, no .nan"),
    ],
)
def test_what_is_wrong_with_a_specification_is_said(client: Client, text: str, words: str) -> None:
    project = make_project()
    root = make_user("root", superuser=True, password=None)
    client.force_login(root, "webapp.sessions.Accounts")
    assert words in post(client, project, "train", text=text).content.decode()
    assert not Job.objects.exists()
