"""Removing metadata from any medium without touching what is coded: nothing is decoded or encoded again."""

from annotate.modalities import audio_metadata, image_metadata, mp4_metadata
from annotate.modalities.base import MediaError


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
    raise MediaError(
        f"metadata of {media_type} cannot be removed. Convert it to MP4, WAV, FLAC or MP3 first."
    )
