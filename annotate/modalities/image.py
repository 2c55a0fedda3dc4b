"""Images: PNG, JPEG, WebP and GIF."""

from annotate.modalities.base import Kind
from annotate.models import Modality

AT_IMPORT = ("web", "thumb")  # one decoding gives both
KINDS = (
    *AT_IMPORT,
    "tiles",
    "levels",
)  # the latter of those that say "tiled" alone: larger than what is shown at once
MAX_BYTES = 50 * 1024 * 1024
PROBE_SECONDS = 30
DERIVE_SECONDS = 120


def sniff(head: bytes, size: int) -> Kind | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Kind(Modality.IMAGE, "image/png", "png")
    if head.startswith(b"\xff\xd8\xff"):
        return Kind(Modality.IMAGE, "image/jpeg", "jpg")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind(Modality.IMAGE, "image/webp", "webp")
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return Kind(Modality.IMAGE, "image/gif", "gif")
    return None
