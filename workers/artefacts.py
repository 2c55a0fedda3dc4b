"""The files of trained models in storage: written once under a random key, read back by whoever scores.

A revision's row keeps the digest of its file: what was changed since is refused, also where it could still be read.
"""

import hashlib
import json
import secrets
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory

from django.core.files import File
from django.core.files.storage import default_storage

from annotate import media
from annotate.actions.learning import Artefact, forget_artefact
from annotate.models import Project, Revision, RevisionState
from workers.released.card import MODEL, TRAINING
from workers.reward_models.base import KeepsFeatures, Ranker, RewardModel, UnfitArtefact, backend


class Unusable(Exception):
    """A revision's file is gone, changed, broken or of another version; the message says which."""


def new_folder() -> str:
    """A folder for one model, noted by whoever is about to write into it: a killed one leaves no file unknown."""
    return f"models/{secrets.token_hex(8)}"


def store(model: RewardModel, folder: str) -> Artefact:
    """Save a model."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "model.safetensors"
        model.save(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").digest()
            file.seek(0)
            return Artefact(
                media.store(folder, File(file)),
                sha256,
                path.stat().st_size,
                ranks=isinstance(model, Ranker),
                features=model.kept_features if isinstance(model, KeepsFeatures) else "",
            )


def remove_dropped(project: Project) -> None:
    """Remove the files of dropped revisions. What somebody who was killed left behind goes the next time."""
    dropped = Revision.objects.filter(project=project, state=RevisionState.DROPPED, artefact__isnull=False)
    for revision in dropped:
        assert revision.artefact
        media.remove_folder(revision.artefact.rpartition("/")[0])
        forget_artefact(revision)


def load(revision: Revision) -> RewardModel:
    """The model of a revision.

    Raises:
        Unusable: its file cannot be used.
    """
    if revision.artefact is None:
        raise Unusable("Its file was removed when newer revisions had come.")
    with TemporaryDirectory() as directory:
        path = Path(directory) / f"{revision.artefact.rpartition('/')[2]}.safetensors"
        try:
            with default_storage.open(revision.artefact) as stored, path.open("wb") as file:
                copyfileobj(stored, file)
            _check(path, revision)
            return backend(revision.backend).load(path)
        except FileNotFoundError:
            raise Unusable(f"Its file {revision.artefact} is not in storage.") from None
        except (UnfitArtefact, LookupError) as error:
            raise Unusable(str(error)) from error


def load_folder(folder: Path) -> RewardModel:
    """The model in a folder that train_rm --out wrote.

    Raises:
        Unusable: it cannot be used.
    """
    try:
        told = json.loads((folder / TRAINING).read_text())
        return backend(str(told["backend"])).load(folder / MODEL)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unusable(f"{folder} is no folder that manage.py train_rm --out wrote: {error}") from None
    except (UnfitArtefact, LookupError) as error:
        raise Unusable(str(error)) from error


def _check(path: Path, revision: Revision) -> None:
    assert revision.artefact_sha256 is not None
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").digest()
    if found != bytes(revision.artefact_sha256):
        raise Unusable(
            f"Its file {revision.artefact} is not the one that was stored: it has {path.stat().st_size:,} bytes of"
            f" SHA-256 {found.hex()[:12]}…, not {revision.artefact_size:,} of"
            f" {bytes(revision.artefact_sha256).hex()[:12]}…. Put the stored file back, or refit: the next revision"
            " takes its place."
        )
