"""Jobs of commands at a terminal: how they begin, and what is shown of them."""

import os
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
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
from tests.paths import ROOT
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


@pytest.mark.parametrize("ends", [os.openpty, os.pipe])
def test_a_bar_is_shown_in_a_terminal_and_not_in_a_pipe(
    tmp_path: Path, ends: Callable[[], tuple[int, int]]
) -> None:
    path = write_json(tmp_path / "p.json", [row(n) for n in range(5)])
    command = [sys.executable, "manage.py", "import_pairs", str(path), "--project", make_project().slug]
    ours, theirs = ends()
    if os.isatty(theirs):
        termios.tcsetwinsize(theirs, (24, 100))
    try:
        subprocess.run(
            command,
            cwd=ROOT,
            env=environ_on_test_database(),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=True,
        )
        os.write(theirs, b".")  # so that there is something to be read
        said = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    if ends is os.pipe:
        assert said == "."
    else:
        assert "100%" in said and "publishing" in said and "B/s" in said
