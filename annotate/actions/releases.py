"""Beginning a release. The work itself is annotate/exports/run.py, owned by the release's job."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.core.files import File
from django.db import transaction
from django.db.models import Q

from annotate import audit, media
from annotate.access import Deed, require
from annotate.actions.jobs import Refused, create_job, send
from annotate.actions.judging import text_key
from annotate.exports.against import named_file, named_files
from annotate.exports.formats import NAMES
from annotate.exports.recipe import Deal, Recipe, Splits
from annotate.models import Criterion, JobKind, Pair, Partition, Project, Release, User
from annotate.models.groups import SMALLEST_GROUP
from annotate.stats.labels import RULE, SETTLED_RULE, Settled
from annotate.tallies import canonical_criteria


@dataclass(frozen=True)
class ReleaseOptions:
    """What may be chosen: a recipe, and what of it is said otherwise beside it.

    None or empty: as the recipe says.

    `against`: files of other benchmarks, on this machine, that are looked through for what the project holds too; with
    `drop_contaminated` pairs that hold any of it stand in no split.
    """

    min_labels: int | None = None
    sources: tuple[str, ...] = ()
    settled: Settled | None = None
    groups: bool = False
    formats: tuple[str, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    near_duplicates: tuple[str, ...] | None = None
    deal: Deal | None = None
    hold_out_models: tuple[str, ...] = ()
    hold_out_criteria: tuple[str, ...] = ()
    against: tuple[Path, ...] = ()
    drop_contaminated: bool = False

    def whole(self) -> Recipe:
        """The recipe with what is said otherwise in it."""
        given: dict[str, Any] = {
            "sources": self.sources,
            "formats": self.formats,
            "settled": self.settled,
            "groups": self.groups,
        }
        recipe = replace(self.recipe, **{name: value for name, value in given.items() if value})
        of_splits: dict[str, Any] = {
            "deal": self.deal,
            "hold_out_models": self.hold_out_models,
            "hold_out_criteria": self.hold_out_criteria,
        }
        splits = replace(recipe.splits, **{name: value for name, value in of_splits.items() if value})
        if self.near_duplicates is not None:
            splits = replace(splits, near_duplicates=self.near_duplicates)
        recipe = replace(recipe, splits=splits)
        if self.min_labels is not None:
            for part in ("bench", "validation", "train"):
                mix = replace(getattr(recipe, part), min_judgments=self.min_labels)
                recipe = replace(recipe, **{part: mix})
        return recipe


def recipe_of(project: Project, options: ReleaseOptions) -> dict[str, object]:
    """The rules by which a release is made from its frozen rows.

    Raises:
        Refused: an option is out of range, or names a format, source or criterion that there is not.
    """
    if options.min_labels is not None and not 1 <= options.min_labels <= 9:
        raise Refused(
            f"min_labels is {options.min_labels}: give 1 to 9, the most labels a comparison can have."
        )
    recipe = options.whole()
    if strange := sorted(set(recipe.formats).difference(NAMES)):
        raise Refused(f"There is no format {strange[0]!r}. There are: {', '.join(NAMES)}.")
    weighed = (name for mix in (recipe.bench, recipe.validation, recipe.train) for name in mix.weights)
    for source in dict.fromkeys([*recipe.sources, *weighed, *recipe.licences]):
        if not Pair.objects.filter(project=project, source=source).exists():
            raise Refused(f"Project {project.slug} has no pairs of source {source!r}.")
    _check_held_out(project, recipe.splits)
    min_labels = {
        partition: recipe.mix(partition).min_judgments
        or (project.k if partition == Partition.TRAIN else project.reserve_k)
        for partition in (Partition.RESERVE, Partition.VALIDATION, Partition.TRAIN)
    }
    stored: dict[str, object] = {
        "version": 6,
        "labels": f"{RULE} {SETTLED_RULE[recipe.settled]}",
        "settled": str(recipe.settled),
        "min_labels": min_labels,
        "sources": sorted(recipe.sources) or None,
        "recipe": recipe.as_json(),
    }
    if recipe.criteria:
        stored["criteria"] = [_criterion(project, text) for text in recipe.criteria]
    if options.against:
        stored["against"] = {"files": named_files(list(options.against)), "drop": options.drop_contaminated}
    # Only where it is chosen: releases without it are what they always were.
    return stored | {"groups": {"smallest": SMALLEST_GROUP}} if recipe.groups else stored


def _criterion(project: Project, text: str) -> str:
    """The key, as hexadecimal digits, of the criterion that this text counts as.

    Raises:
        Refused: the project has no such criterion.
    """
    found = Criterion.objects.filter(project=project, text_key=text_key(text)).first()
    if found is None:
        raise Refused(f"Project {project.slug} has no criterion {text!r}. Give its text as it is there.")
    root = canonical_criteria(project).get(found.pk, found.pk)
    return bytes(Criterion.objects.values_list("text_key", flat=True).get(pk=root)).hex()


def _check_held_out(project: Project, splits: Splits) -> None:
    for model in splits.hold_out_models:
        named = Q(response1__model_name=model) | Q(response2__model_name=model)
        if not Pair.objects.filter(named, project=project).exists():
            raise Refused(f"Project {project.slug} has no response of a model {model!r} to hold out.")
    for text in splits.hold_out_criteria:
        if not Criterion.objects.filter(project=project, text=text).exists():
            raise Refused(f"Project {project.slug} has no criterion {text!r} to hold out.")


@transaction.atomic
def start_release(
    *,
    by: User | None,
    project: Project,
    options: ReleaseOptions,
    directory: Path | None = None,
    release_id: UUID | None = None,
    uploads: Sequence[File] = (),
) -> Release:
    """A new release with its job. Without `directory` the workers make it, as a zip in storage.

    With `directory`, which must be marked as this release's, the caller runs the job itself. `uploads`: as `against` of the
    options, files that somebody sends; they are kept until it is frozen.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: the options do not fit the project.
    """
    require(by, Deed.MANAGE, project)
    recipe = recipe_of(project, options)
    # Where the files lie is nobody's business who reads the recipe.
    files: dict[str, Any] = {"against": [str(path) for path in options.against]} if options.against else {}
    if uploads:
        files = _keep(uploads)
        recipe["against"] = {"files": files.pop("named"), "drop": options.drop_contaminated}
    job = create_job(by=by, project=project, kind=JobKind.RELEASE, **files)
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


def _keep(uploads: Sequence[File]) -> dict[str, Any]:
    """Store the files, for the job's spec; `named`: for the recipe.

    Raises:
        Refused: one is not of a form that is read.
    """
    names = [Path((upload.name or "upload").replace("\\", "/")).name[-200:] for upload in uploads]
    named = []
    for name, upload in zip(names, uploads, strict=True):
        named.append(named_file(name, upload))  # type: ignore[arg-type]
        upload.seek(0)
    folder = media.new_folder()
    try:
        stored = [(name, media.store(folder, upload)) for name, upload in zip(names, uploads, strict=True)]
    except BaseException:
        media.remove_folder(folder)
        raise
    return {"named": named, "uploads": stored, "folder": folder}


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
