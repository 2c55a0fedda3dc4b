"""Beginning an import. The work itself is annotate/imports/run.py, owned by the import's job."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from django.core.files import File
from django.db import transaction

from annotate import audit, media
from annotate.access import Deed, require
from annotate.actions.jobs import Refused, create_job, send
from annotate.imports import preview
from annotate.imports.files import reader_of
from annotate.imports.places import ZIP, members_of
from annotate.imports.responses import design_of
from annotate.imports.schemas import LAYOUTS
from annotate.imports.schemas import mapping as mapping_schema
from annotate.imports.schemas.context import Context, task_type
from annotate.imports.spec import FileSpec, ImportSpec, PairingSpec, names_in
from annotate.models import UNFINISHED, DataImport, JobKind, Project, User

MAX_MAPPING = 100_000  # characters
_EARLIER = 10  # mappings offered again


def read_mapping(text: str) -> dict[str, Any]:
    """A mapping's YAML, by the safe loader.

    Raises:
        Refused: not YAML, or not of JSON's types.
    """
    if len(text) > MAX_MAPPING:
        raise Refused(f"The mapping has {len(text):,} characters; at most {MAX_MAPPING:,} are taken.")
    if "&" in text and "*" in text:
        _refuse_aliases(text)
    try:
        read = yaml.safe_load(text)
        if not isinstance(read, dict):
            raise Refused("The mapping must be a YAML document of keys, as in docs/examples/pandalm.yaml.")
        # As it will be stored and read back: keys become texts, dates are refused.
        stored: dict[str, Any] = json.loads(json.dumps(read, allow_nan=False))
    except yaml.YAMLError as error:
        raise Refused(f"The mapping is not YAML: {error}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"The mapping holds a value that means nothing here: {error}") from None
    return stored


def _refuse_aliases(text: str) -> None:
    """Aliases let a few lines grow into gigabytes, and a mapping has no use for them."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise Refused("The mapping uses YAML aliases (*name): write the value out.")
    except yaml.YAMLError as error:
        raise Refused(f"The mapping is not YAML: {error}") from None


def check_spec(spec: ImportSpec, project: Project) -> None:
    """What can be known to be wrong before any file is read.

    Raises:
        Refused: the message says what and how to mend it.
    """
    if not spec.files:
        raise Refused("Name at least one file.")
    for file in spec.files:
        reader_of(file.name)
        if file.path and Path(file.path).is_dir():
            raise Refused(f"{file.path} is a folder: name the files in it.")
    if spec.layout not in ("auto", *LAYOUTS):
        raise Refused(f"There is no layout {spec.layout!r}: choose from auto, {', '.join(LAYOUTS)}.")
    if spec.pairing:
        design_of(spec.pairing)
        if spec.layout != "auto" or spec.mapping is not None:
            raise Refused(
                "A design makes pairs of a table of answers: it goes with no layout and no mapping."
            )
    if (spec.layout == "mapping") > (spec.mapping is not None):
        raise Refused("The layout mapping needs a mapping.")
    if spec.on_error not in ("abort", "skip"):
        raise Refused("on_error is abort or skip.")
    if spec.k is not None and not 1 <= spec.k <= 9:
        raise Refused(f"k is {spec.k}: give 1 to 9, the most labels a comparison can have.")
    if spec.task_type:
        task_type(spec.task_type)
    if spec.mapping is not None:
        mapping_schema.schema(
            Context(spec.files[0].name, project.salt, project.task_type, mapping=spec.mapping)
        )


@transaction.atomic
def start_import(*, by: User | None, project: Project, spec: ImportSpec, by_hand: bool = False) -> DataImport:
    """A new import with its job. `by_hand`: the caller runs the job itself; else it is sent to the workers.

    One that was interrupted while reading the very same files in the same way is taken up again instead.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: the files or options do not fit, or another import of the project has not ended.
    """
    require(by, Deed.MANAGE, project)
    check_spec(spec, project)
    # The lock makes two who start at once come one after the other.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    stored = spec.to_json()
    for earlier in DataImport.objects.filter(project=project, job__state__in=UNFINISHED):
        if earlier.spec == json.loads(json.dumps(stored)):
            return earlier
        if not earlier.visible:
            names = ", ".join(file["name"] for file in earlier.spec["files"])
            raise Refused(
                f"Import {earlier.pk} of {names} has not ended. Let it finish (at the terminal: run its command"
                f" again), or cancel job {earlier.job_id}."
            )
    job = create_job(by=by, project=project, kind=JobKind.IMPORT)
    data_import = DataImport.objects.create(project=project, job=job, spec=stored)
    audit.record(by, "start import", data_import, project, files=[file.name for file in spec.files])
    if not by_hand:
        send(job)
    return data_import


def start_import_of_upload(
    *,
    by: User | None,
    project: Project,
    uploads: Sequence[File],
    media_zip: File | None = None,
    mapping_text: str = "",
    design: str = "",
    per_prompt: int | None = None,
    anchors: str = "",
    **options: Any,
) -> DataImport:
    """Store uploaded files and start their import as a job of the workers.

    `options` are those of ImportSpec: layout, on_error, source, criterion, task_type, k, labels. With a `design` the files
    are tables of answers (PairingSpec); `anchors` have commas between them.

    Raises:
        Denied, Unknown, Refused: as start_import; the files are removed again.
    """
    require(by, Deed.MANAGE, project)
    mapping = read_mapping(mapping_text) if mapping_text.strip() else None
    pairing = _pairing(design, per_prompt, anchors)
    for upload in uploads:
        if not (upload.name or "").lower().endswith(ZIP):
            reader_of(upload.name or "")
    folder = media.new_folder()
    try:
        stored = [_stored(folder, upload) for upload in uploads]
        files: list[FileSpec] = []
        for file in stored:
            files += members_of(file) if file.name.lower().endswith(ZIP) else [file]
        media_file = _stored(folder, media_zip) if media_zip else None
        if media_file is None and len(stored) == 1 and files != stored:
            media_file = stored[0]  # a zip of both
        spec = ImportSpec(files=tuple(files), media=media_file, mapping=mapping, pairing=pairing, **options)
        return start_import(by=by, project=project, spec=spec)
    except BaseException:
        media.remove_folder(folder)
        raise


def _pairing(design: str, per_prompt: int | None, anchors: str) -> PairingSpec | None:
    """
    Raises:
        Refused: the options do not go together.
    """
    if not design:
        if per_prompt or anchors.strip():
            raise Refused("Pairs of a prompt and anchors are of answers: say how their rows become pairs.")
        return None
    made = PairingSpec(design, per_prompt, names_in(anchors))
    design_of(made)
    return made


def preview_upload(
    *,
    by: User | None,
    project: Project,
    sample: File,
    name: str,
    whole: bool,
    layout: str = "auto",
    mapping_text: str = "",
    source: str = "",
    criterion: str = "",
    task_type: str = "",
    k: int | None = None,
    labels: bool = True,
    design: str = "",
    per_prompt: int | None = None,
    anchors: str = "",
    **_: Any,
) -> dict[str, Any]:
    """What an import of the file that begins like this would come to (see preview.Preview); nothing is stored.

    Besides `mapping`, as it was understood, and `earlier`, the mappings of this project's imports, the newest first.

    Raises:
        Denied, Unknown: the user does not manage the project.
        Refused: the sample is too large, its kind is unknown, or the mapping is none.
    """
    require(by, Deed.MANAGE, project)
    limit = preview.MAX_WHOLE if whole else preview.MAX_SAMPLE
    if (sample.size or 0) > limit:
        raise Refused(f"{name} is too large for a preview: at most {limit // 2**20} MB are looked at.")
    mapping = read_mapping(mapping_text) if mapping_text.strip() else None
    if layout == "mapping" and mapping is None:
        layout = "auto"  # until one is made here
    context = Context(
        name, project.salt, project.task_type, source, criterion, task_type, k, labels, mapping=mapping
    )
    pairing = _pairing(design, per_prompt, anchors)
    shown = preview.preview(
        sample.file,  # type: ignore[arg-type]
        name,
        whole=whole,
        layout=layout,
        context=context,
        pairing=pairing,
    )
    return shown.to_json() | {"mapping": mapping, "earlier": _earlier_mappings(project)}


def _earlier_mappings(project: Project) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    made = DataImport.objects.filter(project=project).exclude(spec__mapping=None).order_by("-pk")
    for one in made[:100]:
        names = ", ".join(file["name"] for file in one.spec["files"][:3])
        named = {"label": f"{names} (import {one.pk})"[:200], "mapping": one.spec["mapping"]}
        found.setdefault(json.dumps(one.spec["mapping"], sort_keys=True), named)
    return list(found.values())[:_EARLIER]


def _stored(folder: str, upload: File) -> FileSpec:
    name = Path((upload.name or "upload").replace("\\", "/")).name[:200]
    return FileSpec(name=name, key=media.store(folder, upload), size=upload.size)
