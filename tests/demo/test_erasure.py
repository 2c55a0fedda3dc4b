"""Deleting the demo: every row and file of it goes, nothing else does, and an audit row says so."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.core.files.storage import default_storage
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from annotate.access import Denied, Role, Unknown
from annotate.actions.erasure import DEED, erase_demo, extent_of
from annotate.actions.jobs import Refused, run_job
from annotate.actions.releases import ReleaseOptions, start_release
from annotate.models import AuditEntry, Draw, Job, JobKind, Judgment, Project, ProjectState, User
from tests.factories import (
    judge,
    make_asset,
    make_comparison,
    make_member,
    make_pair,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db(transaction=True)


def files() -> set[str]:
    root = Path(default_storage.path(""))
    return (
        {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        if root.exists()
        else set()
    )


def counts() -> dict[str, int]:
    """Rows of every table of ours but the trail, which keeps what it has."""
    return {
        model.__name__: model._default_manager.count()
        for model in apps.get_app_config("annotate").get_models(include_auto_created=True)
        if model is not AuditEntry
    }


@pytest.fixture
def storage(settings: LazySettings, tmp_path: Path) -> None:
    stores = {**settings.STORAGES}
    stores["default"] = {
        **stores["default"],
        "OPTIONS": {"location": str(tmp_path / "media"), "base_url": None},
    }
    settings.STORAGES = stores


@pytest.mark.usefixtures("storage")
def test_every_row_and_file_of_it_goes_and_nothing_else(make_small: Callable[[], Project]) -> None:
    root = make_user("root", superuser=True, password=None)
    real = make_project()
    asset = make_asset(real, b"a real picture")
    kept = judge(make_comparison(make_pair(real, response1=asset)), "response1")
    rows_before, files_before = counts(), files()
    project = make_small()
    release = start_release(by=root, project=project, options=ReleaseOptions(min_labels=1))
    run_job(release.job_id, by_hand=True)
    extent = extent_of(project)
    assert extent.pairs == 9 and extent.judgments > 25 and extent.releases == 1 and extent.others == 0
    assert len(files()) == len(files_before) + extent.files + 1  # and the release's archive

    erased = erase_demo(by=root, project=project)

    assert erased == extent
    assert counts() == rows_before
    assert files() == files_before
    entry = AuditEntry.objects.get(deed=DEED)
    assert (entry.by, entry.project_id, entry.details["pairs"]) == (root, project.pk, 9)
    assert AuditEntry.objects.filter(project=project.pk, deed="create project").exists()
    # The door is shut again.
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Judgment.objects.filter(pk=kept.pk).delete()


def demo_with_a_judgment(**fields: object) -> Project:
    project = make_project(demo=True, **fields)
    judge(make_comparison(make_pair(project)), "response1")
    return project


def test_only_demos_and_only_by_their_managers() -> None:
    real, demo = make_project(), demo_with_a_judgment()
    with pytest.raises(Refused, match="Only a demo"):
        erase_demo(by=None, project=real)
    with pytest.raises(Denied):
        erase_demo(by=make_member(demo), project=demo)
    with pytest.raises(Unknown):
        erase_demo(by=make_user(), project=demo)
    assert Draw.objects.filter(project=demo).exists()
    erase_demo(by=make_member(demo, Role.MANAGER), project=demo)
    assert list(Project.objects.all()) == [real]


def test_real_people_keep_their_accounts() -> None:
    demo = demo_with_a_judgment()
    user = make_member(demo)
    gone = User.objects.create(username="demo-x", simulated=True)
    demo.annotators.create(user=gone, pseudonym="x")
    other = User.objects.create(username="demo-y", simulated=True)
    erase_demo(by=None, project=demo)
    assert set(User.objects.all()) >= {user, other}
    assert not User.objects.filter(pk=gone.pk).exists()


def test_unfinished_jobs_are_ended_first() -> None:
    demo = demo_with_a_judgment()
    Job.objects.create(kind=JobKind.DEMO, project=demo)
    erase_demo(by=None, project=demo)
    assert not Job.objects.exists()


def test_where_the_files_cannot_be_removed_nothing_is_lost_and_nothing_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    demo = demo_with_a_judgment()
    make_asset(demo, b"picture")

    def broken(folder: str) -> None:
        raise OSError("the store is down")

    monkeypatch.setattr("annotate.media.remove_folder", broken)
    with pytest.raises(OSError, match="down"):
        erase_demo(by=None, project=demo)
    assert Judgment.objects.count() == 1 and not AuditEntry.objects.filter(deed=DEED).exists()
    demo.refresh_from_db()
    assert demo.state == ProjectState.CLOSED
    monkeypatch.undo()
    erase_demo(by=None, project=demo)
    assert not Project.objects.exists()


def act_url(project: Project) -> str:
    return reverse("admin:annotate_project_act", args=[project.pk, "erase"])


def test_one_click_in_the_admin_after_a_page_that_asks(client: Client) -> None:
    demo = demo_with_a_judgment(name="Demo of mine")
    client.force_login(make_member(demo, Role.MANAGER, make_user(password=None)))
    assert (
        act_url(demo) in client.get(reverse("admin:annotate_project_change", args=[demo.pk])).content.decode()
    )
    asks = client.get(act_url(demo)).content.decode()
    assert "1 pairs with 1 judgments" in asks and "1 real annotators" in asks
    assert Project.objects.exists()
    client.force_login(make_user("root", superuser=True, password=None))
    answer = client.post(act_url(demo), follow=True)
    assert not Project.objects.exists()
    assert "Erased: Demo of mine" in answer.content.decode()
    assert client.get(reverse("admin:annotate_auditentry_changelist")).status_code == 200
    entry = AuditEntry.objects.get(deed=DEED)
    assert client.get(reverse("admin:annotate_auditentry_change", args=[entry.pk])).status_code == 200


def test_a_real_project_has_no_such_button_and_refuses(client: Client) -> None:
    real = make_project()
    client.force_login(make_user("root", superuser=True, password=None))
    assert (
        act_url(real)
        not in client.get(reverse("admin:annotate_project_change", args=[real.pk])).content.decode()
    )
    answer = client.post(act_url(real))
    assert "Only a demo can be erased" in answer.content.decode()
    assert Project.objects.exists()


def test_a_demo_is_shown_as_one(client: Client) -> None:
    demo, real = demo_with_a_judgment(), make_project()
    client.force_login(make_user("root", superuser=True, password=None))
    badge = '<span class="chip demo"'
    assert client.get(reverse("home")).content.decode().count(badge) == 1
    assert badge in client.get(reverse("judge", args=[demo.slug])).content.decode()
    assert badge not in client.get(reverse("judge", args=[real.slug])).content.decode()
