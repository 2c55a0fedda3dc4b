"""The houses of media, one file a modality. What a file is, its bytes decide; its name is never asked."""

from types import ModuleType

from annotate.modalities import audio, image, mesh, video
from annotate.modalities.base import Kind, MediaError
from annotate.models import Modality

HOUSES: dict[Modality, ModuleType] = {
    Modality.IMAGE: image,
    Modality.VIDEO: video,
    Modality.AUDIO: audio,
    Modality.MESH: mesh,
}
HEAD_BYTES = 4096  # what sniffing wants of a file's beginning
MAX_BYTES = max(house.MAX_BYTES for house in HOUSES.values())


def sniff(head: bytes, size: int) -> Kind:
    """What a file of `size` bytes that begins with `head` is.

    Raises:
        MediaError: nothing that is taken, or too large.
    """
    for modality, house in HOUSES.items():
        kind: Kind | None = house.sniff(head, size)
        if kind:
            if size > house.MAX_BYTES:
                limit = house.MAX_BYTES // 2**20
                raise MediaError(f"is {size / 2**20:,.0f} MB of {modality}; at most {limit:,} MB are taken.")
            return kind
    raise MediaError(
        "is no media file that is taken here (PNG, JPEG, WebP, GIF; MP4, WebM, MKV, MOV, AVI; WAV, MP3, FLAC, Ogg,"
        " AAC, M4A; GLB, PLY, STL, OBJ). Its bytes decide, not its name."
    )


__all__ = ["HEAD_BYTES", "HOUSES", "MAX_BYTES", "Kind", "MediaError", "sniff"]
