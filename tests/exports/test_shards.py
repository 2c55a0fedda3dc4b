"""Several processes write one release: each file once, and whatever one of them leaves another takes."""

import fcntl
import itertools
from pathlib import Path

import pytest
from django.conf import LazySettings
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions.jobs import run_job
from annotate.actions.releases import ReleaseOptions, start_release
from annotate.exports import build, shards
from annotate.exports.run import assist
from annotate.exports.shards import Shard, make_locks, taking
from annotate.models import Release
from tests.exports.test_killed import hashes, project_with_everything
from tests.test_local_servers import eventually


class _Dies(Exception):
    """The process that writes is gone."""


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=6),
)
def test_whoever_dies_at_whichever_file_all_are_written_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, count: int, deaths: list[tuple[bool, int]]
) -> None:
    """Leaders and helpers who die one after the other, each at a file of its own."""
    directory = tmp_path_factory.mktemp("release")
    make_locks(directory)
    dies_at = -1
    written: list[int] = []

    def write(path: Path) -> None:
        if int(path.name) == dies_at:
            raise _Dies
        written.append(int(path.name))
        path.write_text(path.name)

    files = [Shard(directory / str(n), 1, write) for n in range(count)]
    for leads, place in deaths:
        dies_at = place
        with taking(directory, files) as taken:
            try:
                if leads:
                    taken.lead(lambda shard: None, lambda: None)
                else:
                    taken.help()
            except _Dies:
                pass
    dies_at = -1
    with taking(directory, files) as taken:
        taken.lead(lambda shard: None, lambda: None)
    assert sorted(written) == list(range(count))


def test_a_file_that_another_is_at_is_left_and_taken_at_last(tmp_path: Path) -> None:
    make_locks(tmp_path)
    order: list[str] = []

    def write(path: Path) -> None:
        order.append(path.name)
        path.write_text("")

    files = [Shard(tmp_path / str(n), 1, write) for n in range(3)]
    # Locks are of a process: what another one holds is played by a refusal, the first two times that it is asked for.
    asked = itertools.count()
    real = fcntl.lockf

    def refusing(file: object, what: int, length: int, start: int) -> None:
        if start == 0 and what != fcntl.LOCK_UN and next(asked) < 2:
            raise BlockingIOError
        real(file, what, length, start)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched, taking(tmp_path, files) as taken:
        patched.setattr(shards.fcntl, "lockf", refusing)
        patched.setattr(shards, "_LOOK_AGAIN", 0)
        taken.lead(lambda shard: None, lambda: order.append("waits"))
    assert order == ["1", "2", "waits", "0"]


@pytest.mark.django_db(transaction=True)
def test_processes_of_their_own_write_the_same_bytes(tmp_path: Path) -> None:
    project = project_with_everything()
    release = start_release(
        by=None, project=project, options=ReleaseOptions(min_labels=1), directory=tmp_path / "alone"
    )
    build.build(release, tmp_path / "alone", lambda **_: None, processes=1)

    def led(self: shards.Taking, told: object, waits: object) -> None:
        """Whoever leads writes nothing: the helper does."""
        assert eventually(lambda: all(shard.path.exists() for shard in self.shards), 120)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shards.Taking, "lead", led)
        build.build(release, tmp_path / "helped", lambda **_: None, processes=2)
    assert hashes(tmp_path / "alone") == hashes(tmp_path / "helped")


@pytest.mark.django_db
def test_a_worker_that_helps_writes_what_the_one_that_leads_then_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = project_with_everything()
    release = start_release(by=None, project=project, options=ReleaseOptions(min_labels=1))
    helped: list[list[bool]] = []
    sent: list[tuple[object, ...]] = []
    real = shards.Taking.lead

    def led(self: shards.Taking, *args: object) -> None:
        assist(str(release.pk))
        helped.append([shard.path.exists() for shard in self.shards])
        real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(shards.Taking, "lead", led)
    monkeypatch.setattr("annotate.exports.run.send_on_commit", lambda *args, **_: sent.append(args))
    run_job(release.job_id)
    assert Release.objects.get(pk=release.pk).archive_key
    assert helped and all(helped[0])
    assert sent == [("workers.tasks.write_shards", str(release.pk))] * 2
    assist(str(release.pk))  # too late: there is nothing to do


@pytest.mark.django_db
def test_a_worker_that_does_not_see_the_folder_says_what_to_share(
    monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path
) -> None:
    """On another machine, with a DATA_DIR of its own: the release is made without it."""
    release = start_release(by=None, project=project_with_everything(), options=ReleaseOptions(min_labels=1))
    warned: list[dict[str, object]] = []
    monkeypatch.setattr(
        "annotate.exports.run.log.warning", lambda said, **told: warned.append({"said": said, **told})
    )
    monkeypatch.setattr("annotate.exports.run.send_on_commit", lambda *args, **_: None)
    assist(str(release.pk))  # which nobody has begun: nothing is missing
    real, here = shards.Taking.lead, settings.DATA_DIR

    def led(self: shards.Taking, *args: object) -> None:
        settings.DATA_DIR = tmp_path / "elsewhere"
        assist(str(release.pk))
        settings.DATA_DIR = here
        real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(shards.Taking, "lead", led)
    run_job(release.job_id)
    assert Release.objects.get(pk=release.pk).archive_key
    (warning,) = warned
    assert "share one DATA_DIR" in str(warning["said"])
    assert warning["folder"] == str(tmp_path / "elsewhere" / "releases" / str(release.pk))
    assist(str(release.pk))  # too late: nothing is missing any more
    assert len(warned) == 1
