"""Kill -9 at random instants: the same command goes on, is done once, and ends in the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from annotate.models import FrozenComparison, FrozenJudgment, Job, JobState, Partition, Project, Release
from tests.exports.test_columns import judged_pair
from tests.factories import judge, make_comparison, make_pair, make_project
from tests.paths import ROOT
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = 20


class Exporter:
    """Runs export_bench in a child that it can kill."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._in, self._out = process.stdin, process.stdout
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._out
        return self._out.readline().strip()

    def run(self, *arguments: str, kill_after: float | None = None) -> int:
        """The exit status: 0, or SIGKILL's number if it was killed in time."""
        assert self._in
        self._in.write(json.dumps(arguments) + "\n")
        self._in.flush()
        child = int(self._line())
        timer = (
            threading.Timer(kill_after, os.kill, (child, signal.SIGKILL)) if kill_after is not None else None
        )
        if timer:
            timer.start()
        status = int(self._line())
        if timer:
            timer.cancel()
        return status


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    env = environ_on_test_database()
    with (tmp_path / "exporter.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.exports.exporter"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    yield Exporter(process)
    process.stdin.close()  # type: ignore[union-attr]
    process.wait(20)
    print((tmp_path / "exporter.log").read_text())


def project_with_everything() -> Project:
    """Text and images, every partition; some hundred rows."""
    project = make_project(task_type="text_image_to_image")
    for partition, colours in (
        (Partition.RESERVE, ("red", "orange", "yellow")),
        (Partition.TRAIN, ("green", "cyan", "blue")),
    ):
        judged_pair(project, partition, colours)
    for n in range(120):
        partition = list(Partition)[n % 3]
        pair = make_pair(project, task_type="text_to_text", partition=partition)
        judge(make_comparison(pair), "response1" if n % 2 else "response2")
    return project


def hashes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_killed_at_random_instants_it_ends_in_the_same_bytes(tmp_path: Path, exporter: Exporter) -> None:
    project = project_with_everything()
    chance = random.Random(20251)
    begun = time.monotonic()
    assert exporter.run("--project", project.slug, "--out", f"{tmp_path}/whole", "--min-labels", "1") == 0
    duration = time.monotonic() - begun
    killed, rounds = 0, 0
    while killed < KILLS:
        rounds += 1
        out = tmp_path / f"killed-{rounds}"
        command = ("--project", project.slug, "--out", str(out), "--min-labels", "1")
        for _ in range(5):
            status = exporter.run(*command, kill_after=chance.uniform(0, duration))
            killed += status == signal.SIGKILL
            if status == 0:
                break
            assert status == signal.SIGKILL
            # Without the manifest there is no release; with it, it is whole.
            if (out / "MANIFEST.json").exists():
                listed = json.loads((out / "MANIFEST.json").read_text())["files"]
                assert {entry["path"]: entry["sha256"] for entry in listed}.items() <= hashes(out).items()
        assert exporter.run(*command) == 0
        release = json.loads((out / "MANIFEST.json").read_text())["release"]
        again = tmp_path / f"again-{rounds}"
        assert exporter.run("--project", project.slug, "--out", str(again), "--release", release) == 0
        assert hashes(out) == hashes(again)
        assert Job.objects.get(release=release).state == JobState.DONE
        assert FrozenComparison.objects.filter(release=release).count() == 124
        assert FrozenJudgment.objects.filter(comparison__release=release).count() == 124
    # Frozen once each, however often it was killed.
    assert Release.objects.exclude(frozen_at=None).count() == 1 + rounds
