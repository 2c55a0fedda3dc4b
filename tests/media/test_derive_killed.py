"""Killed at any instruction, the preparing of media goes on where it stopped: complete, once, no file without a row."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from django.core.files.storage import default_storage

from annotate import integrity
from annotate.modalities import HOUSES
from annotate.models import Asset, Derivative, Job, JobKind, JobState, Modality, Pair
from tests.factories import make_project
from tests.imports.reading import import_files, row, write_json
from tests.media.clips import sound, tone, video
from tests.paths import ROOT
from tests.processes import environ_on_test_database

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = int(os.environ.get("KILLS", "4"))
FILES = 6


def solid(number: int) -> bytes:
    """A tetrahedron, as text."""
    corners = [(0, 0, 0), (1 + number, 0, 0), (0, 1, 0), (0, 0, 1)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    return "\n".join([*lines, "f 1 3 2", "f 1 2 4", "f 2 3 4", "f 3 1 4", ""]).encode()


def content(modality: Modality, number: int) -> bytes:
    if modality == Modality.VIDEO:
        return video("video/webm", codec="libvpx-vp9", frames=20 + number, sound="libopus")
    if modality == Modality.AUDIO:
        return sound(samples=tone(4, hertz=300 + number).reshape(-1, 1))
    return solid(number)


@contextmanager
def preparing(job: Job) -> Iterator["subprocess.Popen[str]"]:
    """A process that has begun to work on the job. It is dead afterwards, and its children with it."""
    env = environ_on_test_database()
    command = [sys.executable, "-m", "tests.media.deriving", str(job.pk)]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        try:
            assert process.stdout.readline() == "preparing\n", process.stderr.read()
            yield process
        finally:
            children = []
            with suppress(psutil.NoSuchProcess):  # it was done already
                children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
            _, alive = psutil.wait_procs(children, timeout=10)
            assert not alive


def stored() -> set[str]:
    root = Path(default_storage.path("assets"))
    return {f"assets/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("modality", [Modality.VIDEO, Modality.AUDIO, Modality.MESH])
def test_complete_once_and_nothing_besides(modality: Modality, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    for n in range(FILES):
        (media / str(n)).write_bytes(content(modality, n))
    rows = [
        row(n, response1={"media": str(2 * n)}, response2={"media": str(2 * n + 1)})
        for n in range(FILES // 2)
    ]
    before = stored()
    project = make_project()
    import_files(project, write_json(tmp_path / "p.json", rows), media=media)
    job = Job.objects.get(project=project, kind=JobKind.DERIVE)
    chance, killed = random.Random(5), 0
    for turn in range(KILLS):
        with preparing(job) as process:
            # The first ones soon: a fast machine is done before a late one.
            time.sleep(chance.uniform(0, min(2.5, 0.3 * 2**turn)))
            killed += process.poll() is None
        if Asset.objects.filter(project=project, prepared=False).count() == 0:
            break
    with preparing(job) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "done\n", process.stderr.read()
    assert killed
    job.refresh_from_db()
    assert job.state == JobState.DONE and not Asset.objects.filter(project=project, prepared=False).exists()
    made = Derivative.objects.filter(asset__project=project)
    assert made.count() == FILES * len(HOUSES[modality].KINDS)
    keys = {*made.values_list("key", flat=True)}
    keys |= {*Asset.objects.filter(project=project).values_list("key", flat=True)}
    assert stored() - before == keys
    assert all(Pair.objects.filter(project=project).values_list("ready", flat=True))
    assert not integrity.violations()
