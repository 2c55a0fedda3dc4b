"""Removing metadata from any medium without touching what is coded: nothing is decoded or encoded again."""

from annotate.modalities import audio_metadata, image_metadata, mp4_metadata
from annotate.modalities.base import MediaError

_INSTEAD = {"video": ": give it as MP4 or MOV", "audio": ": give it as WAV, FLAC, MP3 or M4A"}


def strip_metadata(data: bytes, media_type: str) -> bytes:
    """The file with the same picture, sound or both, and no word on who made it, where, when or with what.

    Raises:
        MediaError: not a whole file of this type, or a type whose metadata cannot be removed.
    """
    if media_type.startswith("image/"):
        return image_metadata.strip_metadata(data, media_type)
    if media_type in mp4_metadata.MEDIA_TYPES:
        return mp4_metadata.strip_metadata(data)
    if media_type in audio_metadata.STRIPPERS:
        return audio_metadata.strip_metadata(data, media_type)
    kind = media_type.split("/")[0]
    raise MediaError(f"is {media_type}, whose metadata cannot be removed{_INSTEAD.get(kind, '')}.")
