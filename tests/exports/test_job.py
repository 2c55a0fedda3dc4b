"""A release asked for by a manager: made by a worker, kept as a zip, the same bytes as the command's."""

import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command

from annotate.access import Denied, Unknown
from annotate.actions.jobs import Refused, cancel_job, retry_job, run_job
from annotate.actions.releases import ReleaseOptions, start_release
from annotate.models import AuditEntry, JobState, Partition, Project, Release, Role
from tests.factories import judge, make_comparison, make_member, make_pair, make_project, make_user

pytestmark = pytest.mark.django_db

ONE = ReleaseOptions(min_labels=1)


@pytest.fixture
def project() -> Project:
    project = make_project()
    for partition in Partition:
        judge(make_comparison(make_pair(project, partition=partition)), "response1")
    return project


def test_the_zip_holds_what_the_command_writes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, tuple[object, ...], str]] = []
    monkeypatch.setattr(
        "annotate.actions.jobs.send_on_commit",
        lambda task, *args, queue, **_: sent.append((task, args, queue)),
    )
    manager = make_member(project, Role.MANAGER)
    release = start_release(by=manager, project=project, options=ONE)
    assert sent == [("workers.tasks.run_job", (release.job_id,), "export")]
    assert AuditEntry.objects.filter(by=manager, deed="start release").count() == 1
    assert run_job(release.job_id).state == JobState.DONE
    release.refresh_from_db()
    assert release.manifest
    call_command(
        "export_bench", "--project", project.slug, "--out", str(tmp_path), "--release", str(release.pk)
    )
    with default_storage.open(release.archive_key) as file, zipfile.ZipFile(file) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    there = {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert packed == there
    assert list(packed)[-1] == "MANIFEST.json"
    assert not (Path(settings.DATA_DIR) / "releases" / str(release.pk)).exists()


def test_a_worker_that_comes_again_makes_no_second_archive(project: Project) -> None:
    release = start_release(by=None, project=project, options=ONE)
    run_job(release.job_id)
    release.refresh_from_db()
    with default_storage.open(release.archive_key) as file:
        first = file.read()
    run_job(release.job_id)
    release.job.refresh_from_db()
    assert release.job.attempts == 1
    with default_storage.open(release.archive_key) as file:
        assert file.read() == first


def test_only_managers_release(project: Project) -> None:
    for role in (Role.ANNOTATOR, Role.REVIEWER):
        with pytest.raises(Denied):
            start_release(by=make_member(project, role), project=project, options=ONE)
    with pytest.raises(Unknown):
        start_release(by=make_user(), project=project, options=ONE)
    assert not Release.objects.exists()


@pytest.mark.parametrize("min_labels", [0, -1, 10])
def test_min_labels_out_of_range_is_refused(project: Project, min_labels: int) -> None:
    with pytest.raises(Refused, match="give 1 to 9"):
        start_release(by=None, project=project, options=ReleaseOptions(min_labels=min_labels))


def test_by_default_as_many_labels_as_the_project_asks_for() -> None:
    project = make_project(k=2, reserve_k=5)
    release = start_release(by=None, project=project, options=ReleaseOptions())
    assert release.recipe["min_labels"] == {"reserve": 5, "validation": 5, "train": 2}


def test_a_worker_leaves_a_directory_that_it_does_not_have(project: Project, tmp_path: Path) -> None:
    release = start_release(by=None, project=project, options=ONE, directory=tmp_path / "elsewhere")
    job = run_job(release.job_id)
    assert job.state == JobState.FAILED
    assert "not on this machine" in job.error
    assert not (tmp_path / "elsewhere").exists()


def test_a_cancelled_release_stops_and_goes_on_when_retried(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = start_release(by=None, project=project, options=ONE)
    from annotate.exports.formats import omni

    write = omni.write_parquet

    def cancelled(*args: object, **kwargs: object) -> None:
        cancel_job(by=None, job=release.job)
        write(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(omni, "write_parquet", cancelled)
    assert run_job(release.job_id).state == JobState.CANCELLED
    monkeypatch.setattr(omni, "write_parquet", write)
    release.refresh_from_db()
    assert not release.archive_key
    retry_job(by=None, job=release.job)
    assert run_job(release.job_id).state == JobState.DONE
    release.refresh_from_db()
    assert default_storage.exists(release.archive_key)
