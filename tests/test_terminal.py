"""Jobs of commands at a terminal: how they begin, and what is shown of them."""

import threading
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command

from annotate.actions.imports import start_import
from annotate.actions.jobs import _LOCK_SPACE
from annotate.actions.releases import ReleaseOptions, start_release
from annotate.exports import files
from annotate.models import DataImport, Job, JobState
from tests.factories import judge, make_comparison, make_pair, make_project
from tests.imports.reading import row, spec_of, write_json
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)


def hold_lease(job: Job, seconds: float) -> None:
    """As the server does for a client that was killed and whose last statement has not ended."""
    held = psycopg.connect(environ_on_test_database()["DATABASE_URL"], autocommit=True)
    held.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK_SPACE, job.pk])
    threading.Timer(seconds, held.close).start()


def test_an_import_waits_for_the_lease_of_one_that_was_just_killed(tmp_path: Path) -> None:
    project = make_project()
    path = write_json(tmp_path / "p.json", [row(1)])
    begun = start_import(by=None, project=project, spec=spec_of(path), by_hand=True)
    hold_lease(begun.job, 1)
    call_command("import_pairs", str(path), "--project", project.slug)
    assert DataImport.objects.get().visible


def test_a_release_waits_too(tmp_path: Path) -> None:
    project = make_project()
    judge(make_comparison(make_pair(project)), "response1")
    options = ReleaseOptions(min_labels=1)
    begun = start_release(by=None, project=project, options=options, directory=tmp_path / "out")
    files.mark(tmp_path / "out", begun.pk)
    hold_lease(begun.job, 1)
    call_command(
        "export_bench", "--project", project.slug, "--out", str(tmp_path / "out"), "--min-labels", "1"
    )
    begun.job.refresh_from_db()
    assert begun.job.state == JobState.DONE
