"""Removing metadata from any medium without touching what is coded: nothing is decoded or encoded again."""

from shutil import copyfileobj
from typing import BinaryIO

from annotate.modalities import Kind, audio_metadata, image_metadata, mesh_metadata, mp4_metadata
from annotate.modalities.sandbox import MediaSandbox

_PIECE = 1024 * 1024
# Containers whose tags stand between coded data: they are written anew around it, by the decoders' library.
_WRITTEN_ANEW = {"video/webm", "video/x-matroska", "video/x-msvideo", "video/ogg", "audio/ogg"}


def strip_metadata(source: BinaryIO, kind: Kind, target: BinaryIO, sandbox: MediaSandbox) -> None:
    """Write into the empty file `target`, which may be read too, what `source` holds from its beginning: the same
    picture, sound or geometry, and no word on who made it, where, when or with what. The same bytes every time.

    Raises:
        MediaError: not a whole file of this type.
    """
    media_type = kind.media_type
    if media_type in mp4_metadata.MEDIA_TYPES:
        copyfileobj(source, target, _PIECE)
        if mp4_metadata.clean(target):
            return
        target.seek(0)
        target.truncate()
    if media_type in _WRITTEN_ANEW or media_type in mp4_metadata.MEDIA_TYPES:
        sandbox.strip(source, kind, target)
    elif media_type in audio_metadata.STRIPPERS:
        target.write(audio_metadata.strip_metadata(source.read(), media_type))
    elif media_type in mesh_metadata.STRIPPERS:
        target.write(mesh_metadata.strip_metadata(source.read(), media_type))
    else:
        target.write(image_metadata.strip_metadata(source.read(), media_type))
