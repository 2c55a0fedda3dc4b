"""Uploads of imports that failed: kept for another try, and not for ever."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from annotate.actions.imports import start_import_of_upload
from annotate.actions.jobs import Refused, cancel_job, retry_job, run_job
from annotate.imports.uploads import KEPT
from annotate.models import DataImport, Job, JobState
from tests.factories import make_project
from tests.imports.test_media import stored_files
from workers import tasks

pytestmark = pytest.mark.django_db

BAD = b'[{"id": "r1"}]'


def upload(content: bytes = BAD) -> DataImport:
    uploads = [SimpleUploadedFile("p.json", content)]
    return start_import_of_upload(by=None, project=make_project(), uploads=uploads)


def age(job: Job, by: timedelta) -> None:
    Job.objects.filter(pk=job.pk).update(ended_at=timezone.now() - by)


def test_those_of_a_failed_or_cancelled_import_go_in_the_end() -> None:
    before = stored_files()
    failed, cancelled, young, queued = (upload() for _ in range(4))
    assert run_job(failed.job_id).state == run_job(young.job_id).state == JobState.FAILED
    assert cancel_job(by=None, job=cancelled.job)
    keys = {made: made.spec["files"][0]["key"] for made in (failed, cancelled, young, queued)}
    for job in (failed.job, cancelled.job):
        age(job, KEPT + timedelta(minutes=1))
    age(young.job, KEPT - timedelta(minutes=1))
    assert stored_files() - before == set(keys.values())
    tasks.sweep()
    assert stored_files() - before == {keys[young], keys[queued]}


def test_one_that_is_tried_again_keeps_them_and_one_that_comes_too_late_says_so() -> None:
    again = upload()
    run_job(again.job_id)
    age(again.job, KEPT * 2)
    assert retry_job(by=None, job=again.job)
    tasks.sweep()
    assert again.spec["files"][0]["key"] in stored_files()
    run_job(again.job_id)
    age(again.job, KEPT * 2)
    tasks.sweep()
    with pytest.raises(Refused, match=r"p\.json is no longer kept: upload it again"):
        run_job(again.job_id, by_hand=True)
