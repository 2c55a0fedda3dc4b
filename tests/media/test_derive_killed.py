"""Killed at any step, the preparing of media goes on where it stopped: complete, once, no file without a row."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from annotate import integrity
from annotate.modalities import HOUSES
from annotate.models import Asset, Derivative, Job, JobKind, JobState, Modality, Pair
from tests.factories import make_project
from tests.imports.reading import import_files, row, write_json
from tests.media.clips import sound, tone, video
from tests.media.deriving import BOOT, NEVER, points_of
from tests.paths import ROOT
from tests.processes import environ_on_test_database
from tests.stores import Store
from tests.test_local_servers import eventually

pytestmark = pytest.mark.django_db(transaction=True)


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


# The exit status of a process that works on a job and kills itself at a point.
Prepare = Callable[[Job, str], int]


@pytest.fixture
def prepare(store: Store, tmp_path: Path) -> Iterator[Prepare]:
    with (tmp_path / "deriving.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.media.deriving"],
            cwd=ROOT,
            env=environ_on_test_database() | store.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdin and process.stdout
    assert process.stdout.readline() == "ready\n"

    def prepared(job: Job, point: str) -> int:
        assert process.stdin and process.stdout
        process.stdin.write(f"{job.pk} {point}\n")
        process.stdin.flush()
        worker, status = process.stdout.readline().split()
        assert eventually(lambda: not sandboxed_by(worker)), "its children live on"
        return int(status)

    yield prepared
    process.stdin.close()
    process.wait(20)
    print((tmp_path / "deriving.log").read_text())


def sandboxed_by(worker: str) -> list[int]:
    """The children that open media for a process."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if str(BOOT) in words and words[-1] == worker and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("store", "modality"),
    [
        ("disk", Modality.VIDEO),
        ("disk", Modality.AUDIO),
        ("disk", Modality.MESH),
        ("object store", Modality.AUDIO),
    ],
    indirect=["store"],
)
def test_complete_once_and_nothing_besides(
    modality: Modality, store: Store, prepare: Prepare, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    for n in (1, 2):
        (media / str(n)).write_bytes(content(modality, n))
    before = store.files
    project = make_project()
    rows = [row(1, response1={"media": "1"}, response2={"media": "2"})]
    import_files(project, write_json(tmp_path / "p.json", rows), media=media)
    job = Job.objects.get(project=project, kind=JobKind.DERIVE)
    prepared = Asset.objects.filter(project=project, prepared=True)
    kinds = HOUSES[modality].KINDS
    for point in points_of(kinds):
        assert prepare(job, point) == -signal.SIGKILL, f"not reached: {point}"
        assert prepared.count() == (point == "after commit"), point
    assert prepare(job, NEVER) == 0
    job.refresh_from_db()
    assert job.state == JobState.DONE and prepared.count() == 2
    made = Derivative.objects.filter(asset__project=project)
    assert sorted(made.values_list("asset", "kind")) == sorted(
        (asset.pk, kind) for asset in prepared for kind in kinds
    )
    keys = {*made.values_list("key", flat=True), *prepared.values_list("key", flat=True)}
    assert store.files - before == keys
    assert all(Pair.objects.filter(project=project).values_list("ready", flat=True))
    assert not integrity.violations()
