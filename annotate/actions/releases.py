"""Beginning a release. The work itself is annotate/exports/run.py, owned by the release's job."""

import hmac
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from django.db import transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.jobs import Refused, create_job, send
from annotate.models import JobKind, Pair, Partition, Project, Release, User
from annotate.models.groups import SMALLEST_GROUP
from annotate.stats.labels import RULE, SETTLED_RULE, Settled


@dataclass(frozen=True)
class ReleaseOptions:
    """What may be chosen. `min_labels` None: as many as the project asks for; `sources` empty: all; `settled`: what
    becomes of what reviewers settled.

    `groups`: tell how the groups of annotators judged, and of each judgment which groups its annotator was in.
    """

    min_labels: int | None = None
    sources: tuple[str, ...] = ()
    settled: Settled = Settled.USE
    groups: bool = False


def recipe_of(project: Project, options: ReleaseOptions) -> dict[str, object]:
    """The rules by which a release is made from its frozen rows.

    Raises:
        Refused: an option is out of range, or names a source that the project does not have.
    """
    if options.min_labels is not None and not 1 <= options.min_labels <= 9:
        raise Refused(
            f"min_labels is {options.min_labels}: give 1 to 9, the most labels a comparison can have."
        )
    for source in options.sources:
        if not Pair.objects.filter(project=project, source=source).exists():
            raise Refused(f"Project {project.slug} has no pairs of source {source!r}.")
    reserve, train = options.min_labels or project.reserve_k, options.min_labels or project.k
    recipe: dict[str, object] = {
        "version": 4,
        "labels": f"{RULE} {SETTLED_RULE[options.settled]}",
        "settled": str(options.settled),
        "min_labels": {Partition.RESERVE: reserve, Partition.VALIDATION: reserve, Partition.TRAIN: train},
        "sources": sorted(options.sources) or None,
    }
    # Only where it is chosen: releases without it are what they always were.
    return recipe | {"groups": {"smallest": SMALLEST_GROUP}} if options.groups else recipe


@transaction.atomic
def start_release(
    *,
    by: User | None,
    project: Project,
    options: ReleaseOptions,
    directory: Path | None = None,
    release_id: UUID | None = None,
) -> Release:
    """A new release with its job. Without `directory` the workers make it, as a zip in storage.

    With `directory`, which must be marked as this release's, the caller runs the job itself.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: the options do not fit the project.
    """
    require(by, Deed.MANAGE, project)
    recipe = recipe_of(project, options)
    job = create_job(by=by, project=project, kind=JobKind.RELEASE)
    release_id = release_id or uuid4()
    release = Release.objects.create(
        pk=release_id,
        project=project,
        job=job,
        recipe=recipe,
        # Derived, so that it needs no keeping; from the project's key, so that it cannot be derived elsewhere.
        pseudonym_key=hmac.digest(bytes.fromhex(project.pseudonym_key), release_id.bytes, "sha256").hex(),
        directory=str(directory or ""),
    )
    audit.record(by, "start release", release, project, recipe=recipe)
    if directory is None:
        send(job)
    return release


@transaction.atomic
def fetch_release(*, by: User | None, release: Release) -> str:
    """The storage key of a finished release's archive, for handing it out; that it was is written down.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: there is no archive.
    """
    require(by, Deed.MANAGE, release.project)
    if not release.archive_key:
        raise Refused(
            f"Release {release.pk} has no archive: its job has not ended, or it was made in a folder."
        )
    audit.record(by, "fetch release", release, release.project)
    return release.archive_key
