"""Video: MP4, QuickTime, WebM, Matroska, AVI and Theora in Ogg. Playlists, which name other files, are none of them."""

from annotate.modalities.base import Kind
from annotate.models import Modality

KINDS = ("web", "poster", "thumb", "frames")
MAX_BYTES = 2 * 1024**3
PROBE_SECONDS = 30
DERIVE_SECONDS = 3600

_AUDIO_BRANDS = {b"M4A ", b"M4B ", b"M4P "}


def sniff(head: bytes, size: int) -> Kind | None:
    if head[4:8] == b"ftyp" and head[8:12] not in _AUDIO_BRANDS:
        if head[8:12] == b"qt  ":
            return Kind(Modality.VIDEO, "video/quicktime", "mov")
        if head[8:12] not in (b"heic", b"heix", b"mif1", b"avif", b"avis"):
            return Kind(Modality.VIDEO, "video/mp4", "mp4")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        if b"webm" in head[:64]:
            return Kind(Modality.VIDEO, "video/webm", "webm")
        return Kind(Modality.VIDEO, "video/x-matroska", "mkv")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Kind(Modality.VIDEO, "video/x-msvideo", "avi")
    if head.startswith(b"OggS") and b"\x80theora" in head[:512]:
        return Kind(Modality.VIDEO, "video/ogg", "ogv")
    return None
