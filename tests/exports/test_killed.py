"""Kill -9 at random instants: the same command goes on, is done once, and ends in the same bytes."""

import json
import random
import signal
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from annotate.models import FrozenComparison, FrozenJudgment, Job, JobState, Partition, Project, Release
from tests.exports.test_columns import judged_pair
from tests.factories import judge, make_comparison, make_pair, make_project
from tests.killing import KILLS, Commander, commander
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Commander]:
    with commander(environ_on_test_database(), tmp_path / "exporter.log") as exporter:
        yield exporter


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


@pytest.mark.timeout(600)
def test_killed_at_random_instants_it_ends_in_the_same_bytes(tmp_path: Path, exporter: Commander) -> None:
    project = project_with_everything()
    chance = random.Random(20251)
    begun = time.monotonic()
    assert (
        exporter.run(
            "export_bench", "--project", project.slug, "--out", f"{tmp_path}/whole", "--min-labels", "1"
        )
        == 0
    )
    duration = time.monotonic() - begun
    killed, rounds = 0, 0
    while killed < KILLS:
        rounds += 1
        out = tmp_path / f"killed-{rounds}"
        # Every other time a second process writes too, and goes with the one that is killed.
        processes = ("--processes", str(1 + rounds % 2))
        command = (
            "export_bench", "--project", project.slug, "--out", str(out), "--min-labels", "1", *processes
        )  # fmt: skip
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
        assert (
            exporter.run("export_bench", "--project", project.slug, "--out", str(again), "--release", release)
            == 0
        )
        assert hashes(out) == hashes(again)
        assert Job.objects.get(release=release).state == JobState.DONE
        assert FrozenComparison.objects.filter(release=release).count() == 124
        assert FrozenJudgment.objects.filter(comparison__release=release).count() == 124
    # Frozen once each, however often it was killed.
    assert Release.objects.exclude(frozen_at=None).count() == 1 + rounds
