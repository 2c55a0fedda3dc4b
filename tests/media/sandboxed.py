"""Files held in memory, opened in the sandbox."""

from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

from django.core.files.storage import default_storage

from annotate.media import write_released
from annotate.modalities import HOUSES, Kind
from annotate.modalities.metadata import strip_metadata
from annotate.modalities.sandbox import MediaSandbox, Request
from annotate.models import Asset, Modality


@dataclass(frozen=True)
class Opened:
    probe: dict[str, Any]
    made: dict[str, bytes]
    about: dict[str, dict[str, Any]]


def kind_of(media_type: str) -> Kind:
    modality = Modality.MESH if media_type.startswith("model/") else Modality(media_type.split("/")[0])
    return Kind(modality, media_type, "")


def examine(
    pool: MediaSandbox, data: bytes, media_type: str, wanted: tuple[str, ...] | None = None
) -> Opened:
    """The probe of a file and what was made of it; unless said otherwise, all that its modality has."""
    kind = kind_of(media_type)
    with TemporaryFile() as source:
        source.write(data)
        source.flush()
        found = pool.examine(Request(source, kind, HOUSES[kind.modality].KINDS if wanted is None else wanted))
    made, about = {}, {}
    for rendition in found.renditions:
        with rendition.file as file:
            made[rendition.kind] = file.read()
        about[rendition.kind] = {"media_type": rendition.media_type, "size": rendition.size} | rendition.probe
    return Opened(found.probe, made, about)


def stripped(pool: MediaSandbox, data: bytes, media_type: str) -> bytes:
    """The file as a release carries it."""
    with TemporaryFile() as source, TemporaryFile() as target:
        source.write(data)
        source.seek(0)
        strip_metadata(source, kind_of(media_type), target, pool)
        target.seek(0)
        return target.read()


def original_bytes(asset: Asset) -> bytes:
    """The file as it was imported."""
    with default_storage.open(asset.key) as file:
        content: bytes = file.read()
    return content


def released_bytes(asset: Asset) -> bytes:
    """The stored file as a release carries it."""
    with MediaSandbox(1) as pool, TemporaryFile() as target:
        write_released(asset, target, pool)
        target.seek(0)
        return target.read()
