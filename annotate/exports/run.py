"""The work of a release job: in the directory that a command named, or as a zip in storage."""

import shutil
import zipfile
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from annotate.actions.jobs import Lease, Refused
from annotate.exports import files
from annotate.exports.build import assist as build_assist
from annotate.exports.build import build
from annotate.later import send_on_commit
from annotate.models import JobState, Release

log = structlog.get_logger(__name__)

_HELPERS = 2
_EXPIRES = 600  # seconds after which the release is likely written
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest there is: the same files make the same archive


def run(lease: Lease) -> None:
    release = Release.objects.get(job=lease.job)
    if release.directory:
        directory = Path(release.directory)
        if files.release_in(directory) != release.pk:
            raise Refused(
                f"{directory} is not on this machine, or no longer holds the beginning of this release."
                " Run export_bench again where it is."
            )
        manifest = build(release, directory, lease.beat, processes=lease.job.spec.get("processes"))
        Release.objects.filter(pk=release.pk).update(manifest=manifest)
        return
    directory = Path(settings.DATA_DIR) / "releases" / str(release.pk)
    if not release.archive_key:
        manifest = build(release, directory, lease.beat, call_helpers=partial(_call_helpers, release))
        key = _archive(lease, release, directory)
        Release.objects.filter(pk=release.pk).update(manifest=manifest, archive_key=key)
    directory.with_suffix(".zip").unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)


def _call_helpers(release: Release) -> None:
    """Ask the workers of media, who have several processes: those that see this folder help to write it."""
    for _ in range(_HELPERS):
        send_on_commit("workers.tasks.write_shards", str(release.pk), queue="media", expires=_EXPIRES)


def assist(release_id: str) -> None:
    """Help a worker that makes a release, where its folder is on this machine or is shared with it. Where it is not, the
    release is made without this one, and the log says what to share.
    """
    directory = Path(settings.DATA_DIR) / "releases" / release_id
    if directory.is_dir():
        build_assist(release_id, directory)
    elif Release.objects.filter(pk=release_id, archive_key="", job__state=JobState.RUNNING).exists():
        log.warning(
            "cannot help with a release: its folder is not on this machine. Let the workers of the queues media and export"
            " share one DATA_DIR",
            release=release_id,
            folder=str(directory),
        )


def _archive(lease: Lease, release: Release, directory: Path) -> str:
    """Put the directory into storage as one zip and return its key."""
    key = f"releases/{release.pk}.zip"
    packed = directory.with_suffix(".zip")
    with files.new_file(packed) as file, zipfile.ZipFile(file, "w") as archive:
        for path in [*files.files_in(directory), Path(files.MANIFEST)]:
            lease.beat(step=f"packing {path}"[:80])
            entry = zipfile.ZipInfo(path.as_posix(), _ZIP_DATE)
            # Parquet and media are compressed already.
            text = path.suffix in (".json", ".jsonl", ".md")
            entry.compress_type = zipfile.ZIP_DEFLATED if text else zipfile.ZIP_STORED
            entry.external_attr = 0o644 << 16
            entry.file_size = (directory / path).stat().st_size
            with (directory / path).open("rb") as source, archive.open(entry, "w") as out:
                shutil.copyfileobj(source, out, 2**20)
    lease.beat(step="storing the archive")
    if default_storage.exists(key):  # of an attempt that was killed before it was noted
        default_storage.delete(key)
    with packed.open("rb") as content:
        return default_storage.save(key, File(content))
