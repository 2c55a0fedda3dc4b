"""What the tasks call, when beat sends them, and what happens without a broker."""

import time
from datetime import timedelta
from typing import Any

import django.db
import psycopg
import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from celery.schedules import crontab
from django.db import transaction
from django.utils import timezone

from annotate.actions import jobs, queue, retention
from annotate.later import send_on_commit
from annotate.models import Job, JobKind, JobState
from tests.factories import make_project
from workers import loop, tasks
from workers.celery import app


def test_beat_sends_tasks_that_exist() -> None:
    app.loader.import_default_modules()
    schedule = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
    assert schedule == {
        "workers.tasks.top_up_queues": 5,
        "workers.tasks.tend_loops": 10,
        "workers.tasks.expire_claims": 15,
        "workers.tasks.sweep": 30,
        "workers.tasks.apply_retention": crontab(hour=3, minute=17),
        "workers.tasks.embed_missing": 60,
    }
    assert set(schedule) <= set(app.tasks)


def test_limits_keep_a_running_task_from_being_handed_out_twice() -> None:
    conf = app.conf
    assert conf.task_soft_time_limit < conf.task_time_limit < conf.visibility_timeout
    assert conf.broker_transport_options["visibility_timeout"] == conf.visibility_timeout
    assert tasks.SEGMENT.total_seconds() < conf.task_soft_time_limit
    assert conf.task_acks_late and conf.task_reject_on_worker_lost
    assert conf.accept_content == ["json"]


@pytest.mark.parametrize(
    ("task", "target"),
    [
        (tasks.sweep, (jobs, "sweep_jobs")),
        (tasks.sweep, (tasks, "remove_abandoned_uploads")),
        (tasks.expire_claims, (queue, "expire_claims")),
        (tasks.top_up_queues, (queue, "top_up_queues")),
        (tasks.tend_loops, (loop, "tick")),
        (tasks.apply_retention, (retention, "apply_retention")),
    ],
)
def test_tasks_call_the_domain(task: Any, target: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr(jobs, "sweep_jobs", lambda: None)
    monkeypatch.setattr(tasks, "remove_abandoned_uploads", lambda: None)
    monkeypatch.setattr(*target, lambda: called.append(True))
    task()
    assert called == [True]


def test_second_runner_leaves_the_job_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def running(job_id: int, **_: Any) -> None:
        raise jobs.AlreadyRunning(f"Job {job_id} is running in another process.")

    monkeypatch.setattr(jobs, "run_job", running)
    tasks.run_job(1)


def test_the_app_is_current_in_web_processes() -> None:
    assert current_app.conf.broker_url == app.conf.broker_url


@pytest.fixture
def job(db: None, monkeypatch: pytest.MonkeyPatch) -> Job:
    return jobs.create_job(by=None, project=make_project(), kind=JobKind.IMPORT)


def runs_as(monkeypatch: pytest.MonkeyPatch, runner: Any) -> None:
    monkeypatch.setattr(jobs, "_runner", lambda kind: runner)


def test_segment_ends_at_the_second_beat_after_its_time_and_queues_the_job_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(jobs, "send", lambda job: sent.append(job.pk))

    def work(lease: jobs.Lease) -> None:
        for number in range(lease.job.done, 3):
            time.sleep(0.02)
            lease.beat(done=number + 1, total=3)

    runs_as(monkeypatch, work)
    for expected in (1, 2, 3):  # each step is longer than a segment, and still each segment keeps one
        after = jobs.run_job(job.pk, segment=timedelta(milliseconds=1))
        assert (after.done, after.state) == (expected, JobState.DONE if expected == 3 else JobState.QUEUED)
        assert after.attempts <= 2
    assert sent == [job.pk, job.pk]


def test_an_attempt_that_comes_no_further_than_the_last_is_without_progress(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training goes on from its last checkpoint, some steps before where it was killed."""

    def killed_at_ten(lease: jobs.Lease) -> None:
        for done in range(8, 11):
            lease.beat(done=done, total=100)
        raise SoftTimeLimitExceeded

    runs_as(monkeypatch, killed_at_ten)
    for _ in range(jobs.MAX_ATTEMPTS):
        with pytest.raises(SoftTimeLimitExceeded):
            jobs.run_job(job.pk)
    after = jobs.run_job(job.pk)
    assert after.state == JobState.FAILED and "attempts without progress" in after.error


def test_job_without_progress_is_given_up(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(lease: jobs.Lease) -> None:
        raise SoftTimeLimitExceeded

    runs_as(monkeypatch, too_long)
    for _ in range(jobs.MAX_ATTEMPTS):
        with pytest.raises(SoftTimeLimitExceeded):
            jobs.run_job(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.RUNNING
    after = jobs.run_job(job.pk)
    assert after.state == JobState.FAILED and "attempts without progress" in after.error


@pytest.mark.parametrize("error", [django.db.OperationalError, psycopg.OperationalError])
def test_job_whose_database_went_away_is_no_failure(
    job: Job, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(lease: jobs.Lease) -> None:
        raise error("server closed the connection unexpectedly")  # the driver's own where rows are copied

    runs_as(monkeypatch, cut_off)
    with pytest.raises(error):
        jobs.run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.RUNNING


def test_sweeper_leaves_alone_what_is_young_moving_or_over(job: Job) -> None:
    old = timezone.now() - timedelta(minutes=5)
    rows = Job.objects.filter(pk=job.pk)
    for changes, swept in (
        ({}, 0),
        ({"created_at": old}, 1),
        ({"state": JobState.RUNNING, "beat_at": timezone.now()}, 0),
        ({"beat_at": old}, 1),
        ({"state": JobState.CANCELLED}, 0),
    ):
        rows.update(**changes)
        assert jobs.sweep_jobs() == swept, changes


@pytest.mark.django_db(transaction=True)
def test_broker_down_does_not_fail_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery

    away = Celery("away", set_as_current=False)
    away.config_from_object(
        {
            "broker_url": "redis://127.0.0.1:1/0",
            "broker_transport_options": app.conf.broker_transport_options,
        }
    )
    monkeypatch.setattr("annotate.later.current_app", away)
    begun = time.monotonic()
    with transaction.atomic():
        project = make_project()
        send_on_commit("workers.tasks.run_job", 1)
    assert time.monotonic() - begun < 3
    project.refresh_from_db()
